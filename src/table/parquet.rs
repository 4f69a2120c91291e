//! Two columns of a Parquet file.
//!
//! Only the footer stays in memory. `Cursor`s stand at a row of the file and continue from page to page.
//! [`Rows::read`] takes the one that stands at the block it is asked for, or else opens another.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;

use self::copy::ParquetCopy;
use self::numbers::Numbers;
use self::reader::ColumnReader;
use self::table::ParquetTable;
use super::rows::{Axis, Bad, Request, Rows, judge, titled};
use super::shared::SharedFile;
use super::whole::Whole;
use crate::data::{Block, Time, positions};
use crate::error::{Error, Row, RowError};

mod claims;
mod copy;
mod numbers;
mod pages;
mod reader;
mod shapes;
mod table;
mod thrift;

/// A Parquet file.
///
/// A value becomes the nearest f64: integers of any width and sign, floating-point numbers of 16, 32 and 64 bits, and
/// decimals of up to 76 digits. Timestamps are **seconds** since 1970, times of day seconds since midnight, dates **days**
/// since 1970; false is 0 and true 1. A column of another type, or one that may hold several values a row (a list), is not
/// numeric. A field of a struct is a column with the name `struct.field`.
///
/// Each thread that reads holds a page and a dictionary of each column, which most programs write of a megabyte. Pages may be
/// so large that all threads together would hold too much. The columns are then copied to an unnamed temporary file when
/// the file is opened, in f64, one page at a time. Pages that take more than 400 MB are refused.
pub struct Parquet {
    table: ParquetTable,
    /// Cursors that nobody uses, the one used last at the end.
    idle: Mutex<Vec<Cursor>>,
    /// The numbers, copied because pages are large.
    copy: Option<ParquetCopy>,
}

/// Readers that stand at one row.
struct Cursor {
    /// The position of the readers' row group in the table's list.
    group: usize,
    /// The next row.
    row: u64,
    /// A reader of each column.
    readers: Vec<ColumnReader>,
}

impl Parquet {
    /// Opens `path` and chooses the columns; reads no row yet.
    ///
    /// # Errors
    /// - [`Error::Io`] if the file can't be read.
    /// - [`Error::Data`] if it is damaged or not a Parquet file, or if a column is missing or not numeric.
    pub fn open(path: &Path, request: &Request) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).and_then(SharedFile::new);
        let file = file.map_err(Error::cannot_read(&name))?;
        Self::from_file(file, name, request)
    }

    /// Chooses the columns of an open file; errors call it `name`.
    ///
    /// # Errors
    /// See [`Parquet::open`].
    pub fn from_file(file: SharedFile, name: String, request: &Request) -> Result<Self, Error> {
        let table = ParquetTable::open(file, name, request)?;
        let copy = if table.has_large_pages()? {
            Some(ParquetCopy::new(&table)?)
        } else {
            None
        };
        table.unchanged()?;
        Ok(Parquet {
            copy,
            table,
            idle: Mutex::default(),
        })
    }

    /// Returns a cursor at a row: an idle one, or else a new one.
    fn cursor(&self, row: u64) -> Result<Cursor, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|cursor| cursor.row == row);
        let found = found.map(|at| idle.remove(at));
        drop(idle);
        match found {
            Some(cursor) => Ok(cursor),
            None => Cursor::new(&self.table, row),
        }
    }

    /// Keeps a cursor for the next block: as many as threads may read at once, those used last.
    fn keep(&self, cursor: Cursor) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= rayon::current_num_threads() {
            idle.remove(0);
        }
        idle.push(cursor);
    }
}

impl Cursor {
    fn new(table: &ParquetTable, row: u64) -> Result<Self, Error> {
        let group = table.group_at(row);
        let columns = 0..table.columns().len();
        let readers = columns.map(|column| table.reader(&table.groups()[group], column, row));
        Ok(Cursor {
            group,
            row,
            readers: readers.collect::<Result<_, Error>>()?,
        })
    }

    /// Adds the next `rows` rows, which the file must have, to `columns`.
    fn read(
        &mut self,
        table: &ParquetTable,
        rows: u64,
        columns: &mut [Numbers; 2],
    ) -> Result<(), Error> {
        let end = self.row + rows;
        while self.row < end {
            let mut group = &table.groups()[self.group];
            if self.row == group.first + group.rows {
                *self = Cursor::new(table, self.row)?;
                group = &table.groups()[self.group];
            }
            let rows = end.min(group.first + group.rows) - self.row;
            let readers = self.readers.iter_mut().zip(columns.iter_mut());
            for (column, (reader, numbers)) in readers.enumerate() {
                table.read(column, reader, rows as usize, numbers)?;
            }
            self.row += rows;
        }
        Ok(())
    }
}

impl Rows for Parquet {
    fn names(&self) -> [String; 2] {
        let columns = self.table.columns();
        [0, 1].map(|at| {
            columns
                .get(at)
                .map_or_else(String::new, |column| column.name.clone())
        })
    }

    fn rows(&self) -> u64 {
        self.table.rows()
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        let rows = positions(index, self.rows());
        let count = rows.end - rows.start;
        block.clear();
        let [x, y] = [&mut block.x, &mut block.y].map(std::mem::take);
        let mut columns = [x, y].map(|values| Numbers {
            values,
            missing: Vec::new(),
        });
        if let Some(copy) = &self.copy {
            let place = format!("the temporary file that holds {}", self.title());
            for (column, numbers) in (0..self.table.columns().len()).zip(&mut columns) {
                let read = copy.read(column, rows.clone(), numbers);
                read.map_err(Error::cannot_read(&place))?;
            }
        } else {
            let cursor = self.cursor(rows.start).and_then(|mut cursor| {
                cursor.read(&self.table, count, &mut columns)?;
                Ok(cursor)
            });
            // A file that was written to may look damaged.
            self.table.unchanged()?;
            self.keep(cursor?);
        }
        let [x, mut y] = columns;
        // y is 0 if x is alone.
        y.values.resize(count as usize, 0.0);
        (block.x, block.y) = (x.values, y.values);
        judge(block, &x.missing, &y.missing, bad);
        Ok(())
    }

    fn time(&self) -> Option<Time> {
        self.table.columns().first()?.time
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        let at = match bad.axis {
            Axis::X => 0,
            Axis::Y => 1,
        };
        let column = self.table.columns().get(at);
        RowError {
            file: self.table.file().to_owned(),
            row: Row::Row(row + 1),
            column: column.map(|column| column.title.clone()),
            text: bad.text(),
            reason: bad.reason,
            hint: None,
        }
    }

    fn title(&self) -> String {
        let file = Path::new(self.table.file());
        let file = file.file_name().unwrap_or(file.as_os_str());
        titled(&file.to_string_lossy(), self.names())
    }
}

impl Whole for Parquet {
    fn columns(&self, each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>) -> Result<(), Error> {
        self.table.whole(each)
    }
}

impl fmt::Debug for Parquet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parquet").field(&self.title()).finish()
    }
}
