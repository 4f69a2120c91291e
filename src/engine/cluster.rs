//! An engine over the samples of all ranks.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Description, Engine, Step, one_by_one};
use crate::error::Error;
use crate::model::{Model, Sums};
use crate::ranks::{Ranks, sum_numbers};

/// The engine of one rank, whose sums are added to those of the others in the order of ranks.
///
/// All ranks evaluate the same lines in the same order, and have the same bits.
pub struct Cluster<'a> {
    /// `None` for a rank without samples.
    engine: Option<Box<dyn Engine + 'a>>,
    ranks: &'a dyn Ranks,
    /// The samples of all ranks.
    samples: u64,
    end: &'a End,
}

/// The end of a descent before its time, which all ranks come to after the same epoch.
#[derive(Debug, Default)]
pub struct End {
    wanted: AtomicBool,
    agreed: AtomicBool,
}

impl End {
    /// Asks for the end: all ranks agree on it in the next evaluation.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Returns whether all ranks know that one asked.
    pub fn is_agreed(&self) -> bool {
        self.agreed.load(Ordering::Relaxed)
    }
}

impl<'a> Cluster<'a> {
    /// Returns the engine over `samples` samples, those of all ranks. `engine` has those of this one, if there are any.
    pub fn new(
        engine: Option<Box<dyn Engine + 'a>>,
        ranks: &'a dyn Ranks,
        samples: u64,
        end: &'a End,
    ) -> Self {
        Cluster {
            engine,
            ranks,
            samples,
            end,
        }
    }

    /// Returns the sums over the samples of this rank, without a gather.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn evaluate_own(&mut self, model: Model) -> Result<Sums, Error> {
        match &mut self.engine {
            Some(engine) => engine.evaluate(model),
            None => Ok(Sums::default()),
        }
    }
}

impl Engine for Cluster<'_> {
    fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns what this rank computes on.
    fn description(&self) -> Description {
        match &self.engine {
            Some(engine) => engine.description(),
            None => Description::on_host("without samples", 0),
        }
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let mine = self.evaluate_own(model)?;
        let asks = f64::from(u8::from(self.end.wanted.load(Ordering::Relaxed)));
        let sums = sum_numbers(self.ranks, &[mine.loss, mine.dw, mine.db, asks])?;
        if sums[3] > 0.0 {
            self.end.agreed.store(true, Ordering::Relaxed);
        }
        Ok(Sums {
            loss: sums[0],
            dw: sums[1],
            db: sums[2],
        })
    }

    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        let mine = match &mut self.engine {
            Some(engine) => engine.losses(models)?,
            None => vec![0.0; models.len()],
        };
        sum_numbers(self.ranks, &mine)
    }

    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        one_by_one(self, "ranks", from, learning_rate, epochs, steps)
    }
}
