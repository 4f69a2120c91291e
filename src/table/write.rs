//! Tables of numbers as files, written block by block.

use std::io::{self, Write};
use std::path::Path;

use self::parquet::ParquetWriter;
use crate::error::Error;

mod parquet;

/// A kind of file for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text: a header, then a line for each row, with the fewest digits that read back as the same f64.
    Csv,
    /// Columns of DOUBLE without nulls, in row groups of 1,048,576 rows, compressed with Snappy.
    Parquet,
    /// An array of n rows and a column for each name, little-endian f64 in C's order; the names are lost.
    Npy,
}

/// The kind of file that a path's ending asks for.
///
/// # Errors
/// [`Error::Usage`] with the endings that there are.
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
/// A value that is no finite number is written as such; CSV has `NaN` and `inf` for it.
pub struct Writer<W: Write + Send> {
    table: Table<W>,
    columns: usize,
    /// Rows still to come.
    left: u64,
}

enum Table<W: Write + Send> {
    // Boxed: they are large.
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<ParquetWriter<W>>),
    Npy(W),
}

impl<W: Write + Send> Writer<W> {
    /// Begins a table of `rows` rows with a column of each name.
    ///
    /// # Errors
    /// That `out` can't be written to, here and below.
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
    /// Also where these are not as many columns as there are names, of one length, or more rows than were announced.
    pub fn block(&mut self, columns: &[&[f64]]) -> io::Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        let of_one_length = columns.iter().all(|column| column.len() == rows);
        if columns.len() != self.columns || !of_one_length || rows as u64 > self.left {
            return Err(io::Error::other("that is no block of the table begun"));
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

    /// Ends the table: without this it is none.
    ///
    /// # Errors
    /// Also where rows that were announced are missing.
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

/// Version 1.0, padded so that the data start at a multiple of 64 bytes.
fn npy_header(rows: u64, columns: usize) -> Vec<u8> {
    const BEFORE: usize = 10;
    let mut text =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let length = (BEFORE + text.len() + 1).next_multiple_of(64) - BEFORE;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // Some hundred bytes, whatever the numbers.
    header.extend((length as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

/// What the csv crate wraps: its errors in writing are those of what it writes to.
pub fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
