// The pictures, in SVG: the data with the line, the loss surface with the path, the loss over the epochs, and the residuals.

import { GRID, contourLevels, contourPieces } from './surface.js';

const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = { right: 14, top: 10, bottom: 42 };

export function svgElement(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Writes a number for people: a true minus, and powers of ten where digits would be many.
export function formatNumber(value, digits = 4) {
  if (!Number.isFinite(value)) {
    return '–';
  }
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-4 && size < 1e5);
  const [mantissa, power] = value.toExponential(digits - 1).split('e');
  const superscript = String(Number(power)).replace(/./g, (sign) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[sign] ?? '⁻');
  const short = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  const factor = short(mantissa) === '1' ? '' : short(mantissa) === '-1' ? '-' : `${short(mantissa)}·`;
  const text = plain ? short(Number(value.toPrecision(digits)).toString()) : `${factor}10${superscript}`;
  return text.replace('-', '−');
}

// Writes a time that is counted from 1970 in units of so many seconds.
export function formatTime(value, seconds) {
  const date = new Date(value * seconds * 1000);
  if (Number.isNaN(date.getTime())) {
    return '–';
  }
  const [day, time] = date.toISOString().slice(0, 19).split('T');
  return time === '00:00:00' || seconds === 86400 ? day : `${day} ${time.replace(/:00$/, '')}`;
}

// Times have a format of their own. Numbers far from 0 get the digits in which ticks differ.
export function linearScale(low, high, timeFormat) {
  const [from, to] = low < high ? [low, high] : [low - 1, high + 1];
  let digits = 4;
  const ticks = (count) => {
    const rough = (to - from) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(from / step - 1e-9);
    const largest = Math.max(Math.abs(from), Math.abs(to));
    digits = Math.min(Math.max(4, 1 + Math.floor(Math.log10(largest)) - Math.floor(Math.log10(step))), 16);
    return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(15)));
  };
  return { low: from, high: to, share: (value) => (value - from) / (to - from), value: (share) => from + share * (to - from), ticks, format: timeFormat ?? ((value) => formatNumber(value, digits)), ofTime: Boolean(timeFormat) };
}

export function logScale(low, high) {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const ticks = (count) => {
    const every = Math.max(1, Math.ceil((to - from) / count));
    const factors = to - from < 1 ? [1, 1.2, 1.5, 2, 3, 4, 5, 7] : to - from < 3 ? [1, 2, 5] : [1];
    const ticks = [];
    for (let power = Math.floor(from); power <= to; power += every) {
      ticks.push(...factors.map((factor) => Number(`${factor}e${power}`)));
    }
    return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
  };
  return { low, high, share: (value) => (Math.log10(value) - from) / (to - from), ticks, format: formatNumber };
}

