//! A first line and a residual scale that samples far off don't disturb, from a few thousand of the samples.

use std::ops::ControlFlow;

use super::{Config, Descent, Stop, Walk, train};
use crate::data::far::{Bulk, FarAndNear, median};
use crate::data::{self, BLOCK, Block, Source};
use crate::engine::{Description, Engine};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Centered, Model, Sums};

/// The largest number of samples that are taken from all blocks together. They determine the line to about 1/64 of its
/// noise and take some milliseconds.
const SAMPLES: usize = 4096;
/// The largest number of fits, each to the residuals of the one before.
const ROUNDS: usize = 3;
/// The number of times that a line turns and moves towards samples far off.
const TURNS: usize = 4;
/// The tolerance of a fit in w and b, as a share of the residuals' scale; three such fits reach the precision of f64.
const TOLERANCE: f64 = 1.0 / (1 << 20) as f64;

/// The standard deviation of normal noise in units of its median distance from 0.
pub const DEVIATION_OF_MEDIAN: f64 = 1.4826;
/// The default δ of huber, in standard deviations of the noise: of normal noise its line has 95 % of mse's precision (Huber
/// 1981).
pub const DELTA_IN_NOISE: f64 = 1.345;

/// A robust first line and the typical residual around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustStart {
    /// The line of the lowest loss over the samples taken, which is near that over all samples.
    pub line: Model,
    /// The same line by its value at the center of x.
    pub centered: Centered,
    /// The scale of the residuals, in units of y: their median distance from their own median, 0.67 standard deviations
    /// of normal noise.
    ///
    /// It is at least a 64th of the median residual and 2^-24 of the scale of y, and 0 if y does not vary.
    pub scale: f64,
}

impl RobustStart {
    /// Fits a line in f64 to samples from up to 16 blocks, spread over the source. The same source gives the same bits.
    ///
    /// # Errors
    /// Those of [`Loss::check`] and [`Source::read`].
    pub fn new(source: &dyn Source, loss: Loss) -> Result<Self, Error> {
        Self::of(sample(&data::some(source)?), loss, None)
    }

    /// Fits a line in f64 to these samples, and to those far off if there are some: then the samples stand for the others.
    ///
    /// # Errors
    /// Those of [`Loss::check`].
    pub fn of(samples: Block, loss: Loss, parts: Option<&FarAndNear>) -> Result<Self, Error> {
        loss.check()?;
        let bulk = parts.map_or(Bulk::ALL, |parts| parts.bulk);
        let all = samples.x.into_iter().zip(samples.y);
        let (x, y): (Vec<f64>, Vec<f64>) = all.filter(|&(x, y)| bulk.contains(x, y)).unzip();
        let n = x.len() as f64;
        let x_mean = x.iter().map(|x| x / n).sum::<f64>();
        let x_deviation = (x.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>() / n).sqrt();
        let x_unit = if x_deviation > 0.0 { x_deviation } else { 1.0 };
        let y_center = median(y.clone());
        let mut residuals = Residuals {
            x: x.iter().map(|x| (x - x_mean) / x_unit).collect(),
            y: y.iter().map(|y| y - y_center).collect(),
            unit: 0.0,
            loss,
        };
        residuals.unit = residuals.median();
        // If half of all y are equal, their mean distance is the scale.
        if residuals.unit == 0.0 {
            residuals.unit = residuals.y.iter().map(|y| y.abs() / n).sum();
        }
        let y_scale = residuals.unit;
        let mut line = residuals.refine()?;
        if let Some(parts) = parts {
            let weight = parts.statistics.samples as f64 / n;
            let near = x.iter().zip(&y).map(|(&x, &y)| (x, y, weight));
            let far = parts.far.iter().map(|&(x, y)| (x, y, 1.0));
            let weighted = near.chain(far).map(|(x, y, weight)| Weighted {
                x: (x - x_mean) / x_unit,
                y: y - y_center,
                weight,
            });
            line = among(&weighted.collect::<Vec<_>>(), loss, line);
            for ((to, x), y) in residuals.y.iter_mut().zip(&residuals.x).zip(&y) {
                *to = y - y_center - line.predict(*x);
            }
        }
        let w = line.w / x_unit;
        let median_residual = residuals.median();
        let middle = median(residuals.y.clone());
        residuals.y.iter_mut().for_each(|y| *y -= middle);
        let scale = residuals.median().max(median_residual / 64.0);
        let centered = Centered {
            w,
            x_center: x_mean,
            y_center: y_center + line.b,
        };
        Ok(RobustStart {
            line: centered.model(),
            centered,
            scale: scale.max(y_scale * 0.5 * f64::from(f32::EPSILON)),
        })
    }

    /// Returns the distance from the best line that no longer matters for residuals of this scale: below 1e-4 of the noise's
    /// standard deviation.
    ///
    /// It is in units of y, at the mean of x and one standard deviation of x beside it.
    pub fn tolerance(scale: f64) -> f64 {
        scale / 16384.0
    }
}

