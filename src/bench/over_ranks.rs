//! Timing of epochs over 1, 2, 4 and more ranks of a job, up to all of them.
//!
//! *Strong* scaling shares the samples of a size out over the ranks, *weak* scaling gives each rank as many. In each round every
//! case has a turn, on samples drawn and loaded anew. The sums over the ranks are compared with those of one rank before anything
//! is timed.
//!
//! All ranks run the same code, and decide by what they have gathered. Ranks without samples take part in the gathers alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

pub use self::row::{Round, Row, verdict};
use super::clock::{Evaluated, clock};
use super::machine::Others;
use super::{Begin, Draw, MODEL, Tunable, adapters, agree};
use crate::data::stretch::{Stretch, divide};
use crate::data::{self, Source};
use crate::engine::cluster::{Cluster, End};
use crate::engine::cpu::CpuEngine;
use crate::engine::{Engine, Storage};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Sums;
use crate::ranks::{Ranks, gather_numbers, sum_numbers};

mod row;

/// Blocks whose sums are computed at once to compare with: 134 MB of samples.
const AT_ONCE: u64 = 256;
/// Numbers of epochs that are timed in a round: at least, and at most.
const LEAST: u64 = 3;
const MOST: u64 = 1000;
/// Numbers of gathers that are timed in a round: at least, and at most.
const GATHERS: [f64; 2] = [10.0, 1000.0];
/// Share of a round's time for the gathers alone.
const GATHER: f64 = 0.25;
/// Share of a round's time that is spent to warm up.
const WARM_UP: f64 = 0.2;

/// The work of a bench over ranks.
pub struct RanksPlan<'a> {
    /// The ranks of the job.
    pub ranks: &'a dyn Ranks,
    /// The machine of each rank.
    pub hosts: &'a [String],
    /// The adapters of this rank, which compute together; none for the CPU engine.
    pub adapters: Vec<Tunable>,
    /// Storage format of samples on adapters.
    pub storage: Storage,
    /// The loss of every epoch.
    pub loss: Loss,
    /// Numbers of samples, in the order they are run.
    pub samples: Vec<u64>,
    /// Number of rounds of each size; at least 1.
    pub runs: usize,
    /// Minimum time for which each case is timed in all rounds of a size.
    pub min_time: Duration,
}

/// The way in which samples grow with ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankScaling {
    /// One rank, without a gather.
    Alone,
    /// The samples of the size are shared out over the ranks.
    Strong,
    /// Each rank has the samples of the size.
    Weak,
}

/// Samples over some of the ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    scaling: RankScaling,
    ranks: usize,
    /// The samples of all ranks.
    samples: u64,
}

impl Case {
    /// Returns the cases of a size: one rank, then 2, 4 and so on up to all.
    fn all(samples: u64, size: usize) -> Vec<Self> {
        let mut cases = vec![Case {
            scaling: RankScaling::Alone,
            ranks: 1,
            samples,
        }];
        let doublings = (1..).map(|power| 1_usize << power);
        let counts = doublings.take_while(|&ranks| ranks < size);
        for ranks in counts.chain((size > 1).then_some(size)) {
            for (scaling, samples) in [
                (RankScaling::Strong, samples),
                (RankScaling::Weak, samples.saturating_mul(ranks as u64)),
            ] {
                cases.push(Case {
                    scaling,
                    ranks,
                    samples,
                });
            }
        }
        cases
    }
}

/// Runs the plan and hands the rows of each size to `watch` as they come, of the same cases on all ranks. Times of epochs and gathers
/// are those of this rank.
///
/// # Errors
/// Those of the engines, of the ranks, and of `draw` and `watch`. A case that disagrees is not an error here: its row says so, and
/// [`verdict`].
pub fn run(
    plan: &RanksPlan,
    draw: Draw,
    begin: Begin,
    watch: &mut dyn FnMut(Vec<Row>) -> Result<(), Error>,
) -> Result<(), Error> {
    for &samples in &plan.samples {
        watch(Race { plan, draw }.rows(samples, begin)?)?;
    }
    Ok(())
}

/// The timing of one size.
struct Race<'a> {
    plan: &'a RanksPlan<'a>,
    draw: Draw<'a>,
}

