//! The columns of a text file: whether the first record names them, and which hold numbers.

use csv::ByteRecord;

use super::parse::{any_number, is_missing};
use crate::error::Error;
use crate::table::columns::{Column, Columns};
use crate::table::rows::Request;

/// What the first records tell of the columns.
pub(super) struct Header {
    /// Whether the first record is a header.
    pub(super) named: bool,
    /// Whether a column's numbers have commas for points.
    pub(super) decimal_commas: bool,
    columns: Vec<Column>,
}

impl Header {
    /// A column is numeric if half of its fields that are not missing are numbers: what the others are is
    /// an error to be named, not a reason to pass the column over.
    pub(super) fn detect(first: &[ByteRecord], request: &Request) -> Self {
        let named = request.header.unwrap_or_else(|| {
            first
                .first()
                .is_some_and(|record| is_header(record, request))
        });
        let width = first.first().map_or(0, ByteRecord::len);
        let mut decimal_commas = false;
        let columns = (0..width)
            .map(|at| {
                let (mut filled, mut numbers, mut commas) = (0, 0, 0);
                for record in first.iter().skip(usize::from(named)) {
                    let field = record.get(at).unwrap_or_default();
                    filled += usize::from(!is_missing(field));
                    numbers += usize::from(number(field).is_some());
                    commas += usize::from(decimal_comma(field));
                }
                decimal_commas |= commas > 0 && 2 * (commas + numbers) >= filled;
                let name = if named {
                    String::from_utf8_lossy(name(&first[0], at)).into_owned()
                } else {
                    String::new()
                };
                Column {
                    name,
                    numeric: numbers > 0 && 2 * numbers >= filled,
                }
            })
            .collect();
        Header {
            named,
            decimal_commas,
            columns,
        }
    }

    /// The columns to choose from.
    pub(super) fn columns<'a>(&'a self, file: &'a str) -> Columns<'a> {
        Columns {
            file,
            columns: &self.columns,
            unnamed: (!self.named).then_some("without a header"),
        }
    }

    /// That the columns are not separated by something else than the delimiter that was taken for granted.
    pub(super) fn suspect_separator(
        &self,
        file: &str,
        first: &[ByteRecord],
        request: &Request,
        taken: u8,
    ) -> Result<(), Error> {
        let x_alone = request.x_alone && request.y.is_none();
        let numeric = self.columns.iter().filter(|column| column.numeric).count();
        let too_few = numeric < if x_alone { 1 } else { 2 };
        let taken_name = if taken == b'\t' { "tab" } else { "','" };
        for (separator, name) in [(b',', "','"), (b';', "';'"), (b'\t', "tab"), (b'|', "'|'")] {
            // A comma within a column is one of decimals.
            if separator == taken || separator == b',' && self.columns.len() > 1 {
                continue;
            }
            let mut fields = first.iter().flatten();
            let mut parts = fields
                .clone()
                .map(|field| field.split(|byte| *byte == separator));
            let parts_numbers = parts.any(|parts| {
                let parts: Vec<_> = parts.map(number).collect();
                parts.len() > 1 && parts.iter().all(Option::is_some)
            });
            if parts_numbers || too_few && fields.any(|field| field.contains(&separator)) {
                return Err(Error::Data(format!(
                    "{file} seems to separate its columns by {name}: say --delimiter {name}, \
                     or --delimiter {taken_name} if it does not"
                )));
            }
        }
        Ok(())
    }
}

/// Whether a first record names the columns, as far as can be told: if none of its fields is a number
/// (nan and inf count as numbers here, for programs write them for values) and not all are missing; or
/// if a name that is asked for is in it, and with it the other name or a field that is no number.
fn is_header(record: &ByteRecord, request: &Request) -> bool {
    let missing = record.iter().all(is_missing);
    let numbers = record
        .iter()
        .filter(|field| any_number(field).is_some())
        .count();
    let named = |wanted: Option<&str>| {
        wanted.is_some_and(|wanted| {
            let position = wanted.parse().ok();
            let is_position = position.is_some_and(|at| (1..=record.len()).contains(&at));
            !is_position && (0..record.len()).any(|at| name(record, at) == wanted.as_bytes())
        })
    };
    let asked_for = match (named(request.x), named(request.y)) {
        (true, true) => true,
        (true, false) | (false, true) => numbers < record.len(),
        (false, false) => false,
    };
    !missing && (numbers == 0 || asked_for)
}

/// What a header's field names a column: without the mark of a comment, where that is not all of it.
fn name(header: &ByteRecord, at: usize) -> &[u8] {
    let field = header[at].trim_ascii();
    let named = field.strip_prefix(b"#").map(<[u8]>::trim_ascii);
    named
        .filter(|name| at == 0 && !name.is_empty())
        .unwrap_or(field)
}

/// Whether a field is a number but for a comma where its point should be.
pub(super) fn decimal_comma(field: &[u8]) -> bool {
    let text = String::from_utf8_lossy(field);
    text.matches(',').count() == 1 && number(text.replace(',', ".").as_bytes()).is_some()
}

/// A finite number, spaces around it allowed.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    any_number(field).filter(|value| value.is_finite())
}
