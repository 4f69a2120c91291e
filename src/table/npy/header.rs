//! The header of an NPY file: a magic number, a version, and a Python dictionary that describes the array.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io;

use super::array::{NumberType, Strided};
use super::dictionary::{self, Literal};
use crate::error::{Error, NamedColumn};
use crate::table::shared::SharedFile;

/// The first bytes of a file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Maximum bytes of a header; NumPy itself reads up to 10,000 unless told otherwise.
const LONGEST: u32 = 1 << 20;
/// Maximum number of columns; an array with more has its samples side by side.
const WIDEST: u64 = 10_000;

/// The content of a file.
pub struct NpyHeader {
    /// Rows of the array.
    pub rows: u64,
    /// Columns of the array, or fields of its records.
    pub columns: Vec<NamedColumn>,
    /// Why the columns have no names; `None` if they have.
    pub unnamed: Option<&'static str>,
    /// The numbers of each column that holds numbers.
    arrays: Vec<Option<Strided>>,
}

/// A value, or a field of a record.
#[derive(Clone)]
struct Field {
    /// Its name; empty for the only value, and for the padding of a record.
    name: String,
    /// The type of its numbers; `None` if it holds something else.
    number: Option<NumberType>,
    /// Bytes.
    size: u64,
}

/// The entries of the dictionary.
struct Entries {
    fields: Vec<Field>,
    /// `true` if the fields are those of a record.
    structured: bool,
    /// `true` in Fortran order: values of a column follow each other.
    fortran: bool,
    shape: Vec<u64>,
}

impl NpyHeader {
    /// Reads the header, and checks that the file is as long as it says.
    pub fn read(file: SharedFile, name: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Data(format!("{name} {what}"));
        let cannot_read = Error::cannot_read(name);
        let (text, data) = match text(&file) {
            Ok(Some(found)) => found,
            Ok(None) => return Err(bad("is not an NPY file of version 1, 2 or 3")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(bad("is cut short, or not an NPY file"));
            }
            Err(error) => return Err(cannot_read(error)),
        };
        let entries = Entries::parse(&text).ok_or_else(|| {
            if text.contains("'|O'") || text.contains("'O'") {
                bad("holds Python objects; save its numbers: array.astype(float)")
            } else {
                bad("is not a plain table; save an array of numbers with one or two dimensions")
            }
        })?;
        let (rows, width) = entries.rows_and_width().map_err(|what| bad(&what))?;
        let end = entries
            .record()
            .and_then(|record| record.checked_mul(width))
            .and_then(|row| row.checked_mul(rows))
            .and_then(|bytes| bytes.checked_add(data))
            .ok_or_else(|| bad("says that it is larger than a file can be"))?;
        if end > file.length() {
            return Err(bad(&format!(
                "is cut short: it has {} of the {end} bytes that its header says",
                file.length()
            )));
        }
        Ok(entries.place(&file, data, rows, width))
    }

    /// Returns the numbers of a column; `None` if it holds something else.
    pub fn array(&self, at: usize) -> Option<Strided> {
        self.arrays.get(at).cloned().flatten()
    }
}

/// Returns the dictionary's text, and the position of the data in the file; `None` for another kind of file.
fn text(file: &SharedFile) -> io::Result<Option<(String, u64)>> {
    let mut start = [0; 8];
    file.read_exact_at(&mut start, 0)?;
    let version = match start.strip_prefix(MAGIC) {
        Some(&[version @ 1..=3, _]) => version,
        _ => return Ok(None),
    };
    // Version 1 has two bytes for the length, later ones have four.
    let mut length = [0; 4];
    let width = if version == 1 { 2 } else { 4 };
    file.read_exact_at(&mut length[..width], 8)?;
    let (length, before) = (u32::from_le_bytes(length), 8 + width as u64);
    if length > LONGEST {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, before)?;
    let text = if version == 3 {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        // Latin-1, whose bytes are Unicode's first characters.
        bytes.iter().map(|&byte| char::from(byte)).collect()
    };
    Ok(Some((text, before + u64::from(length))))
}