impl Race<'_> {
    fn rows(&self, samples: u64, begin: Begin) -> Result<Vec<Row>, Error> {
        let ranks = self.plan.ranks;
        let others = Others::watch();
        let cases = Case::all(samples, ranks.size());
        let mut rows = Vec::new();
        for &case in &cases {
            let mut row = Row::new(samples, case.scaling, case.ranks, case.samples);
            let known = match rows
                .iter()
                .find(|row: &&Row| row.all_samples == case.samples)
            {
                Some(other) => other.known,
                None => self.known(case.samples)?,
            };
            row.known = known;
            rows.push(row);
        }
        let advance = begin(
            &format!("timing {samples} samples over ranks"),
            (self.plan.runs * rows.len()) as u64,
        );
        for _ in 0..self.plan.runs {
            for (case, row) in cases.iter().zip(&mut rows) {
                if row.disagreement.is_none() {
                    let round = self.round(case, row)?;
                    row.rounds.extend(round);
                }
                advance(1);
            }
        }
        let others = others.share_beside(ranks, self.plan.hosts)?;
        let alone = rows.first().map_or(Vec::new(), |row| row.rounds.clone());
        rows.iter_mut().for_each(|row| row.conclude(&alone, others));
        Ok(rows)
    }

    /// Returns the sums over so many samples that the first rank computes alone, some blocks at a time.
    fn known(&self, samples: u64) -> Result<Sums, Error> {
        let ranks = self.plan.ranks;
        let mut sums = Sums::default();
        if ranks.rank() == 0 {
            let source = (self.draw)(samples)?;
            let blocks = data::blocks(&*source)?;
            for start in (0..blocks).step_by(AT_ONCE as usize) {
                let part = Stretch::new(&*source, start..(start + AT_ONCE).min(blocks));
                let mut engine = CpuEngine::untuned(&part, self.plan.loss, &|_| {})?;
                sums = sums + engine.evaluate(MODEL)?;
            }
        }
        // The others have none.
        let all = sum_numbers(ranks, &[sums.loss, sums.dw, sums.db])?;
        Ok(Sums {
            loss: all[0],
            dw: all[1],
            db: all[2],
        })
    }

    /// Times a case in a round. Returns `None` if its sums are not the known ones.
    fn round(&self, case: &Case, row: &mut Row) -> Result<Option<Round>, Error> {
        let plan = self.plan;
        let (ranks, slice) = (plan.ranks, plan.min_time / plan.runs as u32);
        self.meet()?;
        let start = Instant::now();
        let source = match ranks.rank() < case.ranks {
            true => Some((self.draw)(case.samples)?),
            false => None,
        };
        let mut part = None;
        if let Some(source) = &source {
            let parts = divide(data::blocks(&**source)?, &vec![1.0; case.ranks]);
            let own = parts.into_iter().nth(ranks.rank());
            part = own.map(|blocks| Stretch::new(&**source, blocks));
        }
        let own_samples = part.as_ref().map_or(0, Source::samples);
        let mut engine = part.as_ref().map(|part| self.engine(part)).transpose()?;
        let load = start.elapsed().as_secs_f64();
        self.meet()?;
        let mut alone = None;
        if let (RankScaling::Alone, Some(engine)) = (case.scaling, &mut engine) {
            alone = Some(clock(&mut Evaluated(&mut **engine), slice, LEAST as usize)?);
        }
        let alone = alone.map_or([0.0; 3], |times| [times.q1, times.median, times.q3]);
        let mine = [load, own_samples as f64, alone[0], alone[1], alone[2]];
        let all = gather_numbers(ranks, &mine)?;
        let most = |at: usize| all.iter().map(|mine| mine[at]).fold(0.0, f64::max);
        row.most_samples = most(1) as u64;
        let end = End::default();
        let mut cluster = Cluster::new(engine, ranks, case.samples, &end);
        let sums = cluster.evaluate(MODEL)?;
        row.disagreement = agree::sums(plan.storage, sums, row.known).err();
        if row.disagreement.is_some() {
            return Ok(None);
        }
        Ok(Some(match case.scaling {
            RankScaling::Alone => Round {
                epoch: [most(2), most(3), most(4)],
                own: most(3),
                gather: None,
                load: most(0),
            },
            RankScaling::Strong | RankScaling::Weak => {
                let (epoch, own) = self.epochs(&mut cluster, slice)?;
                Round {
                    epoch,
                    own,
                    gather: Some(self.gather(slice.mul_f64(GATHER))?),
                    load: most(0),
                }
            }
        }))
    }

    /// Returns the engine of this rank with these samples.
    fn engine<'e>(&self, part: &'e dyn Source) -> Result<Box<dyn Engine + 'e>, Error> {
        let plan = self.plan;
        Ok(match &plan.adapters[..] {
            [] => Box::new(CpuEngine::new(part, plan.loss, &|_| {})?),
            adapters => Box::new(adapters::load(adapters, part, plan.loss, plan.storage)?),
        })
    }

    /// Waits for all ranks.
    fn meet(&self) -> Result<(), Error> {
        self.plan.ranks.gather(&[]).map(drop)
    }

    /// Returns the longest time of all ranks.
    fn longest(&self, time: f64) -> Result<f64, Error> {
        let all = gather_numbers(self.plan.ranks, &[time])?;
        Ok(all.into_iter().flatten().fold(time, f64::max))
    }

    /// Warms up, and times epochs from the model to the sums on all ranks, in alternation with epochs of each rank without a gather.
    /// Returns the quartiles and the median of this rank's epochs, and the median over those of the slowest rank.
    ///
    /// All ranks agree on the number of epochs.
    fn epochs(&self, cluster: &mut Cluster, slice: Duration) -> Result<([f64; 3], f64), Error> {
        let mut run = |count: u64| -> Result<(Vec<f64>, Vec<f64>), Error> {
            let (mut epochs, mut own) = (Vec::new(), Vec::new());
            for _ in 0..count {
                self.meet()?;
                own.push(seconds(|| cluster.evaluate_own(black_box(MODEL)))?);
                self.meet()?;
                epochs.push(seconds(|| cluster.evaluate(black_box(MODEL)))?);
            }
            Ok((epochs, own))
        };
        let warm_up = slice.as_secs_f64() * WARM_UP;
        let (mut count, mut shortest) = (1, f64::INFINITY);
        loop {
            let (epochs, _) = run(count)?;
            shortest = epochs.iter().copied().fold(shortest, f64::min);
            if self.longest(epochs.iter().sum())? >= warm_up {
                break;
            }
            count *= 2;
        }
        let count = slice.as_secs_f64() / self.longest(shortest)?;
        let (epochs, own) = run((count.ceil() as u64).clamp(LEAST, MOST))?;
        let slowest = slowest(&gather_numbers(self.plan.ranks, &own)?);
        let [_, own, _] = quartiles(slowest);
        Ok((quartiles(epochs), own))
    }

    /// Returns the median time of a gather of an epoch's record.
    fn gather(&self, time: Duration) -> Result<f64, Error> {
        let run = |count: u64| -> Result<Vec<f64>, Error> {
            let gather = |_| seconds(|| gather_numbers(self.plan.ranks, &[0.0; 4]));
            (0..count).map(gather).collect()
        };
        let [least, most] = GATHERS;
        let times = run(least as u64)?;
        let longest = self.longest(times.iter().sum::<f64>() / least)?;
        let count = (time.as_secs_f64() / longest).clamp(least, most);
        let [_, median, _] = quartiles(run(count as u64)?);
        Ok(median)
    }
}

