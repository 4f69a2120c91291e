//! Rows of a file, and the samples that they hold.

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;

use super::store::Store;
use crate::data::{BLOCK, Block, Source};
use crate::error::Error;
pub use crate::error::{Axis, Reason};

/// Which columns of a file are x and y, and what becomes of rows that are no samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The column of x: a name, or a position from 1. Without it, and without `y`, the file must have
    /// just two numeric columns, x first.
    pub x: Option<&'a str>,
    /// The column of y, likewise.
    pub y: Option<&'a str>,
    /// x is all that is needed: without a `y`, y is 0 in every sample, and without an `x` the file must
    /// have one numeric column or two.
    pub x_alone: bool,
    /// What stands between two columns of a text file; without it a tab where the file's name ends in
    /// `.tsv`, else a comma.
    pub delimiter: Option<u8>,
    /// Whether the first record of a text file names the columns; without it that is detected.
    pub header: Option<bool>,
    /// Leaves out rows that are no samples, instead of refusing the file.
    pub skip_bad: bool,
}

/// A row that is no sample.
#[derive(Clone, Copy, Debug)]
pub struct Bad {
    /// Its place in the block.
    pub at: usize,
    /// Which of its values.
    pub axis: Axis,
    /// What is wrong with it.
    pub reason: Reason,
    /// The value itself; it means nothing where there is none.
    pub value: f64,
}

impl fmt::Display for Bad {
    /// For use after the place: `NaN is no finite number`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Missing => write!(f, "{}", self.reason),
            _ => write!(f, "{:?} {}", self.value, self.reason),
        }
    }
}

/// The rows that were left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skipped {
    /// How many, by reason.
    pub counts: BTreeMap<Reason, u64>,
    /// What the error would have said of the first one.
    pub first: Option<String>,
}

/// That a file has samples enough: two for a line, one where x is all that is needed; the error says how many rows were
/// left out.
pub(super) fn enough(
    file: &str,
    samples: u64,
    skipped: &Skipped,
    request: &Request,
) -> Result<(), Error> {
    let (least, needs) = if request.x_alone {
        (1, "")
    } else {
        (2, "; a line needs at least two")
    };
    if samples >= least {
        return Ok(());
    }
    let plural = if samples == 1 { "" } else { "s" };
    let left_out = match (&skipped.first, skipped.counts.values().sum::<u64>()) {
        (None, _) => String::new(),
        (Some(first), 1) => format!("; 1 row was left out: {first}"),
        (Some(first), rows) => format!("; {rows} rows were left out, the first: {first}"),
    };
    Err(Error::Data(format!(
        "{file} has {samples} sample{plural}{needs}{left_out}"
    )))
}

/// A table that yields its rows by position, any block at any time from any thread.
pub trait Rows: Sync {
    /// How many rows there are.
    fn rows(&self) -> u64;

    /// Replaces what is in `block` by the rows at positions `index * BLOCK` up to the next block's first or the end,
    /// and `bad` by those of them that are no samples, in order, each once. Their values in `block` mean nothing.
    ///
    /// # Errors
    /// That the file can't be read any more, or has changed.
    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error>;

    /// What an error says of a row that is no sample: where it stands, and what is wrong.
    fn complaint(&self, row: u64, bad: Bad) -> String;

    /// What the data are, for a headline.
    fn title(&self) -> String;
}

/// Replaces what is in `bad` by the rows of a block whose values are none for a sample; `x_missing` and `y_missing` are
/// the places, in order, of the x and the y that are not there at all.
pub(super) fn judge(block: &Block, x_missing: &[usize], y_missing: &[usize], bad: &mut Vec<Bad>) {
    bad.clear();
    // Nearly always all is well, and without a branch a value that costs next to nothing to see.
    let fine = |values: &[f64]| {
        values
            .iter()
            .fold(true, |fine, value| fine & (*value as f32).is_finite())
    };
    if x_missing.is_empty() && y_missing.is_empty() && fine(&block.x) && fine(&block.y) {
        return;
    }
    let reason = |values: &[f64], missing: &[usize], at| match missing.binary_search(&at) {
        Ok(_) => Some(Reason::Missing),
        Err(_) => Reason::of(values[at]),
    };
    for at in 0..block.x.len() {
        let of = |axis, values: &[f64], missing| {
            reason(values, missing, at).map(|reason| Bad {
                at,
                axis,
                reason,
                value: values[at],
            })
        };
        let of_y = || of(Axis::Y, &block.y, y_missing);
        bad.extend(of(Axis::X, &block.x, x_missing).or_else(of_y));
    }
}

/// Rows that are all to be samples: the first that is none is an error.
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
                let hint = "; --skip-bad leaves such rows out";
                Err(Error::Data(self.0.complaint(row, bad) + hint))
            }
        }
    }

    fn title(&self) -> String {
        self.0.title()
    }
}

/// The samples of a table, and what was left out: nothing, or with `skip_bad` the rows that are no samples, which takes
/// a pass over all rows, and a copy of the samples where there are such rows.
///
/// # Errors
/// With `skip_bad` what [`Rows::read`] says, and [`Error::Io`] where there is no room for the copy. Without it nothing
/// is read here.
pub fn samples(rows: Box<dyn Rows>, skip_bad: bool) -> Result<(Box<dyn Source>, Skipped), Error> {
    if !skip_bad {
        return Ok((Box::new(Strict(rows)), Skipped::default()));
    }
    let skipped = count_bad(&*rows)?;
    if skipped.first.is_none() {
        return Ok((Box::new(Strict(rows)), skipped));
    }
    Ok((Box::new(good(&*rows)?), skipped))
}

/// What of a table is no sample.
fn count_bad(rows: &dyn Rows) -> Result<Skipped, Error> {
    let blocks = rows.rows().div_ceil(BLOCK as u64);
    // By reason how many, and the first with its row.
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
        first: first.map(|(row, bad)| rows.complaint(row, bad)),
    })
}

/// Those rows of a table that are samples.
fn good(rows: &dyn Rows) -> Result<Store, Error> {
    let mut store = Store::new(rows.title());
    let blocks = rows.rows().div_ceil(BLOCK as u64);
    // A batch at a time, for the store is filled in order.
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
