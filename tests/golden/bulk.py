#!/usr/bin/env python3
"""Writes bulk.json beside itself: for sets of samples of which a few are far off, and each loss that bears them, the
best line. The exact one of the samples as they are, not the one that the others are drawn around.

For mae and quantile it is a vertex of a linear program (Koenker and Bassett 1978): it goes through two samples. HiGHS
finds it near where it is for samples of the bulk's size, and exact sums decide: a line is the best where 0 is among
the subgradients there. Those ask for signs of residuals alone, so it doesn't matter how far off the far ones are.
For huber and log-cosh it is where the gradient is 0, by Newton's method in 50 digits. Run by hand, with NumPy, SciPy
and mpmath; it takes a minute:

    python3 tests/golden/bulk.py
"""

import itertools
import json
import pathlib
from fractions import Fraction

import numpy as np
import scipy
from mpmath import mp, mpf
from scipy.optimize import linprog

from draws import uniforms

mp.dps = 50
HERE = pathlib.Path(__file__)
NOISE = 0.01
# Samples, seed, share of those far off, by how much y is, and x of the middle one where that is far off.
SETS = [
    {"samples": samples, "seed": seed, "share": share, "far": far, "far_x": far_x}
    for seed, (samples, share, far, far_x) in enumerate(
        [
            (2000, 0.01, 1e1, 0.0),
            (2000, 0.01, 1e4, 0.0),
            (2000, 0.01, 1e6, 0.0),
            (2000, 0.01, 1e9, 0.0),
            (2000, 0.01, 1e28, 0.0),
            (1000, 0.0, 1e1, 0.0),
            (1000, 0.0, 1e6, 0.0),
            (1000, 0.0, 1e9, 0.0),
            (1000, 0.0, 1e28, 0.0),
            (5000, 0.05, -9999.0, 0.0),
            (3000, 0.01, 1e6, 300.0),
        ],
        start=101,
    )
]
LOSSES = [
    ("mae", None),
    ("quantile", 0.1),
    ("quantile", 0.5),
    ("quantile", 0.9),
    ("huber", NOISE),
    ("huber", 1.0),
    ("log-cosh", None),
]


def samples_of(recipe):
    """Products and sums alone, so that both sides draw the same bits; the noise is a sum of twelve uniform draws."""
    n, seed = recipe["samples"], recipe["seed"]
    x = 2 * uniforms(seed, n, 0)
    noise = np.zeros(n)
    for draw in range(2, 14):
        noise = noise + uniforms(seed, n, draw)
    y = 2 * x + 1 + NOISE * (noise - 6)
    is_far = uniforms(seed, n, 1) < recipe["share"]
    if recipe["share"] == 0:
        is_far[n // 3] = True
    y[is_far] = recipe["far"]
    if recipe["far_x"] > 0:
        x[n // 2] = recipe["far_x"]
    return x, y, is_far


def is_best(x, y, tau, i, j):
    """Whether 0 is a subgradient of the line through two samples: their two shares of it, each within its ends."""
    fx, fy = x, y
    w = (fy[j] - fy[i]) / (fx[j] - fx[i])
    b = fy[i] - w * fx[i]
    sums = [Fraction(0), Fraction(0)]
    for at in range(len(x)):
        if at in (i, j):
            continue
        r = w * fx[at] + b - fy[at]
        if r == 0:
            return None
        term = 1 - tau if r > 0 else -tau
        sums[0] += term * fx[at]
        sums[1] += term
    # share_i x_i + share_j x_j = -sums[0], share_i + share_j = -sums[1]
    share_j = (-sums[0] + sums[1] * fx[i]) / (fx[j] - fx[i])
    share_i = -sums[1] - share_j
    inside = all(-tau < share < 1 - tau for share in (share_i, share_j))
    return (float(w), float(b)) if inside else None


def pinball(x, y, is_far, tau):
    # Signs alone count, so far ones may be drawn near for HiGHS, which has 1e-7 of the greatest.
    near = np.where(is_far, np.sign(y) * 20.0, y)
    rows = np.vstack([x, np.ones(len(x))])
    solved = linprog(-near, A_eq=rows, b_eq=(1 - tau) * rows.sum(axis=1), bounds=(0, 1), method="highs")
    assert solved.status == 0, solved.message
    w, b = -solved.eqlin.marginals
    through = np.argsort(np.abs(w * x + b - near))[:6]
    fx, fy = [Fraction(v) for v in x], [Fraction(v) for v in y]
    tau = Fraction(tau)
    best = {is_best(fx, fy, tau, i, j) for i, j in itertools.combinations(through, 2)} - {None}
    assert len(best) == 1, (best, w, b)
    return best.pop()


def smooth(x, y, derivative, second):
    """Newton's method from the bulk's line, halved until the gradient shrinks."""
    xs, ys = [mpf(v) for v in x], [mpf(v) for v in y]

    def gradient(w, b):
        terms = [derivative(w * u + b - v) for u, v in zip(xs, ys)]
        return mp.fsum(t * u for t, u in zip(terms, xs)), mp.fsum(terms)

    w, b = mpf(2), mpf(1)
    gw, gb = gradient(w, b)
    for _ in range(200):
        if max(abs(gw), abs(gb)) < mpf(10) ** -30:
            return float(w), float(b)
        seconds = [second(w * u + b - v) for u, v in zip(xs, ys)]
        ww, wb, bb = (mp.fsum(s * u**k for s, u in zip(seconds, xs)) for k in (2, 1, 0))
        det = ww * bb - wb * wb
        dw, db = (bb * gw - wb * gb) / det, (ww * gb - wb * gw) / det
        share = mpf(1)
        while True:
            tried = gradient(w - share * dw, b - share * db)
            if mp.hypot(*tried) < mp.hypot(gw, gb) or share < mpf(10) ** -12:
                break
            share /= 2
        w, b, (gw, gb) = w - share * dw, b - share * db, tried
    raise AssertionError((gw, gb))


def line(x, y, is_far, name, parameter):
    if name == "mae":
        return pinball(x, y, is_far, 0.5)
    if name == "quantile":
        return pinball(x, y, is_far, parameter)
    if name == "huber":
        d = mpf(parameter)
        return smooth(x, y, lambda r: max(-d, min(d, r)), lambda r: mpf(abs(r) < d))
    return smooth(x, y, mp.tanh, lambda r: 1 - mp.tanh(r) ** 2)


cases = []
for recipe in SETS:
    x, y, is_far = samples_of(recipe)
    lines = []
    for name, parameter in LOSSES:
        w, b = line(x, y, is_far, name, parameter)
        lines.append({"loss": name, "parameter": parameter, "w": w, "b": b})
        print(recipe, name, parameter, w, b, flush=True)
    ends = [float(v) for v in (x[0], x[-1], y[0], y[-1])]
    cases.append({"recipe": recipe, "noise": NOISE, "ends": ends, "lines": lines})

lines = ",\n".join(json.dumps(case) for case in cases)
HERE.with_suffix(".json").write_text(
    f'{{"numpy": "{np.__version__}", "scipy": "{scipy.__version__}", "cases": [\n{lines}\n]}}\n'
)
