//! Repeated timing of epochs, and statistics of the times.

use std::time::{Duration, Instant};

use serde::Serialize;
use statrs::statistics::{Data, Min, OrderStatistics};

use super::{Begin, MODEL};
use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::model::Sums;

/// Minimum time between two readings of the clock. A reading takes 30 ns, so 100 µs keep it below a thousandth.
const BATCH: Duration = Duration::from_micros(100);
/// Minimum number of batches, however long an epoch takes: quartiles of fewer say nothing.
const LEAST: usize = 5;
/// Share of `min_time` that is spent to warm up caches, clock speed and driver.
const WARM_UP: f64 = 0.1;

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

/// The times of an epoch, in seconds. A short epoch is timed as the mean of a batch of 100 µs, and its quartiles are
/// those of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EpochTimes {
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
}

impl EpochTimes {
    fn new(seconds: Vec<f64>, epochs: u64) -> Self {
        let mut seconds = Data::new(seconds);
        EpochTimes {
            median: seconds.median(),
            q1: seconds.lower_quartile(),
            q3: seconds.upper_quartile(),
            min: seconds.min(),
            epochs,
        }
    }

    /// Returns the distance of the quartiles as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.q3 - self.q1) / self.median
    }
}

/// The times of one engine and of its roof.
pub struct Clocked {
    pub epoch: EpochTimes,
    /// Median time to move the bytes of one epoch, in seconds.
    pub roof: Option<f64>,
    /// Median over all turns of the roof's time divided by that of the epoch right before it, because the bandwidth of
    /// a shared machine drifts.
    pub share: Option<f64>,
}

/// Warms up, then times epochs for at least `min_time` and five batches, in turns with the roof.
pub fn clock(
    timed: &mut dyn Timed,
    min_time: Duration,
    what: &str,
    begin: Begin,
) -> Result<Clocked, Error> {
    let (batch, took) = warm_up(timed, min_time.mul_f64(WARM_UP))?;
    let expected = (min_time.as_secs_f64() / took).max(LEAST as f64);
    let advance = begin(what, (batch as f64 * expected.ceil()) as u64);
    let (mut epochs, mut roofs) = (Vec::new(), Vec::new());
    let mut spent = Duration::ZERO;
    while spent < min_time || epochs.len() < LEAST {
        let start = Instant::now();
        timed.epochs(batch)?;
        let took = start.elapsed();
        spent += took;
        epochs.push(took.as_secs_f64() / batch as f64);
        let start = Instant::now();
        if timed.roof(batch) {
            roofs.push(start.elapsed().as_secs_f64() / batch as f64);
        }
        advance(batch);
    }
    let shares: Vec<f64> = roofs.iter().zip(&epochs).map(|(r, e)| r / e).collect();
    let count = batch * epochs.len() as u64;
    Ok(Clocked {
        epoch: EpochTimes::new(epochs, count),
        roof: median(roofs),
        share: median(shares),
    })
}

/// Runs for at least `time`. Returns the number of epochs in a batch, and the seconds that a batch takes, by the
/// shortest epoch: any call may be held up.
fn warm_up(timed: &mut dyn Timed, time: Duration) -> Result<(u64, f64), Error> {
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
            let batch = batch.clamp(timed.least() as f64, count as f64);
            return Ok((batch as u64, shortest * batch));
        }
    }
}

/// Returns the median of values, or `None` if there are none.
pub fn median(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values).median())
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
    fn quartiles_agree_with_the_textbook() {
        let times = EpochTimes::new((1..=101).rev().map(f64::from).collect(), 7);
        assert_eq!((times.median, times.min, times.epochs), (51.0, 1.0, 7));
        // Definitions of a quartile differ by less than a half here.
        assert!((times.q1 - 26.0).abs() < 0.5, "{times:?}");
        assert!((times.q3 - 76.0).abs() < 0.5, "{times:?}");
        assert!((times.spread() - 50.0 / 51.0).abs() < 0.02);
    }

    #[test]
    fn long_epochs_are_timed_one_by_one_and_short_ones_in_batches() {
        let begin: Begin = &|_, _| Box::new(|_| {});
        for (microseconds, min_time) in [(1000, 0), (1000, 60), (1, 5)] {
            let time = Duration::from_micros(microseconds);
            let min_time = Duration::from_millis(min_time);
            let calls = Vec::new();
            let mut spinner = Spinner { time, calls };
            let clocked = clock(&mut spinner, min_time, "", begin).unwrap();
            let EpochTimes { min, epochs, .. } = clocked.epoch;
            assert!(min >= time.as_secs_f64(), "{:?}", clocked.epoch);
            assert!((0.0..1.0).contains(&clocked.share.unwrap()));
            let &(batch, _) = spinner.calls.last().unwrap();
            assert_eq!(batch == 1, time >= BATCH);
            let timed = (epochs / batch) as usize;
            assert!(timed >= 5 && epochs == timed as u64 * batch);
            // A tenth of the time goes to warming up. A call that is held up takes longer.
            let (warm_up, timed) = spinner.calls.split_at(spinner.calls.len() - timed);
            assert!(timed.iter().all(|call| call.0 == batch));
            assert!(timed[0].1 - warm_up[0].1 >= min_time / 10);
            assert!(timed[0].1.elapsed() >= min_time);
        }
    }
}
