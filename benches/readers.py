#!/usr/bin/env python3
"""Measures how fast fall-line reads two columns of a file, beside what else one would take.

    python3 benches/readers.py --rows 1e7

It writes a table of three columns of random doubles to a temporary folder: as CSV (some 55 bytes a
row), plain and packed by gzip and zstd; as Parquet, plain and by each codec (with dictionaries, which
PyArrow gives up within the first hundredth, for no value comes twice); and as NPY. Of numbers of three
decimals, which keep their dictionaries, it writes another file of Parquet. Every reader reads x and y
of each, in turns, so that a machine that slows down slows all alike; the files are in the page cache.
What is read agrees first: the sample count and the sums of both columns. fall-line is
`cargo bench --bench read`, a new process each turn, whose start is not counted: opening, and the
statistics of all samples in f64 (sums, squares, ends and a checksum), which `train` takes before it
loads them. The libraries stay loaded, and the first turn of each does not count.

NumPy and PyArrow are required, to write the files. A library that is not installed is listed as
absent.

Exit codes: 0 done, 1 fall-line or a reader failed, 2 usage, 7 one read something else.
"""

import argparse
import gzip
import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

sys.dont_write_bytecode = True  # or the next line leaves a __pycache__ in the repository
from summary import digits, duration, machine, table

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ["x", "y"]
PLACES = [0, 2]  # theirs, among all
SEED = 20
# Of the sum of 1e7 doubles that are all of one sign or hardly cancel, in any order of adding.
TOLERANCE = 1e-9
OWN = "fall-line"


class Failed(Exception):
    """A reader could not read."""


def write_files(folder, rows):
    """The files by what they are: the path, and what is to be read of it."""
    draws = np.random.default_rng(SEED)
    x = 2 * draws.random(rows)
    y = 4 + 3 * x + draws.standard_normal(rows)
    columns = {"x": x, "other": draws.standard_normal(rows), "y": y}
    rounded = {name: values.round(3) for name, values in columns.items()}
    whole = pyarrow.table(columns)
    paths = {"CSV": folder / "table.csv"}
    pyarrow.csv.write_csv(whole, paths["CSV"])
    paths["CSV, gzip"] = folder / "table.csv.gz"
    with open(paths["CSV"], "rb") as text, gzip.open(paths["CSV, gzip"], "wb", 1) as packed:
        shutil.copyfileobj(text, packed, 1 << 20)
    paths["CSV, zstd"] = folder / "table.csv.zst"
    with open(paths["CSV"], "rb") as text:
        with pyarrow.CompressedOutputStream(str(paths["CSV, zstd"]), "zstd") as packed:
            shutil.copyfileobj(text, packed, 1 << 20)
    for what, table_of, options in [
        ("plain", whole, {"compression": "none", "use_dictionary": False}),
        ("dictionary", pyarrow.table(rounded), {"compression": "none"}),
        *((codec, whole, {"compression": codec}) for codec in ("snappy", "zstd", "gzip")),
    ]:
        paths[f"Parquet, {what}"] = path = folder / f"{what}.parquet"
        pyarrow.parquet.write_table(table_of, path, **options)
    paths["NPY"] = folder / "table.npy"
    np.save(paths["NPY"], np.column_stack(list(columns.values())))
    files = {}
    for what, path in paths.items():
        held = rounded if what == "Parquet, dictionary" else columns
        files[what] = path, (rows, *(float(held[name].sum()) for name in COLUMNS))
    os.sync()  # or the disk is written to while the first of them are read
    return files


# Who reads: a function of a path and what the file is, to seconds and what was read


def timed(read, totals):
    def reader(path):
        start = time.perf_counter()
        columns = read(path)
        return time.perf_counter() - start, totals(columns)

    return reader


def of_pandas(frame):
    return len(frame), float(frame["x"].sum()), float(frame["y"].sum())


def of_arrow(columns):
    sums = (float(pyarrow.compute.sum(columns[name]).as_py()) for name in COLUMNS)
    return columns.num_rows, *sums


def arrow_csv(path):
    convert = pyarrow.csv.ConvertOptions(include_columns=COLUMNS)
    return pyarrow.csv.read_csv(path, convert_options=convert)


def of_array(array):
    return len(array), float(array[:, 0].sum()), float(array[:, -1].sum())


