#!/usr/bin/env python3
"""Writes errors.json beside itself: standard errors of lines by statsmodels, and by NumPy where it has none.

For mse: ordinary least squares with its classical errors and HC3's. For mae and quantile: QuantReg, with the line that its
errors belong to. For huber and log-cosh: the line of least loss by Newton's method, and the sandwich of M-estimators (Huber
1967) with the factor n / (n - 2).

Needs NumPy and statsmodels.
"""

import json
import pathlib

import numpy as np
import statsmodels
import statsmodels.api as sm

HERE = pathlib.Path(__file__).parent


def table(name):
    data = np.genfromtxt(HERE.parent / "data" / name, delimiter=",", skip_header=1)
    return data[:, 0], data[:, 1]


def sets():
    rng = np.random.default_rng(11)
    yield "norris", *table("norris.csv")
    yield "cars", *table("cars.csv")
    x = rng.uniform(0, 10, 200)
    yield "noise that grows", x, 3 + 2 * x + x * rng.normal(size=200)
    x = 1.7e9 + 60.0 * np.arange(300)
    yield "timestamps", x, 1e-4 * (x - 1.7e9) + rng.standard_t(3, 300)
    x = np.array([1.0, 2.0, 4.0])
    yield "three samples", x, np.array([1.0, 3.0, 2.0])


def m_estimator(x, y, psi, slope):
    """The line of least loss about the mean of x, and its errors."""
    centre = x.mean()
    design = np.column_stack([x - centre, np.ones_like(x)])
    line = np.linalg.lstsq(design, y, rcond=None)[0]
    for _ in range(200):
        residual = design @ line - y
        step = np.linalg.solve(design.T @ (slope(residual)[:, None] * design), design.T @ psi(residual))
        line = line - step
    residual = design @ line - y
    assert np.abs(design.T @ psi(residual)).max() < 1e-7
    bread = np.linalg.inv(design.T @ (slope(residual)[:, None] * design))
    meat = design.T @ (psi(residual)[:, None] ** 2 * design)
    variance = bread @ meat @ bread * len(x) / (len(x) - 2)
    to_zero = np.array([-centre, 1.0])
    errors = [np.sqrt(variance[0, 0]), np.sqrt(to_zero @ variance @ to_zero)]
    return [line[0], to_zero @ line], errors


def case(loss, parameter, estimate, line, errors, interval=None):
    w, b = map(float, line)
    return {
        "loss": loss,
        "parameter": parameter,
        "estimate": estimate,
        "w": w,
        "b": b,
        "errors": [float(error) for error in errors],
        "interval": interval,
    }


def cases(x, y):
    # About the mean, so that timestamps keep their digits.
    centre = x.mean()
    design = sm.add_constant(x - centre)

    def at_zero(fitted):
        return [fitted.params[1], fitted.params[0] - centre * fitted.params[1]]

    def errors(fitted):
        variance = np.asarray(fitted.cov_params())
        to_zero = np.array([1.0, -centre])
        return [np.sqrt(variance[1, 1]), np.sqrt(to_zero @ variance @ to_zero)]

    fitted = sm.OLS(y, design).fit()
    interval = [float(end) for end in fitted.conf_int(0.05)[1]]
    yield case("mse", None, "classical", at_zero(fitted), errors(fitted), interval)
    yield case("mse", None, "robust", at_zero(fitted), errors(sm.OLS(y, design).fit(cov_type="HC3")))
    if len(x) < 10:
        return
    for tau in [0.5, 0.25, 0.9] if len(x) >= 200 else [0.5]:
        fitted = sm.QuantReg(y, design).fit(q=tau)
        yield case("quantile", tau, "statsmodels", at_zero(fitted), errors(fitted))
    delta = float(2 * np.median(np.abs(y - np.median(y))))
    huber = lambda r: np.clip(r, -delta, delta), lambda r: (np.abs(r) <= delta).astype(float)
    yield case("huber", delta, "robust", *m_estimator(x, y, *huber))
    if len(x) == 300:
        log_cosh = np.tanh, lambda r: 1 - np.tanh(r) ** 2
        yield case("log-cosh", None, "robust", *m_estimator(x, y, *log_cosh))


written = {
    "by": f"NumPy {np.__version__}, statsmodels {statsmodels.__version__}",
    "sets": [
        {"name": name, "x": x.tolist(), "y": y.tolist(), "cases": list(cases(x, y))} for name, x, y in sets()
    ],
}
(HERE / "errors.json").write_text(json.dumps(written, indent=1) + "\n")
