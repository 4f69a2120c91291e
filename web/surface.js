// The loss as a surface over all lines: its range, its grid and its contours. A line stands at (w, v), where v is its value
// at `center`, the x that samples are centred on: b itself where that is 0.

export const GRID = 64;

// Returns the range of (w, v) in which the least loss and the path are seen; of a path that runs away, its first part.
export function surfaceRange(points, least, curvature) {
  const around = (of, half) => {
    const [from, to] = [of(points[0]), of(least)];
    const reach = Math.max(Math.abs(from - to), half);
    const near = points.map(of).filter((value) => Math.abs(value - to) < 2 * reach);
    const [low, high] = [Math.min(...near, to - half), Math.max(...near, to + half)];
    const margin = 0.12 * (high - low);
    return [low - margin, high + margin];
  };
  return { w: around((p) => p.w, curvature.w), v: around((p) => p.v, curvature.v) };
}

// Returns the lines of the grid, row by row from the lowest v.
export function gridLines({ w, v }, center) {
  const lines = [];
  for (let row = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      const slope = w[0] + ((w[1] - w[0]) * column) / (GRID - 1);
      const value = v[0] + ((v[1] - v[0]) * row) / (GRID - 1);
      lines.push({ w: slope, b: value - slope * center });
    }
  }
  return lines;
}

// Returns the mean squared residual of many lines from the moments of the samples: exact for any number of them.
export function momentLosses({ samples, x, y, products }, lines) {
  return Float64Array.from(lines, ({ w, b }) => {
    const middle = w * x.mean + b - y.mean;
    return (w * w * x.squares - 2 * w * products + y.squares) / samples + middle * middle;
  });
}

// Returns the levels of contours: 1, 2 and 5 times powers of ten above the least loss, up to some fifteen.
export function contourLevels(losses, least) {
  const levels = [];
  const highest = Math.max(...losses) - least;
  const lowest = Math.max(Math.min(...losses) - least, highest * 1e-5);
  for (let power = Math.floor(Math.log10(lowest)); highest > 0 && power <= Math.log10(highest); power++) {
    levels.push(...[1, 2, 5].map((factor) => factor * 10 ** power));
  }
  return levels.filter((level) => level > lowest && level < highest).slice(-15);
}

// Returns the pieces of a contour, one for each crossing of a cell (marching squares), in units of the grid from 0 to 1.
export function contourPieces(losses, level) {
  const pieces = [];
  const last = GRID - 1;
  const at = (column, row) => losses[row * GRID + column] - level;
  for (let row = 0; row < last; row++) {
    for (let column = 0; column < last; column++) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
      const crossings = corners.flatMap(([c, r], i) => {
        const [toC, toR] = corners[(i + 1) % 4];
        const [a, b] = [at(c, r), at(toC, toR)];
        const t = a / (a - b);
        return (a < 0) !== (b < 0) ? [[(c + t * (toC - c)) / last, (r + t * (toR - r)) / last]] : [];
      });
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        pieces.push([crossings[i], crossings[i + 1]]);
      }
    }
  }
  return pieces;
}
