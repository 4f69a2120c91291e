//! Tables of samples, as `generate` writes them.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use fall_line::atomic;
use fall_line::data::{BLOCK, Block, OnLoad, Source, read};
use fall_line::error::Error;
use fall_line::table::write::{Kind, Writer, kind};
use rayon::prelude::*;

use super::interrupts::Interrupts;
use super::progress::Progress;

/// A table of a source's samples, with a name for each column.
pub struct SampleTable<'a, F> {
    pub source: &'a dyn Source,
    pub names: &'a [&'a str],
    /// Makes the columns from a block.
    pub columns: F,
    /// Ctrl-C ends the writing after the block in hand.
    pub interrupts: &'a Interrupts,
}

/// Reasons for a table to be incomplete, besides errors of its writer.
enum Stopped {
    /// A block could not be read.
    Unread(Error),
    Interrupted(ExitCode),
}

impl<F: Fn(Block) -> Vec<Vec<f64>>> SampleTable<'_, F> {
    /// Writes the table to a file in the format of its ending. If it is interrupted, there is no file.
    pub fn write_file(&self, path: &Path, quiet: bool) -> Result<ExitCode, Error> {
        let kind = kind(path)?;
        let progress = Progress::new("writing", self.source.samples(), quiet);
        let mut stopped = None;
        let written = atomic::write(path, |out| {
            self.write(
                out,
                kind,
                &|samples| progress.advance(samples),
                &mut stopped,
            )
        });
        drop(progress);
        match stopped {
            Some(Stopped::Unread(error)) => Err(error),
            Some(Stopped::Interrupted(code)) => {
                super::notice(format!("interrupted: {} is not written", path.display()));
                Ok(code)
            }
            None => written.map(|()| ExitCode::SUCCESS),
        }
    }

    /// Reads blocks in parallel and writes them in order. A reason not to write all of them goes to `stopped`.
    fn write(
        &self,
        out: &mut (dyn Write + Send),
        kind: Kind,
        on_write: OnLoad,
        stopped: &mut Option<Stopped>,
    ) -> io::Result<()> {
        let mut writer = Writer::new(out, kind, self.names, self.source.samples())?;
        let count = self.source.samples().div_ceil(BLOCK as u64);
        let batch = rayon::current_num_threads() as u64;
        for first in (0..count).step_by(batch as usize) {
            let blocks: Result<Vec<Block>, Error> = (first..count.min(first + batch))
                .into_par_iter()
                .map(|index| {
                    let mut block = Block::default();
                    read(self.source, index, &mut block).map(|()| block)
                })
                .collect();
            let mut stop = |why| {
                *stopped = Some(why);
                io::Error::from(io::ErrorKind::Interrupted)
            };
            let blocks = blocks.map_err(|error| stop(Stopped::Unread(error)))?;
            for block in blocks {
                if let Some(code) = self.interrupts.exit_code() {
                    return Err(stop(Stopped::Interrupted(code)));
                }
                let samples = block.x.len() as u64;
                let columns = (self.columns)(block);
                let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
                writer.block(&columns)?;
                on_write(samples);
            }
        }
        writer.finish()
    }
}
