//! How far the line that was found is from the truth.

use fall_line::data::fit::Fit;
use fall_line::engine::Engine;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::{Ended, Trained};
use serde::Serialize;

use super::Run;
use crate::cli::Format;

/// What a line is compared with, in the data's units.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Truth {
    /// The line of least squares, in closed form in f64.
    pub least_squares: Option<Model>,
    /// The loss there, as the engine sees it: the best there is for mse, and for the other losses no better than that.
    pub least_squares_loss: Option<f64>,
    /// For mse: how far w and b are from it.
    pub distance: Option<Model>,
    /// The loss of y = mean y.
    pub baseline_loss: Option<f64>,
    /// Over the samples as they are, in f64.
    #[serde(flatten)]
    pub fit: Option<Fit>,
    /// What synthetic samples were drawn around.
    pub true_line: Option<Model>,
}

impl Truth {
    /// Whether a line of this loss can't be the best: a descent over columns of very different sizes stalls far from it.
    pub fn rules_out(&self, loss: f64) -> bool {
        // What f32 sums can tell for certain.
        const CERTAIN: f64 = 1e-6;
        self.least_squares_loss
            .is_some_and(|least_squares| least_squares < (1.0 - CERTAIN) * loss)
    }

    /// Reads all samples once more, where they are on the host, where somebody is told of it, and where nobody is in a
    /// hurry.
    pub fn of(run: &Run, engine: &mut dyn Engine, trained: &Trained) -> Result<Self, Error> {
        let (setup, output) = (run.setup, &run.args.output);
        let mut truth = Truth {
            true_line: run.opened.true_line,
            ..Truth::default()
        };
        let Some(statistics) = run.statistics else {
            return Ok(truth);
        };
        let model = setup.scaling.outside(trained.model);
        truth.least_squares = statistics.line();
        truth.distance = truth
            .least_squares
            .filter(|_| setup.loss == Loss::Mse)
            .map(|line| Model {
                w: model.w - line.w,
                b: model.b - line.b,
            });
        let loss_at = |engine: &mut dyn Engine, line| {
            let at = engine.evaluate(setup.scaling.inside(line))?;
            Ok::<_, Error>(setup.outside_loss(at.means(engine.samples()).loss))
        };
        if let Some(line) = truth.least_squares {
            truth.least_squares_loss = Some(loss_at(engine, line)?);
        }
        let told = output.talks() || output.format == Format::Json || output.save.is_some();
        if told && trained.ended != Ended::BrokenOff {
            truth.baseline_loss = Some(loss_at(engine, statistics.constant())?);
            truth.fit = Some(Fit::of(&*run.opened.source, model, &statistics.y)?);
        }
        Ok(truth)
    }
}
