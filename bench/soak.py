#!/usr/bin/env python3
"""Mixed traffic through two sleds while their states change every second and a guest comes and goes.

    bench/soak.py [--seconds 600] [--underlay auto]        20 seconds are enough for CI

It soaks the release build; with BENCH_PROFILE=debug in the environment, the debug build.

Afterwards memory and open files must be where they were, every frame that came in must have gone out or been dropped
under a name, no flow table may ever have been over its limit, and the guests' long connections must have lived through
it all. Prints a summary; ends with 1 where one of these does not hold. Needs root.
"""

import argparse
import signal
import sys
import time

import state
from measures import LOAD
from place import ip, within
from topologies import Ours, tap

# The guest that comes and goes, on sled 1.
COMER = 3
COMER_ADDRESS = "10.0.0.13"
COMER_MAC = "02:72:77:00:00:03"
# What memory may grow by, when every table has had its fill: a share, and octets that count in a short run alone.
GROWTH, SLACK, SHORT_SLACK, SHORT = 0.05, 1 << 20, 8 << 20, 60
# Files that may be open more than before: a collector's connection.
FILES = 1

# What guest 1 does all the time: bursts of small packets, many flows, short connections, echoes, with guest 2; and what
# the agent is to read that is no question.
TRAFFIC = f"""while :; do
{LOAD} udp-flows {{to}} 9 3000
{LOAD} connections {{to}} 7002 0.5
{LOAD} udp-send {{to}} 9 0.2 64
{LOAD} round-trips {{to}} 7002 0.3
{LOAD} udp-send {{to}} 9 0.2 1400
ping -q -c 100 -i 0.002 {{to}}
{LOAD} udp-send {state.RESOLVER} 53 0.05 64
done"""


class Soak(Ours):
    """Two guests that stay, one that does not."""

    name = "soak"

    def join(self, guest_mtu, underlay_mtu):
        self.mtus = guest_mtu, underlay_mtu
        self.namespace(f"g{COMER}")
        super().join(guest_mtu, underlay_mtu)

    def traffic(self):
        self.start("g2", ["iperf3", "-s"], "iperf-server.log")
        self.start("g2", [LOAD, "serve", "7002"], "serve.log")
        self.wait_until(lambda: len(within("g2", "ss -Hlnt sport = :5201 or sport = :7002").splitlines()) == 2)
        self.long = self.start("g1", ["iperf3", "-c", state.GUESTS[2], "-t", "0", "-P", "2", "--bidir", "-b", "100M"], "iperf.log")
        self.mixed = self.start("g1", ["sh", "-c", TRAFFIC.format(to=state.GUESTS[2])], "traffic.txt")

    def turn(self, number):
        """The states of turn `number`; in every other one there is a third guest."""
        for node, sled in self.sleds.items():
            sled.write(self.state_of(number, node))
            sled.reload()

    def state_of(self, number, node):
        host_state = self.host_state(node, *self.mtus)
        [vpc], [mappings] = host_state["vpcs"], host_state["mappings"]
        [rules] = vpc["rule_sets"]
        # One rule less or more, one mapping elsewhere, and so many that are new.
        rules["rules"] = rules["rules"][: -1 - number % 7]
        mappings["entries"][-1]["sled"] = state.sled(3 + number % 200)
        there = number % 2 == 1
        if there:
            mappings["entries"].append({"prefix": f"{COMER_ADDRESS}/32", "sled": state.sled(1), "mac": COMER_MAC})
        if there and node == 1:
            [port], [attachment] = host_state["ports"], host_state["attachments"]
            comer = f"{COMER:016x}"
            address = {"address": COMER_ADDRESS, "subnet": 1}
            host_state["ports"].append({**port, "id": comer, "mac": COMER_MAC, "addresses": [address]})
            host_state["attachments"].append({**attachment, "port": comer, "device": tap(f"g{COMER}")})
        generation = number + 2
        for item in (host_state, *(item for kind in ("vpcs", "mappings", "ports", "attachments") for item in host_state[kind])):
            item["generation"] = generation
        return host_state

    def meet(self):
        """The third guest, where it is there, reaches a guest of its own sled and one of the other."""
        name = f"g{COMER}"
        self.wait_until(lambda: "eth0" in ip(name, "link show", check=False))
        ip(name, f"addr replace {COMER_ADDRESS}/32 dev eth0")
        ip(name, "link set eth0 up")
        ip(name, f"route replace {state.GATEWAY} dev eth0")
        ip(name, f"route replace default via {state.GATEWAY}")
        lost = []
        for node, address in state.GUESTS.items():
            if " 100% packet loss" in within(name, f"ping -q -c5 -i0.05 -W1 {address}", check=False):
                lost.append(node)
        return lost

    def quiet(self):
        """Ends all traffic."""
        for process in (self.mixed, self.long):
            process.send_signal(signal.SIGTERM if process is self.mixed else signal.SIGINT)
            process.wait(10)
        time.sleep(0.5)


