//! The samples of one rank, as a part of the data set of all.

use super::statistics::Statistics;
use super::{Block, Source, described_by_source};
use crate::error::Error;
use crate::ranks::{Ranks, gather_values};

/// A source that shares its data set with those of other ranks.
pub struct Ranked<'a, S> {
    source: S,
    ranks: &'a dyn Ranks,
    first: u64,
    all: u64,
    statistics: Option<Statistics>,
}

impl<'a, S: Source> Ranked<'a, S> {
    /// Returns the data set of which `source` has the samples of this rank. Those of the ranks before it come first.
    ///
    /// # Errors
    /// Those of [`Ranks::gather`].
    pub fn new(source: S, ranks: &'a dyn Ranks) -> Result<Self, Error> {
        let mine = (source.samples(), source.statistics());
        let of_ranks: Vec<(u64, Option<Statistics>)> = gather_values(ranks, mine)?;
        let samples = || of_ranks.iter().map(|(samples, _)| samples);
        let parts = of_ranks.iter().map(|(samples, statistics)| match samples {
            0 => Some(Statistics::default()),
            _ => *statistics,
        });
        Ok(Ranked {
            ranks,
            first: samples().take(ranks.rank()).sum(),
            all: samples().sum(),
            statistics: parts.sum(),
            source,
        })
    }
}

impl<S: Source> Source for Ranked<'_, S> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn first(&self) -> u64 {
        self.first
    }

    fn ranks(&self) -> &dyn Ranks {
        self.ranks
    }

    fn all_samples(&self) -> u64 {
        self.all
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)
    }

    fn statistics(&self) -> Option<Statistics> {
        self.statistics
    }

    described_by_source!();
}
