// What is seen of a scene at an epoch: pictures, numbers and the marks at the controls.

import { LOSSES } from './losses.js';
import { formatNumber, fitChart, lossChart, surfaceChart } from './charts.js';

export const $ = (id) => document.getElementById(id);

// Shows a text, or hides its element where there is none.
export function show(element, text) {
  element.hidden = text === '';
  element.textContent = text;
}

// Returns the ranges of the data's picture, with room around, and with the start's line unless that is far off.
export function dataRanges({ statistics: { x, y }, start }) {
  const wide = (values) => {
    const [least, greatest] = [Math.min(...values), Math.max(...values)];
    const room = 0.06 * (greatest - least) || 1;
    return [least - room, greatest + room];
  };
  const ends = [x.least, x.greatest].map((x) => start.w * x + start.b);
  const height = y.greatest - y.least;
  const near = ends.filter((end) => end > y.least - height && end < y.greatest + height);
  return { x: wide([x.least, x.greatest]), y: wide([y.least, y.greatest, ...near]) };
}

// Draws all of a scene at an epoch, and returns the frames of the two pictures that a pointer works on.
export function drawScene(scene, epoch, { ranges, chosen, plane }) {
  const { points, least, loss, x } = scene;
  const at = { ...(points[epoch].best ?? points[epoch]), index: epoch };
  const line = `w = ${formatNumber(at.w)}, b = ${formatNumber(at.b)}`;
  drawNumbers(scene, epoch, at);
  const fit = fitChart($('fit'), {
    ...scene, ranges, chosen, about: `${x.length} samples and the line after epoch ${epoch}: ${line}`,
    lines: [{ ...points[0], kind: 'start' }, { ...least, kind: 'least' }, { ...at, kind: 'line' }],
  });
  const surface = surfaceChart($('surface'), {
    range: scene.range, losses: scene.grid, least, points, at, joined: !plane,
    vName: scene.center === 0 ? 'b' : `y at ${scene.xName} = ${formatNumber(scene.center)}`,
    about: `Loss over w and b, with the path of ${epoch} epochs to ${line}. The least loss is ${formatNumber(least.loss)}.`,
  });
  lossChart($('curve'), {
    losses: points.map((point) => point.loss), best: plane ? points.map((point) => point.best.loss) : null,
    least: least.loss, at: epoch,
    about: `Loss: ${formatNumber(points[0].loss)} at the start, ${formatNumber(at.loss)} after ${epoch} epochs.`,
  });
  $('key-tries').hidden = !plane;
  show($('surface-text'), scene.taken < x.length ? `Contours from ${scene.taken} of ${x.length} samples.` : '');
  show($('note'), scene.note);
  $('engine-text').textContent = scene.engineText;
  $('loss-about').textContent = LOSSES[loss.name].about;
  return { fit, surface };
}

function drawNumbers(scene, epoch, at) {
  const { points, least, start } = scene;
  const last = points.length - 1;
  $('epoch').max = last;
  $('epoch').value = epoch;
  $('epoch-text').textContent = `${epoch} of ${last}`;
  $('line-text').textContent = `${scene.yName} = ${formatNumber(at.w, 5)} × ${scene.xName} ${at.b < 0 ? '−' : '+'} ${formatNumber(Math.abs(at.b), 5)}`;
  $('loss-text').textContent = formatNumber(at.loss, 5);
  $('least-text').textContent = `${formatNumber(least.loss, 5)} at w = ${formatNumber(least.w)}, b = ${formatNumber(least.b)}`;
  const { text, diverges } = stateOf(scene, at);
  $('state-text').textContent = text;
  $('state-text').classList.toggle('diverges', diverges);
  Object.assign($('result').dataset, { w: at.w, b: at.b, loss: at.loss, least: least.loss, epoch });
  $('start-w').placeholder = formatNumber(start.w);
  $('start-b').placeholder = formatNumber(start.b);
}

function stateOf({ points, diverged, rates, rate, least }, at) {
  if (diverged || points.at(-1).loss > 1.001 * points[0].loss) {
    const beyond = rates.limit !== null && rate >= rates.limit;
    const why = beyond ? `: the learning rate is above ${formatNumber(rates.limit, 3)}` : '';
    return { text: `diverges${why}`, diverges: true };
  }
  const above = (at.loss - least.loss) / Math.abs(least.loss || 1);
  const distance = above < 1 ? `${formatNumber(100 * above, 2)} % above the` : `${formatNumber(above + 1, 2)} times the`;
  return { text: above < 1e-4 ? 'at the least loss' : `${distance} least loss`, diverges: false };
}

// Places the slider of the rate: its ends lie around a good rate, and the part that diverges is marked.
export function drawRate({ rates: { limit, auto }, rate, loss }, optimizer) {
  if (auto === null) {
    return;
  }
  const [low, high] = [Math.log10(auto / 200), Math.log10(auto * 10)];
  const share = (rate) => Math.max(0, Math.min(1, (Math.log10(rate) - low) / (high - low)));
  const slider = $('rate-range');
  slider.value = share(rate);
  slider.setAttribute('aria-valuetext', formatNumber(rate));
  Object.assign(slider.dataset, { low, high });
  if (document.activeElement !== $('rate')) {
    $('rate').value = Number(rate.toPrecision(4));
  }
  $('too-large').hidden = limit === null;
  // The middle of the thumb goes from half its width to as much before the end.
  $('too-large').style.left = `calc(9px + ${limit === null ? 0 : share(limit)} * (100% - 18px))`;
  const without = optimizer === 'adam' ? 'Adam has no fixed limit.' : 'No limit: the loss has corners, and the line hovers.';
  $('rate-about').textContent = limit === null ? without : `${loss.name === 'mse' ? 'Diverges' : 'Unstable'} above ${formatNumber(limit, 3)}.`;
  $('rate-about').classList.toggle('diverges', limit !== null && rate >= limit);
}
