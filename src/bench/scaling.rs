//! The speed of all adapters at the same time against each of them alone.

use serde::Serialize;

use super::compare::withheld;
use super::{BenchRow, Contestant, Figure};

/// The scaling over adapters at one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdapterScaling {
    /// Number of samples.
    pub samples: u64,
    /// Number of adapters.
    pub adapters: usize,
    /// Time of an epoch of the fastest adapter alone divided by that of all together: the median of the rounds; `None` if
    /// it is withheld.
    pub speedup: Option<f64>,
    /// Speed of all together as a share of the sum of their speeds alone: the median of the rounds; `None` if it is
    /// withheld.
    pub efficiency: Option<f64>,
    /// Distance of the efficiency to the furthest one of a round.
    pub plus_minus: Option<f64>,
    /// Reason why both are withheld.
    pub withheld: Option<String>,
}

impl AdapterScaling {
    /// Compares all adapters together with each alone, in one size's rows; `None` if one of them has no time.
    pub fn of(rows: &[BenchRow]) -> Option<Self> {
        let together = rows.iter().find(|row| row.engine == Contestant::Gpus)?;
        let alone = || rows.iter().filter(|row| row.engine == Contestant::Gpu);
        let ratios = |of: &dyn Fn(&mut dyn Iterator<Item = f64>) -> Option<f64>| {
            let rounds = together
                .rounds
                .iter()
                .enumerate()
                .filter_map(|(round, all)| {
                    let mut speeds =
                        alone().filter_map(|row| Some(1.0 / row.rounds.get(round)?.epochs.median));
                    let speed = of(&mut speeds)?;
                    Some(1.0 / (all.epochs.median * speed))
                });
            Figure::of(rounds)
        };
        let efficiency = ratios(&|speeds| Some(speeds.sum()))?;
        let speedup = ratios(&|speeds| speeds.reduce(f64::max))?;
        if alone().any(|row| row.rounds.is_empty()) {
            return None;
        }
        let withheld = withheld(together.others, efficiency);
        let known = withheld.is_none();
        Some(AdapterScaling {
            samples: together.samples,
            adapters: alone().count(),
            speedup: known.then_some(speedup.median),
            efficiency: known.then_some(efficiency.median),
            plus_minus: known.then(|| efficiency.plus_minus()),
            withheld,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Round;
    use super::*;
    use crate::bench::clock::Clocked;

    fn timed(engine: Contestant, medians: &[f64]) -> BenchRow {
        let mut row = BenchRow::new(1000, engine);
        let round = |&median: &f64| Round {
            epochs: Clocked {
                median,
                q1: median,
                q3: median,
                ..Clocked::default()
            },
            ..Round::default()
        };
        row.rounds = medians.iter().map(round).collect();
        row
    }

    #[test]
    fn two_adapters_are_as_fast_as_the_sum_of_both() {
        // 3 samples a second and 1: together 4, in 0.25 s; the second round is slower, all alike.
        let rows = [
            timed(Contestant::Gpu, &[1.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0]),
            timed(Contestant::Gpu, &[1.0, 2.0, 1.0]),
            timed(Contestant::Gpus, &[0.25, 0.5, 0.3125]),
        ];
        let scaling = AdapterScaling::of(&rows).unwrap();
        assert_eq!(scaling.adapters, 2);
        assert!((scaling.efficiency.unwrap() - 1.0).abs() < 1e-12);
        assert!((scaling.speedup.unwrap() - 4.0 / 3.0).abs() < 1e-12);
        assert!((scaling.plus_minus.unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(AdapterScaling::of(&rows[..2]), None);
        let failed = [
            rows[0].clone(),
            timed(Contestant::Gpu, &[]),
            rows[2].clone(),
        ];
        assert_eq!(AdapterScaling::of(&failed), None);
    }
}
