//! The ranks of a job that a launcher started. They are opened before anything else, and only the first one prints and writes.

use std::thread;
use std::time::Duration;

use fall_line::engine::Chosen;
use fall_line::engine::gpu::adapter;
use fall_line::error::Error;
use fall_line::ranks::launcher::Launcher;
use fall_line::ranks::mpi::{self, Failure, Mpi};
use fall_line::ranks::{Alone, Ranks, gather_values};
use fall_line::table::NthPart;

use crate::cli::OverRanks;
use crate::output;

/// The ranks of this job, or this process alone.
pub struct Team {
    mpi: Option<Mpi>,
}

impl Team {
    /// Opens MPI if a launcher started this process, and checks that all ranks are asked for the same.
    ///
    /// # Errors
    /// Those of [`Mpi::open`], and [`Error::Usage`] for ranks with other arguments.
    pub fn open(flags: &OverRanks) -> Result<Self, Error> {
        let mpi = Mpi::open(mpi::Options {
            wanted: flags.mpi,
            timeout: flags.rank_timeout,
            on_loss: Some(Box::new(output::error)),
        })?;
        let team = Team { mpi };
        if team.ranks().rank() > 0 {
            output::mute();
        }
        team.agree()?;
        Ok(team)
    }

    /// Returns the ranks.
    pub fn ranks(&self) -> &dyn Ranks {
        match &self.mpi {
            Some(mpi) => mpi,
            None => &Alone,
        }
    }

    /// Returns whether there are several.
    pub fn is_several(&self) -> bool {
        self.ranks().size() > 1
    }

    /// Returns whether this is the first one, which prints and writes.
    pub fn is_first(&self) -> bool {
        self.ranks().rank() == 0
    }

    /// Returns this rank's part of the data; `None` if it is alone.
    pub fn part(&self) -> Option<NthPart> {
        self.is_several().then(|| NthPart {
            part: self.ranks().rank(),
            of: self.ranks().size(),
        })
    }

    /// Returns the threads of this rank: those asked for, or its share of the machine's cores.
    pub fn threads(&self, asked: Option<usize>) -> Option<usize> {
        let mpi = self.mpi.as_ref().filter(|_| asked.is_none())?;
        let host = mpi.hosts().get(mpi.rank())?;
        let here = mpi.hosts().iter().filter(|other| *other == host).count();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Some((cores / here.max(1)).max(1))
    }

    /// Returns the engine of this rank: those of one machine take its adapters in turn.
    ///
    /// # Errors
    /// Those of [`adapter::choose_some`].
    pub fn engine(&self, chosen: Chosen, named: bool) -> Result<Chosen, Error> {
        match (chosen, &self.mpi) {
            (Chosen::Gpu(adapters), Some(mpi)) => {
                let mut adapters = if named {
                    adapters
                } else {
                    adapter::choose_some(Some("all"))?
                };
                let at = mpi.local_rank() % adapters.len();
                Ok(Chosen::Gpu(vec![adapters.swap_remove(at)]))
            }
            (chosen, _) => Ok(chosen),
        }
    }

    /// Ends the job in order, once all ranks come to this call.
    ///
    /// # Errors
    /// Those of [`Mpi::finish`].
    pub fn finish(self) -> Result<(), Error> {
        match self.mpi {
            Some(mpi) => mpi.finish(),
            None => Ok(()),
        }
    }

    fn agree(&self) -> Result<(), Error> {
        let args: Vec<String> = std::env::args_os()
            .skip(1)
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        let all = gather_values(self.ranks(), &args)?;
        match all.iter().position(|other| *other != all[0]) {
            Some(rank) => Err(Error::Usage(format!(
                "rank {rank} of {} has other arguments than rank 0: start all ranks with the same",
                all.len()
            ))),
            None => Ok(()),
        }
    }
}

/// Returns whether a launcher started this process as another rank than the first, as far as its environment tells.
pub fn is_later() -> bool {
    Launcher::find().is_some_and(|launcher| launcher.rank.is_some_and(|rank| rank > 0))
}

/// Prints the error that a command ended with. Of a job's ranks one tells what all have in common, and each what it has alone:
/// then the job ends.
pub fn failed(error: &Error) {
    let code = error.exit_code();
    if let Error::OtherRank { .. } = error {
        // That rank ends the job, unless it can't.
        thread::sleep(OF_OTHERS);
        mpi::abort(code);
        return;
    }
    // All ranks descend alike; the first one then writes files.
    let all_do = matches!(
        error,
        Error::Diverged { .. } | Error::Rose { .. } | Error::NotConverged(_)
    );
    match mpi::fail(code, all_do) {
        Failure::Common if output::is_mute() => {}
        Failure::Alone | Failure::Common => output::error(error),
        Failure::Own { rank, size } => {
            output::failure(format!(
                "rank {rank} of {size}: {}",
                output::advice::text(error)
            ));
            mpi::abort(code);
        }
    }
}

/// The time that a rank has to end the job after it failed.
const OF_OTHERS: Duration = Duration::from_secs(3);
