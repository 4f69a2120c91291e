//! Timing of the engines against each other, and against the limits of their memory.
//!
//! For each size, the samples are drawn once into the CPU engine's memory, and every other engine loads them from there.
//! The engines' sums are compared before anything is timed; an engine that disagrees gets no time. The timed part is
//! one epoch: from the model to the sums on the host.

use std::hint::black_box;
use std::time::{Duration, Instant};

pub use self::agree::verdict;
pub use self::clock::EpochTimes;
use self::clock::{Batched, Clocked, Evaluated, LEARNING_RATE, Timed, clock, median};
pub use self::row::{BenchRow, Contestant, Phases, Roof, label};
use crate::data::Source;
use crate::data::host::{Columns, Memory};
use crate::engine::cpu::CpuEngine;
use crate::engine::gpu::adapter::Adapter;
use crate::engine::gpu::tune::cache;
use crate::engine::gpu::{ALONE, GpuEngine, Options};
use crate::engine::{Engine, Step, Storage, Tuning};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

pub mod agree;
pub mod choose;
mod clock;
pub mod compare;
pub mod machine;
pub mod roof;
mod row;

/// The line at which every epoch is computed. It lies well below the samples of the default recipe, so that all but a
/// few terms of each sum have the same sign.
pub const MODEL: Model = Model { w: -1.5, b: 0.5 };

/// Epochs of a batch that are compared with the host loop's.
const WALK: u64 = 10;
/// Epochs of a batch whose time on the device is taken.
const KERNEL_EPOCHS: u32 = 16;
/// Measurements of the time on the device and of the read-back, of which the median is taken.
const KERNEL_TIMES: usize = 9;

/// The work of a bench.
#[derive(Debug)]
pub struct BenchPlan {
    /// Numbers of samples, in the order they are run.
    pub samples: Vec<u64>,
    /// The loss of every epoch.
    pub loss: Loss,
    /// Engines, in the order they are timed.
    pub contestants: Vec<Contestant>,
    /// Adapters that GPU engines run on, one after the other, each with the tuning for large data sets if one was
    /// measured.
    pub adapters: Vec<(Adapter, Option<Tuning>)>,
    /// Storage format of samples on adapters.
    pub storage: Storage,
    /// Minimum time for which each engine is timed.
    pub min_time: Duration,
    /// Number of epochs of [`Phases::answer`].
    pub epochs_to_answer: u64,
}

impl BenchPlan {
    /// Returns the number of rows of each size.
    pub fn rows_per_size(&self) -> usize {
        let contestants = self.contestants.iter();
        let on_adapter = contestants.filter(|engine| engine.on_adapter()).count();
        self.contestants.len() - on_adapter + on_adapter * self.adapters.len()
    }
}

/// Draws a data set of this many samples by the default recipe with another seed.
pub type Draw<'a> = &'a dyn Fn(u64) -> Result<Box<dyn Source>, Error>;

/// Begins an activity: its name, and the amount of work. The returned function is told of every part done, and is
/// dropped at the end.
pub type Begin<'a> = &'a (dyn Fn(&str, u64) -> Box<dyn Fn(u64) + Sync> + Sync);

