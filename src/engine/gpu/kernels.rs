//! The compiled phases of `train.wgsl`, and the recorder that dispatches them.

use std::num::NonZeroU64;

use bytemuck::{Pod, Zeroable};

use super::device::Device;
use super::program::{Parameters, Variant, constants, shader};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Sums;

/// The parameters of a dispatch: `Dispatch` of `train.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Dispatch {
    pub w: f32,
    pub b: f32,
    pub step: f32,
    pub x_center: f32,
    pub x_scale: f32,
    pub y_scale: f32,
    pub samples: u32,
    pub epoch: u32,
    pub epochs: u32,
    pub starts: u32,
    pub first_shard: u32,
    pub last_shard: u32,
}

/// The record of an epoch: `Record` of `train.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Record {
    /// Σ loss value, Σ loss derivative · stored x, Σ loss derivative, 0.
    pub totals: [f32; 4],
    /// The drift of w and b after the update: how far they are from the batch's start.
    pub moved: [f32; 2],
    /// The part of the drift that the update added.
    pub added: [f32; 2],
}

impl Record {
    /// Returns the totals, over samples as they are stored.
    pub fn sums(&self) -> Sums {
        let [loss, dw, db, _] = self.totals.map(f64::from);
        Sums { loss, dw, db }
    }
}

/// Bytes of the line's drift: `Way` of `train.wgsl`.
pub const DRIFT: u64 = size_of::<[[f32; 2]; 3]>() as u64;

/// The largest number of dispatches of a submit whose parameters stand in a uniform buffer.
pub const UNIFORMS: u32 = 8192;

/// The phases, compiled for a device, a loss and a variant.
#[derive(Debug)]
pub struct Kernels {
    /// x, y and partial sums of a shard.
    pub shard_layout: wgpu::BindGroupLayout,
    /// The line's drift, which reduce_samples only reads.
    pub before_layout: wgpu::BindGroupLayout,
    /// The line's drift, and records.
    pub after_layout: wgpu::BindGroupLayout,
    reduce_samples: wgpu::ComputePipeline,
    reduce_partials: wgpu::ComputePipeline,
    train_alone: wgpu::ComputePipeline,
    uniform: Option<Uniform>,
    /// Invocations of a workgroup of the two phases, and of the one that trains alone.
    pub sizes: [u32; 2],
}

/// A buffer for parameters that can't travel with the command.
#[derive(Debug)]
struct Uniform {
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
    /// Bytes from one dispatch's parameters to those of the next one.
    stride: u32,
}

impl Kernels {
    /// Compiles a variant. `sizes` are the invocations of a workgroup of the two phases, and of the one that trains alone;
    /// `checks` leaves naga's bounds checks and loop bounds in.
    pub fn new(
        device: &Device,
        loss: Loss,
        variant: Variant,
        sizes: [u32; 2],
        checks: bool,
    ) -> Result<Self, Error> {
        let source = shader(loss, variant);
        Self::compile(device, loss, source, variant.parameters, sizes, checks)
    }

    /// Compiles any source that has the three phases.
    pub fn compile(
        device: &Device,
        loss: Loss,
        source: String,
        parameters: Parameters,
        [workgroup_size, alone]: [u32; 2],
        checks: bool,
    ) -> Result<Self, Error> {
        let gpu = &device.device;
        let module = module(gpu, "train.wgsl", source, checks);
        let shard_layout = layout(gpu, "shard", &[(0, true), (1, true), (2, false)]);
        let before_layout = layout(gpu, "before", &[(0, true)]);
        let after_layout = layout(gpu, "after", &[(1, false), (2, false)]);
        let uniform_layout = matches!(parameters, Parameters::Uniform)
            .then(|| uniform_layout(gpu, size_of::<Dispatch>(), true));
        let pipeline = |entry_point, size, line_layout: &wgpu::BindGroupLayout| {
            let mut layouts = vec![Some(&shard_layout), Some(line_layout)];
            layouts.extend(uniform_layout.iter().map(Some));
            let immediate_size = match parameters {
                Parameters::Immediate => size_of::<Dispatch>() as u32,
                Parameters::Uniform => 0,
            };
            gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: Some(
                    &gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                        label: Some(entry_point),
                        bind_group_layouts: &layouts,
                        immediate_size,
                    }),
                ),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants(loss, size),
                    // Every place is written before it is read.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
        };
        let kernels = Kernels {
            reduce_samples: pipeline("reduce_samples", workgroup_size, &before_layout),
            reduce_partials: pipeline("reduce_partials", workgroup_size, &after_layout),
            train_alone: pipeline("train_alone", alone, &after_layout),
            sizes: [workgroup_size, alone],
            uniform: uniform_layout.map(|layout| Uniform::new(gpu, &layout)),
            shard_layout,
            before_layout,
            after_layout,
        };
        device.check()?;
        Ok(kernels)
    }

    /// Begins a compute pass, to record dispatches into.
    pub fn record<'a>(
        &'a self,
        encoder: &'a mut wgpu::CommandEncoder,
        timestamps: Option<wgpu::ComputePassTimestampWrites>,
    ) -> Recorder<'a> {
        Recorder {
            kernels: self,
            pass: encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("epochs"),
                timestamp_writes: timestamps,
            }),
            parameters: Vec::new(),
        }
    }
}

