//! Rows of a file, and the samples that they hold.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::part::RowsPart;
use super::csv::value::Missing;
pub use super::request::Request;
use super::store::Store;
use crate::data::moments::Moments;
use crate::data::statistics::Statistics;
use crate::data::{BLOCK, Block, OnLoad, Source, Time, all_finite, positions};
pub use crate::error::{Axis, Reason};
use crate::error::{Error, RowError};

mod part;

/// A row that can't be used.
#[derive(Clone, Copy, Debug)]
pub struct Bad {
    /// Its position in the block.
    pub at: usize,
    /// The axis of the value at fault.
    pub axis: Axis,
    /// The reason.
    pub reason: Reason,
    /// The value; meaningless if it is missing.
    pub value: f64,
}

impl Bad {
    /// Returns the value as an error shows it: `NaN`; empty if it is missing.
    pub fn text(&self) -> String {
        match self.reason {
            Reason::Missing => String::new(),
            _ => format!("{:?}", self.value),
        }
    }
}

/// The rows that were left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Their numbers by reason, and the first of each.
    pub by_reason: BTreeMap<Reason, (u64, RowError)>,
}

impl Skipped {
    /// Adds rows. Their first one becomes the example if they are the first.
    pub fn add(&mut self, reason: Reason, rows: u64, example: impl FnOnce() -> RowError) {
        let (count, _) = self
            .by_reason
            .entry(reason)
            .or_insert_with(|| (0, example()));
        *count += rows;
    }

    /// Adds those of the next file.
    pub fn join(&mut self, next: Skipped) {
        for (reason, (rows, first)) in next.by_reason {
            self.add(reason, rows, || first);
        }
    }

    /// Returns the number of all rows.
    pub fn rows(&self) -> u64 {
        self.by_reason.values().map(|(rows, _)| rows).sum()
    }
}

/// Checks that a file has enough samples: two for a line, one if x is all that is needed, none if it is a part.
///
/// # Errors
/// [`Error::TooFewSamples`], with the number of rows that were left out.
pub fn enough(file: &str, samples: u64, skipped: &Skipped, request: &Request) -> Result<(), Error> {
    let least = match (request.is_part, request.x_alone) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    if samples >= least {
        return Ok(());
    }
    Err(Error::TooFewSamples {
        file: file.to_owned(),
        samples,
        least,
        skipped: skipped.rows(),
        first: skipped
            .by_reason
            .values()
            .next()
            .map(|(_, first)| Box::new(first.clone())),
    })
}

/// A table that yields its rows by position, any block at any time from any thread.
pub trait Rows: Sync {
    /// Returns the number of rows.
    fn rows(&self) -> u64;

    /// Replaces the content of `block` with the rows at its [`positions`].
    ///
    /// Replaces the content of `bad` with those rows that can't be used, in order, each once. Their values in `block` mean
    /// nothing.
    ///
    /// # Errors
    /// Fails if the file can't be read any more, or has changed.
    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error>;

    /// Returns the error of a row that can't be used; `row` is its position from 0.
    fn row_error(&self, row: u64, bad: Bad) -> RowError;

    /// Returns the data in words, for a headline.
    fn title(&self) -> String;

    /// Returns the names of x and y. That of y is empty if x is alone.
    fn names(&self) -> [String; 2];

    /// Returns what x counts, if it holds dates or timestamps.
    fn time(&self) -> Option<Time> {
        None
    }
}

/// Replaces the content of `bad` with the rows of a block that can't be used. `x_missing` and `y_missing` are the
/// positions, in order, of missing values.
pub fn judge(block: &Block, x_missing: &[usize], y_missing: &[usize], bad: &mut Vec<Bad>) {
    bad.clear();
    let none_missing = x_missing.is_empty() && y_missing.is_empty();
    if none_missing && all_finite(&block.x) && all_finite(&block.y) {
        return;
    }
    let reason = |values: &[f64], missing: &[usize], at| match missing.binary_search(&at) {
        Ok(_) => Some(Reason::Missing),
        Err(_) => Reason::of(values[at]),
    };
    for at in 0..block.x.len() {
        let fault = |axis, values: &[f64], missing: &[usize]| {
            reason(values, missing, at).map(|reason| Bad {
                at,
                axis,
                reason,
                value: values[at],
            })
        };
        let x_fault = fault(Axis::X, &block.x, x_missing);
        let y_fault = fault(Axis::Y, &block.y, y_missing);
        // A missing value is no excuse for another one that is no number.
        let is_error = |y: &Bad| y.reason != Reason::Missing;
        let excused =
            |x: &Bad| x.reason == Reason::Missing && y_fault.as_ref().is_some_and(is_error);
        bad.extend(x_fault.filter(|x| !excused(x)).or(y_fault));
    }
}

