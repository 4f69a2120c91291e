//! The engines of one size, timed in rounds. Each round draws the samples, loads them and times a slice of epochs of each
//! engine anew, so that what differs between two runs differs between rounds too. One GPU engine is alive at a time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use super::clock::{Batched, Evaluated, Figure, LEARNING_RATE, Timed, clock};
use super::machine::Others;
use super::row::{BenchRow, Contestant, Round, Setup};
use super::{Begin, BenchPlan, Draw, MODEL, WALK, adapters, agree, roof};
use crate::data::BLOCK;
use crate::data::host::Columns;
use crate::engine::cpu::CpuEngine;
use crate::engine::gpu::{ALONE, GpuEngine};
use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::model::Sums;

/// Minimum number of batches over all rounds, however long an epoch takes.
const LEAST: usize = 5;
/// Maximum number of measurements of the kernel and the read-back in a round, and their share of its time.
const KERNEL_TIMES: usize = 9;
const KERNEL_SHARE: f64 = 0.2;

/// The contest of one size.
pub struct Contest<'a> {
    pub plan: &'a BenchPlan,
    pub draw: Draw<'a>,
    pub one_thread: &'a ThreadPool,
    pub samples: u64,
}

/// The figures of the CPU engine that the others are compared with.
pub struct Known {
    /// The sums at [`MODEL`].
    pub sums: Sums,
    /// The first epochs from there.
    pub walk: Vec<Step>,
}

