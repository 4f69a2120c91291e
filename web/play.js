// The Play page: settings in, pictures out; and what a person can do with it.

import { columnsOf, draw, parseTable } from './data.js';
import { chooseEngine } from './engines.js';
import { computeScene } from './scene.js';
import { checked, readMoved, readState, writeMoved, writeState } from './state.js';
import { formatNumber } from './charts.js';
import { change, explore, fill, onNumber, options, redraw, stage, stop, update } from './explore.js';
import { $, show } from './view.js';

const RECIPE = ['samples', 'slope', 'intercept', 'noise', 'outliers', 'seed'];

// A table and its two columns, if a file is open.
let file = null;
// The sample that a pointer drags.
let dragged = null;
let remembering = 0;

// Returns the samples of the file's columns or of the recipe, with the points that were dragged.
function samplesNow(state) {
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

// Writes the settings to the address a moment later: browsers refuse, or complain, where it changes with every move of a pointer.
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    if (location.hash !== '#bench') {
      history.replaceState(null, '', writeState(stage.state));
    }
  }, 250);
}

// Puts the settings into the controls of this page alone.
function fillControls() {
  const { state } = stage;
  RECIPE.forEach((key) => fill(key, state[key]));
  $('engine').value = state.engine;
  $('noise-text').textContent = formatNumber(state.noise);
  $('outliers-text').textContent = `${formatNumber(100 * state.outliers, 3)} %`;
  $('standardize').checked = state.standardize;
  $('undo').hidden = state.moved === '';
  $('recipe').hidden = file !== null;
  $('columns').hidden = $('close-file').hidden = file === null;
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
    stage.chosen = null;
    change({ moved: '', standardize: true, rate: NaN, w: NaN, b: NaN, epoch: NaN });
  } catch (error) {
    show($('problem'), `${opened.name}: ${error.message}.`);
  }
}

function closeFile() {
  stop();
  file = null;
  $('file').value = '';
  stage.chosen = null;
  const { loss, delta, tau, optimizer, engine } = stage.state;
  stage.state = { ...readState(''), loss, delta, tau, optimizer, engine };
  change({});
}

function move(index, x, y) {
  const moved = readMoved(stage.state.moved);
  moved.set(index, [x, y]);
  change({ moved: writeMoved(moved) });
}

// Returns the sample nearest to a pointer, or null if none is within some pixels.
function nearest(event) {
  const { frames: { fit }, scene } = stage;
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
    const index = stage.frames && nearest(event);
    if (index !== null) {
      event.preventDefault();
      fit.setPointerCapture(event.pointerId);
      // The ranges are held, so that the point stays under the pointer.
      [stage.chosen, stage.held, dragged] = [index, stage.frames.ranges, index];
      redraw();
    }
  });
  fit.addEventListener('pointermove', (event) => {
    if (dragged !== null) {
      // Beyond the frame, too: the farther off an outlier, the clearer what it does.
      const { x, y } = stage.frames.fit.valuesAt(event);
      move(dragged, x, y);
    } else if (stage.frames && event.pointerType === 'mouse') {
      fit.classList.toggle('grab', nearest(event) !== null);
    }
  });
  for (const end of ['pointerup', 'pointercancel']) {
    fit.addEventListener(end, () => {
      [stage.held, dragged] = [null, null];
      update();
    });
  }
  // A finger on a point drags it; elsewhere it scrolls the page.
  fit.addEventListener('touchstart', (event) => {
    if (dragged !== null) {
      event.preventDefault();
    }
  }, { passive: false });
}

function listenToKeys() {
  $('fit').addEventListener('keydown', (event) => {
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const upwards = { ArrowDown: -1, ArrowUp: 1 }[event.key];
    const { scene, chosen } = stage;
    if (!scene || (!sideways && !upwards)) {
      return;
    }
    event.preventDefault();
    if (sideways || chosen === null) {
      const order = [...scene.x.keys()].sort((a, b) => scene.x[a] - scene.x[b]);
      const next = order.indexOf(chosen) + (chosen === null ? 1 : sideways);
      stage.chosen = order[Math.max(0, Math.min(order.length - 1, next))];
      redraw();
    } else {
      const [low, high] = stage.frames.ranges.y;
      move(chosen, scene.x[chosen], scene.y[chosen] + ((event.shiftKey ? 10 : 1) * upwards * (high - low)) / 100);
    }
    $('said').textContent = `Sample at x = ${formatNumber(scene.x[stage.chosen])}, y = ${formatNumber(scene.y[stage.chosen])}`;
  });
}

function listenToControls() {
  RECIPE.forEach((key) => onNumber(key, (value) => {
    // Other samples are drawn: points that were dragged have no place among them.
    change({ [key]: checked(key, value), moved: '' });
  }));
  $('engine').addEventListener('change', ({ target }) => change({ engine: target.value }));
  $('standardize').addEventListener('change', ({ target }) => change({ standardize: target.checked, rate: NaN }));
  $('undo').addEventListener('click', () => { stage.chosen = null; change({ moved: '' }); });
  $('close-file').addEventListener('click', closeFile);
  $('file').addEventListener('change', ({ target }) => target.files[0] && open(target.files[0]));
  for (const key of ['x', 'y']) {
    $(`${key}-column`).addEventListener('change', ({ target }) => {
      file[key] = Number(target.value);
      change({ moved: '', epoch: NaN });
    });
  }
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
      stage.state = readState(location.hash);
      update();
    }
  });
}

listenToPointers();
listenToKeys();
listenToControls();
listenToPage();
explore(readState(location.hash), {
  compute: (state) => computeScene(state, samplesNow(state), chooseEngine(state.engine)),
  fill: fillControls,
  remember,
});
