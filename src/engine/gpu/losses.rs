//! The losses of many lines at once: `losses.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::device::{Device, Submission};
use super::kernels::{bind, layout, module, uniform_layout};
use super::program::{constants, samples};
use super::samples::Shard;
use super::units::Units;
use crate::engine::Storage;
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Model;

/// Lines that an invocation evaluates for each load.
const FOUR: usize = 4;
/// Loads of four samples that an invocation takes: so many terms are added up in f32, then five times those of a workgroup.
const LOADS: u32 = 64;
/// Invocations of a workgroup; every adapter allows so many.
const WORKGROUP_SIZE: u32 = 256;

/// The parameters of a dispatch: `Dispatch` of `losses.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Dispatch {
    samples: u32,
    y_scale: f32,
}

/// Four lines: `Lines` of `losses.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Lines {
    w: [f32; FOUR],
    b: [f32; FOUR],
}

/// The compiled `reduce_losses`.
#[derive(Debug)]
pub struct LossKernel {
    pipeline: wgpu::ComputePipeline,
    shard_layout: wgpu::BindGroupLayout,
    lines_layout: wgpu::BindGroupLayout,
    uniform_layout: wgpu::BindGroupLayout,
}

/// Returns the shader's source: `losses.wgsl` and its parts, joined as text.
pub fn shader(loss: Loss, storage: Storage) -> String {
    [
        include_str!("../../../shaders/losses.wgsl"),
        loss.wgsl(),
        samples(storage),
        include_str!("../../../shaders/sum/tree.wgsl"),
        include_str!("../../../shaders/dispatch/uniform.wgsl"),
    ]
    .concat()
}

impl LossKernel {
    /// Compiles the kernel for a loss and a storage format.
    pub fn new(device: &Device, loss: Loss, storage: Storage) -> Result<Self, Error> {
        let gpu = &device.device;
        let shard_layout = layout(gpu, "shard", &[(0, true), (1, true), (2, false)]);
        let lines_layout = layout(gpu, "lines", &[(0, true)]);
        let uniform_layout = uniform_layout(gpu, size_of::<Dispatch>(), false);
        let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("reduce_losses"),
            layout: Some(
                &gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some("reduce_losses"),
                    bind_group_layouts: &[
                        Some(&shard_layout),
                        Some(&lines_layout),
                        Some(&uniform_layout),
                    ],
                    immediate_size: 0,
                }),
            ),
            module: &module(gpu, "losses.wgsl", shader(loss, storage), true),
            entry_point: Some("reduce_losses"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants(loss, WORKGROUP_SIZE),
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        device.check()?;
        Ok(LossKernel {
            pipeline,
            shard_layout,
            lines_layout,
            uniform_layout,
        })
    }

    /// Puts lines on the device, in the units of the stored samples.
    pub fn lines(&self, device: &Device, units: &Units, models: &[Model]) -> BoundLines {
        let lines: Vec<Lines> = models
            .chunks(FOUR)
            .map(|four| {
                // The last four may lack some; the last line stands in.
                let line = |at: usize| units.dispatch(four[at.min(four.len() - 1)], 0.0);
                Lines {
                    w: [0, 1, 2, 3].map(|at| line(at).w),
                    b: [0, 1, 2, 3].map(|at| line(at).b),
                }
            })
            .collect();
        let buffer = written(
            device,
            "lines",
            bytemuck::cast_slice(&lines),
            wgpu::BufferUsages::STORAGE,
        );
        BoundLines {
            group: bind(&device.device, &self.lines_layout, &[(0, &buffer)]),
            fours: lines.len() as u32,
            y_scale: units.y_scale as f32,
        }
    }

    /// Records the sums over the first samples of a shard, and the copy to where the host reads them.
    pub fn record(
        &self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        lines: &BoundLines,
        shard: &Shard,
        samples: u32,
    ) -> PartialSums {
        let gpu = &device.device;
        let workgroups = samples.div_ceil(4 * WORKGROUP_SIZE * LOADS).max(1);
        let bytes = u64::from(lines.fours * workgroups) * size_of::<[f32; FOUR]>() as u64;
        let buffer = |label, usage| {
            gpu.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        };
        let partial_sums = buffer(
            "partial sums",
            wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        );
        let readback = buffer(
            "readback",
            wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        );
        let dispatch = Dispatch {
            samples,
            y_scale: lines.y_scale,
        };
        let uniform = written(
            device,
            "dispatch",
            bytemuck::bytes_of(&dispatch),
            wgpu::BufferUsages::UNIFORM,
        );
        let buffers = [(0, &shard.x), (1, &shard.y), (2, &partial_sums)];
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bind(gpu, &self.shard_layout, &buffers), &[]);
        pass.set_bind_group(1, &lines.group, &[]);
        pass.set_bind_group(2, &bind(gpu, &self.uniform_layout, &[(0, &uniform)]), &[]);
        pass.dispatch_workgroups(workgroups, lines.fours, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&partial_sums, 0, &readback, 0, bytes);
        PartialSums {
            readback,
            workgroups,
        }
    }
}

/// Lines on the device, four by four.
pub struct BoundLines {
    group: wgpu::BindGroup,
    fours: u32,
    y_scale: f32,
}

/// The sums of a dispatch: of each four lines those of each workgroup.
pub struct PartialSums {
    readback: wgpu::Buffer,
    workgroups: u32,
}

impl BoundLines {
    /// Returns the number of times that a dispatch goes through the samples.
    pub fn passes(&self) -> u64 {
        self.fours.into()
    }
}

impl PartialSums {
    /// Waits for the submission, and adds its sums to those of each line.
    pub fn add_to(
        self,
        device: &Device,
        submission: &Submission,
        sums: &mut [f64],
    ) -> Result<(), Error> {
        let whole = ..self.readback.size();
        device.map(&self.readback, whole, wgpu::MapMode::Read, Some(submission))?;
        let view = self
            .readback
            .get_mapped_range(whole)
            .map_err(|error| device.failed(&error.to_string()))?;
        let partial_sums: &[[f32; FOUR]] = bytemuck::cast_slice(&view);
        let of_lines = partial_sums.chunks(self.workgroups as usize);
        for (sums, parts) in sums.chunks_mut(FOUR).zip(of_lines) {
            for part in parts {
                for (sum, &part) in sums.iter_mut().zip(part) {
                    *sum += f64::from(part);
                }
            }
        }
        Ok(())
    }
}

/// Makes a buffer with this content.
fn written(
    device: &Device,
    label: &str,
    content: &[u8],
    usage: wgpu::BufferUsages,
) -> wgpu::Buffer {
    let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: content.len() as u64,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    device.queue.write_buffer(&buffer, 0, content);
    buffer
}
