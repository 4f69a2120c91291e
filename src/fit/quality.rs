//! The quality of a line: its distance from the best one, and its goodness of fit.

use std::ops::ControlFlow;

use serde::Serialize;

use super::setup::Setup;
use crate::data::Source;
use crate::data::goodness::Goodness;
use crate::data::statistics::Statistics;
use crate::engine::Engine;
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Model;
use crate::train::{Config, Descent, Ended, PATIENCE, Stop, Trained, Walk, train};

/// Share of a loss that f32 sums tell for certain.
const CERTAIN: f64 = 1e-6;
/// Maximum epochs of the cutting plane that checks a descent by steps.
const CHECKS: u64 = 200;

/// Comparisons of a line with others, in the data's units.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quality {
    /// The line of least squares, in closed form in f64; `None` if the statistics are not known.
    pub least_squares: Option<Model>,
    /// Distance from the line of least squares in w and b, for `mse`.
    pub distance: Option<Model>,
    /// The least loss, as the engine sums it. Known for `mse`, and for other losses if a descent by steps stood still.
    pub least_loss: Option<f64>,
    /// Loss of the constant line y = mean of y.
    pub baseline_loss: Option<f64>,
    /// RMSE, MAE and R² over the samples as they are, in f64; `None` if they never were on the host, or the run was
    /// cancelled.
    #[serde(rename = "fit")]
    pub goodness: Option<Goodness>,
    /// The line that synthetic samples are drawn around.
    pub true_line: Option<Model>,
    /// A loss so small that it is rounding.
    #[serde(skip)]
    rounding: f64,
    /// Share of the loss by which a line may be worse than the best.
    #[serde(skip)]
    tolerance: f64,
}

/// The engine and the samples that a line is measured with.
pub(super) struct Measure<'a> {
    pub setup: &'a Setup,
    pub statistics: Option<Statistics>,
    pub engine: &'a mut dyn Engine,
    pub source: &'a dyn Source,
    /// `true` if goodness of fit and baseline are wanted.
    pub goodness: bool,
}

impl Quality {
    /// Returns what is known without another epoch.
    pub(super) fn new(measure: &Measure, trained: &Trained) -> Self {
        let Measure {
            setup,
            statistics,
            source,
            ..
        } = measure;
        let least_squares = statistics.and_then(|statistics| statistics.line());
        let model = setup.scaling.outside(trained.model);
        Quality {
            least_squares,
            distance: least_squares
                .filter(|_| setup.loss.is_least_squares())
                .map(|line| Model {
                    w: model.w - line.w,
                    b: model.b - line.b,
                }),
            true_line: source.synthetic().map(|synthetic| Model {
                w: synthetic.recipe.slope,
                b: synthetic.recipe.intercept,
            }),
            rounding: statistics.map_or(0.0, |statistics| {
                rounding(setup.loss, statistics.y_deviation())
            }),
            // A caller who is content with less has said so by a larger tolerance.
            tolerance: setup
                .config
                .stop
                .map_or(CERTAIN, |stop| stop.tolerance.max(CERTAIN)),
            ..Quality::default()
        }
    }

    /// Adds what takes epochs, or another reading of the samples. What was measured before an error stays.
    ///
    /// # Errors
    /// Those of the engine and the source.
    pub(super) fn measure(&mut self, measure: Measure, trained: &Trained) -> Result<(), Error> {
        let Measure {
            setup,
            statistics,
            engine,
            source,
            goodness,
        } = measure;
        let Some(statistics) = statistics else {
            return Ok(());
        };
        let loss_at = |engine: &mut dyn Engine, line| {
            let at = engine.evaluate(setup.scaling.inside(line))?;
            Ok::<_, Error>(setup.outside_loss(at.means(engine.samples()).loss))
        };
        let stood_still = trained.ended == Ended::Converged;
        let best = self.least_squares.filter(|_| setup.loss.is_least_squares());
        match (best, setup.config.descent) {
            (Some(line), _) if goodness || stood_still => {
                self.least_loss = Some(loss_at(engine, line)?);
            }
            (_, Descent::Steps { .. }) if stood_still => {
                self.least_loss = Some(least_loss(setup, trained, engine)?);
            }
            _ => {}
        }
        if goodness {
            self.baseline_loss = Some(loss_at(engine, statistics.constant())?);
            let model = setup.scaling.outside(trained.model);
            self.goodness = Some(Goodness::of(source, model, &statistics.y)?);
        }
        Ok(())
    }

    /// Returns whether a line of this loss is not the best: a descent by steps may stand still far from it.
    pub fn rules_out(&self, loss: f64) -> bool {
        self.least_loss
            .is_some_and(|least| least < (1.0 - self.tolerance) * loss - self.rounding)
    }
}

/// Returns the loss of a residual that is f32's rounding of y.
fn rounding(loss: Loss, y_deviation: f64) -> f64 {
    let residual = f64::from(f32::EPSILON) * y_deviation;
    if loss.has_corners() {
        residual
    } else {
        residual * residual
    }
}

/// Returns the least loss, by a cutting plane from the line where a descent by steps stood still.
fn least_loss(setup: &Setup, trained: &Trained, engine: &mut dyn Engine) -> Result<f64, Error> {
    let config = Config {
        epochs: CHECKS,
        start: trained.model,
        sync_every: 1,
        descent: setup.plane.descent(trained.model),
        stop: Some(Stop {
            tolerance: CERTAIN,
            patience: PATIENCE,
        }),
    };
    let checked = train(engine, &config, &mut Walk::new(&config), &mut |_, _| {
        ControlFlow::Continue(())
    })?;
    Ok(setup.outside_loss(checked.loss))
}
