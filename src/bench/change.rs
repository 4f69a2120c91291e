//! Changes of the times since an earlier bench.

use serde::Deserialize;

use super::machine::is_busy;
use super::{BenchRow, Contestant, EpochTimes, Figure};
use crate::engine::Storage;

/// A row of an earlier bench, as far as a comparison needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct PastRow {
    /// Number of samples.
    pub samples: u64,
    /// The engine.
    pub engine: Contestant,
    /// Another engine that is the same, if there is one.
    #[serde(default)]
    pub also: Option<Contestant>,
    /// Index of its adapter.
    pub adapter: Option<usize>,
    /// Storage format of the samples.
    pub storage: Storage,
    /// Time of an epoch.
    pub epoch_seconds: Option<EpochTimes>,
    /// The figure that can't be true.
    pub impossible: Option<String>,
    /// Share of the cores that other programs kept busy.
    pub others: Option<f64>,
}

/// Two figures of one engine at one size, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Number of samples.
    pub samples: u64,
    /// Label of the engine.
    pub label: String,
    /// The earlier time of an epoch.
    pub before: Figure,
    /// The present one.
    pub now: Figure,
    /// Reason why the two can't be compared.
    pub doubt: Option<&'static str>,
}

impl Change {
    /// Returns whether it got slower beyond both spreads, if the two can be compared.
    pub fn is_slower(&self) -> bool {
        self.doubt.is_none() && self.now.median - self.before.median > self.spreads()
    }

    /// Returns whether it got faster beyond both spreads, if the two can be compared.
    pub fn is_faster(&self) -> bool {
        self.doubt.is_none() && self.before.median - self.now.median > self.spreads()
    }

    fn spreads(&self) -> f64 {
        self.before.plus_minus() + self.now.plus_minus()
    }
}

/// Pairs the rows that have a time with the earlier ones of the same size and engine. `is_same` tells whether two adapters
/// of an earlier and a present index are one, and `all_same` whether all of them are.
pub fn changes(
    past: &[PastRow],
    rows: &[BenchRow],
    is_same: impl Fn(usize, usize) -> bool,
    all_same: bool,
) -> Vec<Change> {
    let pair = |row: &BenchRow| {
        let past = past.iter().find(|past| {
            let adapter = match (past.adapter, row.adapter) {
                (Some(before), Some(now)) => is_same(before, now),
                (None, None) if row.engine == Contestant::Gpus => all_same,
                (before, now) => before == now,
            };
            let now = [Some(row.engine), row.also];
            let engine = [Some(past.engine), past.also]
                .iter()
                .any(|engine| engine.is_some() && now.contains(engine));
            let of = (past.samples, past.storage);
            adapter && engine && of == (row.samples, row.storage)
        })?;
        let mut change = Change {
            samples: row.samples,
            label: row.label(),
            before: past.epoch_seconds?.rounds,
            now: row.epoch_seconds?.rounds,
            doubt: None,
        };
        change.doubt = if is_busy(past.others) || is_busy(row.others) {
            Some("other programs kept the cores busy")
        } else if past.impossible.is_some() || row.impossible.is_some() {
            Some("a time can't be true")
        } else if (change.before.is_vague() || change.now.is_vague())
            && !(change.is_slower() || change.is_faster())
        {
            Some("± is more than half of a time")
        } else {
            None
        };
        Some(change)
    };
    rows.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(median: f64, plus_minus: f64) -> Figure {
        Figure {
            median,
            low: median - plus_minus,
            high: median + plus_minus,
        }
    }

    fn row(engine: Contestant, adapter: Option<usize>, median: f64) -> BenchRow {
        let mut row = BenchRow::new(1000, engine);
        row.adapter = adapter;
        row.epoch_seconds = Some(EpochTimes {
            rounds: figure(median, 1.0),
            ..EpochTimes::default()
        });
        row
    }

    fn past(engine: Contestant, adapter: Option<usize>, median: f64) -> PastRow {
        let row = row(engine, adapter, median);
        PastRow {
            samples: row.samples,
            engine,
            also: row.also,
            adapter,
            storage: row.storage,
            epoch_seconds: row.epoch_seconds,
            impossible: None,
            others: None,
        }
    }

    #[test]
    fn slower_is_beyond_both_spreads_on_a_quiet_machine() {
        let mut before = [past(Contestant::Cpu, None, 10.0)];
        let change = |before: &[PastRow], median| {
            let rows = [row(Contestant::Cpu, None, median)];
            changes(before, &rows, |_, _| true, true).remove(0)
        };
        for (median, slower, faster) in [
            (11.9, false, false),
            (12.1, true, false),
            (8.1, false, false),
            (7.9, false, true),
        ] {
            let change = change(&before, median);
            assert_eq!((change.is_slower(), change.is_faster()), (slower, faster));
        }
        // On one thread cpu is cpu-1.
        before[0].engine = Contestant::Cpu1;
        before[0].also = Some(Contestant::Cpu);
        assert!(change(&before, 12.1).is_slower());
        // A spread that hides everything is no sameness.
        before[0].epoch_seconds = row(Contestant::Cpu, None, 1.5).epoch_seconds;
        let vague = change(&before, 2.0);
        assert_eq!(vague.doubt, Some("± is more than half of a time"));
        assert!(change(&before, 12.1).is_slower());
        before[0].impossible = Some("it is too fast".to_owned());
        let doubtful = change(&before, 12.1);
        assert!(doubtful.doubt == Some("a time can't be true") && !doubtful.is_slower());
        before[0].others = Some(0.5);
        let busy = change(&before, 100.0);
        assert_eq!(busy.doubt, Some("other programs kept the cores busy"));
        assert!(!busy.is_slower());
    }

    #[test]
    fn rows_of_another_adapter_size_or_storage_are_not_compared() {
        let before = [
            past(Contestant::Cpu, None, 1.0),
            past(Contestant::Gpu, Some(1), 2.0),
        ];
        let mut rows = [
            row(Contestant::Cpu, None, 1.0),
            row(Contestant::Gpu, Some(0), 2.0),
        ];
        let labels = |rows: &[BenchRow], is_same: fn(usize, usize) -> bool| -> Vec<String> {
            let changes = changes(&before, rows, is_same, false);
            changes.into_iter().map(|change| change.label).collect()
        };
        assert_eq!(labels(&rows, |_, _| false), ["cpu"]);
        assert_eq!(
            labels(&rows, |before, now| (before, now) == (1, 0)),
            ["cpu", "gpu 0"]
        );
        rows[0].samples = 2000;
        rows[1].storage = Storage::F16;
        assert!(labels(&rows, |_, _| true).is_empty());
        // Together they are compared if all of them are the same.
        let before = [past(Contestant::Gpus, None, 1.0)];
        let rows = [row(Contestant::Gpus, None, 1.0)];
        for all_same in [true, false] {
            let changes = changes(&before, &rows, |_, _| true, all_same);
            assert_eq!(changes.len(), usize::from(all_same));
        }
    }
}
