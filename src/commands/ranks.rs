//! The ranks of a job that a launcher started. They are opened before anything else, and only the first one prints and writes.

use std::thread;
use std::time::Duration;

use fall_line::engine::Chosen;
use fall_line::engine::gpu::adapter;
use fall_line::error::Error;
use fall_line::ranks::mpi::{self, Mpi};
use fall_line::ranks::{Alone, Failure, Ranks, other};

use sysinfo::{CpuRefreshKind, RefreshKind, System};

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
        let (rank, size) = (team.ranks().rank(), team.ranks().size());
        if rank > 0 {
            output::mute(format!("rank {rank} of {size}: "));
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

    /// Returns the threads of this rank: those asked for, or its share of the machine's cores.
    pub fn threads(&self, asked: Option<usize>) -> Option<usize> {
        if asked.is_some() || self.mpi.is_none() {
            return asked;
        }
        let here = self.here();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // A launcher or a container may have bound this rank to cores of its own.
        let is_shared = cores >= cores_of_machine();
        let of_rank = if is_shared { cores / here } else { cores };
        Some(of_rank.max(1))
    }

    /// Returns the machine of each rank, by name; none if it is alone.
    pub fn hosts(&self) -> &[String] {
        self.mpi.as_ref().map_or(&[], Mpi::hosts)
    }

    /// Returns the library of MPI, by its file and its version; `None` if this rank is alone.
    pub fn library(&self) -> Option<String> {
        let mpi = self.mpi.as_ref()?;
        Some(format!("{} ({})", mpi.library().display(), mpi.version()))
    }

    /// Returns the engine of this rank. Those of one machine deal its adapters out among them: all hardware adapters of an API,
    /// or those that were named. If there are fewer than ranks, ranks share them.
    ///
    /// # Errors
    /// Those of [`adapter::choose_some`].
    pub fn engine(&self, chosen: Chosen, named: bool) -> Result<Chosen, Error> {
        let mpi = self.mpi.as_ref().filter(|_| self.is_several());
        let (Chosen::Gpu(adapters), Some(mpi)) = (&chosen, mpi) else {
            return Ok(chosen);
        };
        let adapters = if named {
            adapters.clone()
        } else {
            adapter::choose_some(Some("all"))?
        };
        let (first, step) = (mpi.local_rank() % adapters.len(), self.here());
        Ok(Chosen::Gpu(
            adapters.into_iter().skip(first).step_by(step).collect(),
        ))
    }

    /// Returns the number of ranks on this machine.
    pub fn here(&self) -> usize {
        self.mpi.as_ref().map_or(1, Mpi::local_ranks)
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
        match other(self.ranks(), args)? {
            Some(rank) => Err(Error::Usage(format!(
                "rank {rank} of {} has other arguments than rank 0: start all ranks with the same",
                self.ranks().size()
            ))),
            None => Ok(()),
        }
    }
}

/// Prints the error that a command ended with. One that all ranks have is printed once, and one that a rank has alone by that rank:
/// then the job ends.
pub fn failed(error: &Error) {
    let code = error.exit_code();
    if let Error::OtherRank { .. } = error {
        wait_for_end(code);
        return;
    }
    // All ranks descend alike; the first one then writes files.
    let all_do = matches!(
        error,
        Error::Diverged { .. } | Error::Rose { .. } | Error::NotConverged(_)
    );
    match mpi::fail(code, all_do) {
        Failure::Alone => output::error(error),
        Failure::AfterOthers => wait_for_end(code),
        Failure::Common => {
            if !output::is_mute() {
                output::error(error);
            }
            mpi::leave();
        }
        Failure::Own { rank, size } => {
            if rank == 0 {
                let text = output::advice::text(error);
                output::failure(format!("rank 0 of {size}: {text}"));
            } else {
                output::error(error);
            }
            mpi::abort(code);
        }
    }
}

/// Waits for the rank that ends the job, and ends it if that can't.
fn wait_for_end(code: u8) {
    thread::sleep(OF_OTHERS);
    mpi::abort(code);
}

/// The time that a rank has to end the job after it failed.
const OF_OTHERS: Duration = Duration::from_secs(3);

/// Returns the cores of this machine, whichever of them this process may use.
fn cores_of_machine() -> usize {
    let cores = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    System::new_with_specifics(cores).cpus().len()
}
