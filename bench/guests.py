#!/usr/bin/env python3
"""Guest to guest through two sleds, beside what a user would run instead: one table of ratios.

    bench/guests.py [--rounds 3] [--seconds 5] [--guest-mtu 1500 --underlay-mtu 9000]
                    [--topologies direct,vxlanct,ovsct,ours,...] [--measures tcp1,tcp4,...]

Topologies take turns, round by round, so that a machine that drifts drifts for all alike. Needs root.
"""

import argparse
import json
import statistics
import sys

import measures
import topologies


def measured(names, wanted, rounds, seconds, mtus, say):
    """{(topology, measure): [numbers of each round]}"""
    results = {}
    for turn in range(rounds):
        for name in names:
            topology = topologies.ALL[name]()
            try:
                topology.up(*mtus)
                if name.startswith("ours"):
                    measures.other_flows()
                for measure in wanted:
                    numbers = measures.ALL[measure](seconds)
                    results.setdefault((name, measure), []).append(numbers)
                    say(f"round {turn + 1} of {rounds}: {name} {measure} {json.dumps(numbers)}")
            except Exception as error:  # What one peer cannot do must not cost the others' figures.
                say(f"round {turn + 1} of {rounds}: {name}: {error}")
            finally:
                topology.down()
    return results


def medians(rounds):
    return {key: statistics.median(numbers[key] for numbers in rounds) for key in rounds[0]}


def table(results, names, wanted, base):
    """Medians, and in brackets the ratio to the base's."""
    lines = [["", *names]]
    for measure in wanted:
        keys = medians(next((rounds for (_, other), rounds in results.items() if other == measure), [{}]))
        for key in keys:
            line = [f"{measure} {key}"]
            for name in names:
                if (name, measure) not in results:
                    line.append("-")
                    continue
                value = medians(results[name, measure])[key]
                text = f"{value:.4g}"
                if (base, measure) in results:
                    text += f" ({value / medians(results[base, measure])[key]:.2f})"
                line.append(text)
            lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--guest-mtu", type=int, default=1500)
    parser.add_argument("--underlay-mtu", type=int, default=9000)
    parser.add_argument("--topologies", default=",".join(topologies.ALL))
    parser.add_argument("--measures", default=",".join(measures.ALL))
    parser.add_argument("--base", default="vxlanct", help="what ratios are made to")
    given = parser.parse_args()
    names, wanted = given.topologies.split(","), given.measures.split(",")
    unknown = [name for name in names if name not in topologies.ALL] + [name for name in wanted if name not in measures.ALL]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    say = lambda text: print(text, file=sys.stderr, flush=True)
    results = measured(names, wanted, given.rounds, given.seconds, (given.guest_mtu, given.underlay_mtu), say)
    print(table(results, names, wanted, given.base))


if __name__ == "__main__":
    main()
