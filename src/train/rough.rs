//! About where the line lies, from a few thousand of the samples.

use std::ops::ControlFlow;

use super::{Config, Descent, Stop, Walk, train};
use crate::data::{self, BLOCK, Block, Source};
use crate::engine::{Description, Engine};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

/// How many blocks are looked into.
const BLOCKS: u64 = 16;
/// How many of their samples are taken, all blocks together: those leave the line of the bulk open by some 1/64 of its
/// noise, and take some milliseconds.
const SAMPLES: usize = 4096;
/// How often the line is looked for anew, near the last one and as much finer as its residuals are.
const ROUNDS: usize = 3;
/// How fine each time, as a share of what y varies by then: three times that is all of f64.
const FINE: f64 = 1.0 / (1 << 20) as f64;

/// A line to take distances from, and their size: of the samples' bulk, however far off some are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rough {
    /// The line, near the one of the least loss over all samples.
    pub line: Model,
    /// What residuals vary by, in units of y: their median distance from their own median, 0.67 of the deviation of
    /// normal noise. Where that is next to nothing, a 64th of the median residual or 2^-24 of what y varies by; 0 where y
    /// doesn't vary.
    pub size: f64,
}

impl Rough {
    /// The line of the least loss over some samples, in f64, that are taken from up to 16 blocks all over the source. The
    /// same source gives the same bits.
    ///
    /// # Errors
    /// What [`Source::read`] says.
    pub fn of(source: &dyn Source, loss: Loss) -> Result<Self, Error> {
        let Block { x, y } = some(source)?;
        let n = x.len() as f64;
        let x_mean = x.iter().map(|x| x / n).sum::<f64>();
        let x_deviation = (x.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>() / n).sqrt();
        let x_unit = if x_deviation > 0.0 { x_deviation } else { 1.0 };
        let y_center = median(y.clone());
        let mut few = Few {
            x: x.iter().map(|x| (x - x_mean) / x_unit).collect(),
            y: y.iter().map(|y| y - y_center).collect(),
            unit: 0.0,
            loss,
        };
        // Where half of y is one value, all of it tells what it varies by.
        few.unit = few.size();
        if few.unit == 0.0 {
            few.unit = few.y.iter().map(|y| y.abs() / n).sum();
        }
        let varies = few.unit;
        // About x's mean and y's median, by x's deviation.
        let mut line = Model { w: 0.0, b: 0.0 };
        for _ in 0..ROUNDS {
            if few.unit == 0.0 {
                break;
            }
            let Model { w, b } = few.line()?;
            let (w, b) = (few.unit * w, few.unit * b);
            line = Model {
                w: line.w + w,
                b: line.b + b,
            };
            for (x, y) in few.x.iter().zip(&mut few.y) {
                *y -= w * x + b;
            }
            let before = few.unit;
            few.unit = few.size();
            if few.unit > before / 16.0 {
                break;
            }
        }
        let w = line.w / x_unit;
        let residual = few.size();
        let middle = median(few.y.clone());
        few.y.iter_mut().for_each(|y| *y -= middle);
        let size = few.size().max(residual / 64.0);
        Ok(Rough {
            line: Model {
                w,
                b: y_center + line.b - w * x_mean,
            },
            size: size.max(varies * 0.5 * f64::from(f32::EPSILON)),
        })
    }

    /// How far off the best line one may be and still be it for all purposes, in units of y at x's mean and a deviation of
    /// x beside it: below 1e-4 of the noise's deviation.
    pub fn fine(&self) -> f64 {
        self.size / 16384.0
    }
}

/// Up to [`SAMPLES`] of the samples, of each block at multiples of the golden ratio, which no period in the rows keeps
/// step with.
fn some(source: &dyn Source) -> Result<Block, Error> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let all = source.samples().div_ceil(BLOCK as u64);
    let blocks = all.min(BLOCKS);
    let each = SAMPLES / blocks as usize;
    let (mut some, mut block) = (Block::default(), Block::default());
    for at in 0..blocks {
        data::read(source, at * (all - 1) / (blocks - 1).max(1), &mut block)?;
        let samples = block.x.len();
        for taken in 0..samples.min(each) {
            let position = match samples <= each {
                true => taken,
                false => ((GOLDEN * taken as f64).fract() * samples as f64) as usize,
            };
            some.push((block.x[position], block.y[position]));
        }
    }
    Ok(some)
}

/// The upper one of two.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    match values.is_empty() {
        true => 0.0,
        false => *values.select_nth_unstable_by(middle, f64::total_cmp).1,
    }
}

/// Samples in f64, x standardised, y as a distance from a line.
struct Few {
    x: Vec<f64>,
    y: Vec<f64>,
    /// What w and b are counted in, in units of y.
    unit: f64,
    loss: Loss,
}

impl Few {
    /// The median distance.
    fn size(&self) -> f64 {
        median(self.y.iter().map(|y| y.abs()).collect())
    }

    /// The line of the least loss.
    fn line(&mut self) -> Result<Model, Error> {
        let both = |value| Model { w: value, b: value };
        let config = Config {
            epochs: 1000,
            start: both(0.0),
            sync_every: 1,
            descent: Descent::CuttingPlane {
                reach: both(4.0),
                fine: both(FINE),
            },
            stop: Some(Stop::default()),
        };
        let mut walk = Walk::new(&config);
        let mut watch = |_: &_, _: &_| ControlFlow::Continue(());
        Ok(train(self, &config, &mut walk, &mut watch)?.model)
    }
}

impl Engine for Few {
    fn samples(&self) -> u64 {
        self.x.len() as u64
    }

    fn description(&self) -> Description {
        Description::on_host("a sample of the data", self.samples())
    }

    /// In units of `unit`, the loss too.
    fn evaluate(&mut self, Model { w, b }: Model) -> Result<Sums, Error> {
        let terms = self.x.iter().zip(&self.y).map(|(&x, &y)| {
            let (value, derivative) = self.loss.terms(self.unit * (w * x + b) - y);
            Sums {
                loss: value / self.unit,
                dw: derivative * x,
                db: derivative,
            }
        });
        Ok(terms.sum())
    }
}
