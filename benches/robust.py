"""The robust comparison of peers.py: whole fits of lines that outliers don't pull, in each library.

Each program fits the same lines to the same samples, a twentieth of which lie 20 too high. A fit has a time only if
its loss, in f64 over all samples, is that of fall-line to 1e-6. fall-line's time is that of its whole process, with
the reading of two NPY files and the errors of the line; the others' is that of the call that fits, without reading
or preparing the arrays.
"""

import importlib
import json
import multiprocessing
import os
import queue
import statistics
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import numpy as np

from reference import draw
from summary import Missing, digits, duration, table

AGREEMENT = 1e-6
DELTA = 1.345  # of huber, in units of y
OUTLIERS, FAR = 20, 20  # every how manieth sample, and how far off
RUNS, LONG = 3, 10.0  # a fit that takes longer is timed once

# The name, fall-line's flags, and the loss of residuals (target - prediction) by definition.
Line = namedtuple("Line", "name flags losses")


def huber(delta):
    return Line(
        "Huber",
        ["--loss", "huber", "--delta", repr(float(delta))],
        lambda r: np.where(abs(r) <= delta, r * r / 2, delta * (abs(r) - delta / 2)),
    )


LINES = [
    huber(DELTA),
    Line("median", ["--loss", "mae"], np.abs),
    Line(
        "0.9 quantile",
        ["--loss", "quantile", "--quantile", "0.9"],
        lambda r: np.maximum(0.9 * r, -0.1 * r),
    ),
]


# A maker takes x and y, prepares them as the library wants them, and returns the call that is timed.


def quant_reg(tau):
    def make(x, y):
        from statsmodels.regression.quantile_regression import QuantReg

        exog = np.column_stack([np.ones_like(x), x])
        return lambda: QuantReg(y, exog).fit(q=tau).params[::-1]

    return make


def rlm(x, y):
    from statsmodels.robust.norms import HuberT
    from statsmodels.robust.robust_linear_model import RLM

    exog = np.column_stack([np.ones_like(x), x])
    fit = lambda: RLM(y, exog, M=HuberT(t=DELTA)).fit(start_scale=1.0, update_scale=False)
    return lambda: fit().params[::-1]


def quantile_regressor(tau):
    def make(x, y):
        from sklearn.linear_model import QuantileRegressor

        def fit():
            model = QuantileRegressor(quantile=tau, alpha=0).fit(x[:, None], y)
            return model.coef_[0], model.intercept_

        return fit

    return make


def huber_regressor(x, y):
    """Its δ is epsilon times a scale that it fits too: fall-line is asked for the line of that δ."""
    from sklearn.linear_model import HuberRegressor

    def fit():
        model = HuberRegressor(epsilon=1.35, alpha=0, max_iter=1000).fit(x[:, None], y)
        return model.coef_[0], model.intercept_, model.epsilon * model.scale_

    return fit


# The program, its library, and its maker for each line.
PEERS = [
    ("statsmodels QuantReg", "statsmodels", {"median": quant_reg(0.5), "0.9 quantile": quant_reg(0.9)}),
    ("statsmodels RLM", "statsmodels", {"Huber": rlm}),
    ("scikit-learn HuberRegressor", "sklearn", {"Huber": huber_regressor}),
    (
        "scikit-learn QuantileRegressor",
        "sklearn",
        {"median": quantile_regressor(0.5), "0.9 quantile": quantile_regressor(0.9)},
    ),
]


def samples_of(count):
    x, y = (values.astype(np.float64) for values in draw(count))
    y[::OUTLIERS] += FAR
    return x, y


def mean_loss(line, x, y, w, b):
    return float(line.losses(y - (w * x + b)).mean())


