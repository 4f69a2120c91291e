//! Which columns of a file are x and y.

use super::rows::Request;
use crate::error::Error;

/// A column of a file.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// What the file calls it; empty where it calls it nothing.
    pub(super) name: String,
    /// Whether it holds numbers.
    pub(super) numeric: bool,
}

impl Column {
    /// Whether it can be x or y unasked. An index that pandas saved, and nobody named, counts rows.
    fn is_guessed(&self) -> bool {
        self.numeric && !self.name.starts_with("__index_level_")
    }
}

/// The columns to choose from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    /// The file, as errors call it.
    pub(super) file: &'a str,
    /// All of them, in the file's order.
    pub(super) columns: &'a [Column],
    /// Where they have positions and no names, why, for use after a comma: `without a header`.
    pub(super) unnamed: Option<&'static str>,
}

impl Columns<'_> {
    /// The places, from 0, of x and y: those asked for, else the only ones that are numeric, x first. No y where x is
    /// to be alone; x is then the only numeric column, or the first of two, as it was when they were x and y.
    pub(super) fn choose(&self, request: &Request) -> Result<(usize, Option<usize>), Error> {
        let find = |wanted| self.find(wanted);
        let x = request.x.map(find).transpose()?;
        let y = request.y.map(find).transpose()?;
        if x.is_some() && x == y {
            return Err(Error::Usage("--x and --y are the same column".to_owned()));
        }
        let mut rest = (0..self.columns.len())
            .filter(|&at| self.columns[at].is_guessed() && Some(at) != x && Some(at) != y);
        // Taken for x first: the two numeric columns are x and y in the file's order.
        let chosen_x = x.or_else(|| rest.next());
        let chosen_y = y.or_else(|| rest.next());
        let x_alone = request.x_alone && y.is_none();
        let guessed = x.is_none() || y.is_none() && !x_alone;
        match (chosen_x, chosen_y) {
            (Some(x), _) if x_alone && (!guessed || rest.next().is_none()) => Ok((x, None)),
            (Some(x), Some(y)) if !x_alone && (!guessed || rest.next().is_none()) => {
                Ok((x, Some(y)))
            }
            _ if self.columns.len() == 1 && !x_alone => Err(Error::Data(format!(
                "{} has one column, and a line needs x and y",
                self.file
            ))),
            _ => {
                let needed = match (request.x, request.y) {
                    (None, None) if x_alone => "--x",
                    (None, Some(_)) => "--x",
                    (Some(_), None) => "--y",
                    _ => "--x and --y",
                };
                let numeric = if x_alone { "one or two" } else { "two" };
                Err(Error::Data(format!(
                    "{} needs {needed}, for it has not just {numeric} numeric columns; {}",
                    self.file,
                    self.listed(),
                )))
            }
        }
    }

    /// The place of the column of this name, `column 2` where it has none, or else at this position from 1.
    fn find(&self, wanted: &str) -> Result<usize, Error> {
        let mut of_name = (0..self.columns.len()).filter(|&at| self.name(at) == wanted);
        match (of_name.next(), of_name.next()) {
            (Some(at), None) => return Ok(at),
            (Some(_), Some(_)) => {
                return Err(Error::Data(format!(
                    "{} has more than one column {wanted:?}; choose by position: {}",
                    self.file,
                    self.listed(),
                )));
            }
            (None, _) => {}
        }
        wanted
            .parse::<usize>()
            .ok()
            .and_then(|position| position.checked_sub(1))
            .filter(|&at| at < self.columns.len())
            .ok_or_else(|| {
                Error::Data(format!(
                    "{} has no column {wanted:?}; {}",
                    self.file,
                    self.listed()
                ))
            })
    }

    /// What columns there are, for use at an error's end.
    pub(super) fn listed(&self) -> String {
        const SHOWN: usize = 20;
        let names: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .take(SHOWN)
            .map(|(at, column)| {
                let kind = if column.numeric { "" } else { " (not numeric)" };
                match self.unnamed {
                    None => format!("{} {:?}{kind}", at + 1, column.name),
                    Some(_) => format!("{}{kind}", at + 1),
                }
            })
            .collect();
        let why = self.unnamed.map(|why| format!(", {why}"));
        let more = match self.columns.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = why.unwrap_or_default();
        format!("its columns are{why}: {}{more}", names.join(", "))
    }

    /// What to call a column: its name, or `column 2`.
    pub(super) fn name(&self, at: usize) -> String {
        match self.unnamed {
            None => self.columns[at].name.clone(),
            Some(_) => format!("column {}", at + 1),
        }
    }

    /// The same within a sentence: `column "speed"`, `column 2`.
    pub(super) fn titled(&self, at: usize) -> String {
        match self.unnamed {
            None => format!("column {:?}", self.columns[at].name),
            Some(_) => self.name(at),
        }
    }
}
