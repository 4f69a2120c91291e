//! Text files that are divided among ranks by their bytes.
//!
//! The files, one after the other, are divided into as many stretches of equal length as there are ranks. A rank reads its own
//! stretch, and the first lines of each file in it. [`DividedText`] has the rules for a file that is divided. Two gathers tell each
//! rank the rest: the places of all boundaries, and then the lines before its own, so that a row is named by its line in the file.

use std::io;
use std::mem;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::csv::{DividedText, Place, ReadText};
use super::opened::OpenedFile;
use super::request::Request;
use super::rows::Skipped;
use super::set::{notes_of, same_columns, titled};
use super::store::Store;
use super::{input, unless_empty};
use crate::data::OnLoad;
use crate::error::{Ambiguity, Axes, ColumnList, Error, Row, RowError, TableKind};
use crate::ranks::{Ranks, gather_values};

/// Opens this rank's part of files that several ranks share. Returns `None` if they can't be divided, as packed ones and those of
/// other kinds.
///
/// # Errors
/// Those of [`open_all`](super::open_all), on all ranks the one that a single rank would end with.
pub(super) fn open(
    files: &[PathBuf],
    name: &str,
    request: &Request,
    on_load: OnLoad,
) -> Result<Option<OpenedFile>, Error> {
    let Some(ranks) = request.several().filter(|_| !request.is_part) else {
        return Ok(None);
    };
    let Some(lengths) = lengths(files, request)? else {
        return Ok(None);
    };
    let set = Set {
        first: first(files, name, request)?,
        files,
        request,
        on_load,
    };
    let pieces = pieces(&lengths, ranks);
    let mut mine = set.read(&pieces, Place::Outside);
    let start = start(ranks, &mine, &lengths)?;
    if start != Place::Outside && pieces.first().is_some_and(|piece| piece.bytes.start > 0) {
        mine = set.read(&pieces, start);
    }
    let told = gather_values(ranks, mem::take(&mut mine.told))?;
    mine.opened(name, set.first.1, told, ranks.rank()).map(Some)
}

/// Returns the lengths of all files, or `None` if there is one that can't be divided.
fn lengths(files: &[PathBuf], request: &Request) -> Result<Option<Vec<u64>>, Error> {
    let mut lengths = Vec::new();
    for path in files {
        lengths.push(match input(path, files, request, &|_| {})? {
            None => 0,
            Some((input, TableKind::Text)) => match DividedText::length(&input)? {
                Some(length) => length,
                None => return Ok(None),
            },
            Some(_) => return Ok(None),
        });
    }
    Ok(Some(lengths))
}

/// Returns the position of the first file with rows, and what is told of it.
fn first(files: &[PathBuf], name: &str, request: &Request) -> Result<(usize, ReadText), Error> {
    for at in 0..files.len() {
        let text = text(files, at, request)?;
        let told = text.map(|text| unless_empty(text.told(request), files));
        if let Some(told) = told.transpose()?.flatten() {
            return Ok((at, told));
        }
    }
    Err(Error::Data(format!("{name} is empty")))
}

/// Opens one of the files; `None` for an empty one.
fn text(files: &[PathBuf], at: usize, request: &Request) -> Result<Option<DividedText>, Error> {
    match input(&files[at], files, request, &|_| {})? {
        Some((input, _)) => DividedText::open(input, request),
        None => Ok(None),
    }
}

/// Bytes of a file.
struct Piece {
    file: usize,
    bytes: Range<u64>,
    /// True if the file goes on behind them.
    goes_on: bool,
}

/// Returns what a rank reads of files of these lengths: its share of all bytes.
fn pieces(lengths: &[u64], ranks: &dyn Ranks) -> Vec<Piece> {
    let all: u64 = lengths.iter().sum();
    let [rank, size] = [ranks.rank(), ranks.size()].map(|number| number as u128);
    let boundary = |rank: u128| (u128::from(all) * rank / size) as u64;
    let (from, to) = (boundary(rank), boundary(rank + 1));
    let mut pieces = Vec::new();
    let mut before = 0;
    for (file, &length) in lengths.iter().enumerate() {
        let within = |at: u64| at.clamp(before, before + length) - before;
        let bytes = within(from)..within(to);
        if !bytes.is_empty() {
            pieces.push(Piece {
                file,
                goes_on: bytes.end < length,
                bytes,
            });
        }
        before += length;
    }
    pieces
}

