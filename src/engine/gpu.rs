//! The GPU engine: WGSL compute shaders over shards of the data set.
//!
//! The modules are layers; each uses only those before it:
//! - `program`: the shader's text; `options`.
//! - `watch`: calls of drivers; `adapter`, `device`: finding one and opening it.
//! - `layout`: the place of samples in memory.
//! - `kernels`: the compiled phases; `units`; `control`.
//! - `samples`: buffers and upload.
//! - `epochs`: recording, submitting and reading back; `stream`.
//! - `draw`, `losses`, `tune`, `plan`, then this file, `measure` and `probe`.

use std::time::{Duration, Instant};

use self::adapter::Adapter;
use self::control::Control;
use self::device::Device;
use self::epochs::{BoundShard, Epochs};
use self::kernels::{Dispatch, Kernels, Record};
use self::losses::{LossKernel, PartialSums};
use self::samples::{Shard, Shards, Staging};
use self::stream::Stream;
use self::units::Units;
use super::{Description, Engine, Step, Storage, Tuning, host_loop};
use crate::data::threefry::Threefry;
use crate::data::{BLOCK, OnLoad, Source};
use crate::error::{Error, Setting};
use crate::loss::Loss;
use crate::model::{Model, Sums};

pub mod adapter;
mod control;
mod device;
pub mod draw;
mod epochs;
mod kernels;
mod layout;
pub mod losses;
pub mod measure;
mod options;
pub mod plan;
mod probe;
pub mod program;
mod samples;
mod several;
mod stream;
pub mod tune;
mod units;
mod watch;

pub use self::layout::{ALONE, Placement};
pub use self::options::Options;
pub use self::several::Several;
pub use self::watch::overdue;

/// The samples in an adapter's memory, 8 bytes each in f32 and 4 in f16.
///
/// The samples that don't fit pass through it each epoch.
#[derive(Debug)]
pub struct GpuEngine<'a> {
    device: Device,
    kernels: Kernels,
    loss: Loss,
    /// Compiled for the first lines that many losses are asked for of.
    loss_kernel: Option<LossKernel>,
    /// The samples that stay.
    epochs: Epochs,
    /// The other samples; `None` if all stay.
    stream: Option<Stream<'a>>,
    placement: Placement,
    tuning: Tuning,
    description: Description,
    timings: Timings,
}

/// The times that an engine took before its first epoch.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// The time to open the device.
    pub device_start: Duration,
    /// The time to make the shaders' pipelines.
    pub compile: Duration,
    /// The time to read or draw the samples, to upload them, and to compare the adapter's sums with the host's.
    pub load: Duration,
}

impl<'a> GpuEngine<'a> {
    /// Opens the adapter, and uploads all samples, or as many as [`Options::memory`] and the adapter have room for.
    ///
    /// `on_load` is told of the samples as they are read. Then the adapter's sums at the line y = 0, over the streamed
    /// samples too, are compared with those of the CPU engine's arithmetic.
    ///
    /// # Errors
    /// - [`Error::Gpu`] if the adapter fails, computes wrong sums, or lacks what `options` ask for.
    /// - [`Error::DeviceMemory`] if the adapter has too little memory even to stream samples through.
    /// - [`Error::Setting`] if [`Options::memory`] is too little for that.
    /// - [`Error::Empty`] if there are no samples, and the errors of [`data::read_for_engine`](crate::data::read_for_engine).
    pub fn new(
        adapter: &Adapter,
        source: impl Source + Send + 'a,
        loss: Loss,
        options: &Options,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        if source.samples() == 0 {
            return Err(Error::Empty {
                title: source.title(),
            });
        }
        let placement = Placement::known(adapter, source.samples(), options)?;
        Self::with_placement(adapter, Box::new(source), loss, options, placement, on_load)
    }