/// Runs the plan and hands each row to `watch` as it comes. One GPU engine is alive at a time.
///
/// # Errors
/// Returns [`Error::Memory`] if the samples don't fit, as far as that is known before anything is timed, and the errors
/// of `draw` and `watch`. An engine that fails or disagrees is not an error here: its row says so, and [`verdict`].
pub fn run(
    plan: &BenchPlan,
    draw: Draw,
    begin: Begin,
    watch: &mut dyn FnMut(BenchRow) -> Result<(), Error>,
) -> Result<(), Error> {
    Memory::new(plan.samples.iter().copied().max().unwrap_or(1))?;
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| Error::Io {
            doing: "cannot start a thread".to_owned(),
            source: std::io::Error::other(error),
        })?;
    start_drivers(plan);
    for &samples in &plan.samples {
        let start = Instant::now();
        let source = draw(samples)?;
        let advance = begin("drawing", samples);
        let mut cpu = CpuEngine::untuned(&*source, plan.loss, &*advance)?;
        let draw = start.elapsed().as_secs_f64();
        drop((advance, source));
        let known = cpu.evaluate(MODEL)?;
        let mut walk = Vec::new();
        cpu.descend(MODEL, LEARNING_RATE, WALK, &mut walk)?;
        let contest = Contest {
            plan,
            begin,
            known,
            walk,
            samples,
            draw,
        };
        for &contestant in &plan.contestants {
            let rows = match contestant {
                Contestant::Cpu1 | Contestant::Cpu => {
                    if contestant == Contestant::Cpu {
                        cpu.tune();
                    } else {
                        one_thread.install(|| cpu.tune());
                    }
                    // On one thread cpu is the same as cpu-1, and is timed like it: idle threads of a pool get in the way.
                    vec![if cpu.is_parallel() {
                        contest.cpu(contestant, &mut cpu)
                    } else {
                        one_thread.install(|| contest.cpu(contestant, &mut cpu))
                    }]
                }
                Contestant::Gpu | Contestant::GpuBatched => {
                    let adapters = plan.adapters.iter();
                    let row = |(on, tuning)| contest.gpu(contestant, on, tuning, &cpu);
                    adapters.map(|(on, tuning)| row((on, *tuning))).collect()
                }
            };
            rows.into_iter().try_for_each(&mut *watch)?;
        }
    }
    Ok(())
}

/// Opens an engine on each adapter in vain. The first engine waits for what the driver does once a process, or keeps on
/// disk. If that fails, the rows will say so.
fn start_drivers(plan: &BenchPlan) {
    let (x, y) = (&[0.0; 4][..], &[0.0; 4][..]);
    let options = Options {
        storage: plan.storage,
        ..Options::default()
    };
    for (adapter, _) in &plan.adapters {
        let _ = Columns::new(x, y).and_then(|columns| {
            GpuEngine::new(adapter, &columns, plan.loss, &options, &|_| {}).map(drop)
        });
    }
}

/// The data and figures that the engines of one size share.
struct Contest<'a> {
    plan: &'a BenchPlan,
    begin: Begin<'a>,
    /// The CPU engine's sums at [`MODEL`].
    known: Sums,
    /// The CPU engine's first epochs from there.
    walk: Vec<Step>,
    samples: u64,
    /// Time to draw the samples, in seconds.
    draw: f64,
}

