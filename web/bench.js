// The Bench page: how fast an epoch is, in the terms and the JSON of `fall-line bench`.

import { draw } from './data.js';
import { GpuEngine, openGpu } from './engine-gpu.js';
import { JsEngine } from './engine-js.js';
import { makeLoss } from './losses.js';
import { formatNumber } from './charts.js';
import { $ } from './view.js';

// The line at which every epoch is computed, and the difference that sums may have there, as a share of Σ|term|.
const MODEL = { w: -1.5, b: 0.5 };
const SHARE = 1e-5;
const LEARNING_RATE = 0.05;
const SEED = 20;
// Samples that are drawn; larger sets repeat them.
const DRAWN = 1e6;
// Sets up to this size are trained by one workgroup alone, and have no roof.
const ALONE = 32768;
// Milliseconds: of a timing, far above the clock's step in a browser; and of all timings of an engine.
const LONG_ENOUGH = 20;
const MIN_TIME = 500;
const LEAST_TIMINGS = 5;
const ROOF_TIMINGS = 5;
const EPOCHS_TO_ANSWER = 50;
// Single times of a row in the JSON.
const EXPORTED = 20;
// A share of the roof above this one can't be true.
const MOST_OF_ROOF = 1.1;

let result = null;
let running = null;

function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

const pause = () => new Promise((resolve) => setTimeout(resolve));

async function secondsOf(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

// Returns how many epochs make a timing long enough. Finding it is the warm-up.
async function warmUp(epochs) {
  for (let count = 1; ; count *= 2) {
    if (1000 * (await secondsOf(() => epochs(count))) >= LONG_ENOUGH || count >= 4096) {
      return count;
    }
    await pause();
  }
}

// Times epochs, and returns seconds per epoch.
async function timed(epochs, stopped) {
  const count = await warmUp(epochs);
  const [seconds, begin] = [[], performance.now()];
  while (seconds.length < LEAST_TIMINGS || performance.now() - begin < MIN_TIME) {
    stopped();
    seconds.push((await secondsOf(() => epochs(count))) / count);
    await pause();
  }
  seconds.sort((a, b) => a - b);
  const every = Math.ceil(seconds.length / EXPORTED);
  return {
    median: quantile(seconds, 0.5), q1: quantile(seconds, 0.25), q3: quantile(seconds, 0.75), min: seconds[0],
    epochs: count * seconds.length, times: seconds.filter((_, at) => at % every === 0),
  };
}

// The page has one round: a figure is its value, and that of an epoch covers its quartiles.
const figure = (value) => (value === null ? null : { median: value, low: value, high: value });

// Draws the samples into f32.
function columns(samples) {
  const drawn = draw({ samples: Math.min(samples, DRAWN), slope: 3, intercept: 4, noise: 1, outliers: 0, seed: SEED });
  return [drawn.x, drawn.y].map((values) => {
    const column = new Float32Array(samples);
    column.set(values);
    for (let filled = values.length; filled < samples; filled *= 2) {
      column.copyWithin(filled, 0, Math.min(filled, samples - filled));
    }
    return column;
  });
}

function newRow(samples, engine, draw, fields = {}) {
  return {
    samples, engine, also: null, adapter: null, software: false, threads: null, storage: 'f32', evaluation: null, agrees: null,
    disagreement: null, failure: null, epoch_seconds: null, kernel_seconds: null, samples_per_second: null,
    bytes_per_second: null, roof: null,
    phases: {
      draw: figure(draw), device_start: null, compile: null, load: null, load_bytes_per_second: null, setup: null, readback: null, answer: null,
    },
    impossible: null, others: null, rounds: [], ...fields,
  };
}

// Compares sums with those of f64, and returns a sentence on those that differ.
function compare(sums, known) {
  for (const name of ['loss', 'dw', 'db']) {
    const off = Math.abs((sums[name] - known[name]) / known[name]);
    if (!(off <= SHARE)) {
      return `the sum of ${name} is ${sums[name]}, in f64 ${known[name]}: off by ${off.toExponential(1)} of Σ|term|, ${SHARE} is allowed`;
    }
  }
  return null;
}

// Fills in a row: agreement first, then the time.
async function measure(row, engine, known, epochs, stopped) {
  const sums = await engine.evaluate(MODEL);
  row.evaluation = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / row.samples]));
  row.disagreement = compare(sums, known);
  row.agrees = row.disagreement === null;
  if (row.agrees) {
    const { times, ...epoch } = await timed(epochs, stopped);
    const { median, q1, q3, ...rest } = epoch;
    row.epoch_seconds = { median, low: q1, high: q3, q1, q3, ...rest };
    const draw = row.phases.draw.median;
    row.rounds = [{ ...epoch, times, kernel: null, draw, ...row.setup, readback: null }];
    row.samples_per_second = row.samples / row.epoch_seconds.median;
    row.bytes_per_second = 8 * row.samples_per_second;
    row.phases.answer = figure(draw + (row.phases.setup?.median ?? 0) + EPOCHS_TO_ANSWER * median);
  }
  delete row.setup;
  return row;
}

