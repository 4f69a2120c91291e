//! How well a line fits, in f64, over the samples as they are.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::statistics::Column;
use super::{BLOCK, Block, Source};
use crate::error::Error;
use crate::model::Model;

/// What a line leaves of y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goodness {
    /// The root of the mean squared residual, in units of y.
    pub rmse: f64,
    /// The mean absolute residual, in units of y.
    pub mae: f64,
    /// The share of y's variance that the line explains: 1 − Σ residual² / Σ (y − mean y)²; none where y does not
    /// vary.
    pub r_squared: Option<f64>,
}

impl Goodness {
    /// Reads all samples once, on all threads of rayon's pool; `y` are their statistics.
    ///
    /// # Errors
    /// What [`Source::read`] says.
    pub fn of(source: &dyn Source, model: Model, y: &Column) -> Result<Self, Error> {
        let blocks = (0..source.samples().div_ceil(BLOCK as u64))
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
