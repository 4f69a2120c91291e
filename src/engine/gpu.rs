//! The GPU engine: WGSL compute shaders over shards of the data set.

use bytemuck::{Pod, Zeroable};

use self::adapter::Adapter;
use self::control::Control;
use self::device::Device;
use self::shards::Shard;
use super::Engine;
use crate::data::threefry::Threefry;
use crate::data::{OnLoad, Source};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

pub mod adapter;
mod control;
mod device;
pub mod draw;
mod shards;

/// Invocations of a workgroup: what every adapter allows, and CUB's choice for a reduction.
const WORKGROUP_SIZE: u32 = 256;
/// Loads of four samples that an invocation adds up: 16,384 samples a workgroup.
const RUN: u32 = 16;

/// The shader's source for a loss: `train.wgsl` and the loss's file, joined as text.
pub fn shader(loss: Loss) -> String {
    [include_str!("../../shaders/train.wgsl"), loss.wgsl()].concat()
}

/// The values of the shader's override constants for a loss.
pub fn constants(loss: Loss) -> Vec<(&'static str, f64)> {
    let mut constants = vec![
        ("WORKGROUP_SIZE", f64::from(WORKGROUP_SIZE)),
        ("RUN", f64::from(RUN)),
    ];
    constants.append(&mut loss.constants());
    constants
}

/// `Dispatch` of `train.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Dispatch {
    w: f32,
    b: f32,
    samples: u32,
    first_partial: u32,
}

/// All samples in f32 in the adapter's memory, 8 bytes a sample.
#[derive(Debug)]
pub struct GpuEngine {
    kernels: Kernels,
    data: Data,
}

impl GpuEngine {
    /// Opens the adapter, uploads all samples, telling `on_load` of them, and compares the adapter's
    /// sums at the line y = 0 with those that the CPU engine's arithmetic gives.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails, computes wrong sums or has too little memory, and what
    /// [`Source::read`] says.
    pub fn new(
        adapter: &Adapter,
        source: &dyn Source,
        loss: Loss,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        let kernels = Kernels::new(Device::open(adapter)?, loss)?;
        let (shards, control) = shards::upload(&kernels.device, source, loss, on_load)?;
        let data = Data::new(&kernels, shards)?;
        kernels.agree(&data, &control)?;
        Ok(GpuEngine { kernels, data })
    }

    /// Opens the adapter, draws all samples there, and compares the adapter's sums over the first
    /// 65,536 samples of every shard with the host's. It draws no others, and sees no fault in them.
    ///
    /// The samples differ from those of `source` by an f32 sample's rounding, a few millionths.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails, computes wrong sums or has too little memory.
    pub fn drawn(adapter: &Adapter, source: &Threefry, loss: Loss) -> Result<Self, Error> {
        let kernels = Kernels::new(Device::open(adapter)?, loss)?;
        let shards = shards::empty(&kernels.device, source.samples())?;
        draw::draw(&kernels.device, &shards, source.recipe())?;
        let heads = Data::new(&kernels, shards.iter().map(Shard::head).collect())?;
        kernels.agree(&heads, &draw::control(&shards, source, loss)?)?;
        let data = Data::new(&kernels, shards)?;
        Ok(GpuEngine { kernels, data })
    }
}

impl Engine for GpuEngine {
    fn samples(&self) -> u64 {
        self.data.samples
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        self.kernels.sums(&self.data, model)
    }
}

/// The device and the compiled phases of `train.wgsl`.
#[derive(Debug)]
struct Kernels {
    device: Device,
    samples_layout: wgpu::BindGroupLayout,
    sums_layout: wgpu::BindGroupLayout,
    reduce_samples: wgpu::ComputePipeline,
    reduce_partials: wgpu::ComputePipeline,
}

impl Kernels {
    fn new(device: Device, loss: Loss) -> Result<Self, Error> {
        let gpu = &device.device;
        let module = gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("train.wgsl"),
            source: wgpu::ShaderSource::Wgsl(shader(loss).into()),
        });
        let samples_layout = storage_layout(gpu, "samples", true);
        let sums_layout = storage_layout(gpu, "sums", false);
        let layout = gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("train.wgsl"),
            bind_group_layouts: &[Some(&samples_layout), Some(&sums_layout)],
            immediate_size: size_of::<Dispatch>() as u32,
        });
        let pipeline = |entry_point| {
            gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants(loss),
                    // Every invocation writes its place before anyone reads it.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
        };
        let (reduce_samples, reduce_partials) =
            (pipeline("reduce_samples"), pipeline("reduce_partials"));
        device.check()?;
        Ok(Kernels {
            samples_layout,
            sums_layout,
            reduce_samples,
            reduce_partials,
            device,
        })
    }

    /// An error unless the sums are those of the control.
    fn agree(&self, data: &Data, control: &Control) -> Result<(), Error> {
        let sums = self.sums(data, Control::MODEL)?;
        control
            .agrees(sums)
            .map_err(|wrong| self.device.failed(&wrong))
    }

    /// One submit: the shards' partial sums, their totals, and 16 bytes back.
    fn sums(&self, data: &Data, model: Model) -> Result<Sums, Error> {
        let mut encoder = self
            .device
            .device
            .create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_bind_group(1, &data.sums, &[]);
        pass.set_pipeline(&self.reduce_samples);
        let mut first_partial = 0;
        for (shard, samples) in &data.shards {
            let dispatch = Dispatch {
                w: model.w as f32,
                b: model.b as f32,
                samples: shard.samples,
                first_partial,
            };
            pass.set_bind_group(0, samples, &[]);
            pass.set_immediates(0, bytemuck::bytes_of(&dispatch));
            pass.dispatch_workgroups(shard.workgroups(), 1, 1);
            first_partial += shard.workgroups();
        }
        pass.set_pipeline(&self.reduce_partials);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&data.totals, 0, &data.readback, 0, None);
        let submission = self.device.queue.submit([encoder.finish()]);
        self.device
            .map(&data.readback, wgpu::MapMode::Read, Some(submission))?;
        let view = data
            .readback
            .get_mapped_range(..)
            .map_err(|error| self.device.failed(&error.to_string()))?;
        let [loss, dw, db, _] = *bytemuck::from_bytes::<[f32; 4]>(&view);
        drop(view);
        data.readback.unmap();
        Ok(Sums {
            loss: loss.into(),
            dw: dw.into(),
            db: db.into(),
        })
    }
}

