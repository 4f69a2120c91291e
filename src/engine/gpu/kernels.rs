//! The compiled phases of `train.wgsl`, and how an epoch is recorded with them.

use std::num::NonZeroU64;

use bytemuck::{Pod, Zeroable};

use super::device::Device;
use super::program::{Parameters, Variant, constants, shader};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Sums;

/// `Dispatch` of `train.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(super) struct Dispatch {
    pub(super) w: f32,
    pub(super) b: f32,
    pub(super) step: f32,
    pub(super) x_center: f32,
    pub(super) x_scale: f32,
    pub(super) y_scale: f32,
    pub(super) samples: u32,
    pub(super) epoch: u32,
    pub(super) epochs: u32,
    pub(super) starts: u32,
    pub(super) first_shard: u32,
    pub(super) last_shard: u32,
}

/// `Record` of `train.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(super) struct Record {
    /// Σ loss value, Σ loss derivative · stored x, Σ loss derivative, 0.
    pub(super) totals: [f32; 4],
    pub(super) moved: [f32; 2],
    pub(super) added: [f32; 2],
}

impl Record {
    /// The totals, of samples as they are stored.
    pub(super) fn sums(&self) -> Sums {
        let [loss, dw, db, _] = self.totals.map(f64::from);
        Sums { loss, dw, db }
    }
}

/// Bytes of `Way` of `train.wgsl`.
pub(super) const WAY: u64 = size_of::<[[f32; 2]; 3]>() as u64;

/// Dispatches of one submit at the most where their parameters stand in a uniform buffer.
pub(super) const UNIFORMS: u32 = 8192;

/// The phases, compiled for a device, a loss and a variant.
#[derive(Debug)]
pub(super) struct Kernels {
    /// x, y and partial sums of a shard.
    pub(super) shard_layout: wgpu::BindGroupLayout,
    /// What reduce_samples reads of the line's way.
    pub(super) before_layout: wgpu::BindGroupLayout,
    /// The line's way, and records.
    pub(super) after_layout: wgpu::BindGroupLayout,
    reduce_samples: wgpu::ComputePipeline,
    reduce_partials: wgpu::ComputePipeline,
    train_alone: wgpu::ComputePipeline,
    uniform: Option<Uniform>,
    /// Invocations of a workgroup, and of the one that trains alone.
    pub(super) sizes: [u32; 2],
}

/// Where parameters stand that can't travel with the command.
#[derive(Debug)]
struct Uniform {
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
    /// From one dispatch's to the next one's, in bytes.
    stride: u32,
}

impl Kernels {
    /// `sizes` are the invocations of a workgroup in the two phases, and of the one that trains alone; `checks` leaves
    /// naga's bounds checks and loop bounds in.
    pub(super) fn new(
        device: &Device,
        loss: Loss,
        variant: Variant,
        sizes: [u32; 2],
        checks: bool,
    ) -> Result<Self, Error> {
        let source = shader(loss, variant);
        Self::compile(device, loss, source, variant.parameters, sizes, checks)
    }

    /// From any source that has the three phases.
    pub(super) fn compile(
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
        let uniform_layout = matches!(parameters, Parameters::Uniform).then(|| {
            gpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("dispatch"),
                entries: &[wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: true,
                        min_binding_size: NonZeroU64::new(size_of::<Dispatch>() as u64),
                    },
                    count: None,
                }],
            })
        });
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
                    // Every place that is read is written before.
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

    /// Starts to record a pass.
    pub(super) fn record<'a>(
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

/// From one dispatch's parameters in a uniform buffer to the next one's, in bytes.
fn stride(limits: &wgpu::Limits) -> u32 {
    let size = size_of::<Dispatch>() as u32;
    size.next_multiple_of(limits.min_uniform_buffer_offset_alignment)
}

/// Bytes of the uniform buffer for parameters that can't travel with the command.
pub(super) fn uniform_bytes(limits: &wgpu::Limits) -> u64 {
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

/// What a dispatch works on.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    /// A shard's x, y and partial sums.
    pub(super) shard: &'a wgpu::BindGroup,
    /// The line's way, alone or with records.
    pub(super) line: &'a wgpu::BindGroup,
}

/// A compute pass in the making.
pub(super) struct Recorder<'a> {
    kernels: &'a Kernels,
    pass: wgpu::ComputePass<'a>,
    /// What the uniform buffer will hold.
    parameters: Vec<u8>,
}

impl Recorder<'_> {
    pub(super) fn reduce_samples(&mut self, groups: Groups, dispatch: &Dispatch, workgroups: u32) {
        let kernels = self.kernels;
        self.dispatch(&kernels.reduce_samples, groups, dispatch, workgroups);
    }

    pub(super) fn reduce_partials(&mut self, groups: Groups, dispatch: &Dispatch) {
        let kernels = self.kernels;
        self.dispatch(&kernels.reduce_partials, groups, dispatch, 1);
    }

    pub(super) fn train_alone(&mut self, groups: Groups, dispatch: &Dispatch) {
        let kernels = self.kernels;
        self.dispatch(&kernels.train_alone, groups, dispatch, 1);
    }

    fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        groups: Groups,
        dispatch: &Dispatch,
        workgroups: u32,
    ) {
        self.pass.set_pipeline(pipeline);
        self.pass.set_bind_group(0, groups.shard, &[]);
        self.pass.set_bind_group(1, groups.line, &[]);
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

    /// Ends the pass; its parameters are in place for the next submit.
    pub(super) fn finish(self, queue: &wgpu::Queue) {
        if let Some(uniform) = &self.kernels.uniform {
            queue.write_buffer(&uniform.buffer, 0, &self.parameters);
        }
    }
}

/// A shader module, without naga's runtime checks unless they are asked for.
#[allow(
    unsafe_code,
    reason = "naga's bound on every loop alone has cost others a hundredfold (gfx-rs/wgpu#7698)"
)]
pub(super) fn module(
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
    // SAFETY: all loops count to a bound, and no access is out of bounds: a test runs the phases with loads that
    // tell of a place beyond the end (gpu.rs), and another one every variant with and without the checks, at sizes
    // around each boundary (tests/batches.rs).
    unsafe { gpu.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

/// Whole storage buffers for a compute shader, each with its binding and whether it is only read.
pub(super) fn layout(
    gpu: &wgpu::Device,
    label: &str,
    bindings: &[(u32, bool)],
) -> wgpu::BindGroupLayout {
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

/// Whole buffers bound for a layout of [`layout`].
pub(super) fn bind(
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
