// A report of the program: its run over the user's own samples, or some of them, and what other settings would do.

import { JsEngine, MomentEngine } from './engine-js.js';
import { formatTime } from './charts.js';
import { LOSSES } from './losses.js';
import { basisOf, computeScene, leastOf, sceneOf } from './scene.js';
import { change, explore } from './explore.js';
import { $, grouped } from './view.js';

const { run, data, state: ofRun } = JSON.parse($('data').textContent);

function numbers(text) {
  return new Float64Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
}

function samplesOfReport() {
  const { statistics, seconds } = data;
  const column = ({ least, greatest, ...column }) => (
    { ...column, least, greatest, deviation: Math.sqrt(column.squares / statistics.samples) }
  );
  return {
    ...data,
    x: numbers(data.x),
    y: numbers(data.y),
    statistics: statistics ? { ...statistics, x: column(statistics.x), y: column(statistics.y), varies: true } : undefined,
    truth: data.truth ? [{ ...data.truth, kind: 'truth' }] : undefined,
    xFormat: seconds ? (value) => formatTime(value, seconds) : undefined,
    note: '',
  };
}

const samples = samplesOfReport();
const shown = samples.x.length;
const all = samples.samples;

// Returns the settings of the run, with its last epoch to be seen.
function settings() {
  const { parameter, ...settings } = ofRun;
  const own = (loss) => (settings.loss === loss ? parameter : LOSSES[loss].parameter.start);
  return { ...settings, delta: own('huber'), tau: own('quantile'), rate: settings.rate ?? NaN, epoch: NaN };
}

// Returns whether the settings are those of the run, whatever epoch is shown.
function isRun(state) {
  const other = settings();
  return Object.keys(other).every((key) => key === 'epoch' || Object.is(state[key], other[key]));
}

// Returns the engine of settings other than the run's. Only the moments of all samples stand for more than the report holds.
function makeEngine({ x, y, loss, statistics, scaling }) {
  const byMoments = loss.name === 'mse' && (data.statistics || shown === all);
  const over = byMoments ? `from the moments of ${grouped(all)}` : `over ${shown < all ? `${grouped(shown)} of ` : ''}${grouped(all)}`;
  return {
    engine: byMoments ? new MomentEngine(statistics, scaling) : new JsEngine(x, y, loss),
    engineText: `Computed here, in f64, ${over} samples.${run.schedule ? ` The rate is constant; that of the run was ${run.schedule}.` : ''}`,
  };
}

// The path that the program took, as it took it. A descent that has not converged does not know the least loss.
async function sceneOfRun(state) {
  const basis = basisOf(state, samples);
  const [w, b, loss] = [run.w, run.b, run.loss].map(numbers);
  let best = null;
  const points = run.epochs.map((epoch, i) => {
    const point = { w: w[i], b: b[i], loss: loss[i], epoch };
    best = best?.loss <= point.loss ? best : point;
    return state.optimizer === 'cutting-plane' ? { ...point, best } : point;
  });
  // Of a part of the samples, another line would be the best one.
  const unsure = !run.least && shown < all;
  const least = run.least ?? (unsure ? best : await leastOf(basis, makeEngine));
  return sceneOf(basis, { points, least, unsure, diverged: run.diverged, engineText: run.text });
}

function compute(state) {
  const asRun = isRun(state);
  $('back').hidden = asRun;
  return asRun ? sceneOfRun(state) : computeScene(state, { ...samples, band: null, marked: [] }, makeEngine);
}

if (shown < all) {
  const counted = data.shades.counts.reduce((sum, count) => sum + count, 0);
  $('thinned').textContent = `The shades count ${grouped(counted)} of ${grouped(all)} samples, and ${grouped(shown)} are points.`;
}
// The samples of a report can't be moved.
for (const name of ['tabindex', 'role', 'aria-label']) {
  $('fit').removeAttribute(name);
}
$('back').addEventListener('click', () => change(settings()));
explore(settings(), { compute, fill: () => {}, remember: () => {} });
