//! The GPU engine: WGSL compute shaders over shards of the data set.

use std::time::{Duration, Instant};

use self::adapter::Adapter;
use self::batch::Ring;
use self::control::Control;
use self::data::Data;
use self::device::Device;
use self::device::NO_MEMORY;
use self::kernels::{Dispatch, Kernels, Record};
use self::plan::Placement;
use self::program::{Parameters, Storage, Sum};
use self::shards::Shard;
use self::staging::{First, Staging};
use self::tuning::Tuning;
use self::units::Units;
use super::{Engine, Step, host_loop};
use crate::data::threefry::Threefry;
use crate::data::{OnLoad, Source};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

pub mod adapter;
mod batch;
mod control;
mod data;
mod device;
pub mod draw;
mod kernels;
pub mod measure;
pub mod plan;
pub mod program;
mod shards;
mod staging;
pub mod stream;
pub mod tuning;
mod units;

pub use self::data::ALONE;

/// What can be chosen of a GPU engine; by default what suits the adapter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How x and y are stored.
    pub storage: Storage,
    /// How the samples are shared out; else [`Tuning::of_kind`].
    pub tuning: Option<Tuning>,
    /// How a workgroup adds up; else by subgroups where the adapter has them.
    pub sum: Option<Sum>,
    /// How a dispatch gets its parameters; else with the command where the adapter can.
    pub parameters: Option<Parameters>,
    /// Invocations of the workgroup that trains alone, a power of two; else what suits the adapter and the samples.
    pub alone: Option<u32>,
    /// Leaves naga's runtime checks in the shaders.
    pub checks: bool,
    /// Bytes of samples that the device may hold; else as many as it gives.
    pub memory: Option<u64>,
}

impl Options {
    /// How the samples are shared out on an adapter.
    fn tuning(&self, adapter: &Adapter) -> Tuning {
        self.tuning
            .unwrap_or_else(|| Tuning::of_kind(adapter.info()))
    }
}

/// What to do where there is no room for all samples, and no source to read them from again.
const NO_MEMORY_TO_DRAW: &str = "not enough memory to draw all samples there; use fewer samples, or another --generator, \
     whose samples pass through the memory there is";

/// All samples in the adapter's memory, 8 bytes a sample in f32, 4 in f16. For more there is [`stream::Streamed`].
#[derive(Debug)]
pub struct GpuEngine {
    device: Device,
    kernels: Kernels,
    data: Data,
    ring: Ring,
    timings: Timings,
}

/// What an engine took before its first epoch.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// To open the device.
    pub device_start: Duration,
    /// To make the shaders' pipelines.
    pub compile: Duration,
    /// To read or draw the samples, to upload them, and to compare the adapter's sums with the host's.
    pub load: Duration,
}