// Measures all engines at one size, and hands each row to `take`.
async function measureSize(samples, gpu, take, stopped) {
  const loss = makeLoss('mse');
  let [x, y, known] = [];
  const draw = await secondsOf(() => { [x, y] = columns(samples); });
  const js = new JsEngine(x, y, loss);
  known = js.evaluate(MODEL);
  await pause();
  const jsRow = newRow(samples, 'js', draw, { threads: 1 });
  const perform = (count) => {
    for (let i = 0; i < count; i++) {
      js.evaluate(MODEL);
    }
  };
  take(await measure(jsRow, js, known, perform, stopped));
  if (!gpu) {
    return;
  }
  const compile = await secondsOf(() => gpu.kernelsFor(loss));
  const row = (name) => newRow(samples, name, draw, { adapter: 0, software: gpu.software });
  let engine;
  try {
    const load = await secondsOf(async () => {
      engine = await GpuEngine.create(gpu, x, y, loss);
      await engine.evaluate(MODEL);
    });
    const setup = { device_start: gpu.seconds, compile, load };
    const phases = {
      ...Object.fromEntries(Object.entries(setup).map(([name, seconds]) => [name, figure(seconds)])),
      load_bytes_per_second: (8 * samples) / load, setup: figure(gpu.seconds + compile + load),
    };
    const single = await measure(Object.assign(row('gpu'), { setup, phases: { ...row('gpu').phases, ...phases } }), engine, known, async (count) => {
      for (let i = 0; i < count; i++) {
        await engine.evaluate(MODEL);
      }
    }, stopped);
    const batched = await measure(Object.assign(row('gpu-batched'), { setup, phases: { ...single.phases, answer: null } }), engine, known,
      (count) => engine.descend(MODEL, LEARNING_RATE, count), stopped);
    if (samples > ALONE) {
      const read = (8 * samples) / (await fastestRead(engine, stopped));
      for (const row of [single, batched].filter((row) => row.agrees)) {
        row.roof = { read_bytes_per_second: read, copy_bytes_per_second: null, share_of_read: row.bytes_per_second / read, share_of_copy: null };
        if (row.roof.share_of_read > MOST_OF_ROOF) {
          row.impossible = `an epoch reads at ${Math.round(100 * row.roof.share_of_read)} % of the bandwidth of reading alone`;
        }
      }
    }
    take(single);
    take(batched);
  } catch (error) {
    stopped();
    take(Object.assign(row('gpu'), { failure: error.message }));
  } finally {
    engine?.destroy();
  }
}

// Returns the shortest time of reading all samples, of several timings after a warm-up.
async function fastestRead(engine, stopped) {
  const read = (count) => engine.readOnly(count);
  const count = await warmUp(read);
  let least = Infinity;
  for (let i = 0; i < ROOF_TIMINGS; i++) {
    stopped();
    least = Math.min(least, (await secondsOf(() => read(count))) / count);
  }
  return least;
}

const labelOf = ({ engine, adapter }) => (adapter === null ? engine : `${engine} ${adapter}`);

// Compares the fastest engine of each size with the others.
function speedups(rows) {
  return [...new Set(rows.map((row) => row.samples))].flatMap((samples) => {
    const [fastest, ...others] = rows.filter((row) => row.samples === samples && row.epoch_seconds)
      .sort((a, b) => a.epoch_seconds.median - b.epoch_seconds.median);
    return others.map((row) => {
      const [a, b] = [row.epoch_seconds, fastest.epoch_seconds];
      const ratio = a.median / b.median;
      const doubt = Math.max(a.q3 / b.q1 - ratio, ratio - a.q1 / b.q3);
      const known = doubt <= 0.5 * ratio;
      return {
        samples, faster: labelOf(fastest), slower: labelOf(row), ratio: known ? ratio : null, plus_minus: known ? doubt : null,
        withheld: known ? null : `from ${(a.q1 / b.q3).toFixed(1)} to ${(a.q3 / b.q1).toFixed(1)} within the rounds`,
      };
    });
  });
}

