#!/usr/bin/env python3
"""Writes tutorial.json beside itself: what NumPy's legacy generator draws, and where gradient descent
in f64 goes from there. Run by hand, with NumPy of any version (its legacy stream is frozen):

    python3 tests/golden/tutorial.py
"""

import json
import pathlib

import numpy as np

SEEDS = [0, 20, 42, 2**32 - 1]
SIZES = [1, 2, 3, 100, 1000]
EPOCHS = 50
LEARNING_RATE = 0.1


def log_cosh(r):
    return np.logaddexp(r, -r) - np.log(2)


# Value and derivative by the residual, prediction - target.
LOSSES = {
    "mse": (lambda r: r**2, lambda r: 2 * r),
    "mae": (np.abs, np.sign),
    "huber": (
        lambda r: np.where(np.abs(r) <= 1, r**2 / 2, np.abs(r) - 0.5),
        lambda r: np.clip(r, -1, 1),
    ),
    "log-cosh": (log_cosh, np.tanh),
    "quantile": (lambda r: np.abs(r) / 2, lambda r: np.sign(r) / 2),
}


def draw(seed, n):
    np.random.seed(seed)
    x = 2 * np.random.rand(n, 1)
    y = 4 + 3 * x + np.random.randn(n, 1)
    w = np.random.randn(1)
    b = np.random.randn(1)
    return x, y, w, b


def train(x, y, w, b, loss):
    value, derivative = LOSSES[loss]
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        r = w * x + b - y
        mean = value(r).mean()
        dw = (derivative(r) * x).mean()
        db = derivative(r).mean()
        w = w - LEARNING_RATE * dw
        b = b - LEARNING_RATE * db
        if epoch % 10 == 0:
            epochs.append([epoch, mean, w.item(), b.item()])
    return {"loss": loss, "epochs": epochs, "final_loss": value(w * x + b - y).mean()}


cases = []
for seed in SEEDS:
    for n in SIZES:
        x, y, w, b = draw(seed, n)
        cases.append(
            {
                "seed": seed,
                "samples": n,
                # The ends: the last draw is right only if all before it were.
                "x": x.ravel()[[0, -1]].tolist(),
                "y": y.ravel()[[0, -1]].tolist(),
                "sum_x": float(np.sum(x)),
                "sum_y": float(np.sum(y)),
                "start": [w.item(), b.item()],
                "runs": [train(x, y, w, b, loss) for loss in LOSSES],
            }
        )

path = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(json.dumps(case) for case in cases)
path.write_text(f'{{"numpy": "{np.__version__}", "cases": [\n{lines}\n]}}\n')
