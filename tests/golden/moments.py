#!/usr/bin/env python3
"""Writes moments.json beside itself: moments of hard sets, and the line, fit and errors that follow, by rational arithmetic.

tests/suite/moments.rs draws the same sets to the bit. Sums are those of whole numbers, as each value is a multiple of some power
of 1/2. Numbers of two parts are the exact ones, rounded to two binary64. Needs Python's standard library only.
"""

import json
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

SAMPLES = 140_001
MASK = (1 << 64) - 1


def uniform(seed, draw, position):
    """splitmix64 (Steele et al. 2014) of the position, as tests/suite/common/golden.rs has it."""
    z = position + ((seed * 64 + draw) << 32)
    z = ((z + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return ((z >> 11) + 0.5) / 2.0**53


def timestamps(i, u, v):
    x = 1.7e9 + 0.25 * i
    return x, 7.0 + 1e-3 * (x - 1.7e9) + (v - 0.5)


def nearly_perfect(i, u, v):
    x = 10.0 * u
    return x, 4.0 + 3.0 * x + 3e-3 * (v - 0.5)


def nearly_perfect_timestamps(i, u, v):
    x = 1.7e9 + 86400.0 * u
    return x, 3.0 * (x - 1.7e9) + 25.92 * (v - 0.5)


def far_from_0(i, u, v):
    return 1e8 + u, 2.0 * u + v - 1e9


def mixed_sizes(i, u, v):
    x = (u - 0.5) * 2.0 ** (i % 40)
    return x, 3.0 * x + (v - 0.5) * 2.0 ** (i % 23)


def outlier_first(i, u, v):
    return (u, v) if i else (1e12, -1e12)


SETS = [timestamps, nearly_perfect, nearly_perfect_timestamps, far_from_0, mixed_sizes, outlier_first]


def two(value):
    high = float(value)
    return {"high": high, "low": float(value - Fraction(high))}


def root(value):
    """The square root, correctly rounded but for ties."""
    return float((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())


def moments(x, y):
    n = len(x)
    power = max(Fraction(v).denominator.bit_length() - 1 for v in x + y)
    unit = Fraction(1, 1 << power)
    x, y = ([int(Fraction(v) * (1 << power)) for v in values] for values in (x, y))
    sum_x, sum_y = sum(x), sum(y)

    def centred(products, one, other):
        return (n * products - one * other) * unit * unit / n

    xx = centred(sum(v * v for v in x), sum_x, sum_x)
    yy = centred(sum(v * v for v in y), sum_y, sum_y)
    xy = centred(sum(a * b for a, b in zip(x, y)), sum_x, sum_y)
    mean_x, mean_y = sum_x * unit / n, sum_y * unit / n
    w = xy / xx
    squares = yy - xy * xy / xx
    variance = squares / (n - 2)
    return {
        "x_mean": two(mean_x),
        "y_mean": two(mean_y),
        "x_squares": two(xx),
        "y_squares": two(yy),
        "products": two(xy),
        "w": float(w),
        "b": float(mean_y - w * mean_x),
        "rmse": root(squares / n),
        "unexplained": float(squares / yy),
        "w_error": root(variance / xx),
        "b_error": root(variance * (Fraction(1, n) + mean_x * mean_x / xx)),
        "residual_error": root(variance),
    }


def main():
    getcontext().prec = 60
    cases = []
    for seed, draw in enumerate(SETS):
        pairs = [draw(i, uniform(seed, 0, i), uniform(seed, 1, i)) for i in range(SAMPLES)]
        x, y = [x for x, _ in pairs], [y for _, y in pairs]
        cases.append({"name": draw.__name__.replace("_", " "), **moments(x, y)})
    text = json.dumps({"samples": SAMPLES, "cases": cases}, indent=1)
    (Path(__file__).parent / "moments.json").write_text(text + "\n")


main()
