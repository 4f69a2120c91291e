// A descent on the stage, which the page and a report share: the settings of loss and descent go in, pictures come out, and a
// slider goes over the epochs.

import { LOSSES } from './losses.js';
import { OPTIMIZERS } from './train.js';
import { formatNumber } from './charts.js';
import { checked } from './state.js';
import { $, dataRanges, drawRate, drawScene, show } from './view.js';

// Milliseconds from one epoch to the next while playing; a long descent skips epochs.
const TICK = 60;
const TICKS = 150;

// The settings, the scene that follows from them, and its frames; the sample that is marked; ranges that are held while one is
// dragged.
export const stage = { state: null, scene: null, frames: null, chosen: null, held: null };

// Set by `explore`: computes a scene from the settings, fills the controls that only one page has, and keeps the settings.
let hooks = null;
let timer = 0;

// Computes and draws. A change meanwhile is taken up next, so that dragging stays smooth.
let busy = false;
let again = false;
export async function update() {
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
      stage.scene = await hooks.compute(stage.state);
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

export function redraw() {
  const { scene, state, chosen, held } = stage;
  if (!scene || $('play').hidden) {
    return;
  }
  const ranges = held ?? dataRanges(scene);
  stage.frames = { ...drawScene(scene, indexShown(), { ranges, chosen }), ranges };
  drawRate(scene, state.optimizer);
}

// Changes settings, keeps them, and computes what follows from them.
export function change(settings) {
  Object.assign(stage.state, settings);
  hooks.remember();
  update();
}

// Returns which of the scene's points is shown.
function indexShown() {
  const last = stage.scene.points.length - 1;
  const { epoch } = stage.state;
  return Number.isNaN(epoch) ? last : Math.max(0, Math.min(epoch, last));
}

// Shows a point of the path; the last one is kept as such, whatever the number of epochs.
function goTo(index) {
  const last = stage.scene.points.length - 1;
  stage.state.epoch = index >= last ? NaN : Math.max(0, index);
  hooks.remember();
  redraw();
}

function play() {
  if (indexShown() >= stage.scene.points.length - 1) {
    goTo(0);
  }
  const stride = Math.ceil(stage.scene.points.length / TICKS);
  timer = setInterval(() => {
    goTo(indexShown() + stride);
    if (Number.isNaN(stage.state.epoch)) {
      stop();
    }
  }, TICK);
  $('run').textContent = 'Pause';
}

export function stop() {
  clearInterval(timer);
  timer = 0;
  $('run').textContent = 'Play';
}

// Puts a setting into its control, unless it is being typed there.
export function fill(id, value) {
  if (document.activeElement !== $(id)) {
    $(id).value = value;
  }
}

function fillControls() {
  const { state } = stage;
  fill('epochs', state.epochs);
  ['w', 'b'].forEach((key) => fill(`start-${key}`, Number.isNaN(state[key]) ? '' : Number(state[key].toPrecision(9))));
  ['loss', 'optimizer'].forEach((key) => { $(key).value = state[key]; });
  const asked = LOSSES[state.loss].parameter;
  $('parameter-label').hidden = !asked;
  if (asked) {
    $('parameter-name').textContent = asked.name;
    fill('parameter', state.loss === 'huber' ? state.delta : state.tau);
  }
  $('optimizer-about').textContent = OPTIMIZERS[state.optimizer];
  $('rates').hidden = state.optimizer === 'cutting-plane';
  hooks.fill();
}

// Calls back with a number that is typed into a control.
export function onNumber(id, take) {
  $(id).addEventListener('input', () => {
    if ($(id).value !== '') {
      take($(id).valueAsNumber);
    }
  });
}

export function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
}

function listen() {
  onNumber('epochs', (value) => change({ epochs: checked('epochs', value), epoch: NaN }));
  ['w', 'b'].forEach((key) => $(`start-${key}`).addEventListener('input', () => change({ [key]: $(`start-${key}`).valueAsNumber })));
  onNumber('rate', (rate) => rate > 0 && change({ rate: checked('rate', rate) }));
  $('rate-range').addEventListener('input', ({ target }) => {
    const [low, high] = [Number(target.dataset.low), Number(target.dataset.high)];
    change({ rate: Number((10 ** (low + target.valueAsNumber * (high - low))).toPrecision(3)) });
  });
  $('auto-rate').addEventListener('click', () => change({ rate: NaN }));
  onNumber('parameter', (value) => {
    const { loss } = stage.state;
    if (LOSSES[loss].parameter.check(value)) {
      change(loss === 'huber' ? { delta: value } : { tau: value });
    }
  });
  $('loss').addEventListener('change', ({ target }) => change({ loss: target.value }));
  // A rate that suited one optimizer may be far off for another.
  $('optimizer').addEventListener('change', ({ target }) => change({ optimizer: target.value, rate: NaN, epoch: NaN }));
  $('epoch').addEventListener('input', ({ target }) => goTo(target.valueAsNumber));
  $('reset').addEventListener('click', () => { stop(); goTo(0); });
  $('step').addEventListener('click', () => { stop(); goTo(indexShown() + 1); });
  $('run').addEventListener('click', () => (timer ? stop() : play()));
  $('surface').addEventListener('click', (event) => {
    const { frames, scene } = stage;
    if (frames) {
      const { x, y: v } = frames.surface.valuesAt(event);
      const w = Number(x.toPrecision(4));
      const b = v - w * scene.center;
      // A b that is large beside the picture keeps its digits.
      change({ w, b: Math.abs(b) < 1e3 * (frames.surface.y.high - frames.surface.y.low) ? Number(b.toPrecision(6)) : b, epoch: NaN });
    }
  });
  $('controls').addEventListener('submit', (event) => event.preventDefault());
  new ResizeObserver(redraw).observe($('curve'));
}

// Shows the stage from these settings on.
export function explore(state, itsHooks) {
  stage.state = state;
  hooks = itsHooks;
  options($('loss'), Object.keys(LOSSES).map((name) => [name, name]));
  options($('optimizer'), Object.keys(OPTIMIZERS).map((name) => [name, name]));
  listen();
  update();
}
