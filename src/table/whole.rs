//! Whole rows of files: all their columns as they are, and x and y beside them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};

use super::Request;
use super::csv::value::Missing;
use super::rows::{Rows, Skipped, WithMissing, append};
use crate::data::{Block, Time};
use crate::error::{Axis, Error, Reason, counted};

/// Rows of a file.
pub struct WholeRows {
    /// All columns of the file.
    pub columns: RecordBatch,
    /// The x of each row, NaN where it can't be used.
    pub x: Vec<f64>,
    /// The y of each row, NaN where it can't be used; `None` if only x is read.
    pub y: Option<Vec<f64>>,
    /// What x counts, if it holds dates or timestamps.
    pub time: Option<Time>,
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

/// Values of y that are no numbers, though they are not missing.
#[derive(Debug, Default)]
pub(super) struct Unusable {
    rows: u64,
    example: String,
}

impl Unusable {
    /// Counts one. `text` returns it in quotes.
    pub fn add(&mut self, text: impl FnOnce() -> String) {
        if self.rows == 0 {
            self.example = text();
        }
        self.rows += 1;
    }

    /// Returns a note if there are any.
    pub fn note(&self) -> Option<String> {
        let rows = counted(self.rows, "row");
        (self.rows > 0).then(|| {
            format!(
                "no residual for {rows} whose y is no number, such as {}",
                self.example
            )
        })
    }
}

/// Hands on all rows of a table. An x that can't be used is an error, unless it is missing or `skip_bad`. Returns the rows whose
/// x can't be used, and those whose y is no number.
pub(super) fn rows_of(
    table: &impl Whole,
    request: &Request,
    each: Each,
) -> Result<(Skipped, Unusable), Error> {
    let (mut skipped, mut unusable) = (Skipped::default(), Unusable::default());
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
                if bad.reason != Reason::Missing {
                    unusable.add(|| rows.row_error(row + bad.at as u64, bad).text);
                }
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
            time: table.time(),
        })
    })?;
    Ok((skipped, unusable))
}

/// Returns the columns of a later file in the order, and with the types, of those of the first one.
///
/// # Errors
/// [`Error::Data`] if their names differ, or their types too much.
pub(super) fn aligned(
    file: &str,
    columns: &RecordBatch,
    first: &SchemaRef,
) -> Result<RecordBatch, Error> {
    let names = |schema: &Schema| -> Vec<String> {
        let mut names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        names.sort();
        names
    };
    let (own, wanted) = (names(columns.schema_ref()), names(first));
    if own != wanted {
        return Err(Error::Data(format!(
            "{file} has the columns {}, and the first file {}: give files with the same columns",
            own.join(", "),
            wanted.join(", "),
        )));
    }
    let mut left: Vec<usize> = (0..columns.num_columns()).collect();
    let in_order = first.fields().iter().map(|field| {
        let place = left
            .iter()
            .position(|at| columns.schema_ref().field(*at).name() == field.name());
        // The names are the same.
        let at = left.remove(place.unwrap_or_default());
        let strict = arrow_cast::CastOptions {
            safe: false,
            ..Default::default()
        };
        arrow_cast::cast_with_options(columns.column(at), field.data_type(), &strict)
            .map_err(|error| Error::Data(format!("{file}, column {:?}: {error}", field.name())))
    });
    let in_order = in_order.collect::<Result<Vec<_>, Error>>()?;
    RecordBatch::try_new(first.clone(), in_order).map_err(|error| Error::Data(error.to_string()))
}

/// Returns the schema of columns whose values may be missing, because they may be in another file.
pub(super) fn optional(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns numbers as an array of the type that they count: days, seconds, or nothing.
pub(super) fn array_of(values: Vec<f64>, time: Option<Time>) -> ArrayRef {
    let present = |value: &f64| value.is_finite();
    match time {
        Some(Time::Days) => {
            let days = values
                .iter()
                .map(|value| present(value).then_some(*value as i32));
            Arc::new(Date32Array::from_iter(days))
        }
        Some(Time::Seconds) => {
            let times = values
                .iter()
                .map(|value| present(value).then_some((value * 1e6).round() as i64));
            Arc::new(TimestampMicrosecondArray::from_iter(times))
        }
        None => {
            let numbers = values
                .iter()
                .map(|value| (!value.is_nan()).then_some(*value));
            Arc::new(Float64Array::from_iter(numbers))
        }
    }
}

/// Returns the type of [`array_of`].
pub(super) fn type_of(time: Option<Time>) -> DataType {
    match time {
        Some(Time::Days) => DataType::Date32,
        Some(Time::Seconds) => DataType::Timestamp(TimeUnit::Microsecond, None),
        None => DataType::Float64,
    }
}
