#!/usr/bin/env python3
"""Measures what one would pick instead of fall-line: one epoch of the same descent in each library.

    python3 benches/peers.py --samples 1e5,1e7 --fall-line target/release/fall-line
    python3 benches/peers.py --robust --samples 1e6,1e7 --fall-line target/release/fall-line

An epoch is one pass over all samples in f32 (prediction, residual, mse loss and both gradients)
and the update of w and b. Its time runs from the call until the device is idle. A copy of the loss
to the host, which fall-line's time includes, is not in it; drawing, upload and compilation are in
neither.

Only NumPy is required, and Linux or macOS. A library that is not installed, or finds no CUDA
device, is listed as absent. SIGTERM ends the measuring, and what was measured until then is
written. Each library runs in a process of its own: its idle threads can't slow another
one down, its GPU memory is given back, and if it runs out of memory only its own figure is lost.

--robust times whole fits of median, quantile and Huber lines instead; see robust.py.

Exit codes: 0 done, 1 a peer or fall-line failed, 2 usage, 7 one disagrees with the reference.
"""

import argparse
import gc
import importlib
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True  # or the next lines leave a __pycache__ in the repository
from libraries import NOTES, PEERS, RATE, brief, no_cuda
from reference import ROOF_TOLERANCE, SEED, START, STOCHASTIC_TOLERANCE, TOLERANCE
from reference import Data, control, disagreement, draw, errors, line_after, moments
import robust
from summary import Missing, digits, duration, machine, plain, read, rows_of, table

LEAST_CALLS, MOST_CALLS, MOST_SECONDS = 5, 5000, 30.0


# Agree first, then time


def number(value):
    """A library's scalar, or the first of one for each epoch, as a float."""
    return float(np.ravel(value.tolist() if hasattr(value, "tolist") else value)[0])


def wrong_sums(kind, state, data):
    """Says what is wrong after the first call, or None."""
    if kind == "epoch":
        return disagreement(evaluation_of(state), data.reference)
    if kind == "roof":
        for name, total in zip("xy", state):
            mean, known = number(total) / data.x.size, data.reference[name]
            if not abs(mean / known - 1) <= ROOF_TOLERANCE:
                return f"the mean of {name} is {mean}, not {known}"
    return None


def wrong_line(kind, state, reference, epochs):
    """Says what is wrong with w and b after all epochs, or None."""
    if kind == "roof":
        return None
    line, least_squares, bound = line_after(reference, epochs)
    if kind == "stochastic":
        line, bound = least_squares, STOCHASTIC_TOLERANCE
    found = [number(value) for value in state[:2]]
    if not np.abs(line - found).max() <= bound:
        return f"after {epochs} epochs w, b = {found}, not {line.tolist()} to {bound:.1e}"
    return None


def evaluation_of(state):
    return dict(zip(("loss", "dw", "db"), map(number, state[2:])))


def spread(times, epochs):
    q1, median, q3 = np.percentile(times, [25, 50, 75]).tolist()
    return {"median": median, "q1": q1, "q3": q3, "min": min(times), "epochs": epochs}


def measure(peer, device, data, min_time):
    """One row."""
    program = peer.make(data.x, data.y, device)
    calls = 0

    def call(state):
        nonlocal calls
        calls += 1
        start = time.perf_counter()
        state = program.call(*state[:2])
        return state, time.perf_counter() - start

    state, first = call((program.scalar(START["w"]), program.scalar(START["b"])))
    row = {
        "samples": data.x.size,
        "program": peer.name,
        "device": device,
        "kind": peer.kind,
        "epoch_seconds": None,
        "first_call_seconds": first,
        "bytes_per_second": None,
        "evaluation": evaluation_of(state) if peer.kind == "epoch" else None,
        "error": None,
        "agrees": False,
        "note": NOTES[peer.kind],
    }
    if peer.kind == "epoch":
        row["error"] = max(errors(row["evaluation"], data.reference).values())
    if wrong := wrong_sums(peer.kind, state, data):
        return row | {"note": wrong}

    # The clock speeds up, allocators and caches fill. A call of a second needs that once.
    seconds, warm = 0.0, time.perf_counter() + min(0.2, min_time)
    while seconds < 1 and (calls < 3 or time.perf_counter() < warm):
        state, seconds = call(state)
    times, begin = [], time.perf_counter()
    while len(times) < MOST_CALLS:
        state, seconds = call(state)
        times.append(seconds / program.epochs)
        passed = time.perf_counter() - begin
        if passed >= min_time and (len(times) >= LEAST_CALLS or passed >= MOST_SECONDS):
            break

    if wrong := wrong_line(peer.kind, state, data.reference, calls * program.epochs):
        return row | {"note": wrong}
    seconds = spread(times, len(times) * program.epochs)
    rate = 8 * data.x.size / seconds["median"]
    return row | {"epoch_seconds": seconds, "bytes_per_second": rate, "agrees": True}


