// Descent in f64 on the host over any engine: the optimizers, standardising, and the limit of the learning rate.
// The twins of src/train/, src/data/scaling.rs and src/data/statistics.rs.

import { lossInUnit } from './losses.js';
import { cuttingPlane, rounded } from './plane.js';

// The share of the velocity that momentum keeps, and of the mean gradient that Adam keeps.
const MOMENTUM = 0.9;
// The share of the mean squared gradient that Adam keeps.
const SECOND = 0.999;
const EPSILON = 1e-8;

// By name, with what it does.
export const OPTIMIZERS = {
  gd: 'gradient descent: rate × gradient',
  momentum: 'keeps 0.9 of the step before',
  adam: 'steps scaled by running moments',
  'cutting-plane': 'cuts off half-planes of lines; no rate',
};

// Returns counts, means and corrected sums of products of two columns.
export function statisticsOf(x, y) {
  const n = x.length;
  const column = (values) => {
    let [sum, rest, squares, least, greatest] = [0, 0, 0, Infinity, -Infinity];
    for (const value of values) {
      sum += value - values[0];
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
    const mean = values[0] + sum / n;
    for (const value of values) {
      rest += value - mean;
      squares += (value - mean) ** 2;
    }
    squares = Math.max(squares - rest ** 2 / n, 0);
    return { mean, rest, squares, least, greatest, deviation: Math.sqrt(squares / n) };
  };
  const [ofX, ofY] = [column(x), column(y)];
  let products = 0;
  for (let i = 0; i < n; i++) {
    products += (x[i] - ofX.mean) * (y[i] - ofY.mean);
  }
  products -= (ofX.rest * ofY.rest) / n;
  return { samples: n, x: ofX, y: ofY, products, varies: ofX.least < ofX.greatest && ofX.squares > 1e-290 };
}

// Coordinates x′ = (x − xCenter) / xScale and y′ = (y − yCenter − trend·(x − xCenter)) / yScale, in which f32 keeps its
// digits; and what a line, a loss and a learning rate are in them.
export class Scaling {
  constructor(xCenter = 0, xScale = 1, yCenter = 0, yScale = 1, trend = 0) {
    Object.assign(this, { xCenter, xScale, yCenter, yScale, trend });
  }

  // Brings x to mean 0 and deviation 1, and y to mean 0, no trend and a deviation of about 1 by a power of two.
  static standard(statistics, loss) {
    const { x, y, products, samples } = statistics;
    if (!statistics.varies) {
      return new Scaling();
    }
    const trend = products / x.squares;
    const left = Math.sqrt(Math.max(y.squares - trend * products, 0) / samples);
    const deviation = Math.max(left, y.deviation * 2 ** -23);
    const scales = loss.degree !== null && deviation > 0;
    const yScale = scales ? 2 ** Math.floor(Math.log2(deviation)) : 1;
    return new Scaling(x.mean, x.deviation, y.mean, yScale, trend);
  }

  coordinates(x, y) {
    const distance = x - this.xCenter;
    return [distance / this.xScale, (y - this.yCenter - this.trend * distance) / this.yScale];
  }

  columns(x, y) {
    const [inX, inY] = [new Float64Array(x.length), new Float64Array(x.length)];
    for (let i = 0; i < x.length; i++) {
      [inX[i], inY[i]] = this.coordinates(x[i], y[i]);
    }
    return [inX, inY];
  }

  inside({ w, b }) {
    return {
      w: (w - this.trend) * (this.xScale / this.yScale),
      b: (b + w * this.xCenter - this.yCenter) / this.yScale,
    };
  }

  outside({ w, b }) {
    const slope = this.trend + w * (this.yScale / this.xScale);
    return { w: slope, b: this.yScale * b + this.yCenter - slope * this.xCenter };
  }

  loss(loss) {
    return lossInUnit(loss, this.yScale);
  }

  outsideLoss(loss, value) {
    return value * (loss.degree === null ? 1 : this.yScale ** loss.degree);
  }

  // Adam's steps are the rate itself, those of the others the rate times the gradient.
  insideRate(loss, optimizer, rate) {
    if (optimizer === 'adam') {
      return rate / this.yScale;
    }
    return loss.degree === null ? rate : rate * this.yScale ** (loss.degree - 2);
  }
}

// Returns the learning rate above which an optimizer diverges, or null, and a rate that suits the data.
export function ratesFor(loss, optimizer, statistics, scaling) {
  const mean = (statistics.x.mean - scaling.xCenter) / scaling.xScale;
  const square = mean ** 2 + (statistics.x.deviation / scaling.xScale) ** 2;
  const size = statistics.y.deviation || 1;
  if (optimizer === 'cutting-plane') {
    return { limit: null, auto: null };
  }
  if (optimizer === 'adam') {
    return { limit: null, auto: 0.1 * size };
  }
  const momentum = optimizer === 'momentum';
  if (!loss.curvature) {
    // The gradient does not shrink towards the optimum: a constant rate hovers, so it is a small share of the data's size.
    return { limit: null, auto: ((momentum ? 1 - MOMENTUM : 1) * 0.05 * size) / (1 + square) };
  }
  // The eigenvalues of the second derivatives by w and b, the smaller one by way of the determinant.
  const greatest = 0.5 * (square + 1 + Math.hypot(square - 1, 2 * mean));
  const least = Math.max((square - mean ** 2) / greatest, 0);
  const [limit, best] = [2 / (loss.curvature * greatest), 2 / (loss.curvature * (least + greatest))];
  return momentum
    ? { limit: (1 + MOMENTUM) * limit, auto: (1 - MOMENTUM) * best }
    : { limit, auto: best };
}

// Goes down from `start`, and returns the path: point k is the line after k epochs with its loss, dw and db.
// Ends early where a number is no longer finite, or where a cutting plane knows the best line; `best` of its points is the
// best line so far.
export async function descend(engine, { optimizer, rate, epochs, start, reach, tolerance }) {
  const path = [];
  const n = engine.samples;
  const take = ({ w, b }, sums) => {
    const point = { w, b, loss: sums.loss / n, dw: sums.dw / n, db: sums.db / n };
    const finite = Object.values(point).every(Number.isFinite);
    if (finite) {
      path.push(point);
    }
    return finite;
  };
  let line = start;
  if (optimizer === 'gd') {
    for (const { sums, model } of await engine.descend(start, rate, epochs)) {
      if (!take(line, sums)) {
        return { path, diverged: true };
      }
      line = model;
    }
    return { path, diverged: !take(line, await engine.evaluate(line)) };
  }
  const plane = optimizer === 'cutting-plane';
  const next = plane ? cuttingPlane(start, reach, tolerance) : steps(optimizer, rate);
  line = plane ? rounded(start) : start;
  for (let epoch = 0; epoch <= epochs && line; epoch++) {
    if (!take(line, await engine.evaluate(line))) {
      return { path, diverged: true };
    }
    const point = path.at(-1);
    ({ line, best: point.best } = next(point));
  }
  return { path, diverged: false };
}

// Returns the function from an evaluated line to the next one, for momentum and Adam.
function steps(optimizer, rate) {
  const [first, second] = [[0, 0], [0, 0]];
  let step = 0;
  return ({ w, b, dw, db }) => {
    step++;
    const [ofW, ofB] = [dw, db].map((gradient, i) => {
      if (optimizer === 'momentum') {
        return (first[i] = MOMENTUM * first[i] + gradient);
      }
      first[i] = MOMENTUM * first[i] + (1 - MOMENTUM) * gradient;
      second[i] = SECOND * second[i] + (1 - SECOND) * gradient * gradient;
      const mean = first[i] / (1 - MOMENTUM ** step);
      return mean / (Math.sqrt(second[i] / (1 - SECOND ** step)) + EPSILON);
    });
    return { line: { w: w - rate * ofW, b: b - rate * ofB } };
  };
}
