//! The choice between the GPU engine and the CPU engine, before any data are loaded.

use std::fmt;

#[cfg(feature = "gpu")]
use super::gpu::adapter::{self, Adapter};
use crate::error::{Error, Setting};

/// The engine that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Choice {
    /// A hardware GPU if there is one, else the CPU engine
    #[default]
    Auto,
    /// The best adapter, even a software adapter
    Gpu,
    /// Native code on the CPU; touches no driver
    Cpu,
}

/// The engine that will run.
#[derive(Debug)]
pub enum Chosen {
    /// The GPU engine on these adapters; at least one.
    #[cfg(feature = "gpu")]
    Gpu(Vec<Adapter>),
    /// The CPU engine.
    Cpu {
        /// Why it is not the GPU engine; `None` if the CPU engine was asked for.
        reason: Option<CpuReason>,
    },
}

impl Chosen {
    /// Returns whether this is the GPU engine.
    pub fn is_gpu(&self) -> bool {
        self.adapters() > 0
    }

    /// Returns the number of adapters; 0 for the CPU engine.
    pub fn adapters(&self) -> usize {
        match self {
            #[cfg(feature = "gpu")]
            Chosen::Gpu(adapters) => adapters.len(),
            Chosen::Cpu { .. } => 0,
        }
    }
}

/// Why [`Choice::Auto`] chose the CPU engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuReason {
    /// There is no adapter.
    NoAdapter,
    /// The best adapter computes on the CPU too.
    SoftwareOnly {
        /// The adapter: name, backend and kind.
        adapter: String,
    },
}

impl fmt::Display for CpuReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuReason::NoAdapter => f.write_str("no GPU adapter: using the CPU engine"),
            CpuReason::SoftwareOnly { .. } => f.write_str("no hardware GPU: using the CPU engine"),
        }
    }
}

/// Finds the engine for a choice. `adapter` is part of an adapter's name, or its index in
/// [`gpu::adapter::list`](super::gpu::adapter::list), or names several for
/// [`gpu::adapter::choose_some`](super::gpu::adapter::choose_some). Naming one asks for the GPU engine.
///
/// # Errors
/// [`Error::NoAdapter`] if no adapter fits, [`Error::Setting`] if `adapter` is given with [`Choice::Cpu`].
#[cfg(feature = "gpu")]
pub fn choose(choice: Choice, adapter: Option<&str>) -> Result<Chosen, Error> {
    match (choice, adapter) {
        (Choice::Cpu, wanted) => on_cpu(wanted),
        (Choice::Auto, None) => Ok(match adapter::list().into_iter().next() {
            Some(best) if !best.info().software => Chosen::Gpu(vec![best]),
            Some(software) => Chosen::Cpu {
                reason: Some(CpuReason::SoftwareOnly {
                    adapter: software.info().to_string(),
                }),
            },
            None => Chosen::Cpu {
                reason: Some(CpuReason::NoAdapter),
            },
        }),
        (Choice::Auto | Choice::Gpu, wanted) => adapter::choose_some(wanted).map(Chosen::Gpu),
    }
}

/// Finds the engine for a choice: the CPU engine, the only one of a library that was built without the feature `gpu`.
///
/// # Errors
/// [`Error::Usage`] if the GPU engine is asked for, [`Error::Setting`] if `adapter` is given with [`Choice::Cpu`].
#[cfg(not(feature = "gpu"))]
pub fn choose(choice: Choice, adapter: Option<&str>) -> Result<Chosen, Error> {
    match (choice, adapter) {
        (Choice::Cpu, wanted) => on_cpu(wanted),
        (Choice::Auto, None) => Ok(Chosen::Cpu { reason: None }),
        (Choice::Auto | Choice::Gpu, _) => Err(Error::Usage(
            "built without the GPU engine: use the CPU engine, or build with the feature \"gpu\""
                .to_owned(),
        )),
    }
}

/// Returns the CPU engine, which runs on no adapter.
fn on_cpu(adapter: Option<&str>) -> Result<Chosen, Error> {
    match adapter {
        Some(_) => Err(Setting::Adapter.error("goes with the GPU engine, not with the CPU engine")),
        None => Ok(Chosen::Cpu { reason: None }),
    }
}
