// The engine in plain JavaScript, in f64: for pages without a WebGPU adapter, and as the reference of the bench.

export class JsEngine {
  constructor(x, y, loss) {
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

  destroy() {}
}
