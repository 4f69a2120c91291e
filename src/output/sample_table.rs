//! Tables of samples: what `generate` and `predict` write.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use fall_line::atomic;
use fall_line::data::{BLOCK, Block, OnLoad, Source};
use fall_line::error::Error;
use fall_line::table::write::{Kind, Writer, kind};
use rayon::prelude::*;

use super::progress::Progress;
use crate::INTERRUPTED;
use crate::interrupts::Interrupts;

/// A table of a source's samples, one column a name.
pub struct Table<'a, F> {
    pub source: &'a dyn Source,
    pub names: &'a [&'a str],
    /// The columns that are written of a block.
    pub columns: F,
    /// Ctrl-C ends it after the block in hand.
    pub interrupts: &'a Interrupts,
}

/// Why a table is not whole, beside what its writer says.
enum Stopped {
    /// A block could not be read.
    Unread(Error),
    Interrupted,
}

impl<F: Fn(Block) -> Vec<Vec<f64>>> Table<'_, F> {
    /// Writes it to a file, whose ending says how; an interrupted one is not there.
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
        self.end(
            written,
            stopped,
            format!("{} is not written", path.display()),
        )
    }

    /// Writes it to stdout as CSV.
    pub fn print(&self) -> Result<ExitCode, Error> {
        let mut stopped = None;
        let mut out = io::BufWriter::new(io::stdout());
        let written = self
            .write(&mut out, Kind::Csv, &|_| {}, &mut stopped)
            .and_then(|()| out.flush())
            .map_err(super::cannot_print);
        self.end(written, stopped, "there would be more".to_owned())
    }

    fn end(
        &self,
        written: Result<(), Error>,
        stopped: Option<Stopped>,
        left: String,
    ) -> Result<ExitCode, Error> {
        match stopped {
            Some(Stopped::Unread(error)) => Err(error),
            Some(Stopped::Interrupted) => {
                super::notice(format!("interrupted: {left}"));
                Ok(INTERRUPTED.into())
            }
            None => written.map(|()| ExitCode::SUCCESS),
        }
    }

    /// Blocks are read side by side and written in order; why they are not all written goes to `stopped`.
    fn write(
        &self,
        out: &mut (dyn Write + Send),
        kind: Kind,
        on_write: OnLoad,
        stopped: &mut Option<Stopped>,
    ) -> io::Result<()> {
        let mut writer = Writer::new(out, kind, self.names, self.source.samples())?;
        let blocks = self.source.samples().div_ceil(BLOCK as u64);
        let batch = rayon::current_num_threads() as u64;
        for first in (0..blocks).step_by(batch as usize) {
            let read: Result<Vec<Block>, Error> = (first..blocks.min(first + batch))
                .into_par_iter()
                .map(|index| {
                    let mut block = Block::default();
                    self.source.read(index, &mut block).map(|()| block)
                })
                .collect();
            let mut stop = |why| {
                *stopped = Some(why);
                io::Error::from(io::ErrorKind::Interrupted)
            };
            let read = read.map_err(|error| stop(Stopped::Unread(error)))?;
            for block in read {
                if self.interrupts.came() {
                    return Err(stop(Stopped::Interrupted));
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
