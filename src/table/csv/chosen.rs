//! The columns of x and y in a text, and what is told of them.

use std::path::Path;

use super::layout::Layout;
use super::value::Written;
use crate::data::Time;
use crate::error::Error;
use crate::table::request::{ColumnChoice, Request};
use crate::table::rows::{Skipped, enough};

/// What was read from a text, besides its samples.
#[derive(Debug)]
pub struct ReadText {
    /// The names of x and y; that of y is empty if only x is read.
    pub names: [String; 2],
    /// The data in words, for a headline.
    pub title: String,
    /// What x counts, if it holds dates.
    pub time: Option<Time>,
    /// The rows that were left out.
    pub skipped: Skipped,
    /// What is not usual in the text, in words.
    pub notes: Vec<String>,
    /// What in x and y may be read in another way, in words: `decimal commas`, `dates by %d/%m/%Y`.
    pub styles: [Option<String>; 2],
}

/// The columns of x and y in a text, and how they write their values.
pub struct Chosen {
    pub x: usize,
    pub y: Option<usize>,
    pub x_written: Written,
    pub y_written: Option<Written>,
}

impl Chosen {
    /// Chooses the columns that were asked for.
    ///
    /// # Errors
    /// Those of [`ColumnChoice::choose`](crate::table::request::ColumnChoice::choose), [`Error::Ambiguous`], and [`Error::TooFewSamples`] for a text without rows.
    pub fn new(name: &str, layout: &Layout, request: &Request) -> Result<Self, Error> {
        if layout.is_empty {
            // There is nothing to tell columns by.
            enough(name, 0, &Skipped::default(), request)?;
        }
        let (x, y) = layout.columns(name).choose(request)?;
        Ok(Chosen {
            x,
            y,
            x_written: layout.written(x)?,
            y_written: y.map(|at| layout.written(at)).transpose()?,
        })
    }

    /// Returns what is told of the text besides its rows.
    pub fn told(&self, name: &str, layout: &Layout) -> ReadText {
        let columns = layout.columns(name);
        let y_name = self.y.map(|y| columns.name(y)).unwrap_or_default();
        ReadText {
            title: title(columns, self.x, self.y),
            names: [columns.name(self.x), y_name],
            time: self.x_written.time(),
            skipped: Skipped::default(),
            notes: layout.notes.clone(),
            styles: [Some(self.x), self.y].map(|at| layout.style(at?).map(str::to_owned)),
        }
    }
}

/// Returns the data in words, for a headline: `cars.csv: dist over speed`.
fn title(columns: ColumnChoice, x: usize, y: Option<usize>) -> String {
    let file = Path::new(columns.file);
    let over = y.map(|y| format!("{} over ", columns.name(y)));
    format!(
        "{}: {}{}{}",
        file.file_name().unwrap_or(file.as_os_str()).display(),
        over.unwrap_or_default(),
        columns.name(x),
        if columns.unnamed.is_none() {
            ""
        } else {
            ", no header"
        },
    )
}