class Watch:
    """What is seen of the sleds, and what is wrong with it."""

    def __init__(self, soak):
        self.soak, self.wrong = soak, []
        self.samples = {node: [] for node in soak.sleds}
        self.most_flows = 0

    def look(self):
        for node, sled in self.soak.sleds.items():
            self.samples[node].append((sled.memory(), sled.files()))
            metrics = sled.metrics()
            limits = {labels: value for (name, labels), value in metrics.items() if name == "port_flow_limit"}
            for (name, labels), flows in metrics.items():
                if name != "port_flows":
                    continue
                self.most_flows = max(self.most_flows, flows)
                if labels in limits and flows > limits[labels]:
                    self.wrong.append(f"sled {node}: {flows:.0f} flows where {limits[labels]:.0f} is the limit")

    def growth(self):
        """What memory and open files grew by since a quarter of the time had passed."""
        for node, samples in self.samples.items():
            begun, ended = samples[len(samples) // 4:][:4], samples[-4:]
            slack = SHORT_SLACK if len(samples) < SHORT else SLACK
            for what, column, share, more in (("octets of memory", 0, GROWTH, slack), ("open files", 1, 0, FILES)):
                before, after = (max(sample[column] for sample in part) for part in (begun, ended))
                yield node, what, before, after
                if after - before > before * share + more:
                    self.wrong.append(f"sled {node}: {what} grew from {before} to {after}")

    def accounts(self):
        """What came in, and what it became, of each sled."""
        for node, sled in self.soak.sleds.items():
            metrics = sled.metrics()

            def total(name, **labels):
                wanted = set(labels.items())
                return sum(value for (other, has), value in metrics.items() if other == name and wanted <= has)

            came = sum(total("worker_frames_total", way=way) for way in ("guest_in", "wire_in", "injected"))
            came += total("worker_refused_frames_total") + total("worker_thawed_frames_total")
            went = sum(total("worker_frames_total", way=way) for way in ("guest_out", "wire_out"))
            punted, dropped = total("worker_punted_frames_total"), total("worker_engine_dropped_frames_total")
            lost = total("worker_dropped_frames_total")
            yield node, came, went, punted, dropped, lost
            if came != went + punted + dropped + lost:
                self.wrong.append(f"sled {node}: {came:.0f} frames came, {went + punted + dropped + lost:.0f} are accounted for")


def soak(seconds, underlay, say):
    place = Soak()
    place.kind = underlay
    try:
        place.up(1500, 9000)
        place.traffic()
        watch, begun, number = Watch(place), time.monotonic(), 0
        while time.monotonic() - begun < seconds:
            number += 1
            place.turn(number)
            if number % 2 == 1:
                watch.wrong += [f"turn {number}: guest {COMER} did not reach guest {node}" for node in place.meet()]
            watch.look()
            if place.long.poll() is not None or place.mixed.poll() is not None:
                watch.wrong.append(f"traffic ended in turn {number}{place.logs()}")
                break
            if number % 60 == 0:
                say(f"{time.monotonic() - begun:.0f} s, turn {number}, {len(watch.wrong)} faults")
            time.sleep(max(0, begun + number - time.monotonic()))
        place.quiet()
        generations = [sled.metrics()["state_generation", frozenset()] for sled in place.sleds.values()]
        if generations != [number + 2] * len(generations):
            watch.wrong.append(f"states {generations} hold where it should be {number + 2}{place.logs()}")
        say(f"{number} turns in {time.monotonic() - begun:.0f} s; at most {watch.most_flows:.0f} flows of a port")
        for node, what, before, after in watch.growth():
            say(f"sled {node}: {what}: {before} after a quarter of the time, {after} at the end")
        for node, came, went, punted, dropped, lost in watch.accounts():
            say(f"sled {node}: {came:.0f} frames came in; {went:.0f} went out, {punted:.0f} to the agent, "
                f"{dropped:.0f} dropped by rules and checks, {lost:.0f} lost under a name")
        return watch.wrong
    finally:
        place.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--underlay", default="auto", choices=["auto", "udp", "tap"])
    given = parser.parse_args()
    wrong = soak(given.seconds, given.underlay, lambda text: print(text, flush=True))
    for fault in wrong[:20]:
        print(f"FAULT {fault}")
    print("soak: " + (f"{len(wrong)} faults" if wrong else "nothing wrong"))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
