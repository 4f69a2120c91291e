//! The CPU engine: threads and SIMD lanes. It is the rival in benchmarks and the reference in tests.

use std::hint::black_box;
use std::time::{Duration, Instant};

use multiversion::multiversion;
use rayon::prelude::*;
use serde::Serialize;

use super::{Description, Engine};
use crate::data::host::{self, Columns, Memory};
use crate::data::{self, BLOCK, Block, OnLoad, Source};
use crate::error::{Error, counted};
use crate::loss::{Loss, Terms, TermsVisitor};
use crate::model::{Model, Sums};

/// The number of f32 sums side by side: one AVX-512 register, two of AVX2, four of SSE2 or NEON.
const LANES: usize = 16;
/// The number of terms that a lane adds up in f32 before they go into an f64 sum.
///
/// The rounding of 31 additions is at worst 31 · 2^-24 = 1.9e-6 of Σ|term|, and some 2e-7 in practice. Runs of 32 hide
/// the cost of widening.
const RUN: usize = 32;
/// The set sizes that are timed with one thread and with all. Smaller sets are one block, and larger ones always gain.
const ONE_OR_ALL: std::ops::Range<u64> = BLOCK as u64 + 1..8_000_000;

/// The memory that a CPU engine will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CpuPlan {
    /// The number of samples.
    pub samples: u64,
    /// The bytes of host memory that hold them.
    pub bytes: u64,
    /// The bytes of host memory available; `None` if the operating system doesn't say.
    pub available: Option<u64>,
}

/// Returns the memory that [`CpuEngine::new`] will take, without taking it.
pub fn plan(samples: u64) -> CpuPlan {
    CpuPlan {
        samples,
        bytes: host::bytes(samples),
        available: host::available(),
    }
}

/// Describes the CPU engine on so many threads, with so many samples.
pub fn description(threads: usize, samples: u64) -> Description {
    Description::on_host(counted(threads as u64, "thread"), samples)
}

/// The CPU engine, with all samples in f32 in host memory: 8 bytes a sample.
#[derive(Debug)]
pub struct CpuEngine {
    memory: Memory,
    loss: Loss,
    /// The sums of each block. They are added up in order, so any number of threads gives the same bits.
    partial_sums: Vec<Sums>,
    parallel: bool,
}

impl CpuEngine {
    /// Loads all samples on all threads of rayon's pool, and chooses the number of threads as [`CpuEngine::tune`] does.
    ///
    /// # Errors
    /// Those of [`Loss::check_for_engine`], [`Memory::new`] and [`data::read_for_engine`].
    pub fn new(source: &dyn Source, loss: Loss, on_load: OnLoad) -> Result<Self, Error> {
        let mut engine = Self::untuned(source, loss, on_load)?;
        engine.tune();
        Ok(engine)
    }

    /// Loads all samples like [`CpuEngine::new`], but uses all threads even if one would be faster.
    ///
    /// # Errors
    /// Those of [`CpuEngine::new`].
    pub fn untuned(source: &dyn Source, loss: Loss, on_load: OnLoad) -> Result<Self, Error> {
        loss.check_for_engine()?;
        let blocks = data::blocks(source)?;
        let mut engine = CpuEngine {
            memory: Memory::new(source.samples())?,
            loss,
            partial_sums: vec![Sums::default(); blocks as usize],
            parallel: true,
        };
        engine.load(source, on_load)?;
        Ok(engine)
    }

    /// Chooses between one thread and all of the current rayon pool by timing both.
    pub fn tune(&mut self) {
        self.parallel = self.gains_from_threads();
    }

    /// Runs on all threads of the pool, or on one.
    pub fn set_parallel(&mut self, parallel: bool) {
        self.parallel = parallel;
    }

    /// Returns whether the engine runs on all threads of the pool rather than one.
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// Returns the number of threads that the engine runs on.
    pub fn threads(&self) -> usize {
        if self.parallel {
            rayon::current_num_threads()
        } else {
            1
        }
    }

    /// Returns the samples as the engine computes with them.
    pub fn columns(&self) -> Columns<'_> {
        self.memory.columns()
    }

    fn load(&mut self, source: &dyn Source, on_load: OnLoad) -> Result<(), Error> {
        let (x, y) = self.memory.columns_mut();
        x.par_chunks_mut(BLOCK)
            .zip(y.par_chunks_mut(BLOCK))
            .enumerate()
            .try_for_each_init(Block::default, |block, (index, (x, y))| {
                data::read_for_engine(source, index as u64, block)?;
                for (to, from) in [(x, &block.x), (y, &block.y)] {
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to = from as f32;
                    }
                }
                on_load(block.x.len() as u64);
                Ok(())
            })
    }

    /// Returns whether all threads are faster than one.
    ///
    /// It has to be measured: fork and join cost tens of µs, and more on a busy or virtual machine. A term of one loss
    /// costs ten times that of another.
    fn gains_from_threads(&mut self) -> bool {
        if rayon::current_num_threads() == 1 || self.samples() < ONE_OR_ALL.start {
            return false;
        }
        if self.samples() >= ONE_OR_ALL.end {
            return true;
        }
        let mut best = [Duration::MAX; 2];
        for _ in 0..5 {
            for parallel in [false, true] {
                self.parallel = parallel;
                let start = Instant::now();
                black_box(self.sums(black_box(Model { w: 0.0, b: 0.0 })));
                let best = &mut best[usize::from(parallel)];
                *best = start.elapsed().min(*best);
            }
        }
        best[1] < best[0]
    }

    fn sums(&mut self, model: Model) -> Sums {
        let columns = self.memory.columns();
        let (x, y) = (columns.x(), columns.y());
        let loss = self.loss;
        if self.parallel {
            self.partial_sums
                .par_iter_mut()
                .zip(x.par_chunks(BLOCK).zip(y.par_chunks(BLOCK)))
                .for_each(|(sum, (x, y))| *sum = block_sums(loss, x, y, model));
        } else {
            let blocks = x.chunks(BLOCK).zip(y.chunks(BLOCK));
            for (sum, (x, y)) in self.partial_sums.iter_mut().zip(blocks) {
                *sum = block_sums(loss, x, y, model);
            }
        }
        self.partial_sums.iter().copied().sum()
    }
}

