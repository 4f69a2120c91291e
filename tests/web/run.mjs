// Tests of the page under web/ in headless Chromium: node tests/web/run.mjs
//
// Needs Chromium (/usr/bin/chromium, or CHROMIUM), `npm ci` in this folder, and the program itself in FALL_LINE.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { compareEngines, compileAll } from './in-page.mjs';
import { ROOT, elsewhere, launch, open, printed, serve, settled } from './browser.mjs';

const CARS = join(ROOT, 'tests/data/cars.csv');
const LOSSES = ['mse', 'mae', 'huber', 'log-cosh', 'quantile'];
// The largest rounding of an f32 sum as a share of Σ|term|, to which the engines are tested (src/train/cutting_plane.rs).
const ROUNDING = 2 ** -19;
// The share of the loss that f32 sums can't resolve.
const RESOLUTION = 2 ** -22;

let site;
let browser;
let page;
const folder = mkdtempSync(join(tmpdir(), 'fall-line-web-'));

before(async () => {
  site = await serve();
  browser = await launch({ webgpu: true });
});

after(async () => {
  await browser?.close();
  site.server.close();
  rmSync(folder, { recursive: true });
});

const openPlay = async (hash = '', size) => {
  await page?.context().close();
  page = await open(browser, `${site.address}web/${hash}`, size);
  await settled(page);
  return page;
};

