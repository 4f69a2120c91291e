//! The quality of a line: its distance from the best one, and its goodness of fit.

use std::ops::ControlFlow;

use serde::Serialize;

use super::caution::{self, Caution};
use super::pass::Pass;
use super::setup::Setup;
use crate::data::goodness::Goodness;
use crate::data::scaling::Scaling;
use crate::data::statistics::Statistics;
use crate::data::uncertainty::{Uncertainty, Unknown, Variance};
use crate::data::{self, Source};
use crate::engine::{Engine, Storage};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Centered, Model};
use crate::train::{Config, Descent, Ended, MAX_ROUNDING, PATIENCE, Stop, Trained, Walk, train};

/// Share of a loss that f32 sums tell for certain.
const CERTAIN: f64 = 1e-6;
/// The share of a loss above which rounding is told of.
const NOTABLE: f64 = 1e-3;
/// The step from 1 to the next number of 16 bits.
const HALF_EPSILON: f64 = 1.0 / (1 << 10) as f64;
/// Maximum epochs of the cutting plane that checks a descent by steps.
const CHECKS: u64 = 200;
/// Maximum lines through samples that are measured, each found near the one before.
const VERTICES: usize = 4;
/// Samples up to which a pass takes a moment: drawn ones are drawn again, and the line through samples is measured by another
/// pass.
const FEW: u64 = 1 << 20;

