//! Engines: they compute the sums of an epoch over all samples.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::choose::{Choice, Chosen, CpuReason, choose};
pub use self::tuning::{Loads, Tuning};
use crate::data::host::Columns;
use crate::error::{Error, Setting};
use crate::model::{Model, Sums};

mod choose;
pub mod cluster;
pub mod cpu;
pub mod forecast;
#[cfg(feature = "gpu")]
pub mod gpu;
mod tuning;
pub mod with_far;

/// Computes the sums of an epoch over all samples of the data set that it was built with.
pub trait Engine {
    /// Returns the number of samples that the sums are over.
    fn samples(&self) -> u64;

    /// Returns the samples as the engine computes with them, if all are in host memory.
    fn on_host(&self) -> Option<Columns<'_>> {
        None
    }

    /// Returns what the sums are computed on. Two engines of one description give the same bits for the same samples and
    /// loss.
    fn description(&self) -> Description;

    /// Returns the sums at `model`, whose w and b are rounded to f32, except by [`with_far::WithFar`]. Blocks until the
    /// numbers are on the host.
    ///
    /// The same data, engine and model give the same bits.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceMemory`] if the adapter fails. An engine that reads samples again each epoch also
    /// passes on the errors of [`data::read_for_engine`](crate::data::read_for_engine).
    fn evaluate(&mut self, model: Model) -> Result<Sums, Error>;

    /// Returns the sums of the loss values at many models, which are rounded as [`Engine::evaluate`] does. By default each
    /// takes a pass over the samples; an engine may evaluate several a pass.
    ///
    /// # Errors
    /// The errors of [`Engine::evaluate`].
    fn losses(&mut self, models: &[Model]) -> Result<Vec<f64>, Error> {
        let loss = |&model| Ok(self.evaluate(model)?.loss);
        models.iter().map(loss).collect()
    }

    /// Runs a batch of epochs of plain gradient descent that starts at `from`, and replaces what is in `steps` by them.
    ///
    /// Each step is the learning rate times the mean gradient. Values that are not finite don't end the batch: the caller
    /// looks for them. By default the line is updated on the host, in f64; an engine may keep it on the device.
    ///
    /// # Errors
    /// The errors of [`Engine::evaluate`]. An engine that can't keep the line on its device returns an [`Error::Setting`].
    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        host_loop(self, from, learning_rate, epochs, steps)
    }
}

/// One epoch of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The sums before the update.
    pub sums: Sums,
    /// The line after the update.
    pub model: Model,
}

/// Runs a batch of epochs, one [`Engine::evaluate`] each.
fn host_loop<E: Engine + ?Sized>(
    engine: &mut E,
    from: Model,
    learning_rate: f64,
    epochs: u64,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    steps.clear();
    let mut model = from;
    for _ in 0..epochs {
        let sums = engine.evaluate(model)?;
        let gradient = sums.means(engine.samples());
        model = Model {
            w: model.w - learning_rate * gradient.dw,
            b: model.b - learning_rate * gradient.db,
        };
        steps.push(Step { sums, model });
    }
    Ok(())
}

/// Runs up to one epoch of a batch, for an engine that is `several` engines: none of them has the sums of the others.
///
/// # Errors
/// [`Error::Setting`] for more than one epoch, and the errors of [`Engine::evaluate`].
fn one_by_one<E: Engine + ?Sized>(
    engine: &mut E,
    several: &str,
    from: Model,
    learning_rate: f64,
    epochs: u64,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    if epochs > 1 {
        return Err(not_in_batches(several));
    }
    host_loop(engine, from, learning_rate, epochs, steps)
}

/// Returns the error that a line can't stay on the devices of several adapters, or ranks.
pub(crate) fn not_in_batches(several: &str) -> Error {
    Setting::SyncEvery.error(format!(
        "must be 1 over several {several}: each has a part of the samples, so that their sums are added every epoch"
    ))
}

/// An engine: what it runs on, and all that the bits of its sums depend on beside the samples and the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The kind of engine.
    pub kind: EngineKind,
    /// The adapter's name, or the number of threads.
    pub name: String,
    /// The graphics API; `None` for an engine without an adapter.
    pub backend: Option<String>,
    /// The driver's name and version; `None` for an engine without an adapter.
    pub driver: Option<String>,
    /// True for an adapter that computes on the CPU.
    pub software: bool,
    /// The storage format of samples.
    pub storage: Storage,
    /// The shares of the work on an adapter; `None` for an engine without one.
    pub tuning: Option<Tuning>,
    /// Samples that stay in the engine's memory; the others are uploaded again each epoch.
    pub resident: u64,
    /// The adapters or ranks with their shares, in order, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
}

/// The share of the samples that an adapter or a rank has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The samples: those after the ones of the adapters or ranks before.
    pub samples: u64,
    /// The engine on this adapter or rank.
    pub engine: Description,
}

impl Description {
    /// Returns the description without the number of the CPU engine's threads, which changes no bit of the sums.
    ///
    /// A run that goes on with an engine of the same identity goes on to the same bits.
    pub fn identity(mut self) -> Self {
        if self.kind == EngineKind::Cpu {
            self.name = self.kind.to_string();
        }
        for share in &mut self.shares {
            share.engine = share.engine.clone().identity();
        }
        self
    }

    /// Describes an engine on several adapters or ranks, at least one.
    pub(crate) fn several(shares: impl IntoIterator<Item = Share>) -> Self {
        let shares: Vec<Share> = shares.into_iter().collect();
        // Ranks without samples have no engine.
        let with_samples = shares.iter().filter(|share| share.samples > 0);
        let engines = || with_samples.clone().map(|share| &share.engine);
        let first = engines().next();
        let joined = |text: fn(&Description) -> Option<&str>| {
            let texts: Option<Vec<&str>> = engines().map(text).collect();
            texts.map(|texts| texts.join(" + "))
        };
        Description {
            kind: first.map_or(EngineKind::Cpu, |engine| engine.kind),
            name: joined(|engine| Some(&engine.name)).unwrap_or_default(),
            backend: joined(|engine| engine.backend.as_deref()),
            driver: joined(|engine| engine.driver.as_deref()),
            software: engines().all(|engine| engine.software),
            storage: first.map_or(Storage::F32, |engine| engine.storage),
            tuning: None,
            resident: engines().map(|engine| engine.resident).sum(),
            shares,
        }
    }

    /// Describes an engine that holds all its samples in host memory.
    pub fn on_host(name: impl Into<String>, samples: u64) -> Self {
        Description {
            kind: EngineKind::Cpu,
            name: name.into(),
            backend: None,
            driver: None,
            software: false,
            storage: Storage::F32,
            tuning: None,
            resident: samples,
            shares: Vec::new(),
        }
    }
}

/// The kind of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// An engine of native code.
    Cpu,
    /// An engine of shaders on an adapter.
    Gpu,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Cpu => "cpu",
            EngineKind::Gpu => "gpu",
        })
    }
}

/// The storage format of x and y in an engine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 8 bytes a sample
    #[default]
    F32,
    /// 4 bytes a sample, centred and scaled; 11 bits a value, and a second pass over the data
    F16,
}

impl Storage {
    /// Returns the bytes of one x or one y.
    pub const fn bytes(self) -> u64 {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }

    /// Returns the bytes of a sample.
    pub const fn bytes_per_sample(self) -> u64 {
        2 * self.bytes()
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
        })
    }
}
