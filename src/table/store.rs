//! Samples that are parsed once and read often.

use std::io;
use std::ops::Range;

use super::shared::SharedFile;
use crate::data::{BLOCK, Block, Source, positions};
use crate::error::Error;

/// Blocks kept in memory, 64 MB; what comes after them goes to a file.
const IN_MEMORY: usize = 64;

/// Bytes of a block of f64 samples.
const BYTES: u64 = 16 * BLOCK as u64;

/// Samples in f64, 16 bytes each, that are appended in order: up to 64 MB in memory, what is beyond in an unnamed
/// temporary file, which is gone with the program.
#[derive(Debug)]
pub struct Store {
    title: String,
    /// How many blocks are kept in memory.
    in_memory: usize,
    memory: Vec<Block>,
    /// The blocks after those in memory, all x of a block and then all its y.
    file: Option<SharedFile>,
    in_file: u64,
    /// The samples after the last full block.
    last: Block,
}

impl Store {
    /// An empty store of what `title` says for a headline.
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

    /// Adds samples after those that are there.
    ///
    /// # Errors
    /// [`Error::Io`] where the temporary file can't be written.
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

    /// Puts the last block, now full, where it stays.
    fn keep_last(&mut self) -> Result<(), Error> {
        if self.memory.len() < self.in_memory {
            self.memory.push(std::mem::take(&mut self.last));
            return Ok(());
        }
        self.write_last().map_err(|source| Error::Io {
            doing: format!(
                "cannot keep {} MB of samples in a temporary file in {} (TMPDIR names another folder)",
                (self.in_file + 1) * BYTES / 1_000_000,
                std::env::temp_dir().display(),
            ),
            source,
        })?;
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

#[cfg(test)]
mod tests;
