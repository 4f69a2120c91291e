//! Several adapters that compute an epoch at the same time.

use std::thread;

use super::GpuEngine;
use crate::engine::{Description, Engine, Share, Step, one_by_one};
use crate::error::Error;
use crate::model::{Model, Sums, add_each};

/// Engines on several adapters, each with its part of the samples. Their sums are added in the order of the engines.
#[derive(Debug)]
pub struct Several<'a> {
    engines: Vec<GpuEngine<'a>>,
}

impl<'a> Several<'a> {
    /// Returns the engine over the samples of all engines.
    pub fn new(engines: Vec<GpuEngine<'a>>) -> Self {
        Several { engines }
    }

    /// Returns the engines, in order.
    pub fn engines(&self) -> &[GpuEngine<'a>] {
        &self.engines
    }

    /// Calls all engines at the same time, and returns their results in order, or the first error.
    fn call<R: Send>(
        &mut self,
        call: impl Fn(&mut GpuEngine<'a>) -> Result<R, Error> + Sync,
    ) -> Result<Vec<R>, Error> {
        if let [engine] = &mut self.engines[..] {
            return Ok(vec![call(engine)?]);
        }
        let call = &call;
        thread::scope(|scope| {
            let calls: Vec<_> = self
                .engines
                .iter_mut()
                .map(|engine| scope.spawn(move || call(engine)))
                .collect();
            let done = calls.into_iter().map(|call| match call.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            // All are waited for, also after an error.
            done.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

impl Engine for Several<'_> {
    fn samples(&self) -> u64 {
        self.engines.iter().map(Engine::samples).sum()
    }

    fn description(&self) -> Description {
        Description::several(self.engines.iter().map(|engine| Share {
            samples: engine.samples(),
            engine: engine.description(),
        }))
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let sums = self.call(|engine| engine.evaluate(model))?;
        Ok(sums.into_iter().sum())
    }

    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        let mut sums = vec![0.0; models.len()];
        for part in self.call(|engine| engine.losses(models))? {
            add_each(&mut sums, part);
        }
        Ok(sums)
    }

    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        one_by_one(self, "adapters", from, learning_rate, epochs, steps)
    }
}