/// Returns the place of the first byte of this rank, by the ends of those before.
fn start(ranks: &dyn Ranks, mine: &Mine, lengths: &[u64]) -> Result<Place, Error> {
    let all: Vec<([Place; 3], Vec<u64>)> = gather_values(ranks, (mine.ends, lengths.to_vec()))?;
    if let Some(rank) = all.iter().position(|(_, seen)| *seen != all[0].1) {
        return Err(Error::Data(format!(
            "rank {rank} sees files of other lengths than rank 0: give all ranks the same files"
        )));
    }
    let before = all[..ranks.rank()].iter();
    Ok(before.fold(Place::Outside, |place, (ends, _)| ends[place as usize]))
}

/// The files, and how they are read.
struct Set<'a> {
    files: &'a [PathBuf],
    request: &'a Request<'a>,
    on_load: OnLoad<'a>,
    /// The position of the first file with rows, and what is told of it.
    first: (usize, ReadText),
}

/// What this rank has read.
struct Mine {
    store: Store,
    /// The rows left out of a file that is divided at its start, and those of the others.
    skipped: [Skipped; 2],
    /// The place of the boundary at the end, by the place of that at the start.
    ends: [Place; 3],
    told: Told,
    error: Option<Error>,
}

/// What a rank tells the others.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    /// The lines that were read of the last file.
    lines: u64,
    /// True if that file begins here.
    begins: bool,
    /// Files with rows that begin here.
    files: u64,
    /// What is not usual in them.
    notes: Vec<String>,
    failure: Option<Failure>,
}

/// An error, as all ranks can tell it.
#[derive(Serialize, Deserialize)]
enum Failure {
    /// A row, and whether its line is counted from a boundary on.
    Row(RowError, bool),
    Io(String, String),
    Ambiguous(Ambiguity),
    NoColumn {
        file: String,
        wanted: String,
        columns: ColumnList,
    },
    ColumnsNeeded {
        file: String,
        needed: Axes,
        columns: ColumnList,
    },
    Other(String),
}

impl Set<'_> {
    /// Reads some pieces, of which the first one starts at a place.
    fn read(&self, pieces: &[Piece], start: Place) -> Mine {
        let mut mine = Mine {
            store: Store::default(),
            skipped: Default::default(),
            ends: [Place::Outside, Place::Inside, Place::Behind],
            told: Told::default(),
            error: None,
        };
        for (nth, piece) in pieces.iter().enumerate() {
            // The end may be needed by others, even if this rank has failed.
            let is_last = nth + 1 == pieces.len();
            if mine.error.is_some() && !is_last {
                continue;
            }
            let start = if nth == 0 { start } else { Place::Outside };
            if let Err(error) = self.read_piece(piece, start, &mut mine) {
                mine.fail(error, false);
            }
        }
        mine
    }

    fn read_piece(&self, piece: &Piece, start: Place, mine: &mut Mine) -> Result<(), Error> {
        let (is_first, begins) = (piece.file == self.first.0, piece.bytes.start == 0);
        let Some(mut text) = text(self.files, piece.file, self.request)? else {
            return Ok(());
        };
        if begins {
            (mine.told.begins, mine.told.lines) = (true, 0);
        }
        let Some(told) = unless_empty(text.told(self.request), self.files)? else {
            mine.ends = [Place::Outside; 3];
            return Ok(());
        };
        let name = self.files[piece.file].display().to_string();
        same_columns(&name, &told, &self.first.1)?;
        if begins {
            mine.told.files += 1;
            let notes = (!is_first).then(|| notes_of(&name, told.notes, &self.first.1.notes));
            mine.told.notes.extend(notes.flatten());
        }
        let mut part = text.part(piece.bytes.clone(), start, self.on_load)?;
        if mine.error.is_none() {
            match text.read(&mut part, self.request, &mut mine.store) {
                Ok((read, lines)) => {
                    mine.skipped[usize::from(!part.is_later)].join(read.skipped);
                    mine.told.lines += lines;
                }
                Err(error) => mine.fail(error, part.is_later),
            }
        }
        if piece.goes_on {
            mine.ends = part.ends().map_err(Error::cannot_read(&name))?;
        }
        Ok(())
    }
}

