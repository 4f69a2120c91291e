//! Whole records of a text, as columns.

use std::borrow::Cow;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use csv::ByteRecord;

use super::layout::Layout;
use super::parse::{RecordShape, reader};
use super::value::{Missing, Written};
use super::{ReadText, SIZES, TextChunk, laid_out, read_chunks};
use crate::error::{Error, Reason};
use crate::table::request::Request;
use crate::table::whole::{Unusable, WholeRows, array_of, type_of};

/// Hands on all records of a text, with x and y. Columns are text as the file has it; x and y may be `typed`.
///
/// # Errors
/// Those of [`read`](super::read), and those of `each`.
pub fn read(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    typed: bool,
    each: &mut (dyn FnMut(WholeRows) -> Result<(), Error> + Send),
) -> Result<ReadText, Error> {
    let (layout, text) = laid_out(name, text, request, SIZES)?;
    let columns = Columns::new(name, &layout, request, typed)?;
    // y only says how well a prediction fits.
    let of_x = Request {
        y: None,
        x_alone: true,
        ..*request
    };
    let make = |chunk: &TextChunk, shape: &RecordShape<'_>, _| columns.whole(chunk.bytes(), shape);
    let keep = |rows: Result<WholeRows, Error>| each(rows?);
    let (mut read, _) = read_chunks(name, &layout, text, &of_x, SIZES, make, keep)?;
    let unusable = columns
        .unusable
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    read.notes.extend(unusable.note());
    if let Some((y, _)) = columns.y {
        read.names[1] = layout.columns(name).name(y);
        read.styles[1] = layout.style(y).map(str::to_owned);
    }
    Ok(read)
}

/// The columns of a text, and how each is kept.
struct Columns {
    schema: SchemaRef,
    /// How a column writes the values that it is kept as; `None` for one that stays text.
    written: Vec<Option<Written>>,
    /// The position of y, and how it writes its values.
    y: Option<(usize, Written)>,
    missing: Missing,
    /// Values of y that can't be used.
    unusable: Mutex<Unusable>,
}

impl Columns {
    fn new(name: &str, layout: &Layout, request: &Request, typed: bool) -> Result<Self, Error> {
        let columns = layout.columns(name);
        let (x, y) = columns.choose(request)?;
        let y = y.map(|at| Ok::<_, Error>((at, layout.written(at)?)));
        let y = y.transpose()?;
        let is_typed = |at: usize| typed && (at == x || y.as_ref().is_some_and(|y| y.0 == at));
        let written: Vec<Option<Written>> = (0..layout.columns.len())
            .map(|at| layout.written(at).ok().filter(|_| is_typed(at)))
            .collect();
        let fields = written.iter().enumerate().map(|(at, written)| {
            let kind = match written {
                None => DataType::Utf8,
                Some(Written::Booleans) => DataType::Boolean,
                Some(written) => type_of(written.time()),
            };
            Field::new(columns.name(at), kind, true)
        });
        Ok(Columns {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            y,
            written,
            missing: Missing::new(request.missing),
            unusable: Mutex::default(),
        })
    }

    /// Returns the records of a chunk that have all fields.
    fn whole(&self, bytes: &[u8], shape: &RecordShape) -> Result<WholeRows, Error> {
        let records: Vec<ByteRecord> = reader(bytes, shape.delimiter)
            .into_byte_records()
            .filter_map(Result::ok)
            .filter(|record| record.len() == shape.width)
            // A line of blanks is none.
            .filter(|record| record.len() > 1 || !record.as_slice().trim_ascii().is_empty())
            .collect();
        let values = |at: usize, written: &Written| {
            let values = records
                .iter()
                .map(|record| written.value(&record[at], shape.missing));
            values.map(|value| value.unwrap_or(f64::NAN)).collect()
        };
        let columns = (0..shape.width).map(|at| {
            let fields = records.iter().map(|record| &record[at]);
            self.array(at, fields)
        });
        Ok(WholeRows {
            columns: RecordBatch::try_new(self.schema.clone(), columns.collect())
                .map_err(|error| Error::Data(error.to_string()))?,
            x: values(shape.x.at, shape.x.written),
            y: self.y.as_ref().map(|(at, written)| {
                let y: Vec<f64> = values(*at, written);
                for (record, _) in records.iter().zip(&y).filter(|(_, y)| y.is_nan()) {
                    let field = &record[*at];
                    if written.value(field, shape.missing) != Err(Reason::Missing) {
                        let mut unusable =
                            self.unusable.lock().unwrap_or_else(PoisonError::into_inner);
                        unusable.add(|| super::quoted(field));
                    }
                }
                y
            }),
            time: shape.x.written.time(),
        })
    }

    /// Returns the fields of a column as an array. What is no value of its type is missing there.
    fn array<'a>(&self, at: usize, fields: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
        let Some(written) = &self.written[at] else {
            let mut texts = StringBuilder::new();
            for field in fields {
                texts.append_value(text_of(field));
            }
            return Arc::new(texts.finish());
        };
        let values = fields.map(|field| written.value(field, &self.missing).unwrap_or(f64::NAN));
        if matches!(written, Written::Booleans) {
            let booleans = values.map(|value| (!value.is_nan()).then_some(value > 0.0));
            return Arc::new(BooleanArray::from_iter(booleans));
        }
        array_of(values.collect(), written.time())
    }
}

/// Returns a field as text. What is not UTF-8 is mostly of Windows.
fn text_of(field: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(field) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::WINDOWS_1252.decode(field).0,
    }
}
