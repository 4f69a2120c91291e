//! Who is faster, by how much, and from where on.

use std::fmt;

use serde::Serialize;

use super::{Kind, Row, label};

/// How two engines compare at one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speedup {
    /// How many samples.
    pub samples: u64,
    /// The label of the engine that is the fastest at this size.
    pub faster: String,
    /// The label of another.
    pub slower: String,
    /// The other's median time over the fastest one's.
    pub ratio: f64,
    /// Half the distance of the quartiles of each, as a share of its median; the root of the sum of
    /// their squares, times the ratio.
    pub plus_minus: f64,
}

impl fmt::Display for Speedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ran {} ± {} times faster than {}",
            self.faster,
            digits(self.ratio),
            digits_like(self.ratio, self.plus_minus),
            self.slower
        )
    }
}

/// The fastest of one size's engines against each other one that has a time, the closest first.
pub fn speedups(rows: &[Row]) -> Vec<Speedup> {
    let mut timed: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row, row.epoch_seconds?)))
        .collect();
    timed.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let Some(((fastest, best), others)) = timed.split_first() else {
        return Vec::new();
    };
    others
        .iter()
        .map(|(row, times)| {
            let ratio = times.median / best.median;
            Speedup {
                samples: row.samples,
                faster: fastest.label(),
                slower: row.label(),
                ratio,
                plus_minus: ratio * (0.5 * times.spread()).hypot(0.5 * best.spread()),
            }
        })
        .collect()
}

/// Where a GPU engine begins to win against the fastest CPU engine of each size.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BreakEven {
    /// By the time of an epoch, one entry a GPU engine.
    pub per_epoch: Vec<PerEpoch>,
    /// By the time from samples in memory to an answer, one entry a GPU engine and size.
    pub to_answer: Vec<ToAnswer>,
}

/// At how many samples an epoch of a GPU engine is faster than one of the fastest CPU engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerEpoch {
    /// Who.
    pub engine: Kind,
    /// On which adapter.
    pub adapter: Option<usize>,
    /// The smallest size that was measured.
    pub smallest: u64,
    /// The largest.
    pub largest: u64,
    /// Where it wins; nowhere if empty.
    pub wins: Vec<Span>,
}

/// A span of sample counts. An end lies between two sizes that were measured, where the lines through
/// their times cross on log–log paper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    /// None where it wins from the smallest size on.
    pub from: Option<f64>,
    /// None where it wins up to the largest size.
    pub to: Option<f64>,
}

/// From how many epochs on a GPU engine is done first, its device start, compile and load included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToAnswer {
    /// How many samples.
    pub samples: u64,
    /// Who.
    pub engine: Kind,
    /// On which adapter.
    pub adapter: Option<usize>,
    /// The label of the fastest CPU engine.
    pub against: String,
    /// None where an epoch is not faster: never.
    pub epochs: Option<u64>,
}

