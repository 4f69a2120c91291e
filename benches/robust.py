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
RUNS, LONG = 3, 20.0  # a fit that takes longer is timed once

# The name, fall-line's flags, and the loss of residuals (target - prediction) by definition.
Line = namedtuple("Line", "name flags losses")
LINES = [
    Line("median", ["--loss", "mae"], np.abs),
    Line(
        "0.9 quantile",
        ["--loss", "quantile", "--quantile", "0.9"],
        lambda r: np.maximum(0.9 * r, -0.1 * r),
    ),
    Line(
        "Huber",
        ["--loss", "huber", "--delta", str(DELTA)],
        lambda r: np.where(abs(r) <= DELTA, r * r / 2, DELTA * (abs(r) - DELTA / 2)),
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
    """Its δ is epsilon times a scale that it fits too: the first samples show which epsilon makes that DELTA."""
    from sklearn.linear_model import HuberRegressor

    def model(epsilon, x, y):
        return HuberRegressor(epsilon=epsilon, alpha=0, max_iter=1000).fit(x[:, None], y)

    epsilon = DELTA
    for _ in range(10):
        epsilon = max(DELTA / model(epsilon, x[:20_000], y[:20_000]).scale_, 1.0)

    def fit():
        found = model(epsilon, x, y)
        return found.coef_[0], found.intercept_

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
            w, b = map(float, timed())
            results.put((w, b, time.perf_counter() - start))
    except Exception as error:
        results.put(f"{type(error).__name__}: {error}"[:200])


def peer_fit(make, x, y, limit):
    """Returns the line and the seconds of each run, or why there is none."""
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
            seconds.append(found[2])
        return found[0], found[1], seconds
    finally:
        process.kill()
        process.join()


def compare(path, sizes, limit, folder, say):
    """Returns the rows of all lines, sizes and programs, and the versions of the libraries."""
    rows, versions, late = [], {}, set()
    for count in sorted(sizes):
        x, y = samples_of(count)
        for name, values in (("x", x), ("y", y)):
            np.save(Path(folder, f"{name}.npy"), values)
        for line in LINES:
            w, b, seconds = own_fit(path, folder, line)
            own = mean_loss(line, x, y, w, b)
            row = {"samples": count, "line": line.name}
            median = statistics.median(seconds)
            rows.append(
                row
                | {"program": "fall-line", "seconds": seconds, "median": median}
                | {"w": w, "b": b, "loss": own, "excess": 0.0, "note": None}
            )
            say(f"{line.name}, {count:,}, fall-line: {duration(median)}")
            for program, library, fits in PEERS:
                if line.name not in fits:
                    continue
                entry = row | {"program": program, "seconds": [], "median": None, "note": None}
                entry |= {"w": None, "b": None, "loss": None, "excess": None}
                rows.append(entry)
                try:
                    versions[library] = importlib.import_module(library).__version__
                except ImportError:
                    entry["note"] = "not installed"
                    continue
                if (program, line.name) in late:
                    entry["note"] = "not tried: too slow for fewer samples"
                    continue
                found = peer_fit(fits[line.name], x, y, limit * count / 1e6)
                if isinstance(found, str):
                    entry["note"] = found
                    late.add((program, line.name))
                else:
                    w, b, seconds = found
                    loss = mean_loss(line, x, y, w, b)
                    entry |= {"w": w, "b": b, "loss": loss, "excess": loss / own - 1}
                    if abs(entry["excess"]) <= AGREEMENT:
                        entry |= {"seconds": seconds, "median": statistics.median(seconds)}
                    else:
                        entry["note"] = f"DISAGREES: its loss is {entry['excess']:+.1e} of fall-line's"
                said = entry["note"] or duration(entry["median"])
                say(f"{line.name}, {count:,}, {program}: {said}")
    return rows, versions


def overview(rows):
    lines = []
    for row in rows:
        own = next(
            other["median"]
            for other in rows
            if (other["program"], other["samples"], other["line"])
            == ("fall-line", row["samples"], row["line"])
        )
        known = row["median"] is not None
        lines.append(
            [
                f"{row['samples']:,}",
                row["line"],
                row["program"],
                duration(row["median"]) if known else "-",
                f"{digits(row['median'] / own)}" if known else "-",
                f"{row['excess']:+.0e}" if row["excess"] is not None else "-",
                row["note"] or "",
            ]
        )
    header = ["samples", "line", "program", "time", "times fall-line's", "excess loss", "note"]
    return table(header, lines)
