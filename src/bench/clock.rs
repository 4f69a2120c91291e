//! How often an epoch is timed, and what is made of the times.

use std::time::{Duration, Instant};

use serde::Serialize;
use statrs::statistics::{Data, Min, OrderStatistics};

use super::{Begin, MODEL};
use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::model::Sums;

/// What is timed at once: reading the clock takes some 30 ns, so 100 µs keep it below a thousandth.
const BATCH: Duration = Duration::from_micros(100);
/// Batches at the least, however long an epoch takes: quartiles of fewer say nothing.
const LEAST: usize = 5;
/// The share of `min_time` that is spent to warm up: caches, clock speed, the driver's first calls.
const WARM_UP: f64 = 0.1;

/// Who is timed.
pub(super) trait Contestant {
    /// The sums at [`MODEL`], which are compared before anything is timed.
    fn sums(&mut self) -> Result<Sums, Error>;

    /// Runs so many epochs, from the model to the sums on the host, one after the other.
    fn epochs(&mut self, count: u64) -> Result<(), Error>;

    /// What is timed at once takes so long at the least.
    fn batch(&self) -> Duration {
        BATCH
    }

    /// So many epochs are timed at once at the least.
    fn least(&self) -> u64 {
        1
    }

    /// Moves the same bytes as so many epochs and computes hardly anything; false where it can't.
    fn roof(&mut self, _count: u64) -> bool {
        false
    }
}

/// `evaluate` of an engine whose roof can't be measured in turns with it.
pub(super) struct Evaluated<'a>(pub(super) &'a mut dyn Engine);

impl Contestant for Evaluated<'_> {
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

/// `descend` of an engine.
pub(super) struct Batched<'a> {
    pub(super) engine: &'a mut dyn Engine,
    pub(super) steps: Vec<Step>,
}

/// What `gpu-batched` walks at, slowly enough for every loss to go down.
pub(super) const LEARNING_RATE: f64 = 0.05;

impl Contestant for Batched<'_> {
    fn sums(&mut self) -> Result<Sums, Error> {
        self.engine.evaluate(MODEL)
    }

    fn epochs(&mut self, count: u64) -> Result<(), Error> {
        self.engine
            .descend(MODEL, LEARNING_RATE, count, &mut self.steps)
    }

    /// So that the read-back is a small part.
    fn batch(&self) -> Duration {
        Duration::from_millis(10)
    }

    /// One alone is left to the host loop.
    fn least(&self) -> u64 {
        2
    }
}

/// The times of an epoch, in seconds. Where an epoch is short it is the mean of a batch that takes some
/// 100 µs, and the quartiles are those of batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    /// Half of the times are below.
    pub median: f64,
    /// A quarter of the times is below.
    pub q1: f64,
    /// A quarter of the times is above.
    pub q3: f64,
    /// The shortest.
    pub min: f64,
    /// How many epochs were timed.
    pub epochs: u64,
}

impl Times {
    fn new(seconds: Vec<f64>, epochs: u64) -> Self {
        let mut seconds = Data::new(seconds);
        Times {
            median: seconds.median(),
            q1: seconds.lower_quartile(),
            q3: seconds.upper_quartile(),
            min: seconds.min(),
            epochs,
        }
    }

    /// The distance of the quartiles, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.q3 - self.q1) / self.median
    }
}

/// What the clock said of one contestant.
pub(super) struct Clocked {
    pub(super) epoch: Times,
    /// The median time in seconds of moving the bytes of one epoch.
    pub(super) roof: Option<f64>,
    /// The median over all turns of the roof's time over the epoch's right before it, because a shared
    /// machine's bandwidth drifts.
    pub(super) share: Option<f64>,
}

