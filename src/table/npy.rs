//! Arrays that NumPy saved.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};

use self::array::Strided;
use self::header::NpyHeader;
use super::request::ColumnChoice;
use super::rows::{Axis, Bad, Request, Rows, judge, titled};
use super::shared::SharedFile;
use super::whole::{Whole, array_of, type_of};
use crate::data::{BLOCK, Block, Time, positions};
use crate::error::{Error, Row, RowError, TableKind};

mod array;
mod dictionary;
mod header;

/// Two columns of an NPY file, or two files of one column each.
///
/// An array holds integers, floating-point numbers of 16, 32 or 64 bits, booleans, dates or times, in either byte order and
/// dimension order. Dates are days since 1970, or seconds if their unit is shorter. The fields of a structured array are columns with names. A value becomes the nearest f64; false is 0 and true 1.
/// Only the blocks that are read are in memory.
#[derive(Debug)]
pub struct Npy {
    rows: u64,
    /// The name of the file, or of both.
    title: String,
    x: NpyColumn,
    /// `None` if x is alone.
    y: Option<NpyColumn>,
    /// All columns that hold numbers, with their names.
    columns: Vec<(String, Strided)>,
}

/// A column and its names.
#[derive(Debug)]
struct NpyColumn {
    name: String,
    /// The file, as errors name it.
    file: String,
    /// Its name within a sentence: `column 2`; `None` if it is the only column of its file.
    title: Option<String>,
    array: Strided,
}

impl Npy {
    /// Opens `path`, an array of n rows and at least two columns, or one if x is alone. The request chooses columns by
    /// position, and fields of a structured array also by name.
    ///
    /// # Errors
    /// - [`Error::Io`] if the file can't be read.
    /// - [`Error::Data`] if it is not an NPY file, is shorter than it says, or has another shape or type.
    /// - [`Error::Data`] if a column is missing, or there are too few rows.
    pub fn open(path: &Path, request: &Request) -> Result<Self, Error> {
        let (file, name) = open(path)?;
        Self::from_file(file, name, request)
    }

    /// Reads the header of an open file; errors call it `name`.
    ///
    /// # Errors
    /// See [`Npy::open`].
    pub fn from_file(file: SharedFile, name: String, request: &Request) -> Result<Self, Error> {
        let header = NpyHeader::read(file, &name)?;
        let columns = ColumnChoice {
            file: &name,
            columns: &header.columns,
            unnamed: header.unnamed,
            kind: TableKind::Npy,
        };
        let (x, y) = columns.choose(request)?;
        let column = |at| {
            let array = header.array(at).ok_or_else(|| {
                let (title, listed) = (columns.titled(at), columns.list());
                Error::Data(format!("{name}: {title} holds no numbers; {listed}"))
            })?;
            Ok::<_, Error>(NpyColumn {
                name: columns.name(at),
                file: name.clone(),
                title: Some(columns.titled(at)),
                array,
            })
        };
        let all =
            (0..header.columns.len()).filter_map(|at| Some((columns.name(at), header.array(at)?)));
        Ok(Npy {
            rows: header.rows,
            x: column(x)?,
            y: y.map(column).transpose()?,
            columns: all.collect(),
            title: short(&name),
        })
    }

    /// Opens two files that hold one column each, as arrays of one dimension or of one column.
    ///
    /// # Errors
    /// See [`Npy::open`]. Also [`Error::Data`] if one file is longer than the other.
    pub fn open_pair(x: &Path, y: &Path) -> Result<Self, Error> {
        let (x_rows, x) = NpyColumn::alone(x)?;
        let (y_rows, y) = NpyColumn::alone(y)?;
        if x_rows != y_rows {
            return Err(Error::Data(format!(
                "{} has {x_rows} rows and {} has {y_rows}; both must have the same number",
                x.file, y.file
            )));
        }
        Ok(Npy {
            rows: x_rows,
            title: format!("{}, {}", short(&x.file), short(&y.file)),
            columns: [&x, &y]
                .map(|column| (column.name.clone(), column.array.clone()))
                .into(),
            x,
            y: Some(y),
        })
    }

    fn column(&self, axis: Axis) -> &NpyColumn {
        match axis {
            Axis::X => &self.x,
            Axis::Y => self.y.as_ref().unwrap_or(&self.x),
        }
    }
}

impl NpyColumn {
    /// Returns the number of rows of a file, and its only column.
    fn alone(path: &Path) -> Result<(u64, Self), Error> {
        let (file, name) = open(path)?;
        let header = NpyHeader::read(file, &name)?;
        match (header.columns.len(), header.array(0)) {
            (1, Some(array)) => Ok((
                header.rows,
                NpyColumn {
                    name: short(&name),
                    file: name,
                    title: None,
                    array,
                },
            )),
            (1, None) => Err(Error::Data(format!("{name} holds no numbers"))),
            (columns, _) => Err(Error::Data(format!(
                "{name} has {columns} columns; a file of x or y alone must have one"
            ))),
        }
    }
}

impl Rows for Npy {
    fn time(&self) -> Option<Time> {
        self.x.array.number.time()
    }

    fn names(&self) -> [String; 2] {
        let y = self.y.as_ref().map(|y| y.name.clone());
        [self.x.name.clone(), y.unwrap_or_default()]
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        let rows = positions(index, self.rows);
        block.clear();
        let x = (&self.x.array, &mut block.x);
        let read = |columns: &mut [_], column: &NpyColumn| {
            let read = array::read(columns, rows.clone());
            column.array.file.unchanged(&column.file)?;
            read.map_err(Error::cannot_read(&column.file))
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
        let NpyColumn { file, title, .. } = self.column(bad.axis);
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
        titled(&self.title, self.names())
    }
}

impl Whole for Npy {
    fn columns(&self, each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>) -> Result<(), Error> {
        for index in 0..self.rows.div_ceil(BLOCK as u64) {
            let rows = positions(index, self.rows);
            let columns = self.columns.iter().map(|(name, array)| {
                let mut values = Vec::new();
                array::read(&mut [(array, &mut values)], rows.clone())
                    .map_err(Error::cannot_read(&self.x.file))?;
                let time = array.number.time();
                Ok((
                    Field::new(name, type_of(time), true),
                    array_of(values, time),
                ))
            });
            let (fields, values): (Vec<_>, Vec<_>) = columns
                .collect::<Result<Vec<_>, Error>>()?
                .into_iter()
                .unzip();
            let schema = Arc::new(Schema::new(fields));
            let batch = RecordBatch::try_new(schema, values);
            each(batch.map_err(|error| Error::Data(error.to_string()))?)?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<(SharedFile, String), Error> {
    let name = path.display().to_string();
    let file = File::open(path).and_then(SharedFile::new);
    let file = file.map_err(Error::cannot_read(&name))?;
    Ok((file, name))
}

/// Returns a file's name without its folders.
fn short(name: &str) -> String {
    let path = Path::new(name);
    let file = path.file_name().unwrap_or(path.as_os_str());
    file.display().to_string()
}
