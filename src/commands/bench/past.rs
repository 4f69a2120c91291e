//! The comparison with an earlier bench.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fall_line::bench::Figure;
use fall_line::bench::change::{Change, PastRow, changes};
use fall_line::error::{Error, counted};
use fall_line::saved;
use serde::Deserialize;

use super::export::{Document, SCHEMA};
use super::report::Detail;
use super::settings::Settings;
use crate::output::{self, lines, number};

/// An earlier JSON export, as far as a comparison needs it.
#[derive(Deserialize)]
pub struct Past {
    #[serde(skip)]
    path: PathBuf,
    version: String,
    date: String,
    machine: Machine,
    adapters: Vec<Adapter>,
    settings: Work,
    rows: Vec<PastRow>,
}

#[derive(Deserialize)]
struct Machine {
    cpu: String,
}

#[derive(Deserialize)]
struct Adapter {
    index: usize,
    name: String,
    backend: String,
}

/// The work of an epoch, and how it was timed.
#[derive(Deserialize)]
struct Work {
    runs: usize,
    min_time_seconds: f64,
    loss: String,
    loss_parameter: Option<f64>,
    generator: String,
    seed: u64,
}

/// Reads an earlier export of the same work.
pub fn read(path: &Path, settings: &Settings) -> Result<Past, Error> {
    let wrong = |why: String| Error::Data(format!("{} {why}", path.display()));
    let mut past: Past = saved::read(path, SCHEMA, "is not the JSON of a bench")?
        .map_err(|error| wrong(format!("is damaged: {error}")))?;
    let Work {
        loss, generator, ..
    } = &past.settings;
    let differs = [
        ("loss", *loss != settings.loss),
        (
            "δ or τ",
            past.settings.loss_parameter != settings.loss_parameter,
        ),
        ("generator", *generator != settings.generator),
        ("seed", past.settings.seed != settings.seed),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(wrong(format!(
            "is of another {what}; compare runs of the same work"
        )));
    }
    let times = past.rows.iter().filter_map(|row| row.epoch_seconds);
    let is_time = |time: f64| time > 0.0 && time < 1e9;
    for Figure { median, low, high } in times.map(|times| times.rounds) {
        let is_ordered = low <= median && median <= high;
        if !(is_ordered && is_time(low) && is_time(high)) {
            return Err(wrong(format!("is damaged: no epoch takes {median:?} s")));
        }
    }
    path.clone_into(&mut past.path);
    Ok(past)
}

impl Past {
    /// Prints what changed.
    ///
    /// # Errors
    /// [`Error::Slower`] names what got slower, and [`Error::Data`] says that there is nothing to compare.
    pub fn compare(&self, document: &Document, detail: Detail) -> Result<(), Error> {
        let name = self.path.display();
        if self.machine.cpu != document.machine.cpu {
            output::warning(format!(
                "{name} is of another machine: {}",
                self.machine.cpu
            ));
        }
        let Work {
            runs,
            min_time_seconds,
            ..
        } = self.settings;
        let now = &document.settings;
        if (runs, min_time_seconds) != (now.runs, now.min_time_seconds) {
            output::warning(format!(
                "{name} has {runs} rounds and {min_time_seconds} s an engine: the ± of the two runs don't compare"
            ));
        }
        let before = places(
            self.adapters
                .iter()
                .map(|a| (a.index, &*a.name, &*a.backend)),
        );
        let now = places(
            document
                .adapters
                .iter()
                .map(|a| (a.index, &*a.name, &*a.backend)),
        );
        let is_same = |before_index, now_index| {
            let place = before.get(&before_index);
            place.is_some() && place == now.get(&now_index)
        };
        let all_same = before.values().eq(now.values());
        let changes = changes(&self.rows, &document.rows, is_same, all_same);
        if changes.is_empty() {
            return Err(Error::Data(format!(
                "{name} has no time of the same engine and size; run the same --samples and --engines"
            )));
        }
        if detail != Detail::None {
            lines(self.text(&changes))?;
        }
        let timed = self.rows.iter().filter(|row| row.epoch_seconds.is_some());
        let missing = timed.count().saturating_sub(changes.len());
        if missing > 0 {
            output::warning(format!(
                "{name} has {} that this run has not",
                counted(missing as u64, "time")
            ));
        }
        let doubts: Vec<&Change> = changes.iter().filter(|one| one.doubt.is_some()).collect();
        if let Some(&Change {
            doubt: Some(why), ..
        }) = doubts.first().copied()
        {
            if doubts.len() == changes.len() {
                return Err(Error::Data(format!(
                    "nothing was compared: {why}; end other programs and run it again"
                )));
            }
            output::warning(format!(
                "{} not compared: {why}",
                counted(doubts.len() as u64, "time")
            ));
        }
        let slower = changes.iter().filter(|change| change.is_slower());
        let slower: Vec<String> = slower.map(text).collect();
        if slower.is_empty() {
            return Ok(());
        }
        let slower = slower.join(", ");
        Err(Error::Slower(format!("slower than in {name}: {slower}")))
    }

