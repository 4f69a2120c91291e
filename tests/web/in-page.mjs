// What the tests run inside the page, with its own modules.

// Compiles every combination of shader files, and returns their number and what the compiler says against them. `parts` has the
// names in each folder of shaders/.
export async function compileAll(parts) {
  const { trainShader, shaderText } = await import('./shaders.js');
  const { makeLoss } = await import('./losses.js');
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: ['subgroups'] });
  const errors = [];
  let compiled = 0;
  const compile = async (name, code, entryPoints, constants) => {
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    errors.push(...messages.filter(({ type }) => type === 'error').map(({ message, lineNum }) => `${name}:${lineNum}: ${message}`));
    if (errors.length === 0) {
      await Promise.all(entryPoints.map((entryPoint) => device.createComputePipelineAsync(
        { layout: 'auto', compute: { module, entryPoint, constants: { WORKGROUP_SIZE: 64, ...constants } } },
      ).catch((error) => errors.push(`${name}, ${entryPoint}: ${error.message}`))));
    }
    compiled++;
  };
  const immediate = [...navigator.gpu.wgslLanguageFeatures].includes('immediate_address_space');
  for (const loss of parts.loss) {
    for (const samples of parts.samples) {
      for (const loads of parts.loads) {
        for (const sum of parts.sum) {
          for (const dispatch of parts.dispatch.filter((name) => name !== 'immediate' || immediate)) {
            const name = [loss, samples, loads, sum, dispatch].join(' ');
            const code = await trainShader(loss, { samples, loads, sum, dispatch });
            const phases = dispatch === 'uniform' ? ['reduce_samples', 'reduce_partials', 'train_alone'] : [];
            await compile(name, code, phases, makeLoss(loss).constants);
          }
        }
      }
      const files = ['losses', `loss/${loss}`, `samples/${samples}`, 'sum/tree', 'dispatch/uniform'];
      const texts = await Promise.all(files.map((file) => shaderText(`${file}.wgsl`)));
      await compile(`losses.wgsl ${loss} ${samples}`, texts.join(''), ['reduce_losses'], makeLoss(loss).constants);
    }
  }
  await compile('read.wgsl', await shaderText('read.wgsl'), ['read_samples'], {});
  // The program appends these numbers; and it sends the parameters with the command, which not every browser can.
  const numbers = ['SPLIT', 'CENTRAL_MIDDLE', 'TAIL_MIDDLE'].map((name) => `const ${name} = 1f;`)
    .concat(['CENTRAL', 'TAIL'].map((name) => `const ${name} = array<f32, 9>();`)).join('\n');
  const draw = await shaderText('draw.wgsl');
  const code = immediate ? draw : draw.replace('var<immediate> draw', '@group(1) @binding(0) var<uniform> draw');
  await compile('draw.wgsl', `${code}\n${numbers}`, immediate ? [] : ['draw_samples'], {});
  device.destroy();
  return { compiled, errors };
}

// Compares the sums of the WebGPU engine with those in f64, at sizes on both sides of where a workgroup, a turn of loads and
// a shard end; and its epochs and its losses of many lines, each in several submits.
export async function compareEngines({ losses, rounding }) {
  const { GpuEngine, openGpu } = await import('./engine-gpu.js');
  const { JsEngine } = await import('./engine-js.js');
  const { makeLoss } = await import('./losses.js');
  const { draw } = await import('./data.js');
  const gpu = await openGpu();
  gpu.perShard = 65536;
  const errors = [];
  let compared = 0;
  const near = (is, right, bound, what) => {
    compared++;
    if (!(Math.abs(is - right) <= bound)) {
      errors.push(`${what}: ${is} instead of ${right}, more than ${bound} apart`);
    }
  };
  const model = { w: -1.5, b: 0.5 };
  for (const [name, sum] of [...losses.map((name) => [name, gpu.sum]), ['mse', 'tree']]) {
    if (sum !== gpu.sum) {
      gpu.sum = sum;
      gpu.kernels.clear();
    }
    const loss = makeLoss(name, 0.7);
    for (const samples of [1, 2, 4095, 4097, 32768, 32769, 65537, 150001]) {
      const { x, y } = draw({ samples, slope: 3, intercept: 4, noise: 1, outliers: 0.1, seed: 7 });
      const columns = [x, y].map((values) => Float32Array.from(values));
      const what = `${name} of ${samples}`;
      const engine = await GpuEngine.create(gpu, ...columns, loss);
      const exact = new JsEngine(...columns, loss);
      const [is, right] = [await engine.evaluate(model), exact.evaluate(model)];
      // Σ|term|: nearly all terms have one sign here.
      for (const sum of ['loss', 'dw', 'db']) {
        near(is[sum], right[sum], rounding * Math.abs(right[sum]), `${what}, ${sum}`);
      }
      engine.perSubmit = 2;
      const [rate, epochs] = [0.05, 3];
      const walked = exact.descend(model, rate, epochs).at(-1).model;
      const { w, b } = (await engine.descend(model, rate, epochs)).at(-1).model;
      // Each epoch adds the rounding of a gradient, and of a step over some lines a sample on the other side of a corner.
      const off = rate * epochs * (rounding * 100 + 4 / samples);
      near(w, walked.w, off, `${what}, w`);
      near(b, walked.b, off, `${what}, b`);
      const lines = [model, { w: 3, b: 4 }, { w: 0, b: 0 }];
      const many = await engine.losses(lines);
      exact.losses(lines).forEach((value, i) => near(many[i], value, rounding * value, `${what}, line ${i}`));
      engine.destroy();
    }
  }
  gpu.device.destroy();
  return { compared, errors };
}