# A process for each library


class Stopped(Exception):
    """SIGTERM arrived."""


def stop(*_):
    raise Stopped


def out_of_memory(error):
    text = f"{type(error).__name__} {error}".lower()
    signs = "memoryerror", "outofmemory", "out of memory", "resource_exhausted", "allocate memory"
    return any(sign in text for sign in signs) or "not enough memory" in text


def report_on(job, data, min_time):
    """A row, or why there is none."""
    peer, device, samples = job
    absent = {"program": peer.name, "device": device}
    try:
        module = importlib.import_module(peer.library)
    except ModuleNotFoundError as error:
        known = error.name == peer.library
        why = "not installed" if known else f"can't be imported: {brief(error)}"
        return {"absent": absent | {"why": why}, "failed": not known}
    except Exception as error:
        return {"absent": absent | {"why": f"can't be imported: {brief(error)}"}, "failed": True}
    version = {"version": (peer.library, module.__version__)}
    if device == "cuda" and (why := no_cuda(peer.library)):
        return version | {"absent": absent | {"why": why}}
    try:
        return version | {"row": measure(peer, device, data, min_time)}
    except Exception as error:
        known = out_of_memory(error)
        why = "out of memory" if known else f"failed: {type(error).__name__}: {brief(error)}"
        why = f"{why} at {samples} samples"
        return version | {"absent": absent | {"why": why}, "failed": not known}


def work(sender, jobs, sets, min_time):
    """What a library's process does."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # JAX would take three quarters of the GPU's memory at once, and leave others too little.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    for job in jobs:
        sender.send(report_on(job, sets[job[2]], min_time))
        gc.collect()


def reports(jobs, sets, min_time):
    """Yields a report for each job, all of one library, whatever becomes of its process."""
    context = multiprocessing.get_context("fork")  # which shares the data without a copy
    while jobs:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(sender, jobs, sets, min_time))
        process.start()
        sender.close()
        try:
            while jobs:
                yield receiver.recv()
                jobs = jobs[1:]
        except Stopped:
            process.kill()
            raise
        except EOFError:
            process.join()
            (peer, device, samples), *jobs = jobs
            killed = process.exitcode == -signal.SIGKILL
            why = "killed, as when memory runs out," if killed else f"ended ({process.exitcode})"
            absent = {"program": peer.name, "device": device, "why": f"{why} at {samples} samples"}
            yield {"absent": absent, "failed": not killed}
        process.join()


# fall-line itself


def fall_line(path, sizes, engines):
    """The report of `fall-line bench` on the same data."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "bench.json")
        samples = ",".join(map(str, sizes))
        command = [path, "bench", "--samples", samples, "--engines", engines]
        command += ["--generator", "numpy", "--seed", str(SEED), "--export-json", str(report)]
        try:
            run = subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise Missing(f"{path} can't be run: {error.strerror}") from None
        if run.returncode != 0:
            said = run.stderr.strip().splitlines()[-1:] or ["nothing"]
            raise Missing(f"{' '.join(command)} ended with {run.returncode}, saying: {said[0]}")
        return read(report, "fall-line bench 2")