impl Entries {
    /// Returns `None` for a text that describes no array, or one that is not a table.
    fn parse(text: &str) -> Option<Self> {
        let entries = dictionary::parse(text)?;
        let entry = |wanted: &str| {
            let found = entries.iter().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value)
        };
        let (fields, structured) = match entry("descr")? {
            Literal::Text(code) => (vec![Field::new("", code)?], false),
            Literal::List(fields) => {
                let fields = fields.iter().map(|field| Field::of_record(field, ""));
                (fields.collect::<Option<Vec<_>>>()?.concat(), true)
            }
            _ => return None,
        };
        let (Literal::Boolean(fortran), Literal::Tuple(shape)) =
            (entry("fortran_order")?, entry("shape")?)
        else {
            return None;
        };
        let size = |literal: &Literal| match literal {
            Literal::Integer(size) => Some(*size),
            _ => None,
        };
        Some(Entries {
            fields,
            structured,
            fortran: *fortran,
            shape: shape.iter().map(size).collect::<Option<_>>()?,
        })
    }

    /// Returns the bytes of a value, or of a record.
    fn record(&self) -> Option<u64> {
        let mut sizes = self.fields.iter().map(|field| field.size);
        sizes.try_fold(0, u64::checked_add)
    }

    /// Returns the number of rows, and of values or records in each; the error is worded for use after the file's name.
    fn rows_and_width(&self) -> Result<(u64, u64), String> {
        let (rows, width) = match self.shape[..] {
            [rows] => (rows, 1),
            [_, _] if self.structured => {
                let text = "has records in two dimensions; save them in one (array.ravel())";
                return Err(text.to_owned());
            }
            [rows, width] => (rows, width),
            _ => {
                let dimensions = self.shape.len();
                return Err(format!(
                    "has {dimensions} dimensions; it must have one or two"
                ));
            }
        };
        if width > WIDEST {
            return Err(format!(
                "has {rows} rows of {width} columns; save it with a row for each sample (array.T)"
            ));
        }
        Ok((rows, width))
    }

    /// Finds the numbers of each column in a file whose data start at byte `data`.
    fn place(self, file: &SharedFile, data: u64, rows: u64, width: u64) -> NpyHeader {
        let record = self.record().unwrap_or(0);
        // Values of a row follow each other, except in Fortran's order.
        let by_column = self.fortran && !self.structured;
        let stride = if by_column { record } else { record * width };
        let mut start = data;
        let (mut columns, mut arrays) = (Vec::new(), Vec::new());
        for field in (0..width).flat_map(|_| &self.fields) {
            if !self.structured || !field.name.is_empty() {
                columns.push(NamedColumn {
                    name: field.name.clone(),
                    numeric: field.number.is_some(),
                    example: None,
                });
                arrays.push(field.number.map(|number| Strided {
                    file: file.clone(),
                    number,
                    start,
                    stride,
                }));
            }
            start += if by_column { rows * record } else { field.size };
        }
        NpyHeader {
            rows,
            columns,
            unnamed: (!self.structured).then_some("without names"),
            arrays,
        }
    }
}

impl Field {
    /// Returns a field of a record: `('speed', '<f8')`. Those of a record within it have both names: `place.x`. A field of
    /// several values holds no number.
    fn of_record(literal: &Literal, within: &str) -> Option<Vec<Self>> {
        let Literal::Tuple(parts) = literal else {
            return None;
        };
        let (name, kind, shape) = match &parts[..] {
            [name, kind] => (name, kind, &[][..]),
            [name, kind, Literal::Tuple(shape)] => (name, kind, &shape[..]),
            _ => return None,
        };
        let name = match name {
            Literal::Text(name) => name,
            // A title stands before the name.
            Literal::Tuple(names) => match &names[..] {
                [_, Literal::Text(name)] => name,
                _ => return None,
            },
            _ => return None,
        };
        let name = format!("{within}{name}");
        let mut fields = match kind {
            Literal::Text(code) => vec![Field::new(&name, code)?],
            Literal::List(fields) => {
                let within = format!("{name}.");
                let fields = fields.iter().map(|field| Field::of_record(field, &within));
                fields.collect::<Option<Vec<_>>>()?.concat()
            }
            _ => return None,
        };
        if !shape.is_empty() {
            let mut size = fields
                .iter()
                .try_fold(0, |size: u64, field| size.checked_add(field.size))?;
            for length in shape {
                let Literal::Integer(length) = length else {
                    return None;
                };
                size = size.checked_mul(*length)?;
            }
            fields = vec![Field {
                name,
                number: None,
                size,
            }];
        }
        Some(fields)
    }

    /// Returns a field of a type that NumPy writes as byte order, kind and size: `<f8`.
    fn new(name: &str, code: &str) -> Option<Self> {
        let mut characters = code.chars();
        let order = characters.next().filter(|order| "<>|".contains(*order))?;
        let kind = characters.next()?;
        // The unit of a date follows its size: `<M8[ns]`.
        let (size, unit) = characters
            .as_str()
            .split_once('[')
            .unwrap_or((characters.as_str(), ""));
        let size: u64 = size.parse::<u32>().ok()?.into();
        Some(Field {
            name: name.to_owned(),
            number: NumberType::new(kind, size, unit.trim_end_matches(']'), order == '>'),
            // A character takes four bytes.
            size: if kind == 'U' { 4 * size } else { size },
        })
    }
}
