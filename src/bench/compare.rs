//! Speed-ups, and the sizes from which an engine is faster.

use serde::Serialize;

use super::machine::is_busy;
use super::{BenchRow, Contestant, Figure};

/// The speed of two engines at one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speedup {
    /// Number of samples.
    pub samples: u64,
    /// Label of the fastest engine at this size.
    pub faster: String,
    /// Label of another engine.
    pub slower: String,
    /// The other's time divided by the fastest one's: the median of the rounds' ratios; `None` if it is withheld.
    pub ratio: Option<f64>,
    /// Distance of the ratio to the furthest one of a round.
    pub plus_minus: Option<f64>,
    /// Reason why the ratio is withheld.
    pub withheld: Option<String>,
}

/// Compares the fastest of one size's engines with each other one that has a time, the closest first.
pub fn speedups(rows: &[BenchRow]) -> Vec<Speedup> {
    let mut timed: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row, row.seconds()?)))
        .collect();
    timed.sort_by(|a, b| a.1.total_cmp(&b.1));
    let Some(((fastest, _), others)) = timed.split_first() else {
        return Vec::new();
    };
    others
        .iter()
        .filter_map(|(row, _)| {
            // Both had their turn in a round within moments: what slowed the machine down slowed both.
            let rounds = row.rounds.iter().zip(&fastest.rounds);
            let ratio = Figure::of(rounds.map(|(a, b)| a.epochs.median / b.epochs.median))?;
            let impossible = row.impossible.is_some() || fastest.impossible.is_some();
            let withheld = withheld(row.others, ratio)
                .or_else(|| impossible.then(|| "one of its times can't be true".to_owned()));
            let known = withheld.is_none();
            Some(Speedup {
                samples: row.samples,
                faster: fastest.label(),
                slower: row.label(),
                ratio: known.then_some(ratio.median),
                plus_minus: known.then(|| ratio.plus_minus()),
                withheld,
            })
        })
        .collect()
}

/// Returns why a ratio can't be trusted.
pub(super) fn withheld(others: Option<f64>, ratio: Figure) -> Option<String> {
    if let Some(others) = others.filter(|_| is_busy(others)) {
        return Some(format!(
            "other programs took {:.0} % of the cores",
            100.0 * others
        ));
    }
    ratio.is_vague().then(|| {
        format!(
            "from {:.1} to {:.1} within the rounds",
            ratio.low, ratio.high
        )
    })
}

/// The break-even points of GPU engines with the fastest CPU engine of each size.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BreakEven {
    /// Break-even by the time of an epoch, one entry a GPU engine.
    pub per_epoch: Vec<PerEpoch>,
    /// Break-even by the time from samples in memory to an answer, one entry a GPU engine and size.
    pub to_answer: Vec<ToAnswer>,
}

/// The sizes at which an epoch of a GPU engine is faster than one of the fastest CPU engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerEpoch {
    /// The GPU engine.
    pub engine: Contestant,
    /// Index of its adapter.
    pub adapter: Option<usize>,
    /// Smallest size that was measured.
    pub smallest: u64,
    /// Largest size that was measured.
    pub largest: u64,
    /// Spans of sizes in which it wins; empty if it wins nowhere.
    pub wins: Vec<Span>,
}

/// A span of numbers of samples. Each end lies between two measured sizes, where the lines through their times cross on
/// log–log axes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Lower end; `None` if it wins from the smallest size on.
    pub from: Option<f64>,
    /// Upper end; `None` if it wins up to the largest size.
    pub to: Option<f64>,
}

/// The number of epochs from which a GPU engine is done first, including its device start, compile and load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToAnswer {
    /// Number of samples.
    pub samples: u64,
    /// The GPU engine.
    pub engine: Contestant,
    /// Index of its adapter.
    pub adapter: Option<usize>,
    /// Label of the fastest CPU engine.
    pub against: String,
    /// Number of epochs; `None` if it never is, because its epoch is not faster.
    pub epochs: Option<u64>,
}

