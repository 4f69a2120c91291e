//! The CPU engine: threads and SIMD lanes. The rival in benchmarks and the reference in tests.

use std::hint::black_box;
use std::time::{Duration, Instant};

use multiversion::multiversion;
use rayon::prelude::*;
use serde::Serialize;

use super::gpu::program::Storage;
use super::{Description, Engine};
use crate::data::host::{self, Columns, Memory};
use crate::data::{self, BLOCK, Block, OnLoad, Source};
use crate::error::Error;
use crate::loss::{self, Loss, Terms};
use crate::model::{Model, Sums};

/// f32 sums side by side: one AVX-512 register, two of AVX2, four of SSE2 or NEON.
const LANES: usize = 16;
/// Terms that a lane adds up in f32 before they go into an f64 sum. The rounding of 31 additions is
/// below 31 · 2^-24 = 1.9e-6 of Σ|term| at its worst, some 2e-7 in practice; 32 hides the widening.
const RUN: usize = 32;

/// Sets between these sizes are tried with one thread and with all; smaller ones are one block,
/// larger ones always gain.
const ONE_OR_ALL: std::ops::Range<u64> = BLOCK as u64 + 1..8_000_000;

/// What a CPU engine will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// How many samples.
    pub samples: u64,
    /// Bytes of host memory that hold them.
    pub bytes: u64,
    /// Bytes of host memory that can be had; none where the operating system doesn't say.
    pub available: Option<u64>,
}

/// What [`CpuEngine::new`] will take for so many samples. Takes no memory.
pub fn plan(samples: u64) -> Plan {
    Plan {
        samples,
        bytes: host::bytes(samples),
        available: host::available(),
    }
}

/// What the CPU engine on so many threads is.
pub fn description(threads: usize) -> Description {
    Description {
        kind: "cpu",
        name: format!("{threads} thread{}", if threads == 1 { "" } else { "s" }),
        backend: None,
        software: false,
        storage: Storage::F32,
    }
}

/// All samples in f32 in host memory, 8 bytes a sample.
#[derive(Debug)]
pub struct CpuEngine {
    memory: Memory,
    loss: Loss,
    /// One sum a block, added up in order: the same bits for any number of threads.
    partial_sums: Vec<Sums>,
    parallel: bool,
}

impl CpuEngine {
    /// Loads all samples, on all threads of rayon's pool, telling `on_load` of them, and tunes.
    ///
    /// # Errors
    /// [`Error::Io`] where memory is too small, and what [`Source::read`] says.
    pub fn new(source: &dyn Source, loss: Loss, on_load: OnLoad) -> Result<Self, Error> {
        let mut engine = Self::untuned(source, loss, on_load)?;
        engine.tune();
        Ok(engine)
    }

    /// Like [`CpuEngine::new`], but on all threads whether or not one would be faster.
    ///
    /// # Errors
    /// The same.
    pub fn untuned(source: &dyn Source, loss: Loss, on_load: OnLoad) -> Result<Self, Error> {
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

    /// Chooses between one thread and all of the rayon pool that this is called in, by trying.
    pub fn tune(&mut self) {
        self.parallel = self.gains_from_threads();
    }

    /// Whether it runs on all threads of the pool, not on one.
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// How many threads it runs on.
    pub fn threads(&self) -> usize {
        if self.parallel {
            rayon::current_num_threads()
        } else {
            1
        }
    }

    /// The samples as they are computed with.
    pub fn columns(&self) -> Columns<'_> {
        self.memory.columns()
    }

    fn load(&mut self, source: &dyn Source, on_load: OnLoad) -> Result<(), Error> {
        let (x, y) = self.memory.columns_mut();
        x.par_chunks_mut(BLOCK)
            .zip(y.par_chunks_mut(BLOCK))
            .enumerate()
            .try_for_each_init(Block::default, |block, (index, (x, y))| {
                data::read(source, index as u64, block)?;
                for (to, from) in [(x, &block.x), (y, &block.y)] {
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to = from as f32;
                    }
                }
                on_load(block.x.len() as u64);
                Ok(())
            })
    }

    /// Whether all threads are faster than one. Fork and join cost tens of µs, more on a busy or
    /// virtual machine, and a term of one loss ten times that of another: so it is measured.
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

    /// What the engine runs on.
    pub fn description(&self) -> Description {
        description(self.threads())
    }
}

impl Engine for CpuEngine {
    fn samples(&self) -> u64 {
        self.columns().samples()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        Ok(self.sums(model))
    }
}

/// The sums over some samples, with w and b rounded to f32.
pub(super) fn block_sums(loss: Loss, x: &[f32], y: &[f32], model: Model) -> Sums {
    let (w, b) = (model.w as f32, model.b as f32);
    match loss {
        Loss::Mse => reduce_samples(x, y, w, b, loss::mse),
        Loss::Mae => reduce_samples(x, y, w, b, loss::mae),
        Loss::Huber { delta } => {
            let delta = delta as f32;
            reduce_samples(x, y, w, b, |residual| loss::huber(residual, delta))
        }
        Loss::LogCosh => reduce_samples(x, y, w, b, loss::log_cosh),
        Loss::Quantile { tau } => {
            let (over, under) = ((1.0 - tau) as f32, tau as f32);
            reduce_samples(x, y, w, b, |residual| loss::quantile(residual, over, under))
        }
    }
}

/// The twin of the shader's `reduce_samples`. f32 terms, short f32 sums in
/// lanes, f64 beyond; compiled for each instruction set and chosen at run time.
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
