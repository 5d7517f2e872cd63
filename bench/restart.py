"""How long a guest hears nothing while its sled is restarted as planned."""

import re
import signal
import statistics
import time

import state
from place import Failed
from topologies import Ours

# Seconds between two probes: what the gap is told to.
EVERY = 0.002


def measure(rounds, _seconds, say):
    return statistics.median(once(say) for _ in range(rounds))


def once(say):
    topology = Ours()
    try:
        topology.up(1500, 9000)
        probe = topology.start("g1", ["ping", "-D", "-i", EVERY, state.GUESTS[2]], "ping.txt")
        time.sleep(0.5)
        topology.sleds[1].stop()
        topology.sleds[1].start()
        if not topology.reaches():
            raise Failed(f"the guest was not heard after the restart{topology.logs()}")
        time.sleep(0.3)
        probe.send_signal(signal.SIGINT)
        probe.wait(5)
        out = (topology.dir / "ping.txt").read_text()
    finally:
        topology.down()
    times = [float(text) for text in re.findall(r"^\[([0-9.]+)\] \d+ bytes", out, re.M)]
    gap = max(after - before for before, after in zip(times, times[1:]))
    say(f"restart: a gap of {gap * 1e3:.1f} ms")
    return gap * 1e3
