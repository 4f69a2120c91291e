//! Plans: what a fit would do, and what memory it would take.

use serde::Serialize;

use super::over_ranks::PlanOverRanks;
use super::prepare::Prepared;
use super::setup::LearningRate;
use crate::data::scaling::Scaling;
use crate::data::statistics::Statistics;
#[cfg(feature = "gpu")]
use crate::engine::gpu::plan::GpuPlan;
use crate::engine::{Chosen, Description, cpu};
use crate::error::Error;
use crate::model::Model;
use crate::train::Config;

/// A description of what a fit would do.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The data, in words.
    pub data: String,
    /// The samples.
    pub samples: u64,
    /// Their statistics; `None` if they would take a pass over very many synthetic samples.
    pub statistics: Option<Statistics>,
    /// The line of least squares in closed form.
    pub least_squares: Option<Model>,
    /// The coordinates that the engine would see the samples in.
    pub scaling: Scaling,
    /// The loss, with its parameter.
    pub loss: String,
    /// The line before the first epoch.
    pub start: Model,
    /// The learning rate.
    pub learning_rate: Option<LearningRate>,
    /// The descent, in the engine's coordinates.
    pub config: Config,
    /// The engine.
    pub engine: Description,
    /// The memory.
    pub memory: Memory,
    /// `true` if all samples have room; `None` if that is not known before it is tried.
    pub fits: Option<bool>,
    /// The same over ranks, if it is asked for: [`Prepared::plan_over`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_ranks: Option<PlanOverRanks>,
}

/// The memory that an engine would take for the samples, in bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Memory of the GPU engine.
    #[cfg(feature = "gpu")]
    Gpu(GpuPlan),
    /// Memory of the GPU engine on several adapters, in order.
    #[cfg(feature = "gpu")]
    Gpus(Vec<GpuPlan>),
    /// Memory of the CPU engine.
    Cpu(cpu::CpuPlan),
}

impl Memory {
    /// Returns whether all samples have room; `None` if that is not known before it is tried.
    pub fn fits(&self) -> Option<bool> {
        match self {
            #[cfg(feature = "gpu")]
            Memory::Gpu(plan) => plan.fits(),
            #[cfg(feature = "gpu")]
            Memory::Gpus(plans) => {
                let all: Vec<Option<bool>> = plans.iter().map(GpuPlan::fits).collect();
                if all.contains(&Some(false)) {
                    Some(false)
                } else {
                    all.into_iter().min().flatten()
                }
            }
            Memory::Cpu(plan) => plan.available.map(|available| plan.bytes <= available),
        }
    }
}

impl Prepared<'_> {
    /// Returns what the fit would do. Opens no device, and measures nothing.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the adapter can't do what the options ask for, [`Error::Setting`] or [`Error::DeviceMemory`] if its
    /// memory is too small.
    pub fn plan(&self) -> Result<Plan, Error> {
        let (source, setup) = (self.source(), &self.setup);
        let (engine, memory) = self.memory(source.samples())?;
        Ok(Plan {
            data: source.title(),
            samples: source.all_samples(),
            statistics: self.statistics,
            least_squares: self.statistics.as_ref().and_then(Statistics::line),
            scaling: setup.scaling,
            loss: setup.loss.to_string(),
            start: setup.start,
            learning_rate: setup.learning_rate,
            config: setup.config,
            engine,
            fits: memory.fits(),
            memory,
            over_ranks: None,
        })
    }

    /// Returns the engine with so many samples, and the memory that it would take.
    pub(super) fn memory(&self, samples: u64) -> Result<(Description, Memory), Error> {
        match &self.chosen {
            #[cfg(feature = "gpu")]
            Chosen::Gpu(adapters) => self.memory_of(adapters, samples),
            Chosen::Cpu { .. } => {
                let threads = rayon::current_num_threads();
                Ok((
                    cpu::description(threads, samples),
                    Memory::Cpu(cpu::plan(samples)),
                ))
            }
        }
    }
}