/// Finds the break-even points in all rows of a run, with sizes ascending. Rows that are not sound are left out.
pub fn break_even(rows: &[BenchRow]) -> BreakEven {
    let mut found = BreakEven::default();
    let mut engines: Vec<(Contestant, Option<usize>)> = Vec::new();
    for row in rows.iter().filter(|row| row.engine.on_adapter()) {
        if !engines.contains(&(row.engine, row.adapter)) {
            engines.push((row.engine, row.adapter));
        }
    }
    for (engine, adapter) in engines {
        let mut points = Vec::new();
        for row in rows
            .iter()
            .filter(|row| (row.engine, row.adapter) == (engine, adapter))
        {
            // A ratio of figures that can't be trusted is no ratio either.
            let gpu = row.seconds().filter(|_| row.is_sound());
            let (Some(gpu), Some((against, cpu))) = (gpu, fastest_cpu(rows, row.samples)) else {
                continue;
            };
            points.push((row.samples, gpu, cpu));
            found.to_answer.push(ToAnswer {
                samples: row.samples,
                engine,
                adapter,
                against,
                epochs: row
                    .phases
                    .setup
                    .and_then(|setup| epochs_until_done_first(setup.median, gpu, cpu)),
            });
        }
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            found.per_epoch.push(PerEpoch {
                engine,
                adapter,
                smallest: first.0,
                largest: last.0,
                wins: wins(&points),
            });
        }
    }
    found
}

