//! The result of opening files.

use super::rows::Skipped;
use crate::data::moments::Moments;
use crate::data::statistics::Statistics;
use crate::data::synthetic::Synthetic;
use crate::data::{Block, Source, Time};
use crate::error::Error;

/// The samples of files.
pub struct OpenedFile {
    /// The samples.
    pub source: Box<dyn Source>,
    /// The name of the column of x.
    pub x: String,
    /// The name of the column of y; empty if only x is read.
    pub y: String,
    /// What x counts, if it holds dates or timestamps.
    pub time: Option<Time>,
    /// The number of samples, on all ranks that share the files.
    pub all_samples: u64,
    /// The rows that were left out, on all ranks.
    pub skipped: Skipped,
    /// What is not usual in a text, in words: `columns separated by blanks`.
    pub notes: Vec<String>,
    /// The samples' statistics, if opening the files told them.
    pub statistics: Option<Statistics>,
    /// Their moments, if opening the files as a part told them.
    pub moments: Option<Moments>,
}

impl Source for OpenedFile {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)
    }

    fn title(&self) -> String {
        self.source.title()
    }

    fn names(&self) -> [String; 2] {
        [self.x.clone(), self.y.clone()]
    }

    fn time(&self) -> Option<Time> {
        self.time
    }

    fn synthetic(&self) -> Option<Synthetic> {
        self.source.synthetic()
    }

    fn statistics(&self) -> Option<Statistics> {
        self.statistics
    }

    fn moments(&self) -> Option<Moments> {
        self.moments
    }
}
