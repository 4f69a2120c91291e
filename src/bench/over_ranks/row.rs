//! The figures of a number of ranks at one size.

use serde::Serialize;

use super::RankScaling;
use crate::bench::Figure;
use crate::bench::compare::withheld;
use crate::engine::forecast;
use crate::error::Error;
use crate::model::Sums;

/// The figures of a number of ranks at one size. Times are in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The size: samples of all ranks in strong scaling, of each in weak scaling.
    pub samples: u64,
    /// The way in which samples grow with ranks.
    pub scaling: RankScaling,
    /// Number of ranks that share the samples.
    pub ranks: usize,
    /// Samples of all ranks.
    pub all_samples: u64,
    /// Samples of the rank with the most. Ranks take whole blocks of 65,536.
    pub most_samples: u64,
    /// Difference of the sums from those of one rank, if they disagree.
    pub disagreement: Option<String>,
    /// Time of an epoch, from the model to the sums on all ranks: the median of the rounds, and the range of their quartiles.
    pub epoch_seconds: Option<Figure>,
    /// Time of an epoch of the rank that is the slowest, without a gather.
    pub own_seconds: Option<Figure>,
    /// Time of a gather alone, which all ranks of the job take part in; `None` for one rank.
    pub gather_seconds: Option<Figure>,
    /// Time to draw and load the samples, of the slowest rank.
    pub load_seconds: Option<Figure>,
    /// The model of an epoch: the time that one rank alone takes for as many samples as the rank with the most has, and a gather.
    pub model_seconds: Option<f64>,
    /// Time of an epoch less that of the model, as a share of the model's.
    pub off_model: Option<f64>,
    /// Time of one rank divided by that of the ranks, and in strong scaling by their number; `None` if it is withheld.
    pub efficiency: Option<Figure>,
    /// Reason why it is.
    pub withheld: Option<String>,
    /// Share of the cores that other programs took meanwhile; `None` if it took too short a time to tell.
    pub others: Option<f64>,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// The sums that one rank computes.
    #[serde(skip)]
    pub(super) known: Sums,
}

/// The figures of a round, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Round {
    /// Lower quartile, median and upper quartile of the epochs.
    pub epoch: [f64; 3],
    /// Median of the epochs of the slowest rank in each, without a gather.
    pub own: f64,
    /// Median of the gathers alone.
    pub gather: Option<f64>,
    /// Time to draw and load the samples, of the slowest rank.
    pub load: f64,
}

impl Row {
    pub(super) fn new(samples: u64, scaling: RankScaling, ranks: usize, all_samples: u64) -> Self {
        Row {
            samples,
            scaling,
            ranks,
            all_samples,
            most_samples: 0,
            disagreement: None,
            epoch_seconds: None,
            own_seconds: None,
            gather_seconds: None,
            load_seconds: None,
            model_seconds: None,
            off_model: None,
            efficiency: None,
            withheld: None,
            others: None,
            rounds: Vec::new(),
            known: Sums::default(),
        }
    }

    /// Computes the figures from the rounds, which one rank alone had at the same time.
    pub(super) fn conclude(&mut self, alone: &[Round], others: Option<f64>) {
        self.others = others;
        self.epoch_seconds = Figure::over(self.rounds.iter().map(|round| round.epoch));
        self.own_seconds = Figure::of(self.rounds.iter().map(|round| round.own));
        self.gather_seconds = Figure::of(self.rounds.iter().filter_map(|round| round.gather));
        self.load_seconds = Figure::of(self.rounds.iter().map(|round| round.load));
        let one = Figure::of(alone.iter().map(|round| round.epoch[1]));
        if let (Some(epoch), Some(one), Some(gather)) =
            (self.epoch_seconds, one, self.gather_seconds)
        {
            let own = one.median * (self.most_samples as f64 / self.samples as f64);
            let model = forecast::epoch(own, gather.median);
            self.model_seconds = Some(model);
            self.off_model = Some(epoch.median / model - 1.0);
        }
        let share = match self.scaling {
            RankScaling::Alone => return,
            RankScaling::Strong => self.ranks as u64,
            RankScaling::Weak => 1,
        };
        let [epochs, alone] =
            [&self.rounds[..], alone].map(|rounds| rounds.iter().map(|round| round.epoch[1]));
        let ratios = alone
            .zip(epochs)
            .map(|(alone, epoch)| forecast::efficiency(alone, share, epoch));
        let Some(efficiency) = Figure::of(ratios) else {
            return;
        };
        self.withheld = withheld(others, efficiency);
        self.efficiency = self.withheld.is_none().then_some(efficiency);
    }
}