/// Comparisons of a line with others, in the data's units.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// The line of least squares, in closed form in f64; `None` if the statistics are not known.
    pub least_squares: Option<Model>,
    /// Distance from the line of least squares in w and b, for `mse`.
    pub distance: Option<Model>,
    /// The least loss, as the engine sums it. Known for `mse`, and for other losses if a descent by steps stood still.
    pub least_loss: Option<f64>,
    /// The line: that of the descent, or an exact one beside it; `None` where `goodness` is.
    #[serde(skip)]
    pub line: Option<Centered>,
    /// Loss of the line, in f64; `None` where `goodness` is.
    #[serde(skip)]
    pub loss: Option<f64>,
    /// Loss of the line of the descent, in f64.
    #[serde(skip)]
    pub found_loss: Option<f64>,
    /// The largest part of the engine's loss that may be rounding without a doubt about the line.
    #[serde(skip)]
    allowed: f64,
    /// Loss of the constant line y = mean of y: in f64 for `mse`, else as the engine sums it.
    pub baseline_loss: Option<f64>,
    /// Loss of the line of least squares, in f64, or a bound that it is not below.
    #[serde(skip)]
    least_squares_loss: Option<f64>,
    /// RMSE, MAE and R² over the samples as they are, in f64; `None` if they never were on the host, or the run was
    /// cancelled.
    #[serde(rename = "fit")]
    pub goodness: Option<Goodness>,
    /// The errors of the line of least loss, or why they are not known.
    #[serde(skip)]
    pub uncertainty: Result<Uncertainty, Unknown>,
    /// Reasons not to believe the line.
    #[serde(skip)]
    pub cautions: Vec<Caution>,
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
    /// The storage format of samples, on all ranks.
    pub storage: Storage,
    pub source: &'a dyn Source,
    /// `true` if goodness of fit and baseline are wanted.
    pub goodness: bool,
    /// The estimate of the errors; `None` for the loss's default.
    pub variance: Option<Variance>,
    /// The confidence of intervals.
    pub confidence: f64,
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
            least_loss: None,
            line: None,
            loss: None,
            found_loss: None,
            allowed: 0.0,
            baseline_loss: None,
            least_squares_loss: None,
            goodness: None,
            uncertainty: Err(Unknown::NotMeasured),
            cautions: Vec::new(),
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
            storage,
            source,
            goodness,
            variance,
            confidence,
        } = measure;
        let Some(statistics) = statistics else {
            return Ok(());
        };
        let stood_still = trained.ended == Ended::Converged;
        if goodness || stood_still {
            let best = self.least_squares.filter(|_| setup.loss.is_least_squares());
            self.least_loss = least_loss(setup, trained, engine, best)?;
        }
        if !goodness {
            return Ok(());
        }
        self.baseline_loss = Some(if setup.loss.is_least_squares() {
            statistics.y.squares / statistics.samples as f64
        } else {
            loss_of(setup, engine, statistics.constant())?
        });
        let found = setup.scaling.centered(trained.model);
        let unit = match storage {
            Storage::F32 => f64::from(f32::EPSILON) / 2.0,
            Storage::F16 => HALF_EPSILON / 2.0,
        };
        // The engine's own copy of drawn samples saves drawing them again.
        let columns = engine
            .on_host()
            .filter(|_| source.synthetic().is_some() && setup.scaling == Scaling::NONE)
            .filter(|_| source.samples() > FEW && source.ranks().size() == 1);
        let source = columns
            .as_ref()
            .map_or(source, |columns| columns as &dyn Source);
        let some = data::some(source)?;
        let pass = Pass {
            setup,
            statistics,
            source,
            some: &some,
            variance,
            rounded: (trained.model, unit),
            corners: setup.loss.has_corners() && stood_still,
        };
        let mut best = pass.measure(found)?;
        self.found_loss = Some(best.loss);
        let rounding = best.rounding.min(NOTABLE * best.loss);
        self.allowed = rounding + MAX_ROUNDING * best.loss + self.rounding;
        for _ in 0..VERTICES {
            let Some(vertex) = best.vertex else { break };
            if vertex.is_best && source.all_samples() > FEW {
                best.move_to(vertex, setup.loss, &statistics);
                break;
            }
            let next = pass.measure(vertex.line)?;
            if next.loss >= best.loss {
                break;
            }
            best = next;
        }
        let least = self.distinct_from(best.loss);
        if !setup.loss.is_least_squares() {
            self.least_squares_loss = Some(pass.least_squares_loss(&best, least)?);
        }
        self.line = Some(best.line);
        self.loss = Some(best.loss);
        self.goodness = Some(best.goodness);
        let at_optimum = pass.at_optimum(best.line);
        self.uncertainty = best
            .estimator
            .and_then(|estimator| estimator.uncertainty(at_optimum, best.sandwich, confidence));
        let line = best.line;
        let errors = self.uncertainty.as_ref().ok();
        self.cautions = caution::of_shape(source, &some, &statistics, errors, line)?;
        self.cautions.extend(caution::unit(setup.loss, &some, line));
        if let (true, Some(errors)) = (setup.loss.is_least_squares(), errors) {
            let outliers = caution::outliers(&some, &statistics, errors)?;
            self.cautions.extend(outliers);
        }
        Ok(())
    }

    /// Returns whether a loss, as the engine sums it, is not the line's: rounding explains no such distance, or it is more
    /// than rounding may take from a result.
    pub(super) fn contradicts(&self, loss: f64) -> bool {
        self.found_loss
            .is_some_and(|exact| (loss - exact).abs() > self.allowed)
    }

    /// Returns whether a line that no descent is needed for has a lower loss.
    pub(super) fn is_beaten(&self) -> bool {
        let others = [self.baseline_loss, self.least_squares_loss];
        self.loss.is_some_and(|loss| {
            let least = self.distinct_from(loss);
            others.into_iter().flatten().any(|other| other < least)
        })
    }

    /// Returns the loss below which another one is really lower.
    fn distinct_from(&self, loss: f64) -> f64 {
        loss * (1.0 - self.tolerance) - self.allowed
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

/// Returns the loss of a line as the engine sums it.
fn loss_of(setup: &Setup, engine: &mut dyn Engine, line: Model) -> Result<f64, Error> {
    let at = engine.evaluate(setup.scaling.inside(line))?;
    Ok(setup.outside_loss(at.means(engine.samples()).loss))
}

/// Returns the least loss as the engine sums it: that of `best`, or else by a cutting plane from the line where a descent by
/// steps stood still.
fn least_loss(
    setup: &Setup,
    trained: &Trained,
    engine: &mut dyn Engine,
    best: Option<Model>,
) -> Result<Option<f64>, Error> {
    if let Some(best) = best {
        return loss_of(setup, engine, best).map(Some);
    }
    let by_steps = matches!(setup.config.descent, Descent::Steps { .. });
    if !by_steps || trained.ended != Ended::Converged {
        return Ok(None);
    }
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
    Ok(Some(setup.outside_loss(checked.loss)))
}
