// Where samples come from: the article's draws, digit by digit, and text files.

// MT19937 with NumPy's legacy doubles and normals on top: np.random.seed, rand and randn. The twin of src/data/numpy.rs.
export class Legacy {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.at = 624;
    this.cached = null;
  }

  word() {
    if (this.at === 624) {
      this.twist();
    }
    let word = this.state[this.at++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  twist() {
    const { state } = this;
    for (let i = 0; i < 624; i++) {
      const word = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      state[i] = state[(i + 397) % 624] ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  uniform() {
    const [high, low] = [this.word() >>> 5, this.word() >>> 6];
    return (high * 67108864 + low) / 9007199254740992;
  }

  // By Marsaglia's polar method, two at a time.
  normal() {
    if (this.cached !== null) {
      const normal = this.cached;
      this.cached = null;
      return normal;
    }
    for (;;) {
      const [first, second] = [2 * this.uniform() - 1, 2 * this.uniform() - 1];
      const square = first * first + second * second;
      if (square < 1 && square !== 0) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        this.cached = scale * first;
        return scale * second;
      }
    }
  }
}

// Standard deviations of the noise by which an outlier lies too high.
const OUTLIER = 20;

// Draws the article's samples, x in [0, 2), and the start of training behind them. Outliers are chosen by draws of their own,
// so that all other samples stay as they are.
export function draw({ samples, slope, intercept, noise, outliers, seed }) {
  const legacy = new Legacy(seed);
  const x = Float64Array.from({ length: samples }, () => 2 * legacy.uniform());
  const y = x.map((x) => intercept + slope * x + noise * legacy.normal());
  const start = { w: legacy.normal(), b: legacy.normal() };
  for (let i = 0; i < samples && outliers > 0; i++) {
    y[i] += legacy.uniform() < outliers ? OUTLIER * noise : 0;
  }
  return { x, y, start };
}

const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '-', '.', '?']);

// Splits text into rows of fields, each row with its line. Quoted fields may hold delimiters, line ends and doubled quotes.
function split(text, delimiter) {
  const rows = [];
  let [fields, field, quoted, line, begins] = [[], '', false, 1, 1];
  const end = () => {
    fields.push(field.trim());
    if (fields.length > 1 || fields[0] !== '') {
      rows.push({ line: begins, fields });
    }
    [fields, field] = [[], ''];
  };
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    line += sign === '\n' ? 1 : 0;
    if (quoted && sign === '"' && text[i + 1] === '"') {
      field += sign;
      i++;
    } else if (sign === '"' && (quoted || field.trim() === '')) {
      quoted = !quoted;
    } else if (quoted || (sign !== delimiter && sign !== '\n')) {
      field += sign;
    } else if (sign === delimiter) {
      fields.push(field.trim());
      field = '';
    } else {
      end();
      begins = line;
    }
  }
  end();
  return rows;
}

// Reads a table of text: comma, semicolon or tab, a header or none, lines that start with # left out.
export function parseTable(text) {
  const lines = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const head = lines.split('\n', 50).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (head.length === 0) {
    throw new Error('the file is empty');
  }
  const count = (sign) => head[0].split(sign).length - 1;
  const delimiter = ['\t', ';', ','].reduce((most, sign) => (count(sign) > count(most) ? sign : most));
  const rows = split(lines, delimiter).filter(({ fields }) => !fields[0].startsWith('#'));
  const decimalComma = delimiter !== ',' && rows.some(({ fields }) => fields.some((field) => /^[+-]?\d+,\d+$/.test(field)));
  // Returns NaN for a missing value, and null for text.
  const value = (field = '') => {
    const plain = decimalComma ? field.replace(',', '.') : field;
    if (MISSING.has(field.toLowerCase())) {
      return NaN;
    }
    const number = Number(plain);
    return Number.isFinite(number) ? number : null;
  };
  const isHeader = rows[0].fields.every((field) => value(field) === null || field === '') && rows.length > 1;
  const names = rows[0].fields.map((field, i) => (isHeader && field !== '' ? field : `column ${i + 1}`));
  const body = isHeader ? rows.slice(1) : rows;
  // A column is numeric if most of its values are.
  const numeric = names.map((_, i) => {
    const values = body.map(({ fields }) => value(fields[i])).filter((value) => !Number.isNaN(value));
    return values.filter((value) => value !== null).length > values.length / 2;
  });
  const choices = names.map((_, i) => i).filter((i) => numeric[i]);
  if (choices.length < 2) {
    throw new Error(`two columns of numbers are needed; the file has ${choices.length}`);
  }
  return { names, choices, rows: body, value };
}

// Returns two columns of a table, and a sentence on rows that are left out. Text between numbers is an error.
export function columnsOf({ names, rows, value }, xColumn, yColumn) {
  const [x, y, missing] = [[], [], []];
  for (const { line, fields } of rows) {
    const pair = [xColumn, yColumn].map((column) => {
      const number = value(fields[column]);
      if (number === null) {
        throw new Error(`line ${line}, column “${names[column]}”: “${fields[column]}” is not a number`);
      }
      return number;
    });
    if (pair.some(Number.isNaN)) {
      missing.push({ line, name: names[Number.isNaN(pair[0]) ? xColumn : yColumn] });
    } else {
      x.push(pair[0]);
      y.push(pair[1]);
    }
  }
  if (x.length === 0) {
    throw new Error('no row has a value in both columns');
  }
  const first = missing[0];
  const left = missing.length === 1 ? 'row is' : 'rows are';
  const note = first
    ? `${missing.length} ${left} left out for a missing value; the first is line ${first.line}, column “${first.name}”.`
    : '';
  return { x: Float64Array.from(x), y: Float64Array.from(y), note };
}
