//! One sentence to quote.

use fall_line::bench::BenchRow;
use fall_line::bench::compare::Speedup;
use fall_line::error::counted;
use sha2::{Digest, Sha256};

use super::export::Document;
use super::sentences;
use crate::output::number;

/// Returns a sentence that stands alone: the fastest time at the largest size, on what, how it was measured, and the
/// checksum of the JSON file that holds all figures.
pub fn sentence(document: &Document, json: &str) -> String {
    let Document { head, machine, .. } = document;
    let largest = document.rows.iter().map(|row| row.samples).max();
    let of_largest = |row: &&BenchRow| Some(row.samples) == largest && row.seconds().is_some();
    let fastest = document.rows.iter().filter(of_largest);
    let fastest = fastest.min_by(|a, b| {
        a.seconds()
            .partial_cmp(&b.seconds())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let checksum: String = Sha256::digest(format!("{json}\n"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let measured = match fastest.and_then(|row| Some((row, row.epoch_seconds?))) {
        None => "timed no engine".to_owned(),
        Some((row, times)) => format!(
            "took {} for an epoch of {} over {} samples with {}{}{}",
            number::ranged(times.rounds),
            document.settings.loss_text,
            number::count(row.samples),
            named(document, &row.label()),
            if row.is_sound() {
                compared(document, row)
            } else {
                String::new()
            },
            row.impossible
                .as_ref()
                .map(|why| format!(", a figure that can't be true ({why})"))
                .or_else(|| {
                    let others = row.others.filter(|_| !row.is_sound())?;
                    let share = 100.0 * others;
                    Some(format!(
                        ", while other programs took {share:.0} % of the cores"
                    ))
                })
                .unwrap_or_default()
        ),
    };
    format!(
        "fall-line {}{} {measured}; on {} ({}, {}) on {}, in {} interleaved rounds (±: the furthest quartile of a \
         round), by `{}`, with JSON of SHA-256 {checksum}",
        head.version,
        head.commit
            .map(|commit| format!(" ({commit})"))
            .unwrap_or_default(),
        machine.cpu,
        counted(machine.cores as u64, "core"),
        machine.os,
        head.date.split('T').next().unwrap_or_default(),
        fastest.map_or(0, |row| row.rounds.len()),
        head.command
    )
}

/// Returns how much faster a row is than the closest engine of the other kind of device, or else the closest engine.
fn compared(document: &Document, row: &BenchRow) -> String {
    let is_gpu = |label: &str| label.starts_with("gpu");
    let of_size = || {
        document
            .speedups
            .iter()
            .filter(|one| one.samples == row.samples)
    };
    let other = |one: &&Speedup| is_gpu(&one.slower) != is_gpu(&one.faster);
    match of_size().find(other).or_else(|| of_size().next()) {
        None => String::new(),
        Some(one) => {
            let slower = named(document, &one.slower);
            match sentences::ratio(one) {
                Some(ratio) => format!(", {ratio} times faster than {slower}"),
                None => format!(
                    ", not compared with {slower}: {}",
                    one.withheld.as_deref().unwrap_or_default()
                ),
            }
        }
    }
}

/// Returns an engine's label with the name of its adapter.
fn named(document: &Document, label: &str) -> String {
    let adapter = document
        .adapters
        .iter()
        .find(|adapter| label.split(' ').nth(1) == Some(&adapter.index.to_string()));
    match adapter {
        Some(adapter) => format!(
            "{label} ({}, {}, {})",
            adapter.name,
            adapter.backend,
            adapter.kind.name()
        ),
        None => label.to_owned(),
    }
}
