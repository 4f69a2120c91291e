//! What is timed, how often, against what.
//!
//! For each size the samples are drawn once, into the CPU engine's memory, from where every other engine
//! loads them. The engines' sums are compared before anything is timed; who disagrees gets no time. What
//! is timed is an epoch: from the model to the sums on the host.

use std::hint::black_box;
use std::time::{Duration, Instant};

pub use self::agree::verdict;
pub use self::clock::Times;
use self::clock::{Batched, Clocked, Contestant, Evaluated, LEARNING_RATE, clock, median};
pub use self::row::{Kind, Phases, Roof, Row, label};
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

/// The line at which every epoch is computed: well below the samples of the default recipe, so that all
/// but a few terms of each sum have one sign.
pub const MODEL: Model = Model { w: -1.5, b: 0.5 };

/// What to time.
#[derive(Debug)]
pub struct Plan {
    /// Sample counts, in the order they are run.
    pub samples: Vec<u64>,
    /// The loss of every epoch.
    pub loss: Loss,
    /// Who is timed, in this order.
    pub kinds: Vec<Kind>,
    /// What GPU engines run on, one after the other, and what was measured to suit each for large sets.
    pub adapters: Vec<(Adapter, Option<Tuning>)>,
    /// How they store samples.
    pub storage: Storage,
    /// For how long each engine is timed at the least.
    pub min_time: Duration,
    /// The epochs of [`Phases::answer`].
    pub epochs_to_answer: u64,
}

impl Plan {
    /// How many rows a size has.
    pub fn rows_per_size(&self) -> usize {
        let on_adapter = self.kinds.iter().filter(|kind| kind.on_adapter()).count();
        self.kinds.len() - on_adapter + on_adapter * self.adapters.len()
    }
}

/// Draws a data set of so many samples, of the default recipe but for its seed.
pub type Draw<'a> = &'a dyn Fn(u64) -> Result<Box<dyn Source>, Error>;

/// Begins something that takes a while: what, and how much there is to do. What is returned is told of
/// every part done, and dropped at the end.
pub type Begin<'a> = &'a (dyn Fn(&str, u64) -> Box<dyn Fn(u64) + Sync> + Sync);

/// Runs the plan, handing each row to `watch` as it comes. One GPU engine is alive at a time.
///
/// # Errors
/// Where memory is too small for the samples, if it can be told before anything is timed, and what `draw`
/// and `watch` say.
/// An engine that fails or disagrees is no error here: its row says so, and [`verdict`].
pub fn run(
    plan: &Plan,
    draw: Draw,
    begin: Begin,
    watch: &mut dyn FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    Memory::new(plan.samples.iter().copied().max().unwrap_or(1))?;
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| Error::Io {
            doing: "cannot start a thread".to_owned(),
            source: std::io::Error::other(error),
        })?;
    for (adapter, _) in &plan.adapters {
        // Once in vain: the first engine on an adapter waits for what the driver does once a process, or keeps on disk.
        // Should it fail, the rows will say so.
        let (x, y) = (&[0.0; 4][..], &[0.0; 4][..]);
        let options = Options {
            storage: plan.storage,
            ..Options::default()
        };
        let _ = GpuEngine::new(adapter, &Columns::new(x, y)?, plan.loss, &options, &|_| {});
    }
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
        for &kind in &plan.kinds {
            let of_kind = match kind {
                Kind::Cpu1 | Kind::Cpu => {
                    if kind == Kind::Cpu {
                        cpu.tune();
                    } else {
                        one_thread.install(|| cpu.tune());
                    }
                    // On one thread cpu is cpu-1, and timed like it: idle threads of a pool get in the way.
                    vec![if cpu.is_parallel() {
                        contest.cpu(kind, &mut cpu)
                    } else {
                        one_thread.install(|| contest.cpu(kind, &mut cpu))
                    }]
                }
                Kind::Gpu | Kind::GpuBatched => {
                    let adapters = plan.adapters.iter();
                    let row = |(on, tuning)| contest.gpu(kind, on, tuning, &cpu);
                    adapters.map(|(on, tuning)| row((on, *tuning))).collect()
                }
            };
            of_kind.into_iter().try_for_each(&mut *watch)?;
        }
    }
    Ok(())
}

