//! Options resolved by what is known of the data before the first epoch.

use serde::Serialize;

use super::every::Every;
use super::options::{Options, Rate};
use crate::data::Source;
use crate::data::far::{Bulk, FarAndNear};
use crate::data::scaling::Scaling;
use crate::data::statistics::Statistics;
use crate::data::synthetic::{Recipe, Synthetic};
use crate::data::uncertainty::Variance;
use crate::error::{Error, Setting};
use crate::loss::Loss;
use crate::model::Model;
use crate::train::RobustStart;
use crate::train::rate::Curvature;
use crate::train::{
    Config, Descent, Epoch, MOMENTUM, Optimizer, PATIENCE, Schedule, Stop, TOLERANCE,
};

/// Default learning rate for synthetic samples, whose x lies between 0 and 2 by default.
const LEARNING_RATE: f64 = 0.1;
/// Default patience of gradient descent at a constant rate: its loss only falls, until rounding is all there is.
const PATIENCE_OF_GD: u64 = 10;
/// Standard deviations of y around the start that a cutting plane searches first, if no line is known to be near.
const REACH: f64 = 4.0;

/// Knowledge of the samples before they are loaded.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// Their statistics.
    Statistics(&'a Statistics),
    /// The recipe that they are drawn to: reading very many of them takes too long.
    Recipe(&'a Recipe),
}

/// Resolved options.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The loss, for y in the data's units.
    pub loss: Loss,
    /// `true` if δ of huber follows from the noise of the samples.
    pub delta_in_noise: bool,
    /// The coordinates that engines see the samples in.
    pub scaling: Scaling,
    /// The ranges beyond which samples are too far off for an engine, so that the host sums them.
    pub bulk: Bulk,
    /// The number of samples beyond.
    pub far: u64,
    /// The descent, in those coordinates.
    pub config: Config,
    /// `true` if the samples are standardised.
    pub standardized: bool,
    /// The line before the first epoch, in the data's units.
    pub start: Model,
    /// The learning rate; `None` if the optimizer takes none.
    pub learning_rate: Option<LearningRate>,
    /// Sizes of a cutting plane, whether or not it is the optimizer.
    pub(super) plane: PlaneSize,
}

/// The learning rate, for x as engines see it and y in the data's units.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LearningRate {
    /// The rate.
    pub rate: f64,
    /// `true` if it is the automatic rate.
    pub auto: bool,
    /// The rate above which descent at a constant rate diverges; `None` for losses with corners, and for Adam.
    pub limit: Option<f64>,
}

/// Sizes of a cutting plane, in the engines' coordinates.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaneSize {
    /// Half the sides of the first box, beyond the start's own size; the box grows if the line lies outside.
    reach: Model,
    /// Distance from the best line at which the search ends.
    tolerance: Model,
    /// `true` if some samples are far off, and the engine takes lines as they are.
    exact: bool,
}

impl Setup {
    /// Resolves the options for a source. `robust` is given if `wants_robust_start` says so, and `parts` if some samples are
    /// far off then.
    ///
    /// # Errors
    /// [`Error::Setting`] for options that contradict each other or samples far off, [`Error::LearningRate`] for a rate above
    /// the limit, and the errors of [`Scaling::robust`].
    pub fn new(
        options: &Options,
        source: &dyn Source,
        known: Known,
        robust: Option<RobustStart>,
        parts: Option<&FarAndNear>,
    ) -> Result<Self, Error> {
        let loss = options.loss;
        let far = parts.map_or(0, |parts| parts.far.len() as u64);
        if far > 0 && options.sync_every > 1 {
            return Err(Setting::SyncEvery.error(format!(
                "above 1 needs all samples on the device, and the host sums {far} of them, which lie too far off for f32: \
                 leave it out",
            )));
        }
        let synthetic = source.synthetic();
        let own = synthetic.is_none();
        let optimizer = optimizer(options, own)?;
        let standardized = options.standardizes(source);
        let near = parts.map_or(known, |parts| Known::Statistics(&parts.statistics));
        let scaling = scaling(options, standardized, near, robust)?;
        let plane = PlaneSize::new(known, robust, &scaling, parts);
        let start = start(options, synthetic, standardized, known, robust, optimizer);
        let (learning_rate, descent) = if optimizer == Optimizer::CuttingPlane {
            (None, plane.descent(scaling.inside(start)))
        } else {
            let rate = learning_rate(options, source, optimizer, known, &scaling)?;
            (Some(rate), steps(options, optimizer, rate, &scaling))
        };
        let config = Config {
            epochs: options.epochs.unwrap_or(if own { 2000 } else { 50 }),
            start: scaling.inside(start),
            sync_every: options.sync_every,
            stop: stop(options, own, descent)?,
            descent,
        };
        config.check()?;
        Ok(Setup {
            loss,
            delta_in_noise: options.delta_in_noise,
            scaling,
            bulk: parts.map_or(Bulk::ALL, |parts| parts.bulk),
            far,
            config,
            standardized,
            start,
            learning_rate,
            plane,
        })
    }

