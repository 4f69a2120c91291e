//! Signs that a text is not the table that it is taken for.

use csv::ByteRecord;

use super::header::{CsvHeader, decimal_comma, number};
use crate::error::{Delimiter, Error};
use crate::table::kind::READABLE;
use crate::table::request::Request;

/// Delimiters that are suspected.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Checks that the first bytes of a file are text of a table.
///
/// # Errors
/// [`Error::Data`] with the encoding or format that they show.
pub fn other_content(name: &str, head: &[u8], delimiter: u8) -> Result<(), Error> {
    // A text has few control characters; in other data they are a tenth of the bytes.
    let control = |byte: &&u8| matches!(byte, 1..=8 | 14..=31) && **byte != delimiter;
    let controls = head.iter().filter(control).count();
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    let json = match (bytes.next(), bytes.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => true,
        // `[time],[load]` is a header.
        (Some(b'['), Some(next)) => b"[{\"-0123456789".contains(next),
        _ => false,
    };
    let problem = if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        "is in UTF-16; save it as UTF-8".to_owned()
    } else if head.contains(&0) || 20 * controls > head.len() {
        format!("is not a text file; {READABLE}")
    } else if json {
        format!("seems to be JSON; {READABLE}")
    } else {
        return Ok(());
    };
    Err(Error::Data(format!("{name} {problem}")))
}

/// Checks that the first record is a sample or a header, not a comment or an instruction to a spreadsheet. A comment of as
/// many fields as there are columns is a header.
///
/// # Errors
/// [`Error::Data`] if it is neither.
pub fn foreign_line(name: &str, first: &[ByteRecord]) -> Result<(), Error> {
    let (Some(record), Some(next)) = (first.first(), first.get(1)) else {
        return Ok(());
    };
    let comment = record.as_slice().starts_with(b"#") && record.len() != next.len();
    if comment || record.as_slice().starts_with(b"sep=") || next.len() > record.len() {
        return Err(Error::Data(format!(
            "{name} starts with a line that is not part of its table; remove it"
        )));
    }
    Ok(())
}

/// Checks that commas are delimiters, not decimal commas in columns with another delimiter. Such a text looks like columns
/// of varying number.
///
/// # Errors
/// [`Error::OtherDelimiter`] with the delimiter that makes columns of equal number.
pub fn decimal_commas(name: &str, first: &[ByteRecord], delimiter: u8) -> Result<(), Error> {
    if delimiter != b',' {
        return Ok(());
    }
    let lines: Vec<Vec<u8>> = first
        .iter()
        .map(|record| record.iter().collect::<Vec<_>>().join(&b','))
        .collect();
    for separator in SEPARATORS.into_iter().filter(|byte| *byte != b',') {
        let fields = || {
            lines
                .iter()
                .map(|line| line.split(|byte| *byte == separator))
        };
        let mut counts = fields().map(Iterator::count);
        let width = counts.next().unwrap_or(0);
        if width > 1 && counts.all(|count| count == width) && fields().flatten().any(decimal_comma)
        {
            return Err(Error::OtherDelimiter {
                file: name.to_owned(),
                suspected: Delimiter(separator),
                taken: Delimiter(delimiter),
                decimal_commas: true,
            });
        }
    }
    Ok(())
}

/// Checks that no other delimiter than the default one separates the columns.
///
/// # Errors
/// [`Error::OtherDelimiter`] if another one parts fields into numbers, or stands in them while numeric columns are missing.
pub fn other_delimiter(
    name: &str,
    first: &[ByteRecord],
    header: &CsvHeader,
    request: &Request,
    taken: u8,
) -> Result<(), Error> {
    let x_alone = request.x_alone && request.y.is_none();
    let numeric = header.columns.iter().filter(|column| column.numeric);
    let too_few = numeric.count() < if x_alone { 1 } else { 2 };
    for separator in SEPARATORS {
        // A comma within a column is a decimal one.
        if separator == taken || separator == b',' && header.columns.len() > 1 {
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
            return Err(Error::OtherDelimiter {
                file: name.to_owned(),
                suspected: Delimiter(separator),
                taken: Delimiter(taken),
                decimal_commas: false,
            });
        }
    }
    Ok(())
}
