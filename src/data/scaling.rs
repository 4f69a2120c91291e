//! Standardised samples: coordinates in which f32 keeps its digits and descent is short.

use serde::{Deserialize, Serialize};

use super::statistics::Statistics;
use super::{Block, Source};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Evaluation, Model};

/// How the samples that an engine sees stand to the data:
///
/// x′ = (x − x_center) / x_scale, y′ = (y − y_center − trend·(x − x_center)) / y_scale, in f64, before any cast to f32.
///
/// Taking the trend off too, and not y's mean alone, leaves a sample's distance from the line of least squares: near it,
/// where every descent ends, w′ and b′ are about 0 and a residual is as large as y′, so that nothing is rounded that is
/// then subtracted. The line, the loss and its gradient are turned back into the data's units for whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// In units of x.
    pub x_center: f64,
    /// In units of x.
    pub x_scale: f64,
    /// In units of y.
    pub y_center: f64,
    /// In units of y; a power of two, so that it rounds nothing.
    pub y_scale: f64,
    /// In units of y per unit of x.
    pub trend: f64,
}

impl Scaling {
    /// The data as they are.
    pub const NONE: Scaling = Scaling {
        x_center: 0.0,
        x_scale: 1.0,
        y_center: 0.0,
        y_scale: 1.0,
        trend: 0.0,
    };

    /// Brings x to mean 0 and standard deviation 1, and y to mean 0, no trend and a deviation of about 1. The
    /// log-cosh loss has a size of its own, and leaves y's as it is.
    pub fn standard(statistics: &Statistics, loss: Loss) -> Self {
        let Some(line) = statistics.line() else {
            return Self::NONE;
        };
        // A perfect line leaves rounding alone, which is no measure.
        let deviation = statistics.least_deviation();
        let deviation = deviation.max(statistics.y_deviation() * f64::from(f32::EPSILON));
        let y_scale = match loss {
            Loss::Mse | Loss::Mae | Loss::Huber { .. } | Loss::Quantile { .. }
                if deviation > 0.0 =>
            {
                deviation.log2().floor().exp2()
            }
            _ => 1.0,
        };
        Scaling {
            x_center: statistics.x.mean,
            x_scale: statistics.x_deviation(),
            y_center: statistics.y.mean,
            y_scale,
            trend: line.w,
        }
    }

    /// The loss of y′ that stands for a loss of y.
    pub fn loss(&self, loss: Loss) -> Loss {
        match loss {
            Loss::Huber { delta } => Loss::Huber {
                delta: delta / self.y_scale,
            },
            other => other,
        }
    }

    /// The line over x′ and y′ that is this line over x and y.
    pub fn inside(&self, Model { w, b }: Model) -> Model {
        Model {
            w: (w - self.trend) * (self.x_scale / self.y_scale),
            b: (b + w * self.x_center - self.y_center) / self.y_scale,
        }
    }

    /// The line over x and y that is this line over x′ and y′.
    pub fn outside(&self, Model { w, b }: Model) -> Model {
        let w = self.trend + w * (self.y_scale / self.x_scale);
        Model {
            w,
            b: self.y_scale * b + (self.y_center - w * self.x_center),
        }
    }

    /// The loss and its gradient by w and b over x and y, from those over x′ and y′.
    pub fn evaluation(&self, loss: Loss, inside: Evaluation) -> Evaluation {
        let size = self.outside_loss(loss, 1.0);
        let db = inside.db * (size / self.y_scale);
        Evaluation {
            loss: inside.loss * size,
            dw: self.x_center * db + self.x_scale * (inside.dw * (size / self.y_scale)),
            db,
        }
    }

    /// The loss over x and y, from that over x′ and y′.
    pub fn outside_loss(&self, loss: Loss, inside: f64) -> f64 {
        inside * self.y_scale.powi(degree(loss))
    }

    /// The learning rate over x′ and y′ that takes the steps of this one over x′ and y not scaled.
    pub fn learning_rate(&self, loss: Loss, rate: f64) -> f64 {
        rate * self.y_scale.powi(degree(loss) - 2)
    }

    /// Means of x′ and x′².
    pub fn moments(&self, statistics: &Statistics) -> (f64, f64) {
        let mean = (statistics.x.mean - self.x_center) / self.x_scale;
        let deviation = statistics.x_deviation() / self.x_scale;
        (mean, mean * mean + deviation * deviation)
    }
}

/// By how many powers of y a loss grows; for log-cosh y is never scaled.
fn degree(loss: Loss) -> i32 {
    match loss {
        Loss::Mse | Loss::Huber { .. } => 2,
        Loss::Mae | Loss::Quantile { .. } | Loss::LogCosh => 1,
    }
}

/// A data set in other coordinates.
pub struct Scaled<'a> {
    source: &'a dyn Source,
    scaling: Scaling,
}

impl<'a> Scaled<'a> {
    /// The samples of `source` as `scaling` says.
    pub fn new(source: &'a dyn Source, scaling: Scaling) -> Self {
        Scaled { source, scaling }
    }
}

impl Source for Scaled<'_> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)?;
        let Scaling {
            x_center,
            x_scale,
            y_center,
            y_scale,
            trend,
        } = self.scaling;
        for (x, y) in block.x.iter_mut().zip(&mut block.y) {
            let distance = *x - x_center;
            *y = (*y - y_center - trend * distance) / y_scale;
            *x = distance / x_scale;
        }
        Ok(())
    }

    fn title(&self) -> String {
        self.source.title()
    }
}
