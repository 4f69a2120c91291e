//! The comparison with an earlier bench.

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

/// The work of an epoch.
#[derive(Deserialize)]
struct Work {
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
        let is_same = |before, now| {
            let before = self.adapters.iter().find(|adapter| adapter.index == before);
            let now = document
                .adapters
                .iter()
                .find(|adapter| adapter.index == now);
            before.zip(now).is_some_and(|(before, now)| {
                (&*before.name, &*before.backend) == (&*now.name, &*now.backend)
            })
        };
        let changes = changes(&self.rows, &document.rows, is_same);
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
        let busy = changes.iter().filter(|change| change.is_busy).count();
        if busy == changes.len() {
            return Err(Error::Data(
                "nothing was compared: other programs kept the cores busy; end them and run it again".to_owned(),
            ));
        }
        if busy > 0 {
            output::warning(format!(
                "{} not compared: other programs kept the cores busy",
                counted(busy as u64, "time")
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
            (
                "not compared, other programs kept the cores busy",
                |change| change.is_busy,
            ),
        ] {
            let of_kind = changes.iter().filter(|change| is(change));
            lines.extend(of_kind.map(|change| format!("  {what}: {}", text(change))));
        }
        let same = changes
            .iter()
            .filter(|change| !change.is_busy && !change.is_slower() && !change.is_faster());
        lines.push(format!(
            "  {} of {} the same within both spreads",
            same.count(),
            counted(changes.len() as u64, "time")
        ));
        lines
    }
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