// Runs the program, and returns its JSON.
function program(...args) {
  const path = process.env.FALL_LINE;
  assert.ok(path, 'set FALL_LINE to the program, such as target/release/fall-line');
  return JSON.parse(execFileSync(path, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

const train = (...args) => program('train', CARS, '--x', 'speed', '--y', 'dist', '--engine', 'cpu', '--format', 'json', '--quiet', ...args);

async function openCars(hash) {
  await openPlay(hash);
  await page.setInputFiles('#file', CARS);
  await page.waitForFunction(() => document.getElementById('file-name').textContent.startsWith('cars.csv'));
  return settled(page);
}

function near(is, right, bound, what) {
  assert.ok(Math.abs(is - right) <= bound, `${what} is ${is}, the program's ${right}: more than ${bound} apart`);
}

// The cars, with x centred and scaled to a deviation of 1; and the losses' derivatives.
function cars() {
  const rows = readFileSync(CARS, 'utf8').trim().split('\n').slice(1).map((line) => line.split(',').map(Number));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = (values) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
  const [x, y] = [0, 1].map((column) => rows.map((row) => row[column]));
  return { x, y, mean, center: mean(x), spread: deviation(x), height: deviation(y) };
}

test('there is a WebGPU adapter', async () => {
  await openPlay();
  const name = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter && `${adapter.info.vendor} ${adapter.info.architecture}`;
  });
  assert.ok(name, 'Chromium has no WebGPU adapter, so the tests would show nothing');
  console.log(`adapter: ${name}`);
});

test('every combination of shader files compiles', async () => {
  const [folders, files] = [[], []];
  for (const entry of readdirSync(join(ROOT, 'shaders'), { withFileTypes: true })) {
    (entry.isDirectory() ? folders : files).push(entry.name);
  }
  // A new file beside these needs lines in compileAll; one in a folder does not.
  assert.deepEqual(files.sort(), ['draw.wgsl', 'losses.wgsl', 'read.wgsl', 'train.wgsl']);
  assert.deepEqual(folders.sort(), ['dispatch', 'loads', 'loss', 'samples', 'sum']);
  const names = (folder) => readdirSync(join(ROOT, 'shaders', folder)).map((file) => file.replace(/\.wgsl$/, ''));
  const parts = Object.fromEntries(folders.map((folder) => [folder, names(folder)]));
  assert.deepEqual(parts.loss.sort(), [...LOSSES].sort());
  await openPlay();
  const { compiled, errors } = await page.evaluate(compileAll, parts);
  assert.deepEqual(errors, []);
  console.log(`shaders compiled: ${compiled}`);
  // Of train.wgsl 12 a loss, or 24 where a command can carry the parameters; of losses.wgsl 2 a loss; draw.wgsl and read.wgsl.
  assert.ok([12, 24].some((variants) => compiled === LOSSES.length * (variants + 2) + 2), `${compiled} compiled`);
});

test('the WebGPU engine agrees with f64, for every loss and around every boundary', async () => {
  await openPlay();
  const { compared, errors } = await page.evaluate(compareEngines, { losses: LOSSES, rounding: ROUNDING });
  assert.deepEqual(errors, []);
  console.log(`sums compared: ${compared}`);
});

// Descent never moves two lines apart below the rate's limit, as these losses are convex and smooth. Each epoch adds at most
// the rate times the rounding of the gradient, whose terms are largest at the start.
for (const [loss, ...parameter] of [['mse'], ['huber', '--delta', '5'], ['log-cosh']]) {
  test(`the path of ${loss} is the program's`, async () => {
    // Few and small steps, so that the path has not ended where every path ends.
    const [epochs, rate, delta] = [30, 0.05, Number(parameter[1] ?? 1)];
    await openCars(`#engine=gpu&loss=${loss}&delta=${delta}&epochs=${epochs}`);
    await page.fill('#rate', String(rate));
    const is = await settled(page);
    assert.match(await page.textContent('#engine-text'), /^WebGPU on /);
    const steps = ['--optimizer', 'gd', '--learning-rate', String(rate), '--epochs', String(epochs), '--tolerance', '0'];
    const right = train('--loss', loss, ...parameter, ...steps);
    assert.equal(right.epochs, epochs);
    const { x, y, mean, center, spread } = cars();
    const slope = { mse: (r) => 2 * Math.abs(r), huber: (r) => Math.min(Math.abs(r), delta), 'log-cosh': (r) => Math.tanh(Math.abs(r)) };
    const terms = mean(y.map((y, i) => slope[loss](mean(cars().y) - y) * Math.hypot((x[i] - center) / spread, 1)));
    const bound = 2 * epochs * rate * ROUNDING * terms;
    near(is.w, right.w, bound / spread, 'w');
    near(is.b, right.b, bound + (bound / spread) * center, 'b');
    near(is.loss, right.final_loss, 2 * terms * bound + 2 * ROUNDING * right.final_loss, 'the loss');
  });
}

// A cutting plane knows the best line to within its tolerance, here and there; the program's is no larger.
for (const [loss, ...parameter] of [['mse'], ['mae'], ['huber', '--delta', '5'], ['log-cosh'], ['quantile', '--quantile', '0.7']]) {
  test(`the best line of ${loss} is the program's`, async () => {
    const is = await openCars(`#engine=gpu&loss=${loss}&delta=5&tau=0.7&optimizer=cutting-plane&epochs=500`);
    const right = train('--loss', loss, ...parameter, '--optimizer', 'cutting-plane');
    const { center, spread, height } = cars();
    const bound = (2 * height) / 16384;
    near(is.w, right.w, bound / spread, 'w');
    near(is.b, right.b, bound + (bound / spread) * center, 'b');
    near(is.loss, right.final_loss, 2 * (ROUNDING + RESOLUTION) * right.final_loss, 'the loss');
    near(is.least, right.final_loss, 2 * (ROUNDING + RESOLUTION) * right.final_loss, 'the least loss');
  });
}

test("the first page shows the digits of the article's script", async () => {
  await openPlay();
  assert.equal(await page.textContent('#line-text'), 'y = 3.3912 × x + 3.6315');
});

test('the slider and the buttons move the line', async () => {
  await openPlay();
  const line = () => page.getAttribute('#fit path.line', 'd');
  const [last, { w }] = [await line(), await settled(page)];
  await page.fill('#epoch', '3');
  const third = await line();
  assert.notEqual(third, last);
  assert.notEqual((await settled(page)).w, w);
  await page.click('#step');
  assert.notEqual(await line(), third);
  assert.match(await page.textContent('#epoch-text'), /^4 of 50$/);
  await page.click('#reset');
  assert.equal((await settled(page)).epoch, 0);
  await page.click('#run');
  await page.waitForFunction(() => document.getElementById('result').dataset.epoch === '50');
  assert.equal(await line(), last);
  assert.equal(await page.textContent('#run'), 'Play');
});

// Drags the highest sample of the right half to the top of the window, and returns how far the best line moved.
async function dragOutlier(loss) {
  await openPlay(`#loss=${loss}&optimizer=cutting-plane&rate=auto&epochs=500`);
  const before = await settled(page);
  const { x, y } = await page.$eval('#fit path.points', (path) => {
    const points = path.getAttribute('d').split('M').slice(1).map((point) => point.split(/[ h]/).map(Number));
    const right = points.filter(([x]) => x > 150).sort((a, b) => a[1] - b[1])[0];
    const at = new DOMPoint(...right).matrixTransform(path.getScreenCTM());
    return { x: at.x, y: at.y };
  });
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x, 100);
  await page.mouse.move(x, 3);
  await page.mouse.up();
  const after = await settled(page);
  await page.waitForURL(/moved=\d+:/);
  return Math.hypot(after.w - before.w, after.b - before.b);
}