/// Adds these rows of a table to a block, and those of them that can't be used to `bad`, by their position in the block.
pub fn append(
    table: &dyn Rows,
    rows: Range<u64>,
    block: &mut Block,
    bad: &mut Vec<Bad>,
) -> Result<(), Error> {
    let (mut read, mut bad_of_read) = (Block::default(), Vec::new());
    let mut row = rows.start;
    while row < rows.end {
        let index = row / BLOCK as u64;
        table.read(index, &mut read, &mut bad_of_read)?;
        let first = index * BLOCK as u64;
        let end = rows.end.min(first + read.x.len() as u64);
        let taken = (row - first) as usize..(end - first) as usize;
        let before = block.x.len();
        let bad_of_taken = bad_of_read.iter().filter(|bad| taken.contains(&bad.at));
        bad.extend(bad_of_taken.map(|bad| Bad {
            at: before + bad.at - taken.start,
            ..*bad
        }));
        block.x.extend_from_slice(&read.x[taken.clone()]);
        block.y.extend_from_slice(&read.y[taken]);
        row = end;
    }
    Ok(())
}

/// Returns the data in words: the file, and its columns. That of y is empty if x is alone.
pub fn titled(file: &str, [x, y]: [String; 2]) -> String {
    if y.is_empty() {
        format!("{file}: {x}")
    } else {
        format!("{file}: {y} over {x}")
    }
}

/// The rows of several files, one file after the other.
pub struct Joined {
    name: String,
    parts: Vec<Box<dyn Rows>>,
    /// The position of each part's first row, and behind them the number of all rows.
    starts: Vec<u64>,
}

impl Joined {
    /// Returns the rows of these files, which `name` stands for.
    pub fn new(name: &str, parts: Vec<Box<dyn Rows>>) -> Self {
        let mut starts = vec![0];
        for part in &parts {
            starts.push(starts[starts.len() - 1] + part.rows());
        }
        let name = name.to_owned();
        Joined {
            name,
            parts,
            starts,
        }
    }

    /// Returns the part that has a row.
    fn part(&self, row: u64) -> usize {
        self.starts.partition_point(|start| *start <= row) - 1
    }
}

impl Rows for Joined {
    fn rows(&self) -> u64 {
        self.starts[self.parts.len()]
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        let wanted = positions(index, self.rows());
        block.clear();
        bad.clear();
        let mut row = wanted.start;
        while row < wanted.end {
            let at = self.part(row);
            let start = self.starts[at];
            let end = wanted.end.min(self.starts[at + 1]);
            append(&*self.parts[at], row - start..end - start, block, bad)?;
            row = end;
        }
        Ok(())
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        let part = self.part(row);
        self.parts[part].row_error(row - self.starts[part], bad)
    }

    fn title(&self) -> String {
        titled(&self.name, self.names())
    }

    fn names(&self) -> [String; 2] {
        self.parts[0].names()
    }

    fn time(&self) -> Option<Time> {
        self.parts[0].time()
    }
}

/// Rows of which some numbers stand for missing values.
pub struct WithMissing<R> {
    /// The rows.
    pub rows: R,
    /// The numbers.
    pub missing: Missing,
}

impl<R: Deref<Target: Rows> + Sync> Rows for WithMissing<R> {
    fn rows(&self) -> u64 {
        self.rows.rows()
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        self.rows.read(index, block, bad)?;
        if !self.missing.has_numbers() {
            return Ok(());
        }
        for (axis, values) in [(Axis::X, &block.x), (Axis::Y, &block.y)] {
            let is_missing = |(_, value): &(usize, &f64)| self.missing.has_number(**value);
            let missing = values.iter().enumerate().filter(is_missing);
            bad.extend(missing.map(|(at, &value)| Bad {
                at,
                axis,
                reason: Reason::Missing,
                value,
            }));
        }
        // Another fault of a row stays the first one.
        bad.sort_by_key(|bad| bad.at);
        bad.dedup_by_key(|bad| bad.at);
        Ok(())
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        self.rows.row_error(row, bad)
    }

    fn title(&self) -> String {
        self.rows.title()
    }

    fn names(&self) -> [String; 2] {
        self.rows.names()
    }

    fn time(&self) -> Option<Time> {
        self.rows.time()
    }
}

/// Rows that all have to be samples: the first that can't be used is an error.
pub struct Strict(pub Box<dyn Rows>);

impl Source for Strict {
    fn samples(&self) -> u64 {
        self.0.rows()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let mut bad = Vec::new();
        self.0.read(index, block, &mut bad)?;
        match bad.first() {
            None => Ok(()),
            Some(&bad) => {
                let row = index * BLOCK as u64 + bad.at as u64;
                Err(Error::Row(self.0.row_error(row, bad)))
            }
        }
    }

    fn title(&self) -> String {
        self.0.title()
    }
}

/// The samples of a table.
pub struct Samples {
    /// The samples.
    pub source: Box<dyn Source>,
    /// The rows that were left out.
    pub skipped: Skipped,
    /// The samples' statistics, if no row was left out.
    pub statistics: Option<Statistics>,
    /// Their moments, if they are a part and no row was left out.
    pub moments: Option<Moments>,
}

/// A summary of samples, which the pass that checks all rows computes.
trait Summary: Copy + Default + Send {
    fn of_block(block: &Block) -> Self;

