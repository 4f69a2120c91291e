//! What a run will do: from the flags, and from what is known of the data before the first epoch.

use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::Statistics;
use fall_line::data::synthetic::Recipe;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::rate::Curvature;
use fall_line::train::{
    Config, Descent, Epoch, MOMENTUM, Optimizer, PATIENCE, RobustStart, Schedule, Stop, TOLERANCE,
};
use serde::Serialize;

use crate::cli::{Rate, Train};

/// Of synthetic data, whose x lies between 0 and 2 unless one says so.
const LEARNING_RATE: f64 = 0.1;
/// Where the steps are plain gradient descent's at a constant rate: its loss only falls, until rounding is all there is.
const PATIENCE_OF_GD: u64 = 10;
/// Deviations of y within which a cutting plane's first box looks for the line, where none is known to be near.
const REACH: f64 = 4.0;

/// What is known of the samples before they are loaded.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// All that statistics tell.
    Statistics(&'a Statistics),
    /// What very many of them are drawn to.
    Recipe(&'a Recipe),
}

/// How a run goes, resolved.
#[derive(Debug)]
pub struct Setup {
    /// The user's loss.
    pub loss: Loss,
    /// What engines see of the data.
    pub scaling: Scaling,
    /// What `train` is told, in the engines' coordinates.
    pub config: Config,
    /// The line before the first epoch, in the data's units.
    pub start: Model,
    /// None where the optimizer takes none.
    pub learning_rate: Option<LearningRate>,
    /// How a cutting plane goes, or would.
    pub plane: Plane,
}

/// Sizes of a cutting plane, in the engines' coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Plane {
    /// What half the sides of the box in which it looks first have beyond the start; it grows where the line lies outside.
    size: f64,
    /// How far from the best line the one that is found may be.
    tolerance: Model,
}

/// The learning rate, for x as engines see it and y as it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LearningRate {
    pub rate: f64,
    /// Whether the data chose it.
    pub auto: bool,
    /// Beyond it descent at a constant rate is not stable; none for losses with corners, and for Adam.
    pub limit: Option<f64>,
}

impl Setup {
    /// `rough` is known where [`wants_rough`] says so, `drawn` is where the seed starts from.
    ///
    /// # Errors
    /// [`Error::Usage`] for flags that contradict each other, and for a rate above the limit; and what
    /// [`Scaling::robust`] says.
    pub fn new(
        args: &Train,
        loss: Loss,
        known: Known,
        rough: Option<RobustStart>,
        drawn: Model,
    ) -> Result<Self, Error> {
        let training = &args.training;
        let (scaling, constant) = match (known, rough) {
            (Known::Statistics(statistics), Some(RobustStart { line, scale }))
                if args.standardizes() =>
            {
                (
                    Scaling::robust(statistics, loss, line, scale)?,
                    statistics.constant(),
                )
            }
            (Known::Statistics(statistics), None) if args.standardizes() => {
                (Scaling::standard(statistics, loss), statistics.constant())
            }
            (Known::Statistics(_) | Known::Recipe(_), _) => (Scaling::NONE, drawn),
        };
        let optimizer = optimizer(args, loss)?;
        let default = match (rough, optimizer) {
            (Some(rough), Optimizer::CuttingPlane) => rough.line,
            _ => constant,
        };
        let plane = Plane::new(known, rough, &scaling);
        let start = Model {
            w: training.init_w.unwrap_or(default.w),
            b: training.init_b.unwrap_or(default.b),
        };
        let (learning_rate, descent) = match optimizer {
            Optimizer::CuttingPlane => (None, plane.descent(scaling.inside(start))),
            optimizer => {
                let learning_rate = learning_rate(args, optimizer, loss, known, &scaling)?;
                let descent = Descent::Steps {
                    optimizer,
                    // A gradient that does not shrink towards the optimum needs steps that do.
                    schedule: args.descent.schedule.unwrap_or(
                        if loss.has_corners() && learning_rate.auto {
                            Schedule::Adaptive
                        } else {
                            Schedule::Constant
                        },
                    ),
                    // Adam's steps are the rate itself, whatever the gradient's size.
                    learning_rate: if optimizer == Optimizer::Adam {
                        learning_rate.rate / scaling.y_scale
                    } else {
                        scaling.learning_rate(loss, learning_rate.rate)
                    },
                };
                (Some(learning_rate), descent)
            }
        };
        let config = Config {
            epochs: (training.epochs).unwrap_or(if args.has_files() { 2000 } else { 50 }),
            start: scaling.inside(start),
            sync_every: args.descent.sync_every,
            stop: stop(args, descent)?,
            descent,
        };
        config.check()?;
        Ok(Setup {
            loss,
            scaling,
            config,
            start,
            learning_rate,
            plane,
        })
    }

    /// Whether the descent is to end where it gains no more: steps without a tolerance go on for all their epochs.
    pub fn may_converge(&self) -> bool {
        self.config.stop.is_some() || self.learning_rate.is_none()
    }

    /// Whether the device is to take many epochs at once.
    pub fn in_batches(&self) -> bool {
        self.config.sync_every.min(self.config.epochs) > 1
    }

    /// An epoch in the data's units.
    pub fn outside(&self, epoch: &Epoch) -> Epoch {
        Epoch::new(
            epoch.epoch,
            self.scaling.outside(epoch.model()),
            self.scaling.evaluation(self.loss, epoch.evaluation()),
        )
    }

    /// A loss in the data's units.
    pub fn outside_loss(&self, loss: f64) -> f64 {
        self.scaling.outside_loss(self.loss, loss)
    }

