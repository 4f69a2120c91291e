//! `--format text`: what a person reads.

use std::time::Duration;

use fall_line::data::Source;
use fall_line::engine::Description;
use fall_line::engine::gpu::adapter::Info;
use fall_line::engine::gpu::program::Storage;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::train::{Config, Epoch, Trained};
use indicatif::{DecimalBytes, HumanCount};

use super::line;

/// What really runs.
pub fn headline(
    engine: &Description,
    source: &dyn Source,
    drawn: Option<String>,
    loss: Loss,
    config: &Config,
    learning_rate: f64,
) -> Result<(), Error> {
    let mut name = format!("{}, {}", engine.kind, engine.name);
    if let Some(backend) = &engine.backend {
        name += &format!(", {backend}");
    }
    if engine.software {
        name += ", software adapter";
    }
    if engine.storage != Storage::F32 {
        name += &format!(", storage {}", engine.storage);
    }
    line(format!("engine: {name}"))?;
    let samples = source.samples();
    let drawn = drawn.map(|drawn| format!(", {drawn}")).unwrap_or_default();
    line(format!(
        "data:   {}{drawn}, {} samples, {}",
        source.title(),
        HumanCount(samples),
        DecimalBytes(engine.storage.bytes_per_sample() * samples),
    ))?;
    let batches = if config.sync_every > 1 {
        format!(
            ", {} at a time on the device",
            HumanCount(config.sync_every)
        )
    } else {
        String::new()
    };
    line(format!(
        "loss:   {loss}, learning rate {}, {} epochs from w = {}, b = {}{batches}",
        learning_rate,
        HumanCount(config.epochs),
        number(config.start.w),
        number(config.start.b),
    ))
}

/// One epoch.
pub fn epoch(epoch: &Epoch) -> Result<(), Error> {
    line(format!(
        "epoch {}: loss = {}, w = {}, b = {}",
        epoch.epoch,
        number(epoch.loss),
        number(epoch.w),
        number(epoch.b)
    ))
}

/// The line found.
pub fn result(trained: &Trained) -> Result<(), Error> {
    line(format!(
        "w = {}, b = {}, loss = {}",
        number(trained.model.w),
        number(trained.model.b),
        number(trained.loss)
    ))
}

/// How fast.
pub fn speed(
    engine: &Description,
    trained: &Trained,
    samples: u64,
    load: Duration,
) -> Result<(), Error> {
    let seconds = trained.time.as_secs_f64() / trained.epochs as f64;
    line(format!(
        "{} per epoch, {:.1} GB/s; load {}, train {}",
        time(Duration::from_secs_f64(seconds)),
        (engine.storage.bytes_per_sample() * samples) as f64 / seconds / 1e9,
        time(load),
        time(trained.time),
    ))
}

/// The adapters, a line each.
pub fn adapters(adapters: &[&Info]) -> Result<(), Error> {
    let width = |text: fn(&Info) -> &str| {
        let widths = adapters.iter().map(|info| text(info).chars().count());
        widths.max().unwrap_or(0)
    };
    let names = width(|info| &info.name);
    let backends = width(|info| &info.backend);
    for info in adapters {
        line(format!(
            "{}  {:names$}  {:backends$}  {}  {}  {} MiB a shard of x",
            info.index,
            info.name,
            info.backend,
            info.kind,
            info.driver,
            info.binding_bytes >> 20,
        ))?;
    }
    Ok(())
}

/// Four decimals where they say something, else four digits and an exponent.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.4e}")
    }
}

/// A time to three digits: `12.3ms`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (unit, scale) = match seconds {
        1.0.. => ("s", 1.0),
        1e-3.. => ("ms", 1e3),
        1e-6.. => ("µs", 1e6),
        _ => ("ns", 1e9),
    };
    let value = seconds * scale;
    let decimals = match value {
        _ if unit == "ns" => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (nanoseconds, text) in [
            (7, "7ns"),
            (812, "812ns"),
            (1_234, "1.23µs"),
            (98_860, "98.9µs"),
            (123_456_789, "123ms"),
            (71_200_000_000, "71.2s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(number(3.64604143), "3.6460");
        assert_eq!(number(-1234567.0), "-1234567.0000");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(0.0000123456), "1.2346e-5");
        assert_eq!(number(-1.5e9), "-1.5000e9");
    }
}