test('a dragged outlier moves the line of mse, and hardly that of mae', async () => {
  const [mse, mae] = [await dragOutlier('mse'), await dragOutlier('mae')];
  console.log(`mse moved by ${mse}, mae by ${mae}`);
  assert.ok(mse > 0.05, `mse moved by ${mse} only`);
  assert.ok(mae < mse / 20, `mae moved by ${mae}, mse by ${mse}`);
});

test('the keyboard moves a sample', async () => {
  await openPlay();
  const { b } = await settled(page);
  await page.focus('#fit');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowUp');
  // By a tenth of the picture's height, for one of a hundred samples.
  assert.ok(Math.abs((await settled(page)).b - b) > 1e-3);
  assert.match(await page.textContent('#said'), /^Sample at x = /);
});

test('the address brings a state back', async () => {
  await openPlay();
  await page.selectOption('#loss', 'huber');
  await page.fill('#parameter', '2');
  await page.selectOption('#optimizer', 'momentum');
  await page.fill('#rate', '0.02');
  await page.fill('#outliers', '0.1');
  await page.fill('#start-w', '-1');
  await page.fill('#epoch', '7');
  await page.waitForURL(/epoch=7/);
  const [before, { hash }] = [await settled(page), new URL(page.url())];
  const drawn = await page.getAttribute('#surface svg', 'aria-label');
  await openPlay(hash);
  assert.deepEqual(await settled(page), before);
  assert.equal(await page.getAttribute('#surface svg', 'aria-label'), drawn);
  const values = {};
  for (const id of ['loss', 'parameter', 'optimizer', 'rate', 'outliers', 'start-w', 'epoch']) {
    values[id] = await page.inputValue(`#${id}`);
  }
  assert.deepEqual(values, { loss: 'huber', parameter: '2', optimizer: 'momentum', rate: '0.02', outliers: '0.1', 'start-w': '-1', epoch: '7' });
});

test('a rate above the limit is seen to diverge, and is no error', async () => {
  await openPlay('#rate=0.5');
  assert.match(await page.textContent('#state-text'), /^diverges: the learning rate is above 0\.45$/);
  assert.ok(await page.isHidden('#problem'));
  assert.equal((await settled(page)).epoch, 50);
  // In f32 it ends where the loss is no longer finite.
  await openPlay('#rate=5&epochs=200&engine=gpu');
  assert.match(await page.textContent('#state-text'), /^diverges/);
  assert.ok((await settled(page)).epoch < 200);
  assert.ok(await page.isHidden('#problem'));
});

const drop = (name, text) => page.evaluate(([name, text]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
}, [name, text]);

