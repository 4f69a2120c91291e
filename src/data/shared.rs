//! A file that any thread reads and writes at any position.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// A file without a position of its own.
#[derive(Clone, Debug)]
pub(super) struct SharedFile {
    file: Arc<File>,
    /// Where there are no positioned reads, who seeks.
    #[cfg(not(unix))]
    turn: Arc<std::sync::Mutex<()>>,
    length: u64,
}

impl SharedFile {
    /// A file, as long as it is now.
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(SharedFile {
            length: file.metadata()?.len(),
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
        self.length
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
        {
            use std::io::{Seek, SeekFrom, Write};
            let _turn = self
                .turn
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut file = &*self.file;
            file.seek(SeekFrom::Start(position))?;
            file.write_all(bytes)
        }
    }

    /// Reads on from byte `position`.
    pub(super) fn from(&self, position: u64) -> ReadFrom {
        ReadFrom {
            file: self.clone(),
            position,
        }
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&*self.file, bytes, position)
    }

    #[cfg(not(unix))]
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        use std::io::{Seek, SeekFrom};
        let _turn = self
            .turn
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(position))?;
        file.read(bytes)
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
