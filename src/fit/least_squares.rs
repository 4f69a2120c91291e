//! The line of least squares by the moments of samples, without the samples.

use super::caution::{Caution, no_relation};
use super::monitor::Monitor;
use super::prepare::judge;
use super::setup::check_confidence;
use crate::data::statistics::Statistics;
use crate::data::uncertainty::{Uncertainty, Unknown};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Centered;
use crate::part::Part;
use crate::saved::{Metrics, Saved, Units};

/// The line of least squares, and what moments tell of it. Lines and losses are in the data's units.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// The line.
    pub line: Centered,
    /// The samples' statistics.
    pub statistics: Statistics,
    /// The mean squared residual.
    pub loss: f64,
    /// That of the constant line y = mean of y.
    pub baseline_loss: f64,
    /// The root of the mean squared residual, in units of y.
    pub rmse: f64,
    /// The share of y's variance that the line explains; `None` if y does not vary.
    pub r_squared: Option<f64>,
    /// The classical errors, or why they are not known.
    pub uncertainty: Result<Uncertainty, Unknown>,
    /// Reasons not to believe the line, of those that moments tell.
    pub cautions: Vec<Caution>,
}

impl LeastSquares {
    /// Returns the line of a part's samples. `confidence` lies between 0 and 1. Tells `monitor` of columns that f64 is too coarse
    /// for.
    ///
    /// # Errors
    /// [`Error::Setting`] for the confidence, [`Error::TooFewSamples`], [`Error::ConstantX`], and [`Error::Data`] for a column that f64 can't square.
    pub fn of(part: &Part, confidence: f64, monitor: &dyn Monitor) -> Result<Self, Error> {
        const LEAST: u64 = 2;
        check_confidence(confidence)?;
        let moments = &part.moments;
        if moments.samples < LEAST {
            return Err(Error::TooFewSamples {
                file: part.data.clone(),
                samples: moments.samples,
                least: LEAST,
                skipped: part.skipped_rows(),
                first: None,
            });
        }
        let statistics = moments.statistics();
        let names = [part.x.clone(), part.y.clone()];
        judge(part.data.clone(), names, true, &statistics, monitor)?;
        let line = moments.line().ok_or_else(|| Error::ConstantX {
            title: part.data.clone(),
            value: statistics.x.least,
            digits: None,
        })?;
        let n = moments.samples as f64;
        let squares = moments.residual_squares();
        let uncertainty = moments.uncertainty(confidence);
        Ok(LeastSquares {
            line,
            statistics,
            loss: squares / n,
            baseline_loss: statistics.y.squares / n,
            rmse: (squares / n).sqrt(),
            r_squared: (statistics.y.squares > 0.0).then(|| 1.0 - squares / statistics.y.squares),
            cautions: uncertainty.iter().filter_map(no_relation).collect(),
            uncertainty,
        })
    }

    /// Returns the line with what it takes to predict with it later: [`Saved`] is read from and written to a file.
    pub fn saved(&self, part: &Part) -> Saved {
        Saved {
            schema: Saved::SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.line.model(),
            x_center: Some(self.line.x_center),
            y_center: Some(self.line.y_center),
            units: Units::new(&part.x, &part.y),
            x_counts: Some(part.x_counts),
            loss: Loss::Mse.name().to_owned(),
            loss_parameter: None,
            data: part.data.clone(),
            statistics: Some(self.statistics),
            metrics: Metrics {
                loss: self.loss,
                baseline_loss: Some(self.baseline_loss),
                // The mean absolute residual takes the samples.
                fit: None,
            },
            errors: self.uncertainty.ok(),
            epochs: 0,
            converged: Some(true),
        }
    }
}
