// The engine on WebGPU: the files of shaders/, dispatched as src/engine/gpu/ does.

import { shaderText, trainShader } from './shaders.js';

// Samples that one workgroup trains on alone.
const ALONE = 32768;
// Dispatches of a submit, each with its place in the uniform buffer; and records of a submit, of 32 bytes each.
const DISPATCHES = 8192;
const RECORDS = 4096;
const RECORD_FLOATS = 8;
// Invocations of a workgroup, and loads that an invocation has under way.
const WORKGROUP_SIZE = 256;
const LOADS = { name: 'four', count: 4 };
// Loads that an invocation adds up at most, so that f32 sums stay short.
const LONGEST_SUM = 1024;
// Terms that a submit computes at most, so that no watchdog ends it.
const TERMS = { hardware: 2e9, software: 1e8 };
// Samples of a shard are a multiple of this.
const BLOCK = 65536;

// Returns the GPU, or null where the browser has no WebGPU adapter.
export async function openGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) {
    return null;
  }
  const { limits, info } = adapter;
  const has = (feature) => adapter.features.has(feature);
  const device = await adapter.requestDevice({
    requiredFeatures: ['subgroups'].filter(has),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    },
  });
  // sum/subgroup.wgsl needs more than the feature: subgroup_id, which browsers had later.
  return new Gpu(device, info, has('subgroups') && navigator.gpu.wgslLanguageFeatures.has('subgroup_id'));
}

// A device, and the kernels that were compiled for it.
class Gpu {
  constructor(device, info, subgroups) {
    const software = info.isFallbackAdapter ?? /swiftshader|llvmpipe|basic render/i.test(`${info.architecture} ${info.description}`);
    const name = info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed adapter';
    const sum = subgroups ? 'subgroup' : 'tree';
    const title = software ? `${name}, a software adapter, which says nothing about GPU speed` : name;
    Object.assign(this, { device, info, name, title, software, sum });
    this.kernels = new Map();
    const buffers = (label, entries) => device.createBindGroupLayout({
      label,
      entries: entries.map(([binding, type, hasDynamicOffset = false]) => (
        { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type, hasDynamicOffset } })),
    });
    this.shard = buffers('shard', [[0, 'read-only-storage'], [1, 'read-only-storage'], [2, 'storage']]);
    this.before = buffers('before', [[0, 'read-only-storage']]);
    this.after = buffers('after', [[1, 'storage'], [2, 'storage']]);
    this.uniform = buffers('dispatch', [[0, 'uniform', true]]);
    this.stride = Math.max(48, device.limits.minUniformBufferOffsetAlignment);
    // Samples of a binding, in whole blocks.
    const samples = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize) / 4;
    this.perShard = Math.floor(Math.min(samples, 2 ** 30) / BLOCK) * BLOCK;
  }

  // Compiles one entry point.
  pipeline(module, entryPoint, layouts, constants) {
    const layout = this.device.createPipelineLayout({ bindGroupLayouts: layouts });
    return this.device.createComputePipelineAsync({ label: entryPoint, layout, compute: { module, entryPoint, constants } });
  }

  // Returns the phases of train.wgsl for a loss, compiled once.
  kernelsFor(loss) {
    const key = JSON.stringify([loss.name, loss.constants]);
    if (!this.kernels.has(key)) {
      this.kernels.set(key, this.compile(loss));
    }
    return this.kernels.get(key);
  }

  async compile(loss) {
    const code = await trainShader(loss.name, { loads: LOADS.name, sum: this.sum });
    const module = this.device.createShaderModule({ label: 'train.wgsl', code });
    const constants = { WORKGROUP_SIZE, ...loss.constants };
    const phase = (entryPoint, line) => this.pipeline(module, entryPoint, [this.shard, line, this.uniform], constants);
    const [samples, partials, alone] = await Promise.all([
      phase('reduce_samples', this.before), phase('reduce_partials', this.after), phase('train_alone', this.after),
    ]);
    return { samples, partials, alone };
  }

  // Returns the kernel that only reads the samples.
  async readKernel() {
    this.read ??= this.pipeline(
      this.device.createShaderModule({ label: 'read.wgsl', code: await shaderText('read.wgsl') }),
      'read_samples', [this.shard], { WORKGROUP_SIZE });
    return this.read;
  }

  workgroups(samples) {
    const turns = Math.ceil(samples / (4 * WORKGROUP_SIZE * LOADS.count));
    const least = Math.ceil(samples / (4 * WORKGROUP_SIZE * LONGEST_SUM));
    return Math.max(Math.min(this.software ? 8 : 1024, turns), least);
  }
}

