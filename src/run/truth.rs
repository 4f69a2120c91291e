//! How far the line that was found is from the truth.

use std::ops::ControlFlow;

use fall_line::data::Source;
use fall_line::data::goodness::Goodness;
use fall_line::engine::Engine;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::{Config, Descent, Ended, PATIENCE, Stop, Trained, Walk, train};
use serde::Serialize;

use super::Run;
use crate::cli::Format;

/// The share of a loss that f32 sums can tell for certain.
const CERTAIN: f64 = 1e-6;
/// Epochs that a cutting plane takes at the most to see whether a descent by steps has ended at the best line.
const CHECKS: u64 = 200;

/// What a line is compared with, in the data's units.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Truth {
    /// The line of least squares, in closed form in f64.
    pub least_squares: Option<Model>,
    /// For mse: how far w and b are from it.
    pub distance: Option<Model>,
    /// The least loss there is, as the engine sums it, where it is known: for mse, and where a descent by steps stood still.
    pub least_loss: Option<f64>,
    /// The loss of y = mean y.
    pub baseline_loss: Option<f64>,
    /// Over the samples as they are, in f64; none where they never were on the host, or somebody was in a hurry.
    pub fit: Option<Goodness>,
    /// What synthetic samples were drawn around.
    pub true_line: Option<Model>,
    /// A loss so small that it is rounding.
    #[serde(skip)]
    rounding: f64,
    /// The share of the loss by which a line may be worse than the best.
    #[serde(skip)]
    tolerance: f64,
}

impl Truth {
    /// What is known without another epoch.
    pub fn new(run: &Run, trained: &Trained) -> Self {
        let least_squares = run.statistics.and_then(|statistics| statistics.line());
        let model = run.setup.scaling.outside(trained.model);
        Truth {
            least_squares,
            distance: least_squares
                .filter(|_| run.setup.loss.is_least_squares())
                .map(|line| Model {
                    w: model.w - line.w,
                    b: model.b - line.b,
                }),
            true_line: run.opened.true_line,
            rounding: run.statistics.as_ref().map_or(0.0, |statistics| {
                rounding(run.setup.loss, statistics.y_deviation())
            }),
            // Who is content with less has said so.
            tolerance: run
                .setup
                .config
                .stop
                .map_or(CERTAIN, |stop| stop.tolerance.max(CERTAIN)),
            ..Truth::default()
        }
    }

    /// Adds what takes epochs, or another reading of `source`; where that ends with an error, what was there by then stays.
    ///
    /// # Errors
    /// What the engine and the source say.
    pub fn measure(
        &mut self,
        run: &Run,
        trained: &Trained,
        engine: &mut dyn Engine,
        source: &dyn Source,
    ) -> Result<(), Error> {
        let Some(statistics) = &run.statistics else {
            return Ok(());
        };
        let (setup, output) = (run.setup, &run.args.output);
        let loss_at = |engine: &mut dyn Engine, line| {
            let at = engine.evaluate(setup.scaling.inside(line))?;
            Ok::<_, Error>(setup.outside_loss(at.means(engine.samples()).loss))
        };
        let told = output.talks() || output.format == Format::Json || output.save.is_some();
        let stood_still = trained.ended == Ended::Converged;
        let known = self.least_squares.filter(|_| setup.loss.is_least_squares());
        match (known, setup.config.descent) {
            (Some(line), _) if told || stood_still => {
                self.least_loss = Some(loss_at(engine, line)?);
            }
            (_, Descent::Steps { .. }) if stood_still => {
                self.least_loss = Some(least_loss(run, trained, engine)?);
            }
            _ => {}
        }
        if told {
            self.baseline_loss = Some(loss_at(engine, statistics.constant())?);
            let model = setup.scaling.outside(trained.model);
            self.fit = Some(Goodness::of(source, model, &statistics.y)?);
        }
        Ok(())
    }

    /// Whether a line of this loss can't be the best: a descent by steps may stand still far from it.
    pub fn rules_out(&self, loss: f64) -> bool {
        self.least_loss
            .is_some_and(|least| least < (1.0 - self.tolerance) * loss - self.rounding)
    }
}

/// The loss of a residual that is f32's rounding of y.
fn rounding(loss: Loss, y_deviation: f64) -> f64 {
    let residual = f64::from(f32::EPSILON) * y_deviation;
    if loss.has_corners() {
        residual
    } else {
        residual * residual
    }
}

/// The least loss there is, by a cutting plane from where a descent by steps stood still.
fn least_loss(run: &Run, trained: &Trained, engine: &mut dyn Engine) -> Result<f64, Error> {
    let setup = run.setup;
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
