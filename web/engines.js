// The choice between the two engines of the page.

import { GpuEngine, openGpu } from './engine-gpu.js';
import { JsEngine } from './engine-js.js';

let gpu;

// Opens the GPU once; null where there is none, or once it is lost.
async function theGpu() {
  if (gpu === undefined) {
    gpu = await openGpu().catch(() => null);
    gpu?.device.lost.then(() => { gpu = null; });
  }
  return gpu;
}

// Returns the function that makes an engine over columns, and says which it is. A software adapter is slower than JavaScript,
// so it computes only where it is asked for.
export function chooseEngine(wanted) {
  return async ({ x, y, loss }) => {
    const gpu = wanted === 'js' ? null : await theGpu();
    if (gpu && (wanted === 'gpu' || !gpu.software)) {
      const engine = await GpuEngine.create(gpu, x, y, loss);
      return { engine, engineText: `WebGPU on ${gpu.title}, in f32.` };
    }
    const why = wanted === 'js' ? ''
      : gpu ? `WebGPU would run on a software adapter here (${gpu.name}), which is slower. `
        : 'This browser has no WebGPU adapter. ';
    return { engine: new JsEngine(x, y, loss), engineText: `${why}Plain JavaScript computes, in f64.` };
  };
}
