//! The outcome of a fit.

use std::fmt;
use std::time::Duration;

use super::quality::Quality;
use super::run::ROSE;
use super::setup::Setup;
use crate::data::Time;
use crate::data::statistics::Statistics;
use crate::engine::Description;
use crate::error::Error;
use crate::model::{Centered, Model};
use crate::saved::{Metrics, Saved, Units};
use crate::train::{Ended, Epoch};

/// A line, how good it is, and how it was found. Lines and losses are in the data's units.
#[derive(Debug)]
pub struct Outcome {
    /// The line.
    pub model: Model,
    /// The line by its value at a center of x, which keeps digits that w and b may lose.
    pub centered: Centered,
    /// The mean loss there: in f64 if the goodness of fit was measured, else as the engine sums it.
    pub loss: f64,
    /// `true` if nothing improved any more and no better line is known; `None` if the run was to take all its epochs.
    pub converged: Option<bool>,
    /// A doubt about the line, with remedies.
    pub warning: Option<Warning>,
    /// Epochs done, those before a checkpoint included.
    pub epochs: u64,
    /// Epochs done before the checkpoint that the run went on from.
    pub epochs_before: u64,
    /// Why the descent ended.
    pub ended: Ended,
    /// The line of least squares, the baseline, the goodness of fit.
    pub quality: Quality,
    /// Every epoch, if [`Options::history`](super::Options::history) keeps them.
    pub history: Vec<Epoch>,
    /// The data, in words.
    pub title: String,
    /// The names of x and y.
    pub names: [String; 2],
    /// What x counts, if it holds dates or timestamps.
    pub time: Option<Time>,
    /// The samples.
    pub samples: u64,
    /// Their statistics; `None` if they never were on the host.
    pub statistics: Option<Statistics>,
    /// The options as they were resolved.
    pub setup: Setup,
    /// The engine that ran.
    pub engine: Description,
    /// Time from the beginning to an engine that is ready.
    pub load: Duration,
    /// Time of the epochs, without those before a checkpoint.
    pub train: Duration,
    /// Errors after the descent, with the line at hand: of the last checkpoint, or of the measures of quality.
    pub errors: Vec<Error>,
}

impl Outcome {
    /// Returns the prediction at `x`, in units of y.
    pub fn predict(&self, x: f64) -> f64 {
        self.centered.predict(x)
    }

    /// Returns the share of y's variance that the line explains; `None` if y does not vary, or it was not measured.
    pub fn r_squared(&self) -> Option<f64> {
        self.quality.goodness?.r_squared
    }

    /// Returns the line of least squares in closed form; `None` if the statistics are not known.
    pub fn least_squares(&self) -> Option<Model> {
        self.quality.least_squares
    }

    /// Returns the line with what it takes to predict with it later: [`Saved`] is read from and written to a file.
    pub fn saved(&self) -> Saved {
        let [x, y] = &self.names;
        Saved {
            schema: Saved::SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.model,
            x_center: Some(self.centered.x_center),
            y_center: Some(self.centered.y_center),
            units: Units::new(x, y),
            x_counts: Some(self.time.into()),
            loss: self.setup.loss.name().to_owned(),
            loss_parameter: self.setup.loss.parameter(),
            data: self.title.clone(),
            statistics: self.statistics,
            metrics: Metrics {
                loss: self.loss,
                baseline_loss: self.quality.baseline_loss,
                fit: self.quality.goodness,
            },
            errors: self.quality.uncertainty.ok(),
            epochs: self.epochs,
            // A run that was interrupted is not where it was to end.
            converged: match self.ended {
                Ended::BrokenOff => Some(false),
                _ => self.converged,
            },
        }
    }
}

/// A doubt about a line, and what would help.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The doubt.
    pub doubt: Doubt,
    /// Epochs done.
    pub epochs: u64,
    /// Remedies, any of which would help.
    pub remedies: Vec<Remedy>,
}

/// A kind of doubt about a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// The engine's loss is not that of the line, by more than rounding explains: f32 does not hold these samples.
    Rounded {
        /// The loss as the engine sums it.
        engine: f64,
        /// The loss in f64.
        exact: f64,
    },
    /// The mean of y or the line of least squares has a lower loss.
    Beaten,
    /// The loss is higher than in the first epoch.
    Rose,
    /// The loss falls no more, but there are better lines.
    NotBest,
    /// The epochs were too few.
    NotConverged,
}

