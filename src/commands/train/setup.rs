//! What a run will do: from the flags, and from what is known of the data before the first epoch.

use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::Statistics;
use fall_line::data::synthetic::Recipe;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::{Evaluation, Model};
use fall_line::train::rate::Curvature;
use fall_line::train::rough::Rough;
use fall_line::train::{
    Config, Descent, Epoch, MOMENTUM, Optimizer, PATIENCE, Schedule, Stop, TOLERANCE,
};
use serde::Serialize;

use crate::cli::{OptimizerChoice, Rate, ScheduleChoice, Train};
use crate::report::text::number;

/// Epochs at the most: of synthetic data, and of files.
const EPOCHS: [u64; 2] = [50, 2000];
/// Of synthetic data, whose x lies between 0 and 2 unless one says so.
const LEARNING_RATE: f64 = 0.1;
/// Where the steps are plain gradient descent's at a constant rate: its loss only falls, until rounding is all there is.
const PATIENCE_OF_GD: u64 = 10;
/// Deviations of y within which a cutting plane's first box looks for the line, and sizes of a residual where those are
/// known: it starts near the line then.
const REACH: [f64; 2] = [4.0, 1.0];

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
        rough: Option<Rough>,
        drawn: Model,
    ) -> Result<Self, Error> {
        let (training, descent) = (&args.training, &args.descent);
        let (scaling, mut default) = match (known, rough) {
            (Known::Statistics(statistics), Some(Rough { line, size })) if args.standardizes() => (
                Scaling::robust(statistics, loss, line, size)?,
                statistics.constant(),
            ),
            (Known::Statistics(statistics), None) if args.standardizes() => {
                (Scaling::standard(statistics, loss), statistics.constant())
            }
            (Known::Statistics(_) | Known::Recipe(_), _) => (Scaling::NONE, drawn),
        };
        if let (Some(rough), OptimizerChoice::CuttingPlane) = (rough, optimizer(args, loss)) {
            default = rough.line;
        }
        let start = Model {
            w: training.init_w.unwrap_or(default.w),
            b: training.init_b.unwrap_or(default.b),
        };
        let files = usize::from(args.has_files());
        let optimizer = optimizer(args, loss);
        let learning_rate = learning_rate(args, optimizer, loss, known, &scaling)?;
        let descent = match learning_rate {
            Some(LearningRate { rate, auto, .. }) => Descent::Steps {
                optimizer: stepping(optimizer),
                schedule: schedule(descent.schedule, auto, loss),
                learning_rate: match optimizer {
                    // Its steps are the rate itself, whatever the gradient's size.
                    OptimizerChoice::Adam => rate / scaling.y_scale,
                    _ => scaling.learning_rate(loss, rate),
                },
            },
            None => Descent::CuttingPlane {
                reach: reach(known, rough, &scaling, start),
                fine: fine(known, rough, &scaling),
            },
        };
        let default = [if training.strict { TOLERANCE } else { 0.0 }, TOLERANCE];
        let tolerance = training.tolerance.unwrap_or(default[files]);
        let patience = training.patience.unwrap_or(match descent {
            Descent::Steps {
                optimizer: Optimizer::Gd,
                schedule: Schedule::Constant,
                ..
            } => PATIENCE_OF_GD,
            _ => PATIENCE,
        });
        let config = Config {
            epochs: training.epochs.unwrap_or(EPOCHS[files]),
            start: scaling.inside(start),
            sync_every: args.descent.sync_every,
            descent,
            stop: (tolerance > 0.0).then_some(Stop {
                tolerance,
                patience,
            }),
        };
        config.check()?;
        Ok(Setup {
            loss,
            scaling,
            config,
            start,
            learning_rate,
        })
    }

    /// Whether the descent is to end where it gains no more: steps without a tolerance go on for all their epochs.
    pub fn may_converge(&self) -> bool {
        self.config.stop.is_some() || self.learning_rate.is_none()
    }

    /// An epoch in the data's units.
    pub fn outside(&self, epoch: &Epoch) -> Epoch {
        let Evaluation { loss, dw, db } = self.scaling.evaluation(
            self.loss,
            Evaluation {
                loss: epoch.loss,
                dw: epoch.dw,
                db: epoch.db,
            },
        );
        let Model { w, b } = self.scaling.outside(epoch.model());
        Epoch {
            epoch: epoch.epoch,
            loss,
            w,
            b,
            dw,
            db,
        }
    }

    /// A loss in the data's units.
    pub fn outside_loss(&self, loss: f64) -> f64 {
        let (dw, db) = (0.0, 0.0);
        let inside = Evaluation { loss, dw, db };
        self.scaling.evaluation(self.loss, inside).loss
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
fn optimizer(args: &Train, loss: Loss) -> OptimizerChoice {
    let default = match loss {
        Loss::Mae | Loss::Huber { .. } | Loss::LogCosh | Loss::Quantile { .. }
            if args.has_files() && args.descent.takes_no_steps() =>
        {
            OptimizerChoice::CuttingPlane
        }
        _ => OptimizerChoice::Gd,
    };
    args.descent.optimizer.unwrap_or(default)
}

/// The learning rate, none for an optimizer that takes none.
fn learning_rate(
    args: &Train,
    optimizer: OptimizerChoice,
    loss: Loss,
    known: Known,
    scaling: &Scaling,
) -> Result<Option<LearningRate>, Error> {
    let descent = &args.descent;
    if optimizer == OptimizerChoice::CuttingPlane {
        return match descent.takes_no_steps() {
            true => Ok(None),
            false => Err(Error::Usage(
                "--optimizer cutting-plane takes no steps along the gradient: leave out --learning-rate, --schedule, \
                 --sync-every and --force, or choose another optimizer"
                    .to_owned(),
            )),
        };
    }
    let (mean, square) = known.moments(scaling);
    let curvature = Curvature::new(loss, mean, square);
    let limit = curvature.and_then(|curvature| match optimizer {
        OptimizerChoice::Gd => Some(curvature.limit()),
        // Of the heavy ball: 2 (1 + β) / λmax (Polyak 1964).
        OptimizerChoice::Momentum => Some((1.0 + MOMENTUM) * curvature.limit()),
        OptimizerChoice::Adam | OptimizerChoice::CuttingPlane => None,
    });
    let auto = match (optimizer, curvature) {
        (OptimizerChoice::Adam, _) => 0.1 * known.y_deviation(),
        (OptimizerChoice::Momentum, Some(curvature)) => (1.0 - MOMENTUM) * curvature.best(),
        (_, Some(curvature)) => curvature.best(),
        // The gradient by b is 1 at the most: one step crosses the data, and the schedule makes them smaller.
        (_, None) => known.y_deviation() / (1.0 + square),
    };
    let wanted = descent.learning_rate.unwrap_or(match args.has_files() {
        true => Rate::Auto,
        false => Rate::Given(LEARNING_RATE),
    });
    let rate = match wanted {
        Rate::Auto if auto > 0.0 => auto,
        // There is no way to go where y doesn't vary.
        Rate::Auto => 1.0,
        Rate::Given(rate) => rate,
    };
    let adapts = descent.schedule == Some(ScheduleChoice::Adaptive);
    match limit {
        Some(limit) if rate > limit && !adapts && !descent.force => Err(Error::Usage(format!(
            "learning rate {rate} is above {}, beyond which {} on {loss} over these data is not stable: take a smaller \
             --learning-rate, --learning-rate auto ({}), --schedule adaptive{}, or --force to go on all the same",
            number(limit),
            stepping(optimizer).name(),
            number(auto),
            if args.standardizes() {
                ""
            } else {
                ", --standardize"
            },
        ))),
        _ => Ok(Some(LearningRate {
            rate,
            auto: wanted == Rate::Auto,
            limit,
        })),
    }
}

fn stepping(optimizer: OptimizerChoice) -> Optimizer {
    match optimizer {
        OptimizerChoice::Momentum => Optimizer::Momentum,
        OptimizerChoice::Adam => Optimizer::Adam,
        OptimizerChoice::Gd | OptimizerChoice::CuttingPlane => Optimizer::Gd,
    }
}

/// A gradient that does not shrink towards the optimum needs steps that do.
fn schedule(choice: Option<ScheduleChoice>, auto: bool, loss: Loss) -> Schedule {
    match (choice, loss) {
        (Some(ScheduleChoice::Constant), _) => Schedule::Constant,
        (Some(ScheduleChoice::InverseTime), _) => Schedule::InverseTime,
        (Some(ScheduleChoice::Adaptive), _) => Schedule::Adaptive,
        (None, Loss::Mae | Loss::Quantile { .. }) if auto => Schedule::Adaptive,
        (None, _) => Schedule::Constant,
    }
}

/// Half the widths of the box in which to look first, around the start; it grows where the line lies outside.
fn reach(known: Known, rough: Option<Rough>, scaling: &Scaling, start: Model) -> Model {
    let start = scaling.inside(start);
    let size = match rough {
        Some(rough) => REACH[1] * rough.size,
        None => REACH[0] * known.y_deviation(),
    };
    let size = size / scaling.y_scale;
    let around = |start: f64| (2.0 * start.abs() + size).max(f64::MIN_POSITIVE);
    Model {
        w: around(start.w),
        b: around(start.b),
    }
}

/// How far from the best line the one that is found may be.
fn fine(known: Known, rough: Option<Rough>, scaling: &Scaling) -> Model {
    let size = known.y_deviation();
    let fine = rough
        .unwrap_or(Rough {
            line: scaling.outside(Model { w: 0.0, b: 0.0 }),
            size,
        })
        .fine();
    let b = (fine / scaling.y_scale).max(f64::MIN_POSITIVE);
    let (_, square) = known.moments(scaling);
    Model {
        w: (b / square.sqrt()).clamp(f64::MIN_POSITIVE, f64::MAX),
        b,
    }
}

/// Whether it matters where the samples' bulk lies.
pub fn wants_rough(args: &Train, loss: Loss) -> bool {
    loss != Loss::Mse
        && (args.standardizes() || optimizer(args, loss) == OptimizerChoice::CuttingPlane)
}
