//! The samples as they are stored, and the line, sums and steps that go with them.

use rayon::prelude::*;

use super::kernels::{Dispatch, Record};
use super::program::Storage;
use crate::data::{BLOCK, Block, Source};
use crate::engine::Step;
use crate::error::Error;
use crate::model::{Model, Sums};

/// f16 holds up to 65,504: the largest stored value is between half of this and this.
const LARGEST: f64 = 32768.0;

/// Stored values are (x − x_center) / x_scale and (y − y_center) / y_scale; scales are powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Units {
    pub(super) x_center: f64,
    pub(super) x_scale: f64,
    pub(super) y_center: f64,
    pub(super) y_scale: f64,
}

impl Units {
    /// The data as they are.
    pub(super) const DATA: Units = Units {
        x_center: 0.0,
        x_scale: 1.0,
        y_center: 0.0,
        y_scale: 1.0,
    };

    /// What suits the storage; for f16 that takes a pass over the data.
    pub(super) fn new(storage: Storage, source: &dyn Source) -> Result<Self, Error> {
        match storage {
            Storage::F32 => Ok(Self::DATA),
            Storage::F16 => {
                let ranges = (0..source.samples().div_ceil(BLOCK as u64))
                    .into_par_iter()
                    .map_init(Block::default, |block, index| {
                        source.read(index, block)?;
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

    /// The parameters of a dispatch that starts from a line, with steps of `step` = learning rate / samples.
    ///
    /// For x = x_center + x_scale·x' and y = y_center + y_scale·y' the residual is
    /// (x_scale·w)·x' + (w·x_center + b − y_center) − y_scale·y'.
    pub(super) fn dispatch(&self, Model { w, b }: Model, step: f64) -> Dispatch {
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

    /// Likewise from the line y = 0 in the units that the samples are stored in: there a residual is −y to the bit.
    pub(super) fn level(&self) -> Dispatch {
        Dispatch {
            x_scale: self.x_scale as f32,
            y_scale: self.y_scale as f32,
            starts: 1,
            ..Dispatch::default()
        }
    }

    /// What a record says, in the data's units: the sums before the epoch's update and the line after it, of a
    /// batch that started from `start`. `before` is how far the epochs before it had moved.
    pub(super) fn step(&self, start: Model, before: [f32; 2], record: &Record) -> Step {
        let Sums { loss, dw, db } = record.sums();
        // What the record's `moved` is rounded from.
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

    /// A column as it is stored, still in f64.
    pub(super) fn store_x(&self, x: f64) -> f64 {
        (x - self.x_center) / self.x_scale
    }

    /// Likewise.
    pub(super) fn store_y(&self, y: f64) -> f64 {
        (y - self.y_center) / self.y_scale
    }
}

/// Sum, least and greatest of a column.
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

    /// The mean, as f32 holds it, and the power of two that brings the furthest value from it to [`LARGEST`] at
    /// the most. The mean and not the middle: near it f16 is finest, and one gross error moves it little.
    fn center_and_scale(self, samples: f64) -> (f64, f64) {
        let center = f64::from((self.sum / samples) as f32);
        let reach = (self.greatest - center).max(center - self.least);
        // A column of one value is stored as 0.
        let scale = if reach > 0.0 {
            let scale = (reach / LARGEST).log2().ceil().exp2();
            // Below, adapters may take it for 0.
            scale.max(f64::from(f32::MIN_POSITIVE))
        } else {
            1.0
        };
        (center, scale)
    }
}
