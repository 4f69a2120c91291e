#!/usr/bin/env python3
"""What the measuring scripts share about reports, and the summary of gpu.sh.

    python3 benches/summary.py STEPS RESULT.json --adapter INDEX [--software]

reads what gpu.sh's steps left in the folder STEPS, compares it with the targets, prints one table
and writes one JSON file. Needs Python 3.9 and nothing else.

Exit codes: 0 all targets reached (or none asked of a software adapter), 1 a step failed, 3 a target
is missed or could not be measured.
"""

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path


class Missing(Exception):
    """A report lacks what it should hold."""


def need(report, path, name):
    """The value at a path such as `rows.0.samples` of the report called `name`."""
    value = report
    keys = path.split(".")
    for depth, key in enumerate(keys):
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Missing(f"{name} has no {'.'.join(keys[: depth + 1])}") from None
    return value


def read(path, schema):
    """A JSON report of this schema."""
    try:
        report = json.loads(Path(path).read_text())
    except OSError as error:
        raise Missing(f"{Path(path).name}: {error.strerror}") from None
    except ValueError as error:
        raise Missing(f"{Path(path).name} is no JSON: {error}") from None
    if schema and need(report, "schema", Path(path).name) != schema:
        raise Missing(f"{Path(path).name} is of schema {report['schema']!r}, not {schema!r}")
    return report


def plus_minus(figure):
    """The distance of a figure's median to the further end of its range."""
    return max(figure["high"] - figure["median"], figure["median"] - figure["low"])


def table(header, rows):
    """Markdown that reads well as plain text too: numbers to the right, words to the left."""
    rows = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    columns = [[row[column] for row in rows[1:]] for column in range(len(header))]
    right = [all(re.fullmatch(r"[\d.,]+( \S{1,2})?", cell) for cell in cells) for cells in columns]
    lines = []
    for row in rows:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right))
        lines.append("| " + " | ".join(cells) + " |")
    rule = ("-" * (w - 1) + (":" if r else "-") for w, r in zip(widths, right))
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def digits(value):
    """Three digits, without an exponent."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def duration(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            break
    return f"{digits(seconds / size)} {unit}"


def plain(report):
    """The report with null for what JSON has no number for."""
    if isinstance(report, dict):
        return {key: plain(value) for key, value in report.items()}
    if isinstance(report, list):
        return [plain(value) for value in report]
    return None if isinstance(report, float) and not math.isfinite(report) else report


def machine():
    """The machine, as far as it can be told without any library."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        memory = None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20)
        gpus = run.stdout.split("\n") if run.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        gpus = []
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": cores,
        "memory_bytes": memory,
        "os": platform.platform(),
        "gpu": ", ".join(filter(None, map(str.strip, gpus))) or None,
    }


