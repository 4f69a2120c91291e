//! Writers of tables: CSV, Parquet and NPY, block by block.

use std::io::{self, Write};
use std::path::Path;

use self::parquet::ParquetWriter;
use crate::error::Error;

mod parquet;
mod whole;

pub use self::whole::WholeWriter;

/// A kind of file to write a table to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text: a header, then a line for each row. Numbers have the fewest digits that read back as the same f64.
    Csv,
    /// Columns of type DOUBLE without missing values, in row groups of 1,048,576 rows, compressed with Snappy.
    Parquet,
    /// An array of n rows and a column for each name, little-endian f64 in C order; the names are lost.
    Npy,
}

/// Returns the kind of file that a path's extension names.
///
/// # Errors
/// [`Error::Usage`] for another extension, with the ones that are supported.
pub fn kind(path: &Path) -> Result<Kind, Error> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(Kind::Csv),
        Some("parquet") => Ok(Kind::Parquet),
        Some("npy") => Ok(Kind::Npy),
        _ => Err(Error::Usage(format!(
            "{} must end in .csv, .parquet or .npy",
            path.display()
        ))),
    }
}

/// Writes a table of f64 columns.
///
/// Values that are not finite are kept; CSV writes them as `NaN` and `inf`.
pub struct Writer<W: Write + Send> {
    table: Table<W>,
    columns: usize,
    /// Rows that are still to be written.
    left: u64,
}

enum Table<W: Write + Send> {
    // In boxes because they are large.
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<ParquetWriter<W>>),
    Npy(W),
}

impl<W: Write + Send> Writer<W> {
    /// Starts a table of `rows` rows with a column for each name.
    ///
    /// # Errors
    /// Fails if `out` can't be written to, as the functions below do.
    pub fn new(mut out: W, kind: Kind, names: &[&str], rows: u64) -> io::Result<Self> {
        let table = match kind {
            Kind::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(names).map_err(csv_error)?;
                Table::Csv(Box::new(csv))
            }
            Kind::Parquet => Table::Parquet(Box::new(ParquetWriter::new(out, names)?)),
            Kind::Npy => {
                out.write_all(&npy_header(rows, names.len()))?;
                Table::Npy(out)
            }
        };
        Ok(Writer {
            table,
            columns: names.len(),
            left: rows,
        })
    }

    /// Adds rows, given as columns of one length.
    ///
    /// # Errors
    /// Fails also if the columns are not one for each name and of one length, or if there are more rows than announced.
    pub fn block(&mut self, columns: &[&[f64]]) -> io::Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        let of_one_length = columns.iter().all(|column| column.len() == rows);
        if columns.len() != self.columns || !of_one_length || rows as u64 > self.left {
            return Err(io::Error::other(
                "these columns are not a block of this table",
            ));
        }
        self.left -= rows as u64;
        match &mut self.table {
            Table::Csv(csv) => {
                let mut record = vec![0.0; self.columns];
                for row in 0..rows {
                    for (value, column) in record.iter_mut().zip(columns) {
                        *value = column[row];
                    }
                    csv.serialize(&record).map_err(csv_error)?;
                }
                Ok(())
            }
            Table::Parquet(parquet) => parquet.block(columns),
            Table::Npy(out) => {
                let mut bytes = Vec::with_capacity(size_of::<f64>() * rows * self.columns);
                for row in 0..rows {
                    for column in columns {
                        bytes.extend(column[row].to_le_bytes());
                    }
                }
                out.write_all(&bytes)
            }
        }
    }

    /// Finishes the table; without this the file is not complete.
    ///
    /// # Errors
    /// Fails also if rows that were announced are missing.
    pub fn finish(self) -> io::Result<()> {
        if self.left > 0 {
            let text = format!("the table lacks {} of its rows", self.left);
            return Err(io::Error::other(text));
        }
        match self.table {
            Table::Csv(mut csv) => csv.flush(),
            Table::Parquet(parquet) => parquet.finish(),
            Table::Npy(mut out) => out.flush(),
        }
    }
}

/// Returns the header of an NPY file of version 1.0, padded so that the data start at a multiple of 64 bytes.
fn npy_header(rows: u64, columns: usize) -> Vec<u8> {
    const BEFORE: usize = 10;
    let mut text =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let length = (BEFORE + text.len() + 1).next_multiple_of(64) - BEFORE;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // The length is about a hundred for any numbers.
    header.extend((length as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

/// Returns the writer's own error from one of the csv crate.
pub fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
