//! An engine that outlives its device.

use super::monitor::{Notice, Phase};
use super::prepare::Prepared;
use crate::data::host::Columns;
use crate::engine::{Description, Engine, Step};
use crate::error::Error;
use crate::model::{Model, Sums};

/// An engine that loads the samples into a new device if its own is lost, and computes again what was lost with it.
///
/// Its calls depend on nothing but the samples and the division of the work, so they give the same bits. A second device that is lost in the same call is
/// the caller's error.
pub struct Reopened<'p> {
    prepared: &'p Prepared<'p>,
    /// `None` if no new device could be opened.
    engine: Option<Box<dyn Engine + 'p>>,
    description: Description,
    samples: u64,
}

impl<'p> Reopened<'p> {
    /// Opens the engine, a second time if its device is lost meanwhile.
    pub fn open(prepared: &'p Prepared<'p>) -> Result<Self, Error> {
        let engine = match prepared.engine(None) {
            Err(error @ Error::DeviceLost { .. }) => {
                prepared.monitor.notice(&Notice::Lost(error));
                prepared.engine(None)?
            }
            engine => engine?,
        };
        Ok(Reopened {
            prepared,
            description: engine.description(),
            samples: engine.samples(),
            engine: Some(engine),
        })
    }

    /// Calls the engine, and once more if its device is lost meanwhile.
    fn call<R>(
        &mut self,
        mut call: impl FnMut(&mut dyn Engine) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Some(engine) = &mut self.engine else {
            return Err(gone(&self.description));
        };
        let lost = match call(&mut **engine) {
            Err(lost @ Error::DeviceLost { .. }) => lost,
            done => return done,
        };
        // Frees the memory of the lost device first.
        self.engine = None;
        let engine = self.prepared.engine(Some(&self.description))?;
        if engine.description() != self.description {
            // With less room for samples, or another driver: sums of other bits.
            return Err(lost);
        }
        let Prepared { monitor, setup, .. } = self.prepared;
        monitor.notice(&Notice::Lost(lost));
        monitor.begin(Phase::Descending, setup.config.epochs);
        call(&mut **self.engine.insert(engine))
    }
}

/// Returns the error of an engine whose device could not be replaced.
fn gone(engine: &Description) -> Error {
    Error::DeviceLost {
        adapter: engine.name.clone(),
        driver: engine.driver.clone().unwrap_or_default(),
        reason: "no new one could be opened".to_owned(),
    }
}

impl Engine for Reopened<'_> {
    fn samples(&self) -> u64 {
        self.samples
    }

    fn on_host(&self) -> Option<Columns<'_>> {
        self.engine.as_ref()?.on_host()
    }

    fn description(&self) -> Description {
        self.description.clone()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        self.call(|engine| engine.evaluate(model))
    }

    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        self.call(|engine| engine.losses(models))
    }

    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        self.call(|engine| engine.descend(from, learning_rate, epochs, steps))
    }
}
