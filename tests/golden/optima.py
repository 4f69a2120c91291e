#!/usr/bin/env python3
"""Writes optima.json beside itself: for sets of samples that both sides can make, and each loss, the lowest mean loss
that any line has, by SciPy in f64. Run by hand, with NumPy and SciPy; it takes a quarter of a minute:

    python3 tests/golden/optima.py
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import brentq, linprog

from draws import uniforms

HERE = pathlib.Path(__file__)
SETS = [
    # x, samples, seed, noise, outliers, reach of x's furthest sample in deviations (0: as drawn)
    {"x": "uniform", "samples": 50, "seed": 1, "noise": 1.0, "outliers": 0.0, "far": 0.0},
    {"x": "uniform", "samples": 1000, "seed": 2, "noise": 1.0, "outliers": 0.1, "far": 0.0},
    {"x": "uniform", "samples": 1000, "seed": 3, "noise": 1e-3, "outliers": 0.0, "far": 0.0},
    {"x": "uniform", "samples": 1000, "seed": 4, "noise": 1e4, "outliers": 0.1, "far": 0.0},
    {"x": "lognormal", "samples": 2000, "seed": 5, "noise": 1.0, "outliers": 0.0, "far": 0.0},
    {"x": "normal", "samples": 1000, "seed": 6, "noise": 1.0, "outliers": 0.05, "far": 1000.0},
    {"x": "few", "samples": 500, "seed": 7, "noise": 1.0, "outliers": 0.0, "far": 0.0},
    {"x": "few", "samples": 64, "seed": 8, "noise": 0.0, "outliers": 0.2, "far": 0.0},
    {"x": "uniform", "samples": 100_000, "seed": 9, "noise": 1.0, "outliers": 0.1, "far": 0.0},
    {"x": "normal", "samples": 100_000, "seed": 10, "noise": 1e-3, "outliers": 0.0, "far": 1000.0},
    {"x": "lognormal", "samples": 1_000_000, "seed": 11, "noise": 1.0, "outliers": 0.01, "far": 0.0},
]
LOSSES = [
    ("mse", None),
    ("mae", None),
    ("quantile", 0.5),
    ("quantile", 0.1),
    ("quantile", 0.9),
    ("quantile", 0.99),
    ("huber", 0.1),
    ("huber", 1.0),
    ("huber", 10.0),
    ("log-cosh", None),
]


def normals(seed, samples, draw):
    """Box and Muller."""
    u, v = uniforms(seed, samples, draw), uniforms(seed, samples, draw + 1)
    return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


def samples_of(recipe):
    n, seed = recipe["samples"], recipe["seed"]
    if recipe["x"] == "uniform":
        x = 2 * uniforms(seed, n, 0)
    elif recipe["x"] == "normal":
        x = normals(seed, n, 0)
    elif recipe["x"] == "lognormal":
        x = np.exp(normals(seed, n, 0))
    else:
        x = np.floor(4 * uniforms(seed, n, 0))
    if recipe["far"] > 0:
        x[n // 2] = recipe["far"]
    scale = recipe["noise"] or 1.0
    noise = recipe["noise"] * normals(seed, n, 2)
    if recipe["x"] == "few":
        # In steps: residuals that are equal, and lines through many samples.
        noise = np.floor(noise)
    gross = np.where(uniforms(seed, n, 4) < recipe["outliers"], 20 * scale, 0.0)
    return x, (4 + 3 * x) * scale + noise + gross


def cars():
    table = np.loadtxt(HERE.parent.parent / "data" / "cars.csv", delimiter=",", skiprows=1)
    return table[:, 0], table[:, 1]


def standardised(x, y):
    """As the test does it: the line that they are fitted by differs, the loss doesn't."""
    x = x - x.mean()
    x = x / np.sqrt((x**2).mean())
    y = y - y.mean()
    return x, y - (x * y).mean() * x


