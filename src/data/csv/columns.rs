//! The columns of a text file: whether the first record names them, and which hold numbers.

use csv::ByteRecord;

use super::parse::{any_number, is_missing};
use crate::data::columns::{Column, Columns};
use crate::data::rows::Request;
use crate::error::Error;

/// What the first records tell of the columns.
pub(super) struct Header {
    /// Whether the first record is a header.
    pub(super) named: bool,
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
        let columns = (0..width)
            .map(|at| {
                let (mut filled, mut numbers) = (0, 0);
                for record in first.iter().skip(usize::from(named)) {
                    let field = record.get(at).unwrap_or_default();
                    filled += usize::from(!is_missing(field));
                    numbers += usize::from(number(field).is_some());
                }
                let name = if named {
                    String::from_utf8_lossy(first[0][at].trim_ascii()).into_owned()
                } else {
                    String::new()
                };
                Column {
                    name,
                    numeric: numbers > 0 && 2 * numbers >= filled,
                }
            })
            .collect();
        Header { named, columns }
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
            !is_position
                && record
                    .iter()
                    .any(|field| field.trim_ascii() == wanted.as_bytes())
        })
    };
    let asked_for = match (named(request.x), named(request.y)) {
        (true, true) => true,
        (true, false) | (false, true) => numbers < record.len(),
        (false, false) => false,
    };
    !missing && (numbers == 0 || asked_for)
}

/// A finite number, spaces around it allowed.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    any_number(field).filter(|value| value.is_finite())
}