/// Returns the seconds that something takes.
fn seconds<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<f64, Error> {
    let start = Instant::now();
    black_box(run()?);
    Ok(start.elapsed().as_secs_f64())
}

/// Returns the longest time of each epoch, by the times of all ranks.
fn slowest(of_ranks: &[Vec<f64>]) -> Vec<f64> {
    let epochs = of_ranks.iter().map(Vec::len).min().unwrap_or(0);
    let longest = |epoch: usize| {
        of_ranks
            .iter()
            .map(|times| times[epoch])
            .fold(0.0, f64::max)
    };
    (0..epochs).map(longest).collect()
}

/// Returns the lower quartile, the median and the upper quartile.
fn quartiles(times: Vec<f64>) -> [f64; 3] {
    let mut sorted = Data::new(times);
    [
        sorted.lower_quartile(),
        sorted.median(),
        sorted.upper_quartile(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_rank_of_each_epoch_counts() {
        let times = [vec![1.0, 5.0, 2.0], vec![4.0, 3.0, 2.5]];
        assert_eq!(slowest(&times), [4.0, 5.0, 2.5]);
        assert!(slowest(&[]).is_empty());
    }

    #[test]
    fn ranks_double_up_to_all() {
        let counts = |size| {
            let cases = Case::all(1000, size);
            assert_eq!(cases[0].scaling, RankScaling::Alone);
            let weak = cases
                .iter()
                .filter(|case| case.scaling == RankScaling::Weak);
            weak.map(|case| (case.ranks, case.samples))
                .collect::<Vec<_>>()
        };
        assert_eq!(counts(1), []);
        assert_eq!(counts(2), [(2, 2000)]);
        assert_eq!(counts(6), [(2, 2000), (4, 4000), (6, 6000)]);
        assert_eq!(counts(8), [(2, 2000), (4, 4000), (8, 8000)]);
        for case in Case::all(1000, 6) {
            let samples = match case.scaling {
                RankScaling::Weak => 1000 * case.ranks as u64,
                RankScaling::Alone | RankScaling::Strong => 1000,
            };
            assert_eq!(case.samples, samples);
        }
    }
}
