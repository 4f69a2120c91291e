//! Options of reading a file, and the choice of its columns.

use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::data::stretch::divide;
use crate::error::{Axes, ColumnList, Error, NamedColumn, Setting, TableKind};
use crate::ranks::{Ranks, gather_values, other};

/// The columns to read from a file, and the options of reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The column of x: a name, or a position from 1. Without one, x and y are the columns of these names, or else the only two
    /// numeric columns, x first.
    pub x: Option<&'a str>,
    /// True if `x` is the name that a model has: an array without names does not need to have it.
    pub x_of_model: bool,
    /// The column of y: a name, or a position from 1.
    pub y: Option<&'a str>,
    /// True if `y` is the name that a model has: the file does not need to have it.
    pub y_of_model: bool,
    /// True if x is all that is needed. Without a `y`, y is then 0 in every sample. Without an `x`, the file must have one
    /// numeric column or two.
    pub x_alone: bool,
    /// True if the file is a part of a set: any number of samples will do, and none too.
    pub is_part: bool,
    /// True if rows that can't be used are left out. Otherwise they are errors, unless a value is missing.
    pub skip_bad: bool,
    /// Signs of missing values, besides the common ones.
    pub missing: &'a [String],
    /// The kind of the file. By default its first bytes tell.
    pub kind: Option<TableKind>,
    /// The byte between two columns of a text file; a space stands for any blanks. By default that is detected.
    pub delimiter: Option<u8>,
    /// True if the first record of a text file names the columns. By default that is detected.
    pub header: Option<bool>,
    /// The lines of a text file before its table.
    pub skip_lines: u64,
    /// The mark of comments in a text file. By default `#` is one, where lines begin with it.
    pub comment: Option<&'a str>,
    /// The byte before decimals in a text file: a point or a comma. The other one may part thousands. By default that is
    /// detected.
    pub decimal: Option<u8>,
    /// The format of dates in a text file, as `strftime` has it. By default that is detected.
    pub date_format: Option<&'a str>,
    /// The ranks that share the rows: this one reads its part of them. `None`, or one alone, for all rows.
    pub ranks: Option<&'a dyn Ranks>,
}

/// One of several equal parts of a data set: some of its blocks, or none if there are fewer than parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NthPart {
    /// Its number, from 0.
    pub part: usize,
    /// The number of parts.
    pub of: usize,
}

impl NthPart {
    /// Returns the part of a rank.
    pub fn of(ranks: &dyn Ranks) -> Self {
        NthPart {
            part: ranks.rank(),
            of: ranks.size(),
        }
    }

    /// Returns the part's share of so many blocks.
    pub fn blocks(self, blocks: u64) -> Range<u64> {
        let ranges = divide(blocks, &vec![1.0; self.of]);
        ranges.get(self.part).cloned().unwrap_or(blocks..blocks)
    }
}