impl Contest<'_> {
    /// Runs the rounds. If a figure can't be true then, it runs up to as many more.
    pub fn rows(&self, begin: Begin) -> Result<Vec<BenchRow>, Error> {
        let others = Others::watch();
        let (mut cpu, mut draw) = self.drawn(begin)?;
        let known = self.known(&mut cpu)?;
        // On one thread cpu is cpu-1. What is faster is measured once, or rounds would differ in it.
        cpu.tune();
        let parallel = cpu.is_parallel();
        let mut rows = self.lineup(parallel);
        let runs = self.plan.runs;
        let length = (runs * rows.len()) as u64;
        let bar = |what| begin(&format!("{what} {} samples", self.samples), length);
        let mut advance = bar("timing");
        for round in 0.. {
            if is_enough(round, runs, &rows) {
                break;
            }
            if round == runs {
                advance = bar("timing again");
            }
            if round > 0 {
                drop(cpu);
                (cpu, draw) = self.drawn(&|_, _| Box::new(|_| {}))?;
            }
            // Extra rounds measure the roof of an adapter again too.
            let with_roof = round == 0 || round >= runs;
            for row in rows.iter_mut().filter(|row| !row.is_out()) {
                let measured = match row.engine {
                    Contestant::Cpu => {
                        self.in_pool(parallel, || self.cpu(row, &mut cpu, parallel, &known))
                    }
                    Contestant::Cpu1 => {
                        self.in_pool(false, || self.cpu(row, &mut cpu, false, &known))
                    }
                    Contestant::Gpus => self.gpus(row, &cpu.columns(), &known),
                    Contestant::Gpu | Contestant::GpuBatched => {
                        self.gpu(row, &cpu.columns(), &known, with_roof)
                    }
                };
                match measured {
                    Ok(measured) => row
                        .rounds
                        .extend(measured.map(|round| Round { draw, ..round })),
                    Err(error) => row.failure = Some(error.to_string()),
                }
                advance(1);
            }
            for row in &mut rows {
                row.conclude(self.plan.epochs_to_answer);
            }
        }
        let others = others.share();
        rows.iter_mut().for_each(|row| row.others = others);
        Ok(rows)
    }

    /// Draws the samples into a CPU engine, and returns the seconds that it took.
    fn drawn(&self, begin: Begin) -> Result<(CpuEngine, f64), Error> {
        let start = Instant::now();
        let source = (self.draw)(self.samples)?;
        let advance = begin("drawing", self.samples);
        let cpu = CpuEngine::untuned(&*source, self.plan.loss, &*advance)?;
        Ok((cpu, start.elapsed().as_secs_f64()))
    }

    fn known(&self, cpu: &mut CpuEngine) -> Result<Known, Error> {
        let mut walk = Vec::new();
        cpu.descend(MODEL, LEARNING_RATE, WALK, &mut walk)?;
        let sums = cpu.evaluate(MODEL)?;
        Ok(Known { sums, walk })
    }

    /// Returns a row without figures for each engine, with cpu-1 for cpu if both are one.
    fn lineup(&self, parallel: bool) -> Vec<BenchRow> {
        let mut rows = Vec::new();
        let is_one = !parallel && self.plan.contestants.contains(&Contestant::Cpu1);
        for &engine in &self.plan.contestants {
            let row = BenchRow::new(self.samples, engine);
            match engine {
                Contestant::Cpu if is_one => {}
                Contestant::Cpu | Contestant::Cpu1 => {
                    let all = engine == Contestant::Cpu && parallel;
                    let threads = if all { rayon::current_num_threads() } else { 1 };
                    let cpu = self.plan.contestants.contains(&Contestant::Cpu);
                    rows.push(BenchRow {
                        threads: Some(threads),
                        also: (is_one && cpu).then_some(Contestant::Cpu),
                        ..row
                    });
                }
                // Each adapter needs a block.
                Contestant::Gpus
                    if self.samples.div_ceil(BLOCK as u64) < self.plan.adapters.len() as u64 => {}
                Contestant::Gpus => rows.push(BenchRow {
                    software: self
                        .plan
                        .adapters
                        .iter()
                        .all(|(one, _)| one.info().software),
                    storage: self.plan.storage,
                    ..row
                }),
                Contestant::Gpu | Contestant::GpuBatched => {
                    rows.extend(self.plan.adapters.iter().map(|(adapter, _)| BenchRow {
                        adapter: Some(adapter.info().index),
                        software: adapter.info().software,
                        storage: self.plan.storage,
                        ..row.clone()
                    }));
                }
            }
        }
        rows
    }

    /// Runs something in the pool of all threads, or on one: idle threads of a pool get in the way.
    fn in_pool<R: Send>(&self, parallel: bool, run: impl FnOnce() -> R + Send) -> R {
        if parallel {
            run()
        } else {
            self.one_thread.install(run)
        }
    }

    /// Times the CPU engine in a round.
    fn cpu(
        &self,
        row: &mut BenchRow,
        engine: &mut CpuEngine,
        parallel: bool,
        known: &Known,
    ) -> Result<Option<Round>, Error> {
        engine.set_parallel(parallel);
        let columns = engine.columns();
        let read = roof::fastest_read(columns.x(), columns.y());
        self.epochs(row, &mut OnCpu { engine, read }, known)
    }

    /// Loads the samples into a GPU engine and times it in a round.
    fn gpu(
        &self,
        row: &mut BenchRow,
        columns: &Columns,
        known: &Known,
        with_roof: bool,
    ) -> Result<Option<Round>, Error> {
        let mut adapters = self.plan.adapters.iter();
        let Some((adapter, tuned)) =
            adapters.find(|(adapter, _)| Some(adapter.info().index) == row.adapter)
        else {
            return Ok(None);
        };
        let options = adapters::options(self.plan.storage, *tuned, self.samples);
        let mut engine = GpuEngine::new(adapter, columns, self.plan.loss, &options, &|_| {})?;
        let setup = Some(engine.timings().into());
        let batched = row.engine == Contestant::GpuBatched;
        let timed = if batched {
            let mut steps = Vec::new();
            if row.rounds.is_empty() {
                engine.descend(MODEL, LEARNING_RATE, WALK, &mut steps)?;
                row.disagreement =
                    agree::walk(row.storage, &steps, &known.walk, self.samples).err();
            }
            let engine = &mut engine;
            self.epochs(row, &mut Batched { engine, steps }, known)?
        } else {
            self.epochs(row, &mut Evaluated(&mut engine), known)?
        };
        let Some(mut round) = timed else {
            return Ok(None);
        };
        (round.kernel, round.readback) = self.kernel(&mut engine, batched)?;
        // Many epochs in one dispatch have no roof: reading alone can't do that. Neither have streamed samples.
        let has_roof = engine.placement().streamed == 0 && !(batched && self.samples <= ALONE);
        if with_roof && has_roof {
            round.roofs = Some(engine.roofs()?);
        }
        Ok(Some(Round { setup, ..round }))
    }

    /// Loads the samples into engines on all adapters, and times them together in a round.
    fn gpus(
        &self,
        row: &mut BenchRow,
        columns: &Columns,
        known: &Known,
    ) -> Result<Option<Round>, Error> {
        let plan = self.plan;
        let mut engine = adapters::load(&plan.adapters, columns, plan.loss, plan.storage)?;
        let setups = engine.engines().iter().map(|one| one.timings().into());
        let setup = setups.reduce(Setup::and);
        let timed = self.epochs(row, &mut Evaluated(&mut engine), known)?;
        Ok(timed.map(|round| Round { setup, ..round }))
    }

    /// Measures the kernel and the read-back: the medians of some times.
    fn kernel(
        &self,
        engine: &mut GpuEngine,
        batched: bool,
    ) -> Result<(Option<f64>, Option<f64>), Error> {
        let begun = Instant::now();
        let (mut kernels, mut readbacks) = (Vec::new(), Vec::new());
        while readbacks.is_empty()
            || readbacks.len() < KERNEL_TIMES
                && begun.elapsed() < self.slice().mul_f64(KERNEL_SHARE)
        {
            let kernel = engine.kernel_time(MODEL, batched)?;
            kernels.extend(kernel.map(|time| time.as_secs_f64()));
            readbacks.push(engine.readback_time()?.as_secs_f64());
        }
        let median = |times| Figure::of(times).map(|figure| figure.median);
        Ok((median(kernels), median(readbacks)))
    }

    /// Compares an engine's sums with the known ones, and times a slice of its epochs if they agree.
    pub fn epochs(
        &self,
        row: &mut BenchRow,
        timed: &mut dyn Timed,
        known: &Known,
    ) -> Result<Option<Round>, Error> {
        let sums = timed.sums()?;
        row.evaluation = Some(sums.means(self.samples));
        let agreed = agree::sums(row.storage, sums, known.sums);
        row.disagreement = row.disagreement.take().or(agreed.err());
        row.agrees = Some(row.disagreement.is_none());
        if row.disagreement.is_some() {
            return Ok(None);
        }
        let epochs = clock(timed, self.slice(), LEAST.div_ceil(self.plan.runs))?;
        Ok(Some(Round {
            epochs,
            ..Round::default()
        }))
    }

    /// Returns the time of an engine in a round.
    fn slice(&self) -> Duration {
        self.plan.min_time / self.plan.runs as u32
    }
}

/// Returns whether so many rounds are enough: as many as planned, or up to twice as many while a figure can't be true.
fn is_enough(rounds: usize, planned: usize, rows: &[BenchRow]) -> bool {
    let doubtful = || rows.iter().any(|row| row.impossible.is_some());
    rounds >= 2 * planned || rounds >= planned && !doubtful()
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
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_cannot_be_true_is_measured_again_in_as_many_rounds_more() {
        let mut rows = vec![BenchRow::new(1000, Contestant::Gpu)];
        let enough = |rows: &[BenchRow]| (0..).find(|&rounds| is_enough(rounds, 10, rows));
        assert_eq!(enough(&rows), Some(10));
        rows[0].impossible = Some("it is too fast".to_owned());
        assert_eq!(enough(&rows), Some(20));
    }
}
