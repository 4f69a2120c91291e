//! The sentences of a bench, for the terminal and for Markdown.

use std::time::Duration;

use fall_line::bench::compare::{BreakEven, PerEpoch, Speedup};
use fall_line::bench::machine::Machine;
use fall_line::bench::{AdapterScaling, BenchRow, Figure, label};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::counted;
use indicatif::DecimalBytes;

use super::settings::Settings;
use crate::output::number;

/// A ± above this share of the median causes a warning.
const NOTABLE: f64 = 0.1;
/// Text beside every figure of a software adapter.
const SOFTWARE: &str = "software adapter; says nothing about GPU speed";
/// Explanation of every ±.
pub const PLUS_MINUS: &str =
    "±          distance of the median to the furthest quartile of a round";

/// Returns the line that says what the machine is.
pub fn machine(machine: &Machine) -> String {
    format!(
        "machine: {}, {}, {}, {}",
        machine.cpu,
        counted(machine.cores as u64, "core"),
        DecimalBytes(machine.memory_bytes),
        machine.os
    )
}

/// Returns the lines that say what runs on what.
pub fn headline(machine: &Machine, adapters: &[&Info], settings: &Settings) -> Vec<String> {
    let mut lines = vec![self::machine(machine)];
    lines.extend(adapters.iter().map(|info| {
        let kind = if info.software {
            SOFTWARE
        } else {
            info.kind.name()
        };
        format!(
            "gpu {}:   {}, {}, {kind}",
            info.index, info.name, info.backend
        )
    }));
    lines.push(format!(
        "epoch:   {} at w = {}, b = {}; {}, seed {}, adapters in {}",
        settings.loss_text,
        settings.model.w,
        settings.model.b,
        settings.generator,
        settings.seed,
        settings.storage
    ));
    let suite = settings
        .suite
        .map(|suite| format!("suite \"bench {suite}\": "));
    lines.push(format!(
        "rounds:  {}{} of all engines in turns, {} an engine",
        suite.unwrap_or_default(),
        settings.runs,
        number::time(Duration::from_secs_f64(settings.min_time_seconds))
    ));
    if settings.batched {
        lines.push("batch:   the epochs of 10 ms, with the line kept on the device".to_owned());
    }
    lines
}

/// Returns why a row has no time, or one that can't be true.
pub fn trouble(row: &BenchRow) -> Option<String> {
    let label = row.label();
    match (&row.disagreement, &row.failure, &row.impossible) {
        (Some(how), ..) => Some(format!("{label} disagrees and is not timed: {how}")),
        (None, Some(why), _) => Some(format!("{label} failed: {why}")),
        (None, None, Some(why)) => Some(format!("! {label}, measured again in vain: {why}")),
        (None, None, None) => None,
    }
}

/// Returns the title of the table of phases.
pub fn phases_title(settings: &Settings) -> String {
    format!(
        "To the answer of {} epochs: the sum of draw, setup (device start, compile, load) and median epochs",
        settings.epochs_to_answer
    )
}

/// Returns the speed-ups of all sizes, below the engine that is the fastest of each.
pub fn speedups(speedups: &[Speedup]) -> Vec<String> {
    let mut lines = Vec::new();
    for size in speedups.chunk_by(|a, b| a.samples == b.samples) {
        let (samples, faster) = (number::count(size[0].samples), &size[0].faster);
        let ran = if size.iter().any(|one| one.ratio.is_some()) {
            " ran"
        } else {
            ""
        };
        lines.push(format!("{samples} samples: {faster}{ran}"));
        lines.extend(size.iter().map(|one| match ratio(one) {
            Some(ratio) => format!("  {ratio:>12} times faster than {}", one.slower),
            None => {
                let why = one.withheld.as_deref().unwrap_or("it is not known");
                format!("  not compared with {}: {why}", one.slower)
            }
        }));
    }
    lines
}

/// Returns a ratio with its spread, to the same decimals: `12.5 ± 0.6`.
pub fn ratio(speedup: &Speedup) -> Option<String> {
    let (ratio, plus_minus) = (speedup.ratio?, speedup.plus_minus?);
    let decimals = number::decimals(ratio);
    Some(format!("{ratio:.decimals$} ± {plus_minus:.decimals$}"))
}

/// Returns how fast several adapters are together, a line each size.
pub fn scaling(scaling: &[AdapterScaling]) -> Vec<String> {
    let line = |one: &AdapterScaling| {
        let samples = number::count(one.samples);
        let adapters = counted(one.adapters as u64, "adapter");
        match (one.speedup, one.efficiency, one.plus_minus) {
            (Some(speedup), Some(share), Some(plus_minus)) => format!(
                "{samples} samples on {adapters}: {:.0} ± {:.0} % of the sum of their speeds, {speedup:.2} times the fastest",
                100.0 * share,
                100.0 * plus_minus
            ),
            _ => format!(
                "{samples} samples on {adapters}: not compared: {}",
                one.withheld.as_deref().unwrap_or("it is not known")
            ),
        }
    };
    scaling.iter().map(line).collect()
}

