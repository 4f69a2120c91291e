//! A file that any thread reads and writes at any position.

use std::fs::{File, Metadata};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::FileExt;
#[cfg(windows)]
use std::os::windows::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use crate::fault::{self, Fault};

/// A file that is read and written by position: threads share it without a common offset.
#[derive(Clone, Debug)]
pub struct SharedFile {
    file: Arc<File>,
    state: State,
}

/// Properties that change if somebody writes to a file.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    /// Bytes.
    length: u64,
    /// `None` if the operating system doesn't say.
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
    /// Shares a file and notes its present state.
    pub fn new(file: File) -> io::Result<Self> {
        Ok(SharedFile {
            state: State::of(&file.metadata()?),
            file: Arc::new(file),
        })
    }

    /// Returns whether both share one open file.
    pub fn same(&self, other: &SharedFile) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }

    /// Returns the length in bytes that the file had when it was opened.
    pub fn length(&self) -> u64 {
        self.state.length
    }

    /// Checks that nobody wrote to the file since it was opened, as far as its length and time tell.
    ///
    /// Belongs after each read, which may have mixed old and new bytes; takes a microsecond.
    pub fn unchanged(&self, name: &str) -> Result<(), Error> {
        let metadata = self.file.metadata().map_err(Error::cannot_read(name))?;
        if State::of(&metadata) == self.state {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{name} changed while it was read: try again when it is complete"
        )))
    }

    /// Reads some of the bytes from `position` on: at least one, unless the file ends there. Returns their number.
    pub fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        fault::point(Fault::Read)?;
        #[cfg(unix)]
        return self.file.read_at(bytes, position);
        #[cfg(windows)]
        return self.file.seek_read(bytes, position);
    }

    /// Fills `bytes` with those of the file from `position` on.
    pub fn read_exact_at(&self, mut bytes: &mut [u8], mut position: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.read_at(bytes, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes = &mut bytes[read..];
                    position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes` to the file from `position` on.
    pub fn write_all_at(&self, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            #[cfg(unix)]
            let written = self.file.write_at(bytes, position);
            #[cfg(windows)]
            let written = self.file.seek_write(bytes, position);
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    position += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