function documentOf(sizes, gpu, rows) {
  const wide = rows.filter(({ epoch_seconds: time }) => time && time.q3 - time.q1 > 0.1 * time.median);
  return {
    schema: 'fall-line bench 2',
    version: 'web',
    commit: null,
    date: `${new Date().toISOString().slice(0, 19)}Z`,
    command: location.href,
    machine: {
      cpu: navigator.userAgent,
      cores: navigator.hardwareConcurrency,
      frequency_mhz: null,
      load_average: null,
      memory_bytes: navigator.deviceMemory ? navigator.deviceMemory * 2 ** 30 : null,
      os: navigator.userAgentData?.platform ?? navigator.platform,
    },
    adapters: gpu ? [{
      index: 0, name: gpu.name, backend: 'webgpu', kind: gpu.software ? 'software adapter' : 'adapter', software: gpu.software,
      driver: [gpu.info.vendor, gpu.info.architecture].join(' ').trim(), binding_bytes: gpu.device.limits.maxStorageBufferBindingSize,
    }] : [],
    settings: {
      suite: null, samples: sizes, loss: 'mse', loss_parameter: null, seed: SEED, generator: 'numpy', storage: 'f32',
      runs: 1, min_time_seconds: MIN_TIME / 1000, epochs_to_answer: EPOCHS_TO_ANSWER, model: MODEL,
    },
    rows,
    speedups: speedups(rows),
    break_even: { per_epoch: [], to_answer: [] },
    scaling: [],
    warnings: [
      ...(gpu?.software ? [`${gpu.name} is a software adapter: its times say nothing about a GPU`] : []),
      ...(rows.some((row) => row.samples > DRAWN) ? ['sets above 1e6 samples repeat the first 1e6'] : []),
      ...wide.map((row) => `${labelOf(row)} at ${row.samples} samples: the quartiles are more than 10 % of the median apart`),
    ],
  };
}

const HEADS = ['samples', 'engine', 'median', 'spread', 'samples/s', 'GB/s', 'of roof', 'agrees with f64'];

function cells(row) {
  const { epoch_seconds: time } = row;
  const trouble = row.failure ?? row.disagreement;
  const seconds = (value) => (value < 1e-3 ? `${formatNumber(1e6 * value, 3)} µs` : value < 1 ? `${formatNumber(1e3 * value, 3)} ms` : `${formatNumber(value, 3)} s`);
  const percent = (value) => `${Math.round(100 * value)} %`;
  const figures = time
    ? [seconds(time.median), percent((time.q3 - time.q1) / time.median), formatNumber(row.samples_per_second, 3), formatNumber(row.bytes_per_second / 1e9, 3)]
    : ['–', '–', '–', '–'];
  const agrees = row.engine === 'js' ? 'is f64' : trouble ?? 'yes';
  return [row.samples.toLocaleString('en'), labelOf(row), ...figures, row.roof ? percent(row.roof.share_of_read) : '–', agrees];
}

async function run() {
  const gone = { stopped: false };
  running = gone;
  const stopped = () => {
    if (gone.stopped) {
      throw new Error('stopped');
    }
  };
  const body = $('bench-table').tBodies[0];
  body.replaceChildren();
  $('start-bench').textContent = 'Stop';
  const rows = [];
  let gpu = null;
  const sizes = [];
  try {
    const start = await secondsOf(async () => { gpu = await openGpu().catch(() => null); });
    $('bench-engine').textContent = gpu ? `Adapter 0: ${gpu.title}.` : 'No WebGPU adapter in this browser: JavaScript alone is timed.';
    if (gpu) {
      gpu.seconds = start;
    }
    for (let samples = 1e4; samples <= Number($('most').value); samples *= 10) {
      sizes.push(samples);
      $('bench-state').textContent = `Measuring ${samples.toLocaleString('en')} samples…`;
      await pause();
      await measureSize(samples, gpu, (row) => {
        rows.push(row);
        const line = body.insertRow();
        cells(row).forEach((text) => { line.insertCell().textContent = text; });
      }, stopped);
    }
    $('bench-state').textContent = 'Done.';
  } catch (error) {
    $('bench-state').textContent = gone.stopped ? 'Stopped.' : `Ended early: ${error.message}.`;
  }
  result = documentOf(sizes, gpu, rows);
  gpu?.device.destroy();
  ['copy-table', 'copy-json', 'save-json'].forEach((id) => { $(id).disabled = rows.length === 0; });
  $('start-bench').textContent = 'Start';
  running = null;
}

function markdown() {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(HEADS), line(HEADS.map(() => '---')), ...result.rows.map((row) => line(cells(row)))].join('\n');
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    $('bench-state').textContent = 'Copied.';
  } catch {
    $('bench-state').textContent = 'The browser does not allow copying here.';
  }
}

const json = () => `${JSON.stringify(result, null, 2)}\n`;

$('start-bench').addEventListener('click', () => {
  if (running) {
    running.stopped = true;
  } else {
    run();
  }
});
$('copy-table').addEventListener('click', () => copy(markdown()));
$('copy-json').addEventListener('click', () => copy(json()));
$('save-json').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([json()], { type: 'application/json' }));
  link.download = 'fall-line-bench.json';
  link.click();
  URL.revokeObjectURL(link.href);
});
$('bench-controls').addEventListener('submit', (event) => event.preventDefault());