/// Returns the sizes, and the numbers of epochs, from which each GPU engine is worth it.
pub fn break_even(break_even: &BreakEven) -> Vec<String> {
    let mut lines = Vec::new();
    let mut losers: Vec<String> = Vec::new();
    for per_epoch in &break_even.per_epoch {
        let engine = (per_epoch.engine, per_epoch.adapter);
        let label = label(engine.0, engine.1);
        if per_epoch.wins.is_empty() {
            losers.push(label);
            continue;
        }
        lines.push(format!("{label} wins per epoch {}", spans(per_epoch)));
        lines.push(format!("{label}, including its setup, finishes first"));
        let sizes = break_even.to_answer.iter();
        lines.extend(
            sizes
                .filter(|size| (size.engine, size.adapter) == engine)
                .map(|size| {
                    let samples = number::count(size.samples);
                    match size.epochs {
                        Some(epochs) => {
                            format!("  at {samples} from {} on", counted(epochs, "epoch"))
                        }
                        None => format!("  never at {samples}"),
                    }
                }),
        );
    }
    if !losers.is_empty() {
        let losers = losers.join(" and ");
        lines.push(format!(
            "the CPU is faster than {losers} at every size that was compared"
        ));
    }
    lines
}

/// Returns the sizes at which an engine wins: `at sizes from about 1e4`.
fn spans(engine: &PerEpoch) -> String {
    let spans: Vec<String> = engine
        .wins
        .iter()
        .map(|span| match (span.from.map(about), span.to.map(about)) {
            (None, None) => "at every size that was compared".to_owned(),
            (Some(from), None) => format!("at sizes from about {from}"),
            (None, Some(to)) => format!("at sizes up to about {to}"),
            (Some(from), Some(to)) => format!("at sizes from about {from} to {to}"),
        })
        .collect();
    spans.join(" and ")
}

/// Returns a number of samples to two digits.
fn about(samples: f64) -> String {
    let rounded = format!("{samples:.1e}").parse().unwrap_or(samples);
    number::count(rounded as u64)
}

/// Returns a warning that names what was timed and varies.
pub fn vague(times: impl Iterator<Item = (Figure, String)>) -> Option<String> {
    let vague: Vec<String> = times
        .filter(|(time, _)| time.spread() > NOTABLE)
        .map(|(_, what)| what)
        .collect();
    (!vague.is_empty()).then(|| {
        format!(
            "± is more than {} % of the median: {}; end other programs, or take a longer --min-time",
            100.0 * NOTABLE,
            vague.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use fall_line::bench::Contestant;
    use fall_line::bench::compare::Span;

    use super::*;

    #[test]
    fn only_times_that_vary_are_named() {
        let time = |high| Figure {
            median: 1.0,
            low: 1.0,
            high,
        };
        let times = [(1.05, "a"), (1.2, "b"), (1.3, "c")];
        let warned = |times: &[(f64, &str)]| {
            vague(
                times
                    .iter()
                    .map(|&(high, what)| (time(high), what.to_owned())),
            )
        };
        assert_eq!(warned(&times[..1]), None);
        assert!(warned(&times).unwrap().contains("median: b, c; end other"));
    }

    fn one(slower: &str, ratio: Option<f64>) -> Speedup {
        Speedup {
            samples: 1000,
            faster: "gpu 0".to_owned(),
            slower: slower.to_owned(),
            ratio,
            plus_minus: ratio.map(|ratio| 0.05 * ratio),
            withheld: ratio.is_none().then(|| "it was a noisy day".to_owned()),
        }
    }

    #[test]
    fn a_size_has_one_summary_and_a_withheld_ratio_its_reason() {
        let size = [
            one("cpu", Some(12.5)),
            one("cpu-1", Some(1864.0)),
            one("gpu 1", None),
        ];
        assert_eq!(
            speedups(&size),
            [
                "1e3 samples: gpu 0 ran",
                "    12.5 ± 0.6 times faster than cpu",
                "     1864 ± 93 times faster than cpu-1",
                "  not compared with gpu 1: it was a noisy day",
            ]
        );
    }

    #[test]
    fn spans_of_wins_read_as_text_and_losers_share_a_line() {
        let span = |from, to| Span { from, to };
        let engine = |engine, wins| PerEpoch {
            engine,
            adapter: Some(0),
            smallest: 1000,
            largest: 10_000_000,
            wins,
        };
        for (wins, text) in [
            (vec![span(None, None)], "at every size that was compared"),
            (vec![span(Some(1e4), None)], "at sizes from about 1e4"),
            (
                vec![span(None, Some(12_345.0))],
                "at sizes up to about 1.2e4",
            ),
            (
                vec![span(Some(150.2), Some(1e6))],
                "at sizes from about 150 to 1e6",
            ),
            (
                vec![span(None, Some(1e4)), span(Some(1e6), None)],
                "at sizes up to about 1e4 and at sizes from about 1e6",
            ),
        ] {
            assert_eq!(spans(&engine(Contestant::Gpu, wins)), text);
        }
        let found = BreakEven {
            per_epoch: vec![
                engine(Contestant::Gpu, vec![]),
                engine(Contestant::GpuBatched, vec![]),
            ],
            to_answer: vec![],
        };
        assert_eq!(
            break_even(&found),
            ["the CPU is faster than gpu 0 and gpu-batched 0 at every size that was compared"]
        );
    }
}
