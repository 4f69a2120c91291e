// The Play page: settings in, pictures out; and what a person can do with it.

import { parseTable } from './data.js';
import { LOSSES } from './losses.js';
import { OPTIMIZERS } from './train.js';
import { formatNumber } from './charts.js';
import { computeScene } from './scene.js';
import { checked, readMoved, readState, writeMoved, writeState } from './state.js';
import { $, dataRanges, drawRate, drawScene, show } from './view.js';

const NUMBERS = ['samples', 'slope', 'intercept', 'noise', 'outliers', 'seed', 'epochs'];
// Milliseconds from one epoch to the next while playing; a long descent skips epochs.
const TICK = 60;
const TICKS = 150;

let state = readState(location.hash);
// A table and its two columns, if a file is open.
let file = null;
let scene = null;
let frames = null;
// The sample that the keyboard moves, and the one that a pointer drags.
let chosen = null;
let dragged = null;
let timer = 0;
let remembering = 0;

// Computes and draws. A change meanwhile is taken up next, so that dragging stays smooth.
let busy = false;
let again = false;
async function update() {
  again = true;
  if (busy) {
    return;
  }
  busy = true;
  document.body.dataset.busy = 'true';
  while (again) {
    again = false;
    fillControls();
    try {
      scene = await computeScene(state, file);
      show($('problem'), '');
      redraw();
    } catch (error) {
      stop();
      show($('problem'), `${error.message}.`);
    }
  }
  busy = false;
  document.body.dataset.busy = 'false';
}

function redraw() {
  if (!scene || $('play').hidden) {
    return;
  }
  const ranges = dragged?.ranges ?? dataRanges(scene);
  frames = { ...drawScene(scene, epochShown(), { ranges, chosen, plane: state.optimizer === 'cutting-plane' }), ranges };
  drawRate(scene, state.optimizer);
}

// Changes settings, writes them to the address, and computes what follows from them.
function change(settings) {
  Object.assign(state, settings);
  remember();
  update();
}

// A moment later: browsers refuse, or complain, where the address changes with every move of a pointer.
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    if (location.hash !== '#bench') {
      history.replaceState(null, '', writeState(state));
    }
  }, 250);
}

function epochShown() {
  const last = scene.points.length - 1;
  return Number.isNaN(state.epoch) ? last : Math.max(0, Math.min(state.epoch, last));
}

// Shows an epoch; the last one is kept as such, whatever the number of epochs.
function goTo(epoch) {
  const last = scene.points.length - 1;
  state.epoch = epoch >= last ? NaN : Math.max(0, epoch);
  remember();
  redraw();
}

function play() {
  if (epochShown() >= scene.points.length - 1) {
    goTo(0);
  }
  const stride = Math.ceil(scene.points.length / TICKS);
  timer = setInterval(() => {
    goTo(epochShown() + stride);
    if (Number.isNaN(state.epoch)) {
      stop();
    }
  }, TICK);
  $('run').textContent = 'Pause';
}

function stop() {
  clearInterval(timer);
  timer = 0;
  $('run').textContent = 'Play';
}

// Puts the settings into the controls; not into the one that is being typed in.
function fillControls() {
  const fill = (id, value) => {
    if (document.activeElement !== $(id)) {
      $(id).value = value;
    }
  };
  NUMBERS.forEach((key) => fill(key, state[key]));
  ['w', 'b'].forEach((key) => fill(`start-${key}`, Number.isNaN(state[key]) ? '' : state[key]));
  ['loss', 'optimizer', 'engine'].forEach((key) => { $(key).value = state[key]; });
  $('noise-text').textContent = formatNumber(state.noise);
  $('outliers-text').textContent = `${formatNumber(100 * state.outliers, 3)} %`;
  $('standardize').checked = state.standardize;
  const asked = LOSSES[state.loss].parameter;
  $('parameter-label').hidden = !asked;
  if (asked) {
    $('parameter-name').textContent = asked.name;
    fill('parameter', state.loss === 'huber' ? state.delta : state.tau);
  }
  $('optimizer-about').textContent = OPTIMIZERS[state.optimizer];
  $('rates').hidden = state.optimizer === 'cutting-plane';
  $('undo').hidden = state.moved === '';
  $('recipe').hidden = file !== null;
  $('columns').hidden = $('close-file').hidden = file === null;
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
}

// Opens a table. Its columns are standardised, and a rate follows from them: units of any size are met.
async function open(opened) {
  stop();
  try {
    const table = parseTable(await opened.text());
    const [x, y] = table.choices;
    file = { table, x, y };
    const choices = table.choices.map((i) => [i, table.names[i]]);
    options($('x-column'), choices);
    options($('y-column'), choices);
    [$('x-column').value, $('y-column').value] = [x, y];
    $('file-name').textContent = `${opened.name}, ${table.rows.length} rows`;
    chosen = null;
    change({ moved: '', standardize: true, rate: NaN, w: NaN, b: NaN, epoch: NaN });
  } catch (error) {
    show($('problem'), `${opened.name}: ${error.message}.`);
  }
}

function closeFile() {
  stop();
  file = null;
  $('file').value = '';
  chosen = null;
  const { loss, delta, tau, optimizer, engine } = state;
  state = { ...readState(''), loss, delta, tau, optimizer, engine };
  change({});
}

function move(index, x, y) {
  const moved = readMoved(state.moved);
  moved.set(index, [x, y]);
  change({ moved: writeMoved(moved) });
}

