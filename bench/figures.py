#!/usr/bin/env python3
"""The figures of the sled, one JSON object a line; `cargo xtask figures sled` calls this.

    bench/figures.py --list | [--quick --seconds N] [--only NAME...]

Ratios are to a peer in the same run, in turns, medians of three rounds (one with --quick).
"""

import argparse
import json
import statistics
import sys
import time

import measures
import restart
import topologies
import vhost
from place import Failed

VXLAN, OVS = "kernel VXLAN + bridge + nftables conntrack", "user-space Open vSwitch with conntrack (AF_PACKET)"
DPDK = "Open vSwitch with DPDK and conntrack"

# name: (unit, about, ours, measure, number, peer)
COMPARED = {
    "tcp1_over_vxlanct": ("TCP, one stream", "ours", "tcp1", "gbit_s", "vxlanct"),
    "tcp4_over_vxlanct": ("TCP, four streams", "ours", "tcp4", "gbit_s", "vxlanct"),
    "tcpr_over_vxlanct": ("TCP, one stream, reverse", "ours", "tcpr", "gbit_s", "vxlanct"),
    "udp64_over_vxlanct": ("UDP packets/s of 64 bytes", "ours", "udp64", "kpps", "vxlanct"),
    "crr_over_vxlanct": ("connections/s", "ours", "crr", "per_s", "vxlanct"),
    "rr_p50_over_vxlanct": ("median round trip, workers that sleep", "ours-block", "rr", "p50_us", "vxlanct"),
    "rr_p50_spinning_over_vxlanct": ("median round trip, workers that spin", "ours-spin", "rr", "p50_us", "vxlanct"),
    "cpu_per_gbit_over_vxlanct": ("CPU seconds per Gbit, one TCP stream", "ours", "tcp1", "cpu_s_per_gbit", "vxlanct"),
    "tcp1_over_ovsct": ("TCP, one stream", "ours", "tcp1", "gbit_s", "ovsct"),
}
PEERS = {"vxlanct": VXLAN, "ovsct": OVS}
OTHERS = {
    "vhost_user_pps_over_ovsdpdkct": ("ratio", f"64-byte packets/s through one vhost-user worker, over {DPDK}"),
    "restart_gap_ms": ("ms", "longest silence of a guest while its sled is restarted as planned"),
}


def known():
    for name, (about, ours, _, number, peer) in COMPARED.items():
        yield {"figure": name, "unit": "ratio", "about": f"{about} ({number} of `{ours}`), over {PEERS[peer]}"}
    for name, (unit, about) in OTHERS.items():
        yield {"figure": name, "unit": unit, "about": about}


def say(text):
    print(text, file=sys.stderr, flush=True)


def put(figure, unit, value=None, why=None, scale=None):
    row = {"figure": figure, "value": value, "unit": unit}
    if value is None:
        row["why"] = why or "not measured"
    if scale:
        row["scale"] = scale
    print(json.dumps(row), flush=True)


class Run:
    """Measures each topology once a round, what is asked of it, while there is time."""

    def __init__(self, rounds, seconds, until):
        self.rounds, self.seconds, self.until = rounds, seconds, until
        self.numbers, self.faults = {}, {}

    def late(self):
        return self.until is not None and time.monotonic() > self.until

    def measure(self, wanted):
        plan = {}
        for name in wanted:
            _, ours, measure, _, peer = COMPARED[name]
            for topology in (ours, peer):
                plan.setdefault(topology, []).append(measure)
        for _ in range(self.rounds):
            for name, asked in plan.items():
                self.one(name, [measure for measure in measures.ALL if measure in asked])

    def one(self, name, asked):
        if self.late():
            self.faults.setdefault(name, "no time left")
            return
        topology = topologies.ALL[name]()
        try:
            topology.up(1500, 9000)
            if name.startswith("ours"):
                measures.other_flows()
            for measure in asked:
                if self.late():
                    self.faults.setdefault(name, "no time left")
                    break
                numbers = measures.ALL[measure](self.seconds)
                say(f"{name} {measure} {json.dumps(numbers)}")
                self.numbers.setdefault((name, measure), []).append(numbers)
        except Exception as error:  # One topology that fails must not cost the others' figures.
            say(f"{name}: {error}")
            self.faults[name] = str(error).splitlines()[0]
        finally:
            topology.down()

    def value(self, topology, measure, number):
        rounds = self.numbers.get((topology, measure))
        return statistics.median(numbers[number] for numbers in rounds) if rounds else None

    def put(self, name, scale):
        _, ours, measure, number, peer = COMPARED[name]
        values = [self.value(topology, measure, number) for topology in (ours, peer)]
        if None in values:
            missing = ours if values[0] is None else peer
            put(name, "ratio", why=f"{missing}: {self.faults.get(missing, 'not measured')}", scale=scale)
        else:
            put(name, "ratio", values[0] / values[1], scale=scale)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", nargs="+", default=[])
    given = parser.parse_args()
    if given.list:
        for figure in known():
            print(json.dumps(figure))
        return
    wanted = given.only or [figure["figure"] for figure in known()]
    rounds, seconds, scale = (1, 1, "one round of 1 s") if given.quick else (3, 5, None)
    until = None if given.seconds is None else time.monotonic() + given.seconds
    run = Run(rounds, seconds, until)
    compared = [name for name in COMPARED if name in wanted]
    run.measure(compared)
    for name in compared:
        run.put(name, scale)
    for name, module in (("restart_gap_ms", restart), ("vhost_user_pps_over_ovsdpdkct", vhost)):
        if name in wanted:
            unit = OTHERS[name][0]
            try:
                if run.late():
                    raise Failed("no time left")
                put(name, unit, module.measure(rounds, seconds, say), scale=scale)
            except Exception as error:  # As above.
                say(f"{name}: {error}")
                put(name, unit, why=str(error).splitlines()[0], scale=scale)


if __name__ == "__main__":
    main()