    /// Returns whether the descent may end before its epochs do: steps without a tolerance run all of them.
    pub fn may_converge(&self) -> bool {
        self.config.stop.is_some() || self.learning_rate.is_none()
    }

    /// Returns whether the device takes several epochs at once.
    pub fn in_batches(&self) -> bool {
        self.config.sync_every.min(self.config.epochs) > 1
    }

    /// Returns an epoch in the data's units.
    pub fn outside(&self, epoch: &Epoch) -> Epoch {
        Epoch::new(
            epoch.epoch,
            self.scaling.outside(epoch.model()),
            self.scaling.evaluation(self.loss, epoch.evaluation()),
        )
    }

    /// Returns a loss in the data's units.
    pub fn outside_loss(&self, loss: f64) -> f64 {
        self.scaling.outside_loss(self.loss, loss)
    }

    /// Returns an error in the data's units.
    pub fn outside_error(&self, error: Error) -> Error {
        match error {
            Error::Diverged { epoch, what, last } => Error::Diverged {
                epoch,
                what,
                last: self.scaling.outside(last),
            },
            other => other,
        }
    }
}

impl Known<'_> {
    /// Returns the means of x and x² in the engines' coordinates.
    fn moments(self, scaling: &Scaling) -> (f64, f64) {
        match self {
            Known::Statistics(statistics) => scaling.moments(statistics),
            Known::Recipe(recipe) => recipe.moments(),
        }
    }

    /// Returns the standard deviation of y.
    fn y_deviation(self) -> f64 {
        match self {
            Known::Statistics(statistics) => statistics.y_deviation(),
            Known::Recipe(recipe) => recipe.y_deviation(),
        }
    }
}

/// Returns the optimizer. For one's own samples and a loss other than `mse` that is the cutting plane: it finds the line
/// itself.
fn optimizer(options: &Options, own: bool) -> Result<Optimizer, Error> {
    let default = if own && !options.loss.is_least_squares() && !options.asks_for_steps() {
        Optimizer::CuttingPlane
    } else {
        Optimizer::Gd
    };
    let optimizer = options.optimizer.unwrap_or(default);
    let of_steps = [
        (Setting::LearningRate, options.learning_rate.is_some()),
        (Setting::Schedule, options.schedule.is_some()),
        (Setting::SyncEvery, options.sync_every > 1),
        (Setting::Force, options.force),
    ];
    match of_steps.into_iter().find(|(_, given)| *given) {
        Some((setting, _)) if optimizer == Optimizer::CuttingPlane => Err(setting.error(
            "goes with steps along the gradient, and the optimizer cutting-plane takes none: leave it out, or choose \
             another optimizer",
        )),
        _ => Ok(optimizer),
    }
}

/// Returns the coordinates that engines see.
fn scaling(
    options: &Options,
    standardized: bool,
    known: Known,
    robust: Option<RobustStart>,
) -> Result<Scaling, Error> {
    match (known, robust) {
        (Known::Statistics(statistics), Some(RobustStart { line, scale, .. })) if standardized => {
            Scaling::robust(statistics, options.loss, line, scale)
        }
        (Known::Statistics(statistics), None) if standardized => {
            Ok(Scaling::standard(statistics, options.loss))
        }
        (Known::Statistics(_) | Known::Recipe(_), _) => Ok(Scaling::NONE),
    }
}

