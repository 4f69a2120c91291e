//! Predictions beside the rows that they belong to.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use fall_line::data::Block;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::Statistics;
use fall_line::error::Error;
use fall_line::table::whole::WholeRows;

use super::line::Line;

/// The predictions so far.
pub struct Predictions {
    pub line: Line,
    /// Rows with a prediction.
    pub rows: u64,
    /// Predictions that are not finite.
    pub overflowed: u64,
    /// x outside of the range that the line was trained on.
    pub outside: u64,
    /// The statistics of rows with x and y, and the sums of their residuals' squares and sizes.
    known: Statistics,
    squares: f64,
    sizes: f64,
}

impl Predictions {
    pub fn new(line: Line) -> Self {
        Predictions {
            line,
            rows: 0,
            overflowed: 0,
            outside: 0,
            known: Statistics::default(),
            squares: 0.0,
            sizes: 0.0,
        }
    }

    /// Returns rows with the predictions beside them: also the residuals if y is known, and the intervals if they are wanted.
    pub fn beside(&mut self, rows: WholeRows) -> Result<RecordBatch, Error> {
        let WholeRows {
            columns,
            mut x,
            y,
            time,
        } = rows;
        let unit = self.line.unit(time)?;
        x.iter_mut().for_each(|x| *x *= unit);
        let predictions: Vec<f64> = x.iter().map(|&x| self.line.line.predict(x)).collect();
        let present = x.iter().filter(|x| !x.is_nan());
        self.rows += present.clone().count() as u64;
        self.outside += present.filter(|&&x| self.line.is_outside(x)).count() as u64;
        self.overflowed += predictions
            .iter()
            .filter(|value| value.is_infinite())
            .count() as u64;
        let mut added = vec![("prediction", predictions.clone())];
        if let Some(y) = y {
            let residuals: Vec<f64> = y.iter().zip(&predictions).map(|(y, at)| y - at).collect();
            let mut block = Block::default();
            for ((&x, &y), residual) in x.iter().zip(&y).zip(&residuals) {
                if residual.is_finite() {
                    block.push((x, y));
                    self.squares += residual * residual;
                    self.sizes += residual.abs();
                }
            }
            self.known = self.known.join(Statistics::of_block(&block));
            added.push(("residual", residuals));
        }
        if self.line.interval.is_some() {
            let interval = |&x: &f64| self.line.interval(x).unwrap_or([f64::NAN; 2]);
            let (lower, upper) = x
                .iter()
                .map(interval)
                .map(|[lower, upper]| (lower, upper))
                .unzip();
            added.extend([("lower", lower), ("upper", upper)]);
        }
        with_columns(&columns, added)
    }

    /// Returns how well the predictions fit where y is known.
    pub fn goodness(&self) -> Option<Goodness> {
        let Statistics { samples, y, .. } = &self.known;
        (*samples > 0).then(|| Goodness::new(*samples, self.squares, self.sizes, y))
    }
}

/// Returns a table with more columns. A name that the table has gets a number; a value that is NaN is missing.
fn with_columns(table: &RecordBatch, added: Vec<(&str, Vec<f64>)>) -> Result<RecordBatch, Error> {
    let schema = table.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = table.columns().to_vec();
    for (name, values) in added {
        let taken = |name: &str| fields.iter().any(|field| field.name() == name);
        let mut free = name.to_owned();
        for number in 2.. {
            if !taken(&free) {
                break;
            }
            free = format!("{name} {number}");
        }
        fields.push(Arc::new(Field::new(free, DataType::Float64, true)));
        let present = values
            .into_iter()
            .map(|value| Some(value).filter(|value| !value.is_nan()));
        columns.push(Arc::new(present.collect::<Float64Array>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::Data(error.to_string()))
}
