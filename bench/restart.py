"""How long a guest hears nothing while its sled is restarted as planned."""

import re
import signal
import statistics
import subprocess
import time

import state
from topologies import Ours, ns, wait_for

# Seconds between two probes: what the gap is told to.
EVERY = 0.002


def measure(rounds, _seconds, say):
    return statistics.median(once(say) for _ in range(rounds))


def once(say):
    topology = Ours()
    try:
        topology.up(1500, 9000)
        probe = subprocess.Popen(
            ["ip", "netns", "exec", ns("g1"), "ping", "-D", "-i", str(EVERY), "-w", "6", state.GUESTS[2]],
            stdout=subprocess.PIPE, text=True)
        time.sleep(0.7)
        old = topology.processes[0]
        command = old.args[4:]
        old.terminate()
        old.wait(10)
        topology.start("h1", command, "sled1-again.log")
        topology.processes.remove(old)
        wait_for(topology.dir / "sled1" / "run" / "sled.sock", topology)
        time.sleep(1.0)
        probe.send_signal(signal.SIGINT)
        out, _ = probe.communicate(timeout=20)
        times = [float(text) for text in re.findall(r"^\[([0-9.]+)\] \d+ bytes", out, re.M)]
        if len(times) < 3:
            raise RuntimeError(f"the guest was not heard after the restart{topology.logs()}")
        gap = max(after - before for before, after in zip(times, times[1:]))
        say(f"restart: a gap of {gap * 1e3:.1f} ms")
        return gap * 1e3
    finally:
        topology.down()