/// Returns the line before the first epoch, in the data's units.
fn start(
    options: &Options,
    synthetic: Option<Synthetic>,
    standardized: bool,
    known: Known,
    robust: Option<RobustStart>,
    optimizer: Optimizer,
) -> Model {
    let default = match (robust, optimizer, known) {
        (Some(robust), Optimizer::CuttingPlane, _) => robust.line,
        (_, _, Known::Statistics(statistics)) if standardized => statistics.constant(),
        _ => synthetic.map_or_else(
            || crate::data::synthetic::start(options.seed),
            |synthetic| synthetic.start,
        ),
    };
    Model {
        w: options.start_w.unwrap_or(default.w),
        b: options.start_b.unwrap_or(default.b),
    }
}

/// Returns the descent by steps, in the engines' coordinates.
fn steps(
    options: &Options,
    optimizer: Optimizer,
    learning_rate: LearningRate,
    scaling: &Scaling,
) -> Descent {
    // A gradient that does not shrink towards the optimum needs steps that do.
    let default = if options.loss.has_corners() && learning_rate.auto {
        Schedule::Adaptive
    } else {
        Schedule::Constant
    };
    Descent::Steps {
        optimizer,
        schedule: options.schedule.unwrap_or(default),
        learning_rate: if optimizer == Optimizer::Adam {
            // Its steps are the rate itself, whatever the gradient's size.
            learning_rate.rate / scaling.y_scale
        } else {
            scaling.learning_rate(options.loss, learning_rate.rate)
        },
    }
}

/// Returns the learning rate of an optimizer.
fn learning_rate(
    options: &Options,
    source: &dyn Source,
    optimizer: Optimizer,
    known: Known,
    scaling: &Scaling,
) -> Result<LearningRate, Error> {
    let loss = options.loss;
    let (mean, square) = known.moments(scaling);
    let curvature = Curvature::new(loss, mean, square);
    let limit = curvature.and_then(|curvature| match optimizer {
        Optimizer::Gd => Some(curvature.limit()),
        // Of the heavy ball: 2 (1 + β) / λmax (Polyak 1964).
        Optimizer::Momentum => Some((1.0 + MOMENTUM) * curvature.limit()),
        Optimizer::Adam | Optimizer::CuttingPlane => None,
    });
    let auto = match (optimizer, curvature) {
        (Optimizer::Adam, _) => 0.1 * known.y_deviation(),
        (Optimizer::Momentum, Some(curvature)) => (1.0 - MOMENTUM) * curvature.best(),
        (_, Some(curvature)) => curvature.best(),
        // The gradient by b is at most 1: one step crosses the data, and the schedule makes the steps smaller.
        (_, None) => known.y_deviation() / (1.0 + square),
    };
    // If y doesn't vary there is nowhere to go.
    let auto = if auto > 0.0 { auto } else { 1.0 };
    let default = if source.synthetic().is_none() {
        Rate::Auto
    } else {
        Rate::Given(LEARNING_RATE)
    };
    let adapts = options.schedule == Some(Schedule::Adaptive);
    match (options.learning_rate.unwrap_or(default), limit) {
        (Rate::Auto, _) => Ok(LearningRate {
            rate: auto,
            auto: true,
            limit,
        }),
        (Rate::Given(rate), Some(limit)) if rate >= limit && !adapts && !options.force => {
            Err(Error::LearningRate {
                rate,
                limit,
                suggested: auto,
                optimizer: optimizer.to_string(),
                loss: loss.to_string(),
                standardized: options.standardizes(source),
            })
        }
        (Rate::Given(rate), _) => Ok(LearningRate {
            rate,
            auto: false,
            limit,
        }),
    }
}

/// Returns the tolerance; 0 never ends a run early.
fn tolerance(options: &Options, own: bool) -> Result<f64, Error> {
    let default = if own { TOLERANCE } else { 0.0 };
    let tolerance = options.tolerance.unwrap_or(default);
    if options.patience.is_some() && tolerance == 0.0 {
        return Err(Setting::Patience.error(
            "needs a tolerance above 0, such as 1e-9: without one no epoch counts as idle",
        ));
    }
    Ok(tolerance)
}