// Draws axes into a host element, and returns where things are drawn: a group for marks, and the pixels of values.
function chartFrame(host, { x, y, xName, yName, about, right = MARGIN.right }) {
  const [width, height] = [Math.max(host.clientWidth, 240), Math.max(host.clientHeight, 180)];
  const innerHeight = height - MARGIN.top - MARGIN.bottom;
  const yTicks = y.ticks(innerHeight / 45);
  // Room for the longest label, of some 7 pixels a sign, and for the axis's name.
  const left = 30 + 7.2 * Math.max(3, ...yTicks.map((tick) => y.format(tick).length));
  const innerWidth = width - left - right;
  // Far outside, pixels have no meaning and some browsers have trouble.
  const pixel = (share, size) => Math.round(Math.max(-4, Math.min(5, share)) * size * 100) / 100;
  const px = (value) => pixel(x.share(value), innerWidth);
  const py = (value) => pixel(1 - y.share(value), innerHeight);
  const [bottom, middle] = [innerHeight + MARGIN.top, MARGIN.top + innerHeight / 2];
  const text = (attributes, content) => svgElement('text', attributes, content);
  const axes = svgElement('g', { class: 'axes' });
  // A date takes more room than a number.
  for (const tick of x.ticks(innerWidth / (x.ofTime ? 130 : 80))) {
    const at = left + px(tick);
    axes.append(
      svgElement('path', { d: `M${at} ${MARGIN.top}V${bottom}` }),
      text({ x: at, y: bottom + 16, 'text-anchor': 'middle' }, x.format(tick)),
    );
  }
  for (const tick of yTicks) {
    const at = MARGIN.top + py(tick);
    axes.append(
      svgElement('path', { d: `M${left} ${at}H${left + innerWidth}` }),
      text({ x: left - 7, y: at + 4, 'text-anchor': 'end' }, y.format(tick)),
    );
  }
  axes.append(
    text({ class: 'name', x: left + innerWidth / 2, y: height - 6, 'text-anchor': 'middle' }, xName),
    text({ class: 'name', x: 13, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 13 ${middle})` }, yName),
  );
  // An inner svg clips what is drawn into it.
  const plot = svgElement('svg', { x: left, y: MARGIN.top, width: innerWidth, height: innerHeight });
  const border = svgElement('rect', { class: 'border', x: left, y: MARGIN.top, width: innerWidth, height: innerHeight });
  const svg = svgElement('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': about }, axes, plot, border);
  host.replaceChildren(svg);
  const mark = (tag, attributes, ...children) => plot.append(svgElement(tag, attributes, ...children));
  // Returns the values under a pointer.
  const valuesAt = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = width / box.width;
    return {
      x: x.value?.(((event.clientX - box.left) * scale - left) / innerWidth),
      y: y.value?.(1 - ((event.clientY - box.top) * scale - MARGIN.top) / innerHeight),
    };
  };
  // Adds a plot of its own to the right, and returns its group and width.
  const beside = () => {
    const width = right - MARGIN.right;
    const plot = svgElement('svg', { x: left + innerWidth + 6, y: MARGIN.top, width, height: innerHeight });
    svg.append(plot);
    return { plot, width };
  };
  return { mark, px, py, x, y, innerWidth, innerHeight, valuesAt, beside };
}

function pathThrough(points) {
  return points.map(([x, y], i) => `${i ? 'L' : 'M'}${x} ${y}`).join('');
}

// Returns one path for points; beyond some thousands, for every n-th only.
function dots(pixels) {
  const every = Math.ceil(pixels.length / 5000);
  return pixels.filter((_, i) => i % every === 0).map(([x, y]) => `M${x} ${y}h0`).join('');
}

function pointsClass(count) {
  return count > 500 ? 'points many' : 'points';
}

// Draws a line, cut to the frame by values: pixels of a diverged line would overflow.
function drawLine({ mark, px, py, x, y }, { w, b, kind }) {
  const ends = w === 0 ? [-Infinity, Infinity] : [(y.low - b) / w, (y.high - b) / w].sort((a, b) => a - b);
  const [from, to] = [Math.max(ends[0], x.low), Math.min(ends[1], x.high)];
  if (from <= to) {
    mark('path', { class: kind, d: pathThrough([from, to].map((x) => [px(x), py(w * x + b)])) });
  }
}

// Draws samples as points or as shades of a grid, lines by their class (start, least, line, truth), and the band of `[x, low,
// high]` in which the line is certain. Returns the frame, for dragging.
export function fitChart(host, { x, y, xName, yName, xFormat, ranges, shades, band, lines, marked, about }) {
  const frame = chartFrame(host, { x: linearScale(...ranges.x, xFormat), y: linearScale(...ranges.y), xName, yName, about });
  const { mark, px, py } = frame;
  const pixels = Array.from(x, (x, i) => [px(x), py(y[i])]);
  if (shades) {
    const [[left, right], [bottom, top]] = [shades.x.map(px), shades.y.map(py)];
    mark('image', { href: shadesPicture(shades), preserveAspectRatio: 'none', x: left, y: top, width: right - left, height: bottom - top });
  } else {
    mark('path', { class: pointsClass(x.length), d: dots(pixels) });
  }
  if (band) {
    const edge = (at, rows) => rows.map((row) => [px(row[0]), py(row[at])]);
    mark('path', { class: 'band', d: `${pathThrough([...edge(1, band), ...edge(2, [...band].reverse())])}Z` });
  }
  lines.forEach((line) => drawLine(frame, line));
  for (const [x, y] of marked) {
    mark('circle', { class: 'chosen', cx: px(x), cy: py(y), r: 8 });
  }
  return frame;
}

// Bars across the histogram of residuals.
const BARS = 40;

// Draws residuals over x, and beside them their histogram with the loss's shape over it.
export function residualsChart(host, { x, residuals, loss, xName, xFormat, xRange, about }) {
  const sorted = Float64Array.from(residuals).sort();
  // Without a few far off.
  const at = (share) => Math.abs(sorted[Math.round(share * (sorted.length - 1))]);
  const reach = 1.5 * Math.max(at(0.01), at(0.99)) || 1;
  const frame = chartFrame(host, {
    x: linearScale(...xRange, xFormat), y: linearScale(-reach, reach), xName, yName: 'residual', about, right: 110,
  });
  const { mark, px, py, innerWidth, innerHeight: height } = frame;
  mark('path', { class: pointsClass(x.length), d: dots(Array.from(x, (x, i) => [px(x), py(residuals[i])])) });
  mark('path', { class: 'least', d: `M0 ${py(0)}H${innerWidth}` });
  const counts = new Array(BARS).fill(0);
  for (const residual of residuals) {
    const bar = Math.floor(((residual / reach + 1) / 2) * BARS);
    if (bar >= 0 && bar < BARS) {
      counts[bar]++;
    }
  }
  const most = Math.max(...counts, 1);
  const { plot, width } = frame.beside();
  const bars = counts.map((count, bar) => {
    const top = height * (1 - (bar + 1) / BARS);
    return count ? `M0 ${top}h${(width * count) / most}v${height / BARS - 1}H0Z` : '';
  });
  const highest = Math.max(loss.value(reach), loss.value(-reach));
  const shape = Array.from({ length: 61 }, (_, i) => [(width * loss.value(reach * (i / 30 - 1))) / highest, height * (1 - i / 60)]);
  plot.append(svgElement('path', { class: 'bars', d: bars.join('') }), svgElement('path', { class: 'shape', d: pathThrough(shape) }));
  return frame;
}

// Returns a picture of one pixel a cell, rows from the lowest up, each as opaque as its share says.
function gridPicture(columns, shares) {
  const canvas = document.createElement('canvas');
  const rows = shares.length / columns;
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext('2d');
  const picture = context.createImageData(columns, rows);
  shares.forEach((share, i) => {
    const row = rows - 1 - Math.floor(i / columns);
    picture.data.set([31, 119, 180, Math.round(255 * share)], 4 * (row * columns + (i % columns)));
  });
  context.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}

// Samples by cell: the more, the darker, by their logarithm.
function shadesPicture({ counts, columns }) {
  const most = Math.log1p(Math.max(...counts));
  return gridPicture(columns, counts.map((count) => (count ? 0.12 + (0.78 * Math.log1p(count)) / most : 0)));
}

// The surface: the deeper the colour, the lower the loss.
function surfacePicture(losses, least) {
  const highest = Math.max(...losses) - least;
  const height = (loss) => (highest > 0 ? Math.max(loss - least, 0) / highest : 0);
  return gridPicture(GRID, Array.from(losses, (loss) => 0.59 * (1 - height(loss) ** 0.25)));
}

// Draws contours of the loss over (w, v) above `floor`, the path up to `at`, its start, and the least loss.
export function surfaceChart(host, { range, losses, floor, least, points, at, joined, vName, about }) {
  const frame = chartFrame(host, { x: linearScale(...range.w), y: linearScale(...range.v), xName: 'w', yName: vName, about });
  const { mark, px, py, innerWidth: width, innerHeight: height } = frame;
  const [cellX, cellY] = [width / (GRID - 1), height / (GRID - 1)];
  mark('image', {
    href: surfacePicture(losses, floor), preserveAspectRatio: 'none',
    x: -cellX / 2, y: -cellY / 2, width: width + cellX, height: height + cellY,
  });
  const labels = [];
  for (const level of contourLevels(losses, floor)) {
    const pieces = contourPieces(losses, floor + level).map((piece) => piece.map(([x, y]) => [x * width, (1 - y) * height]));
    mark('path', { class: 'contour', d: pieces.map(pathThrough).join('') });
    // One label, towards the upper right, where it has room.
    const [place] = pieces.map(([from]) => from)
      .filter(([x, y]) => x > 18 && x < width - 20 && y > 12 && y < height - 6)
      .sort((a, b) => (b[0] - b[1]) - (a[0] - a[1]));
    const taken = [...labels, [px(least.w), py(least.v)], [px(at.w), py(at.v)]];
    if (place && taken.every(([x, y]) => Math.hypot(x - place[0], y - place[1]) > 34)) {
      labels.push([...place, `+${formatNumber(level)}`]);
    }
  }
  labels.forEach(([x, y, label]) => mark('text', { class: 'label', x, y: y + 4, 'text-anchor': 'middle' }, label));
  const pixels = points.map(({ w, v }) => [px(w), py(v)]);
  mark('path', { class: 'path later', d: pathThrough(pixels) });
  mark('path', { class: joined ? 'path' : 'path tried', d: pathThrough(pixels.slice(0, at.index + 1)) });
  if (points.length <= 400) {
    mark('path', { class: 'dots', d: dots(pixels.slice(0, at.index + 1)) });
  }
  const [x, y] = [px(least.w), py(least.v)];
  mark('path', { class: 'cross', d: `M${x - 6} ${y - 6}l12 12m0 -12l-12 12` });
  mark('circle', { class: 'from', cx: pixels[0][0], cy: pixels[0][1], r: 6 });
  mark('circle', { class: 'here', cx: px(at.w), cy: py(at.v), r: 6 });
  return frame;
}

// Draws the loss of each epoch, the part up to `at` in full, with the least loss as a floor. `best` is the best loss so far
// where an optimizer tries lines that are worse.
export function lossChart(host, { epochs, losses, best, least, at, about }) {
  const end = Math.max(epochs.at(-1), 1);
  const positive = losses.filter((loss) => loss > 0);
  const highest = Math.max(...losses, least);
  // Below 1e-16 of the first, a loss is rounding.
  const lowest = Math.max(Math.min(...positive, least > 0 ? least : Infinity), 1e-16 * Math.min(losses[0] || highest, highest));
  const log = lowest > 0 && highest > 10 * lowest && Number.isFinite(lowest);
  const room = log ? (highest / lowest) ** 0.05 : 0.06 * (highest - Math.min(least, ...losses));
  const y = log ? logScale(lowest / room, highest * room) : linearScale(Math.min(least, ...losses) - room, highest + room);
  const frame = chartFrame(host, {
    x: linearScale(-0.01 * end, 1.01 * end), y, xName: 'epoch', yName: log ? 'loss (log scale)' : 'loss', about,
  });
  const { mark, px, py } = frame;
  const pixels = (values) => values.map((loss, i) => [px(epochs[i]), py(log ? Math.max(loss, y.low) : loss)]);
  const now = pixels(losses.slice(0, at + 1));
  if (least > 0 || !log) {
    mark('path', { class: 'least', d: `M0 ${py(least)}H${px(2 * end)}` });
  }
  if (best) {
    mark('path', { class: 'tries', d: now.map(([x, y]) => `M${x} ${y}h0`).join('') });
    mark('path', { class: 'loss later', d: pathThrough(pixels(best)) });
    mark('path', { class: 'loss', d: pathThrough(pixels(best.slice(0, at + 1))) });
  } else {
    mark('path', { class: 'loss later', d: pathThrough(pixels(losses)) });
    mark('path', { class: 'loss', d: pathThrough(now) });
  }
  const [x, yHere] = best ? pixels(best)[at] : now[at];
  mark('circle', { class: 'here', cx: x, cy: yHere, r: 5 });
  return frame;
}
