//! Who computes the sums of an epoch.

use serde::Serialize;

pub use self::gpu::program::{Loads, Storage};
pub use self::gpu::tuning::Tuning;
use crate::error::Error;
use crate::model::{Model, Sums};

pub mod cpu;
pub mod gpu;

/// The sums of one epoch over all samples of the data set that the engine was built with.
pub trait Engine {
    /// How many samples the sums are over.
    fn samples(&self) -> u64;

    /// The sums at `model`, whose w and b are rounded to f32. Blocks until the numbers are on the host.
    ///
    /// The same data, engine and model give the same bits.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    fn evaluate(&mut self, model: Model) -> Result<Sums, Error>;

    /// Returns what runs.
    fn description(&self) -> Description {
        Description {
            kind: "test",
            name: String::new(),
            backend: None,
            software: true,
            storage: Storage::F32,
            driver: None,
            tuning: None,
            resident: self.samples(),
        }
    }

    /// Walks a batch of epochs down from a line, each with the step learning rate × mean gradient, and leaves them in
    /// `steps`, which is emptied first. Goes on over values that are not finite, for the caller to find.
    ///
    /// This is the host loop, in f64; an engine that can do without the host may.
    ///
    /// # Errors
    /// What [`Engine::evaluate`] says.
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
    /// The line after it.
    pub model: Model,
}

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

/// What really runs, for a person and for `--format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// `gpu` or `cpu`.
    pub kind: &'static str,
    /// The adapter's name, or the number of threads.
    pub name: String,
    /// The graphics API; none for the CPU engine.
    pub backend: Option<String>,
    /// Whether it is an adapter that computes on the CPU.
    pub software: bool,
    /// How it stores samples.
    pub storage: Storage,
    /// The driver.
    pub driver: Option<String>,
    /// How the work is divided.
    pub tuning: Option<Tuning>,
    /// Samples in its memory.
    pub resident: u64,
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Choice {
    /// A hardware GPU where there is one, else the CPU engine.
    Auto,
    /// The best adapter, a software one included.
    Gpu,
    /// The CPU engine; no driver is touched.
    Cpu,
}

/// The engine that will run, before any data are loaded.
#[derive(Debug)]
pub enum Chosen {
    /// The GPU engine on this adapter.
    Gpu(gpu::adapter::Adapter),
    /// The CPU engine, with what the user should know of why.
    Cpu {
        /// One line that says that there is no hardware GPU, where that was the reason.
        notice: Option<String>,
    },
}

/// Finds the engine for a choice; `adapter` is part of a name or an index of `fall-line adapters`,
/// and asks for the GPU engine by itself.
///
/// # Errors
/// [`Error::Gpu`] where no adapter fits, [`Error::Usage`] where `adapter` goes with [`Choice::Cpu`].
pub fn choose(choice: Choice, adapter: Option<&str>) -> Result<Chosen, Error> {
    use gpu::adapter;
    match (choice, adapter) {
        (Choice::Cpu, Some(_)) => Err(Error::Usage(
            "--adapter goes with --engine gpu, not with --engine cpu".to_owned(),
        )),
        (Choice::Cpu, None) => Ok(Chosen::Cpu { notice: None }),
        (Choice::Auto, None) => Ok(match adapter::list().into_iter().next() {
            Some(best) if !best.info().software => Chosen::Gpu(best),
            Some(software) => Chosen::Cpu {
                notice: Some(format!(
                    "no hardware GPU: using the CPU engine (--engine gpu would use {})",
                    software.info(),
                )),
            },
            None => Chosen::Cpu {
                notice: Some("no GPU adapter: using the CPU engine".to_owned()),
            },
        }),
        (Choice::Auto | Choice::Gpu, wanted) => adapter::choose(wanted).map(Chosen::Gpu),
    }
}
