//! Several files as one set.

use std::path::{Path, PathBuf};

use super::csv::{self, ReadText};
use super::input::Input;
use super::opened::OpenedFile;
use super::read_text;
use super::request::Request;
use super::rows::Skipped;
use super::store::Store;
use crate::data::stretch::Stretch;
use crate::data::{BLOCK, Source, Time};
use crate::error::{Error, counted};
use crate::saved::Counts;

/// Text files that are read into one store.
#[derive(Default)]
pub(super) struct Texts {
    store: Store,
    pub(super) read: Vec<ReadText>,
    skipped: Skipped,
    /// What is not usual in the later files.
    notes: Vec<String>,
}

impl Texts {
    pub(super) fn read(&mut self, input: Input, request: &Request) -> Result<(), Error> {
        let name = input.name.clone();
        let store = &mut self.store;
        let mut read = read_text(input, |name, text| csv::read(name, text, request, store))?;
        if let Some(first) = self.read.first() {
            same_columns(&name, &read, first)?;
            let notes = std::mem::take(&mut read.notes);
            self.notes.extend(notes_of(&name, notes, &first.notes));
        }
        self.skipped.join(std::mem::take(&mut read.skipped));
        self.read.push(read);
        Ok(())
    }

    /// Returns the samples of all texts, or a part of them: texts that can't be divided are read by all who need a part.
    pub(super) fn opened(mut self, name: &str, request: &Request) -> Result<OpenedFile, Error> {
        if self.read.is_empty() {
            return Err(Error::Data(format!("{name} is empty")));
        }
        let several = self.read.len() > 1;
        let mut first = self.read.swap_remove(0);
        first.notes.extend(self.notes);
        self.store.title = titled(name, several, &first);
        let [x, y] = first.names;
        request.agree(self.store.samples())?;
        let part = request.part();
        // Rows that were left out are told of once.
        let is_told = part.is_none_or(|part| part.part == 0);
        let source: Box<dyn Source> = match part {
            Some(part) => {
                let blocks = part.blocks(self.store.samples().div_ceil(BLOCK as u64));
                Box::new(Stretch::new(self.store, blocks))
            }
            None => Box::new(self.store),
        };
        Ok(OpenedFile {
            source,
            x,
            y,
            time: first.time,
            all_samples: 0,
            skipped: if is_told {
                self.skipped
            } else {
                Skipped::default()
            },
            notes: first.notes,
            statistics: None,
            moments: None,
        })
    }
}

/// Returns what errors call the set of these paths.
pub(super) fn named(paths: &[PathBuf]) -> String {
    match paths {
        [path] if path == Path::new("-") => "standard input".to_owned(),
        [path] => path.display().to_string(),
        paths => counted(paths.len() as u64, "file"),
    }
}

/// Returns the data of one text or several in words, for a headline.
pub(super) fn titled(name: &str, several: bool, first: &ReadText) -> String {
    match &first.names {
        [x, y] if several => format!("{name}: {y} over {x}"),
        _ => first.title.clone(),
    }
}

/// Checks that x and y of a text have the names that they have in the first one, and are written in the same way.
pub(super) fn same_columns(file: &str, read: &ReadText, first: &ReadText) -> Result<(), Error> {
    same_names(file, &read.names, &first.names)?;
    for (at, name) in read.names.iter().enumerate() {
        if let (Some(own), Some(other)) = (&read.styles[at], &first.styles[at])
            && own != other
        {
            return Err(Error::Data(format!(
                "{file} writes {name:?} with {own}, and the first file with {other}: give files that are written alike"
            )));
        }
    }
    same_time(file, read.time, first.time)
}

/// Checks that x counts what it counts in the first file.
pub(super) fn same_time(file: &str, time: Option<Time>, first: Option<Time>) -> Result<(), Error> {
    if time == first {
        return Ok(());
    }
    Err(Error::Data(format!(
        "x is {} in {file}, and {} in the first file: give files of one kind",
        Counts::from(time),
        Counts::from(first),
    )))
}

/// Checks that x and y have the names that they have in the first file, in capitals or not.
pub(super) fn same_names(
    file: &str,
    names: &[String; 2],
    first: &[String; 2],
) -> Result<(), Error> {
    if names
        .iter()
        .zip(first)
        .all(|(own, other)| own.to_lowercase() == other.to_lowercase())
    {
        return Ok(());
    }
    let over = |[x, y]: &[String; 2]| format!("{y:?} over {x:?}");
    Err(Error::Data(format!(
        "{file} has {}, and the first file {}: give files with the same columns",
        over(names),
        over(first),
    )))
}

pub(super) fn of_another_kind(file: &Path, first: &Path) -> Error {
    Error::Data(format!(
        "{} is of another kind than {}: give files of one kind",
        file.display(),
        first.display(),
    ))
}

/// Returns a later file's notes, unless they are those of the first one.
pub(super) fn notes_of(file: &str, notes: Vec<String>, first: &[String]) -> Option<String> {
    (notes != first).then(|| match notes.is_empty() {
        true => format!("{file} has none of these"),
        false => format!("{file}: {}", notes.join("; ")),
    })
}

/// Returns the note that several files are one set.
pub(super) fn one_set(files: &[PathBuf]) -> Option<String> {
    let several = files.len() > 1;
    several.then(|| format!("{} read as one set", counted(files.len() as u64, "file")))
}