    /// Returns what changed, a line each.
    fn text(&self, changes: &[Change]) -> Vec<String> {
        let name = self.path.display();
        let mut lines = vec![
            String::new(),
            format!("Against {name} ({}, fall-line {})", self.date, self.version),
        ];
        for (what, is) in [
            ("slower", Change::is_slower as fn(&Change) -> bool),
            ("faster", Change::is_faster),
        ] {
            let of_kind = changes.iter().filter(|change| is(change));
            lines.extend(of_kind.map(|change| format!("  {what}: {}", text(change))));
        }
        let doubtful = changes.iter().filter_map(|change| {
            let why = change.doubt?;
            Some(format!("  not compared, {why}: {}", text(change)))
        });
        lines.extend(doubtful);
        let same = changes
            .iter()
            .filter(|one| one.doubt.is_none() && !one.is_slower() && !one.is_faster());
        let compared = changes.iter().filter(|one| one.doubt.is_none()).count();
        if compared > 0 {
            lines.push(format!(
                "  {} of {} the same within both spreads",
                same.count(),
                counted(compared as u64, "time")
            ));
        }
        lines
    }
}

/// Returns the name, API and place among adapters of the same name and API of each adapter, by its index.
fn places<'a>(
    adapters: impl Iterator<Item = (usize, &'a str, &'a str)>,
) -> BTreeMap<usize, (&'a str, &'a str, usize)> {
    let mut seen = BTreeMap::new();
    let place = |(index, (name, backend))| {
        let equal: &mut usize = seen.entry((name, backend)).or_default();
        *equal += 1;
        (index, (name, backend, *equal))
    };
    // In the order of the indices, whatever that of the flags.
    let adapters: BTreeMap<_, _> = adapters.map(|(at, name, api)| (at, (name, api))).collect();
    adapters.into_iter().map(place).collect()
}

/// Returns `gpu 0 at 1e3: 1.30µs ± 2 %, was 1.18µs ± 1 %`.
fn text(change: &Change) -> String {
    format!(
        "{} at {}: {}, was {}",
        change.label,
        number::count(change.samples),
        number::ranged(change.now),
        number::ranged(change.before)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_adapters_are_told_apart_by_their_order() {
        let before = places([(0, "A", "vulkan"), (1, "B", "gl"), (2, "A", "vulkan")].into_iter());
        let now = places([(3, "A", "vulkan"), (1, "A", "vulkan"), (4, "A", "gl")].into_iter());
        let same = |index| now.iter().find(|(_, place)| **place == before[&index]);
        let same = [0, 1, 2].map(|index| same(index).map(|(index, _)| *index));
        assert_eq!(same, [Some(1), None, Some(3)]);
    }
}
