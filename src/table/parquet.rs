//! Two columns of a Parquet file.
//!
//! Nothing of it is held but the footer: cursors that stand somewhere in the file go on from page to page, and
//! [`Rows::read`] takes one that stands at the block it is asked for, or not far before it.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use self::copy::Copy;
use self::cursor::Cursor;
use self::table::Table;
use super::rows::{Axis, Bad, Request, Rows, Skipped, enough, judge};
use crate::data::{Block, positions};
use crate::error::{Error, Row, RowError};

mod copy;
mod cursor;
mod numbers;
mod pages;
mod table;

/// A Parquet file.
///
/// A value becomes the nearest f64: integers of any width and sign, floating-point numbers of 16, 32 and 64 bits, and
/// decimals as what they stand for. Timestamps are **seconds** since 1970, times of day seconds since midnight, dates
/// **days** since 1970; false is 0 and true 1. What has another type, or may stand several times in a row (a list), is
/// not numeric; a field of a struct is a column by the name `struct.field`.
///
/// Each thread that reads holds a page and a dictionary of either column, which most programs write of a megabyte. Where
/// pages are so large that all threads together would hold too much, the columns are copied to an unnamed temporary file
/// when it is opened, in f64, a page at a time. A page of more than 400 MB is refused.
pub struct Parquet {
    table: Table,
    /// Cursors that nobody uses, the one used last at the end.
    idle: Mutex<Vec<Cursor>>,
    /// What is read instead, where pages are large.
    copy: Option<Copy>,
}

impl Parquet {
    /// Opens `path` and chooses the columns; no row is read yet.
    ///
    /// # Errors
    /// [`Error::Io`] where the file can't be read; [`Error::Data`] for one that is no Parquet file or damaged, for a
    /// column that is missing or not numeric, and for too few rows.
    pub fn open(path: &Path, request: &Request) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(Error::cannot_read(&name))?;
        Self::from_file(file, name, request)
    }

    /// Likewise, of a file that is open; `name` is what errors call it.
    ///
    /// # Errors
    /// See [`Parquet::open`].
    pub fn from_file(file: File, name: String, request: &Request) -> Result<Self, Error> {
        let table = Table::open(file, name, request)?;
        enough(table.file(), table.rows(), &Skipped::default(), request)?;
        let copy = match table.has_large_pages()? {
            true => Some(Copy::of(&table)?),
            false => None,
        };
        table.unchanged()?;
        Ok(Parquet {
            copy,
            table,
            idle: Mutex::default(),
        })
    }

    /// The names of x and y; the latter is empty where x is alone.
    pub fn columns(&self) -> (String, String) {
        let mut names = self
            .table
            .columns()
            .iter()
            .map(|column| column.name.clone());
        let mut next = || names.next().unwrap_or_default();
        (next(), next())
    }

    /// A cursor at a row: the idle one that has least to skip, else a new one.
    fn cursor(&self, row: u64) -> Result<Cursor, Error> {
        let near = self.table.groups()[self.table.group_at(row)].first;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = (0..idle.len())
            .filter(|&at| (near..=row).contains(&idle[at].row()))
            .max_by_key(|&at| idle[at].row());
        let found = nearest.map(|at| idle.remove(at));
        drop(idle);
        let mut cursor = match found {
            Some(cursor) => cursor,
            None => Cursor::new(&self.table, row)?,
        };
        cursor.advance(&self.table, row)?;
        Ok(cursor)
    }

    /// Keeps a cursor for who goes on from there: as many as threads may read at once, those used last.
    fn keep(&self, cursor: Cursor) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= rayon::current_num_threads() {
            idle.remove(0);
        }
        idle.push(cursor);
    }
}

impl Rows for Parquet {
    fn rows(&self) -> u64 {
        self.table.rows()
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        let rows = positions(index, self.rows());
        block.clear();
        let (mut x_missing, mut y_missing) = (Vec::new(), Vec::new());
        let mut columns = [
            (&mut block.x, &mut x_missing),
            (&mut block.y, &mut y_missing),
        ];
        let count = (rows.end - rows.start) as usize;
        if let Some(copy) = &self.copy {
            let place = format!("the temporary file that holds {}", self.title());
            let read = copy.read(rows, &mut columns);
            read.map_err(Error::cannot_read(&place))?;
        } else {
            let cursor = self.cursor(rows.start).and_then(|mut cursor| {
                cursor.read(&self.table, count, &mut columns)?;
                Ok(cursor)
            });
            // What a file became may look damaged.
            self.table.unchanged()?;
            self.keep(cursor?);
        }
        // Where x is alone.
        block.y.resize(count, 0.0);
        judge(block, &x_missing, &y_missing, bad);
        Ok(())
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
        let file = file.file_name().unwrap_or(file.as_os_str()).display();
        match self.columns() {
            (x, y) if y.is_empty() => format!("{file}: {x}"),
            (x, y) => format!("{file}: {y} over {x}"),
        }
    }
}

impl fmt::Debug for Parquet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parquet").field(&self.title()).finish()
    }
}
