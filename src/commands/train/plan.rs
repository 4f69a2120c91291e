//! `--plan`: what a run would do, and with what memory.

use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::Statistics;
use fall_line::engine::Description;
use fall_line::error::Error;
use fall_line::model::Model;
use fall_line::train::{Config, Stop};
use indicatif::{DecimalBytes, HumanCount};
use serde::Serialize;

use super::report::{batches, data, descent, named};
use crate::cli::{Format, Train};
use crate::open::{Memory, Opened};
use crate::output::line;
use crate::output::number::number;
use crate::run::setup::{LearningRate, Setup};

/// What `fall-line train --plan --format json` prints.
#[derive(Debug, Serialize)]
struct Plan {
    data: String,
    samples: u64,
    /// None where they would take a pass over very many synthetic samples.
    statistics: Option<Statistics>,
    least_squares: Option<Model>,
    /// What the engine would see of the data.
    scaling: Scaling,
    loss: String,
    start: Model,
    learning_rate: Option<LearningRate>,
    /// In the engine's coordinates.
    config: Config,
    engine: Description,
    memory: Memory,
    /// Whether all samples have room; none where that is not known before it is tried.
    fits: Option<bool>,
}

/// Prints it.
pub fn print(
    args: &Train,
    opened: &Opened,
    statistics: Option<&Statistics>,
    setup: &Setup,
    engine: Description,
    memory: Memory,
) -> Result<(), Error> {
    let fits = match &memory {
        Memory::Gpu(plan) => plan.memory.map(|_| plan.placement.streamed == 0),
        Memory::Cpu(plan) => plan.available.map(|available| plan.bytes <= available),
    };
    let plan = Plan {
        data: opened.source.title(),
        samples: opened.source.samples(),
        statistics: statistics.copied(),
        least_squares: statistics.and_then(Statistics::line),
        scaling: setup.scaling,
        loss: setup.loss.to_string(),
        start: setup.start,
        learning_rate: setup.learning_rate,
        config: setup.config,
        engine,
        memory,
        fits,
    };
    match args.output.format {
        Format::Json => crate::output::json::print(&plan),
        Format::Text => {
            line(format!("engine: {}", named(&plan.engine)))?;
            data(args, opened, plan.engine.storage, statistics)?;
            plan.descent(setup)?;
            plan.memory(args.draws_on_the_device())
        }
    }
}

impl Plan {
    fn descent(&self, setup: &Setup) -> Result<(), Error> {
        if let Some(Model { w, b }) = self.least_squares {
            line(format!("        least squares: w = {w:?}, b = {b:?}"))?;
        }
        let Config { epochs, stop, .. } = self.config;
        let ends = match stop {
            Some(Stop {
                tolerance,
                patience,
            }) => format!(", until {patience} of them gain less than {tolerance:e} of the loss"),
            None => String::new(),
        };
        line(format!(
            "loss:   {}, {} epochs at the most{ends}{}",
            descent(setup),
            HumanCount(epochs),
            batches(setup),
        ))?;
        if let Some(LearningRate {
            limit: Some(limit), ..
        }) = self.learning_rate
        {
            line(format!(
                "        stable up to a learning rate of {}",
                number(limit)
            ))?;
        }
        if self.scaling != Scaling::NONE {
            line(format!(
                "        standardised: x − {:?} over {:?}; y − {:?}, without its trend, over {:?}",
                self.scaling.x_center,
                self.scaling.x_scale,
                self.scaling.y_center,
                self.scaling.y_scale,
            ))?;
        }
        Ok(())
    }

    fn memory(&self, drawn: bool) -> Result<(), Error> {
        let plan = match &self.memory {
            Memory::Gpu(plan) => plan,
            Memory::Cpu(plan) => {
                line(format!("host:   {} of samples", DecimalBytes(plan.bytes)))?;
                let available = plan.available.map(DecimalBytes);
                return line(match (self.fits, available) {
                    (Some(true), Some(bytes)) => format!("fits:   yes, {bytes} can be had"),
                    (Some(false), Some(bytes)) => format!("fits:   no, {bytes} can be had"),
                    _ => "fits:   not known before it is tried".to_owned(),
                });
            }
        };
        let placement = plan.placement;
        let beside = plan.partial_sum_bytes + plan.record_bytes;
        line(format!(
            "device: {} of samples in {} of up to {} samples and {}, {} beside them",
            DecimalBytes(placement.device_bytes),
            counted(plan.shards, "shard"),
            HumanCount(plan.samples_per_shard),
            counted(u64::from(plan.workgroups_per_shard), "workgroup"),
            DecimalBytes(beside),
        ))?;
        if let Some(streamed) = placement.notice() {
            line(format!("        {streamed}"))?;
        }
        let staging = if drawn { 0 } else { plan.staging_bytes };
        line(format!(
            "host:   {} to upload through, {} to read back",
            DecimalBytes(staging),
            DecimalBytes(plan.readback_bytes),
        ))?;
        line(match (plan.memory, self.fits) {
            (Some(bytes), Some(true)) => format!("fits:   yes, of {} for samples", DecimalBytes(bytes)),
            (Some(bytes), Some(false)) if drawn => format!(
                "fits:   no, there are {} for samples; another --generator's pass through the memory there is",
                DecimalBytes(bytes)
            ),
            (Some(bytes), Some(false)) => format!(
                "fits:   no, there are {} for samples: the others are uploaded again each epoch",
                DecimalBytes(bytes)
            ),
            _ => "fits:   not known before it is tried; what doesn't fit is uploaded again each epoch".to_owned(),
        })
    }
}

/// `1 shard`, `2 shards`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", HumanCount(count))
}