/// Warms up, then times epochs for `min_time` and five batches at the least, in turns with the roof.
pub(super) fn clock(
    contestant: &mut dyn Contestant,
    min_time: Duration,
    what: &str,
    begin: Begin,
) -> Result<Clocked, Error> {
    let (batch, took) = warm_up(contestant, min_time.mul_f64(WARM_UP))?;
    let expected = (min_time.as_secs_f64() / took).max(LEAST as f64);
    let advance = begin(what, (batch as f64 * expected.ceil()) as u64);
    let (mut epochs, mut roofs) = (Vec::new(), Vec::new());
    let mut spent = Duration::ZERO;
    while spent < min_time || epochs.len() < LEAST {
        let start = Instant::now();
        contestant.epochs(batch)?;
        let took = start.elapsed();
        spent += took;
        epochs.push(took.as_secs_f64() / batch as f64);
        let start = Instant::now();
        if contestant.roof(batch) {
            roofs.push(start.elapsed().as_secs_f64() / batch as f64);
        }
        advance(batch);
    }
    let shares: Vec<f64> = roofs.iter().zip(&epochs).map(|(r, e)| r / e).collect();
    let timed = batch * epochs.len() as u64;
    Ok(Clocked {
        epoch: Times::new(epochs, timed),
        roof: median(roofs),
        share: median(shares),
    })
}

/// Runs for `time` at the least, and finds out how many epochs make a batch and how many seconds it takes: by the
/// shortest epoch, as any call may be held up.
fn warm_up(contestant: &mut dyn Contestant, time: Duration) -> Result<(u64, f64), Error> {
    let begun = Instant::now();
    let mut shortest = f64::INFINITY;
    let mut count = contestant.least();
    let batch_time = contestant.batch();
    loop {
        let start = Instant::now();
        contestant.epochs(count)?;
        let took = start.elapsed();
        shortest = shortest.min(took.as_secs_f64() / count as f64);
        contestant.roof(count);
        if took < batch_time {
            count *= 2;
        } else if begun.elapsed() >= time {
            let batch = (batch_time.as_secs_f64() / shortest).ceil();
            // More than was ever run at once is too much: an epoch was too short for the clock.
            let batch = batch.clamp(contestant.least() as f64, count as f64);
            return Ok((batch as u64, shortest * batch));
        }
    }
}

pub(super) fn median(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| Data::new(values).median())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A contestant whose every epoch spins for a time.
    struct Spinner {
        time: Duration,
        /// The epochs of each call, and when it came.
        calls: Vec<(u64, Instant)>,
    }

    impl Contestant for Spinner {
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
    fn quartiles_are_those_of_the_textbook() {
        let times = Times::new((1..=101).rev().map(f64::from).collect(), 7);
        assert_eq!((times.median, times.min, times.epochs), (51.0, 1.0, 7));
        // Definitions of a quartile differ by less than a half here.
        assert!((times.q1 - 26.0).abs() < 0.5, "{times:?}");
        assert!((times.q3 - 76.0).abs() < 0.5, "{times:?}");
        assert!((times.spread() - 50.0 / 51.0).abs() < 0.02);
    }

    #[test]
    fn epochs_are_timed_one_by_one_where_they_are_long_and_in_batches_where_not() {
        let begin: Begin = &|_, _| Box::new(|_| {});
        for (microseconds, min_time) in [(1000, 0), (1000, 60), (1, 5)] {
            let time = Duration::from_micros(microseconds);
            let min_time = Duration::from_millis(min_time);
            let calls = Vec::new();
            let mut spinner = Spinner { time, calls };
            let clocked = clock(&mut spinner, min_time, "", begin).unwrap();
            let Times { min, epochs, .. } = clocked.epoch;
            assert!(min >= time.as_secs_f64(), "{:?}", clocked.epoch);
            assert!((0.0..1.0).contains(&clocked.share.unwrap()));
            let &(batch, _) = spinner.calls.last().unwrap();
            assert_eq!(batch == 1, time >= BATCH);
            let timed = (epochs / batch) as usize;
            assert!(timed >= 5 && epochs == timed as u64 * batch);
            // Before those that are timed, a tenth of the time to warm up. Who is held up takes longer.
            let (warm_up, timed) = spinner.calls.split_at(spinner.calls.len() - timed);
            assert!(timed.iter().all(|call| call.0 == batch));
            assert!(timed[0].1 - warm_up[0].1 >= min_time / 10);
            assert!(timed[0].1.elapsed() >= min_time);
        }
    }
}