test('a missing value in a dropped CSV is told', async () => {
  await openPlay();
  await drop('shop.csv', 'day;sales;rain\n1;10,5;3\n2;;4\n3;14,5;5\n4;16,5;6\n');
  await page.waitForSelector('#note:not([hidden])');
  assert.equal(await page.textContent('#note'), '1 row is left out for a missing value; the first is line 3, column “sales”.');
  assert.equal(await page.textContent('#file-name'), 'shop.csv, 4 rows');
  // Through the three others by least squares: sales = 8.5 + 2 day.
  await page.selectOption('#optimizer', 'cutting-plane');
  const { w, b } = await settled(page);
  near(w, 2, 1e-3, 'w');
  near(b, 8.5, 1e-3, 'b');
});

test('text between numbers is an error that names its line', async () => {
  await openPlay();
  await drop('bad.csv', 'x,y\n1,2\n2,four\n3,6\n4,8\n');
  await page.waitForSelector('#problem:not([hidden])');
  assert.equal(await page.textContent('#problem'), 'line 3, column “y”: “four” is not a number.');
});

// All names of fields in a JSON value, with those of the elements of a list together.
function fields(value, path = '') {
  if (Array.isArray(value)) {
    return value.flatMap((element) => fields(element, `${path}[]`));
  }
  if (value === null || typeof value !== 'object') {
    return [path];
  }
  return Object.entries(value).flatMap(([name, inner]) => [path, ...fields(inner, `${path}.${name}`)]);
}

// Runs the bench, and returns its JSON. `prepare` gets the page before the one load that counts.
async function bench(prepare = () => {}) {
  await page?.context().close();
  page = await open(browser, `${site.address}web/#bench`);
  await prepare(page);
  await page.reload();
  await settled(page);
  await page.selectOption('#most', '1e5');
  await page.click('#start-bench');
  await page.waitForFunction(() => document.getElementById('start-bench').textContent === 'Start', null, { timeout: 120000 });
  const download = page.waitForEvent('download');
  await page.click('#save-json');
  const path = join(folder, 'bench.json');
  await (await download).saveAs(path);
  return JSON.parse(readFileSync(path, 'utf8'));
}

test("the bench agrees with f64, and its JSON has the program's fields", async () => {
  const is = await bench();
  assert.equal(await page.textContent('#bench-state'), 'Done.');
  assert.deepEqual(is.rows.map((row) => `${row.samples} ${row.engine}`), [
    '10000 js', '10000 gpu', '10000 gpu-batched', '100000 js', '100000 gpu', '100000 gpu-batched',
  ]);
  for (const row of is.rows) {
    assert.deepEqual([row.agrees, row.failure, row.epoch_seconds.epochs > 0], [true, null, true]);
    assert.equal(row.roof !== null, row.engine !== 'js' && row.samples > 32768);
  }
  const path = join(folder, 'program.json');
  execFileSync(process.env.FALL_LINE, ['bench', '--samples', '1e5', '--engines', 'cpu-1,cpu', '--min-time', '10ms', '--export-json', path], { stdio: 'ignore' });
  const right = JSON.parse(readFileSync(path, 'utf8'));
  assert.equal(is.schema, right.schema);
  assert.deepEqual(Object.keys(is), Object.keys(right));
  const known = new Set(fields(is));
  const missing = fields(right).filter((field) => !known.has(field) && !/^\.(break_even|adapters|warnings|rows\[\]\.evaluation)/.test(field));
  assert.deepEqual(missing, []);
  assert.deepEqual(Object.keys(is.rows[0]), Object.keys(right.rows[0]));
});

test('a wrong shader gets no time', async () => {
  const { rows } = await bench((page) => page.route('**/loss/mse.wgsl', (route) => {
    const right = readFileSync(join(ROOT, 'shaders/loss/mse.wgsl'), 'utf8');
    return route.fulfill({ body: right.replace('2.0 * residual', '2.001 * residual'), contentType: 'text/plain' });
  }));
  assert.equal(rows.length, 6);
  for (const row of rows.filter(({ engine }) => engine !== 'js')) {
    assert.deepEqual([row.agrees, row.epoch_seconds], [false, null]);
    assert.match(row.disagreement, /^the sum of dw is /);
  }
});