/// Returns when to end; `None` for all epochs, the default for synthetic samples.
fn stop(options: &Options, own: bool, descent: Descent) -> Result<Option<Stop>, Error> {
    let tolerance = tolerance(options, own)?;
    let default = match descent {
        Descent::Steps {
            optimizer: Optimizer::Gd,
            schedule: Schedule::Constant,
            ..
        } => PATIENCE_OF_GD,
        Descent::Steps { .. } | Descent::CuttingPlane { .. } => PATIENCE,
    };
    Ok((tolerance > 0.0).then(|| Stop {
        tolerance,
        patience: options.patience.unwrap_or(default),
    }))
}

impl PlaneSize {
    fn new(
        known: Known,
        robust: Option<RobustStart>,
        scaling: &Scaling,
        parts: Option<&FarAndNear>,
    ) -> Self {
        let (reach, scale) = match robust {
            Some(robust) => (robust.scale, robust.scale),
            None => (REACH * known.y_deviation(), known.y_deviation()),
        };
        let b = (RobustStart::tolerance(scale) / scaling.y_scale).max(f64::MIN_POSITIVE);
        // The change of residuals with w; without samples far off, x′ is of size 1 or the user's own.
        let (lever, of_reach) = match parts {
            Some(FarAndNear {
                far, statistics, ..
            }) => {
                let distances = far.iter().map(|&(x, y)| scaling.coordinates(x, y).0.abs());
                let samples = statistics.samples + far.len() as u64;
                let lever = 1.0 + distances.sum::<f64>() / samples as f64;
                (lever, 1.0 / lever)
            }
            None => (known.moments(scaling).1.sqrt(), 1.0),
        };
        PlaneSize {
            reach: Model {
                w: of_reach,
                b: 1.0,
            } * (reach / scaling.y_scale),
            tolerance: Model {
                w: (b / lever).clamp(f64::MIN_POSITIVE, f64::MAX),
                b,
            },
            exact: parts.is_some(),
        }
    }

    /// Returns the distance from the best line at which the search ends, in units of y.
    pub fn tolerance_outside(&self, scaling: &Scaling) -> f64 {
        self.tolerance.b * scaling.y_scale
    }

    /// Returns the descent from a line.
    pub fn descent(&self, from: Model) -> Descent {
        let around = |from: f64, reach: f64| (2.0 * from.abs() + reach).max(f64::MIN_POSITIVE);
        Descent::CuttingPlane {
            reach: Model {
                w: around(from.w, self.reach.w),
                b: around(from.b, self.reach.b),
            },
            tolerance: self.tolerance,
            exact: self.exact,
        }
    }
}

/// Checks the confidence of intervals.
///
/// # Errors
/// [`Error::Setting`] unless it lies between 0 and 1.
pub fn check_confidence(confidence: f64) -> Result<(), Error> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(Setting::Confidence.error(format!("must lie between 0 and 1, not be {confidence}")))
}

/// Checks what can be checked of the options before the samples are read.
///
/// # Errors
/// [`Error::Setting`] for an option that is out of range, or that contradicts another one.
pub fn check(options: &Options, source: &dyn Source) -> Result<(), Error> {
    options.loss.check()?;
    check_confidence(options.confidence)?;
    let of_other_loss = match options.variance {
        Some(Variance::Classical) => !options.loss.is_least_squares(),
        Some(Variance::Statsmodels) => options.loss.tau().is_none(),
        Some(Variance::Robust) | None => false,
    };
    if of_other_loss {
        return Err(Setting::Errors.error(format!(
            "robust goes with any loss, classical with mse alone, statsmodels with mae and quantile; the loss is {}",
            options.loss
        )));
    }
    if options.sync_every == 0 {
        return Err(Setting::SyncEvery.error("must be at least 1"));
    }
    if options.checkpoint_every == Every::Epochs(0) {
        return Err(Setting::CheckpointEvery.error("must be at least 1 epoch"));
    }
    let own = source.synthetic().is_none();
    optimizer(options, own)?;
    tolerance(options, own).map(drop)
}

/// Returns whether it matters where most samples lie, however far off a few of them are.
pub fn wants_robust_start(options: &Options, source: &dyn Source) -> Result<bool, Error> {
    let own = source.synthetic().is_none();
    Ok(!options.loss.is_least_squares()
        && (options.standardizes(source) || optimizer(options, own)? == Optimizer::CuttingPlane))
}