def readers(read_bench):
    """By library and by the kind of file, where there is one; and what is absent."""
    importlib.import_module("pyarrow.compute")
    found = {
        OWN: dict.fromkeys(["CSV", "Parquet", "NPY"], lambda path: fall_line(read_bench, path)),
        "pyarrow": {
            "CSV": timed(arrow_csv, of_arrow),
            "Parquet": timed(
                lambda path: pyarrow.parquet.read_table(path, columns=COLUMNS), of_arrow
            ),
        },
        "numpy": {"NPY": timed(np.load, of_array)},
        "numpy, mapped": {
            "NPY": timed(lambda path: np.load(path, mmap_mode="r")[:, PLACES], of_array)
        },
    }
    versions, absent = {"pyarrow": pyarrow.__version__, "numpy": np.__version__}, []
    try:
        import pandas

        found["pandas"] = {
            "CSV": timed(lambda path: pandas.read_csv(path, usecols=COLUMNS), of_pandas),
            "Parquet": timed(lambda path: pandas.read_parquet(path, columns=COLUMNS), of_pandas),
        }
        versions["pandas"] = pandas.__version__
    except ModuleNotFoundError:
        absent.append("pandas")
    try:
        import polars

        found["polars"] = {
            "CSV": timed(lambda path: polars.read_csv(path, columns=COLUMNS), of_pandas),
            "Parquet": timed(lambda path: polars.read_parquet(path, columns=COLUMNS), of_pandas),
        }
        versions["polars"] = f"{polars.__version__}, {polars.thread_pool_size()} threads"
    except ModuleNotFoundError:
        absent.append("polars")
    return found, versions, absent


def build():
    """The program that reads and does nothing else."""
    command = ["cargo", "bench", "--bench", "read", "--no-run", "--message-format", "json"]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {run.returncode}")
    made = [json.loads(line) for line in run.stdout.splitlines()]
    names = [m["executable"] for m in made if m.get("executable") and m["target"]["name"] == "read"]
    return names[-1]


def fall_line(read_bench, path):
    names = [str(place + 1) for place in PLACES] if path.suffix == ".npy" else COLUMNS
    command = [read_bench, "--read", str(path), *names]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        said = run.stderr.strip().splitlines() or ["nothing"]
        raise Failed(said[min(1, len(said) - 1)])  # after the place of the panic
    seconds, samples, x, y = run.stdout.split()
    return float(seconds), (int(samples), float(x), float(y))


def agrees(totals, known):
    """Whether the same was read."""
    near = lambda a, b: abs(a - b) <= TOLERANCE * abs(b)
    return totals[0] == known[0] and near(totals[1], known[1]) and near(totals[2], known[2])


# The table and the command line


def measure(files, found, turns):
    """Times by file and reader, and what went wrong."""
    times, problems, wrong = {}, [], False
    for what, (path, known) in files.items():
        kind = what.split(",")[0]
        able = {name: by_kind[kind] for name, by_kind in found.items() if kind in by_kind}
        times[what] = {name: [] for name in able}
        for turn in range(turns + 1):
            for name, reader in list(able.items()):
                try:
                    seconds, totals = reader(path)
                    if not agrees(totals, known):
                        wrong = True
                        raise Failed(f"read {totals}, not {known}")
                except ImportError as error:
                    print(f"{name}, {what}: {error}", file=sys.stderr)
                    del able[name], times[what][name]
                    continue
                except Exception as error:
                    problems.append(f"{name}, {what}: {type(error).__name__}: {error}")
                    del able[name], times[what][name]
                    continue
                if turn > 0:
                    times[what][name].append(seconds)
    return times, problems, wrong


def overview(times, files, rows):
    lines = []
    for what, by_reader in times.items():
        own = statistics.median(by_reader[OWN]) if OWN in by_reader else None
        size = files[what][0].stat().st_size
        for name, seconds in sorted(by_reader.items(), key=lambda of: statistics.median(of[1])):
            median = statistics.median(seconds)
            line = [what, name, duration(median)]
            line.append(f"{duration(min(seconds))} to {duration(max(seconds))}")
            line += [digits(rows / median / 1e6), digits(size / median / 1e6)]
            lines.append(line + [digits(median / own) if own else "-"])
    header = ["file", "reader", "median", "from, to", "Mrows/s", "MB/s of file"]
    return table(header + ["times fall-line's"], lines)


def count(text):
    value = float(text)
    if not 2 <= value <= 1e9 or value != int(value):
        raise argparse.ArgumentTypeError("a whole number from 2 to 1e9 is asked for")
    return int(value)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--rows", type=count, default="1e7", help="rows of the table [%(default)s]")
    add("--turns", type=int, default=7, help="how often each reads each file [%(default)s]")
    add("--read", metavar="PATH", help="the built bench `read` [made by cargo]")
    add("--json", metavar="FILE", help="write everything to FILE")
    return parser.parse_args()


def main():
    args = arguments()
    load = os.getloadavg()[0]
    if load > 0.2 * (os.cpu_count() or 1):
        print(f"warning: this machine is busy (load average {load:.1f})", file=sys.stderr)
    try:
        found, versions, absent = readers(args.read or build())
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), args.rows)
        times, problems, wrong = measure(files, found, max(1, args.turns))
        print(overview(times, files, args.rows))
    versions["python"] = platform.python_version()
    said = "; ".join(f"{name} {text}" for name, text in versions.items())
    print(f"\n{args.rows:,} rows; {said}")
    if absent:
        print(f"not installed: {', '.join(absent)}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if args.json:
        report = {
            "schema": "fall-line readers 1",
            "machine": machine(),
            "versions": versions,
            "settings": {"rows": args.rows, "turns": args.turns, "load_average": load},
            "seconds": times,
            "problems": problems,
        }
        Path(args.json).write_text(json.dumps(report, indent=1) + "\n")
    return 7 if wrong else 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
