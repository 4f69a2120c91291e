//! Repeated timing of epochs in one round, and statistics over rounds.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

use super::MODEL;
use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::model::Sums;

/// Minimum time between two readings of the clock. A reading takes 30 ns, so 100 µs keep it below a thousandth.
const BATCH: Duration = Duration::from_micros(100);
/// Share of a round's time that is spent to warm up caches, clock speed and driver.
const WARM_UP: f64 = 0.2;

/// An engine as it is timed.
pub trait Timed {
    /// Returns the sums at [`MODEL`], which are compared before anything is timed.
    fn sums(&mut self) -> Result<Sums, Error>;

    /// Runs `count` epochs, from the model to the sums on the host, one after the other.
    fn epochs(&mut self, count: u64) -> Result<(), Error>;

    /// Returns the minimum time between two readings of the clock.
    fn batch(&self) -> Duration {
        BATCH
    }

    /// Returns the minimum number of epochs between two readings of the clock.
    fn least(&self) -> u64 {
        1
    }

    /// Moves the bytes of `count` epochs and computes hardly anything. Returns false if it can't.
    fn roof(&mut self, _count: u64) -> bool {
        false
    }
}

/// An engine timed by `evaluate`, whose roof can't be measured in turns with it.
pub struct Evaluated<'a>(pub &'a mut dyn Engine);

impl Timed for Evaluated<'_> {
    fn sums(&mut self) -> Result<Sums, Error> {
        self.0.evaluate(MODEL)
    }

    fn epochs(&mut self, count: u64) -> Result<(), Error> {
        (0..count).try_for_each(|_| {
            std::hint::black_box(self.0.evaluate(std::hint::black_box(MODEL))?);
            Ok(())
        })
    }
}

/// An engine timed by `descend`.
pub struct Batched<'a> {
    pub engine: &'a mut dyn Engine,
    pub steps: Vec<Step>,
}

/// The learning rate of `gpu-batched`, small enough for every loss to go down.
pub const LEARNING_RATE: f64 = 0.05;

impl Timed for Batched<'_> {
    fn sums(&mut self) -> Result<Sums, Error> {
        self.engine.evaluate(MODEL)
    }

    fn epochs(&mut self, count: u64) -> Result<(), Error> {
        self.engine
            .descend(MODEL, LEARNING_RATE, count, &mut self.steps)
    }

    /// Returns a time of which the read-back is a small part.
    fn batch(&self) -> Duration {
        Duration::from_millis(10)
    }

    /// Returns 2, because a single epoch is left to the host loop.
    fn least(&self) -> u64 {
        2
    }
}

/// A figure whose ± is above this share of it says nothing.
const VAGUE: f64 = 0.5;

/// A figure over all rounds: the median of the rounds' values, and the range that they cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Median of the rounds' values.
    pub median: f64,
    /// Least value of a round; of epochs the least lower quartile.
    pub low: f64,
    /// Greatest value of a round; of epochs the greatest upper quartile.
    pub high: f64,
}

impl Figure {
    /// Returns the figure of these rounds' values, or `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        Self::over(values.into_iter().map(|value| [value; 3]))
    }

    /// Returns the figure of rounds with a lower end, a median and an upper end each, or `None` if there are none.
    ///
    /// A machine changes its speed within a round as it does between rounds, and a second run may be all in one of its
    /// states. So the range goes from the least lower end to the greatest upper one.
    pub fn over(rounds: impl Iterator<Item = [f64; 3]>) -> Option<Self> {
        let rounds: Vec<[f64; 3]> = rounds.collect();
        let medians: Vec<f64> = rounds.iter().map(|round| round[1]).collect();
        Some(Figure {
            low: rounds.iter().map(|round| round[0]).reduce(f64::min)?,
            high: rounds.iter().map(|round| round[2]).reduce(f64::max)?,
            median: Data::new(medians).median(),
        })
    }

    /// Returns the distance of the median to the further end of the range.
    pub fn plus_minus(&self) -> f64 {
        (self.high - self.median).max(self.median - self.low)
    }

    /// Returns that distance as a share of the median.
    pub fn spread(&self) -> f64 {
        self.plus_minus() / self.median
    }

    /// Returns whether the range is so wide that the figure says nothing.
    pub fn is_vague(&self) -> bool {
        self.spread() > VAGUE
    }
}