impl Contest<'_> {
    /// Times the CPU engine.
    fn cpu(&self, contestant: Contestant, engine: &mut CpuEngine) -> BenchRow {
        let mut row = BenchRow::new(self.samples, contestant, self.draw);
        row.threads = Some(engine.threads());
        row.phases.setup = Some(0.0);
        let columns = engine.columns();
        let read = roof::fastest_read(columns.x(), columns.y());
        let done = self.time(&mut row, &mut OnCpu { engine, read });
        row.with_failure(done)
    }

    /// Times the GPU engine on an adapter, with the CPU engine's samples.
    fn gpu(
        &self,
        contestant: Contestant,
        adapter: &Adapter,
        tuning: Option<Tuning>,
        cpu: &CpuEngine,
    ) -> BenchRow {
        let mut row = BenchRow::new(self.samples, contestant, self.draw);
        row.adapter = Some(adapter.info().index);
        row.software = adapter.info().software;
        row.storage = self.plan.storage;
        let columns = cpu.columns();
        let done = self
            .load(&mut row, adapter, tuning, &columns)
            .and_then(|mut engine| {
                self.epochs(&mut row, &mut engine)?;
                self.device(&mut row, engine)
            });
        row.with_failure(done)
    }

    /// Loads the samples into a GPU engine, and notes how long that took.
    fn load<'e>(
        &self,
        row: &mut BenchRow,
        adapter: &Adapter,
        tuning: Option<Tuning>,
        columns: &'e Columns<'_>,
    ) -> Result<GpuEngine<'e>, Error> {
        let advance = (self.begin)(&format!("loading {}", row.label()), self.samples);
        let options = Options {
            storage: self.plan.storage,
            tuning: tuning.filter(|_| self.samples >= cache::WORTH),
            ..Options::default()
        };
        let engine = GpuEngine::new(adapter, columns, self.plan.loss, &options, &*advance)?;
        drop(advance);
        let timings = engine.timings();
        let [device_start, compile, load] =
            [timings.device_start, timings.compile, timings.load].map(|time| time.as_secs_f64());
        row.phases.device_start = Some(device_start);
        row.phases.compile = Some(compile);
        row.phases.load = Some(load);
        row.phases.load_bytes_per_second = Some(row.bytes() as f64 / load);
        row.phases.setup = Some(device_start + compile + load);
        Ok(engine)
    }

    /// Times the epochs of a GPU engine.
    fn epochs(&self, row: &mut BenchRow, engine: &mut GpuEngine) -> Result<(), Error> {
        if row.engine != Contestant::GpuBatched {
            return self.time(row, &mut Evaluated(engine));
        }
        let mut steps = Vec::new();
        engine.descend(MODEL, LEARNING_RATE, WALK, &mut steps)?;
        row.disagreement = agree::walk(row.storage, &steps, &self.walk, self.samples).err();
        let steps = Vec::new();
        self.time(row, &mut Batched { engine, steps })
    }

    /// Measures the kernels, the read-back and the roofs of an engine that has a time.
    fn device(&self, row: &mut BenchRow, mut engine: GpuEngine) -> Result<(), Error> {
        let Some(bandwidth) = row.bytes_per_second else {
            return Ok(());
        };
        let batched = row.engine == Contestant::GpuBatched;
        let epochs = if batched { KERNEL_EPOCHS } else { 1 };
        let mut kernels = Vec::new();
        let mut readbacks = Vec::new();
        for _ in 0..KERNEL_TIMES {
            let time = engine.kernel_time(MODEL, epochs)?;
            kernels.extend(time.map(|time| time.as_secs_f64()));
            readbacks.push(engine.readback_time()?.as_secs_f64());
        }
        row.kernel_seconds = median(kernels);
        row.phases.readback = median(readbacks);
        // Many epochs in one dispatch have no roof: reading alone can't do that.
        if batched && self.samples <= ALONE {
            return Ok(());
        }
        let roofs = engine.roofs()?;
        row.roof = Some(Roof {
            read_bytes_per_second: roofs.read,
            copy_bytes_per_second: Some(roofs.copy),
            share_of_read: bandwidth / roofs.read,
            share_of_copy: Some(bandwidth / roofs.copy),
        });
        Ok(())
    }

    /// Compares an engine's sums with the known ones, and times its epochs if they agree.
    fn time(&self, row: &mut BenchRow, timed: &mut dyn Timed) -> Result<(), Error> {
        let sums = timed.sums()?;
        row.evaluation = Some(sums.means(self.samples));
        let agreed = agree::sums(row.storage, sums, self.known);
        row.disagreement = row.disagreement.take().or(agreed.err());
        row.agrees = Some(row.disagreement.is_none());
        if row.disagreement.is_some() {
            return Ok(());
        }
        let what = format!("timing {}", row.label());
        let Clocked { epoch, roof, share } = clock(timed, self.plan.min_time, &what, self.begin)?;
        let bytes = row.bytes() as f64;
        let bandwidth = |seconds: f64| bytes / seconds;
        row.epoch_seconds = Some(epoch);
        row.samples_per_second = Some(self.samples as f64 / epoch.median);
        row.bytes_per_second = Some(bandwidth(epoch.median));
        row.roof = roof.zip(share).map(|(roof, share)| Roof {
            read_bytes_per_second: bandwidth(roof),
            copy_bytes_per_second: None,
            share_of_read: share,
            share_of_copy: None,
        });
        row.phases.answer = row.phases.setup.map(|setup| {
            row.phases.draw + setup + self.plan.epochs_to_answer as f64 * epoch.median
        });
        Ok(())
    }
}

/// The CPU engine, with the fastest function that reads the same arrays in the same pool.
struct OnCpu<'a> {
    engine: &'a mut CpuEngine,
    read: fn(&[f32], &[f32]) -> u32,
}

impl Timed for OnCpu<'_> {
    fn sums(&mut self) -> Result<Sums, Error> {
        Evaluated(self.engine).sums()
    }

    fn epochs(&mut self, count: u64) -> Result<(), Error> {
        Evaluated(self.engine).epochs(count)
    }

    fn roof(&mut self, count: u64) -> bool {
        let columns = self.engine.columns();
        for _ in 0..count {
            black_box((self.read)(columns.x(), columns.y()));
        }
        true
    }
}

#[cfg(test)]
mod tests;
