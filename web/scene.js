// From the settings to all that the pictures show: samples, path, least loss, surface.

import { draw, columnsOf } from './data.js';
import { GpuEngine, openGpu } from './engine-gpu.js';
import { JsEngine } from './engine-js.js';
import { makeLoss } from './losses.js';
import { Scaling, descend, ratesFor, statisticsOf } from './train.js';
import { gridLines, momentLosses, surfaceRange } from './surface.js';
import { readMoved } from './state.js';

// Samples whose losses are computed for each of the surface's lines; of a larger set, up to so many are taken.
const FOR_SURFACE = 2000;
// Epochs within which a cutting plane finds the least loss.
const ENOUGH = 1000;

let gpu;

// Opens the GPU once; null where there is none, or once it is lost.
async function theGpu() {
  if (gpu === undefined) {
    gpu = await openGpu().catch(() => null);
    gpu?.device.lost.then(() => { gpu = null; });
  }
  return gpu;
}

// Chooses the engine, and says which. A software adapter is slower than JavaScript, so it computes only where it is asked for.
async function makeEngine(wanted, x, y, loss) {
  const gpu = wanted === 'js' ? null : await theGpu();
  if (gpu && (wanted === 'gpu' || !gpu.software)) {
    const engine = await GpuEngine.create(gpu, x, y, loss);
    return { engine, engineText: `WebGPU on ${gpu.title}, in f32.` };
  }
  const why = wanted === 'js' ? ''
    : gpu ? `WebGPU would run on a software adapter here (${gpu.name}), which is slower. `
      : 'This browser has no WebGPU adapter. ';
  return { engine: new JsEngine(x, y, loss), engineText: `${why}Plain JavaScript computes, in f64.` };
}

// Returns the samples of a file's columns or of a recipe, with the points that were dragged.
function samplesOf(state, file) {
  const data = file
    ? { ...columnsOf(file.table, file.x, file.y), xName: file.table.names[file.x], yName: file.table.names[file.y] }
    : { ...draw(state), xName: 'x', yName: 'y', note: '' };
  for (const [i, [x, y]] of readMoved(state.moved)) {
    if (i in data.x) {
      [data.x[i], data.y[i]] = [x, y];
    }
  }
  return data;
}

// Computes everything from the settings, and from the columns of a file if there is one.
export async function computeScene(state, file) {
  const data = samplesOf(state, file);
  const { x, y } = data;
  const loss = makeLoss(state.loss, state.loss === 'huber' ? state.delta : state.tau);
  const statistics = statisticsOf(x, y);
  if (!statistics.varies) {
    throw new Error(`“${data.xName}” has one value only: a line needs an x that varies`);
  }
  const scaling = state.standardize ? Scaling.standard(statistics, loss) : new Scaling();
  const rates = ratesFor(loss, state.optimizer, statistics, scaling);
  const rate = Number.isNaN(state.rate) ? rates.auto : state.rate;
  const own = data.start ?? { w: 0, b: statistics.y.mean };
  const start = { w: Number.isNaN(state.w) ? own.w : state.w, b: Number.isNaN(state.b) ? own.b : state.b };
  const { engine, engineText } = await makeEngine(state.engine, ...scaling.columns(x, y), scaling.loss(loss));
  try {
    const plane = planeOf(statistics, scaling, scaling.inside(start));
    const [{ path, diverged }, { path: search }] = [
      await descend(engine, {
        ...plane, optimizer: state.optimizer, rate: scaling.insideRate(loss, state.optimizer, rate), epochs: state.epochs,
      }),
      await descend(engine, { ...plane, optimizer: 'cutting-plane', epochs: ENOUGH }),
    ];
    if (path.length === 0 || search.length === 0) {
      throw new Error('the loss of the start is not finite in f32: choose another start, or standardise');
    }
    const center = scaling.xCenter;
    const outside = ({ best, ...point }) => {
      const line = scaling.outside(point);
      const shown = { ...line, v: line.b + line.w * center, loss: scaling.outsideLoss(loss, point.loss) };
      return best ? { ...shown, best: outside({ w: best.w, b: best.b, loss: best.loss }) } : shown;
    };
    const points = path.map(outside);
    const least = outside(search.at(-1)).best;
    const surface = surfaceOf(data, loss, statistics, points, least, center);
    return { ...data, ...surface, loss, statistics, rates, rate, start, points, diverged, least, center, engineText };
  } finally {
    engine.destroy();
  }
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
function surfaceOf({ x, y }, loss, statistics, points, least, center) {
  const half = 0.6 * (statistics.y.deviation || 1);
  const spread = Math.hypot(statistics.x.deviation, statistics.x.mean - center);
  const range = surfaceRange(points.map((point) => point.best ?? point), least, { w: half / spread, v: half });
  const lines = gridLines(range, center);
  if (loss.name === 'mse') {
    return { range, grid: momentLosses(statistics, lines), taken: x.length };
  }
  const every = Math.ceil(x.length / FOR_SURFACE);
  const some = (values) => (every === 1 ? values : values.filter((_, i) => i % every === 0));
  const engine = new JsEngine(some(x), some(y), loss);
  return { range, grid: engine.losses(lines), taken: engine.samples };
}
