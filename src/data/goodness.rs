//! The goodness of a line's fit, in f64, over the samples in their own units.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::statistics::ColumnStats;
use super::{Block, Source};
use crate::error::Error;
use crate::model::Model;

/// The size of a line's residuals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goodness {
    /// The root of the mean squared residual, in units of y.
    pub rmse: f64,
    /// The mean absolute residual, in units of y.
    pub mae: f64,
    /// The share of y's variance that the line explains: 1 − Σ residual² / Σ (y − mean y)². `None` if y does not vary.
    pub r_squared: Option<f64>,
}

impl Goodness {
    /// Reads all samples once, on all threads of rayon's pool. `y` has the statistics of their y.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn of(source: &dyn Source, model: Model, y: &ColumnStats) -> Result<Self, Error> {
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                let mut sums = [0.0; 2];
                for (&x, &y) in block.x.iter().zip(&block.y) {
                    let residual = model.predict(x) - y;
                    sums[0] += residual * residual;
                    sums[1] += residual.abs();
                }
                Ok(sums)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let sum = |which: usize| blocks.iter().map(|sums| sums[which]).sum::<f64>();
        let n = source.samples() as f64;
        Ok(Goodness {
            rmse: (sum(0) / n).sqrt(),
            mae: sum(1) / n,
            r_squared: (y.squares > 0.0).then(|| 1.0 - sum(0) / y.squares),
        })
    }
}
