//! The header of an NPY file: a magic number, a version, and a Python dictionary that says what is in the array.
//!
//! The format is that of <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fs::File;
use std::io;

use py_literal::Value;

use super::array::{Array, Number};
use crate::error::Error;
use crate::table::columns::Column;
use crate::table::shared::SharedFile;

/// What the bytes of a file start with.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes; NumPy itself reads no longer header than 10,000 unless it is told to.
const LONGEST: u32 = 1 << 20;
/// Columns; an array that has more has its samples side by side.
const WIDEST: u64 = 10_000;

/// What a file holds.
pub(super) struct Header {
    pub(super) rows: u64,
    pub(super) columns: Vec<Column>,
    /// Where the columns have no names, why.
    pub(super) unnamed: Option<&'static str>,
    /// Of each column its numbers, if it holds numbers.
    arrays: Vec<Option<Array>>,
}

/// A value, or a part of a record.
struct Field {
    /// Empty where it is the only one, or fills up a record.
    name: String,
    number: Option<Number>,
    /// In bytes.
    size: u64,
}

/// What the dictionary says.
struct Dictionary {
    fields: Vec<Field>,
    structured: bool,
    fortran: bool,
    shape: Vec<u64>,
}

impl Header {
    /// Reads the header, and checks that the file is as long as it says.
    pub(super) fn read(file: File, name: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Data(format!("{name} {what}"));
        let cannot_read = Error::cannot_read(name);
        let file = SharedFile::new(file).map_err(cannot_read)?;
        let (text, data) = match text(&file) {
            Ok(Some(found)) => found,
            Ok(None) => return Err(bad("is no NPY file of version 1, 2 or 3")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(bad("is cut short, or no NPY file"));
            }
            Err(error) => return Err(cannot_read(error)),
        };
        let Dictionary {
            fields,
            structured,
            fortran,
            shape,
        } = Dictionary::parse(&text).ok_or_else(|| {
            bad("holds what is no plain table; save an array of numbers, of one or two dimensions")
        })?;
        let (rows, width) = match shape[..] {
            [rows] => (rows, 1),
            [rows, width] if !structured => (rows, width),
            [_, _] => {
                return Err(bad(
                    "has records in two dimensions; save them in one (array.ravel())",
                ));
            }
            _ => {
                let text = format!("has {} dimensions; it must have one or two", shape.len());
                return Err(bad(&text));
            }
        };
        if width > WIDEST {
            return Err(bad(&format!(
                "has {rows} rows of {width} columns; save it with a row for each sample (array.T)"
            )));
        }
        let record: u64 = fields.iter().map(|field| field.size).sum();
        let end = record
            .checked_mul(width)
            .and_then(|row| row.checked_mul(rows))
            .and_then(|bytes| bytes.checked_add(data))
            .ok_or_else(|| bad("says that it is larger than a file can be"))?;
        if end > file.length() {
            return Err(bad(&format!(
                "is cut short: it has {} of the {end} bytes that its header says",
                file.length()
            )));
        }

        // Values of a row follow each other, but for those of an array in Fortran's order.
        let by_column = fortran && !structured;
        let stride = if by_column { record } else { record * width };
        let mut start = data;
        let (mut columns, mut arrays) = (Vec::new(), Vec::new());
        for field in (0..width).flat_map(|_| &fields) {
            if !structured || !field.name.is_empty() {
                columns.push(Column {
                    name: field.name.clone(),
                    numeric: field.number.is_some(),
                });
                arrays.push(field.number.map(|number| Array {
                    file: file.clone(),
                    number,
                    start,
                    stride,
                }));
            }
            start += if by_column { rows * record } else { field.size };
        }
        Ok(Header {
            rows,
            columns,
            unnamed: (!structured).then_some("without names"),
            arrays,
        })
    }

    /// The numbers of a column; none if it holds something else.
    pub(super) fn array(&self, at: usize) -> Option<Array> {
        self.arrays.get(at).cloned().flatten()
    }
}

/// The dictionary's text, and where in the file the data start; none for another kind of file.
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

impl Dictionary {
    /// None where it says nothing of an array, or of one that is no table.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let parsed = text.parse();
        // Python 2 wrote sizes as `100L`.
        let parsed = parsed.or_else(|_| text.replace("L,", ",").replace("L)", ")").parse());
        let Ok(Value::Dict(entries)) = parsed else {
            return None;
        };
        let entry = |wanted: &str| {
            let mut entries = entries.iter();
            let found = entries.find(|(key, _)| key.as_string().is_some_and(|key| key == wanted));
            found.map(|(_, value)| value)
        };
        let types = entry("descr")?;
        let (fields, structured) = match types {
            Value::String(code) => (vec![Field::new("", code)?], false),
            Value::List(fields) => (fields.iter().map(Field::of).collect::<Option<_>>()?, true),
            _ => return None,
        };
        let sizes: Vec<&Value> = match entry("shape")? {
            Value::Tuple(sizes) => sizes.iter().collect(),
            _ => return None,
        };
        Some(Dictionary {
            fields,
            structured,
            fortran: entry("fortran_order")?.as_boolean()?,
            shape: sizes
                .into_iter()
                .map(|size| u64::try_from(size.as_integer()?).ok())
                .collect::<Option<_>>()?,
        })
    }
}

impl Field {
    /// One of a record: `('speed', '<f8')`.
    fn of(value: &Value) -> Option<Self> {
        match &value.as_tuple()?[..] {
            [Value::String(name), Value::String(code)] => Field::new(name, code),
            _ => None,
        }
    }

    /// From a type as NumPy writes it: byte order, kind and size, `<f8`.
    fn new(name: &str, code: &str) -> Option<Self> {
        let mut characters = code.chars();
        let order = characters.next().filter(|order| "<>|".contains(*order))?;
        let kind = characters.next()?;
        // A date's unit stands behind its size: `<M8[ns]`.
        let size = characters.as_str().split('[').next()?;
        let size: u64 = size.parse::<u32>().ok()?.into();
        Some(Field {
            name: name.to_owned(),
            number: Number::of(kind, size, order == '>'),
            // A character takes four bytes.
            size: if kind == 'U' { 4 * size } else { size },
        })
    }
}