// Returns the sample nearest to a pointer, or null if none is within some pixels.
function nearest(event) {
  const { fit } = frames;
  const at = fit.valuesAt(event);
  const [atX, atY] = [fit.px(at.x), fit.py(at.y)];
  const reach = event.pointerType === 'touch' ? 24 : 12;
  let [best, distance] = [null, reach];
  for (let i = 0; i < scene.x.length; i++) {
    const here = Math.hypot(fit.px(scene.x[i]) - atX, fit.py(scene.y[i]) - atY);
    if (here < distance) {
      [best, distance] = [i, here];
    }
  }
  return best;
}

function listenToPointers() {
  const fit = $('fit');
  fit.addEventListener('pointerdown', (event) => {
    const index = frames && nearest(event);
    if (index !== null) {
      event.preventDefault();
      fit.setPointerCapture(event.pointerId);
      // The ranges are held, so that the point stays under the pointer.
      [chosen, dragged] = [index, { index, ranges: frames.ranges }];
      redraw();
    }
  });
  fit.addEventListener('pointermove', (event) => {
    if (dragged) {
      // Beyond the frame, too: the farther off an outlier, the clearer what it does.
      const { x, y } = frames.fit.valuesAt(event);
      move(dragged.index, x, y);
    } else if (frames && event.pointerType === 'mouse') {
      fit.classList.toggle('grab', nearest(event) !== null);
    }
  });
  for (const end of ['pointerup', 'pointercancel']) {
    fit.addEventListener(end, () => {
      dragged = null;
      update();
    });
  }
  // A finger on a point drags it; elsewhere it scrolls the page.
  fit.addEventListener('touchstart', (event) => {
    if (dragged) {
      event.preventDefault();
    }
  }, { passive: false });
  $('surface').addEventListener('click', (event) => {
    if (frames) {
      const { x: w, y: v } = frames.surface.valuesAt(event);
      const b = v - w * scene.center;
      change({ w: Number(w.toPrecision(4)), b: Number(b.toPrecision(5)), epoch: NaN });
    }
  });
}

function listenToKeys() {
  $('fit').addEventListener('keydown', (event) => {
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const upwards = { ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (!scene || (!sideways && !upwards)) {
      return;
    }
    event.preventDefault();
    if (sideways || chosen === null) {
      const order = [...scene.x.keys()].sort((a, b) => scene.x[a] - scene.x[b]);
      const next = order.indexOf(chosen) + (chosen === null ? 1 : sideways);
      chosen = order[Math.max(0, Math.min(order.length - 1, next))];
      redraw();
    } else {
      const [low, high] = frames.ranges.y;
      move(chosen, scene.x[chosen], scene.y[chosen] + ((event.shiftKey ? 10 : 1) * upwards * (high - low)) / 100);
    }
    $('said').textContent = `Sample at x = ${formatNumber(scene.x[chosen])}, y = ${formatNumber(scene.y[chosen])}`;
  });
}

function listenToControls() {
  const number = (id, take) => $(id).addEventListener('input', () => {
    if ($(id).value !== '') {
      take($(id).valueAsNumber);
    }
  });
  NUMBERS.forEach((key) => number(key, (value) => {
    // Other samples are drawn: points that were dragged have no place among them.
    change({ [key]: checked(key, value), ...(key === 'epochs' ? { epoch: NaN } : { moved: '' }) });
  }));
  ['w', 'b'].forEach((key) => $(`start-${key}`).addEventListener('input', () => change({ [key]: $(`start-${key}`).valueAsNumber })));
  number('rate', (rate) => rate > 0 && change({ rate: checked('rate', rate) }));
  $('rate-range').addEventListener('input', ({ target }) => {
    const [low, high] = [Number(target.dataset.low), Number(target.dataset.high)];
    change({ rate: Number((10 ** (low + target.valueAsNumber * (high - low))).toPrecision(3)) });
  });
  $('auto-rate').addEventListener('click', () => change({ rate: NaN }));
  number('parameter', (value) => {
    if (LOSSES[state.loss].parameter.check(value)) {
      change(state.loss === 'huber' ? { delta: value } : { tau: value });
    }
  });
  for (const key of ['loss', 'optimizer', 'engine']) {
    // A rate that suited one optimizer may be far off for another.
    $(key).addEventListener('change', ({ target }) => change({ [key]: target.value, ...(key === 'optimizer' && { rate: NaN, epoch: NaN }) }));
  }
  $('standardize').addEventListener('change', ({ target }) => change({ standardize: target.checked, rate: NaN }));
  $('epoch').addEventListener('input', ({ target }) => goTo(target.valueAsNumber));
  $('reset').addEventListener('click', () => { stop(); goTo(0); });
  $('step').addEventListener('click', () => { stop(); goTo(epochShown() + 1); });
  $('run').addEventListener('click', () => (timer ? stop() : play()));
  $('undo').addEventListener('click', () => { chosen = null; change({ moved: '' }); });
  $('close-file').addEventListener('click', closeFile);
  $('file').addEventListener('change', ({ target }) => target.files[0] && open(target.files[0]));
  for (const key of ['x', 'y']) {
    $(`${key}-column`).addEventListener('change', ({ target }) => {
      file[key] = Number(target.value);
      change({ moved: '', epoch: NaN });
    });
  }
  $('controls').addEventListener('submit', (event) => event.preventDefault());
}

function listenToPage() {
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer.files;
    if (dropped) {
      open(dropped);
    }
  });
  addEventListener('hashchange', () => {
    if (location.hash !== '#bench') {
      clearTimeout(remembering);
      state = readState(location.hash);
      update();
    }
  });
  new ResizeObserver(redraw).observe($('curve'));
}

options($('loss'), Object.keys(LOSSES).map((name) => [name, name]));
options($('optimizer'), Object.keys(OPTIMIZERS).map((name) => [name, name]));
listenToPointers();
listenToKeys();
listenToControls();
listenToPage();
update();
