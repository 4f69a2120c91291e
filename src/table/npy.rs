//! Arrays that NumPy saved.

use std::fs::File;
use std::path::Path;

use self::array::Array;
use self::header::Header;
use super::request::ColumnChoice;
use super::rows::{Axis, Bad, Request, Rows, Skipped, enough, judge};
use crate::data::{Block, positions};
use crate::error::{Error, Row, RowError, TableKind};

mod array;
mod header;

/// Two columns of an NPY file, or two files of one column each: arrays of integers, floating-point numbers (of 16, 32
/// or 64 bits) or booleans, in either byte and dimension order; or the fields of a structured array, by name.
///
/// A value becomes the nearest f64; false is 0 and true 1. Only a block is held at a time.
#[derive(Debug)]
pub struct Npy {
    rows: u64,
    /// The file's name, or both.
    title: String,
    x: Column,
    /// None where x is alone.
    y: Option<Column>,
}

/// A column and what to call it.
#[derive(Debug)]
struct Column {
    name: String,
    /// Where errors say that it is: `points.npy, column 2`.
    file: String,
    title: Option<String>,
    array: Array,
}

impl Npy {
    /// Opens `path`, an array of n rows and at least two columns (one will do where x is alone); the request's
    /// positions say which, fields' names too where the array has them.
    ///
    /// # Errors
    /// [`Error::Io`] where the file can't be read; [`Error::Data`] for one that is no NPY file or shorter than it
    /// says, for another shape or type, for a column that is missing, and for too few rows.
    pub fn open(path: &Path, request: &Request) -> Result<Self, Error> {
        let (file, name) = open(path)?;
        Self::from_file(file, name, request)
    }

    /// Likewise, of a file that is open; `name` is what errors call it.
    ///
    /// # Errors
    /// See [`Npy::open`].
    pub fn from_file(file: File, name: String, request: &Request) -> Result<Self, Error> {
        let header = Header::read(file, &name)?;
        let columns = ColumnChoice {
            file: &name,
            columns: &header.columns,
            unnamed: header.unnamed,
            kind: TableKind::Npy,
            note: None,
        };
        let (x, y) = columns.choose(request)?;
        enough(&name, header.rows, &Skipped::default(), request)?;
        let column = |at| {
            let array = header.array(at).ok_or_else(|| {
                let (title, listed) = (columns.titled(at), columns.list());
                Error::Data(format!("{name}: {title} holds no numbers; {listed}"))
            })?;
            Ok::<_, Error>(Column {
                name: columns.name(at),
                file: name.clone(),
                title: Some(columns.titled(at)),
                array,
            })
        };
        Ok(Npy {
            rows: header.rows,
            x: column(x)?,
            y: y.map(column).transpose()?,
            title: short(&name),
        })
    }

    /// Opens two files that hold one column each, as arrays of one dimension or of one column.
    ///
    /// # Errors
    /// See [`Npy::open`]; and [`Error::Data`] where one is longer than the other.
    pub fn open_pair(x: &Path, y: &Path) -> Result<Self, Error> {
        let (x_rows, x) = Column::alone(x)?;
        let (y_rows, y) = Column::alone(y)?;
        if x_rows != y_rows {
            return Err(Error::Data(format!(
                "{} has {x_rows} rows and {} {y_rows}; x and y must be as many",
                x.file, y.file
            )));
        }
        enough(&x.file, x_rows, &Skipped::default(), &Request::default())?;
        Ok(Npy {
            rows: x_rows,
            title: format!("{}, {}", short(&x.file), short(&y.file)),
            x,
            y: Some(y),
        })
    }

    /// The names of x and y: the fields', the files' where there are two, else `column 1`; the latter is empty where x
    /// is alone.
    pub fn columns(&self) -> (String, String) {
        let y = self.y.as_ref().map(|y| y.name.clone());
        (self.x.name.clone(), y.unwrap_or_default())
    }

    fn column(&self, axis: Axis) -> &Column {
        match axis {
            Axis::X => &self.x,
            Axis::Y => self.y.as_ref().unwrap_or(&self.x),
        }
    }
}

impl Column {
    /// The only column of a file, and how many rows it has.
    fn alone(path: &Path) -> Result<(u64, Self), Error> {
        let (file, name) = open(path)?;
        let header = Header::read(file, &name)?;
        match (header.columns.len(), header.array(0)) {
            (1, Some(array)) => Ok((
                header.rows,
                Column {
                    name: short(&name),
                    file: name,
                    title: None,
                    array,
                },
            )),
            (1, None) => Err(Error::Data(format!("{name} holds no numbers"))),
            (columns, _) => Err(Error::Data(format!(
                "{name} has {columns} columns; of two files each must have one"
            ))),
        }
    }
}

impl Rows for Npy {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        let rows = positions(index, self.rows);
        block.clear();
        let x = (&self.x.array, &mut block.x);
        let read = |columns: &mut [_], of: &Column| {
            let read = array::read(columns, rows.clone());
            of.array.file.unchanged(&of.file)?;
            read.map_err(Error::cannot_read(&of.file))
        };
        match &self.y {
            Some(y) if y.array.beside(&self.x.array) => {
                read(&mut [x, (&y.array, &mut block.y)], y)?;
            }
            Some(y) => {
                read(&mut [x], &self.x)?;
                read(&mut [(&y.array, &mut block.y)], y)?;
            }
            None => {
                read(&mut [x], &self.x)?;
                block.y.resize(block.x.len(), 0.0);
            }
        }
        judge(block, &[], &[], bad);
        Ok(())
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        let Column { file, title, .. } = self.column(bad.axis);
        RowError {
            file: file.clone(),
            row: Row::Row(row + 1),
            column: title.clone(),
            text: bad.text(),
            reason: bad.reason,
            hint: None,
        }
    }

    fn title(&self) -> String {
        match self.columns() {
            (x, y) if y.is_empty() => format!("{}: {x}", self.title),
            (x, y) => format!("{}: {y} over {x}", self.title),
        }
    }
}

fn open(path: &Path) -> Result<(File, String), Error> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(Error::cannot_read(&name))?;
    Ok((file, name))
}

/// A file's name without its folders.
fn short(name: &str) -> String {
    let path = Path::new(name);
    let file = path.file_name().unwrap_or(path.as_os_str());
    file.display().to_string()
}
