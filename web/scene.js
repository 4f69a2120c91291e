// From the settings to all that the pictures show: samples, path, least loss, surface.

import { JsEngine } from './engine-js.js';
import { makeLoss } from './losses.js';
import { Scaling, descend, ratesFor, statisticsOf } from './train.js';
import { gridLines, momentLosses, surfaceRange } from './surface.js';

// Samples whose losses are computed for each of the surface's lines; of a larger set, up to so many are taken.
const FOR_SURFACE = 2000;
// Epochs within which a cutting plane finds the least loss.
const ENOUGH = 1000;

// Returns the loss that the settings name.
function lossOf({ loss, delta, tau }) {
  return makeLoss(loss, loss === 'huber' ? delta : tau);
}

// Returns what follows from the settings and the samples before a descent. The statistics of all samples may be known.
export function basisOf(state, data) {
  const { x, y } = data;
  const loss = lossOf(state);
  const statistics = data.statistics ?? statisticsOf(x, y);
  if (!statistics.varies) {
    throw new Error(`“${data.xName}” has one value only: a line needs an x that varies`);
  }
  const scaling = state.standardize ? Scaling.standard(statistics, loss) : new Scaling();
  const rates = ratesFor(loss, state.optimizer, statistics, scaling);
  const rate = Number.isNaN(state.rate) ? rates.auto : state.rate;
  const own = data.start ?? { w: 0, b: statistics.y.mean };
  const start = { w: Number.isNaN(state.w) ? own.w : state.w, b: Number.isNaN(state.b) ? own.b : state.b };
  const samples = data.samples ?? statistics.samples;
  return { ...data, samples, loss, statistics, scaling, rates, rate, start, center: scaling.xCenter };
}

// Computes everything from the settings and the samples. `makeEngine` gets the engine's coordinates.
export async function computeScene(state, data, makeEngine) {
  const basis = basisOf(state, data);
  return withEngine(basis, makeEngine, async ({ engine, engineText, plane }) => {
    const rate = basis.scaling.insideRate(basis.loss, state.optimizer, basis.rate);
    const { path, diverged } = await descend(engine, { ...plane, optimizer: state.optimizer, rate, epochs: state.epochs });
    const least = await search(basis, engine, plane);
    const points = path.map((point, epoch) => ({ ...outside(basis, point), epoch }));
    return sceneOf(basis, { points, diverged, least, engineText });
  });
}

// Returns the line of least loss.
export function leastOf(basis, makeEngine) {
  return withEngine(basis, makeEngine, ({ engine, plane }) => search(basis, engine, plane));
}

async function withEngine(basis, makeEngine, use) {
  const { x, y, loss, statistics, scaling, start } = basis;
  const [inX, inY] = scaling.columns(x, y);
  const made = await makeEngine({ x: inX, y: inY, loss: scaling.loss(loss), statistics, scaling });
  try {
    return await use({ ...made, plane: planeOf(statistics, scaling, scaling.inside(start)) });
  } finally {
    made.engine.destroy();
  }
}

async function search(basis, engine, plane) {
  const { path } = await descend(engine, { ...plane, optimizer: 'cutting-plane', epochs: ENOUGH });
  if (path.length === 0) {
    throw new Error('the loss of the start is not finite: choose another start, or standardise');
  }
  return outside(basis, path.at(-1)).best;
}

// Returns a point of a path in the data's units.
function outside(basis, { best, ...point }) {
  const shown = { ...basis.scaling.outside(point), loss: basis.scaling.outsideLoss(basis.loss, point.loss) };
  return best ? { ...shown, best: outside(basis, { w: best.w, b: best.b, loss: best.loss }) } : shown;
}

// Returns a scene: a path, the least loss, and the surface around both. `v` is a line's value at the center of x.
export function sceneOf(basis, { points, least, ...rest }) {
  const placed = ({ best, ...point }) => {
    const shown = { ...point, v: point.b + point.w * basis.center };
    return best ? { ...shown, best: placed(best) } : shown;
  };
  const path = { points: points.map(placed), least: placed(least) };
  return { ...basis, ...rest, ...path, ...surfaceOf(basis, path) };
}

// The box and the tolerance of a cutting plane from a line, in the engine's coordinates.
function planeOf(statistics, scaling, start) {
  const size = (statistics.y.deviation || 1) / scaling.yScale;
  const spread = Math.hypot(statistics.x.deviation, statistics.x.mean - scaling.xCenter) / scaling.xScale;
  const around = (value) => 2 * Math.abs(value) + 4 * size;
  return {
    start,
    reach: { w: around(start.w), b: around(start.b) },
    tolerance: { w: size / spread / 16384, b: size / 16384 },
  };
}

// Returns the grid of losses: for mse exact from moments, for the others from up to some thousand samples.
function surfaceOf({ x, y, loss, statistics, center }, { points, least }) {
  const half = 0.6 * (statistics.y.deviation || 1);
  const spread = Math.hypot(statistics.x.deviation, statistics.x.mean - center);
  const range = surfaceRange(points.map((point) => point.best ?? point), least, { w: half / spread, v: half });
  const lines = gridLines(range, center);
  if (loss.name === 'mse') {
    return { range, grid: momentLosses(statistics, lines), floor: least.loss, taken: statistics.samples };
  }
  const every = Math.ceil(x.length / FOR_SURFACE);
  const some = (values) => (every === 1 ? values : values.filter((_, i) => i % every === 0));
  const engine = new JsEngine(some(x), some(y), loss);
  // The least loss of the same samples: contours are counted from there.
  return { range, grid: engine.losses(lines), floor: engine.losses([least])[0], taken: engine.samples };
}