impl Mine {
    /// Keeps the first error.
    fn fail(&mut self, error: Error, is_later: bool) {
        if self.error.is_none() {
            self.told.failure = Some(Failure::of(&error, is_later));
            self.error = Some(error);
        }
    }

    /// Returns the samples of this rank, by what all ranks told.
    fn opened(
        self,
        name: &str,
        first: ReadText,
        told: Vec<Told>,
        rank: usize,
    ) -> Result<OpenedFile, Error> {
        let Mine {
            mut store,
            skipped: [mut skipped, others],
            mut error,
            ..
        } = self;
        let (mut lines, mut before, mut files) = (0, 0, 0);
        let mut notes = first.notes.clone();
        for (at, told) in told.into_iter().enumerate() {
            if at == rank {
                before = lines;
            }
            if let Some(failure) = told.failure {
                return Err(match (failure, error.take()) {
                    // With all that a caller may ask of it.
                    (Failure::Io(..) | Failure::Other(_), Some(error)) if at == rank => error,
                    (failure, _) => failure.error(lines),
                });
            }
            lines = if told.begins { 0 } else { lines } + told.lines;
            files += told.files;
            notes.extend(told.notes);
        }
        for (_, row) in skipped.by_reason.values_mut() {
            move_down(row, before);
        }
        skipped.join(others);
        store.title = titled(name, files > 1, &first);
        let [x, y] = first.names;
        Ok(OpenedFile {
            source: Box::new(store),
            x,
            y,
            time: first.time,
            all_samples: 0,
            skipped,
            notes,
            statistics: None,
            moments: None,
        })
    }
}

/// Moves a row, whose line was counted as if one line came before the boundary, to where so many do.
fn move_down(row: &mut RowError, lines: u64) {
    if let Row::Line(line) = &mut row.row {
        *line += lines.saturating_sub(1);
    }
}

impl Failure {
    fn of(error: &Error, is_later: bool) -> Self {
        match error {
            Error::Row(row) => Failure::Row(row.clone(), is_later),
            Error::Io { doing, source } => Failure::Io(doing.clone(), source.to_string()),
            Error::Ambiguous(ambiguity) => Failure::Ambiguous(ambiguity.clone()),
            Error::NoColumn {
                file,
                wanted,
                columns,
            } => Failure::NoColumn {
                file: file.clone(),
                wanted: wanted.clone(),
                columns: columns.clone(),
            },
            Error::ColumnsNeeded {
                file,
                needed,
                columns,
            } => Failure::ColumnsNeeded {
                file: file.clone(),
                needed: *needed,
                columns: columns.clone(),
            },
            other => Failure::Other(other.to_string()),
        }
    }

    /// Returns the error of a rank that has so many lines of its file before it.
    fn error(self, lines: u64) -> Error {
        match self {
            Failure::Row(mut row, is_later) => {
                if is_later {
                    move_down(&mut row, lines);
                }
                Error::Row(row)
            }
            Failure::Io(doing, source) => Error::Io {
                doing,
                source: io::Error::other(source),
            },
            Failure::Ambiguous(ambiguity) => Error::Ambiguous(ambiguity),
            Failure::NoColumn {
                file,
                wanted,
                columns,
            } => Error::NoColumn {
                file,
                wanted,
                columns,
            },
            Failure::ColumnsNeeded {
                file,
                needed,
                columns,
            } => Error::ColumnsNeeded {
                file,
                needed,
                columns,
            },
            Failure::Other(text) => Error::Data(text),
        }
    }
}
