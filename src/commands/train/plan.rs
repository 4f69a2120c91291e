//! `--plan`: what a run would do, and with what memory.

use fall_line::data::scaling::Scaling;
use fall_line::engine::gpu::plan::GpuPlan;
use fall_line::error::{Error, counted};
use fall_line::fit::{LearningRate, Memory, Plan, Prepared, Setup};
use fall_line::model::Model;
use fall_line::train::{Config, Stop};
use indicatif::{DecimalBytes, HumanCount};

use super::report::{batches, data, descent, engine};
use crate::cli::{Format, Train};
use crate::output::number::number;
use crate::output::{json, line, lines};

/// Prints the plan.
pub fn print(args: &Train, prepared: &Prepared) -> Result<(), Error> {
    let plan = prepared.plan()?;
    if args.output.format == Format::Json {
        return json::print(&plan);
    }
    lines(engine(&plan.engine, 1))?;
    lines(data(prepared, plan.engine.storage))?;
    loss(&plan, prepared.setup())?;
    match &plan.memory {
        Memory::Gpu(gpu) => device(gpu, prepared.is_drawn_on_the_device()),
        Memory::Gpus(gpus) => gpus
            .iter()
            .try_for_each(|gpu| device(gpu, prepared.is_drawn_on_the_device())),
        Memory::Cpu(cpu) => {
            line(format!("host:   {} of samples", DecimalBytes(cpu.bytes)))?;
            let free = cpu.available.map(DecimalBytes);
            line(match (plan.fits, free) {
                (Some(true), Some(free)) => format!("fits:   yes, {free} free"),
                (Some(false), Some(free)) => format!("fits:   no, {free} free"),
                _ => "fits:   not known before it is tried".to_owned(),
            })
        }
    }
}

fn loss(plan: &Plan, setup: &Setup) -> Result<(), Error> {
    if let Some(Model { w, b }) = plan.least_squares {
        line(format!("        least squares: w = {w:?}, b = {b:?}"))?;
    }
    let Config { epochs, stop, .. } = plan.config;
    let ends = match stop {
        Some(Stop {
            tolerance,
            patience,
        }) => format!(", until {patience} in a row improve it by less than {tolerance:e}"),
        None => String::new(),
    };
    line(format!(
        "loss:   {}, up to {} epochs{ends}{}",
        descent(setup),
        HumanCount(epochs),
        batches(setup),
    ))?;
    if let Some(LearningRate {
        limit: Some(limit), ..
    }) = plan.learning_rate
    {
        line(format!(
            "        stable up to a learning rate of {}",
            number(limit)
        ))?;
    }
    let Scaling {
        x_center,
        x_scale,
        y_center,
        y_scale,
        ..
    } = plan.scaling;
    if setup.standardized {
        line(format!(
            "        standardised: (x − {x_center:?}) / {x_scale:?}; (y − {y_center:?} − trend) / {y_scale:?}",
        ))?;
    }
    Ok(())
}

fn device(plan: &GpuPlan, drawn: bool) -> Result<(), Error> {
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
    let memory = plan.memory.map(DecimalBytes);
    line(match (memory, plan.fits()) {
        (Some(memory), Some(true)) => format!("fits:   yes, of {memory} for samples"),
        (Some(memory), Some(false)) if drawn => {
            format!("fits:   no, there are {memory} for samples; another --generator streams them")
        }
        (Some(memory), Some(false)) => format!(
            "fits:   no, there are {memory} for samples: the others are uploaded again each epoch"
        ),
        _ => "fits:   not known before it is tried; what doesn't fit is uploaded again each epoch"
            .to_owned(),
    })
}
