// The settings of the page, as the part of its address behind the #: what differs from the start values, so that a lesson can
// be linked.

const START = {
  samples: 100,
  slope: 3,
  intercept: 4,
  noise: 1,
  outliers: 0,
  seed: 20,
  // Points that were dragged: index:x:y, one after the other.
  moved: '',
  standardize: false,
  loss: 'mse',
  delta: 1,
  tau: 0.5,
  optimizer: 'gd',
  // NaN: a rate that suits the data.
  rate: 0.1,
  epochs: 50,
  // NaN: the start of the draws, or the mean of y for a file.
  w: NaN,
  b: NaN,
  // The epoch that is shown; NaN: the last one.
  epoch: NaN,
  engine: 'auto',
};

const RANGES = {
  samples: [2, 100000],
  noise: [0, 1e6],
  outliers: [0, 1],
  seed: [0, 4294967295],
  epochs: [1, 5000],
  rate: [1e-12, 1e12],
};
const WHOLE = ['samples', 'seed', 'epochs', 'epoch'];

// Reads settings from an address. What can't be read keeps its start value.
export function readState(hash) {
  const state = { ...START };
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (typeof START[key] === 'number') {
      state[key] = checked(key, text === 'auto' ? NaN : Number(text), text);
    } else if (typeof START[key] === 'boolean') {
      state[key] = text === '1';
    } else if (key in START) {
      state[key] = text;
    }
  }
  return state;
}

// Returns a number within the range of its setting.
export function checked(key, number, text = '') {
  if (!Number.isFinite(number)) {
    return text === 'auto' ? NaN : START[key];
  }
  const [least, greatest] = RANGES[key] ?? [-1e12, 1e12];
  return Math.max(least, Math.min(greatest, WHOLE.includes(key) ? Math.round(number) : number));
}

export function writeState(state) {
  const changed = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (!Object.is(value, START[key])) {
      changed.set(key, typeof value === 'boolean' ? Number(value) : Number.isNaN(value) ? 'auto' : value);
    }
  }
  return `#${changed}`.replaceAll('%3A', ':').replaceAll('%2C', ',');
}

// Points that were dragged, by index.
export function readMoved(text) {
  const points = text.split(',').map((point) => point.split(':').map(Number));
  return new Map(points.filter((point) => point.length === 3 && point.every(Number.isFinite)).map(([i, x, y]) => [i, [x, y]]));
}

export function writeMoved(moved) {
  return [...moved].map(([i, [x, y]]) => `${i}:${+x.toPrecision(5)}:${+y.toPrecision(5)}`).join(',');
}
