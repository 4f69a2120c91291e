//! Writing whole rows: columns of any type.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::parquet::write_error;
use super::{Kind, npy_header};
use crate::table::csv::value::{Missing, number};

/// A table that grows by columns of any type, which are those of the first rows.
pub struct WholeWriter<W: Write + Send> {
    kind: Kind,
    /// `None` once the table has begun.
    out: Option<W>,
    table: Option<Table<W>>,
}

enum Table<W: Write + Send> {
    Csv {
        out: W,
        has_header: bool,
    },
    // In a box because it is large.
    Parquet(Box<ArrowWriter<W>>),
    /// The rows are kept in a file without a name until their number is known.
    Npy {
        out: W,
        rows: BufWriter<File>,
        count: u64,
        columns: usize,
    },
}

impl<W: Write + Send> WholeWriter<W> {
    /// Returns a table without rows.
    pub fn new(out: W, kind: Kind) -> Self {
        WholeWriter {
            kind,
            out: Some(out),
            table: None,
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Fails also if the columns are not those of the rows before, or not numbers in an NPY file.
    pub fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        if let Some(out) = self.out.take() {
            self.table = Some(Table::new(out, self.kind, rows)?);
        }
        match &mut self.table {
            Some(Table::Csv { out, has_header }) => {
                // Into memory first: arrow-csv turns an error of `out` into text.
                let mut text = Vec::new();
                let mut csv = arrow_csv::WriterBuilder::new()
                    .with_header(!*has_header)
                    .build(&mut text);
                csv.write(rows).map_err(io::Error::other)?;
                drop(csv);
                *has_header = true;
                out.write_all(&text)
            }
            Some(Table::Parquet(parquet)) => parquet.write(rows).map_err(write_error),
            Some(Table::Npy {
                rows: file, count, ..
            }) => {
                *count += rows.num_rows() as u64;
                let columns = (0..rows.num_columns()).map(|at| {
                    let name = rows.schema_ref().field(at).name().clone();
                    numbers(rows, at).ok_or_else(|| {
                        io::Error::other(format!("an NPY file holds numbers, and {name:?} has none: write .csv or .parquet"))
                    })
                });
                let columns = columns.collect::<io::Result<Vec<_>>>()?;
                for row in 0..rows.num_rows() {
                    for column in &columns {
                        file.write_all(&column[row].to_le_bytes())?;
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Finishes the table; without this the file is not complete.
    pub fn finish(self) -> io::Result<()> {
        match self.table {
            Some(Table::Csv { mut out, .. }) => out.flush(),
            Some(Table::Parquet(parquet)) => parquet.close().map(drop).map_err(write_error),
            Some(Table::Npy {
                mut out,
                rows,
                count,
                columns,
            }) => {
                let mut rows = rows.into_inner().map_err(io::IntoInnerError::into_error)?;
                rows.rewind()?;
                out.write_all(&npy_header(count, columns))?;
                io::copy(&mut rows, &mut out)?;
                out.flush()
            }
            None => Err(io::Error::other("there are no rows to write")),
        }
    }
}

impl<W: Write + Send> Table<W> {
    fn new(out: W, kind: Kind, rows: &RecordBatch) -> io::Result<Self> {
        Ok(match kind {
            Kind::Csv => Table::Csv {
                out,
                has_header: false,
            },
            Kind::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
                let writer = ArrowWriter::try_new(out, rows.schema(), Some(properties.build()));
                Table::Parquet(Box::new(writer.map_err(write_error)?))
            }
            Kind::Npy => Table::Npy {
                out,
                rows: BufWriter::new(tempfile::tempfile()?),
                count: 0,
                columns: rows.num_columns(),
            },
        })
    }
}

/// Returns the numbers of a column, NaN where they are missing; `None` if it holds something else.
fn numbers(rows: &RecordBatch, at: usize) -> Option<Vec<f64>> {
    let column = rows.column(at);
    let as_type = |column: &ArrayRef, kind: DataType| arrow_cast::cast(column, &kind).ok();
    // A time becomes what it counts where it is x: days or seconds.
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let (counts, unit) = match column.data_type() {
        DataType::Utf8 => return numbers_of_text(column.as_string::<i32>()),
        DataType::LargeUtf8 | DataType::Utf8View => return None,
        DataType::Date32 => (as_type(column, DataType::Int32)?, 1.0),
        DataType::Date64 => (
            as_type(&as_type(column, DataType::Date32)?, DataType::Int32)?,
            1.0,
        ),
        DataType::Timestamp(..) => (as_type(&as_type(column, micros)?, DataType::Int64)?, 1e6),
        _ => (Arc::clone(column), 1.0),
    };
    let numbers = as_type(&counts, DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    Some(
        numbers
            .map(|number| number.map_or(f64::NAN, |number| number / unit))
            .collect(),
    )
}

/// Returns the numbers of a column of texts, NaN where they are missing; `None` if one is something else.
fn numbers_of_text(texts: &StringArray) -> Option<Vec<f64>> {
    let missing = Missing::default();
    let number = |text: &str| match missing.has_text(text.as_bytes()) {
        true => Some(f64::NAN),
        false => number(text.as_bytes()),
    };
    texts
        .iter()
        .map(|text| text.map_or(Some(f64::NAN), number))
        .collect()
}
