//! Parts: the moments of some of a set's samples in a JSON file, to be merged with those of the others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::moments::Moments;
use crate::data::{OnLoad, Source};
use crate::error::{Error, counted};
use crate::saved::{self, Counts};

/// The value of `schema`: its number grows if a key goes or changes its meaning.
const SCHEMA: &str = "fall-line moments 1";

/// The moments of a part of a set, and what they are of: the `content` of a file that `docs/cluster.md` describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The version of fall-line that wrote it.
    pub version: String,
    /// The number of parts in it: 1, or as many as were merged.
    pub parts: u64,
    /// The data, in words.
    pub data: String,
    /// The column of x.
    pub x: String,
    /// The column of y.
    pub y: String,
    /// What the numbers of x count.
    pub x_counts: Counts,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// The moments of the samples.
    pub moments: Moments,
}

/// The file of a part.
#[derive(Debug, Serialize, Deserialize)]
pub struct Written<'a> {
    schema: Cow<'a, str>,
    /// CRC-32 of `content` as compact JSON.
    checksum: u32,
    content: Cow<'a, Part>,
}

impl Part {
    /// Reads all samples of a source once, on all threads of rayon's pool, unless their moments are known. Calls `on_load` with
    /// their number as they are read. `skipped` are the rows that are not among them, by reason.
    ///
    /// # Errors
    /// Those of [`Moments::of`], and [`Error::Data`] if f64 can't hold the squares.
    pub fn of(
        source: &dyn Source,
        skipped: BTreeMap<String, u64>,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        let [x, y] = source.names();
        let part = Part {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            parts: 1,
            data: source.title(),
            x,
            y,
            x_counts: source.time().into(),
            skipped,
            moments: match source.moments() {
                Some(known) => known,
                None => Moments::of(source, on_load)?,
            },
        };
        part.checked()
    }

    /// Refuses moments that are not finite.
    fn checked(self) -> Result<Self, Error> {
        if self.moments.is_finite() {
            return Ok(self);
        }
        Err(Error::Data(format!(
            "{}: x or y runs too far for f64 to square: give it in larger units",
            self.data
        )))
    }

    /// Reads a part from a file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Data`] if it is not a part, is damaged, or has a schema that this version
    /// doesn't know.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let damaged = |why: &dyn Display| {
            let name = path.display();
            Error::Data(format!(
                "{name} is damaged: {why}; compute its moments again"
            ))
        };
        let Written {
            checksum, content, ..
        } = saved::read(path, SCHEMA, "is not a file of moments, or is damaged")?
            .map_err(|error| damaged(&error))?;
        if saved::checksum(&content)? != checksum {
            return Err(damaged(&"its checksum is wrong"));
        }
        Ok(content.into_owned())
    }

    /// Returns the object that a file holds: [`saved::write`] writes it.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be written as JSON.
    pub fn written(&self) -> Result<Written<'_>, Error> {
        Ok(Written {
            schema: SCHEMA.into(),
            checksum: saved::checksum(self)?,
            content: Cow::Borrowed(self),
        })
    }

    /// Returns the rows left out, whatever the reason.
    pub fn skipped_rows(&self) -> u64 {
        self.skipped
            .values()
            .fold(0, |all, &rows| all.saturating_add(rows))
    }
}

/// Parts, with the files that they come from, in an order that is theirs alone.
#[derive(Clone, Debug)]
pub struct Parts(Vec<(PathBuf, Part)>);

impl Parts {
    /// Reads parts from files.
    ///
    /// # Errors
    /// Those of [`Part::read`]. Also [`Error::Data`] if the columns of two parts differ, or x counts something else in them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let parts = paths
            .iter()
            .map(|path| Ok((path.clone(), Part::read(path)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        for pair in parts.windows(2) {
            same_columns(&pair[0], &pair[1])?;
        }
        // A header alone does not tell what x counts.
        let filled: Vec<_> = parts
            .iter()
            .filter(|(_, part)| part.moments.samples > 0)
            .collect();
        for pair in filled.windows(2) {
            same_counts(pair[0], pair[1])?;
        }
        let mut keyed = parts
            .into_iter()
            .map(|part| Ok((key(&part.1)?, part)))
            .collect::<Result<Vec<_>, Error>>()?;
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Parts(keyed.into_iter().map(|(_, part)| part).collect()))
    }

    /// Returns the number of parts, those in merged ones included.
    pub fn count(&self) -> u64 {
        let counts = self.0.iter().map(|(_, part)| part.parts);
        counts.fold(0, u64::saturating_add)
    }

    /// Returns the pairs of files that hold the same samples.
    pub fn duplicates(&self) -> impl Iterator<Item = [&Path; 2]> {
        let pairs = self.0.windows(2);
        pairs.filter_map(|pair| {
            let [(one, first), (other, second)] = pair else {
                return None;
            };
            let same = first.moments == second.moments && first.moments.samples > 0;
            same.then_some([one.as_path(), other])
        })
    }

    /// Returns all parts as one. It does not depend on the order in which they were read.
    ///
    /// # Errors
    /// [`Error::Data`] if there are none, if f64 can't hold the squares, or if the samples are too many to be counted.
    pub fn merge(self) -> Result<Part, Error> {
        let count = self.count();
        let mut counts = self.0.iter().map(|(_, part)| part.moments.samples);
        counts
            .try_fold(0_u64, u64::checked_add)
            .ok_or_else(|| Error::Data("the parts have more than 2^64 samples".to_owned()))?;
        let mut parts = self.0.into_iter().map(|(_, part)| part);
        let mut merged = parts
            .next()
            .ok_or_else(|| Error::Data("there are no parts".to_owned()))?;
        for part in parts {
            if merged.moments.samples == 0 {
                merged.x_counts = part.x_counts;
            }
            merged.moments = merged.moments.join(part.moments);
            for (reason, rows) in part.skipped {
                let all = merged.skipped.entry(reason).or_default();
                *all = all.saturating_add(rows);
            }
            merged.data = counted(count, "part");
        }
        merged.parts = count;
        merged.version = env!("CARGO_PKG_VERSION").to_owned();
        merged.checked()
    }
}

/// Returns what parts are ordered by: the same samples are neighbours.
fn key(part: &Part) -> Result<[String; 2], Error> {
    Ok([
        serde_json::to_string(&part.moments).map_err(saved::cannot_write)?,
        serde_json::to_string(part).map_err(saved::cannot_write)?,
    ])
}

/// Checks that x and y have the same names in two parts, in capitals or not.
fn same_columns(
    (one, first): &(PathBuf, Part),
    (other, second): &(PathBuf, Part),
) -> Result<(), Error> {
    let lower = |part: &Part| [&part.x, &part.y].map(|name| name.to_lowercase());
    if lower(first) == lower(second) {
        return Ok(());
    }
    let over = |part: &Part| format!("{:?} over {:?}", part.y, part.x);
    Err(Error::Data(format!(
        "{} has the moments of {}, and {} those of {}: give parts of the same columns",
        one.display(),
        over(first),
        other.display(),
        over(second),
    )))
}

/// Checks that x counts the same in two parts.
fn same_counts(
    (one, first): &(PathBuf, Part),
    (other, second): &(PathBuf, Part),
) -> Result<(), Error> {
    if first.x_counts == second.x_counts {
        return Ok(());
    }
    Err(Error::Data(format!(
        "x, {:?}, is {} in {}, and {} in {}: give parts of one kind",
        first.x,
        first.x_counts,
        one.display(),
        second.x_counts,
        other.display(),
    )))
}