/// Of all rows of a run, sizes ascending.
pub fn break_even(rows: &[Row]) -> BreakEven {
    let mut found = BreakEven::default();
    let mut engines: Vec<(Kind, Option<usize>)> = Vec::new();
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
            let (Some(gpu), Some((against, cpu))) = (row.seconds(), fastest_cpu(rows, row.samples))
            else {
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
                    .and_then(|setup| epochs_until_done_first(setup, gpu, cpu)),
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

fn fastest_cpu(rows: &[Row], samples: u64) -> Option<(String, f64)> {
    rows.iter()
        .filter(|row| row.samples == samples && !row.engine.on_adapter())
        .filter_map(|row| Some((row.label(), row.seconds()?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The least n with setup + n · gpu < n · cpu.
fn epochs_until_done_first(setup: f64, gpu: f64, cpu: f64) -> Option<u64> {
    (gpu < cpu).then(|| (setup / (cpu - gpu)).floor() as u64 + 1)
}

/// Where the second of (samples, time, rival's time) is below the third, samples ascending.
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

/// The sample count at which both times are the same, on straight lines between two points in logarithms.
fn crossing(left: (u64, f64, f64), right: (u64, f64, f64)) -> f64 {
    let (from, to) = ((left.0 as f64).ln(), (right.0 as f64).ln());
    let (behind, ahead) = ((left.1 / left.2).ln(), (right.1 / right.2).ln());
    (from + (to - from) * behind / (behind - ahead)).exp()
}

impl fmt::Display for PerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = label(self.engine, self.adapter);
        if self.wins.is_empty() {
            let largest = count(self.largest);
            return write!(f, "{label} wins per epoch at no size up to {largest}");
        }
        let spans: Vec<String> = self
            .wins
            .iter()
            .map(|span| match (span.from, span.to) {
                (None, None) => format!(
                    "at every size from {} to {}",
                    count(self.smallest),
                    count(self.largest)
                ),
                (Some(from), None) => format!("from about {} samples on", about(from)),
                (None, Some(to)) => format!("up to about {} samples", about(to)),
                (Some(from), Some(to)) => {
                    format!("from about {} to about {} samples", about(from), about(to))
                }
            })
            .collect();
        write!(f, "{label} wins per epoch {}", spans.join(" and "))
    }
}

/// `1e8`, `2.5e5`; all digits where there are many.
pub fn count(samples: u64) -> String {
    let short = format!("{samples:e}");
    if samples >= 1000 && short.len() <= 6 {
        short
    } else {
        samples.to_string()
    }
}

/// To about three digits: `1.23`, `12.3`, `1234`.
pub fn digits(value: f64) -> String {
    digits_like(value, value)
}

/// With as many decimals as [`digits`] gives to `other`.
fn digits_like(other: f64, value: f64) -> String {
    let decimals = match other {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn about(samples: f64) -> String {
    format!("{samples:.1e}").replace(".0e", "e")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Times;

    fn row(samples: u64, engine: Kind, median: f64, half_spread: f64, setup: f64) -> Row {
        let mut row = Row::new(samples, engine, 0.0);
        row.adapter = engine.on_adapter().then_some(0);
        row.phases.setup = Some(setup);
        row.epoch_seconds = Some(Times {
            median,
            q1: median - half_spread,
            q3: median + half_spread,
            min: median,
            epochs: 5,
        });
        row
    }

    #[test]
    fn the_fastest_is_compared_with_each_other_one() {
        let mut rows = vec![
            row(1000, Kind::Cpu1, 40.0, 0.4, 0.0),
            row(1000, Kind::Gpu, 2.0, 0.08, 0.0),
            row(1000, Kind::Cpu, 25.0, 0.75, 0.0),
        ];
        let found = speedups(&rows);
        let texts: Vec<String> = found.iter().map(Speedup::to_string).collect();
        // 12.5 · √(0.04² + 0.03²), and 20 · √(0.04² + 0.01²).
        assert_eq!(
            texts,
            [
                "gpu 0 ran 12.5 ± 0.6 times faster than cpu",
                "gpu 0 ran 20.0 ± 0.8 times faster than cpu-1",
            ]
        );
        // Who has no time is in no sentence.
        rows[1].epoch_seconds = None;
        assert_eq!(speedups(&rows).len(), 1);
        assert_eq!(speedups(&rows)[0].faster, "cpu");
        assert_eq!(speedups(&rows[..1]), []);
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
    fn where_it_wins_is_said() {
        let rows = |gpu: &[f64]| -> Vec<Row> {
            let sizes = [1000, 100_000, 10_000_000].into_iter();
            sizes
                .zip(gpu)
                .flat_map(|(samples, &gpu)| {
                    [
                        row(samples, Kind::Cpu1, 2.0, 0.0, 0.0),
                        row(samples, Kind::Cpu, 1.0, 0.0, 0.0),
                        row(samples, Kind::Gpu, gpu, 0.0, 3.0),
                    ]
                })
                .collect()
        };
        for (gpu, text) in [
            ([1.1, 1.5, 1.1], "at no size up to 1e7"),
            ([0.9, 0.5, 0.1], "at every size from 1e3 to 1e7"),
            ([10.0, 0.1, 0.1], "from about 1e4 samples on"),
            ([1.5, 10.0, 0.1], "from about 1e6 samples on"),
            ([0.1, 10.0, 10.0], "up to about 1e4 samples"),
            ([10.0, 0.1, 10.0], "from about 1e4 to about 1e6 samples"),
            (
                [0.1, 10.0, 0.1],
                "up to about 1e4 samples and from about 1e6 samples on",
            ),
        ] {
            let found = break_even(&rows(&gpu));
            assert_eq!(
                found.per_epoch[0].to_string(),
                format!("gpu 0 wins per epoch {text}")
            );
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
            row(1000, Kind::Cpu, 1.0, 0.0, 0.0),
            row(1000, Kind::Gpu, 2.0, 0.0, 0.0),
            row(100_000, Kind::Cpu, 1.0, 0.0, 0.0),
            row(100_000, Kind::Gpu, 0.5, 0.0, 0.0),
        ];
        rows[3].epoch_seconds = None;
        let found = break_even(&rows);
        assert_eq!(found.per_epoch[0].largest, 1000);
        assert_eq!(found.per_epoch[0].wins, []);
        assert_eq!(found.to_answer.len(), 1);
        assert!(break_even(&rows[..1]).per_epoch.is_empty());
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0456, "0.05"),
            (1.234, "1.23"),
            (56.78, "56.8"),
            (752.8, "753"),
        ] {
            assert_eq!(digits(value), text);
        }
    }

    #[test]
    fn counts_are_short() {
        for (samples, text) in [
            (100, "100"),
            (1000, "1e3"),
            (250_000, "2.5e5"),
            (100_000_000, "1e8"),
            (123_456, "123456"),
        ] {
            assert_eq!(count(samples), text);
        }
    }
}