def entries_of(bench, sets):
    """fall-line's rows as the table's, and those that disagree."""
    entries, wrong = [], []
    for row in rows_of(bench, "bench.json"):
        if row["samples"] not in sets:
            raise Missing(f"fall-line measured {row['samples']} samples, which nobody asked for")
        storage = "" if row["storage"] == "f32" else f" {row['storage']}"
        row["program"] = f"fall-line {row['engine']}{storage}"
        row["note"] = disagreement(row["evaluation"], sets[row["samples"]].reference)
        (wrong if row["note"] else entries).append(row)
    return entries, wrong


# The table and the command line


def overview(rows, own):
    """One table of all programs, the fastest of each size first."""
    fastest = {}
    for row in own:
        median = row["epoch_seconds"]["median"]
        fastest[row["samples"]] = min(median, fastest.get(row["samples"], median))
    lines = []
    every = [row for row in rows + own if row["epoch_seconds"]]
    for row in sorted(every, key=lambda row: (row["samples"], row["epoch_seconds"]["median"])):
        seconds = row["epoch_seconds"]
        kind = row.get("kind", "epoch")
        least = fastest.get(row["samples"])
        times = seconds["median"] / least if least else None
        line = [
            f"{row['samples']:,}",
            row["program"] if kind == "epoch" else f"{row['program']} ({kind})",
            row["device"],
            duration(seconds["median"]),
            f"{duration(seconds['q1'])} to {duration(seconds['q3'])}",
            digits(row["bytes_per_second"] / 1e9),
        ]
        if times == 1:
            line.append("1")
        elif times:
            line.append(
                f"{digits(times)} x slower" if times > 1 else f"{digits(1 / times)} x faster"
            )
        lines.append(line)
    header = ["samples", "program", "device", "epoch", "quartiles", "GB/s"]
    return table(header + ["against fall-line"] if fastest else header, lines)


def sizes(text):
    values = [float(item) for item in text.split(",")]
    if not all(2 <= value <= 1e11 and value == int(value) for value in values):
        raise argparse.ArgumentTypeError("whole numbers from 2 to 1e11 are asked for")
    return [int(value) for value in values]