test('without WebGPU the page says so, and computes the same', async () => {
  const plain = await launch({ webgpu: false });
  try {
    const page = await open(plain, `${site.address}web/#engine=gpu`);
    const { w, b } = await settled(page);
    assert.equal(await page.textContent('#engine-text'), 'This browser has no WebGPU adapter. Plain JavaScript computes, in f64.');
    near(w, 3.391163507866275, 1e-9, 'w');
    near(b, 3.6314825623163127, 1e-9, 'b');
    await page.click('#tab-bench');
    await page.selectOption('#most', '1e5');
    await page.click('#start-bench');
    await page.waitForFunction(() => document.getElementById('bench-state').textContent === 'Done.', null, { timeout: 60000 });
    assert.equal(await page.textContent('#bench-engine'), 'No WebGPU adapter in this browser: JavaScript alone is timed.');
  } finally {
    await plain.close();
  }
});

// Writes a report with the program, and returns its page and the program's result.
async function report(name, size, ...args) {
  const path = join(folder, `${name}.html`);
  const right = program('train', '--engine', 'cpu', '--format', 'json', '--quiet', '--report', path, ...args);
  await page?.context().close();
  page = await open(browser, String(pathToFileURL(path)), size);
  return { right, is: await settled(page) };
}

for (const [name, ...args] of [
  ['mse', CARS, '--x', 'speed', '--y', 'dist'],
  ['momentum', '--samples', '1e5', '--optimizer', 'momentum', '--epochs', '1500', '--learning-rate', '0.01'],
  ['mae', CARS, '--x', 'speed', '--y', 'dist', '--loss', 'mae', '--init-w', '0', '--init-b', '20'],
  ['dates', join(ROOT, 'tests/data/exports'), '--x', 'day', '--y', 'sales'],
]) {
  test(`the report of ${name} shows the run, and what other settings would do`, async () => {
    const { right, is } = await report(name, undefined, ...args);
    assert.equal(is.w, right.w);
    assert.equal(is.loss, right.final_loss);
    assert.equal(is.epoch, right.epochs);
    near(is.b, right.b, 1e-9 * Math.abs(right.b), 'b');
    for (const chart of ['fit', 'surface', 'curve', 'residuals']) {
      assert.ok((await page.$$(`#${chart} svg path`)).length > 5, chart);
    }
    const line = () => page.getAttribute('#fit path.line', 'd');
    const last = await line();
    await page.fill('#epoch', '0');
    assert.notEqual(await line(), last);
    assert.equal((await settled(page)).w, right.start.w);
    // Other samples than all may be at hand, but least squares have the moments of all.
    await page.selectOption('#loss', 'mse');
    await page.selectOption('#optimizer', 'cutting-plane');
    const { w, b, loss } = await settled(page);
    const { x, y, products } = right.statistics;
    const least = (y.squares - products ** 2 / x.squares) / right.samples;
    near(loss, least, 1e-6 * least, 'the loss of least squares');
    const scale = Math.sqrt(y.squares / x.squares);
    near(w, right.least_squares.w, 1e-3 * scale, 'the slope of least squares');
    near(b + w * x.mean, y.mean, 1e-3 * Math.sqrt(y.squares / right.samples), 'its value at the mean of x');
    assert.match(await page.textContent('#engine-text'), /^Computed here, in f64, from the moments of /);
    // A click on the surface starts there.
    const box = await page.locator('#surface').boundingBox();
    await page.mouse.click(box.x + 0.4 * box.width, box.y + 0.3 * box.height);
    await page.click('#reset');
    assert.notEqual((await settled(page)).w, right.start.w);
    await page.click('#back');
    assert.equal((await settled(page)).w, right.w);
    assert.ok(await page.isHidden('#back'));
  });
}

