//! In place of MPI where there is no Unix: launchers are recognised, and refused.

use std::path::Path;
use std::time::Duration;

use super::launcher::Launcher;
use super::{Failure, OnLoss, Ranks};
use crate::error::Error;

/// Options of [`Mpi::open`].
#[derive(Default)]
pub struct Options {
    /// Asks for MPI also where no launcher started this process.
    pub wanted: bool,
    /// No call takes time here.
    pub timeout: Duration,
    /// Nothing is lost here.
    pub on_loss: Option<OnLoss>,
}

/// The ranks of an MPI job, of which there are none here.
pub enum Mpi {}

impl Mpi {
    /// Returns `None` without a launcher.
    ///
    /// # Errors
    /// [`Error::Usage`] if a launcher started this process with others, or MPI is wanted.
    pub fn open(options: Options) -> Result<Option<Self>, Error> {
        match Launcher::find() {
            None if !options.wanted => Ok(None),
            Some(_)
                if !options.wanted
                    && std::env::var_os("FALL_LINE_MPI").is_some_and(|name| name == "none") =>
            {
                Ok(None)
            }
            Some(Launcher { ranks: Some(1), .. }) if !options.wanted => Ok(None),
            _ => Err(Error::Usage(
                "ranks over MPI need Linux, macOS or another Unix".to_owned(),
            )),
        }
    }

    /// Returns the number of this process among those on its machine.
    pub fn local_rank(&self) -> usize {
        match *self {}
    }

    /// Returns the number of processes on its machine.
    pub fn local_ranks(&self) -> usize {
        match *self {}
    }

    /// Returns the machines of all ranks.
    pub fn hosts(&self) -> &[String] {
        match *self {}
    }

    /// Returns the library that was opened.
    pub fn library(&self) -> &Path {
        match *self {}
    }

    /// Returns the version of the library.
    pub fn version(&self) -> &str {
        match *self {}
    }

    /// Waits for all ranks, and ends MPI.
    pub fn finish(self) -> Result<(), Error> {
        match self {}
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        match *self {}
    }

    fn size(&self) -> usize {
        match *self {}
    }

    fn gather(&self, _mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        match *self {}
    }
}

/// Returns at once, as there is no job to end.
pub fn abort(_code: u8) {}

/// Returns that there are no others.
pub fn fail(_code: u8, _all_do: bool) -> Failure {
    Failure::Alone
}

/// Returns at once, as there is no job to leave.
pub fn leave() {}