impl GpuEngine {
    /// Opens the adapter, uploads all samples, telling `on_load` of them, and compares the adapter's
    /// sums at the line y = 0 with those that the CPU engine's arithmetic gives.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails, computes wrong sums or has too little memory or not what `options`
    /// ask for, and what [`Source::read`] says.
    pub fn new(
        adapter: &Adapter,
        source: &dyn Source,
        loss: Loss,
        options: &Options,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        let opened = Opened::new(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let Opened { device, .. } = &opened;
        let memory = plan::memory(adapter, options);
        let layout = plan::whole(adapter, source.samples(), options.storage)?;
        let shards = shards::whole(device, layout, memory, NO_MEMORY)?;
        let units = Units::new(options.storage, source)?;
        let mut staging = Staging::new(device, layout.samples, options.storage, units);
        let control = staging.upload(device, source, &shards, First { loss, on_load })?;
        let mut engine = Self::over(opened, shards, units)?;
        engine.check(&control)?;
        engine.timings.load = start.elapsed();
        Ok(engine)
    }

    /// Opens the adapter, draws all samples there, and compares the adapter's sums over the first
    /// 65,536 samples of every shard with the host's. It draws no others, and sees no fault in them.
    ///
    /// The samples differ from those of `source` by an f32 sample's rounding, a few millionths.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails, computes wrong sums or has too little memory, [`Error::Usage`] for
    /// storage other than f32.
    pub fn drawn(
        adapter: &Adapter,
        source: &Threefry,
        loss: Loss,
        options: &Options,
    ) -> Result<Self, Error> {
        if options.storage != Storage::F32 {
            return Err(Error::Usage(
                "--storage f16 packs on the host, and --generator device draws on the adapter: use another \
                 --generator"
                    .to_owned(),
            ));
        }
        let opened = Opened::new(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let memory = plan::memory(adapter, options);
        let layout = plan::whole(adapter, source.samples(), options.storage)?;
        let shards = shards::whole(&opened.device, layout, memory, NO_MEMORY_TO_DRAW)?;
        draw::draw(&opened.device, &shards, source.recipe())?;
        let control = draw::control(&shards, source, loss)?;
        let tuning = opened.tuning;
        let heads = shards.iter().map(Shard::head).collect();
        let mut heads = Self::over(opened, heads, Units::DATA)?;
        heads.check(&control)?;
        let opened = Opened {
            device: heads.device,
            kernels: heads.kernels,
            tuning,
            timings: Timings {
                load: start.elapsed(),
                ..heads.timings
            },
        };
        Self::over(opened, shards, Units::DATA)
    }

    /// Where the samples are: all of them in the adapter's memory.
    pub fn placement(&self) -> Placement {
        let columns = self.data.shards.iter().map(|shard| &shard.x);
        Placement {
            resident: self.samples(),
            streamed: 0,
            device_bytes: columns.map(|x| 2 * x.size()).sum(),
            epoch_bytes: 0,
        }
    }

    fn over(opened: Opened, shards: Vec<Shard>, units: Units) -> Result<Self, Error> {
        let Opened {
            device,
            kernels,
            tuning,
            timings,
        } = opened;
        let (data, way) = Data::new(&device, &kernels, shards, units, &tuning);
        let ring = Ring::new(&device.device, &kernels, &way);
        device.check()?;
        Ok(GpuEngine {
            device,
            kernels,
            data,
            ring,
            timings,
        })
    }

    fn check(&mut self, control: &Control) -> Result<(), Error> {
        let mut sums = Sums::default();
        self.run(self.data.units.level(), 1, |record| sums = record.sums())?;
        control
            .agrees(sums)
            .map_err(|wrong| self.device.failed(&wrong))
    }

    fn run(
        &mut self,
        dispatch: Dispatch,
        epochs: u64,
        take: impl FnMut(&Record),
    ) -> Result<(), Error> {
        let (device, kernels, data) = (&self.device, &self.kernels, &self.data);
        self.ring.run(device, kernels, data, dispatch, epochs, take)
    }
}

/// An adapter's device, and what is compiled for it.
#[derive(Debug)]
struct Opened {
    device: Device,
    kernels: Kernels,
    tuning: Tuning,
    timings: Timings,
}

impl Opened {
    fn new(adapter: &Adapter, samples: u64, loss: Loss, options: &Options) -> Result<Self, Error> {
        loss.check()?;
        let start = Instant::now();
        let device = Device::open(adapter)?;
        let device_start = start.elapsed();
        let tuning = options.tuning(adapter);
        let variant = adapter.variant(options, tuning)?;
        let alone = tuning::alone(device.software, samples, device.most_invocations());
        let sizes = [tuning.workgroup_size, options.alone.unwrap_or(alone)];
        let kernels = Kernels::new(&device, loss, variant, sizes, options.checks)?;
        let timings = Timings {
            device_start,
            compile: start.elapsed() - device_start,
            load: Duration::ZERO,
        };
        Ok(Opened {
            device,
            kernels,
            tuning,
            timings,
        })
    }
}

impl Engine for GpuEngine {
    fn samples(&self) -> u64 {
        self.data.samples()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let units = self.data.units;
        let mut sums = Sums::default();
        self.run(units.dispatch(model, 0.0), 1, |record| {
            sums = units.step(model, [0.0; 2], record).sums;
        })?;
        Ok(sums)
    }

    /// On the device, in one submit as far as that stays short, for more than one epoch. The line's way since `from`
    /// is kept there, in f32 with what rounding loses, and added to it here: so the line keeps its digits however small
    /// the steps are.
    ///
    /// # Errors
    /// [`Error::Usage`] where f32 can't hold learning rate / samples.
    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        if epochs == 1 {
            return host_loop(self, from, learning_rate, epochs, steps);
        }
        let units = self.data.units;
        let step = learning_rate / self.samples() as f64;
        let dispatch = units.dispatch(from, step);
        if !dispatch.step.is_normal() {
            return Err(Error::Usage(format!(
                "learning rate {learning_rate} over {} samples is beyond the range of f32, in which the adapter \
                 takes its steps; do without --sync-every",
                self.samples()
            )));
        }
        steps.clear();
        let mut before = [0.0; 2];
        self.run(dispatch, epochs, |record| {
            steps.push(units.step(from, before, record));
            before = record.moved;
        })
    }
}

#[cfg(test)]
mod tests;