/// Returns up to 4,096 of `some`, which are [some](data::some) of the samples.
///
/// In each block their positions are multiples of the golden ratio, which no period in the rows can match.
pub fn sample(some: &Block) -> Block {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let blocks = some.x.chunks(BLOCK).zip(some.y.chunks(BLOCK));
    let per_block = SAMPLES / blocks.len();
    let mut sample = Block::default();
    for (x, y) in blocks {
        let samples = x.len();
        for taken in 0..samples.min(per_block) {
            let position = if samples <= per_block {
                taken
            } else {
                ((GOLDEN * taken as f64).fract() * samples as f64) as usize
            };
            sample.push((x[position], y[position]));
        }
    }
    sample
}

/// A sample that stands for several.
struct Weighted {
    x: f64,
    y: f64,
    /// The number of samples that it stands for.
    weight: f64,
}

/// Returns the better of two lines: `line`, and one that is led by samples far off. The latter turns around x = 0 to the slope
/// of least loss, then moves to the level of least loss, a few times over.
///
/// One x far enough off determines the slope alone. The slope then is a quotient of that sample's y and x to all digits of
/// f64, which no step from another slope would leave.
fn among(samples: &[Weighted], loss: Loss, line: Model) -> Model {
    let value = |line: Model| -> f64 {
        let losses = samples
            .iter()
            .map(|at| at.weight * loss.terms(line.predict(at.x) - at.y).0);
        losses.sum()
    };
    let mut turned = line;
    for _ in 0..TURNS {
        let slopes = samples.iter();
        let slopes = slopes.map(|at| (at.x, at.y - turned.b, at.weight));
        turned.w = least(loss, 0.0, slopes).map_or(0.0, |(w, _)| w);
        let levels = samples.iter();
        let levels = levels.map(|at| (1.0, at.y - turned.w * at.x, at.weight));
        turned.b = least(loss, 0.0, levels).map_or(0.0, |(b, _)| b);
    }
    if value(turned) < value(line) {
        turned
    } else {
        line
    }
}

/// Returns the factor f of least loss, and the position of a part whose residual f·a − r is 0 there. `parts` has a, r and the
/// weight of each sample; the loss is the weighted sum of theirs, and `slope`·f. Returns `None` if all a are 0.
///
/// It takes the losses as those of large residuals, which grow by the residual's size. The factor then is a weighted
/// quantile of r / a.
pub fn least(
    loss: Loss,
    slope: f64,
    parts: impl Iterator<Item = (f64, f64, f64)>,
) -> Option<(f64, usize)> {
    let [under, over] = [-1.0, 1.0].map(|side| loss.terms(side * f64::MAX).1);
    let mut turns: Vec<(f64, f64, usize)> = Vec::new();
    let mut derivative = slope;
    for (at, (a, r, weight)) in parts.enumerate() {
        if a != 0.0 {
            let (before, after) = if a > 0.0 {
                (under, over)
            } else {
                (over, under)
            };
            derivative += before * a * weight;
            turns.push((r / a, (after - before) * a * weight, at));
        }
    }
    turns.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let last = turns.last().copied();
    let mut turns = turns.into_iter();
    let found = turns.find(|&(_, rise, _)| {
        derivative += rise;
        derivative >= 0.0
    });
    found.or(last).map(|(factor, _, at)| (factor, at))
}

/// Samples in f64, with x standardised and y as the distance from a line.
struct Residuals {
    x: Vec<f64>,
    y: Vec<f64>,
    /// The unit in which w and b are counted, in units of y.
    unit: f64,
    loss: Loss,
}

impl Residuals {
    /// Returns the median distance.
    fn median(&self) -> f64 {
        median(self.y.iter().map(|y| y.abs()).collect())
    }

    /// Returns the line of the lowest loss and leaves the residuals around it, by fits to ever smaller residuals.
    fn refine(&mut self) -> Result<Model, Error> {
        let mut line = Model::ZERO;
        for _ in 0..ROUNDS {
            if self.unit == 0.0 {
                break;
            }
            let step = self.fit()? * self.unit;
            line = line + step;
            for (x, y) in self.x.iter().zip(&mut self.y) {
                *y -= step.predict(*x);
            }
            let before = self.unit;
            self.unit = self.median();
            if self.unit > before / 16.0 {
                break;
            }
        }
        Ok(line)
    }

    /// Returns the line of the lowest loss.
    fn fit(&mut self) -> Result<Model, Error> {
        let config = Config {
            epochs: 1000,
            start: Model::ZERO,
            sync_every: 1,
            descent: Descent::CuttingPlane {
                reach: Model::both(4.0),
                tolerance: Model::both(TOLERANCE),
                exact: false,
            },
            stop: Some(Stop::default()),
        };
        let mut walk = Walk::new(&config);
        let mut watch = |_: &_, _: &_| ControlFlow::Continue(());
        Ok(train(self, &config, &mut walk, &mut watch)?.model)
    }
}

impl Engine for Residuals {
    fn samples(&self) -> u64 {
        self.x.len() as u64
    }

    fn description(&self) -> Description {
        Description::on_host("a sample of the data", self.samples())
    }

    /// Returns the sums with w, b and the loss in units of `unit`.
    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let terms = self.x.iter().zip(&self.y).map(|(&x, &y)| {
            let (value, derivative) = self.loss.terms(self.unit * model.predict(x) - y);
            Sums {
                loss: value / self.unit,
                dw: derivative * x,
                db: derivative,
            }
        });
        Ok(terms.sum())
    }
}
