#!/usr/bin/env python3
"""Runs `fall-line bench` many times, and says how often a second run bears out the first.

    python3 benches/repeat.py target/release/fall-line 20 /tmp/runs --samples 1e4,1e6

The export of each run goes into the folder; those that are there already are counted and not run again. What comes after
the folder goes to `bench`. Printed is, over all pairs of runs: how many times of an epoch lie within the ± of the other
run, how many ratios do so, and in how many pairs `--compare` would exit with 8. Needs Python 3.9 and nothing else.
"""

import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path

BUSY = 0.2  # share of the cores, taken by other programs, above which bench compares nothing


def epoch(row):
    times = row["epoch_seconds"]
    return times["median"], max(times["high"] - times["median"], times["median"] - times["low"])


def times(report):
    return {
        (row["samples"], row["engine"], row["adapter"]): (epoch(row), row["others"] or 0)
        for row in report["rows"]
        if row["epoch_seconds"]
    }


def ratios(report):
    return {
        (one["samples"], one["faster"], one["slower"]): (one["ratio"], one["plus_minus"])
        for one in report["speedups"]
        if one["ratio"]
    }


def within(first, second):
    """How many of the figures that both have lie within the first's ±, and how many there are."""
    both = first.keys() & second.keys()
    return sum(abs(second[key][0] - first[key][0]) <= first[key][1] for key in both), len(both)


def is_slower(first, second):
    for key in first.keys() & second.keys():
        ((before, spread), busy), ((now, other), busy_now) = first[key], second[key]
        if max(busy, busy_now) <= BUSY and now - before > spread + other:
            return True
    return False


def main():
    program, runs, folder, *flags = sys.argv[1:]
    paths = [Path(folder, f"{run:03}.json") for run in range(int(runs))]
    for path in paths:
        if not path.exists():
            command = [program, "bench", *flags, "--export-json", path]
            subprocess.run(command, check=True, capture_output=True)
    reports = [json.loads(path.read_text()) for path in paths]
    found = [times(report) for report in reports]
    loads = [load for rows in found for _, load in rows.values()]
    print(f"other programs took {min(loads):.0%} to {max(loads):.0%} of the cores, in the median")
    print(f"{statistics.median(loads):.0%}, at load averages of", end=" ")
    averages = [report["machine"]["load_average"] for report in reports]
    print(f"{min(averages):.1f} to {max(averages):.1f}")
    epochs = [{key: figure for key, (figure, _) in rows.items()} for rows in found]
    for what, figures in (("times", epochs), ("ratios", list(map(ratios, reports)))):
        counts = [within(*pair) for pair in itertools.permutations(figures, 2)]
        inside, of = (sum(count) for count in zip(*counts))
        print(f"{what} within the ± of another run: {inside} of {of} ({inside / max(of, 1):.1%})")
    slower = [is_slower(*pair) for pair in itertools.permutations(found, 2)]
    print(f"pairs in which --compare exits with 8: {sum(slower)} of {len(slower)}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main()