impl Request<'_> {
    /// Returns the ranks that share the rows, if there are several.
    pub(super) fn several(&self) -> Option<&dyn Ranks> {
        self.ranks.filter(|ranks| ranks.size() > 1)
    }

    /// Returns the part of the rows to read, if they are shared.
    pub(super) fn part(&self) -> Option<NthPart> {
        self.several().map(NthPart::of)
    }

    /// Checks that all ranks that share files can read them from any place: a pipe has its bytes once, for one of them.
    ///
    /// # Errors
    /// [`Error::Usage`] for a file that is none on some rank, and those of [`gather_values`].
    pub(super) fn check_files(&self, files: &[impl AsRef<Path>]) -> Result<(), Error> {
        let Some(ranks) = self.several() else {
            return Ok(());
        };
        let is_file = |path: &Path| fs::metadata(path).is_ok_and(|file| file.is_file());
        let mut files = files.iter().map(AsRef::as_ref);
        let other = files.find(|path| !is_file(path));
        let name = other.map(|path| path.display().to_string());
        match gather_values(ranks, name)?.into_iter().flatten().next() {
            Some(name) => Err(Error::Usage(format!(
                "{name} is not a plain file, and each of several ranks reads its own part: write the rows to a file first, or start \
                 one process"
            ))),
            None => Ok(()),
        }
    }

    /// Checks that all ranks that share files see as many rows in them: `rows` on this one.
    ///
    /// # Errors
    /// [`Error::Data`] for a rank that sees another number, and those of [`other`].
    pub(super) fn agree(&self, rows: u64) -> Result<(), Error> {
        let ranks = self.several();
        match ranks.map(|ranks| other(ranks, rows)).transpose()?.flatten() {
            Some(rank) => Err(Error::Data(format!(
                "rank {rank} sees files with another number of rows than rank 0: give all ranks the same files"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the first option that is for text files, if one is given.
    pub(super) fn of_text(&self) -> Option<Setting> {
        [
            (Setting::Delimiter, self.delimiter.is_some()),
            (Setting::Header, self.header.is_some()),
            (Setting::SkipLines, self.skip_lines > 0),
            (Setting::Comment, self.comment.is_some()),
            (Setting::Decimal, self.decimal.is_some()),
            (Setting::DateFormat, self.date_format.is_some()),
        ]
        .into_iter()
        .find_map(|(setting, given)| given.then_some(setting))
    }
}

/// The columns of a file, to choose x and y from.
#[derive(Clone, Copy, Debug)]
pub struct ColumnChoice<'a> {
    /// The file, as errors name it.
    pub file: &'a str,
    /// All columns, in the file's order.
    pub columns: &'a [NamedColumn],
    /// Why the columns have positions and no names, for use after a comma: `without a header`; `None` if they have names.
    pub unnamed: Option<&'static str>,
    /// The kind of the file.
    pub kind: TableKind,
}

impl ColumnChoice<'_> {
    /// Returns the positions, from 0, of x and y: the columns that were asked for, else those called x and y, else the only
    /// numeric ones, x first.
    ///
    /// Returns no y if x is to be alone. x is then the only numeric column or the first of two, as it is when both are read.
    ///
    /// # Errors
    /// - [`Error::NoColumn`] and [`Error::DuplicateColumn`] for a column that was asked for.
    /// - [`Error::Setting`] if x and y are the same column.
    /// - [`Error::ColumnsNeeded`] if the numeric columns do not decide.
    pub fn choose(&self, request: &Request) -> Result<(usize, Option<usize>), Error> {
        let find = |wanted| self.find(wanted);
        let x = match request.x.map(find).transpose() {
            // A column that stands alone is x, whatever its name.
            Err(_) if request.x_of_model && self.unnamed.is_some() && self.columns.len() == 1 => {
                None
            }
            found => found?,
        };
        let y = match request.y.map(find).transpose() {
            Err(_) if request.y_of_model => None,
            found => found?,
        };
        let y = y.filter(|&at| !request.y_of_model || self.columns[at].numeric && x != Some(at));
        if x.is_some() && x == y {
            return Err(Setting::Y.error("is the same column as x"));
        }
        let x = x.or_else(|| self.called("x").filter(|at| Some(*at) != y));
        let y = y.or_else(|| {
            self.called("y")
                .filter(|at| Some(*at) != x && !request.x_alone)
        });
        let guesses = |named: bool| {
            let is_one = move |&at: &usize| {
                let column = &self.columns[at];
                may_be_guessed(column)
                    && (!named || !column.name.is_empty())
                    && Some(at) != x
                    && Some(at) != y
            };
            (0..self.columns.len()).filter(is_one)
        };
        let wanted = usize::from(x.is_none()) + usize::from(y.is_none() && !request.x_alone);
        // A column without a name beside others counts their rows.
        let named = self.unnamed.is_none() && guesses(true).count() >= wanted;
        let mut rest = guesses(named);
        // x is taken first: two numeric columns are x and y in the file's order.
        let chosen_x = x.or_else(|| rest.next());
        let chosen_y = y.or_else(|| rest.next());
        let x_alone = request.x_alone && y.is_none();
        let guessed = x.is_none() || y.is_none() && !x_alone;
        let decided = !guessed || rest.next().is_none();
        match (chosen_x, chosen_y) {
            (Some(x), _) if x_alone && decided => Ok((x, None)),
            (Some(x), Some(y)) if !x_alone && decided => Ok((x, Some(y))),
            _ => Err(Error::ColumnsNeeded {
                file: self.file.to_owned(),
                needed: match (request.x, request.y) {
                    (None, None) if x_alone => Axes::X,
                    (None, Some(_)) => Axes::X,
                    (Some(_), None) => Axes::Y,
                    _ => Axes::Both,
                },
                columns: self.list(),
            }),
        }
    }

    /// Returns the position, from 0, of the only column of this name that may hold numbers, in capitals or not.
    fn called(&self, name: &str) -> Option<usize> {
        let is_called = |column: &NamedColumn| {
            // A column of a text that has no value yet may get numbers in another part.
            let is_empty = self.kind == TableKind::Text && column.example.is_none();
            self.unnamed.is_none()
                && (may_be_guessed(column) || is_empty)
                && column.name.eq_ignore_ascii_case(name)
        };
        let mut all = (0..self.columns.len()).filter(|&at| is_called(&self.columns[at]));
        all.next().filter(|_| all.next().is_none())
    }

    /// Returns the position, from 0, of the column of this name (`column 2` if it has none) or at this position from 1.
    fn find(&self, wanted: &str) -> Result<usize, Error> {
        let mut matches = (0..self.columns.len()).filter(|&at| self.name(at) == wanted);
        match (matches.next(), matches.next()) {
            (Some(at), None) => return Ok(at),
            (Some(_), Some(_)) => {
                return Err(Error::DuplicateColumn {
                    file: self.file.to_owned(),
                    wanted: wanted.to_owned(),
                    columns: self.list(),
                });
            }
            (None, _) => {}
        }
        let position = wanted.parse::<usize>().ok();
        let at_position = position
            .and_then(|position| position.checked_sub(1))
            .filter(|&at| at < self.columns.len());
        let lower = wanted.to_lowercase();
        let mut alike = (0..self.columns.len()).filter(|&at| self.name(at).to_lowercase() == lower);
        let only = alike.next().filter(|_| alike.next().is_none());
        at_position.or(only).ok_or_else(|| Error::NoColumn {
            file: self.file.to_owned(),
            wanted: wanted.to_owned(),
            columns: self.list(),
        })
    }

    /// Returns all columns, for an error.
    pub fn list(&self) -> ColumnList {
        ColumnList {
            columns: self.columns.to_vec(),
            unnamed: self.unnamed.map(Cow::Borrowed),
            kind: self.kind,
        }
    }

    /// Returns the name of a column: `speed`, `column 2`.
    pub fn name(&self, at: usize) -> String {
        if self.unnamed.is_some() || self.columns[at].name.is_empty() {
            format!("column {}", at + 1)
        } else {
            self.columns[at].name.clone()
        }
    }

    /// Returns the name of a column for use within a sentence: `column "speed"`, `column 2`.
    pub fn titled(&self, at: usize) -> String {
        if self.unnamed.is_some() || self.columns[at].name.is_empty() {
            self.name(at)
        } else {
            format!("column {:?}", self.columns[at].name)
        }
    }
}

/// Returns whether a column can be x or y unasked. An unnamed index that pandas saved only counts rows.
fn may_be_guessed(column: &NamedColumn) -> bool {
    column.numeric && !column.name.starts_with("__index_level_")
}
