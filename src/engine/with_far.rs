//! An engine beside which the host sums the samples far off, in f64.

use rayon::prelude::*;

use super::{Description, Engine};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

/// Samples that a task of rayon's pool sums.
const PIECE: usize = 4096;

/// An engine that has a sample at (0, 0) in place of each one far off, and these samples.
///
/// A line through samples at x = 1e12 needs digits that f32 lacks. So the line is rounded for the engine alone, and the
/// engine's loss is moved along its gradient to the line as it is. By convexity that loss is no higher than the true one,
/// and a cut by it removes no better line.
pub struct WithFar<'a> {
    engine: Box<dyn Engine + 'a>,
    loss: Loss,
    far: Vec<(f64, f64)>,
}

impl<'a> WithFar<'a> {
    /// Returns the engine with samples `far` in its coordinates.
    pub fn new(engine: Box<dyn Engine + 'a>, loss: Loss, far: Vec<(f64, f64)>) -> Self {
        WithFar { engine, loss, far }
    }
}

/// Returns the sums over the samples far off, added in their order.
fn far_sums(loss: Loss, far: &[(f64, f64)], model: Model) -> Sums {
    let of_piece = |piece: &[(f64, f64)]| -> Sums {
        let terms = piece.iter().map(|&(x, y)| {
            let (loss, derivative) = loss.terms(model.predict(x) - y);
            Sums {
                loss,
                dw: derivative * x,
                db: derivative,
            }
        });
        terms.sum()
    };
    let pieces: Vec<Sums> = far.par_chunks(PIECE).map(of_piece).collect();
    pieces.into_iter().sum()
}

impl Engine for WithFar<'_> {
    fn samples(&self) -> u64 {
        self.engine.samples()
    }

    fn description(&self) -> Description {
        self.engine.description()
    }

    /// Returns the sums at `model`, whose w and b are not rounded.
    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let rounded = model.rounded();
        let all = self.engine.evaluate(rounded)?;
        let placeholders = self.far.len() as f64;
        let (value, derivative) = self.loss.terms(rounded.b);
        let gradient = Model {
            w: all.dw,
            b: all.db - placeholders * derivative,
        };
        let bulk = Sums {
            loss: all.loss - placeholders * value + gradient.dot(model - rounded),
            dw: gradient.w,
            db: gradient.b,
        };
        Ok(bulk + far_sums(self.loss, &self.far, model))
    }
    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        let bulk = self.engine.losses(models)?;
        let placeholders = self.far.len() as f64;
        let sums = models.iter().zip(bulk).map(|(&model, bulk)| {
            let (value, _) = self.loss.terms(model.rounded().b);
            bulk - placeholders * value + far_sums(self.loss, &self.far, model).loss
        });
        Ok(sums.collect())
    }
}