impl Doubt {
    /// Returns the name of the kind, which stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Doubt::Rounded { .. } => "rounded",
            Doubt::Beaten => "beaten",
            Doubt::Rose => "loss-rose",
            Doubt::NotBest => "not-best",
            Doubt::NotConverged => "not-converged",
        }
    }
}

/// A remedy for a descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Standardised samples.
    Standardize,
    /// The automatic learning rate.
    AutomaticRate,
    /// The cutting plane.
    CuttingPlane,
    /// More epochs.
    MoreEpochs,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Remedy::Standardize => "standardised samples",
            Remedy::AutomaticRate => "the automatic learning rate",
            Remedy::CuttingPlane => "the cutting plane",
            Remedy::MoreEpochs => "more epochs",
        })
    }
}

impl Warning {
    /// Returns the doubt about a line that the epochs led to, if there is one.
    pub(super) fn of(
        outcome: &Outcome,
        engine_loss: f64,
        first_loss: Option<f64>,
        drawn_on_the_device: bool,
    ) -> Option<Warning> {
        let setup = &outcome.setup;
        // A cutting plane starts where the line is about to be; f32 sums may tell either of two equal losses as the greater.
        let rose = setup.learning_rate.is_some()
            && first_loss.is_some_and(|first| engine_loss > ROSE * first);
        let quality = &outcome.quality;
        let doubt = match (outcome.converged, outcome.ended) {
            _ if quality.contradicts(engine_loss) => Doubt::Rounded {
                engine: engine_loss,
                exact: quality.found_loss.unwrap_or(outcome.loss),
            },
            _ if rose => Doubt::Rose,
            (Some(false), Ended::Converged) if quality.rules_out(engine_loss) => Doubt::NotBest,
            (Some(false), Ended::Converged) => Doubt::Beaten,
            (Some(false), _) => Doubt::NotConverged,
            (Some(true) | None, _) => return None,
        };
        let mut remedies = Vec::new();
        if !setup.standardized && !drawn_on_the_device {
            remedies.push(Remedy::Standardize);
        }
        let rounded = matches!(doubt, Doubt::Rounded { .. });
        if !rounded && setup.learning_rate.is_some_and(|learning| !learning.auto) {
            remedies.push(Remedy::AutomaticRate);
        }
        if !rounded && setup.learning_rate.is_some() && !setup.loss.is_least_squares() {
            remedies.push(Remedy::CuttingPlane);
        }
        if !rounded && outcome.ended == Ended::OutOfEpochs && outcome.converged.is_some() {
            remedies.push(Remedy::MoreEpochs);
        }
        Some(Warning {
            doubt,
            epochs: outcome.epochs,
            remedies,
        })
    }

    /// Returns the doubt and the remedies, each worded by `word`.
    pub fn text(&self, word: impl Fn(Remedy) -> String) -> String {
        let epochs = crate::error::counted(self.epochs, "epoch");
        let mut text = match self.doubt {
            Doubt::Rounded { engine, exact } => {
                let percent = 100.0 * (engine - exact).abs() / engine.max(exact);
                let off = if percent < 0.1 {
                    format!("{percent:.0e}")
                } else {
                    format!("{percent:.1}")
                };
                format!(
                    "the engine's loss is {off} % off that of its line in f64: f32 can't hold samples so far apart, or so far from 0, \
                     with all their digits; look for values far off, such as codes for missing ones"
                )
            }
            Doubt::Beaten => {
                "the mean of y or the line of least squares has a lower loss than this line"
                    .to_owned()
            }
            Doubt::Rose => format!("the loss has risen over {epochs}"),
            Doubt::NotBest => {
                format!("the loss falls no more after {epochs}, but there are better lines")
            }
            Doubt::NotConverged => format!("not converged after {epochs}"),
        };
        let remedies: Vec<String> = self.remedies.iter().map(|remedy| word(*remedy)).collect();
        if !remedies.is_empty() {
            text += &format!("; {} would help", remedies.join(" or "));
        }
        text
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(|remedy| remedy.to_string()))
    }
}