    fn join(self, other: Self) -> Self;
}

macro_rules! summary {
    ($kind:ty) => {
        impl Summary for $kind {
            fn of_block(block: &Block) -> Self {
                <$kind>::of_block(block)
            }

            fn join(self, other: Self) -> Self {
                <$kind>::join(self, other)
            }
        }
    };
}

summary!(Statistics);
summary!(Moments);

/// Returns the samples of a table. Rows with missing values are left out, and if the request says so others that can't be used.
///
/// That takes a pass over all rows, which calls `on_load` with their number. If some are left out, the others are copied to a
/// [`Store`].
///
/// # Errors
/// The errors of [`Rows::read`], [`Error::Row`] for the first row that can't be used and is not left out, or [`Error::Io`] if
/// there is no room for the copy.
pub fn samples(rows: Box<dyn Rows>, request: &Request, on_load: OnLoad) -> Result<Samples, Error> {
    let (skipped, statistics, moments) = if request.is_part {
        let (skipped, moments) = checked(&*rows, request.skip_bad, on_load)?;
        (
            skipped,
            moments.map(|all: Moments| all.statistics()),
            moments,
        )
    } else {
        let (skipped, statistics) = checked(&*rows, request.skip_bad, on_load)?;
        (skipped, statistics, None)
    };
    let source: Box<dyn Source> = if statistics.is_some() {
        Box::new(Strict(rows))
    } else {
        Box::new(copy_good(&*rows)?)
    };
    Ok(Samples {
        source,
        skipped,
        statistics,
        moments,
    })
}

/// Returns the rows that are left out, and the summary of all if there are none.
fn checked<T: Summary>(
    rows: &dyn Rows,
    skip_bad: bool,
    on_load: OnLoad,
) -> Result<(Skipped, Option<T>), Error> {
    // The summary of a block, or its bad rows by reason, with the position and the fault of the first of each.
    type Found<T> = Result<T, BTreeMap<Reason, (u64, u64, Bad)>>;
    let blocks = rows.rows().div_ceil(BLOCK as u64);
    // Blocks beyond one with an error are not looked at.
    let ended = AtomicU64::new(u64::MAX);
    let found = (0..blocks)
        .into_par_iter()
        .map_init(
            Default::default,
            |(block, bad), index| -> Result<Found<T>, Error> {
                if index > ended.load(Ordering::Relaxed) {
                    return Ok(Ok(T::default()));
                }
                rows.read(index, block, bad)?;
                on_load(block.x.len() as u64);
                if bad.is_empty() {
                    return Ok(Ok(T::of_block(block)));
                }
                let mut reasons = BTreeMap::new();
                for bad in bad.iter() {
                    let row = index * BLOCK as u64 + bad.at as u64;
                    reasons.entry(bad.reason).or_insert((0, row, *bad)).0 += 1;
                }
                if reasons.keys().any(|reason| !reason.is_left_out(skip_bad)) {
                    ended.fetch_min(index, Ordering::Relaxed);
                }
                Ok(Err(reasons))
            },
        )
        .collect::<Result<Vec<Found<T>>, Error>>()?;
    let (mut skipped, mut summary) = (Skipped::default(), Some(T::default()));
    for found in found {
        match found {
            Ok(of_block) => summary = summary.map(|all| all.join(of_block)),
            Err(reasons) => {
                summary = None;
                let errors = reasons
                    .iter()
                    .filter(|(reason, _)| !reason.is_left_out(skip_bad));
                if let Some((_, &(_, row, bad))) = errors.min_by_key(|(_, (_, row, _))| *row) {
                    return Err(Error::Row(rows.row_error(row, bad)));
                }
                for (reason, (count, row, bad)) in reasons {
                    skipped.add(reason, count, || rows.row_error(row, bad));
                }
            }
        }
    }
    Ok((skipped, summary))
}

/// Copies the rows that can be used.
fn copy_good(rows: &dyn Rows) -> Result<Store, Error> {
    let mut store = Store::new(rows.title());
    let blocks = rows.rows().div_ceil(BLOCK as u64);
    // The store is filled in order, so threads read a batch at a time.
    let batch = 2 * rayon::current_num_threads() as u64;
    for first in (0..blocks).step_by(batch as usize) {
        let read: Vec<Block> = (first..blocks.min(first + batch))
            .into_par_iter()
            .map(|index| {
                let (mut block, mut bad) = (Block::default(), Vec::new());
                rows.read(index, &mut block, &mut bad)?;
                let mut bad = bad.iter().map(|bad| bad.at).peekable();
                let mut good = Block::default();
                for (at, sample) in block.x.iter().copied().zip(block.y).enumerate() {
                    if bad.next_if_eq(&at).is_none() {
                        good.push(sample);
                    }
                }
                Ok(good)
            })
            .collect::<Result<_, Error>>()?;
        for block in &read {
            store.append(block)?;
        }
    }
    Ok(store)
}

#[cfg(test)]
mod tests;