/// The times of an epoch over all rounds, in seconds. A short epoch is timed as the mean of a batch of 100 µs, and its
/// quartiles are those of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochTimes {
    /// The median of the rounds' medians, and the range of their quartiles.
    #[serde(flatten)]
    pub rounds: Figure,
    /// Median of the rounds' lower quartiles.
    pub q1: f64,
    /// Median of the rounds' upper quartiles.
    pub q3: f64,
    /// Shortest time.
    pub min: f64,
    /// Number of epochs that were timed.
    pub epochs: u64,
}

impl EpochTimes {
    /// Returns the times over these rounds, or `None` if there are none.
    pub fn of<'r>(rounds: impl Iterator<Item = &'r Clocked> + Clone) -> Option<Self> {
        let median = |value: fn(&Clocked) -> f64| Figure::of(rounds.clone().map(value));
        Some(EpochTimes {
            rounds: Figure::over(
                rounds
                    .clone()
                    .map(|round| [round.q1, round.median, round.q3]),
            )?,
            q1: median(|round| round.q1)?.median,
            q3: median(|round| round.q3)?.median,
            min: median(|round| round.min)?.low,
            epochs: rounds.map(|round| round.epochs).sum(),
        })
    }
}

/// The times of one engine's epochs in one round, in seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Clocked {
    /// Median.
    pub median: f64,
    /// Lower quartile.
    pub q1: f64,
    /// Upper quartile.
    pub q3: f64,
    /// Shortest time.
    pub min: f64,
    /// Number of epochs that were timed.
    pub epochs: u64,
    /// Time of an epoch in each batch; an export holds some of them, evenly chosen.
    #[serde(serialize_with = "some_of")]
    pub times: Vec<f64>,
    /// Median time to move the bytes of one epoch.
    #[serde(skip)]
    pub roof: Option<f64>,
    /// Median over all turns of the roof's time divided by that of the epoch right before it, because the bandwidth of
    /// a shared machine drifts.
    #[serde(skip)]
    pub share: Option<f64>,
}

/// Maximum number of single times of a round in an export.
const EXPORTED: usize = 20;

fn some_of<S: serde::Serializer>(times: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().step_by(times.len().div_ceil(EXPORTED).max(1)))
}

/// Warms up, then times epochs for at least `time` and `least` batches, in turns with the roof.
pub fn clock(timed: &mut dyn Timed, time: Duration, least: usize) -> Result<Clocked, Error> {
    let batch = warm_up(timed, time.mul_f64(WARM_UP))?;
    let (mut times, mut roofs) = (Vec::new(), Vec::new());
    let mut spent = Duration::ZERO;
    while spent < time || times.len() < least.max(1) {
        let start = Instant::now();
        timed.epochs(batch)?;
        let took = start.elapsed();
        spent += took;
        times.push(took.as_secs_f64() / batch as f64);
        let start = Instant::now();
        if timed.roof(batch) {
            roofs.push(start.elapsed().as_secs_f64() / batch as f64);
        }
    }
    let shares = roofs.iter().zip(&times).map(|(r, e)| r / e);
    let share = Figure::of(shares).map(|share| share.median);
    let mut sorted = Data::new(times.clone());
    Ok(Clocked {
        median: sorted.median(),
        q1: sorted.lower_quartile(),
        q3: sorted.upper_quartile(),
        min: times.iter().copied().fold(f64::INFINITY, f64::min),
        epochs: batch * times.len() as u64,
        times,
        roof: Figure::of(roofs).map(|roof| roof.median),
        share,
    })
}