/// Returns the label and the time of the fastest CPU engine at one size.
fn fastest_cpu(rows: &[BenchRow], samples: u64) -> Option<(String, f64)> {
    rows.iter()
        .filter(|row| row.samples == samples && !row.engine.on_adapter() && row.is_sound())
        .filter_map(|row| Some((row.label(), row.seconds()?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Returns the least n with setup + n · gpu < n · cpu.
fn epochs_until_done_first(setup: f64, gpu: f64, cpu: f64) -> Option<u64> {
    (gpu < cpu).then(|| (setup / (cpu - gpu)).floor() as u64 + 1)
}

/// Returns the spans in which the second of (samples, time, rival's time) is below the third, with samples ascending.
fn wins(points: &[(u64, f64, f64)]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut before: Option<&(u64, f64, f64)> = None;
    for point in points {
        let is_ahead = point.1 < point.2;
        let was_ahead = before.is_some_and(|before| before.1 < before.2);
        let crossed = before.map(|before| crossing(*before, *point));
        match (was_ahead, is_ahead) {
            (false, true) => spans.push(Span {
                from: crossed,
                to: None,
            }),
            (true, false) => {
                if let Some(span) = spans.last_mut() {
                    span.to = crossed;
                }
            }
            _ => {}
        }
        before = Some(point);
    }
    spans
}

/// Returns the number of samples at which both times are equal, on straight lines between two points in logarithms.
fn crossing(left: (u64, f64, f64), right: (u64, f64, f64)) -> f64 {
    let (from, to) = ((left.0 as f64).ln(), (right.0 as f64).ln());
    let (behind, ahead) = ((left.1 / left.2).ln(), (right.1 / right.2).ln());
    (from + (to - from) * behind / (behind - ahead)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::{Round, Setup};

    /// Returns a row whose rounds have these medians.
    fn timed(samples: u64, engine: Contestant, medians: &[f64], setup: f64) -> BenchRow {
        let mut row = BenchRow::new(samples, engine);
        row.adapter = engine.on_adapter().then_some(0);
        row.rounds = medians
            .iter()
            .map(|&median| {
                let mut round = Round::default();
                round.epochs.median = median;
                (round.epochs.q1, round.epochs.q3) = (median, median);
                round.setup = Some(Setup {
                    load: setup,
                    ..Setup::default()
                });
                round
            })
            .collect();
        row.conclude(50);
        row
    }

    fn row(samples: u64, engine: Contestant, median: f64, setup: f64) -> BenchRow {
        timed(samples, engine, &[median], setup)
    }

    #[test]
    fn the_fastest_is_compared_with_each_other_one_round_by_round() {
        let mut rows = vec![
            timed(1000, Contestant::Cpu1, &[40.0, 80.0, 42.0], 0.0),
            timed(1000, Contestant::Gpu, &[2.0, 4.0, 2.0], 0.0),
            timed(1000, Contestant::Cpu, &[25.0, 48.0, 30.0], 0.0),
        ];
        // 12.5, 12 and 15; 20, 20 and 21. All were slower by half in the second round, which says nothing.
        let expected = [("cpu", 12.5, 2.5), ("cpu-1", 20.0, 1.0)];
        let found = speedups(&rows);
        assert_eq!(found.len(), 2);
        for (found, (slower, ratio, plus_minus)) in found.iter().zip(expected) {
            assert_eq!((&*found.faster, &*found.slower), ("gpu 0", slower));
            assert_eq!(
                (found.ratio, found.plus_minus),
                (Some(ratio), Some(plus_minus))
            );
            assert_eq!(found.withheld, None);
        }
        // An engine without a time is left out.
        rows[1].rounds.clear();
        rows[1].conclude(50);
        assert_eq!(speedups(&rows).len(), 1);
        assert_eq!(speedups(&rows)[0].faster, "cpu");
        assert_eq!(speedups(&rows[..1]), []);
    }

    #[test]
    fn a_ratio_of_a_busy_machine_or_of_rounds_far_apart_is_withheld() {
        let mut rows = [
            timed(1000, Contestant::Cpu, &[1.0, 1.0, 1.0], 0.0),
            timed(1000, Contestant::Gpu, &[16.0, 89.0, 17.0], 0.0),
        ];
        let reason = |rows: &[BenchRow]| {
            let found = speedups(rows).remove(0);
            assert_eq!(found.ratio.is_none(), found.withheld.is_some());
            found.withheld
        };
        let apart = "from 16.0 to 89.0 within the rounds";
        assert_eq!(reason(&rows).as_deref(), Some(apart));
        rows[1] = timed(1000, Contestant::Gpu, &[16.0, 18.0, 17.0], 0.0);
        assert_eq!(reason(&rows), None);
        for (others, withheld) in [(Some(0.19), false), (Some(0.65), true), (None, false)] {
            rows.iter_mut().for_each(|row| row.others = others);
            assert_eq!(reason(&rows).is_some(), withheld, "{others:?}");
        }
        rows.iter_mut().for_each(|row| row.others = Some(0.65));
        let busy = "other programs took 65 % of the cores";
        assert_eq!(reason(&rows).as_deref(), Some(busy));
    }

    #[test]
    fn lines_cross_between_the_sizes() {
        // In logarithms: 10 times slower at 1e3, 10 times faster at 1e5: level at 1e4.
        let cross = crossing((1000, 10.0, 1.0), (100_000, 20.0, 200.0));
        assert!((cross - 1e4).abs() < 1e-6, "{cross}");
        // 100 times slower at 1e3, 10 times faster at 1e6: at two thirds of the way.
        let cross = crossing((1000, 100.0, 1.0), (1_000_000, 1.0, 10.0));
        assert!((cross - 1e5).abs() < 1e-5, "{cross}");
    }

    #[test]
    fn spans_of_wins_are_found() {
        let rows = |gpu: &[f64]| -> Vec<BenchRow> {
            let sizes = [1000, 100_000, 10_000_000].into_iter();
            sizes
                .zip(gpu)
                .flat_map(|(samples, &gpu)| {
                    [
                        row(samples, Contestant::Cpu1, 2.0, 0.0),
                        row(samples, Contestant::Cpu, 1.0, 0.0),
                        row(samples, Contestant::Gpu, gpu, 3.0),
                    ]
                })
                .collect()
        };
        for (gpu, wins) in [
            ([1.1, 1.5, 1.1], vec![]),
            ([0.9, 0.5, 0.1], vec![(None, None)]),
            ([10.0, 0.1, 0.1], vec![(Some(1e4), None)]),
            ([1.5, 10.0, 0.1], vec![(Some(1e6), None)]),
            ([0.1, 10.0, 10.0], vec![(None, Some(1e4))]),
            ([10.0, 0.1, 10.0], vec![(Some(1e4), Some(1e6))]),
            ([0.1, 10.0, 0.1], vec![(None, Some(1e4)), (Some(1e6), None)]),
        ] {
            let found = &break_even(&rows(&gpu)).per_epoch[0];
            assert_eq!((found.smallest, found.largest), (1000, 10_000_000));
            let round = |end: Option<f64>| end.map(f64::round);
            let found: Vec<_> = found
                .wins
                .iter()
                .map(|w| (round(w.from), round(w.to)))
                .collect();
            assert_eq!(found, wins);
        }
        let found = break_even(&rows(&[1.0, 0.5, 0.9]));
        let epochs: Vec<_> = found.to_answer.iter().map(|size| size.epochs).collect();
        // 3 + n/2 < n from 7 on; 3 + 0.9n < n from 31 on, in binary a little less than 3 / 0.1.
        assert_eq!(epochs, [None, Some(7), Some(31)]);
        assert!(found.to_answer.iter().all(|size| size.against == "cpu"));
    }

    #[test]
    fn a_size_without_a_time_is_left_out() {
        let mut rows = vec![
            row(1000, Contestant::Cpu, 1.0, 0.0),
            row(1000, Contestant::Gpu, 2.0, 0.0),
            row(100_000, Contestant::Cpu, 1.0, 0.0),
            row(100_000, Contestant::Gpu, 0.5, 0.0),
        ];
        rows[3].rounds.clear();
        rows[3].conclude(50);
        let found = break_even(&rows);
        assert_eq!(found.per_epoch[0].largest, 1000);
        assert_eq!(found.per_epoch[0].wins, []);
        assert_eq!(found.to_answer.len(), 1);
        assert!(break_even(&rows[..1]).per_epoch.is_empty());
    }
}
