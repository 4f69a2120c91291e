// The engines in plain JavaScript, in f64: for pages without a WebGPU adapter, for reports, and as the reference of the bench.

import { momentLosses } from './surface.js';

// Gradient descent by whatever sums a class evaluates.
class HostEngine {
  // Runs gradient descent at a constant rate, and returns the sums before and the line after each epoch.
  descend(model, rate, epochs) {
    const taken = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const sums = this.evaluate(model);
      const step = rate / this.samples;
      model = { w: model.w - step * sums.dw, b: model.b - step * sums.db };
      taken.push({ sums, model });
    }
    return taken;
  }

  destroy() {}
}

export class JsEngine extends HostEngine {
  constructor(x, y, loss) {
    super();
    Object.assign(this, { x, y, loss, samples: x.length });
  }

  // Returns the sums of loss value, and of loss derivative by w and by b.
  evaluate({ w, b }) {
    const { x, y, loss } = this;
    let [sum, dw, db] = [0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      const residual = w * x[i] + b - y[i];
      const derivative = loss.derivative(residual);
      sum += loss.value(residual);
      dw += derivative * x[i];
      db += derivative;
    }
    return { loss: sum, dw, db };
  }

  // Returns the mean loss of each of many lines.
  losses(models) {
    const { x, y, loss, samples } = this;
    return Float64Array.from(models, ({ w, b }) => {
      let sum = 0;
      for (let i = 0; i < samples; i++) {
        sum += loss.value(w * x[i] + b - y[i]);
      }
      return sum / samples;
    });
  }
}

// The sums of mse from the moments of the samples: exact for any number of them.
export class MomentEngine extends HostEngine {
  // Takes the statistics of the samples, and the coordinates to compute in.
  constructor({ samples, x, y, products }, { xCenter, xScale, yCenter, yScale, trend }) {
    super();
    const rest = products - trend * x.squares;
    const distance = x.mean - xCenter;
    this.samples = samples;
    this.moments = {
      samples,
      x: { mean: distance / xScale, squares: x.squares / xScale ** 2 },
      y: {
        mean: (y.mean - yCenter - trend * distance) / yScale,
        squares: Math.max(y.squares - trend * (products + rest), 0) / yScale ** 2,
      },
      products: rest / (xScale * yScale),
    };
  }

  evaluate(line) {
    const { samples, x, y, products } = this.moments;
    const [loss] = momentLosses(this.moments, [line]);
    const middle = line.w * x.mean + line.b - y.mean;
    const along = line.w * x.squares - products;
    return { loss: samples * loss, dw: 2 * (along + samples * middle * x.mean), db: 2 * samples * middle };
  }
}
