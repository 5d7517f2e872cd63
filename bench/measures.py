"""What is measured between two guests; every measure gives numbers by name."""

import json
import os
import subprocess
import time

import state
from place import TARGET, ns, within

LOAD = TARGET / "bench-load"
TO = state.GUESTS[2]
# Connections that are there beside those that are measured.
OTHER_FLOWS = 10_000


def guest(node, command):
    return subprocess.Popen(["ip", "netns", "exec", ns(f"g{node}"), *map(str, command)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(node, command, timeout):
    return within(f"g{node}", [str(word) for word in command], timeout=timeout)


def busy():
    """CPU seconds of the whole machine that were not idle."""
    fields = list(map(int, open("/proc/stat").readline().split()[1:]))
    return (sum(fields[:3]) + fields[5] + fields[6]) / os.sysconf("SC_CLK_TCK")


def listening(node, port, udp=False):
    for _ in range(100):
        out = within(f"g{node}", ["ss", "-Hln" + ("u" if udp else "t"), f"sport = :{port}"], check=False)
        if out.strip():
            return
        time.sleep(0.05)


def other_flows():
    """Fills the flow tables: datagrams from many source ports."""
    run(1, [LOAD, "udp-flows", TO, 9, OTHER_FLOWS], 60)


def tcp(seconds, *extra):
    server = guest(2, ["iperf3", "-s", "-1"])
    try:
        listening(2, 5201)
        before = busy()
        out = run(1, ["iperf3", "-c", TO, "-t", seconds, "-J", *extra], seconds + 30)
        used = busy() - before
        server.wait(5)
    finally:
        if server.poll() is None:
            server.kill()
        server.wait()
    end = json.loads(out)["end"]
    gbit = end["sum_received"]["bits_per_second"] / 1e9
    return {"gbit_s": gbit, "cpu_s_per_gbit": used / max(gbit * seconds, 1e-9)}


def udp(seconds, size=64):
    receiver = guest(2, [LOAD, "udp-receive", 7001])
    try:
        listening(2, 7001, udp=True)
        run(1, [LOAD, "udp-send", TO, 7001, seconds, size], seconds + 30)
        out, _ = receiver.communicate(timeout=30)
    finally:
        if receiver.poll() is None:
            receiver.kill()
        receiver.wait()
    return {"kpps": json.loads(out)["per_second"] / 1e3}


def served(what, seconds):
    server = guest(2, [LOAD, "serve", 7002])
    try:
        listening(2, 7002)
        return json.loads(run(1, [LOAD, what, TO, 7002, seconds], seconds + 30))
    finally:
        server.kill()
        server.wait()


def round_trips(seconds):
    out = served("round-trips", seconds)
    return {"p50_us": out["p50_us"], "p99_us": out["p99_us"]}


def connections(seconds):
    return {"per_s": served("connections", seconds)["per_second"]}


ALL = {
    "tcp1": lambda seconds: tcp(seconds),
    "tcp4": lambda seconds: tcp(seconds, "-P", "4"),
    "tcpr": lambda seconds: tcp(seconds, "-R"),
    "udp64": udp,
    "rr": round_trips,
    "crr": connections,
}
# The number that a ratio is made of, and whether more of it is better.
MAIN = {"tcp1": "gbit_s", "tcp4": "gbit_s", "tcpr": "gbit_s", "udp64": "kpps", "rr": "p50_us", "crr": "per_s"}
