//! A file that any thread reads and writes at any position.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;

/// A file without a position of its own.
#[derive(Clone, Debug)]
pub(super) struct SharedFile {
    file: Arc<File>,
    /// Where there are no positioned reads and writes, who seeks.
    #[cfg(not(unix))]
    turn: Arc<std::sync::Mutex<()>>,
    state: State,
}

/// What becomes another where a file is written to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    length: u64,
    /// None where the operating system doesn't say.
    modified: Option<SystemTime>,
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        State {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

impl SharedFile {
    /// A file, as it is now.
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(SharedFile {
            state: State::of(&file.metadata()?),
            file: Arc::new(file),
            #[cfg(not(unix))]
            turn: Arc::default(),
        })
    }

    /// Whether both are one file, opened once.
    pub(super) fn same(&self, other: &SharedFile) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }

    /// Its length in bytes when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.state.length
    }

    /// That nobody wrote to the file since it was opened, as far as its length and its time say. To be asked after what
    /// was read, which is a mixture otherwise; takes a microsecond.
    pub(super) fn unchanged(&self, name: &str) -> Result<(), Error> {
        let metadata = self.file.metadata().map_err(Error::cannot_read(name))?;
        if State::of(&metadata) == self.state {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{name} changed while it was read: try again when it is whole"
        )))
    }

    /// Fills `bytes` from byte `position` on.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        self.from(position).read_exact(bytes)
    }

    /// Writes all of `bytes` from byte `position` on.
    pub(super) fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(&*self.file, bytes, position);
        #[cfg(not(unix))]
        self.at(position, |mut file| io::Write::write_all(&mut file, bytes))
    }

    /// Reads on from byte `position`.
    pub(super) fn from(&self, position: u64) -> ReadFrom {
        ReadFrom {
            file: self.clone(),
            position,
        }
    }

    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.file, bytes, position);
        #[cfg(not(unix))]
        self.at(position, |mut file| file.read(bytes))
    }

    /// Does something at byte `position`, while nobody else seeks.
    #[cfg(not(unix))]
    fn at<T>(&self, position: u64, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let turn = self.turn.lock();
        let _turn = turn.unwrap_or_else(std::sync::PoisonError::into_inner);
        io::Seek::seek(&mut &*self.file, io::SeekFrom::Start(position))?;
        act(&self.file)
    }
}

/// A shared file from a position on.
#[derive(Debug)]
pub(super) struct ReadFrom {
    file: SharedFile,
    position: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
