//! The GPU engine: WGSL compute shaders over shards of the data set.

use std::time::{Duration, Instant};

use self::adapter::Adapter;
use self::batch::Ring;
use self::control::Control;
use self::data::Data;
use self::device::Device;
use self::kernels::{Dispatch, Kernels, Record};
use self::program::{Parameters, Storage, Sum};
use self::shards::Shard;
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
pub mod program;
mod shards;
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
}

/// All samples in the adapter's memory, 8 bytes a sample in f32, 4 in f16.
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
        let (device, kernels, tuning, timings) = open(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let units = Units::new(options.storage, source)?;
        let (shards, control) =
            shards::upload(&device, source, options.storage, &units, loss, on_load)?;
        let mut engine = Self::over(device, kernels, shards, units, &tuning, timings)?;
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
        let (device, kernels, tuning, mut timings) =
            open(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let shards = shards::empty(&device, options.storage, source.samples())?;
        draw::draw(&device, &shards, source.recipe())?;
        let control = draw::control(&shards, source, loss)?;
        let heads = shards.iter().map(Shard::head).collect();
        let mut heads = Self::over(device, kernels, heads, Units::DATA, &tuning, timings)?;
        heads.check(&control)?;
        timings.load = start.elapsed();
        Self::over(
            heads.device,
            heads.kernels,
            shards,
            Units::DATA,
            &tuning,
            timings,
        )
    }

    fn over(
        device: Device,
        kernels: Kernels,
        shards: Vec<Shard>,
        units: Units,
        tuning: &Tuning,
        timings: Timings,
    ) -> Result<Self, Error> {
        let (data, way) = Data::new(&device, &kernels, shards, units, tuning);
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

    /// The line y = 0 in the units that the samples are stored in: there a residual is −y to the bit.
    fn check(&mut self, control: &Control) -> Result<(), Error> {
        let dispatch = Dispatch {
            y_scale: self.data.units.y_scale as f32,
            x_scale: self.data.units.x_scale as f32,
            starts: 1,
            ..Dispatch::default()
        };
        let mut sums = Sums::default();
        self.run(dispatch, 1, |record| {
            let [loss, dw, db, _] = record.totals.map(f64::from);
            sums = Sums { loss, dw, db };
        })?;
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
fn open(
    adapter: &Adapter,
    samples: u64,
    loss: Loss,
    options: &Options,
) -> Result<(Device, Kernels, Tuning, Timings), Error> {
    let start = Instant::now();
    let device = Device::open(adapter)?;
    let device_start = start.elapsed();
    let tuning = options
        .tuning
        .unwrap_or_else(|| Tuning::of_kind(adapter.info()));
    let variant = adapter.variant(options, tuning)?;
    let most = device.device.limits().max_compute_invocations_per_workgroup;
    let alone = tuning::alone(device.software, samples, most);
    let sizes = [tuning.workgroup_size, options.alone.unwrap_or(alone)];
    let kernels = Kernels::new(&device, loss, variant, sizes, options.checks)?;
    let timings = Timings {
        device_start,
        compile: start.elapsed() - device_start,
        load: Duration::ZERO,
    };
    Ok((device, kernels, tuning, timings))
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
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::program::{Loads, Variant};
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

    /// The phases with loads that tell of a place beyond the end, and with nothing left out of the sums: what is behind
    /// the last sample too is loaded. The proof that they need no bounds checks. `off` is how far a place is off on
    /// purpose.
    fn telling(storage: Storage, loads: Loads, off: u32) -> String {
        let of_four = match storage {
            Storage::F32 => "vec4<f32>",
            Storage::F16 => "vec2<u32>",
        };
        let samples = format!(
            "@group(0) @binding(0) var<storage, read> x: array<{of_four}>;
             @group(0) @binding(1) var<storage, read> y: array<{of_four}>;
             struct Samples {{ x: vec4<f32>, y: vec4<f32> }}
             fn samples_at(at: u32) -> Samples {{
                 let beyond = at + {off}u >= min(arrayLength(&x), arrayLength(&y));
                 return Samples(vec4(0.0), vec4(select(-1.0, 1e30, beyond)));
             }}"
        );
        let variant = Variant {
            storage,
            sum: Sum::Tree,
            loads,
            parameters: Parameters::Uniform,
        };
        let source = program::join(Loss::Mae, variant, &samples);
        let inside = "< vec4(dispatch.samples)";
        assert!(source.contains(inside));
        source.replace(inside, "< vec4(0xffffffffu)")
    }

    #[test]
    fn no_place_is_beyond_the_end() {
        let mut found = 0;
        on_every_adapter(|name, device| {
            for (storage, loads) in [
                (Storage::F32, Loads::One),
                (Storage::F32, Loads::Two),
                (Storage::F32, Loads::Four),
                (Storage::F16, Loads::Four),
            ] {
                for off in [0, 1] {
                    // With the checks, so that a fault here is a fault found and nothing worse.
                    let source = telling(storage, loads, off);
                    let parameters = Parameters::Uniform;
                    let kernels =
                        Kernels::compile(device, Loss::Mae, source, parameters, [64, 16], true)
                            .unwrap();
                    // f16 pads to 16 bytes, 8 samples: the end is known to 4 where there are 5 to 8 of them.
                    for samples in [5, 8, 1021, 1024, 32_768, 32_773, 65_535, 65_536, 300_005] {
                        let tuning = Tuning {
                            workgroup_size: 64,
                            workgroups: 5,
                            loads,
                        };
                        let shards = shards::empty(device, storage, samples).unwrap();
                        let (data, way) = Data::new(device, &kernels, shards, Units::DATA, &tuning);
                        let mut ring = Ring::new(&device.device, &kernels, &way);
                        let dispatch = Units::DATA.dispatch(Model { w: 0.0, b: 0.0 }, 0.0);
                        ring.run(device, &kernels, &data, dispatch, 1, |record| {
                            let sum = f64::from(record.totals[0]);
                            // Each load of four once.
                            let right = 4.0 * samples.div_ceil(4) as f64;
                            assert_eq!(
                                (sum - right).abs() <= 0.5,
                                off == 0,
                                "{name}, {storage}, {loads:?}, {samples}: {sum}"
                            );
                            found += off;
                        })
                        .unwrap();
                    }
                }
            }
        });
        // The control.
        assert!(found >= 36);
    }

    /// Three shards against one of the same samples, over several submits, the parameters with the command and not.
    #[test]
    fn shards_walk_as_one() {
        let source = ChaCha::new(Recipe {
            samples: 3 * crate::data::BLOCK as u64 - 5,
            ..Recipe::default()
        })
        .unwrap();
        let adapters = adapter::list();
        let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
        for adapter in adapters {
            for parameters in [Parameters::Immediate, Parameters::Uniform] {
                let options = Options {
                    parameters: Some(parameters),
                    ..Options::default()
                };
                let one = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
                let shards = one.data.cut_up(&one.device);
                assert_eq!(shards.len(), 3);
                let tuning = Tuning::of_kind(adapter.info());
                let timings = one.timings;
                let mut walks = Vec::new();
                let mut engine = one;
                for shards in [None, Some(shards)] {
                    if let Some(shards) = shards {
                        let GpuEngine {
                            device, kernels, ..
                        } = engine;
                        engine =
                            GpuEngine::over(device, kernels, shards, Units::DATA, &tuning, timings)
                                .unwrap();
                    }
                    let mut steps = Vec::new();
                    engine
                        .descend(Model { w: -1.5, b: 0.5 }, 0.1, 40, &mut steps)
                        .unwrap();
                    walks.push(steps);
                }
                for (step, known) in walks[1].iter().zip(&walks[0]) {
                    assert!((step.model.w - known.model.w).abs() < 5e-6);
                    assert!((step.model.b - known.model.b).abs() < 5e-6);
                    assert!((step.sums.loss / known.sums.loss - 1.0).abs() < 5e-6);
                }
                assert_eq!(walks[1].len(), 40);
            }
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
            let mut engine =
                GpuEngine::new(&adapter, &source, Loss::Mse, &Options::default(), &|_| {}).unwrap();
            let model = Model { w: 1.0, b: 1.0 };
            engine.evaluate(model).unwrap();
            engine.device.device.destroy();
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
