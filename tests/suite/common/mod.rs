//! What several test files need: the engines that this machine offers, and an f64 reference.

pub mod golden;
pub mod lines;
pub mod program;
pub mod rows;
pub mod standard;
pub mod team;
pub mod text;

use std::sync::{Mutex, PoisonError};

use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{BLOCK, Block, Source, positions};
use fall_line::engine::Engine;
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::{GpuEngine, Options, adapter};
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};
use rayon::prelude::*;

/// Tests run in threads of one process, and some drivers don't bear two devices there.
static ONE_DEVICE: Mutex<()> = Mutex::new(());

/// Runs `check` on the CPU engine and on the GPU engine of every adapter, one at a time, and says
/// which. No adapter is a failure.
pub fn on_every_engine(source: &dyn Source, loss: Loss, check: impl FnMut(&str, &mut dyn Engine)) {
    on_every_engine_with(&Options::default(), source, loss, check);
}

/// Does the same with options for the GPU engines.
pub fn on_every_engine_with(
    options: &Options,
    source: &dyn Source,
    loss: Loss,
    mut check: impl FnMut(&str, &mut dyn Engine),
) {
    check("cpu", &mut CpuEngine::new(source, loss, &|_| {}).unwrap());
    on_every_adapter(|adapter| {
        let name = adapter.info().to_string();
        println!("{} of {} samples on {name}", loss.name(), source.samples());
        check(
            &name,
            &mut GpuEngine::new(&adapter, source, loss, options, &|_| {}).unwrap(),
        );
    });
}

/// Runs `check` with every adapter, one at a time. No adapter is a failure.
pub fn on_every_adapter(check: impl FnMut(adapter::Adapter)) {
    with_adapters(|adapters| adapters.into_iter().for_each(check));
}

/// Runs `check` with all adapters. None is a failure.
pub fn with_adapters(check: impl FnOnce(Vec<adapter::Adapter>)) {
    let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
    let adapters = adapter::list();
    assert!(!adapters.is_empty(), "{}", adapter::none());
    check(adapters);
}

/// The losses to test: all, and those with a parameter also away from its default.
pub fn losses() -> Vec<Loss> {
    let mut losses = Loss::ALL.to_vec();
    losses.push(Loss::Huber { delta: 2.5 });
    losses.extend([0.001, 0.9, 0.999].map(|tau| Loss::Quantile { tau }));
    losses
}

pub fn recipe(samples: u64) -> Recipe {
    Recipe {
        samples,
        ..Recipe::default()
    }
}

pub fn synthetic(samples: u64) -> ChaCha {
    ChaCha::new(recipe(samples)).unwrap()
}

/// All samples of a source.
pub fn all(source: &dyn Source) -> Block {
    let (mut block, mut all) = (Block::default(), Block::default());
    for index in 0..source.samples().div_ceil(BLOCK as u64) {
        source.read(index, &mut block).unwrap();
        all.x.append(&mut block.x);
        all.y.append(&mut block.y);
    }
    all
}

/// Samples in memory, in f64.
#[derive(Debug)]
pub struct Samples(pub Block);

impl Samples {
    pub fn new(x: &[f64], y: &[f64]) -> Self {
        let (x, y) = (x.to_vec(), y.to_vec());
        Samples(Block { x, y })
    }
}

impl Source for Samples {
    fn samples(&self) -> u64 {
        self.0.x.len() as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let positions = positions(index, self.samples());
        let range = positions.start as usize..positions.end as usize;
        block.clear();
        block.x.extend(&self.0.x[range.clone()]);
        block.y.extend(&self.0.y[range]);
        Ok(())
    }

    fn title(&self) -> String {
        "samples".to_owned()
    }
}

/// The same samples, each rounded as f16 rounds it once it is centred and scaled: what the adapter has.
pub struct Rounded {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Rounded {
    pub fn new(source: &dyn Source) -> Self {
        let Block { x, y } = all(source);
        Rounded {
            x: Self::column(x),
            y: Self::column(y),
        }
    }

    fn column(values: Vec<f64>) -> Vec<f64> {
        let center = f64::from((values.iter().sum::<f64>() / values.len() as f64) as f32);
        let reach = values
            .iter()
            .map(|v| (v - center).abs())
            .fold(0.0, f64::max);
        if reach == 0.0 {
            return values;
        }
        // The scale is a power of two and the exponent has room: 11 bits of what is not far below the furthest value.
        let least = 2_f64.powi(reach.log2().ceil() as i32 - 29);
        values
            .into_iter()
            .map(|value| {
                let off = value - center;
                let unit = 2_f64.powi((off.abs().max(least)).log2().floor() as i32 - 10);
                center + (off / unit).round_ties_even() * unit
            })
            .collect()
    }
}

impl Source for Rounded {
    fn samples(&self) -> u64 {
        self.x.len() as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, self.samples()) {
            block.push((self.x[position as usize], self.y[position as usize]));
        }
        Ok(())
    }

