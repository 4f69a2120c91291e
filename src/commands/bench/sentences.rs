//! The sentences of a bench, for the terminal and for Markdown.

use fall_line::bench::compare::{BreakEven, PerEpoch, Speedup};
use fall_line::bench::machine::Machine;
use fall_line::bench::{BenchRow, label};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::counted;
use indicatif::DecimalBytes;

use super::settings::Settings;
use crate::output::number;

/// Quartiles further apart than this share of the median cause a warning.
const WIDE: f64 = 0.1;
/// Text beside every figure of a software adapter.
const SOFTWARE: &str = "software adapter; says nothing about GPU speed";
/// Text under the speed-ups.
pub const PLUS_MINUS: &str = "±: half the quartiles' distance of both engines, as shares of the medians, added in quadrature";

/// Returns the lines that say what runs on what.
pub fn headline(machine: &Machine, adapters: &[&Info], settings: &Settings) -> Vec<String> {
    let mut lines = vec![format!(
        "machine: {}, {}, {}, {}",
        machine.cpu,
        counted(machine.cores as u64, "core"),
        DecimalBytes(machine.memory_bytes),
        machine.os
    )];
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
        "epoch:   {} at w = {}, b = {}, from the model to the sums on the host; {}, seed {}, adapters in {}",
        settings.loss_text,
        settings.model.w,
        settings.model.b,
        settings.generator,
        settings.seed,
        settings.storage
    ));
    if settings.batched {
        lines.push(
            "batch:   the epochs of 10 ms, with the line kept on the device; the time is divided by their number"
                .to_owned(),
        );
    }
    lines
}

/// Returns why a row has no time.
pub fn trouble(row: &BenchRow) -> Option<String> {
    let label = row.label();
    match (&row.disagreement, &row.failure) {
        (Some(how), _) => Some(format!("{label} disagrees and is not timed: {how}")),
        (None, Some(why)) => Some(format!("{label} failed: {why}")),
        (None, None) => None,
    }
}

/// Returns the title of the table of phases.
pub fn phases_title(settings: &Settings) -> String {
    format!(
        "To the answer of {} epochs: the sum of draw, setup (device start, compile, load) and median epochs",
        settings.epochs_to_answer
    )
}

/// Returns `gpu 0 ran 12.5 ± 0.6 times faster than cpu`.
pub fn speedup(speedup: &Speedup) -> String {
    format!(
        "{} ran {} ± {:.*} times faster than {}",
        speedup.faster,
        number::short(speedup.ratio),
        number::decimals(speedup.ratio),
        speedup.plus_minus,
        speedup.slower
    )
}

/// Returns the speed-ups of all sizes, a line each.
pub fn speedups(speedups: &[Speedup]) -> Vec<String> {
    speedups
        .iter()
        .map(|one| format!("{}: {}", number::count(one.samples), speedup(one)))
        .collect()
}

/// Returns the sizes, and the numbers of epochs, from which each GPU engine is worth it.
pub fn break_even(break_even: &BreakEven, rows: &[BenchRow]) -> Vec<String> {
    let mut sentences = Vec::new();
    for per_epoch in &break_even.per_epoch {
        let engine = (per_epoch.engine, per_epoch.adapter);
        let software = rows
            .iter()
            .any(|row| (row.engine, row.adapter) == engine && row.software);
        let mark = if software {
            format!(" ({SOFTWARE})")
        } else {
            String::new()
        };
        let label = label(engine.0, engine.1);
        sentences.push(format!("{label} against the fastest CPU engine{mark}:"));
        sentences.push(format!("  {label} wins per epoch {}", spans(per_epoch)));
        let (mut wins, mut never) = (Vec::new(), Vec::new());
        for size in &break_even.to_answer {
            if (size.engine, size.adapter) == engine {
                let samples = number::count(size.samples);
                match size.epochs {
                    Some(epochs) => wins.push(format!("at {samples} from {epochs} epochs on")),
                    None => never.push(samples),
                }
            }
        }
        sentences.push(if wins.is_empty() {
            format!("  {label}, including its setup, never finishes first")
        } else {
            if !never.is_empty() {
                wins.push(format!("never at {}", never.join(", ")));
            }
            let wins = wins.join("; ");
            format!("  {label}, including its setup, finishes first {wins}")
        });
    }
    sentences
}

/// Returns the sizes at which an engine wins: `from about 1e4 samples on`.
fn spans(engine: &PerEpoch) -> String {
    let largest = number::count(engine.largest);
    if engine.wins.is_empty() {
        return format!("at no size up to {largest}");
    }
    let spans: Vec<String> = engine
        .wins
        .iter()
        .map(|span| match (span.from.map(about), span.to.map(about)) {
            (None, None) => {
                let smallest = number::count(engine.smallest);
                format!("at every size from {smallest} to {largest}")
            }
            (Some(from), None) => format!("from about {from} samples on"),
            (None, Some(to)) => format!("up to about {to} samples"),
            (Some(from), Some(to)) => format!("from about {from} to about {to} samples"),
        })
        .collect();
    spans.join(" and ")
}

/// Returns a number of samples to two digits.
fn about(samples: f64) -> String {
    let rounded = format!("{samples:.1e}").parse().unwrap_or(samples);
    number::count(rounded as u64)
}

/// Returns a warning that names the engines whose times spread widely.
pub fn wide(rows: &[BenchRow]) -> Option<String> {
    let wide: Vec<String> = rows
        .iter()
        .filter(|row| row.epoch_seconds.is_some_and(|times| times.spread() > WIDE))
        .map(|row| format!("{} at {}", row.label(), number::count(row.samples)))
        .collect();
    (!wide.is_empty()).then(|| {
        format!(
            "the quartiles are more than {} % of the median apart: {}; end other programs, or take a longer \
             --min-time",
            100.0 * WIDE,
            wide.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use fall_line::bench::Contestant;
    use fall_line::bench::compare::Span;

    use super::*;

    #[test]
    fn a_speed_up_and_its_spread_have_the_same_decimals() {
        let one = Speedup {
            samples: 1000,
            faster: "gpu 0".to_owned(),
            slower: "cpu".to_owned(),
            ratio: 12.5,
            plus_minus: 0.625,
        };
        assert_eq!(
            speedups(&[one]),
            ["1e3: gpu 0 ran 12.5 ± 0.6 times faster than cpu"]
        );
    }

    #[test]
    fn spans_of_wins_read_as_text() {
        let span = |from, to| Span { from, to };
        for (wins, text) in [
            (vec![], "at no size up to 1e7"),
            (vec![span(None, None)], "at every size from 1e3 to 1e7"),
            (vec![span(Some(1e4), None)], "from about 1e4 samples on"),
            (
                vec![span(None, Some(12_345.0))],
                "up to about 1.2e4 samples",
            ),
            (
                vec![span(Some(150.2), Some(1e6))],
                "from about 150 to about 1e6 samples",
            ),
            (
                vec![span(None, Some(1e4)), span(Some(1e6), None)],
                "up to about 1e4 samples and from about 1e6 samples on",
            ),
        ] {
            let engine = PerEpoch {
                engine: Contestant::Gpu,
                adapter: Some(0),
                smallest: 1000,
                largest: 10_000_000,
                wins,
            };
            assert_eq!(spans(&engine), text);
        }
    }
}
