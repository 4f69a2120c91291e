//! The units that samples are stored in, and lines, sums and steps in these units.

use rayon::prelude::*;

use super::kernels::{Dispatch, Record};
use crate::data::{self, BLOCK, Block, Source};
use crate::engine::{Step, Storage};
use crate::error::Error;
use crate::model::{Model, Sums};

/// An upper limit of stored values, of which the largest is at least half of it. f16 holds up to 65,504.
const LARGEST: f64 = 32768.0;

/// Centres and scales: stored values are (x − x_center) / x_scale and (y − y_center) / y_scale.
///
/// Scales are powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Units {
    pub x_center: f64,
    pub x_scale: f64,
    pub y_center: f64,
    pub y_scale: f64,
}

impl Units {
    /// The units of the data.
    pub const DATA: Units = Units {
        x_center: 0.0,
        x_scale: 1.0,
        y_center: 0.0,
        y_scale: 1.0,
    };

    /// Returns the units for a storage format. Those of f16 take a pass over the data.
    pub fn new(storage: Storage, source: &dyn Source) -> Result<Self, Error> {
        match storage {
            Storage::F32 => Ok(Self::DATA),
            Storage::F16 => {
                let ranges = (0..source.samples().div_ceil(BLOCK as u64))
                    .into_par_iter()
                    .map_init(Block::default, |block, index| {
                        data::read_for_engine(source, index, block)?;
                        Ok([Range::new(&block.x), Range::new(&block.y)])
                    })
                    .collect::<Result<Vec<_>, Error>>()?;
                let of = |column: usize| {
                    let ranges = ranges.iter().map(|ranges| ranges[column]);
                    ranges.fold(Range::new(&[]), Range::join)
                };
                let samples = source.samples() as f64;
                let ((x_center, x_scale), (y_center, y_scale)) = (
                    of(0).center_and_scale(samples),
                    of(1).center_and_scale(samples),
                );
                Ok(Units {
                    x_center,
                    x_scale,
                    y_center,
                    y_scale,
                })
            }
        }
    }

    /// Returns the parameters of a dispatch that starts from a line, with `step` = learning rate / samples.
    ///
    /// For x = x_center + x_scale·x' and y = y_center + y_scale·y' the residual is
    /// (x_scale·w)·x' + (w·x_center + b − y_center) − y_scale·y'.
    pub fn dispatch(&self, Model { w, b }: Model, step: f64) -> Dispatch {
        Dispatch {
            w: (self.x_scale * w) as f32,
            b: (w * self.x_center + b - self.y_center) as f32,
            step: step as f32,
            x_center: self.x_center as f32,
            x_scale: self.x_scale as f32,
            y_scale: self.y_scale as f32,
            starts: 1,
            ..Dispatch::default()
        }
    }

    /// Returns the parameters of a dispatch without steps at the line y = 0 in stored units. There a residual is −y to the
    /// bit.
    pub fn level(&self) -> Dispatch {
        Dispatch {
            x_scale: self.x_scale as f32,
            y_scale: self.y_scale as f32,
            starts: 1,
            ..Dispatch::default()
        }
    }

    /// Returns a record in the data's units: the sums before the epoch's update, and the line after it.
    ///
    /// The batch started from `start`, and the epochs before this one had moved the line by `before`.
    pub fn step(&self, start: Model, before: [f32; 2], record: &Record) -> Step {
        let Sums { loss, dw, db } = record.sums();
        // The record's `moved` is rounded from these.
        let [moved_w, moved_b] = [0, 1].map(|i| f64::from(before[i]) + f64::from(record.added[i]));
        Step {
            sums: Sums {
                loss,
                dw: self.x_center * db + self.x_scale * dw,
                db,
            },
            model: Model {
                w: start.w + moved_w,
                b: start.b + moved_b,
            },
        }
    }

    /// Returns a stored x, still in f64.
    pub fn store_x(&self, x: f64) -> f64 {
        (x - self.x_center) / self.x_scale
    }

    /// Returns a stored y, still in f64.
    pub fn store_y(&self, y: f64) -> f64 {
        (y - self.y_center) / self.y_scale
    }
}

/// The sum, the least and the greatest value of a column.
#[derive(Clone, Copy)]
struct Range {
    sum: f64,
    least: f64,
    greatest: f64,
}

impl Range {
    fn new(column: &[f64]) -> Self {
        Range {
            sum: column.iter().sum(),
            least: column.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: column.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn join(self, other: Range) -> Range {
        Range {
            sum: self.sum + other.sum,
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }

    /// Returns the mean, rounded to f32, and the power of two that brings the furthest value from it to at most
    /// [`LARGEST`].
    ///
    /// It is the mean and not the middle: f16 is finest near it, and one gross error moves it little.
    fn center_and_scale(self, samples: f64) -> (f64, f64) {
        let center = f64::from((self.sum / samples) as f32);
        let reach = (self.greatest - center).max(center - self.least);
        // A column of one value is stored as 0.
        let scale = if reach > 0.0 {
            let scale = (reach / LARGEST).log2().ceil().exp2();
            // Adapters may take a smaller one for 0.
            scale.max(f64::from(f32::MIN_POSITIVE))
        } else {
            1.0
        };
        (center, scale)
    }
}