/// What the engines of one size have in common.
struct Contest<'a> {
    plan: &'a Plan,
    begin: Begin<'a>,
    /// The CPU engine's sums at [`MODEL`].
    known: Sums,
    /// Its first epochs from there.
    walk: Vec<Step>,
    samples: u64,
    draw: f64,
}

/// Epochs of a batch that are compared with the host loop's.
const WALK: u64 = 10;
/// Epochs of a batch whose time on the device is taken.
const KERNEL_EPOCHS: u32 = 16;

impl Contest<'_> {
    fn cpu(&self, kind: Kind, engine: &mut CpuEngine) -> Row {
        let mut row = Row::new(self.samples, kind, self.draw);
        row.threads = Some(engine.threads());
        row.phases.setup = Some(0.0);
        let columns = engine.columns();
        let read = roof::fastest_read(columns.x(), columns.y());
        let done = self.time(&mut row, &mut OnCpu { engine, read });
        row.failed(done)
    }

    fn gpu(&self, kind: Kind, adapter: &Adapter, tuning: Option<Tuning>, cpu: &CpuEngine) -> Row {
        let mut row = Row::new(self.samples, kind, self.draw);
        row.adapter = Some(adapter.info().index);
        row.software = adapter.info().software;
        row.storage = self.plan.storage;
        let done = self.on_adapter(&mut row, adapter, tuning, cpu);
        row.failed(done)
    }

    fn on_adapter(
        &self,
        row: &mut Row,
        adapter: &Adapter,
        tuning: Option<Tuning>,
        cpu: &CpuEngine,
    ) -> Result<(), Error> {
        let advance = (self.begin)(&format!("loading {}", row.label()), self.samples);
        let options = Options {
            storage: self.plan.storage,
            tuning: tuning.filter(|_| self.samples >= cache::WORTH),
            ..Options::default()
        };
        let columns = cpu.columns();
        let mut engine = GpuEngine::new(adapter, &columns, self.plan.loss, &options, &*advance)?;
        drop(advance);
        let timings = engine.timings();
        let [device_start, compile, load] =
            [timings.device_start, timings.compile, timings.load].map(|time| time.as_secs_f64());
        row.phases.device_start = Some(device_start);
        row.phases.compile = Some(compile);
        row.phases.load = Some(load);
        row.phases.load_bytes_per_second = Some(row.bytes() as f64 / load);
        row.phases.setup = Some(device_start + compile + load);
        if row.engine == Kind::GpuBatched {
            let mut steps = Vec::new();
            engine.descend(MODEL, LEARNING_RATE, WALK, &mut steps)?;
            row.disagreement = agree::walk(row.storage, &steps, &self.walk, self.samples).err();
            let (engine, steps) = (&mut engine, Vec::new());
            self.time(row, &mut Batched { engine, steps })?;
        } else {
            self.time(row, &mut Evaluated(&mut engine))?;
        }
        let Some(bandwidth) = row.bytes_per_second else {
            return Ok(());
        };
        let batched = row.engine == Kind::GpuBatched;
        let epochs = if batched { KERNEL_EPOCHS } else { 1 };
        let mut kernels = Vec::new();
        let mut readbacks = Vec::new();
        for _ in 0..9 {
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

    /// Agreement first; who agrees is timed.
    fn time(&self, row: &mut Row, contestant: &mut dyn Contestant) -> Result<(), Error> {
        let sums = contestant.sums()?;
        row.evaluation = Some(sums.means(self.samples));
        let agreed = agree::sums(row.storage, sums, self.known);
        row.disagreement = row.disagreement.take().or(agreed.err());
        row.agrees = Some(row.disagreement.is_none());
        if row.disagreement.is_some() {
            return Ok(());
        }
        let what = format!("timing {}", row.label());
        let Clocked { epoch, roof, share } =
            clock(contestant, self.plan.min_time, &what, self.begin)?;
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

/// The CPU engine, and who reads the same arrays fastest in the same pool.
struct OnCpu<'a> {
    engine: &'a mut CpuEngine,
    read: fn(&[f32], &[f32]) -> u32,
}

impl Contestant for OnCpu<'_> {
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