test('a report of many samples says how many it shows', async () => {
  const { right, is } = await report('many', undefined, '--samples', '1e5', '--loss', 'huber', '--outliers', '0.1');
  assert.equal(is.w, right.w);
  assert.equal(await page.textContent('#surface-text'), 'Contours from 2,000 of 100,000 samples.');
  // Fifty epochs have not converged, and a part of the samples can't tell the least loss of all.
  assert.equal(await page.textContent('#state-text'), 'the least loss is not known');
  assert.ok(await page.isHidden('#surface .cross'));
  assert.match(await page.textContent('footer'), /The shades count [\d,]+ of 100,000 samples, and 2,000 are points\./);
  assert.equal((await page.$$('#fit image')).length, 1);
});

test('the histogram has its bars beside an outlier on either side', async () => {
  const data = join(folder, 'low.csv');
  for (const far of [-1000, 1000]) {
    const rows = Array.from({ length: 60 }, (_, i) => `${i},${i === 30 ? far : i + (i % 7)}`);
    writeFileSync(data, `x,y\n${rows.join('\n')}\n`);
    await report('low', undefined, data, '--loss', 'mae');
    const bars = await page.getAttribute('#residuals path.bars', 'd');
    assert.match(bars, /h\d/);
    assert.doesNotMatch(bars, /NaN/);
  }
});

test('a report prints, and fits a phone', async () => {
  await report('phone', { width: 390, height: 844 }, CARS, '--x', 'speed', '--y', 'dist');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} pixels wider than a phone`);
  assert.ok((await page.pdf()).length > 10000);
  await page.emulateMedia({ media: 'print' });
  assert.ok(await page.isHidden('#controls'));
  assert.ok(await page.isVisible('#surface svg'));
});

test('a report of a descent that diverged finds the least loss', async () => {
  const path = join(folder, 'up.html');
  assert.throws(() => program('train', CARS, '--x', 'speed', '--y', 'dist', '--engine', 'cpu', '--learning-rate', '100', '--force', '--report', path), { status: 5 });
  await page?.context().close();
  page = await open(browser, String(pathToFileURL(path)));
  const { least } = await settled(page);
  near(least, 227.07042102, 1e-4, 'the least loss');
  assert.match(await page.textContent('#state-text'), /^diverges/);
});

test('markup in names stays text', async () => {
  const data = join(folder, 'names.csv');
  writeFileSync(data, '"</script><b>x","<img src=x onerror=alert(1)>"\n1,2\n2,4.1\n3,5.9\n4,8\n');
  await report('names', undefined, data);
  assert.equal(await page.textContent('h1'), '<img src=x onerror=alert(1)> over </script><b>x');
  assert.equal((await page.$$('img, h1 b')).length, 0);
  assert.equal(await page.textContent('#fit text.name'), '</script><b>x');
});

test('every control has a name, and no width makes the page scroll sideways', async () => {
  for (const width of [390, 820, 1280]) {
    await openPlay('#optimizer=adam&loss=quantile', { width, height: 844 });
    for (const tab of ['play', 'bench']) {
      await page.click(`#tab-${tab}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${tab} is ${wide} pixels wider than ${width}`);
    }
  }
  const nameless = await page.$$eval('input, select, button', (controls) => controls
    .filter((control) => !control.labels?.length && !control.ariaLabel && !control.textContent.trim())
    .map(({ id }) => id));
  assert.deepEqual(nameless, []);
});

test('the page is below 200 KB with all shaders', () => {
  const size = (folder) => readdirSync(folder, { withFileTypes: true })
    .reduce((sum, entry) => sum + (entry.isDirectory() ? size(join(folder, entry.name)) : statSync(join(folder, entry.name)).size), 0);
  const [web, shaders] = ['web', 'shaders'].map((name) => size(join(ROOT, name)));
  console.log(`web ${web} bytes, shaders ${shaders}`);
  assert.ok(web + shaders < 200_000);
});

test('no page printed anything, and nothing was fetched from elsewhere', () => {
  // The browser's own remark where it has no adapter; no script can keep it from that.
  assert.deepEqual(printed.filter((text) => text !== 'warning: No available adapters.'), []);
  assert.deepEqual(elsewhere, []);
});
