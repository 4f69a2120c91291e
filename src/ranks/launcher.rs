//! Launchers: programs that start several ranks of one command, and leave word of it in the environment.

use std::fmt::{self, Display};

/// A launcher that started this process, as its environment tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The kind of the launcher.
    pub kind: Kind,
    /// The ranks that it started, if it tells.
    pub ranks: Option<usize>,
    /// The ranks that it started on this machine, if it tells.
    pub local_ranks: Option<usize>,
    /// The number of this process among all, if it tells.
    pub rank: Option<usize>,
    /// The number of this process among those on its machine, if it tells.
    pub local_rank: Option<usize>,
}

/// A kind of launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `mpirun` of Open MPI.
    OpenMpi,
    /// `mpirun` of MPICH, Intel MPI and others, or any launcher that speaks its protocol.
    Hydra,
    /// `srun` of Slurm.
    Slurm,
    /// Another launcher that speaks PMIx.
    Pmix,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::OpenMpi => "Open MPI's launcher",
            Kind::Hydra => "MPICH's launcher",
            Kind::Slurm => "Slurm's srun",
            Kind::Pmix => "a PMIx launcher",
        })
    }
}

impl Launcher {
    /// Returns the launcher that started this process, if its environment tells of one.
    pub fn find() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    /// Returns the launcher that an environment tells of.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name)?.trim().parse().ok();
        let found = |kind, ranks, [rank, local_ranks, local_rank]: [&str; 3]| Launcher {
            kind,
            ranks,
            local_ranks: number(local_ranks),
            rank: number(rank),
            local_rank: number(local_rank),
        };
        let of_open_mpi = [
            "OMPI_COMM_WORLD_RANK",
            "OMPI_COMM_WORLD_LOCAL_SIZE",
            "OMPI_COMM_WORLD_LOCAL_RANK",
        ];
        if let ranks @ Some(_) = number("OMPI_COMM_WORLD_SIZE") {
            return Some(found(Kind::OpenMpi, ranks, of_open_mpi));
        }
        // Before Slurm, whose variables of a shell under `srun` the ranks of another launcher there inherit.
        let hydra = found(
            Kind::Hydra,
            number("PMI_SIZE"),
            ["PMI_RANK", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"],
        );
        if hydra.ranks.or(hydra.local_ranks).is_some() {
            return Some(hydra);
        }
        // In a script of `sbatch`, SLURM_NTASKS and SLURM_PROCID are set too, though the script is no rank. `srun` alone sets
        // the number of tasks of its step.
        if let ranks @ Some(_) = number("SLURM_STEP_NUM_TASKS") {
            return Some(found(
                Kind::Slurm,
                ranks,
                ["SLURM_PROCID", "", "SLURM_LOCALID"],
            ));
        }
        let pmix = found(Kind::Pmix, None, ["PMIX_RANK", "", ""]);
        pmix.rank.is_some().then_some(pmix)
    }

    /// Returns the least number of ranks that the environment shows.
    pub fn least(&self) -> usize {
        let by_rank = self.rank.map_or(1, |rank| rank.saturating_add(1));
        let by_count = self.ranks.max(self.local_ranks);
        by_count.unwrap_or(1).max(by_rank)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Launcher};

    fn of(environment: &[(&str, &str)]) -> Option<Launcher> {
        Launcher::of(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The environments of launchers: Open MPI's and MPICH's as they were found, Slurm's as its manual has it.
    #[test]
    fn launchers_are_known_by_their_environment() {
        let launcher = |kind, ranks, local_ranks, rank, local_rank| {
            Some(Launcher {
                kind,
                ranks,
                local_ranks,
                rank: Some(rank),
                local_rank: Some(local_rank),
            })
        };
        let open_mpi = [
            ("OMPI_COMM_WORLD_SIZE", "8"),
            ("OMPI_COMM_WORLD_RANK", "5"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
            ("PMIX_RANK", "5"),
        ];
        assert_eq!(
            of(&open_mpi),
            launcher(Kind::OpenMpi, Some(8), Some(2), 5, 1)
        );
        let hydra = [
            ("PMI_SIZE", "4"),
            ("PMI_RANK", "3"),
            ("MPI_LOCALNRANKS", "2"),
            ("MPI_LOCALRANKID", "1"),
        ];
        assert_eq!(of(&hydra), launcher(Kind::Hydra, Some(4), Some(2), 3, 1));
        let srun = [
            ("SLURM_NTASKS", "6"),
            ("SLURM_STEP_NUM_TASKS", "4"),
            ("SLURM_PROCID", "2"),
            ("SLURM_LOCALID", "0"),
            ("PMIX_RANK", "2"),
        ];
        assert_eq!(of(&srun), launcher(Kind::Slurm, Some(4), None, 2, 0));
    }

    /// A shell under `srun --pty` has a step of one task, which the ranks of a launcher there inherit.
    #[test]
    fn a_launcher_within_a_step_of_slurm_counts() {
        let step = [
            ("SLURM_STEP_NUM_TASKS", "1"),
            ("SLURM_PROCID", "0"),
            ("SLURM_LOCALID", "0"),
        ];
        for own in [
            [
                ("PMI_SIZE", "4"),
                ("PMI_RANK", "2"),
                ("MPI_LOCALRANKID", "2"),
            ],
            [
                ("OMPI_COMM_WORLD_SIZE", "4"),
                ("OMPI_COMM_WORLD_RANK", "2"),
                ("OMPI_COMM_WORLD_LOCAL_RANK", "2"),
            ],
        ] {
            let found = of(&[&step[..], &own].concat()).unwrap();
            assert_eq!(
                (found.ranks, found.rank, found.local_rank),
                (Some(4), Some(2), Some(2))
            );
        }
    }

    #[test]
    fn a_batch_script_of_slurm_is_no_rank() {
        let sbatch = [
            ("SLURM_NTASKS", "6"),
            ("SLURM_PROCID", "0"),
            ("SLURM_LOCALID", "0"),
        ];
        assert_eq!(of(&sbatch), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_launcher_that_tells_no_number_has_as_many_ranks_as_it_must() {
        let least = |environment: &[(&str, &str)]| of(environment).map(|launcher| launcher.least());
        assert_eq!(least(&[("PMIX_RANK", "3")]), Some(4));
        assert_eq!(least(&[("MPI_LOCALNRANKS", "2")]), Some(2));
        assert_eq!(least(&[("PMI_SIZE", "4"), ("PMI_RANK", "0")]), Some(4));
    }
}