/// Runs for at least `time`. Returns the number of epochs in a batch, by the shortest epoch: any call may be held up.
fn warm_up(timed: &mut dyn Timed, time: Duration) -> Result<u64, Error> {
    let begun = Instant::now();
    let mut shortest = f64::INFINITY;
    let mut count = timed.least();
    let batch_time = timed.batch();
    loop {
        let start = Instant::now();
        timed.epochs(count)?;
        let took = start.elapsed();
        shortest = shortest.min(took.as_secs_f64() / count as f64);
        timed.roof(count);
        if took < batch_time {
            count *= 2;
        } else if begun.elapsed() >= time {
            let batch = (batch_time.as_secs_f64() / shortest).ceil();
            // A batch is at most as long as the longest run, in case an epoch was too short for the clock.
            return Ok(batch.clamp(timed.least() as f64, count as f64) as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine whose every epoch spins for a time.
    struct Spinner {
        time: Duration,
        /// The epochs of each call, and its time.
        calls: Vec<(u64, Instant)>,
    }

    impl Timed for Spinner {
        fn sums(&mut self) -> Result<Sums, Error> {
            Ok(Sums::default())
        }

        fn epochs(&mut self, count: u64) -> Result<(), Error> {
            let start = Instant::now();
            while start.elapsed() < self.time * count as u32 {}
            self.calls.push((count, start));
            Ok(())
        }

        fn roof(&mut self, count: u64) -> bool {
            let start = Instant::now();
            while start.elapsed() < self.time / 20 * count as u32 {}
            true
        }
    }

    #[test]
    fn the_range_of_the_rounds_is_that_of_their_quartiles() {
        let round = |median: f64, min: f64| Clocked {
            median,
            q1: median - 1.0,
            q3: median + 2.0,
            min,
            epochs: 3,
            ..Clocked::default()
        };
        let times = EpochTimes::of([round(12.0, 7.0), round(10.0, 8.0), round(11.0, 5.0)].iter());
        let times = times.unwrap();
        assert_eq!(
            times.rounds,
            Figure {
                median: 11.0,
                low: 9.0,
                high: 14.0
            }
        );
        let rest = (times.q1, times.q3, times.min, times.epochs);
        assert_eq!(rest, (10.0, 13.0, 5.0, 9));
        assert_eq!(EpochTimes::of([].iter()), None);
        // The median is not in the middle: ± covers the further end.
        let figure = Figure::of([1.0, 2.0, 5.0]).unwrap();
        assert_eq!(figure.plus_minus(), 3.0);
    }

    #[test]
    fn an_export_holds_a_bounded_number_of_single_times() {
        for (times, exported, last) in [
            (3, 3, 2.0),
            (20, 20, 19.0),
            (21, 11, 20.0),
            (5000, 20, 4750.0),
        ] {
            let clocked = Clocked {
                times: (0..times).map(f64::from).collect(),
                ..Clocked::default()
            };
            let json = serde_json::to_value(&clocked).unwrap();
            let there = json["times"].as_array().unwrap();
            assert_eq!((there.len(), there.last()), (exported, Some(&last.into())));
        }
    }

    #[test]
    fn long_epochs_are_timed_one_by_one_and_short_ones_in_batches() {
        for (microseconds, milliseconds, least) in [(1000, 0, 5), (1000, 60, 1), (1, 5, 1)] {
            let time = Duration::from_micros(microseconds);
            let round = Duration::from_millis(milliseconds);
            let calls = Vec::new();
            let mut spinner = Spinner { time, calls };
            let clocked = clock(&mut spinner, round, least).unwrap();
            assert!(clocked.min >= time.as_secs_f64(), "{clocked:?}");
            assert!(clocked.min <= clocked.q1 && clocked.q1 <= clocked.median);
            assert!(clocked.median <= clocked.q3);
            assert!((0.0..1.0).contains(&clocked.share.unwrap()));
            let &(batch, _) = spinner.calls.last().unwrap();
            assert_eq!(batch == 1, time >= BATCH);
            let timed = clocked.times.len();
            assert!(timed >= least && clocked.epochs == timed as u64 * batch);
            // A fifth of the time goes to warming up. A call that is held up takes longer.
            let (warm_up, timed) = spinner.calls.split_at(spinner.calls.len() - timed);
            assert!(timed.iter().all(|call| call.0 == batch));
            assert!(timed[0].1 - warm_up[0].1 >= round / 5);
            assert!(timed[0].1.elapsed() >= round);
        }
    }
}
