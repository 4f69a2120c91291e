"""The data that peers.py measures on, and what is true of them, in f64."""

from collections import namedtuple

import numpy as np

from libraries import RATE

SEED = 20
# Where the descent starts and the sums are compared: nearly all terms have one sign there, so that
# a sum over a part of the samples, or of the wrong ones, can't look right by cancellation.
START = {"w": -1.5, "b": 0.5}
# Of mean|term|. A term is rounded a few times in f32, and a sum by pairs or in a tree some 30 times
# on the way up: 30 half-ulps of 6e-8 make 2e-6 if all go one way. Libraries first add up runs of
# tens or hundreds in a row, whose rounding averages out over the runs: twice that is enough. On
# CPUs all of them come within 3e-7.
TOLERANCE = 4e-6
# A roof's sum only has to show that all bytes were read.
ROOF_TOLERANCE = 1e-3
# Stochastic descent at scikit-learn's own learning rate stays this near to the least-squares line.
STOCHASTIC_TOLERANCE = 0.1
BLOCK = 1 << 20

Data = namedtuple("Data", "x y reference")


def draw(samples):
    """x and y of `np.random.seed(20); x = 2 * rand(n); y = 4 + 3 * x + randn(n)`, cast to f32.

    By blocks, so that nothing stands in memory in f64: the normals start where all of x is drawn,
    and a second generator draws x again beside them.
    """
    noise, again = np.random.RandomState(SEED), np.random.RandomState(SEED)
    x, y = np.empty(samples, np.float32), np.empty(samples, np.float32)
    blocks = [slice(at, min(at + BLOCK, samples)) for at in range(0, samples, BLOCK)]
    for block in blocks:
        x[block] = 2 * noise.rand(block.stop - block.start)
    for block in blocks:
        size = block.stop - block.start
        y[block] = 4 + 3 * (2 * again.rand(size)) + noise.randn(size)
    return x, y


def moments(x, y):
    """In f64, over the f32 data: the means at START, the means of |term|, and the five moments."""
    names = "loss dw db |dw| |db| x y xx xy".split()
    sums = np.zeros(len(names))
    for at in range(0, x.size, BLOCK):
        xs, ys = (values[at : at + BLOCK].astype(np.float64) for values in (x, y))
        r = START["w"] * xs + START["b"] - ys
        terms = r * r, 2 * r * xs, 2 * r, abs(2 * r * xs), abs(2 * r), xs, ys, xs * xs, xs * ys
        sums += [term.sum() for term in terms]
    means = dict(zip(names, (sums / x.size).tolist()))
    return means | {"|loss|": means["loss"]}


def line_after(reference, epochs):
    """The line after this many epochs in exact arithmetic, and after infinitely many.

    The gradient of mse is linear, so the distance from the least-squares line shrinks by one matrix
    an epoch. The rounding of one epoch shrinks likewise in those after it: the bound is that of a
    gradient over the smallest eigenvalue.
    """
    hessian = 2 * np.array([[reference["xx"], reference["x"]], [reference["x"], 1]])
    least_squares = np.linalg.solve(hessian, [2 * reference["xy"], 2 * reference["y"]])
    shrink = np.linalg.matrix_power(np.eye(2) - RATE * hessian, epochs)
    line = least_squares + shrink @ (np.array([START["w"], START["b"]]) - least_squares)
    gradient = np.hypot(reference["|dw|"], reference["|db|"])
    return line, least_squares, TOLERANCE * gradient / np.linalg.eigvalsh(hessian)[0]


def errors(evaluation, reference):
    """How far the means are off, each as a share of its mean|term|."""
    return {
        name: abs(mean - reference[name]) / reference[f"|{name}|"]
        for name, mean in evaluation.items()
    }


def disagreement(evaluation, reference):
    """Says where means of f32 are off by more than rounding, or None."""
    for name, off in errors(evaluation, reference).items():
        if not off <= TOLERANCE:  # NaN too
            mean, known = evaluation[name], reference[name]
            return f"{name} = {mean}, the reference {known}: {off:.1e} of mean|term| apart"
    return None


def control(reference):
    """Fails if the check of the means can't."""
    for name in ("loss", "dw", "db"):
        for off, red in ((0.5 * TOLERANCE, False), (2 * TOLERANCE, True)):
            mean = reference[name] + off * reference[f"|{name}|"]
            if bool(disagreement({name: mean}, reference)) != red:
                raise AssertionError(f"the check of {name} at {off:.0e} says the wrong thing")