/// Checks that the sums of all rows are those of one rank.
///
/// # Errors
/// [`Error::Disagree`] for the first row whose sums are not.
pub fn verdict(rows: &[Row]) -> Result<(), Error> {
    let mut disagreements = rows
        .iter()
        .filter_map(|row| Some((row, row.disagreement.as_ref()?)));
    match disagreements.next() {
        None => Ok(()),
        Some((row, how)) => Err(Error::Disagree(format!(
            "{} ranks disagree at {} samples: {how}",
            row.ranks, row.all_samples
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(epochs: &[f64], own: f64, gather: Option<f64>) -> Vec<Round> {
        let round = |&epoch: &f64| Round {
            epoch: [epoch; 3],
            own,
            gather,
            load: 1.0,
        };
        epochs.iter().map(round).collect()
    }

    fn concluded(scaling: RankScaling, ranks: usize, rounds: Vec<Round>, others: f64) -> Row {
        let mut row = Row {
            rounds,
            most_samples: match scaling {
                RankScaling::Strong => 1000 / ranks as u64,
                RankScaling::Alone | RankScaling::Weak => 1000,
            },
            ..Row::new(1000, scaling, ranks, 1000)
        };
        // The second round is slower, all alike.
        row.conclude(&self::rounds(&[8.0, 16.0, 8.0], 8.0, None), Some(others));
        row
    }

    #[test]
    fn efficiency_is_that_of_the_rounds() {
        let strong = concluded(
            RankScaling::Strong,
            4,
            rounds(&[2.5, 5.0, 2.0], 1.75, Some(0.0)),
            0.0,
        );
        let figure = strong.efficiency.unwrap();
        assert_eq!((figure.low, figure.median, figure.high), (0.8, 0.8, 1.0));
        // 2.5 s, where the model has 2.
        assert_eq!(
            (strong.model_seconds, strong.off_model),
            (Some(2.0), Some(0.25))
        );
        let weak = concluded(
            RankScaling::Weak,
            4,
            rounds(&[10.0, 20.0, 10.0], 9.0, Some(2.0)),
            0.0,
        );
        assert_eq!(weak.efficiency.unwrap().median, 0.8);
        assert_eq!(weak.off_model, Some(0.0));
        let alone = concluded(
            RankScaling::Alone,
            1,
            rounds(&[8.0, 16.0, 8.0], 8.0, None),
            0.0,
        );
        assert_eq!((alone.efficiency, alone.model_seconds), (None, None));
        assert_eq!(alone.epoch_seconds.unwrap().median, 8.0);
    }

    #[test]
    fn on_a_busy_machine_efficiency_is_withheld() {
        let row = concluded(
            RankScaling::Strong,
            2,
            rounds(&[4.0, 8.0, 4.0], 4.0, Some(0.0)),
            0.5,
        );
        assert_eq!(row.efficiency, None);
        assert!(row.withheld.unwrap().contains("50 %"));
    }

    #[test]
    fn ranks_that_disagree_are_named() {
        let mut rows = vec![
            Row::new(1000, RankScaling::Alone, 1, 1000),
            Row::new(1000, RankScaling::Weak, 2, 2000),
        ];
        verdict(&rows).unwrap();
        rows[1].disagreement = Some("the sum of dw".to_owned());
        let error = verdict(&rows).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        assert!(
            error
                .to_string()
                .contains("2 ranks disagree at 2000 samples: the sum of dw"),
            "{error}"
        );
    }
}