def some_of(known):
    def parse(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return text.split(",")

    return parse


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--samples", type=sizes, default="1e3,1e5,1e7,1e8", help="sample counts [%(default)s]")
    add("--min-time", type=float, default=1.0, help="seconds to time at least [%(default)s]")
    known = [peer.name for peer in PEERS]
    add("--peers", type=some_of(known), default=known, help=f"some of {','.join(known)} [all]")
    add("--devices", type=some_of(["cpu", "cuda"]), default="cpu,cuda", help="[%(default)s]")
    add("--fall-line", metavar="PATH", help="the program to set beside them")
    add(
        "--fall-line-engines", default="cpu-1,cpu", metavar="LIST", help="its engines [%(default)s]"
    )
    add("--robust", action="store_true", help="time fits of robust lines instead of epochs")
    timed_out = "seconds of a robust fit at most, for each million samples [%(default)s]"
    add("--time-out", type=float, default=60, help=timed_out)
    add("--json", metavar="FILE", help="write everything to FILE")
    add("--markdown", metavar="FILE", help="write the table to FILE")
    args = parser.parse_args()
    if args.robust and not args.fall_line:
        parser.error("--robust compares with fall-line: --fall-line says where it is")
    return args


def prepare(sizes):
    sets = {}
    for samples in sizes:
        print(f"drawing {samples:,} samples", file=sys.stderr)
        x, y = draw(samples)
        sets[samples] = Data(x, y, moments(x, y))
        control(sets[samples].reference)
    return sets


def place(entry):
    return f"{entry['program']} on {entry['device']}"


def measure_all(args, sets, rows, absent, versions):
    """Fills the last three, and says whether anything failed that should not."""
    failed = False
    asked = [peer for peer in PEERS if peer.name in args.peers]
    for library in dict.fromkeys(peer.library for peer in asked):
        ours = [peer for peer in asked if peer.library == library]
        on = [(peer, device) for peer in ours for device in peer.devices if device in args.devices]
        jobs = [(peer, device, samples) for samples in args.samples for peer, device in on]
        for report in reports(jobs, sets, args.min_time):
            failed |= report.get("failed", False)
            versions |= [report["version"]] if "version" in report else []
            if (gone := report.get("absent")) and gone not in absent:
                absent.append(gone)
                print(f"{place(gone)}: {gone['why']}", file=sys.stderr)
            if row := report.get("row"):
                rows.append(row)
                seconds = row["epoch_seconds"]
                said = duration(seconds["median"]) if seconds else f"DISAGREES: {row['note']}"
                print(f"{place(row)}, {row['samples']:,}: {said}", file=sys.stderr)
    return failed


def robust_lines(args, load):
    """What --robust does."""
    rows, versions, problem = [], {}, None
    with tempfile.TemporaryDirectory() as folder:
        say = lambda text: print(text, file=sys.stderr)
        work = args.fall_line, args.samples, args.time_out, folder, say
        try:
            signal.signal(signal.SIGTERM, stop)
            robust.compare(*work, rows, versions)
        except Missing as error:
            problem = str(error)
        except Stopped:
            problem = "stopped by SIGTERM before all was measured"
    settings = {"load_average": load, "seed": SEED, "delta": robust.DELTA}
    settings |= {"agreement": robust.AGREEMENT, "time_out": args.time_out}
    versions |= {"python": platform.python_version(), "numpy": np.__version__}
    report = {"schema": "fall-line robust 1", "machine": machine(), "versions": versions}
    finish(args, robust.overview(rows), report | {"settings": settings, "rows": rows})
    wrong = [row for row in rows if (row["note"] or "").startswith("DISAGREES")]
    if problem:
        print(f"error: {problem}", file=sys.stderr)
    return 7 if wrong else 1 if problem else 0


def finish(args, text, report):
    """Prints the table, and writes the files that were asked for."""
    print(text)
    if args.markdown:
        Path(args.markdown).write_text(text + "\n")
    if args.json:
        Path(args.json).write_text(json.dumps(plain(report), indent=1) + "\n")


def main():
    args = arguments()
    load = os.getloadavg()[0]
    if load > 0.2 * (os.cpu_count() or 1):
        print(f"warning: this machine is busy (load average {load:.1f})", file=sys.stderr)
    if args.robust:
        return robust_lines(args, load)
    bench, own, own_wrong, failed = None, [], [], False
    problems = []
    if args.fall_line:
        try:
            bench = fall_line(args.fall_line, args.samples, args.fall_line_engines)
        except Missing as error:
            problems.append(str(error))
    sets = prepare(args.samples)
    if bench:
        try:
            own, own_wrong = entries_of(bench, sets)
        except Missing as error:
            problems.append(str(error))
    rows, absent, versions = [], [], {"python": platform.python_version()}
    try:
        signal.signal(signal.SIGTERM, stop)
        failed = measure_all(args, sets, rows, absent, versions)
    except Stopped:
        problems.append("stopped by SIGTERM before all was measured")

    text = overview(rows, own)
    for why in dict.fromkeys(gone["why"] for gone in absent):
        text += f"\n\n{why}: {', '.join(place(gone) for gone in absent if gone['why'] == why)}"
    wrong = own_wrong + [row for row in rows if not row["agrees"]]
    for row in wrong:
        said = f"{place(row)} at {row['samples']:,} samples: {row['note']}"
        text += f"\n\nDISAGREES, and has no figure: {said}"
    if wrong:
        problems.append(f"{len(wrong)} figures are missing, see DISAGREES")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    report = {
        "schema": "fall-line peers 1",
        "machine": machine(),
        "versions": versions,
        "settings": {
            "load_average": load,
            "seed": SEED,
            "learning_rate": RATE,
            "start": START,
            "tolerance": TOLERANCE,
            "min_time": args.min_time,
            "samples": args.samples,
        },
        "rows": rows,
        "absent": absent,
        "fall_line": bench,
    }
    finish(args, text, report)
    return 7 if wrong else 1 if failed or problems else 0


if __name__ == "__main__":
    sys.exit(main())