    /// An error in the data's units.
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
    /// Means of x and x² in engines' coordinates.
    fn moments(self, scaling: &Scaling) -> (f64, f64) {
        match self {
            Known::Statistics(statistics) => scaling.moments(statistics),
            Known::Recipe(recipe) => recipe.moments(),
        }
    }

    /// The standard deviation of y.
    fn y_deviation(self) -> f64 {
        match self {
            Known::Statistics(statistics) => statistics.y_deviation(),
            Known::Recipe(recipe) => recipe.y_deviation(),
        }
    }
}

/// Of files the line itself is wanted, which for all losses but mse a cutting plane finds.
fn optimizer(args: &Train, loss: Loss) -> Result<Optimizer, Error> {
    let descent = &args.descent;
    let default = if !loss.is_least_squares() && args.has_files() && !descent.are_asked_for() {
        Optimizer::CuttingPlane
    } else {
        Optimizer::Gd
    };
    match descent.optimizer.unwrap_or(default) {
        Optimizer::CuttingPlane if descent.are_asked_for() || descent.force => Err(Error::Usage(
            "--optimizer cutting-plane takes no steps along the gradient: leave out --learning-rate, --schedule, \
             --sync-every and --force, or choose another optimizer"
                .to_owned(),
        )),
        optimizer => Ok(optimizer),
    }
}

/// The learning rate of an optimizer.
fn learning_rate(
    args: &Train,
    optimizer: Optimizer,
    loss: Loss,
    known: Known,
    scaling: &Scaling,
) -> Result<LearningRate, Error> {
    let descent = &args.descent;
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
        // The gradient by b is 1 at the most: one step crosses the data, and the schedule makes them smaller.
        (_, None) => known.y_deviation() / (1.0 + square),
    };
    // There is no way to go where y doesn't vary.
    let auto = if auto > 0.0 { auto } else { 1.0 };
    let wanted = descent.learning_rate.unwrap_or(match args.has_files() {
        true => Rate::Auto,
        false => Rate::Given(LEARNING_RATE),
    });
    let of = |rate, auto| LearningRate { rate, auto, limit };
    let adapts = descent.schedule == Some(Schedule::Adaptive);
    match (wanted, limit) {
        (Rate::Auto, _) => Ok(of(auto, true)),
        (Rate::Given(rate), Some(limit)) if rate >= limit && !adapts && !descent.force => {
            let standardize = if args.standardizes() {
                ""
            } else {
                ", --standardize"
            };
            Err(Error::Usage(format!(
                "learning rate {rate} is not below {limit:.4e}, from which on {optimizer} on {loss} over these data is not \
                 stable: take a smaller --learning-rate, --learning-rate auto ({auto:.4e}), --schedule \
                 adaptive{standardize}, or --force to go on all the same"
            )))
        }
        (Rate::Given(rate), _) => Ok(of(rate, false)),
    }
}

/// When to end; none for all epochs, as of synthetic data unless one says so.
fn stop(args: &Train, descent: Descent) -> Result<Option<Stop>, Error> {
    let training = &args.training;
    let by_default = match args.has_files() || training.strict {
        true => TOLERANCE,
        false => 0.0,
    };
    let tolerance = training.tolerance.unwrap_or(by_default);
    let default = match descent {
        Descent::Steps {
            optimizer: Optimizer::Gd,
            schedule: Schedule::Constant,
            ..
        } => PATIENCE_OF_GD,
        Descent::Steps { .. } | Descent::CuttingPlane { .. } => PATIENCE,
    };
    let stop = Stop {
        tolerance,
        patience: training.patience.unwrap_or(default),
    };
    let steps = matches!(descent, Descent::Steps { .. });
    for (flag, given) in [
        ("--patience", training.patience.is_some()),
        ("--strict", training.strict && steps),
    ] {
        if given && tolerance == 0.0 {
            return Err(Error::Usage(format!(
                "{flag} needs a --tolerance above 0, such as 1e-9: without one no loss is too flat to go on"
            )));
        }
    }
    Ok((tolerance > 0.0).then_some(stop))
}

impl Plane {
    fn new(known: Known, rough: Option<RobustStart>, scaling: &Scaling) -> Self {
        let deviation = known.y_deviation();
        let (size, rough) = match rough {
            Some(rough) => (rough.scale, rough),
            None => {
                let line = scaling.outside(Model { w: 0.0, b: 0.0 });
                let scale = deviation;
                (REACH * deviation, RobustStart { line, scale })
            }
        };
        let b = (rough.tolerance() / scaling.y_scale).max(f64::MIN_POSITIVE);
        let (_, square) = known.moments(scaling);
        let w = (b / square.sqrt()).clamp(f64::MIN_POSITIVE, f64::MAX);
        Plane {
            size: size / scaling.y_scale,
            tolerance: Model { w, b },
        }
    }

    /// From a line.
    pub fn descent(&self, from: Model) -> Descent {
        let around = |from: f64| (2.0 * from.abs() + self.size).max(f64::MIN_POSITIVE);
        Descent::CuttingPlane {
            reach: Model {
                w: around(from.w),
                b: around(from.b),
            },
            tolerance: self.tolerance,
        }
    }
}

/// Whether it matters where the samples' bulk lies.
pub fn wants_rough(args: &Train, loss: Loss) -> Result<bool, Error> {
    Ok(!loss.is_least_squares()
        && (args.standardizes() || optimizer(args, loss)? == Optimizer::CuttingPlane))
}
