//! Standardising: coordinates in which f32 keeps its digits and descent is short.

use serde::{Deserialize, Serialize};

use super::far::Bulk;
use super::statistics::Statistics;
use super::{Block, Source, described_by_source, shared_like_source};
use crate::error::{Error, Setting};
use crate::loss::Loss;
use crate::model::{Centered, Evaluation, Model};

/// Limit of a sum of losses: a 34th of f32's greatest number.
const LARGEST_SUM: f64 = 1e37;
/// The smallest residual whose loss f32 holds well enough. f32 flushes numbers below 2^-126 to 0, which is 2^-22 of half
/// this residual's square. A loss is uncertain by as much anyhow.
const SMALLEST_RESIDUAL: f64 = 1.0 / (1_u64 << 51) as f64;
/// The smallest δ, as a share of a residual. Its product with the residual must be 2^-104 at least, with some room for x
/// near 0.
const SMALLEST_DELTA: f64 = 1.0 / (1_u128 << 100) as f64;

/// The coordinates x′ and y′ that an engine sees, computed from the data in f64 before any cast to f32.
///
/// x′ = (x − x_center) / x_scale, y′ = (y − y_center − trend·(x − x_center)) / y_scale.
///
/// Subtracting the trend, not only y's mean, leaves a sample's distance from the line of least squares. Every descent ends
/// near that line, where w′ and b′ are about 0. A residual is then as large as y′, so rounding is not followed by
/// cancellation. The line, the loss and its gradient are converted back to the data's units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The subtrahend of x, in units of x.
    pub x_center: f64,
    /// The divisor of x, in units of x.
    pub x_scale: f64,
    /// The subtrahend of y, in units of y.
    pub y_center: f64,
    /// The divisor of y, in units of y: a power of two, which rounds nothing.
    pub y_scale: f64,
    /// The slope that is subtracted from y, in units of y per unit of x.
    pub trend: f64,
}

impl Scaling {
    /// Returns whether other coordinates are these, but for a share of their units.
    pub(crate) fn is_near(&self, other: &Self, share: f64) -> bool {
        let near = |one: f64, other: f64, unit: f64| (one - other).abs() <= share * unit;
        near(self.x_center, other.x_center, self.x_scale)
            && near(self.x_scale, other.x_scale, self.x_scale)
            && near(self.y_center, other.y_center, self.y_scale)
            && near(self.y_scale, other.y_scale, self.y_scale)
            && near(self.trend, other.trend, self.y_scale / self.x_scale)
    }

    /// The data in their own units.
    pub const NONE: Scaling = Scaling {
        x_center: 0.0,
        x_scale: 1.0,
        y_center: 0.0,
        y_scale: 1.0,
        trend: 0.0,
    };

    /// Returns a scaling that brings x to mean 0 and standard deviation 1, and y to mean 0, no trend and a deviation of about
    /// 1. For the log-cosh loss, which is not invariant to scale, y keeps its unit.
    pub fn standard(statistics: &Statistics, loss: Loss) -> Self {
        let Some(line) = statistics.line() else {
            return Self::NONE;
        };
        // A perfect line leaves only rounding, which is not a measure of y.
        let deviation = statistics.least_deviation();
        let deviation = deviation.max(statistics.y_deviation() * f64::from(f32::EPSILON));
        let y_scale = if loss.degree().is_some() && deviation > 0.0 {
            deviation.log2().floor().exp2()
        } else {
            1.0
        };
        Scaling {
            x_center: statistics.x.mean,
            x_scale: statistics.x_deviation(),
            y_center: statistics.y.mean,
            y_scale,
            trend: line.w,
        }
    }

    /// Returns a scaling for data with outliers, which the line of least squares follows. It brings x to mean 0 and standard
    /// deviation 1, and y to distances from `line`, most of which are about `size`, divided by about `size`. For the log-cosh
    /// loss, which is not invariant to scale, y keeps its unit.
    ///
    /// # Errors
    /// [`Setting::Delta`]'s if f32 can't hold huber's δ, and [`Error::Data`] if it can't hold log-cosh of these y.
    pub fn robust(
        statistics: &Statistics,
        loss: Loss,
        line: Model,
        size: f64,
    ) -> Result<Self, Error> {
        if !statistics.x.varies() || size == 0.0 {
            return Ok(Self::standard(statistics, loss));
        }
        let (x, y) = (&statistics.x, &statistics.y);
        let y_center = line.predict(x.mean);
        let x_scale = statistics.x_deviation();
        // The mean distance from the line is at most this, and only mse grows faster.
        let far = statistics.y_deviation() + (y.mean - y_center).abs() + (line.w * x_scale).abs();
        let sum = statistics.samples as f64 * far / LARGEST_SUM;
        let least = match loss.degree() {
            None => 1.0,
            Some(2) => {
                let slope = loss.threshold().unwrap_or(far).min(far);
                size.max((sum * slope).sqrt())
            }
            Some(_) => size.max(sum),
        };
        // A power of two: rounded up if the loss needs it, else down.
        let down = if least > size {
            least.log2().ceil()
        } else {
            least.log2().floor()
        };
        let scaling = Scaling {
            x_center: x.mean,
            x_scale,
            y_center,
            y_scale: loss.degree().map_or(1.0, |_| down.exp2()),
            trend: line.w,
        };
        let allowed = SMALLEST_DELTA..=1.0 / SMALLEST_DELTA;
        let threshold = scaling.loss(loss).threshold();
        if let Some(delta) = threshold.filter(|delta| !allowed.contains(delta)) {
            let [low, high] = [allowed.start(), allowed.end()].map(|end| end * scaling.y_scale);
            return Err(Setting::Delta.error(format!(
                "{:e} is too far from the size of y's residuals, about {size:.1e}, for f32: use one between {low:.0e} and \
                 {high:.0e}, or the loss mae or mse",
                loss.threshold().unwrap_or(delta),
            )));
        }
        if loss.degree().is_none() && sum > 1.0 {
            return Err(Error::Data(format!(
                "some y are so far off, {far:.1e} in the mean, that their {loss} loss is beyond f32: give y in a larger \
                 unit, or use the huber loss",
            )));
        }
        if loss.degree().is_none() && size < SMALLEST_RESIDUAL {
            return Err(Error::Data(format!(
                "y is too small for the {loss} loss: the squares of residuals of about {size:.1e} are 0 in f32; give y in a \
                 smaller unit, or use the huber loss with a δ of that size",
            )));
        }
        Ok(scaling)
    }