    /// Places the samples as `placement` says, or more of them in the stream if memory runs out.
    fn with_placement(
        adapter: &Adapter,
        source: Box<dyn Source + Send + 'a>,
        loss: Loss,
        options: &Options,
        placement: Placement,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        let (device, kernels, timings) = compile(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let Shards {
            placement,
            resident,
            slots,
        } = Shards::place(&device, placement)?;
        let units = Units::new(options.storage, &source)?;
        let mut staging = Staging::new(&device, &placement, units, loss);
        let control = staging.upload(&device, &source, &resident, on_load)?;
        let tuning = adapter.tuning(options);
        let slots: Vec<_> = slots
            .into_iter()
            .map(|slot| BoundShard::new(&device, &kernels, slot, &tuning))
            .collect();
        let stream = (!slots.is_empty()).then(|| Stream {
            blocks: placement.resident / BLOCK as u64..source.samples().div_ceil(BLOCK as u64),
            source,
            blocks_per_piece: placement.slot / BLOCK as u64,
            staging,
            slots,
        });
        let info = adapter.info();
        let mut engine = GpuEngine {
            epochs: Epochs::new(&device, &kernels, resident, units, &tuning),
            device,
            kernels,
            loss,
            loss_kernel: None,
            stream,
            placement,
            tuning,
            description: info.description(options.storage, tuning, placement.resident),
            timings,
        };
        engine.device.check()?;
        engine.check(control, on_load)?;
        engine.timings.load = start.elapsed();
        Ok(engine)
    }

    /// Opens the adapter, draws all samples there, and compares the adapter's sums over the first 65,536 samples of every
    /// shard with the host's. The host draws no other samples, and can't notice a fault in them.
    ///
    /// A sample differs from that of `source` by the rounding of f32, a few millionths.
    ///
    /// # Errors
    /// - [`Error::Gpu`] if the adapter fails, computes wrong sums, or lacks what `options` ask for.
    /// - [`Error::DeviceMemory`] if the samples don't fit the adapter's memory, or [`Options::memory`].
    /// - [`Error::Setting`] for a storage format other than f32.
    pub fn drawn(
        adapter: &Adapter,
        source: &Threefry,
        loss: Loss,
        options: &Options,
    ) -> Result<Self, Error> {
        if options.storage != Storage::F32 {
            return Err(Setting::Storage.error(
                "must be f32 for samples that are drawn on the device: f16 is packed on the host; another generator's \
                 samples can be stored in f16",
            ));
        }
        let placement = Placement::whole(adapter, source.samples(), options)?;
        let (device, kernels, timings) = compile(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let memory = layout::memory(adapter, options);
        let shards = match memory {
            Some(memory) if placement.device_bytes > memory => None,
            _ => Shards::create(&device, placement)?.ok(),
        };
        let Some(Shards { resident, .. }) = shards else {
            return Err(Error::DeviceMemory {
                adapter: adapter.info().to_string(),
                needed: Some(placement.device_bytes),
                available: memory,
                drawn: true,
            });
        };
        draw::draw(&device, &resident, source)?;
        let control = draw::control(&resident, source, loss)?;
        let tuning = adapter.tuning(options);
        let over = |shards| Epochs::new(&device, &kernels, shards, Units::DATA, &tuning);
        let heads = over(resident.iter().map(Shard::head).collect());
        let epochs = over(resident);
        let info = adapter.info();
        let mut engine = GpuEngine {
            epochs: heads,
            device,
            kernels,
            loss,
            loss_kernel: None,
            stream: None,
            placement,
            tuning,
            description: info.description(options.storage, tuning, placement.resident),
            timings,
        };
        engine.device.check()?;
        engine.check(control, &|_| {})?;
        engine.epochs = epochs;
        engine.timings.load = start.elapsed();
        Ok(engine)
    }

    /// Returns the place of the samples.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Returns the times that the engine took before its first epoch.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Compares the sums over all samples with `control`, that of the samples that stay, and with that of the streamed
    /// samples, which are read here for the first time.
    fn check(&mut self, control: Control, on_load: OnLoad) -> Result<(), Error> {
        let dispatch = self.epochs.units.level();
        let mut sums = Sums::default();
        let streamed = self.pass(dispatch, Some(on_load), |record| {
            sums = sums + record.sums();
        })?;
        let control: Control = [control, streamed].into_iter().sum();
        control
            .agrees(sums)
            .map_err(|problem| self.device.failed(&problem))
    }

    /// Goes over all samples once, and hands the records to `take`, in order. Their sums add up to those of all samples.
    ///
    /// The samples that stay are the first record. Returns the control of the streamed samples if `on_load` is given.
    fn pass(
        &mut self,
        dispatch: Dispatch,
        on_load: Option<OnLoad>,
        take: impl FnMut(&Record),
    ) -> Result<Control, Error> {
        let GpuEngine {
            device,
            kernels,
            epochs,
            stream,
            ..
        } = self;
        let mut records = 0;
        let mut control = Control::default();
        if !epochs.shards.is_empty() {
            // Submitted at once, so that the device is busy while the first piece is read.
            let mut encoder = device.device.create_command_encoder(&Default::default());
            let mut recorder = kernels.record(&mut encoder, None);
            epochs.record(&mut recorder, epochs.after(), dispatch, 1);
            recorder.finish(&device.queue);
            device.submit(encoder, epochs.bytes());
            device.check()?;
            records = 1;
        }
        if let Some(stream) = stream {
            (control, records) =
                stream.reduce(device, kernels, epochs, dispatch, records, on_load)?;
        }
        epochs.collect(device, records, take)?;
        Ok(control)
    }
}

impl Engine for GpuEngine<'_> {
    fn samples(&self) -> u64 {
        self.placement.samples()
    }

    fn description(&self) -> Description {
        self.description.clone()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let units = self.epochs.units;
        let dispatch = units.dispatch(model, 0.0);
        let sums_of = |record: &Record| units.step(model, [0.0; 2], record).sums;
        let mut sums = Sums::default();
        if self.stream.is_some() {
            self.pass(dispatch, None, |record| sums = sums + sums_of(record))?;
        } else {
            let (device, kernels) = (&self.device, &self.kernels);
            self.epochs.run(device, kernels, dispatch, 1, |record| {
                sums = sums_of(record)
            })?;
        }
        Ok(sums)
    }

    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        if models.is_empty() {
            return Ok(Vec::new());
        }
        let (device, units) = (&self.device, &self.epochs.units);
        if self.loss_kernel.is_none() {
            let kernel = LossKernel::new(device, self.loss, self.description.storage)?;
            self.loss_kernel = Some(kernel);
        }
        let mut sums = vec![0.0; models.len()];
        if let Some(kernel) = &self.loss_kernel {
            let lines = kernel.lines(device, units, models);
            let mut encoder = device.device.create_command_encoder(&Default::default());
            let shards = self.epochs.shards.iter().map(|bound| &bound.shard);
            let parts: Vec<PartialSums> = shards
                .map(|shard| kernel.record(device, &mut encoder, &lines, shard, shard.samples))
                .collect();
            let bytes = lines.passes() * self.epochs.bytes();
            let submission = device.submit(encoder, bytes);
            device.check()?;
            for part in parts {
                part.add_to(device, &submission, &mut sums)?;
            }
            if let Some(stream) = &mut self.stream {
                stream.add_losses(device, kernel, &lines, &mut sums)?;
            }
        }
        Ok(sums)
    }