/// Two whole storage buffers, for a compute shader.
fn storage_layout(gpu: &wgpu::Device, label: &str, read_only: bool) -> wgpu::BindGroupLayout {
    let entry = |binding| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    gpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(label),
        entries: &[entry(0), entry(1)],
    })
}

/// A data set on the device, and where its sums go.
#[derive(Debug)]
struct Data {
    samples: u64,
    /// Each shard with its bind group 0.
    shards: Vec<(Shard, wgpu::BindGroup)>,
    /// Bind group 1: one partial sum a workgroup of all shards, and the totals.
    sums: wgpu::BindGroup,
    totals: wgpu::Buffer,
    readback: wgpu::Buffer,
}

impl Data {
    fn new(kernels: &Kernels, shards: Vec<Shard>) -> Result<Self, Error> {
        let gpu = &kernels.device.device;
        let bind_group = |label, layout, first: &wgpu::Buffer, second: &wgpu::Buffer| {
            gpu.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(label),
                layout,
                entries: &[0, 1].map(|binding| wgpu::BindGroupEntry {
                    binding,
                    resource: [first, second][binding as usize].as_entire_binding(),
                }),
            })
        };
        let buffer = |label, vec4s: u32, usage| {
            gpu.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 16 * u64::from(vec4s),
                usage,
                mapped_at_creation: false,
            })
        };
        let workgroups = shards.iter().map(Shard::workgroups).sum();
        let storage = wgpu::BufferUsages::STORAGE;
        let copied = wgpu::BufferUsages::COPY_SRC;
        let partial_sums = buffer("partial sums", workgroups, storage);
        let totals = buffer("totals", 1, storage | copied);
        let data = Data {
            samples: shards.iter().map(|shard| u64::from(shard.samples)).sum(),
            sums: bind_group("sums", &kernels.sums_layout, &partial_sums, &totals),
            shards: shards
                .into_iter()
                .map(|shard| {
                    let layout = &kernels.samples_layout;
                    let group = bind_group("samples", layout, &shard.x, &shard.y);
                    (shard, group)
                })
                .collect(),
            totals,
            readback: buffer(
                "readback",
                1,
                wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            ),
        };
        kernels.device.check()?;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::data::synthetic::{ChaCha, Recipe};

    /// The tests run in threads of one process, and some drivers don't bear two devices there.
    static ONE_DEVICE: Mutex<()> = Mutex::new(());

    /// Runs `check` with the name and the device of every adapter, one at a time. No adapter is a
    /// failure.
    pub(super) fn on_every_adapter(mut check: impl FnMut(&str, &Device)) {
        let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
        let adapters = adapter::list();
        assert!(!adapters.is_empty(), "{}", adapter::none());
        for adapter in adapters {
            check(
                &adapter.info().to_string(),
                &Device::open(&adapter).unwrap(),
            );
        }
    }

    /// By destroying the device, which to wgpu is one way of losing it.
    #[test]
    fn a_lost_device_is_an_error_and_no_panic() {
        let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
        let adapters = adapter::list();
        assert!(!adapters.is_empty(), "{}", adapter::none());
        for adapter in adapters {
            let source = ChaCha::new(Recipe {
                samples: 1000,
                ..Recipe::default()
            })
            .unwrap();
            let mut engine = GpuEngine::new(&adapter, &source, Loss::Mse, &|_| {}).unwrap();
            let model = Model { w: 1.0, b: 1.0 };
            engine.evaluate(model).unwrap();
            engine.kernels.device.device.destroy();
            for _ in 0..2 {
                let lost = engine.evaluate(model);
                let text = match lost {
                    Err(Error::Gpu(text)) => text,
                    other => panic!("{other:?}"),
                };
                assert!(text.ends_with("the device was lost"), "{text}");
            }
        }
    }
}
