//! The header of a text file, and which of its columns hold numbers.

use csv::ByteRecord;

use super::parse::{any_number, is_missing};
use crate::error::{NamedColumn, TableKind};
use crate::table::request::{ColumnChoice, Request};

/// The columns of a text file, by its first records.
pub struct CsvHeader {
    /// True if the first record is a header.
    pub is_present: bool,
    /// True if the header is guessed, and of numbers.
    pub of_numbers: bool,
    /// The columns, in the file's order.
    pub columns: Vec<NamedColumn>,
    /// True if a column's numbers have decimal commas.
    decimal_commas: bool,
}

impl CsvHeader {
    /// Detects the header, unless the request says whether there is one, and the numeric columns.
    ///
    /// A column is numeric if at least half of its fields that are not missing are numbers. The other fields are errors to
    /// report, not a reason to pass the column over.
    pub fn detect(first: &[ByteRecord], request: &Request) -> Self {
        let of_numbers = request.header.is_none() && counts_columns(first);
        let is_present = request.header.unwrap_or_else(|| {
            let named = |record| is_header(record, request);
            of_numbers || first.first().is_some_and(named)
        });
        let width = first.first().map_or(0, ByteRecord::len);
        let mut decimal_commas = false;
        let columns = (0..width)
            .map(|at| {
                let (mut filled, mut numbers, mut commas) = (0, 0, 0);
                for record in first.iter().skip(usize::from(is_present)) {
                    let field = record.get(at).unwrap_or_default();
                    filled += usize::from(!is_missing(field));
                    numbers += usize::from(number(field).is_some());
                    commas += usize::from(decimal_comma(field));
                }
                decimal_commas |= commas > 0 && 2 * (commas + numbers) >= filled;
                let name = if is_present {
                    String::from_utf8_lossy(name(&first[0], at)).into_owned()
                } else {
                    String::new()
                };
                NamedColumn {
                    name,
                    numeric: numbers > 0 && 2 * numbers >= filled,
                }
            })
            .collect();
        CsvHeader {
            is_present,
            of_numbers,
            columns,
            decimal_commas,
        }
    }

    /// Returns the columns to choose from.
    pub fn columns<'a>(&'a self, file: &'a str) -> ColumnChoice<'a> {
        // A single column shows another delimiter, not decimal commas.
        let decimal_commas = self.decimal_commas && self.columns.len() > 1;
        ColumnChoice {
            file,
            columns: &self.columns,
            unnamed: (!self.is_present).then_some("without a header"),
            kind: TableKind::Text,
            note: decimal_commas
                .then_some("there are numbers with decimal commas: write them with points"),
        }
    }
}

/// Returns whether a first record seems to name the columns.
///
/// It does if none of its fields is a number and not all are missing. `nan` and `inf` count as numbers here, because
/// programs write them for values. It also does if it has a name that is asked for, and with it the other name or a field
/// that is not a number.
fn is_header(record: &ByteRecord, request: &Request) -> bool {
    let missing = record.iter().all(is_missing);
    let numbers = record
        .iter()
        .filter(|field| any_number(field).is_some())
        .count();
    let has_name = |wanted: Option<&str>| {
        wanted.is_some_and(|wanted| {
            let position = wanted.parse().ok();
            let is_position = position.is_some_and(|at| (1..=record.len()).contains(&at));
            !is_position && (0..record.len()).any(|at| name(record, at) == wanted.as_bytes())
        })
    };
    let asked_for = match (has_name(request.x), has_name(request.y)) {
        (true, true) => true,
        (true, false) | (false, true) => numbers < record.len(),
        (false, false) => false,
    };
    !missing && (numbers == 0 || asked_for)
}

/// Returns whether a first record counts the columns, as pandas does if they have no names, or gives each its year: `0,1` or
/// `1990,1991`. The numbers below are then written with decimals.
fn counts_columns(first: &[ByteRecord]) -> bool {
    const BELOW: usize = 3;
    let integer = |field: &[u8]| str::from_utf8(field.trim_ascii()).ok()?.parse::<i64>().ok();
    let Some((record, below)) = first.split_first() else {
        return false;
    };
    let counts: Option<Vec<i64>> = record.iter().map(integer).collect();
    counts.is_some_and(|counts| {
        counts.len() > 1
            && counts
                .windows(2)
                .all(|pair| pair[0].checked_add(1) == Some(pair[1]))
    }) && below.len() >= BELOW
        && below.iter().flatten().all(|field| integer(field).is_none())
}

/// Returns the name in a header's field. The mark of a comment in the first one is dropped if more follows it.
fn name(header: &ByteRecord, at: usize) -> &[u8] {
    let field = header[at].trim_ascii();
    let unmarked = field.strip_prefix(b"#").map(<[u8]>::trim_ascii);
    unmarked
        .filter(|name| at == 0 && !name.is_empty())
        .unwrap_or(field)
}

/// Returns whether a field is a number except that it has a decimal comma.
pub fn decimal_comma(field: &[u8]) -> bool {
    let text = String::from_utf8_lossy(field);
    text.matches(',').count() == 1 && number(text.replace(',', ".").as_bytes()).is_some()
}

/// Returns the finite number in a field, spaces around it allowed.
pub fn number(field: &[u8]) -> Option<f64> {
    any_number(field).filter(|value| value.is_finite())
}
