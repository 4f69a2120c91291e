// What is seen of a scene at an epoch: pictures, numbers and the marks at the controls.

import { LOSSES } from './losses.js';
import { fitChart, formatNumber, lossChart, residualsChart, surfaceChart } from './charts.js';

export const $ = (id) => document.getElementById(id);

export const grouped = (count) => count.toLocaleString('en');

// Shows a text, or hides its element where there is none.
export function show(element, text) {
  element.hidden = text === '';
  element.textContent = text;
}

// Returns the ranges of the data's picture, with room around, and with the start's line unless that is far off.
export function dataRanges({ statistics, start, shades }) {
  const wide = (values) => {
    const [least, greatest] = [Math.min(...values), Math.max(...values)];
    const room = 0.06 * (greatest - least) || 1;
    return [least - room, greatest + room];
  };
  const range = (name) => shades?.[name] ?? wide([statistics[name].least, statistics[name].greatest]);
  const [x, y] = [range('x'), range('y')];
  const height = y[1] - y[0];
  const near = x.map((x) => start.w * x + start.b).filter((end) => end > y[0] - height && end < y[1] + height);
  return { x, y: near.some((end) => end < y[0] || end > y[1]) ? wide([...y, ...near]) : y };
}

// Draws all of a scene at a point of its path, and returns the frames of the two pictures that a pointer works on.
export function drawScene(scene, index, { ranges, chosen }) {
  const { points, least, loss, samples } = scene;
  const plane = 'best' in points[0];
  const { epoch, best } = points[index];
  const at = { ...(best ?? points[index]), index };
  const line = `w = ${formatNumber(at.w)}, b = ${formatNumber(at.b)}`;
  drawNumbers(scene, index, at);
  const fit = fitChart($('fit'), {
    ...scene,
    ranges,
    marked: chosen in scene.x ? [[scene.x[chosen], scene.y[chosen]]] : scene.marked ?? [],
    about: `${grouped(samples)} samples and the line after epoch ${epoch}: ${line}`,
    lines: [{ ...points[0], kind: 'start' }, ...scene.truth ?? [], { ...least, kind: 'least' }, { ...at, kind: 'line' }],
  });
  const surface = surfaceChart($('surface'), {
    range: scene.range, losses: scene.grid, floor: scene.floor, least, points, at, joined: !plane,
    vName: scene.center === 0 ? 'b' : `y at ${scene.xName} = ${(scene.xFormat ?? formatNumber)(scene.center)}`,
    about: `Loss over w and b, with the path of ${epoch} epochs to ${line}. The least loss is ${formatNumber(least.loss)}.`,
  });
  lossChart($('curve'), {
    losses: points.map((point) => point.loss), best: plane ? points.map((point) => point.best.loss) : null,
    epochs: points.map((point) => point.epoch), least: least.loss, at: index,
    about: `Loss: ${formatNumber(points[0].loss)} at the start, ${formatNumber(at.loss)} after ${epoch} epochs.`,
  });
  const residuals = scene.x.map((x, i) => at.v + at.w * (x - scene.center) - scene.y[i]);
  residualsChart($('residuals'), {
    ...scene, residuals, xRange: ranges.x, about: `Residuals over ${scene.xName}, and their histogram, after epoch ${epoch}.`,
  });
  for (const [key, seen] of [['tries', plane], ['truth', scene.truth], ['band', scene.band], ['marked', scene.marked?.length]]) {
    $(`key-${key}`).hidden = !seen;
  }
  $('key-band').textContent = scene.bandName ?? '';
  $('stage').classList.toggle('unsure', Boolean(scene.unsure));
  show($('surface-text'), scene.taken < samples ? `Contours from ${grouped(scene.taken)} of ${grouped(samples)} samples.` : '');
  show($('note'), scene.note);
  $('engine-text').textContent = scene.engineText;
  $('loss-about').textContent = LOSSES[loss.name].about;
  return { fit, surface };
}

function drawNumbers(scene, index, at) {
  const { points, least, start } = scene;
  const { epoch } = points[index];
  $('epoch').max = points.length - 1;
  $('epoch').value = index;
  $('epoch').setAttribute('aria-valuetext', grouped(epoch));
  $('epoch-text').textContent = `${epoch} of ${points.at(-1).epoch}`;
  $('line-text').textContent = equation(scene, at);
  $('loss-text').textContent = formatNumber(at.loss, 5);
  $('least-text').textContent = `${formatNumber(least.loss, 5)}${scene.unsure ? ' in this run' : ''} at w = ${formatNumber(least.w)}, b = ${formatNumber(least.b)}`;
  const { text, diverges } = stateOf(scene, at);
  $('state-text').textContent = text;
  $('state-text').classList.toggle('diverges', diverges);
  Object.assign($('result').dataset, { w: at.w, b: at.b, loss: at.loss, least: least.loss, epoch });
  $('start-w').placeholder = formatNumber(start.w);
  $('start-b').placeholder = formatNumber(start.b);
}

// Returns the line in words: by its value at the center of x where x is a time, or b is so far off that digits cancel.
function equation({ xName, yName, xFormat, center, statistics: { y } }, { w, b, v }) {
  const far = xFormat || Math.abs(b) > 1000 * Math.max(Math.abs(y.least), Math.abs(y.greatest));
  const sign = (value) => `${value < 0 ? '−' : '+'} ${formatNumber(Math.abs(value), 5)}`;
  return far && center !== 0
    ? `${yName} = ${formatNumber(v, 7)} ${sign(w)} × (${xName} − ${(xFormat ?? ((x) => formatNumber(x, 10)))(center)})`
    : `${yName} = ${formatNumber(w, 5)} × ${xName} ${sign(b)}`;
}

function stateOf({ points, diverged, rates, rate, least, unsure }, at) {
  if (diverged || points.at(-1).loss > 1.001 * points[0].loss) {
    const beyond = rates.limit !== null && rate >= rates.limit;
    const why = beyond ? `: the learning rate is above ${formatNumber(rates.limit, 3)}` : '';
    return { text: `diverges${why}`, diverges: true };
  }
  if (unsure) {
    return { text: 'the least loss is not known', diverges: false };
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
