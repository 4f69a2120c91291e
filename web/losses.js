// The losses of one residual, which is always prediction − target: the twins of src/loss.rs in f64.

// By name: the value and the derivative of a residual, with the parameter; `curvature` is the largest second derivative, 0
// for a loss with corners; `degree` is the power of y's unit with which the loss grows, null if y must keep its unit.
export const LOSSES = {
  mse: {
    about: 'squared residual: the mean of y given x',
    curvature: 2,
    degree: 2,
    value: (r) => r * r,
    derivative: (r) => 2 * r,
  },
  mae: {
    about: 'absolute residual: the median of y given x',
    curvature: 0,
    degree: 1,
    value: (r) => Math.abs(r),
    derivative: (r) => Math.sign(r),
  },
  huber: {
    about: 'squared up to δ, absolute beyond',
    parameter: { name: 'δ', start: 1, check: (delta) => delta > 0 && delta < Infinity, range: 'above 0' },
    curvature: 1,
    degree: 2,
    value: (r, delta) => {
      const clamped = Math.max(-delta, Math.min(delta, r));
      return clamped * (r - 0.5 * clamped);
    },
    derivative: (r, delta) => Math.max(-delta, Math.min(delta, r)),
    constants: (delta) => ({ DELTA: delta }),
  },
  'log-cosh': {
    about: 'ln cosh r: a smooth huber',
    curvature: 1,
    degree: null,
    // Near 0 the sum of |r| and a logarithm would cancel.
    value: (r) => {
      const size = Math.abs(r);
      return size < 1 ? 0.5 * Math.log1p(Math.sinh(r) ** 2) : size + Math.log1p(Math.exp(-2 * size)) - Math.LN2;
    },
    derivative: (r) => Math.tanh(r),
  },
  quantile: {
    about: 'the τ-quantile of y given x',
    parameter: { name: 'τ', start: 0.5, check: (tau) => tau > 0 && tau < 1, range: 'between 0 and 1' },
    curvature: 0,
    degree: 1,
    value: (r, tau) => Math.max((1 - tau) * r, -tau * r),
    derivative: (r, tau) => (r > 0 ? 1 - tau : r < 0 ? -tau : 0),
    constants: (tau) => ({ OVER: 1 - tau, UNDER: tau }),
  },
};

// Returns a loss with its parameter; the loss's own start value if the parameter is missing or out of range.
export function makeLoss(name, parameter) {
  const kind = LOSSES[name];
  const asked = kind.parameter;
  const value = asked && !asked.check(parameter) ? asked.start : parameter;
  return {
    name,
    parameter: asked ? value : null,
    curvature: kind.curvature,
    degree: kind.degree,
    value: (r) => kind.value(r, value),
    derivative: (r) => kind.derivative(r, value),
    // The override constants of the loss's WGSL file.
    constants: kind.constants ? kind.constants(value) : {},
  };
}

// Returns the same loss for residuals that are counted in another unit of y.
export function lossInUnit(loss, unit) {
  return loss.name === 'huber' ? makeLoss('huber', loss.parameter / unit) : loss;
}