    /// Runs a batch of epochs on the device, in as few submits as stay short.
    ///
    /// The line's drift since `from` is kept there in f32, with what rounding loses, and is added to `from` here. So the
    /// line keeps its digits, however small the steps are.
    ///
    /// # Errors
    /// [`Error::Setting`] for more than one epoch if samples are streamed, or if f32 can't hold learning rate / samples.
    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        if epochs <= 1 {
            return host_loop(self, from, learning_rate, epochs, steps);
        }
        self.placement.keeps_the_line()?;
        let units = self.epochs.units;
        let step = learning_rate / self.samples() as f64;
        let dispatch = units.dispatch(from, step);
        if !dispatch.step.is_normal() {
            return Err(Setting::SyncEvery.error(format!(
                "must be 1: learning rate {learning_rate} over {} samples is beyond the range of f32, in which the \
                 adapter takes its steps",
                self.samples()
            )));
        }
        steps.clear();
        let mut before = [0.0; 2];
        let (device, kernels) = (&self.device, &self.kernels);
        self.epochs
            .run(device, kernels, dispatch, epochs, |record| {
                steps.push(units.step(from, before, record));
                before = record.moved;
            })
    }
}

/// Opens an adapter's device, and compiles the kernels for so many samples.
fn compile(
    adapter: &Adapter,
    samples: u64,
    loss: Loss,
    options: &Options,
) -> Result<(Device, Kernels, Timings), Error> {
    loss.check_for_engine()?;
    let start = Instant::now();
    let device = Device::open(adapter)?;
    let device_start = start.elapsed();
    let tuning = adapter.tuning(options);
    let variant = adapter.variant(options, tuning)?;
    let alone = options
        .alone
        .unwrap_or_else(|| invocations_alone(device.software, samples, device.max_invocations()));
    let sizes = [tuning.workgroup_size, alone];
    let compile = || Kernels::new(&device, loss, variant, sizes, options.checks);
    let kernels = device.watched(device.time_limit, compile)?;
    let timings = Timings {
        device_start,
        compile: start.elapsed() - device_start,
        load: Duration::ZERO,
    };
    Ok((device, kernels, timings))
}

/// Returns the number of invocations of the one workgroup that trains alone.
///
/// On a software adapter they fill a register. Else there is one for each load of four samples, from a subgroup's number up
/// to what the adapter allows.
fn invocations_alone(software: bool, samples: u64, most: u32) -> u32 {
    if software {
        return 8;
    }
    let loads = samples.min(ALONE).div_ceil(4) as u32;
    let most = 1 << most.clamp(64, 1024).ilog2();
    loads.next_power_of_two().clamp(64, most)
}

#[cfg(test)]
mod tests;
