//! `--plan`: what a run would do, and with what memory.

use std::time::Duration;

use fall_line::data::BLOCK;
use fall_line::data::scaling::Scaling;
use fall_line::engine::forecast::{Forecast, Gather, Speeds};
use fall_line::engine::gpu::plan::GpuPlan;
use fall_line::error::{Error, counted};
use fall_line::fit::{Known, LearningRate, Memory, Plan, PlanOverRanks, Prepared, Setup};
use fall_line::model::Model;
use fall_line::train::{Config, Stop};
use indicatif::{DecimalBytes, HumanCount};

use super::report::{batches, data, descent, engine, named};
use crate::cli::{Format, Train};
use crate::output::number::{digits, number, time};
use crate::output::{json, line, lines};

/// Prints the plan.
pub fn print(args: &Train, prepared: &Prepared) -> Result<(), Error> {
    let mut plan = prepared.plan()?;
    if let Some(ranks) = args.training.ranks {
        let given = args
            .training
            .gather
            .map(|time| Gather::Given(time.as_secs_f64()));
        plan.over_ranks = Some(prepared.plan_over(ranks, given.unwrap_or(Gather::UNKNOWN))?);
    }
    if args.output.format == Format::Json {
        return json::print(&plan);
    }
    lines(engine(&plan.engine, 1))?;
    lines(data(prepared, plan.engine.storage))?;
    loss(&plan, prepared.setup())?;
    let drawn = prepared.is_drawn_on_the_device();
    match &plan.memory {
        Memory::Gpu(gpu) => device("", gpu, drawn),
        Memory::Gpus(gpus) => gpus
            .iter()
            .zip(&plan.engine.shares)
            .try_for_each(|(gpu, share)| {
                device(&format!("{}: ", named(&share.engine)), gpu, drawn)
            }),
        Memory::Cpu(cpu) => {
            line(format!("host:   {} of samples", DecimalBytes(cpu.bytes)))?;
            let free = cpu.available.map(DecimalBytes);
            line(match (plan.fits, free) {
                (Some(true), Some(free)) => format!("fits:   yes, {free} free"),
                (Some(false), Some(free)) => format!("fits:   no, {free} free"),
                _ => "fits:   not known before it is tried".to_owned(),
            })
        }
    }?;
    over_ranks(&plan)
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

/// Prints the memory of an adapter, below its name if there are several.
fn device(name: &str, plan: &GpuPlan, drawn: bool) -> Result<(), Error> {
    let placement = plan.placement;
    let beside = plan.partial_sum_bytes + plan.record_bytes;
    line(format!(
        "device: {name}{} of samples in {} of up to {} samples and {}, {} beside them",
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

/// Prints how the run would scale over ranks, and what that is computed from.
fn over_ranks(of_one: &Plan) -> Result<(), Error> {
    let Some(plan) = &of_one.over_ranks else {
        return Ok(());
    };
    let bytes = match &plan.memory {
        Memory::Cpu(cpu) => cpu.bytes,
        Memory::Gpu(gpu) => gpu.placement.device_bytes,
        Memory::Gpus(gpus) => gpus.iter().map(|gpu| gpu.placement.device_bytes).sum(),
    };
    let fits = match plan.fits {
        Some(true) => "which fit",
        Some(false) => "which don't fit",
        None => "of which it is not known whether they fit",
    };
    let Some((forecast, speeds)) = plan.forecast.zip(plan.speeds) else {
        return line(format!(
            "ranks:  {} of samples a rank, {fits}; the adapter's speed is not measured yet: a run of 4e6 samples or more \
             measures it",
            DecimalBytes(bytes)
        ));
    };
    line(format!(
        "ranks:  {}, each like this one: {} a rank, {}, {fits}",
        HumanCount(forecast.ranks),
        counted(forecast.samples_of_rank, "sample"),
        DecimalBytes(bytes),
    ))?;
    if plan.with_samples < forecast.ranks {
        line(format!(
            "        {} of them without samples: ranks take blocks of 65,536, and there are no more",
            HumanCount(forecast.ranks - plan.with_samples)
        ))?;
    }
    lines(inputs(plan, &forecast, &speeds))?;
    // Streaming is a part of the model; memory of the host is not.
    let room = match (&of_one.memory, of_one.fits) {
        (Memory::Cpu(_), Some(false)) => ", if that had room",
        _ => "",
    };
    line(format!(
        "model:  {} an epoch, {} to load, {} for {}: {} times as fast as one rank{room}, an efficiency of {:.0} %",
        seconds(forecast.epoch_seconds),
        seconds(forecast.load_seconds),
        seconds(forecast.fit_seconds),
        counted(plan.epochs, "epoch"),
        digits(forecast.speedup, 3),
        100.0 * forecast.efficiency,
    ))?;
    if of_one.samples <= BLOCK as u64 {
        return Ok(());
    }
    line(match forecast.half_at {
        Some(ranks) => format!(
            "        from {} on the gather takes half of an epoch",
            counted(ranks, "rank")
        ),
        None => "        the gather takes less than half of an epoch, up to a block of 65,536 samples a rank".to_owned(),
    })
}

/// Returns what the model computes with, and where it comes from.
fn inputs(plan: &PlanOverRanks, forecast: &Forecast, speeds: &Speeds) -> Vec<String> {
    let speed = |speed: f64, known: Known| {
        let source = match known {
            Known::Measured(samples) => format!("measured here on {}", counted(samples, "sample")),
            Known::Kept => "measured with the adapter's tuning, for mse in f32".to_owned(),
            Known::Unknown => "not measured".to_owned(),
        };
        format!("{speed:.1e} samples a second, {source}")
    };
    let mut lines = vec![format!(
        "        epoch:  {}",
        speed(speeds.epoch, plan.epoch_from)
    )];
    lines.push(match speeds.load.zip(plan.load_from) {
        Some((load, known)) => format!("        load:   {}", speed(load, known)),
        None => "        load:   none, the device draws the samples".to_owned(),
    });
    lines.extend(plan.assumed_upload.map(|upload| {
        format!(
            "        upload: {} a second, a part of the load; assumed: PCIe 4.0 x16",
            DecimalBytes(upload as u64)
        )
    }));
    let gather = seconds(forecast.gather_seconds);
    lines.push(match plan.gather {
        Gather::Given(_) => format!("        gather: {gather}, as given"),
        Gather::Network { latency, bandwidth } => format!(
            "        gather: {gather}, assumed: {} a doubling of the ranks, {} a second (--gather gives a measured one)",
            seconds(latency),
            DecimalBytes(bandwidth as u64)
        ),
    });
    lines
}

fn seconds(seconds: f64) -> String {
    time(Duration::from_secs_f64(seconds))
}