def pinball(x, y, tau):
    """By golden section over w of the least loss of all b, which is that at the quantile of what is left of y: it is
    convex in w, so this finds the bottom. Where HiGHS takes no minutes it has to say the same."""
    rank = min(int(tau * len(x)), len(x) - 1)

    def loss(w):
        r = y - w * x
        r -= np.partition(r, rank)[rank]
        return np.maximum(tau * r, (tau - 1) * r).mean()

    low, high = -1.0, 1.0
    while loss(2 * low) < loss(low):
        low *= 2
    while loss(2 * high) < loss(high):
        high *= 2
    # Golden section loses the way where the loss is flat to its last digits: the lowest seen is the answer.
    low, high = 2 * low, 2 * high
    golden = (np.sqrt(5) - 1) / 2
    inner = [high - golden * (high - low), low + golden * (high - low)]
    losses = [loss(w) for w in inner]
    lowest = min(losses)
    while high - low > 1e-13 * (abs(low) + abs(high)) and inner[0] < inner[1]:
        if losses[0] <= losses[1]:
            high = inner[1]
            inner = [high - golden * (high - low), inner[0]]
            losses = [loss(inner[0]), losses[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + golden * (high - low)]
            losses = [losses[1], loss(inner[1])]
        lowest = min(lowest, *losses)
    if len(x) <= 2000:
        program = pinball_by_highs(x, y, tau)
        assert abs(lowest - program) <= 1e-9 * program, (lowest, program)
    return lowest


def pinball_by_highs(x, y, tau):
    """The linear program (Koenker and Bassett 1978) in its dual form: max y·a with X'a = (1 - tau) X'1, 0 <= a <= 1."""
    rows = np.vstack([x, np.ones(len(x))]) / len(x)
    solved = linprog(-y / len(x), A_eq=rows, b_eq=(1 - tau) * rows.sum(axis=1), bounds=(0, 1), method="highs")
    assert solved.status == 0, solved.message
    return -solved.fun - (1 - tau) * y.mean()


def smooth(x, y, value, derivative):
    """The root of the derivative by w of the least loss of all b, itself the root of the derivative by b: both rise."""

    def best_b(w):
        offsets = y - w * x
        return brentq(
            lambda b: derivative(b - offsets).mean(), offsets.min(), offsets.max(), xtol=1e-300, rtol=1e-15
        )

    def slope(w):
        return (derivative(w * x + best_b(w) - y) * x).mean()

    reach = np.abs(y).mean()
    while slope(-reach) > 0 or slope(reach) < 0:
        reach *= 2
    w = brentq(slope, -reach, reach, xtol=1e-300, rtol=1e-15)
    b = best_b(w)
    return value(w * x + b - y).mean()


def optimum(x, y, name, parameter):
    if name == "mse":
        w = (x * y).mean()
        return ((w * x - y) ** 2).mean()
    if name == "mae":
        return 2 * pinball(x, y, 0.5)
    if name == "quantile":
        return pinball(x, y, parameter)
    if name == "huber":
        d = parameter
        return smooth(
            x,
            y,
            lambda r: np.where(np.abs(r) <= d, r**2 / 2, d * (np.abs(r) - d / 2)),
            lambda r: np.clip(r, -d, d),
        )
    return smooth(
        x,
        y,
        # Near 0 the textbook's form loses its digits: ln cosh r = ln(1 + 2 sinh²(r/2)).
        lambda r: np.where(
            np.abs(r) < 1,
            np.log1p(2 * np.sinh(np.clip(r, -1, 1) / 2) ** 2),
            np.abs(r) + np.log1p(np.exp(-2 * np.abs(r))) - np.log(2),
        ),
        np.tanh,
    )


cases = []
for recipe in [None, *SETS]:
    x, y = cars() if recipe is None else samples_of(recipe)
    known = {"ends": [x[0], x[-1], y[0], y[-1]]}
    x, y = standardised(x, y)
    optima = []
    for name, parameter in LOSSES:
        loss = optimum(x, y, name, parameter)
        optima.append({"loss": name, "parameter": parameter, "optimum": loss})
        print(recipe, name, parameter, loss, flush=True)
    cases.append({"recipe": recipe, **known, "optima": optima})

lines = ",\n".join(json.dumps(case) for case in cases)
HERE.with_suffix(".json").write_text(
    f'{{"numpy": "{np.__version__}", "scipy": "{scipy.__version__}", "cases": [\n{lines}\n]}}\n'
)