    fn title(&self) -> String {
        "rounded".to_owned()
    }
}

/// A sum in f64 of each of loss, dw and db, and the sum of its terms' sizes, which bounds how well
/// f32 can do: near the optimum a gradient cancels to almost nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference {
    pub sums: Sums,
    pub sizes: Sums,
}

impl Reference {
    /// From the textbook formulas in f64, over samples, w and b rounded to f32 as an engine sees them.
    pub fn new(source: &dyn Source, loss: Loss, model: Model) -> Self {
        Self::over(source, loss, in_f32(model), |value| f64::from(value as f32))
    }

    /// Likewise, over samples as they are.
    pub fn in_f64(source: &dyn Source, loss: Loss, model: Model) -> Self {
        Self::over(source, loss, in_f32(model), |value| value)
    }

    /// Over samples, w and b as they are.
    pub fn exact(source: &dyn Source, loss: Loss, model: Model) -> Self {
        Self::over(source, loss, model, |value| value)
    }

    fn over(
        source: &dyn Source,
        loss: Loss,
        Model { w, b }: Model,
        cast: impl Fn(f64) -> f64 + Sync,
    ) -> Self {
        let blocks = source.samples().div_ceil(BLOCK as u64);
        let of_blocks: Vec<Reference> = (0..blocks)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                source.read(index, block).unwrap();
                let mut reference = Reference::default();
                for (&x, &y) in block.x.iter().zip(&block.y) {
                    let (x, y) = (cast(x), cast(y));
                    reference.add(loss, w * x + b - y, x);
                }
                reference
            })
            .collect();
        Reference {
            sums: of_blocks.iter().map(|block| block.sums).sum(),
            sizes: of_blocks.iter().map(|block| block.sizes).sum(),
        }
    }

    pub fn add(&mut self, loss: Loss, residual: f64, x: f64) {
        let (value, derivative) = textbook(loss, residual);
        let sums = Sums {
            loss: value,
            dw: derivative * x,
            db: derivative,
        };
        self.sums = self.sums + sums;
        self.sizes = self.sizes
            + Sums {
                loss: sums.loss.abs(),
                dw: sums.dw.abs(),
                db: sums.db.abs(),
            };
    }

    /// Whether the sums are within 2e-6 of Σ|term|; if not, how not.
    ///
    /// Where it comes from: an f32 term is off by a few 2^-24 of its residual's parts, its sum is
    /// rounded some 32 + 16 times on the way to the total, by 2^-24 = 6e-8 each, and most of that
    /// averages out.
    pub fn agrees(&self, sums: Sums) -> Result<(), String> {
        self.agrees_within(2e-6, sums)
    }

    /// Whether the sums are within `bound` of Σ|term|.
    pub fn agrees_within(&self, bound: f64, sums: Sums) -> Result<(), String> {
        for (name, sum, right, size) in [
            ("loss", sums.loss, self.sums.loss, self.sizes.loss),
            ("dw", sums.dw, self.sums.dw, self.sizes.dw),
            ("db", sums.db, self.sums.db, self.sizes.db),
        ] {
            let off = (sum - right).abs() / size;
            // Not the opposite comparison: no number at all is wrong too.
            let right_enough = off <= bound;
            if !right_enough {
                return Err(format!(
                    "{name} is {sum}, not {right}: off by {off:e} of Σ|term|"
                ));
            }
        }
        Ok(())
    }
}

fn in_f32(Model { w, b }: Model) -> Model {
    let [w, b] = [w, b].map(|value| f64::from(value as f32));
    Model { w, b }
}

/// Loss value and derivative of a residual, in f64, as the textbooks have them.
fn textbook(loss: Loss, r: f64) -> (f64, f64) {
    let sign = if r == 0.0 { 0.0 } else { r.signum() };
    match loss {
        Loss::Mse => (r * r, 2.0 * r),
        Loss::Mae => (r.abs(), sign),
        Loss::Huber { delta } if r.abs() <= delta => (0.5 * r * r, r),
        Loss::Huber { delta } => (delta * (r.abs() - 0.5 * delta), delta * sign),
        // Near 0 that form loses its digits: cosh r = 1 + 2 sinh²(r/2).
        Loss::LogCosh if r.abs() < 1.0 => ((2.0 * (0.5 * r).sinh().powi(2)).ln_1p(), r.tanh()),
        Loss::LogCosh => {
            let value = r.abs() + (-2.0 * r.abs()).exp().ln_1p() - std::f64::consts::LN_2;
            (value, r.tanh())
        }
        Loss::Quantile { tau } if r > 0.0 => ((1.0 - tau) * r, 1.0 - tau),
        Loss::Quantile { tau } => (-tau * r, if r < 0.0 { -tau } else { 0.0 }),
    }
}