/// Returns the layout of one dispatch's parameters, so many bytes, in a uniform buffer: `among_others` if that holds those of
/// several dispatches.
pub fn uniform_layout(
    gpu: &wgpu::Device,
    size: usize,
    among_others: bool,
) -> wgpu::BindGroupLayout {
    gpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("dispatch"),
        entries: &[wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: among_others,
                min_binding_size: NonZeroU64::new(size as u64),
            },
            count: None,
        }],
    })
}

/// Returns the bytes from one dispatch's parameters in a uniform buffer to those of the next one.
fn stride(limits: &wgpu::Limits) -> u32 {
    let size = size_of::<Dispatch>() as u32;
    size.next_multiple_of(limits.min_uniform_buffer_offset_alignment)
}

/// Returns the bytes of the uniform buffer for parameters that can't travel with the command.
pub fn uniform_bytes(limits: &wgpu::Limits) -> u64 {
    u64::from(UNIFORMS) * u64::from(stride(limits))
}

impl Uniform {
    fn new(gpu: &wgpu::Device, layout: &wgpu::BindGroupLayout) -> Self {
        let size = size_of::<Dispatch>() as u64;
        let buffer = gpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("dispatches"),
            size: uniform_bytes(&gpu.limits()),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let group = gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("dispatch"),
            layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: NonZeroU64::new(size),
                }),
            }],
        });
        Uniform {
            buffer,
            group,
            stride: stride(&gpu.limits()),
        }
    }
}

/// A compute pass that is being recorded.
///
/// Each dispatch works on the bind group of a shard, and on that of the line: its drift, alone or with records.
pub struct Recorder<'a> {
    kernels: &'a Kernels,
    pass: wgpu::ComputePass<'a>,
    /// The contents of the uniform buffer.
    parameters: Vec<u8>,
}

impl Recorder<'_> {
    /// Records phase one over a shard: a partial sum of each workgroup.
    pub fn reduce_samples(
        &mut self,
        shard: &wgpu::BindGroup,
        line: &wgpu::BindGroup,
        dispatch: &Dispatch,
        workgroups: u32,
    ) {
        let kernels = self.kernels;
        self.dispatch(&kernels.reduce_samples, shard, line, dispatch, workgroups);
    }

    /// Records phase two over a shard's partial sums, and after the last shard the update of the line.
    pub fn reduce_partials(
        &mut self,
        shard: &wgpu::BindGroup,
        line: &wgpu::BindGroup,
        dispatch: &Dispatch,
    ) {
        let kernels = self.kernels;
        self.dispatch(&kernels.reduce_partials, shard, line, dispatch, 1);
    }

    /// Records whole epochs of one workgroup.
    pub fn train_alone(
        &mut self,
        shard: &wgpu::BindGroup,
        line: &wgpu::BindGroup,
        dispatch: &Dispatch,
    ) {
        let kernels = self.kernels;
        self.dispatch(&kernels.train_alone, shard, line, dispatch, 1);
    }

    fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        shard: &wgpu::BindGroup,
        line: &wgpu::BindGroup,
        dispatch: &Dispatch,
        workgroups: u32,
    ) {
        self.pass.set_pipeline(pipeline);
        self.pass.set_bind_group(0, shard, &[]);
        self.pass.set_bind_group(1, line, &[]);
        let bytes = bytemuck::bytes_of(dispatch);
        match &self.kernels.uniform {
            None => self.pass.set_immediates(0, bytes),
            Some(uniform) => {
                let offset = self.parameters.len();
                self.parameters.extend_from_slice(bytes);
                self.parameters.resize(offset + uniform.stride as usize, 0);
                self.pass
                    .set_bind_group(2, &uniform.group, &[offset as u32]);
            }
        }
        self.pass.dispatch_workgroups(workgroups, 1, 1);
    }

    /// Ends the pass, and puts its parameters in place for the next submit.
    pub fn finish(self, queue: &wgpu::Queue) {
        if let Some(uniform) = &self.kernels.uniform {
            queue.write_buffer(&uniform.buffer, 0, &self.parameters);
        }
    }
}

/// Makes a shader module, without naga's runtime checks unless `checks` asks for them.
#[allow(
    unsafe_code,
    reason = "naga's bound on every loop alone has cost others a hundredfold (gfx-rs/wgpu#7698)"
)]
pub fn module(
    gpu: &wgpu::Device,
    label: &'static str,
    source: String,
    checks: bool,
) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    };
    if checks {
        return gpu.create_shader_module(descriptor);
    }
    // SAFETY: all loops count to a bound, and no access is out of bounds. A test runs the phases with loads that report
    // a place beyond the end (gpu/tests.rs). Another one runs every variant with and without the checks, at sizes around
    // each boundary (tests/suite/batches.rs).
    unsafe { gpu.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

/// Returns the layout of storage buffers that are bound whole: the binding of each, and whether it is only read.
pub fn layout(gpu: &wgpu::Device, label: &str, bindings: &[(u32, bool)]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = bindings
        .iter()
        .map(|&(binding, read_only)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    gpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(label),
        entries: &entries,
    })
}

/// Binds whole buffers for a layout that [`layout`] made.
pub fn bind(
    gpu: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    buffers: &[(u32, &wgpu::Buffer)],
) -> wgpu::BindGroup {
    let entries: Vec<_> = buffers
        .iter()
        .map(|&(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    gpu.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout,
        entries: &entries,
    })
}
