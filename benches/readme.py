#!/usr/bin/env python3
"""Writes the tables of README.md and docs/bench.md that are made from benches/results.

    python3 benches/readme.py            # writes them
    python3 benches/readme.py --check    # changes nothing; exits with 1 if a table is not what its JSON gives

A table stands between `<!-- table: KIND FILE.json ... -->` and `<!-- end -->`. After the file, `epochs` takes sample
counts and programs, separated by commas, and `robust` and `suite` nothing. Needs Python 3.9 and nothing else.
"""

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from summary import digits, duration, plus_minus, read

HERE = Path(__file__).resolve().parent
PAGES = [HERE.parent / "README.md", HERE.parent / "docs" / "bench.md"]
MARKED = re.compile(r"(<!-- table: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
PROGRAMS = {
    "numba": "numba, parallel loop",
    "torch-compile": "PyTorch, compiled",
    "torch": "PyTorch, eager, with autograd",
    "jax-scan": "JAX, a scan over epochs",
    "jax": "JAX, jit, one call per epoch",
    "numpy": "NumPy, as tutorials write it",
    "sklearn": "scikit-learn's SGDRegressor, one pass (another algorithm)",
}


def table(header, rows):
    lines = ["| " + " | ".join(line) + " |" for line in [header, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]]) + "\n"


def count(samples):
    exponent = len(str(samples)) - 1
    return f"1e{exponent}" if samples == 10**exponent else f"{samples:,}"


def times(ratio):
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def epochs(report, sizes, programs):
    """How many times as long as fall-line's fastest CPU engine each program takes for an epoch."""

    def seconds(rows, size):
        return [row["epoch_seconds"]["median"] for row in rows if row["samples"] == size]

    sizes = [int(float(size)) for size in sizes.split(",")]
    rows = []
    for program in programs.split(","):
        cells = []
        for size in sizes:
            own = min(seconds(report["fall_line"]["rows"], size))
            theirs = [row for row in report["rows"] if row["program"] == program]
            cells.append(times(seconds(theirs, size)[0] / own))
        rows.append([PROGRAMS[program], *cells])
    return table(["samples", *map(count, sizes)], rows)


def robust(report):
    """The time of a whole fit, and how many times as long as fall-line's that is."""
    lines = {}
    for row in report["rows"]:
        lines.setdefault((row["samples"], row["line"]), {})[row["program"]] = row
    programs = list(dict.fromkeys(row["program"] for row in report["rows"]))[1:]
    rows = []
    for (samples, line), fits in lines.items():
        cells = [f"{line}, {count(samples)}", duration(fits["fall-line"]["median"])]
        for program in programs:
            fit = fits.get(program)
            if not fit:
                cells.append("–")
            elif fit["median"]:
                own = fit["own_median"]
                # HuberRegressor chooses a δ of its own, and fall-line is timed again with that.
                of = f" of {duration(own)}" if "delta" in fit else ""
                cells.append(f"{duration(fit['median'])} (×{digits(fit['median'] / own)}{of})")
            else:
                cells.append(fit["note"])
        rows.append(cells)
    return table(["line, samples", "fall-line", *programs], rows)


def suite(report):
    """The time of an epoch of each engine, with its ± as a share."""
    engines = {}
    for row in report["rows"]:
        label = row["engine"] if row["adapter"] is None else f"{row['engine']} {row['adapter']}"
        times = row["epoch_seconds"]
        if not times:
            continue
        spread = 100 * plus_minus(times) / times["median"]
        of_size = {row["samples"]: f"{duration(times['median'])} ± {spread:.0f} %"}
        for engine in [label, row["also"]]:
            if engine:
                engines.setdefault(engine, {}).update(of_size)
    sizes = report["settings"]["samples"]
    rows = [[f"`{engine}`", *(times.get(size, "–") for size in sizes)] for engine, times in engines.items()]
    return table(["samples", *map(count, sizes)], rows)


KINDS = {
    "epochs": ("fall-line peers 1", epochs),
    "robust": ("fall-line robust 1", robust),
    "suite": ("fall-line bench 2", suite),
}


def made(found):
    kind, file, *arguments = found[2].split()
    schema, make = KINDS[kind]
    return found[1] + make(read(HERE / "results" / file, schema), *arguments) + found[4]


def main():
    check, stale = sys.argv[1:] == ["--check"], False
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    for page in PAGES:
        text = page.read_text()
        if not MARKED.search(text):
            sys.exit(f"error: {page.name} has no table")
        new = MARKED.sub(made, text)
        if new == text:
            continue
        stale = True
        if check:
            print(f"{page.name}: a table is not what its JSON gives; run benches/readme.py", file=sys.stderr)
        else:
            page.write_text(new)
            print(f"wrote {page.name}")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