    /// Returns the loss of y′ that corresponds to a loss of y.
    pub fn loss(&self, loss: Loss) -> Loss {
        loss.in_unit(self.y_scale)
    }

    /// Returns x′ and y′.
    pub fn coordinates(&self, x: f64, y: f64) -> (f64, f64) {
        let distance = x - self.x_center;
        (
            distance / self.x_scale,
            (y - self.y_center - self.trend * distance) / self.y_scale,
        )
    }

    /// Returns the line over x′ and y′ that is this line over x and y.
    pub fn inside(&self, line: impl Into<Centered>) -> Model {
        let line = line.into();
        Model {
            w: (line.w - self.trend) * (self.x_scale / self.y_scale),
            b: (line.predict(self.x_center) - self.y_center) / self.y_scale,
        }
    }

    /// Returns the line over x and y that is this line over x′ and y′.
    pub fn outside(&self, line: Model) -> Model {
        self.centered(line).model()
    }

    /// Returns the line over x and y, by its value at the center of x, that is this line over x′ and y′.
    pub fn centered(&self, Model { w, b }: Model) -> Centered {
        Centered {
            w: self.trend + w * (self.y_scale / self.x_scale),
            x_center: self.x_center,
            y_center: self.y_scale * b + self.y_center,
        }
    }

    /// Returns the loss and its gradient by w and b over x and y, from those over x′ and y′.
    pub fn evaluation(&self, loss: Loss, inside: Evaluation) -> Evaluation {
        let size = self.outside_loss(loss, 1.0);
        let db = inside.db * (size / self.y_scale);
        Evaluation {
            loss: inside.loss * size,
            dw: self.x_center * db + self.x_scale * (inside.dw * (size / self.y_scale)),
            db,
        }
    }

    /// Returns the loss over x and y, from that over x′ and y′.
    pub fn outside_loss(&self, loss: Loss, inside: f64) -> f64 {
        inside
            * loss
                .degree()
                .map_or(1.0, |degree| self.y_scale.powi(degree))
    }

    /// Returns the learning rate over x′ and y′ whose steps are those of `rate` over x′ and an unscaled y.
    pub fn learning_rate(&self, loss: Loss, rate: f64) -> f64 {
        rate * loss
            .degree()
            .map_or(1.0, |degree| self.y_scale.powi(degree - 2))
    }

    /// Returns the means of x′ and x′².
    pub fn moments(&self, statistics: &Statistics) -> (f64, f64) {
        let mean = (statistics.x.mean - self.x_center) / self.x_scale;
        let deviation = statistics.x_deviation() / self.x_scale;
        (mean, mean * mean + deviation * deviation)
    }
}

/// A data set in the coordinates of a [`Scaling`]. In place of each sample far off it has one at (0, 0).
pub struct Scaled<S> {
    source: S,
    scaling: Scaling,
    bulk: Bulk,
}

impl<S: Source> Scaled<S> {
    /// Returns the samples of `source` in the coordinates of `scaling`.
    pub fn new(source: S, scaling: Scaling) -> Self {
        let bulk = Bulk::ALL;
        Scaled {
            source,
            scaling,
            bulk,
        }
    }

    /// Leaves out what lies outside of `bulk`.
    pub fn within(self, bulk: Bulk) -> Self {
        Scaled { bulk, ..self }
    }

    /// Returns the samples in their own units.
    pub fn inner(&self) -> &S {
        &self.source
    }
}

impl<S: Source> Source for Scaled<S> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)?;
        for (x, y) in block.x.iter_mut().zip(&mut block.y) {
            (*x, *y) = if self.bulk.contains(*x, *y) {
                self.scaling.coordinates(*x, *y)
            } else {
                (0.0, 0.0)
            };
        }
        Ok(())
    }

    shared_like_source!();
    described_by_source!();
}
