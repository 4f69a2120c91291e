//! The columns of a CSV file: whether the first record names them, and which are x and y.

use csv::ByteRecord;

use super::parse::{any_number, is_missing};
use crate::data::rows::Request;
use crate::error::Error;

/// One column: its place, counted from 0, and what to call it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: String,
}

/// What the first records tell of the columns.
pub(super) struct Header {
    /// Whether the first record is a header.
    pub(super) named: bool,
    pub(super) columns: Vec<Column>,
    /// Whether each column holds numbers.
    numeric: Vec<bool>,
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
            .map(|index| Column {
                index,
                name: if named {
                    String::from_utf8_lossy(first[0][index].trim_ascii()).into_owned()
                } else {
                    format!("column {}", index + 1)
                },
            })
            .collect();
        let numeric = (0..width)
            .map(|index| {
                let (mut filled, mut numbers) = (0, 0);
                for record in first.iter().skip(usize::from(named)) {
                    let field = record.get(index).unwrap_or_default();
                    filled += usize::from(!is_missing(field));
                    numbers += usize::from(number(field).is_some());
                }
                numbers > 0 && 2 * numbers >= filled
            })
            .collect();
        Header {
            named,
            columns,
            numeric,
        }
    }

    /// The columns for x and y: those asked for, else the only ones that are numeric. None for y where x is all that
    /// is needed.
    pub(super) fn choose(
        &self,
        file: &str,
        request: &Request,
    ) -> Result<(Column, Option<Column>), Error> {
        let find = |wanted| self.find(file, wanted);
        let x = request.x.map(find).transpose()?;
        let y = request.y.map(find).transpose()?;
        if x.is_some() && x == y {
            return Err(Error::Usage("--x and --y are the same column".to_owned()));
        }
        let x_alone = x_alone(request);
        let mut rest = self
            .columns
            .iter()
            .zip(&self.numeric)
            .filter(|&(column, numeric)| *numeric && Some(column) != x && Some(column) != y)
            .map(|(column, _)| column);
        // Taken for x first: the two numeric columns are x and y in the file's order.
        let chosen_x = x.or_else(|| rest.next());
        let chosen_y = y.or_else(|| if x_alone { None } else { rest.next() });
        let guessed = x.is_none() || y.is_none() && !x_alone;
        if let Some(x) = chosen_x
            && (chosen_y.is_some() || x_alone)
            && (!guessed || rest.next().is_none())
        {
            return Ok((x.clone(), chosen_y.cloned()));
        }
        if self.columns.len() == 1 && !x_alone {
            return Err(Error::Data(format!(
                "{file} has one column, and a line needs x and y; --delimiter says what separates columns"
            )));
        }
        let (needed, number) = match (request.x, request.y) {
            _ if x_alone => ("--x", "one numeric column"),
            (None, Some(_)) => ("--x", "two numeric columns"),
            (Some(_), None) => ("--y", "two numeric columns"),
            _ => ("--x and --y", "two numeric columns"),
        };
        Err(Error::Data(format!(
            "{file} needs {needed}, for it has not just {number}; {}",
            self.listed(),
        )))
    }

    /// That the columns are not separated by something else than the delimiter that was taken for granted.
    pub(super) fn suspect_separator(
        &self,
        file: &str,
        first: &[ByteRecord],
        request: &Request,
        taken: u8,
    ) -> Result<(), Error> {
        let needed = if x_alone(request) { 1 } else { 2 };
        let too_few = self.numeric.iter().filter(|numeric| **numeric).count() < needed;
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

    /// The column of this name, without a header what it is called all the same; or else of this 1-based position.
    fn find(&self, file: &str, wanted: &str) -> Result<&Column, Error> {
        let mut of_name = self.columns.iter().filter(|column| column.name == wanted);
        match (of_name.next(), of_name.next()) {
            (Some(column), None) => return Ok(column),
            (Some(_), Some(_)) => {
                return Err(Error::Data(format!(
                    "{file} has more than one column {wanted:?}; choose by position: {}",
                    self.listed(),
                )));
            }
            (None, _) => {}
        }
        wanted
            .parse::<usize>()
            .ok()
            .and_then(|position| self.columns.get(position.checked_sub(1)?))
            .ok_or_else(|| {
                Error::Data(format!(
                    "{file} has no column {wanted:?}; {}",
                    self.listed()
                ))
            })
    }

    fn listed(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .zip(&self.numeric)
            .map(|(column, numeric)| {
                let kind = if *numeric { "" } else { " (not numeric)" };
                if self.named {
                    format!("{} {:?}{kind}", column.index + 1, column.name)
                } else {
                    format!("{}{kind}", column.index + 1)
                }
            })
            .collect();
        let absent = if self.named { "" } else { ", without a header" };
        let (shown, more) = names.split_at(names.len().min(20));
        let more = match more.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("its columns are{absent}: {}{more}", shown.join(", "))
    }
}

impl Column {
    /// For use within a sentence: `column "speed"`, `column 2`.
    pub(super) fn titled(&self) -> String {
        if self.name == format!("column {}", self.index + 1) {
            self.name.clone()
        } else {
            format!("column {:?}", self.name)
        }
    }
}

/// Whether only x is read.
pub(super) fn x_alone(request: &Request) -> bool {
    request.x_alone && request.y.is_none()
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