def number(report, path, name):
    """Like need, of what has to be a number."""
    value = need(report, path, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Missing(f"{path} of {name} is {value!r}, not a number")
    return value


def rows_of(bench, name):
    """What is read here of each row of a fall-line bench report."""
    devices = {None: "cpu"}
    for index in range(len(need(bench, "adapters", name))):
        key = need(bench, f"adapters.{index}.index", name)
        devices[key] = need(bench, f"adapters.{index}.name", name)
    rows = []
    for index in range(len(need(bench, "rows", name))):
        at = f"rows.{index}"
        seconds = {
            q: number(bench, f"{at}.epoch_seconds.{q}", name) for q in ("median", "q1", "q3")
        }
        means = {m: number(bench, f"{at}.evaluation.{m}", name) for m in ("loss", "dw", "db")}
        row = {key: need(bench, f"{at}.{key}", name) for key in ("engine", "storage")}
        adapter = need(bench, f"{at}.adapter", name)
        rows.append(
            row
            | {
                "samples": number(bench, f"{at}.samples", name),
                "adapter": adapter,
                "device": devices.get(adapter, f"adapter {adapter}"),
                "epoch_seconds": seconds,
                "bytes_per_second": number(bench, f"{at}.bytes_per_second", name),
                # One workgroup that trains alone has no roof.
                "copy": need(bench, f"{at}.roof", name)
                and need(bench, f"{at}.roof.copy_bytes_per_second", name),
                "evaluation": means,
            }
        )
    return rows


# The summary of gpu.sh


def fastest(rows, samples, engines=("gpu", "gpu-batched")):
    """Of the GPU engines' rows at this size."""
    found = [row for row in rows if row["samples"] == samples and row["engine"] in engines]
    if not found:
        raise Missing(f"no row of {' or '.join(engines)} at {samples:,} samples")
    return min(found, key=lambda row: row["epoch_seconds"]["median"])


def peer(peers, program, samples):
    """The row of a program on CUDA."""
    for row in need(peers, "rows", "the peers' report"):
        if (row["program"], row["device"], row["samples"]) == (program, "cuda", samples):
            if not row["agrees"]:
                raise Missing(f"{program} disagrees with the reference")
            return row
    for gone in need(peers, "absent", "the peers' report"):
        if (gone["program"], gone["device"]) == (program, "cuda"):
            raise Missing(f"{program}: {gone['why']}")
    raise Missing(f"{program} was not measured")


def targets(steps, index, software):
    """What is asked of a GPU, each beside what was measured in this run."""

    def on_adapter(report, name):
        if not report:
            raise Missing(f"{name} is not there")
        return [row for row in rows_of(report, name) if row["adapter"] == index]

    bench = lambda: on_adapter(steps["bench"], "bench.json")
    peers = lambda: available(steps, "peers")
    beside = lambda: on_adapter(peers()["fall_line"], "fall_line of peers.json")
    compared = []

    def compare(what, sense, asked, unit, measure):
        try:
            measured, note = measure()
        except Missing as error:
            measured, note = None, str(error)
        reached = None
        if measured is not None and not software:
            reached = measured >= asked if sense == "at least" else measured <= asked
        compared.append(
            {
                "what": what,
                "asked": f"{sense} {duration(asked) if unit == 's' else asked}",
                "measured": measured,
                "unit": unit,
                "reached": reached,
                "note": note,
            }
        )

    def of_copy(samples):
        row = fastest(bench(), samples)
        if not row["copy"]:
            raise Missing("the copy bandwidth was not measured")
        return row["bytes_per_second"] / row["copy"], row["engine"]

    def epoch(samples, engine):
        row = fastest(bench(), samples, [engine])
        return row["epoch_seconds"]["median"], None

    def times(program, samples):
        other, own = peer(peers(), program, samples), fastest(beside(), samples)
        return other["epoch_seconds"]["median"] / own["epoch_seconds"]["median"], own["engine"]

    # Past any cache; a software adapter, which is only tried out, gets no more than this.
    sizes = [10**6] if software else [10**8, 10**9]
    for samples in sizes:
        what = f"{samples:,} samples: bytes per second over those of a copy"
        compare(what, "at least", 0.95, "", lambda: of_copy(samples))
    for program, asked, what in (
        ("torch.sum", 0.95, "bytes per second over those of torch.sum"),
        ("torch", 7.0, "times as fast as PyTorch, eager"),
        ("torch-compile", 1.5, "times as fast as torch.compile"),
        ("jax", 1.0, "times as fast as JAX, jit"),
    ):
        what = f"{sizes[0]:,} samples: {what}"
        compare(what, "at least", asked, "", lambda: times(program, sizes[0]))
    for samples, engine, asked in (
        (1_000, "gpu", 60e-6),
        (1_000, "gpu-batched", 3e-6),
        (1_000_000, "gpu-batched", 8e-6),
    ):
        what = f"{samples:,} samples, {engine}: an epoch"
        compare(what, "at most", asked, "s", lambda: epoch(samples, engine))
    what = "drawn on the GPU and trained on: from the command to the answer"
    drawn = lambda: available(steps, "device_drawn")
    compare(what, "at most", 1.0, "s", lambda: (drawn()["median"], drawn()["command"]))
    return compared


def available(steps, key):
    if not steps[key]:
        raise Missing(f"{key} has no result")
    return steps[key]


def timed(folder, name):
    """What gpu.sh's `repeat` left: the seconds of each run and what the last one said."""
    try:
        times = [int(line) / 1e6 for line in Path(folder, f"{name}.times").read_text().split()]
        said = Path(folder, f"{name}.out").read_text().strip()
        command = Path(folder, f"{name}.command").read_text().strip()
    except OSError:
        return None
    if not times:
        return None
    try:
        said = json.loads(said)
    except ValueError:
        pass
    median = statistics.median(times)
    return {"command": command, "seconds": times, "median": median, "answer": said}


def outcome(target):
    return {True: "yes", False: "NO", None: "-"}[target["reached"]]


def shown(target):
    value = target["measured"]
    if value is None:
        return "- (not measured)"
    return duration(value) if target["unit"] == "s" else digits(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("steps")
    parser.add_argument("result")
    parser.add_argument("--adapter", type=int, required=True)
    parser.add_argument("--software", action="store_true")
    args = parser.parse_args()

    failed, steps = False, {}
    for key, name, schema in (
        ("bench", "bench.json", "fall-line bench 2"),
        ("bench_f16", "bench-f16.json", "fall-line bench 2"),
        ("peers", "peers.json", "fall-line peers 1"),
    ):
        steps[key] = None
        if Path(args.steps, name).exists():
            try:
                steps[key] = read(Path(args.steps, name), schema)
            except Missing as error:
                print(f"error: {error}", file=sys.stderr)
                failed = True
    steps["device_drawn"] = timed(args.steps, "device-drawn")
    steps["start_to_finish"] = timed(args.steps, "start-to-finish")
    compared = targets(steps, args.adapter, args.software)
    log = []
    for line in Path(args.steps, "steps.tsv").read_text().splitlines():
        name, said, seconds = line.split("\t")
        log.append({"step": name, "outcome": said, "seconds": int(seconds)})
        failed |= said.startswith("FAILED")

    rows = [[t["what"], t["asked"], shown(t), outcome(t), t["note"] or ""] for t in compared]
    print(table(["target", "asked", "measured", "reached", "by, or why not"], rows))
    report = {
        "schema": "fall-line gpu 1",
        "machine": machine(),
        "software": args.software,
        "steps": log,
        **steps,
        "targets": compared,
    }
    Path(args.result).write_text(json.dumps(plain(report), indent=1) + "\n")
    if failed:
        return 1
    return 0 if args.software or all(target["reached"] for target in compared) else 3


if __name__ == "__main__":
    sys.exit(main())