export class GpuEngine {
  // Uploads the samples, and compiles the loss unless that was done before. Throws where memory is short.
  static async create(gpu, x, y, loss) {
    const engine = new GpuEngine(gpu, x.length);
    gpu.device.pushErrorScope('out-of-memory');
    gpu.device.pushErrorScope('validation');
    engine.upload(x, y);
    const errors = [gpu.device.popErrorScope(), gpu.device.popErrorScope()];
    const error = (await Promise.all(errors)).find(Boolean);
    if (error) {
      engine.destroy();
      throw new Error(error.message || 'out of memory');
    }
    engine.kernels = await gpu.kernelsFor(loss);
    return engine;
  }

  constructor(gpu, samples) {
    Object.assign(this, { gpu, samples, buffers: [], shards: [] });
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, UNIFORM } = GPUBufferUsage;
    const records = 4 * RECORD_FLOATS * RECORDS;
    const drift = this.buffer('drift', 24, STORAGE);
    this.records = this.buffer('records', records, STORAGE | COPY_SRC);
    this.readback = this.buffer('readback', records, MAP_READ | COPY_DST);
    this.parameters = this.buffer('dispatches', DISPATCHES * gpu.stride, UNIFORM | COPY_DST);
    this.before = this.bind(gpu.before, { 0: drift });
    this.after = this.bind(gpu.after, { 1: drift, 2: this.records });
    this.uniform = gpu.device.createBindGroup({
      layout: gpu.uniform,
      entries: [{ binding: 0, resource: { buffer: this.parameters, size: 48 } }],
    });
    const most = TERMS[gpu.software ? 'software' : 'hardware'];
    // Epochs, or lines, of a submit.
    this.perSubmit = Math.max(1, Math.min(RECORDS, Math.floor(most / samples)));
  }

  buffer(label, size, usage) {
    const buffer = this.gpu.device.createBuffer({ label, size, usage });
    this.buffers.push(buffer);
    return buffer;
  }

  bind(layout, buffers) {
    const entries = Object.entries(buffers).map(([binding, buffer]) => ({ binding: +binding, resource: { buffer } }));
    return this.gpu.device.createBindGroup({ layout, entries });
  }

  // Casts to f32 and uploads a few blocks at a time, so that no second copy stands in memory.
  upload(x, y) {
    const { gpu } = this;
    for (let start = 0; start < this.samples; start += gpu.perShard) {
      const samples = Math.min(gpu.perShard, this.samples - start);
      const column = (label, values) => {
        const buffer = this.buffer(label, Math.ceil(samples / 4) * 16, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
        for (let at = 0; at < samples; at += 16 * BLOCK) {
          const part = values.subarray(start + at, start + Math.min(at + 16 * BLOCK, samples));
          gpu.device.queue.writeBuffer(buffer, 4 * at, part instanceof Float32Array ? part : Float32Array.from(part));
        }
        return buffer;
      };
      const workgroups = gpu.workgroups(samples);
      const partials = this.buffer('partial sums', 16 * workgroups, GPUBufferUsage.STORAGE);
      this.shards.push({ samples, workgroups, group: this.bind(gpu.shard, { 0: column('x', x), 1: column('y', y), 2: partials }) });
    }
    this.perSubmit = Math.min(this.perSubmit, Math.floor(DISPATCHES / (2 * this.shards.length)));
  }

  // Returns the dispatches of one epoch; or, where one workgroup does, of several.
  epoch(parameters, epochs = 1) {
    const { samples, partials, alone } = this.kernels;
    if (this.samples <= ALONE) {
      return [{ pipeline: alone, shard: this.shards[0], line: this.after, workgroups: 1, ...parameters, epochs }];
    }
    const phase = (pipeline, line, workgroups) => this.shards.map((shard, i) => ({
      pipeline, shard, line, workgroups: workgroups ?? shard.workgroups, ...parameters,
      firstShard: +(i === 0), lastShard: +(i + 1 === this.shards.length),
    }));
    return [...phase(samples, this.before), ...phase(partials, this.after, 1)];
  }

  // Dispatches, and returns the first `records` records: eight numbers each.
  async submit(dispatches, records) {
    const { device, stride } = this.gpu;
    const data = new DataView(new ArrayBuffer(stride * dispatches.length));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    dispatches.forEach((dispatch, i) => {
      const { w, b, step = 0, epoch = 0, epochs = 0, starts = 1, firstShard = 1, lastShard = 1 } = dispatch;
      [w, b, step, 0, 1, 1].forEach((value, at) => data.setFloat32(i * stride + 4 * at, value, true));
      [dispatch.shard.samples, epoch, epochs, starts, firstShard, lastShard]
        .forEach((value, at) => data.setUint32(i * stride + 24 + 4 * at, value, true));
      pass.setPipeline(dispatch.pipeline);
      pass.setBindGroup(0, dispatch.shard.group);
      pass.setBindGroup(1, dispatch.line);
      pass.setBindGroup(2, this.uniform, [i * stride]);
      pass.dispatchWorkgroups(dispatch.workgroups);
    });
    pass.end();
    device.queue.writeBuffer(this.parameters, 0, data.buffer);
    return this.read(encoder, records);
  }

  async read(encoder, records) {
    const bytes = 4 * RECORD_FLOATS * records;
    encoder.copyBufferToBuffer(this.records, 0, this.readback, 0, bytes);
    this.gpu.device.queue.submit([encoder.finish()]);
    await this.readback.mapAsync(GPUMapMode.READ, 0, bytes);
    const copy = new Float32Array(this.readback.getMappedRange(0, bytes).slice(0));
    this.readback.unmap();
    return Array.from({ length: records }, (_, i) => copy.subarray(RECORD_FLOATS * i, RECORD_FLOATS * (i + 1)));
  }

  async evaluate({ w, b }) {
    const [[loss, dw, db]] = await this.submit(this.epoch({ w, b }), 1);
    return { loss, dw, db };
  }

  // Runs gradient descent on the device, and returns the sums before and the line after each epoch.
  async descend({ w, b }, rate, epochs) {
    const taken = [];
    let moved = [0, 0];
    while (taken.length < epochs) {
      const count = Math.min(this.perSubmit, epochs - taken.length);
      const parameters = (epoch) => ({ w, b, step: rate / this.samples, epoch, starts: +(taken.length + epoch === 0) });
      const dispatches = this.samples <= ALONE
        ? this.epoch(parameters(0), count)
        : Array.from({ length: count }, (_, epoch) => this.epoch(parameters(epoch))).flat();
      for (const [loss, dw, db, , movedW, movedB, addedW, addedB] of await this.submit(dispatches, count)) {
        // `moved` is rounded from this sum.
        const model = { w: w + moved[0] + addedW, b: b + moved[1] + addedB };
        taken.push({ sums: { loss, dw, db }, model });
        moved = [movedW, movedB];
      }
    }
    return taken;
  }

  // Returns the mean loss of each of many lines.
  async losses(models) {
    const losses = new Float64Array(models.length);
    for (let at = 0; at < models.length; at += this.perSubmit) {
      const some = models.slice(at, at + this.perSubmit);
      const records = await this.submit(some.flatMap(({ w, b }, epoch) => this.epoch({ w, b, epoch })), some.length);
      records.forEach(([loss], i) => { losses[at + i] = loss / this.samples; });
    }
    return losses;
  }

  // Reads all samples `times` times and hardly computes: the roof.
  async readOnly(times) {
    const pipeline = await this.gpu.readKernel();
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let i = 0; i < times; i++) {
      for (const { group, workgroups } of this.shards) {
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(workgroups);
      }
    }
    pass.end();
    await this.read(encoder, 1);
  }

  destroy() {
    this.buffers.forEach((buffer) => buffer.destroy());
  }
}
