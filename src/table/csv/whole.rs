//! Whole records of a text, as columns.

use std::io::Read;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use csv::ByteRecord;

use super::layout::Layout;
use super::parse::{RecordShape, reader};
use super::value::{Missing, Written};
use super::{ReadText, SIZES, TextChunk, laid_out, read_chunks};
use crate::data::Time;
use crate::error::Error;
use crate::table::request::Request;
use crate::table::whole::WholeRows;

/// Hands on all records of a text, with x and y. Columns are text as the file has it, or `typed` by their values.
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
    let mut read = read_chunks(name, &layout, text, &of_x, SIZES, make, |rows| each(rows?))?;
    if let Some((y, _)) = columns.y {
        read.names[1] = layout.columns(name).name(y);
    }
    Ok(read)
}

/// The columns of a text, and how each is kept.
struct Columns {
    schema: SchemaRef,
    /// How a column writes what it is kept as; `None` for text.
    written: Vec<Option<Written>>,
    /// The position of y, and how it writes its values.
    y: Option<(usize, Written)>,
    missing: Missing,
}

impl Columns {
    fn new(name: &str, layout: &Layout, request: &Request, typed: bool) -> Result<Self, Error> {
        let columns = layout.columns(name);
        let (_, y) = columns.choose(request)?;
        let y = y.map(|at| Ok::<_, Error>((at, layout.written(at)?)));
        let written: Vec<Option<Written>> = (0..layout.columns.len())
            .map(|at| {
                let is_typed = typed && layout.columns[at].numeric;
                layout.written(at).ok().filter(|_| is_typed)
            })
            .collect();
        let fields = written.iter().enumerate().map(|(at, written)| {
            let kind = match written {
                None => DataType::Utf8,
                Some(Written::Numbers(_)) => DataType::Float64,
                Some(Written::Booleans) => DataType::Boolean,
                Some(Written::Times(format)) => match format.counts {
                    Time::Days => DataType::Date32,
                    Time::Seconds => DataType::Timestamp(TimeUnit::Microsecond, None),
                },
            };
            Field::new(columns.name(at), kind, true)
        });
        Ok(Columns {
            y: y.transpose()?,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            written,
            missing: Missing::new(request.missing),
        })
    }

    /// Returns the records of a chunk that have all fields.
    fn whole(&self, bytes: &[u8], shape: &RecordShape) -> Result<WholeRows, Error> {
        let records: Vec<ByteRecord> = reader(bytes, shape.delimiter)
            .into_byte_records()
            .filter_map(Result::ok)
            .filter(|record| record.len() == shape.width)
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
            y: self.y.as_ref().map(|(at, written)| values(*at, written)),
        })
    }

    /// Returns the fields of a column as an array. What is no value of its type is missing there.
    fn array<'a>(&self, at: usize, fields: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
        let Some(written) = &self.written[at] else {
            let mut texts = StringBuilder::new();
            for field in fields {
                texts.append_value(String::from_utf8_lossy(field));
            }
            return Arc::new(texts.finish());
        };
        let values = fields.map(|field| written.value(field, &self.missing).ok());
        match written.time() {
            Some(Time::Days) => {
                let mut days = Date32Builder::new();
                values.for_each(|value| days.append_option(value.map(|days| days as i32)));
                Arc::new(days.finish())
            }
            Some(Time::Seconds) => {
                let mut times = TimestampMicrosecondBuilder::new();
                values.for_each(|value| {
                    times.append_option(value.map(|seconds| (seconds * 1e6).round() as i64))
                });
                Arc::new(times.finish())
            }
            None if matches!(written, Written::Booleans) => {
                let mut booleans = BooleanBuilder::new();
                values.for_each(|value| booleans.append_option(value.map(|value| value > 0.0)));
                Arc::new(booleans.finish())
            }
            None => {
                let mut numbers = Float64Builder::new();
                values.for_each(|value| numbers.append_option(value));
                Arc::new(numbers.finish())
            }
        }
    }
}
