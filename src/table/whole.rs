//! Whole rows of files: all their columns as they are, and x and y beside them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, TimeUnit};

use super::Request;
use super::csv::value::Missing;
use super::rows::{Rows, Skipped, WithMissing, append};
use crate::data::{Block, Time};
use crate::error::{Axis, Error};

/// Rows of a file.
pub struct WholeRows {
    /// All columns of the file.
    pub columns: RecordBatch,
    /// The x of each row, NaN where it can't be used.
    pub x: Vec<f64>,
    /// The y of each row, NaN where it can't be used; `None` if only x is read.
    pub y: Option<Vec<f64>>,
}

/// Takes rows in the file's order.
pub type Each<'a> = &'a mut (dyn FnMut(WholeRows) -> Result<(), Error> + Send);

/// A table that yields all its columns in order.
pub trait Whole: Rows {
    /// Hands on all columns, some rows at a time.
    ///
    /// # Errors
    /// Those of [`Rows::read`], and those of `each`.
    fn columns(&self, each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>) -> Result<(), Error>;
}

/// Hands on all rows of a table. An x that can't be used is an error, unless it is missing or `skip_bad`.
pub(super) fn rows_of(table: &impl Whole, request: &Request, each: Each) -> Result<Skipped, Error> {
    let mut skipped = Skipped::default();
    let mut row = 0;
    let [_, y] = table.names();
    let has_y = !y.is_empty();
    let rows = WithMissing {
        rows: table,
        missing: Missing::new(request.missing),
    };
    table.columns(&mut |columns| {
        let end = row + columns.num_rows() as u64;
        let (mut block, mut bad) = (Block::default(), Vec::new());
        append(&rows, row..end, &mut block, &mut bad)?;
        for bad in bad {
            // y only says how well a prediction fits.
            if bad.axis == Axis::Y {
                block.y[bad.at] = f64::NAN;
                continue;
            }
            let error = || rows.row_error(row + bad.at as u64, bad);
            if !bad.reason.is_left_out(request.skip_bad) {
                return Err(Error::Row(error()));
            }
            skipped.add(bad.reason, 1, error);
            block.x[bad.at] = f64::NAN;
        }
        row = end;
        each(WholeRows {
            columns,
            x: block.x,
            y: has_y.then_some(block.y),
        })
    })?;
    Ok(skipped)
}

/// Returns numbers as an array of the type that they count: days, seconds, or nothing.
pub(super) fn array_of(values: Vec<f64>, time: Option<Time>) -> (DataType, ArrayRef) {
    let present = |value: &f64| value.is_finite();
    match time {
        Some(Time::Days) => {
            let days = values
                .iter()
                .map(|value| present(value).then_some(*value as i32));
            (DataType::Date32, Arc::new(Date32Array::from_iter(days)))
        }
        Some(Time::Seconds) => {
            let times = values
                .iter()
                .map(|value| present(value).then_some((value * 1e6).round() as i64));
            let kind = DataType::Timestamp(TimeUnit::Microsecond, None);
            (kind, Arc::new(TimestampMicrosecondArray::from_iter(times)))
        }
        None => (DataType::Float64, Arc::new(Float64Array::from(values))),
    }
}