def own_fit(path, folder, line):
    """Runs fall-line, and returns its line and the seconds of each run."""
    command = [path, "train", "--x", f"{folder}/x.npy", "--y", f"{folder}/y.npy", *line.flags]
    command += ["--engine", "cpu", "--format", "json", "--quiet", "--strict"]
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run = subprocess.run(command, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        if run.returncode != 0:
            raise Missing(f"{' '.join(command)} ended with {run.returncode}: {run.stderr.strip()}")
    answer = json.loads(run.stdout)
    return answer["w"], answer["b"], seconds


def work(results, make, x, y):
    try:
        timed = make(x, y)
        while True:
            start = time.perf_counter()
            line = tuple(map(float, timed()))
            results.put((line, time.perf_counter() - start))
    except Exception as error:
        results.put(f"{type(error).__name__}: {error}"[:200])


def peer_fit(make, x, y, limit):
    """Returns w, b and δ if it chose one, with the seconds of each run, or why there are none."""
    context = multiprocessing.get_context("fork")  # which shares the data without a copy
    results = context.Queue()
    process = context.Process(target=work, args=(results, make, x, y))
    process.start()
    seconds, end = [], time.monotonic() + limit
    try:
        while len(seconds) < RUNS and (not seconds or seconds[0] < LONG):
            try:
                found = results.get(timeout=1)
            except queue.Empty:
                if not process.is_alive() and results.empty():
                    return f"ended with {process.exitcode}"
                if time.monotonic() > end and not seconds:
                    return f"not done in {limit:.0f} s"
                continue
            if isinstance(found, str):
                return found
            seconds.append(found[1])
        return found[0], seconds
    finally:
        process.kill()
        process.join()


def compare(path, sizes, limit, folder, say, rows, versions):
    """Fills the last two: rows of all lines, sizes and programs, and the versions of the libraries."""
    late = set()
    for count in sorted(sizes):
        x, y = samples_of(count)
        for name, values in (("x", x), ("y", y)):
            np.save(Path(folder, f"{name}.npy"), values)
        for line in LINES:
            w, b, seconds = own_fit(path, folder, line)
            own = mean_loss(line, x, y, w, b)
            median = statistics.median(seconds)
            row = {"samples": count, "line": line.name, "own_median": median}
            rows.append(
                row
                | {"program": "fall-line", "seconds": seconds, "median": median}
                | {"w": w, "b": b, "loss": own, "excess": 0.0, "note": None}
            )
            say(f"{line.name}, {count:,}, fall-line: {duration(median)}")
            for program, library, fits in PEERS:
                if line.name not in fits:
                    continue
                entry = row | {"program": program, "seconds": [], "median": None}
                entry |= {"w": None, "b": None, "loss": None, "excess": None, "note": "not done"}
                rows.append(entry)
                try:
                    versions[library] = importlib.import_module(library).__version__
                except ImportError:
                    entry["note"] = "not installed"
                    continue
                if program in late:
                    entry["note"] = "not tried: too slow before"
                    continue
                found = peer_fit(fits[line.name], x, y, limit * count / 1e6)
                if isinstance(found, str):
                    entry["note"] = found
                    late.add(program)
                else:
                    (w, b, *delta), seconds = found
                    entry["note"] = None
                    same, least = line, own
                    if delta:
                        same = huber(delta[0])
                        own_w, own_b, own_seconds = own_fit(path, folder, same)
                        least = mean_loss(same, x, y, own_w, own_b)
                        entry |= {"delta": delta[0], "own_median": statistics.median(own_seconds)}
                    loss = mean_loss(same, x, y, w, b)
                    entry |= {"w": w, "b": b, "loss": loss, "excess": loss / least - 1}
                    if abs(entry["excess"]) <= AGREEMENT:
                        entry |= {"seconds": seconds, "median": statistics.median(seconds)}
                    else:
                        entry["note"] = f"DISAGREES: its loss is {entry['excess']:+.1e} of fall-line's"
                said = entry["note"] or duration(entry["median"])
                say(f"{line.name}, {count:,}, {program}: {said}")


def overview(rows):
    lines = []
    for row in rows:
        known = row["median"] is not None
        lines.append(
            [
                f"{row['samples']:,}",
                row["line"],
                row["program"],
                duration(row["median"]) if known else "-",
                digits(row["median"] / row["own_median"]) if known else "-",
                f"{row['excess']:+.0e}" if row["excess"] is not None else "-",
                row["note"] or "",
            ]
        )
    header = ["samples", "line", "program", "time", "times fall-line's", "excess loss", "note"]
    return table(header, lines)
