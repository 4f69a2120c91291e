"""Writes lines.json: data sets whose line of least squares is known exactly, by rational arithmetic.

Every value is a binary64 number; the sums over them are fractions, so that the slope and the intercept are exact
before they are rounded to the digits that JSON shows. Needs Python's standard library only.
"""

import json
import math
import random
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent


def csv(name):
    lines = (HERE.parent / "data" / name).read_text().splitlines()[1:]
    rows = [line.split(",")[-2:] for line in lines]
    return [float(x) for x, _ in rows], [float(y) for _, y in rows]


# Anscombe, "Graphs in Statistical Analysis", The American Statistician 27 (1973).
ANSCOMBE_X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
ANSCOMBE = {
    "anscombe 1": (ANSCOMBE_X, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
    "anscombe 2": (ANSCOMBE_X, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]),
    "anscombe 3": (ANSCOMBE_X, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]),
    "anscombe 4": (
        [8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8],
        [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89],
    ),
}


def generated():
    draw = random.Random(4)
    day = [1.7e9 + 60.0 * minute for minute in range(1440)]
    load = [40 + 15 * math.sin(minute / 230) + draw.gauss(0, 2) for minute in range(1440)]
    yield "timestamps of a day", day, load
    second = [1.7e9 + i / 1024 for i in range(1000)]
    yield "timestamps of a second", second, [7 + 0.25 * (x - 1.7e9) + draw.gauss(0, 0.01) for x in second]
    x = [draw.uniform(-1, 1) for _ in range(500)]
    yield "y far from 0", x, [1e9 + 3 * v + draw.gauss(0, 1) for v in x]
    yield "tiny y", x, [1e-19 * (3 * v + draw.gauss(0, 1)) for v in x]
    yield "huge y", x, [1e25 * (3 * v + draw.gauss(0, 1)) for v in x]
    yield "tiny x", [1e-30 * v for v in x], [4 + 3 * v + draw.gauss(0, 1) for v in x]
    yield "huge x", [1e30 * v for v in x], [4 + 3 * v + draw.gauss(0, 1) for v in x]
    skewed = [draw.lognormvariate(0, 1.5) for _ in range(500)]
    yield "skewed x", skewed, [2 - 0.5 * v + draw.gauss(0, 3) for v in skewed]
    yield "a perfect line", [float(i) for i in range(100)], [0.5 * i - 3 for i in range(100)]
    yield "no slope", x, [draw.gauss(5, 1) for _ in x]
    outliers = [4 + 3 * v + draw.gauss(0, 1) + (200 if i % 20 == 0 else 0) for i, v in enumerate(x)]
    yield "gross errors", x, outliers


def exact(x, y):
    x, y = [Fraction(v) for v in x], [Fraction(v) for v in y]
    n = len(x)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    xx = sum((v - mean_x) ** 2 for v in x)
    yy = sum((v - mean_y) ** 2 for v in y)
    xy = sum((u - mean_x) * (v - mean_y) for u, v in zip(x, y))
    w = xy / xx
    squares = yy - xy * xy / xx
    return {
        "w": float(w),
        "b": float(mean_y - w * mean_x),
        "mean_x": float(mean_x),
        "mean_y": float(mean_y),
        "deviation_x": math.sqrt(xx / n) if float(xx) > 0 else 0.0,
        "mse": float(squares / n),
        "r_squared": float(1 - squares / yy),
    }


def main():
    sets = {"norris": csv("norris.csv"), "cars": csv("cars.csv"), **ANSCOMBE}
    sets.update({name: (x, y) for name, x, y in generated()})
    cases = []
    for name, (x, y) in sets.items():
        x, y = [float(v) for v in x], [float(v) for v in y]
        cases.append({"name": name, "x": x, "y": y, **exact(x, y)})
    text = json.dumps({"cases": cases}, separators=(",", ":"))
    (HERE / "lines.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")


main()
