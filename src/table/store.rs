//! A store of samples that are parsed once and read often.

use std::io;
use std::ops::Range;

use super::shared::SharedFile;
use crate::data::{BLOCK, Block, Source, positions};
use crate::error::Error;

/// Blocks kept in memory: 64 MB. Later ones go to a file.
const IN_MEMORY: usize = 64;

/// Bytes of a block of f64 samples.
const BYTES: u64 = 16 * BLOCK as u64;

/// Samples in f64, 16 bytes each, that are appended in order.
///
/// The first 64 MB stay in memory. The rest goes to an unnamed temporary file, which is gone with the program.
#[derive(Debug)]
pub struct Store {
    /// The data in words, for a headline.
    pub title: String,
    /// Maximum number of blocks in memory.
    in_memory: usize,
    memory: Vec<Block>,
    /// The blocks after those in memory: all x of a block, then all its y.
    file: Option<SharedFile>,
    /// Blocks in the file.
    in_file: u64,
    /// The samples after the last full block.
    last: Block,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(String::new())
    }
}

impl Store {
    /// Returns an empty store; `title` describes the data in a headline.
    pub fn new(title: String) -> Self {
        Self::with_memory(title, IN_MEMORY)
    }

    fn with_memory(title: String, in_memory: usize) -> Self {
        Store {
            title,
            in_memory,
            memory: Vec::new(),
            file: None,
            in_file: 0,
            last: Block::default(),
        }
    }

    /// Appends samples.
    ///
    /// # Errors
    /// [`Error::Io`] if the temporary file can't be written.
    pub fn append(&mut self, samples: &Block) -> Result<(), Error> {
        let mut at = 0;
        while at < samples.x.len() {
            let end = samples.x.len().min(at + BLOCK - self.last.x.len());
            if self.last.x.capacity() == 0 {
                self.last.x.reserve_exact(BLOCK);
                self.last.y.reserve_exact(BLOCK);
            }
            self.last.x.extend_from_slice(&samples.x[at..end]);
            self.last.y.extend_from_slice(&samples.y[at..end]);
            if self.last.x.len() == BLOCK {
                self.keep_last()?;
            }
            at = end;
        }
        Ok(())
    }

    /// Moves the last block, which is full, to memory or to the file.
    fn keep_last(&mut self) -> Result<(), Error> {
        if self.memory.len() < self.in_memory {
            self.memory.push(std::mem::take(&mut self.last));
            return Ok(());
        }
        let megabytes = (self.in_file + 1) * BYTES / 1_000_000;
        self.write_last()
            .map_err(cannot_write(format!("keep {megabytes} MB of samples in")))?;
        self.in_file += 1;
        self.last.clear();
        Ok(())
    }

    fn write_last(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(SharedFile::new(tempfile::tempfile()?)?),
        };
        let start = self.in_file * BYTES;
        file.write_all_at(bytemuck::cast_slice(&self.last.x), start)?;
        file.write_all_at(bytemuck::cast_slice(&self.last.y), start + BYTES / 2)
    }

    fn read_file(&self, index: u64, block: &mut Block) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        block.x.resize(BLOCK, 0.0);
        block.y.resize(BLOCK, 0.0);
        let start = index * BYTES;
        file.read_exact_at(bytemuck::cast_slice_mut(&mut block.x), start)?;
        file.read_exact_at(bytemuck::cast_slice_mut(&mut block.y), start + BYTES / 2)
    }
}

impl Source for Store {
    fn samples(&self) -> u64 {
        let full = self.memory.len() as u64 + self.in_file;
        full * BLOCK as u64 + self.last.x.len() as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let in_memory = self.memory.len() as u64;
        if (in_memory..in_memory + self.in_file).contains(&index) {
            let place = format!("the temporary file that holds {}", self.title);
            return self
                .read_file(index - in_memory, block)
                .map_err(Error::cannot_read(&place));
        }
        let Range { start, end } = positions(index, self.samples());
        let held = if index < in_memory {
            &self.memory[index as usize]
        } else {
            &self.last
        };
        block.clear();
        block.x.extend_from_slice(&held.x[..(end - start) as usize]);
        block.y.extend_from_slice(&held.y[..(end - start) as usize]);
        Ok(())
    }

    fn title(&self) -> String {
        self.title.clone()
    }
}

/// Returns a function that makes an error of a copy that can't be written to a temporary file.
pub fn cannot_copy(name: &str) -> impl Fn(io::Error) -> Error {
    cannot_write(format!("copy {name} to"))
}

fn cannot_write(doing: String) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io {
        doing: format!(
            "cannot {doing} a temporary file in {} (TMPDIR names another folder)",
            std::env::temp_dir().display(),
        ),
        source,
    }
}

#[cfg(test)]
mod tests;
