//! Rows of a file, and the samples that they hold.

use std::collections::BTreeMap;

use rayon::prelude::*;

pub use super::request::Request;
use super::store::Store;
use crate::data::{BLOCK, Block, Source, Time, all_fit};
pub use crate::error::{Axis, Reason};
use crate::error::{Error, RowError};

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skipped {
    /// Rows left out, by reason.
    pub counts: BTreeMap<Reason, u64>,
    /// The first of them.
    pub first: Option<RowError>,
}

/// Checks that a file has enough samples: two for a line, one if x is all that is needed.
///
/// # Errors
/// [`Error::TooFewSamples`], with the number of rows that were left out.
pub fn enough(file: &str, samples: u64, skipped: &Skipped, request: &Request) -> Result<(), Error> {
    let least = if request.x_alone { 1 } else { 2 };
    if samples >= least {
        return Ok(());
    }
    Err(Error::TooFewSamples {
        file: file.to_owned(),
        samples,
        least,
        skipped: skipped.counts.values().sum(),
        first: skipped.first.clone().map(Box::new),
    })
}

/// A table that yields its rows by position, any block at any time from any thread.
pub trait Rows: Sync {
    /// Returns the number of rows.
    fn rows(&self) -> u64;

    /// Replaces the content of `block` with the rows at its [`positions`](crate::data::positions).
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
    if none_missing && all_fit(&block.x) && all_fit(&block.y) {
        return;
    }
    let reason = |values: &[f64], missing: &[usize], at| match missing.binary_search(&at) {
        Ok(_) => Some(Reason::Missing),
        Err(_) => Reason::of(values[at]),
    };
    for at in 0..block.x.len() {
        let fault = |axis, values: &[f64], missing| {
            reason(values, missing, at).map(|reason| Bad {
                at,
                axis,
                reason,
                value: values[at],
            })
        };
        let y_fault = || fault(Axis::Y, &block.y, y_missing);
        bad.extend(fault(Axis::X, &block.x, x_missing).or_else(y_fault));
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

/// Returns the samples of a table, and the rows that were left out: none unless `skip_bad`.
///
/// Leaving out takes a pass over all rows. If it finds bad ones, the samples are copied to a [`Store`].
///
/// # Errors
/// Fails with `skip_bad` only: with the errors of [`Rows::read`], or [`Error::Io`] if there is no room for the copy.
pub fn samples(rows: Box<dyn Rows>, skip_bad: bool) -> Result<(Box<dyn Source>, Skipped), Error> {
    if !skip_bad {
        return Ok((Box::new(Strict(rows)), Skipped::default()));
    }
    let skipped = count_bad(&*rows)?;
    if skipped.first.is_none() {
        return Ok((Box::new(Strict(rows)), skipped));
    }
    Ok((Box::new(copy_good(&*rows)?), skipped))
}

/// Counts the rows that can't be used.
fn count_bad(rows: &dyn Rows) -> Result<Skipped, Error> {
    let blocks = rows.rows().div_ceil(BLOCK as u64);
    // The counts by reason, and the first bad row with its position.
    type Found = (BTreeMap<Reason, u64>, Option<(u64, Bad)>);
    let (counts, first) = (0..blocks)
        .into_par_iter()
        .map_init(Default::default, |(block, bad), index| {
            rows.read(index, block, bad)?;
            let mut counts = BTreeMap::new();
            for bad in bad.iter() {
                *counts.entry(bad.reason).or_default() += 1;
            }
            let first = bad.first();
            let first = first.map(|bad| (index * BLOCK as u64 + bad.at as u64, *bad));
            Ok((counts, first))
        })
        .try_reduce(Found::default, |(mut counts, one), (more, other)| {
            for (reason, count) in more {
                *counts.entry(reason).or_default() += count;
            }
            let first = one.into_iter().chain(other).min_by_key(|(row, _)| *row);
            Ok((counts, first))
        })?;
    Ok(Skipped {
        counts,
        first: first.map(|(row, bad)| rows.row_error(row, bad)),
    })
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
