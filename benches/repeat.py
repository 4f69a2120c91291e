#!/usr/bin/env python3
"""Runs `fall-line bench` many times, and says how often a second run bears out the first.

    python3 benches/repeat.py target/release/fall-line 20 /tmp/runs --samples 1e4,1e6

The export of each run goes into the folder, which must not exist. What comes after the folder goes to `bench`.
The script prints, over all pairs of runs, how many times of an epoch and how many ratios lie within the ± of the other
run. Each run is compared with the one before it, and the exit codes of `--compare` are counted: 0 is no slower time, 8 a
slower one, and 3 that nothing could be compared. The script needs Python 3.9 and nothing else.
"""

import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from summary import plus_minus


def times(report):
    return {
        (row["samples"], row["engine"], row["adapter"]): (times["median"], plus_minus(times))
        for row in report["rows"]
        if (times := row["epoch_seconds"])
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


def main():
    program, runs, folder, *flags = sys.argv[1:]
    Path(folder).mkdir()
    paths = [Path(folder, f"{run:03}.json") for run in range(int(runs))]
    codes = []
    for path, before in zip(paths, [None, *paths]):
        compare = ["--compare", before] if before else []
        command = [program, "bench", *flags, *compare, "--export-json", path]
        codes += [subprocess.run(command, capture_output=True).returncode]
        if not path.exists():
            sys.exit(f"{path} was not written: bench ended with exit code {codes[-1]}")
    reports = [json.loads(path.read_text()) for path in paths]
    loads = [row["others"] or 0 for report in reports for row in report["rows"] if row["epoch_seconds"]]
    print(f"other programs took {min(loads):.0%} to {max(loads):.0%} of the cores, in the median")
    print(f"{statistics.median(loads):.0%}, at load averages of", end=" ")
    averages = [report["machine"]["load_average"] for report in reports]
    print(f"{min(averages):.1f} to {max(averages):.1f}")
    for what, figures in (("times", map(times, reports)), ("ratios", map(ratios, reports))):
        counts = [within(*pair) for pair in itertools.permutations(figures, 2)]
        inside, of = (sum(count) for count in zip(*counts))
        print(f"{what} within the ± of another run: {inside} of {of} ({inside / max(of, 1):.1%})")
    counted = ", ".join(f"{codes[1:].count(code)} times {code}" for code in sorted(set(codes[1:])))
    print(f"exit codes of --compare with the run before: {counted}; of the first run: {codes[0]}")
    withheld = [one["withheld"] for report in reports for one in report["speedups"]]
    print(f"ratios withheld: {sum(map(bool, withheld))} of {len(withheld)}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main()