impl Engine for CpuEngine {
    fn samples(&self) -> u64 {
        self.columns().samples()
    }

    fn on_host(&self) -> Option<Columns<'_>> {
        Some(self.columns())
    }

    fn description(&self) -> Description {
        description(self.threads(), self.samples())
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        Ok(self.sums(model))
    }

    /// Evaluates all models on a run of samples that stays in the first-level cache. Takes 8 bytes a model and block.
    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        let columns = self.memory.columns();
        let lines: Vec<[f32; 2]> = models
            .iter()
            .map(|model| [model.w as f32, model.b as f32])
            .collect();
        let blocks: Vec<Vec<f64>> = columns
            .x()
            .par_chunks(BLOCK)
            .zip(columns.y().par_chunks(BLOCK))
            .map(|(x, y)| {
                self.loss.with_terms(SamplesAndLines {
                    x,
                    y,
                    lines: &lines,
                })
            })
            .collect();
        let mut sums = vec![0.0; models.len()];
        for block in blocks {
            for (sum, part) in sums.iter_mut().zip(block) {
                *sum += part;
            }
        }
        Ok(sums)
    }
}

/// Returns the sums over some samples, with w and b rounded to f32.
pub(super) fn block_sums(loss: Loss, x: &[f32], y: &[f32], model: Model) -> Sums {
    let (w, b) = (model.w as f32, model.b as f32);
    loss.with_terms(SamplesAndLine { x, y, w, b })
}

/// The samples of one block, and the line to evaluate.
struct SamplesAndLine<'a> {
    x: &'a [f32],
    y: &'a [f32],
    w: f32,
    b: f32,
}

impl TermsVisitor for SamplesAndLine<'_> {
    type Output = Sums;

    fn visit(self, terms: impl Fn(f32) -> Terms) -> Sums {
        reduce_samples(self.x, self.y, self.w, self.b, terms)
    }
}

/// The samples of one block, and the lines to evaluate: the w and b of each.
struct SamplesAndLines<'a> {
    x: &'a [f32],
    y: &'a [f32],
    lines: &'a [[f32; 2]],
}

impl TermsVisitor for SamplesAndLines<'_> {
    type Output = Vec<f64>;

    fn visit(self, terms: impl Fn(f32) -> Terms) -> Vec<f64> {
        let mut sums = vec![0.0; self.lines.len()];
        reduce_losses(self.x, self.y, self.lines, terms, &mut sums);
        sums
    }
}

/// Adds the loss values at each line to its sum: in f32 lanes over short runs, and in f64 beyond.
///
/// It is the twin of the shader's `reduce_losses`, compiled as [`reduce_samples`] is.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn reduce_losses<T: Fn(f32) -> Terms>(
    x: &[f32],
    y: &[f32],
    lines: &[[f32; 2]],
    terms: T,
    sums: &mut [f64],
) {
    for (x, y) in x.chunks(LANES * RUN).zip(y.chunks(LANES * RUN)) {
        let (whole_x, rest_x) = x.as_chunks::<LANES>();
        let (whole_y, rest_y) = y.as_chunks::<LANES>();
        for (sum, &[w, b]) in sums.iter_mut().zip(lines) {
            let mut run = [0.0_f32; LANES];
            for (x, y) in whole_x.iter().zip(whole_y) {
                for lane in 0..LANES {
                    run[lane] += terms(w * x[lane] + b - y[lane]).0;
                }
            }
            for (lane, (x, y)) in rest_x.iter().zip(rest_y).enumerate() {
                run[lane] += terms(w * x + b - y).0;
            }
            *sum += run.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        }
    }
}

/// Returns the sums of f32 terms, added up in f32 lanes over short runs and in f64 beyond.
///
/// It is the twin of the shader's `reduce_samples`, compiled for each instruction set; the best one is chosen at run
/// time.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn reduce_samples<T: Fn(f32) -> Terms>(x: &[f32], y: &[f32], w: f32, b: f32, terms: T) -> Sums {
    let mut sums = [[0.0_f64; LANES]; 3];
    for (x, y) in x.chunks(LANES * RUN).zip(y.chunks(LANES * RUN)) {
        let mut run = [[0.0_f32; LANES]; 3];
        let mut add = |lane: usize, x: f32, y: f32| {
            let (value, derivative) = terms(w * x + b - y);
            run[0][lane] += value;
            run[1][lane] += derivative * x;
            run[2][lane] += derivative;
        };
        let (whole_x, whole_y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
        let rest = whole_x.remainder().iter().zip(whole_y.remainder());
        for (x, y) in whole_x.zip(whole_y) {
            for lane in 0..LANES {
                add(lane, x[lane], y[lane]);
            }
        }
        for (lane, (&x, &y)) in rest.enumerate() {
            add(lane, x, y);
        }
        for (sums, run) in sums.iter_mut().zip(run) {
            for (sum, run) in sums.iter_mut().zip(run) {
                *sum += f64::from(run);
            }
        }
    }
    let [loss, dw, db] = sums.map(|lanes| lanes.iter().sum());
    Sums { loss, dw, db }
}
