// The cutting plane with centres of gravity (Levin 1965, Newman 1965): the twin of src/train/cutting_plane.rs, which has the
// reasons. Each gradient rules out a half-plane of lines; the next line is the centre of what is left.

// The share of the loss that f32 sums can't resolve, and their largest rounding, which engines are tested to.
const RESOLUTION = 2 ** -22;
const RESOLUTION_FAR = 1e-6;
const MAX_ROUNDING = 2 ** -19;
// A box that holds no better line grows by this factor, up to so many times.
const GROWTH = 4;
const MAX_GROWTHS = 10;

// Returns a line as the engine really evaluates it.
export function rounded({ w, b }) {
  return { w: Math.fround(w), b: Math.fround(b) };
}

// Returns the function from an evaluated line to the next one and the best one so far. The next one is null once the best
// is known: losses no longer differ in f32, and gradients alone have led on to within `tolerance`.
export function cuttingPlane(from, half, tolerance) {
  const start = rounded(from);
  let reach = half;
  const cuts = [];
  let byGradient = false;
  const flat = (cut) => cut.dw === 0 && cut.db === 0;

  const bestCut = () => {
    const lowest = cuts.reduce((best, cut) => (cut.loss < best.loss ? cut : best));
    if (!byGradient) {
      return lowest;
    }
    const equal = cuts.filter((cut) => cut.loss <= lowest.loss * (1 + RESOLUTION)).reverse();
    return equal.find(flat) ?? equal[0];
  };
  const box = (best, reach) => rectangle(
    [start.w - reach.w - best.w, start.b - reach.b - best.b],
    [start.w + reach.w - best.w, start.b + reach.b - best.b],
  );
  const newLine = (best, offset) => {
    const line = offset && rounded({ w: best.w + offset[0], b: best.b + offset[1] });
    const fresh = line && Number.isFinite(line.w + line.b) && cuts.every((cut) => cut.w !== line.w || cut.b !== line.b);
    return fresh ? line : null;
  };
  const grow = (reach) => ({ w: GROWTH * reach.w, b: GROWTH * reach.b });

  // The centre of the lines that may be better by more than the loss can resolve.
  const nextByLoss = (growths) => {
    const best = bestCut();
    let grown = reach;
    while (Math.abs(best.w - start.w) > 0.5 * grown.w || Math.abs(best.b - start.b) > 0.5 * grown.b) {
      grown = grow(grown);
    }
    for (let i = 0; i <= growths; i++, grown = grow(grown)) {
      let left = box(best, grown);
      const level = best.loss * (1 - RESOLUTION);
      for (const cut of cuts) {
        const above = (cut.loss - level) * (1 - RESOLUTION_FAR);
        left = clip(left, cut.dw, cut.db, cut.dw * (cut.w - best.w) + cut.db * (cut.b - best.b) - above);
      }
      const next = newLine(best, centroid(left));
      if (next) {
        reach = grown;
        return next;
      }
    }
    return null;
  };

  // The lines that gradients leave. Each cut leaves room for the last digit of its gradient.
  const leftByGradient = (best) => {
    let left = box(best, reach);
    for (const cut of cuts) {
      const [low, high] = bounds(left) ?? [];
      if (!low) {
        return [];
      }
      const excess = cut.loss * (1 - MAX_ROUNDING) - best.loss * (1 + MAX_ROUNDING);
      const along = (gradient, at, low, high) =>
        gradient * at + RESOLUTION * Math.abs(gradient) * Math.max(high - at, at - low);
      const offset = along(cut.dw, cut.w - best.w, low[0], high[0]) + along(cut.db, cut.b - best.b, low[1], high[1]);
      left = clip(left, cut.dw, cut.db, offset - Math.max(excess, 0));
    }
    return left;
  };
  const nextByGradient = () => {
    const best = bestCut();
    if (flat(best)) {
      return null;
    }
    for (;;) {
      const left = leftByGradient(best);
      const [low, high] = bounds(left) ?? [];
      if (!low) {
        return null;
      }
      const middle = [start.w - best.w, start.b - best.b];
      const inner = [0.5 * reach.w, 0.5 * reach.b];
      const outer = [0, 1].some((i) => low[i] > middle[i] + inner[i] || high[i] < middle[i] - inner[i]);
      if (outer) {
        reach = grow(reach);
        continue;
      }
      const known = Math.max(high[0], -low[0]) <= tolerance.w && Math.max(high[1], -low[1]) <= tolerance.b;
      return known ? null : newLine(best, centroid(left));
    }
  };

  return (seen) => {
    cuts.push(seen);
    const next = nextByLoss(0);
    byGradient = !next;
    const line = next ?? nextByGradient() ?? nextByLoss(MAX_GROWTHS);
    return { line, best: bestCut() };
  };
}

// Convex polygons are lists of corners, counter-clockwise.
function rectangle(low, high) {
  return [low, [high[0], low[1]], high, [low[0], high[1]]];
}

// Keeps the points p with normal · p < offset.
function clip(corners, normalW, normalB, offset) {
  const beyond = (p) => normalW * p[0] + normalB * p[1] - offset;
  return corners.flatMap((to, i) => {
    const from = corners.at(i - 1);
    const [a, b] = [beyond(from), beyond(to)];
    const t = a / (a - b);
    const crossing = (a < 0) !== (b < 0) ? [[from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])]] : [];
    return b < 0 ? [...crossing, to] : crossing;
  });
}

function bounds(corners) {
  const ends = (pick) => [0, 1].map((i) => pick(...corners.map((p) => p[i])));
  return corners.length ? [ends(Math.min), ends(Math.max)] : null;
}

// Returns the centre of gravity, or null without an area. Triangles from the first corner keep a small polygon's digits.
function centroid(corners) {
  let [area, w, b] = [0, 0, 0];
  for (let i = 1; i + 1 < corners.length; i++) {
    const [p, q] = [corners[i], corners[i + 1]].map((c) => [c[0] - corners[0][0], c[1] - corners[0][1]]);
    const twice = p[0] * q[1] - p[1] * q[0];
    area += twice;
    w += ((p[0] + q[0]) * twice) / 3;
    b += ((p[1] + q[1]) * twice) / 3;
  }
  return area > 0 ? [corners[0][0] + w / area, corners[0][1] + b / area] : null;
}
