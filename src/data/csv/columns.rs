//! The columns of a CSV file: whether the first record names them, and which are x and y.

use csv::ByteRecord;

use super::Layout;
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
    /// Unless told, the first record is a header if not one of its fields is a number (nan and inf
    /// count as numbers here: they are what programs write for values), or if it holds a name that is
    /// asked for; a record of nothing but empty fields and NA is none. A column is numeric if half of its fields that are not empty are numbers: what the
    /// others are is an error to be named, not a reason to pass the column over.
    pub(super) fn detect(first: &[ByteRecord], layout: &Layout) -> Self {
        let named = layout.header.unwrap_or_else(|| {
            first.first().is_some_and(|record| {
                let is = |field: &[u8], name: Option<&str>| {
                    name.is_some_and(|name| field.trim_ascii() == name.as_bytes())
                };
                let position = |name: Option<&str>| {
                    name.and_then(|name| name.parse().ok())
                        .is_some_and(|position| (1..=record.len()).contains(&position))
                };
                let asked = |name| !position(name) && record.iter().any(|field| is(field, name));
                let no_numbers = record.iter().all(|field| parse(field).is_none());
                let names = record
                    .iter()
                    .any(|field| !is(field, Some("")) && !is(field, Some("NA")));
                no_numbers && names || asked(layout.x) || asked(layout.y)
            })
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
                    filled += usize::from(!field.trim_ascii().is_empty());
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

    /// The columns for x and y: those asked for, else the only ones that are numeric.
    pub(super) fn choose(&self, file: &str, layout: &Layout) -> Result<(Column, Column), Error> {
        let find = |wanted| self.find(file, wanted);
        let x = layout.x.map(find).transpose()?;
        let y = layout.y.map(find).transpose()?;
        if x.is_some() && x == y {
            return Err(Error::Usage("--x and --y are the same column".to_owned()));
        }
        let mut rest = self
            .columns
            .iter()
            .zip(&self.numeric)
            .filter(|&(column, numeric)| *numeric && Some(column) != x && Some(column) != y)
            .map(|(column, _)| column);
        // Taken for x first: the two numeric columns are x and y in the file's order.
        let chosen_x = x.or_else(|| rest.next());
        let chosen_y = y.or_else(|| rest.next());
        let guessed = x.is_none() || y.is_none();
        match (chosen_x, chosen_y) {
            (Some(x), Some(y)) if !guessed || rest.next().is_none() => Ok((x.clone(), y.clone())),
            _ if self.columns.len() == 1 => Err(Error::Data(format!(
                "{file} has one column, and a line needs x and y; --delimiter says what separates columns"
            ))),
            _ => Err(Error::Data(format!(
                "{file} needs --x and --y, for it has not just two numeric columns; {}",
                self.listed(),
            ))),
        }
    }

    /// The column of this header name, or else of this 1-based position.
    fn find(&self, file: &str, wanted: &str) -> Result<&Column, Error> {
        let mut of_name = self
            .columns
            .iter()
            .filter(|column| self.named && column.name == wanted);
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

/// A finite number, spaces around it allowed.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    parse(field).filter(|value| value.is_finite())
}

/// A number, nan or inf.
fn parse(field: &[u8]) -> Option<f64> {
    fast_float2::parse(field.trim_ascii()).ok()
}
