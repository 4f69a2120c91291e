//! The libraries of MPI to try, and in which order.

use std::path::{Path, PathBuf};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::abi::{Kind, Library};
use crate::error::Error;
use crate::ranks::launcher::{Kind as Launched, Launcher};

/// The environment variable that names a library.
const VARIABLE: &str = "FALL_LINE_MPI";

#[cfg(target_os = "macos")]
const OPEN_MPI: [&str; 2] = ["libmpi.40.dylib", "libmpi.dylib"];
#[cfg(target_os = "macos")]
const OTHERS: [&str; 3] = ["libmpi_abi.1.dylib", "libmpi.12.dylib", "libmpi.dylib"];
#[cfg(not(target_os = "macos"))]
const OPEN_MPI: [&str; 2] = ["libmpi.so.40", "libmpi.so"];
#[cfg(not(target_os = "macos"))]
const OTHERS: [&str; 4] = [
    "libmpi_abi.so.1",
    "libmpi.so.12",
    "libmpich.so.12",
    "libmpi.so",
];

/// Returns `true` if the environment asks for no library.
pub fn is_refused() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|name| name == "none")
}

/// A library of MPI, opened for the ranks of a launcher.
pub struct Opened {
    pub library: Library,
    pub kind: Kind,
    pub version: String,
    launcher: Option<Launcher>,
}

impl Opened {
    /// Opens the library that the environment names, or else the first that there is: those beside the launcher come first.
    pub fn new(launcher: Option<Launcher>) -> Result<Self, Error> {
        let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let candidates = match &named {
            Some(name) => vec![PathBuf::from(name)],
            None => candidates(launcher.as_ref()),
        };
        let mut problems = Vec::new();
        for name in candidates {
            match Self::open(&name) {
                Ok((library, kind, version)) => {
                    let opened = Opened {
                        library,
                        kind,
                        version,
                        launcher,
                    };
                    return opened.check_kind().map(|()| opened);
                }
                Err(problem) => problems.push(problem),
            }
        }
        let problems = problems.join("; ");
        Err(Error::Usage(match named {
            Some(_) => format!("{VARIABLE} names no MPI library: {problems}"),
            None => format!(
                "no MPI library can be opened; install the launcher's, or name one in {VARIABLE}; tried: {problems}"
            ),
        }))
    }

    fn open(name: &Path) -> Result<(Library, Kind, String), String> {
        let library = Library::open(name)?;
        let (kind, version) = (library.kind()?, library.version()?);
        Ok((library, kind, version))
    }

    /// Refuses MPICH under Open MPI's launcher: it would end the process in its own words.
    fn check_kind(&self) -> Result<(), Error> {
        match &self.launcher {
            Some(launcher)
                if launcher.kind == Launched::OpenMpi && self.version.starts_with("MPICH") =>
            {
                Err(self.stranger(launcher, "is MPICH's"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a library that knows of fewer ranks than the launcher started: each would take itself for the only one.
    pub fn check_size(&self, size: usize) -> Result<(), Error> {
        match &self.launcher {
            Some(launcher) if launcher.least() > size => {
                Err(self.stranger(launcher, &format!("knows of {size}")))
            }
            _ => Ok(()),
        }
    }

    fn stranger(&self, launcher: &Launcher, problem: &str) -> Error {
        Error::Usage(format!(
            "{} started {} ranks, but the MPI library {} ({}) {problem}: they don't belong together; use the launcher of this \
             library, or name that of the launcher in {VARIABLE}",
            launcher.kind,
            launcher.least(),
            self.library.name().display(),
            self.version
        ))
    }
}

/// Returns names and paths of libraries, the likeliest first.
fn candidates(launcher: Option<&Launcher>) -> Vec<PathBuf> {
    let open_mpi = OPEN_MPI.iter().copied();
    let others = OTHERS.iter().copied();
    // Open MPI's libraries speak PMIx with every launcher, and MPICH's do so rarely.
    let speaks_pmix = std::env::var_os("PMIX_RANK").is_some();
    let names: Vec<&str> = match launcher.map(|launcher| launcher.kind) {
        Some(Launched::OpenMpi | Launched::Pmix) => open_mpi.chain(others).collect(),
        Some(Launched::Slurm) if speaks_pmix => open_mpi.chain(others).collect(),
        _ => others.chain(open_mpi).collect(),
    };
    // Where several are installed, the one beside the launcher is the launcher's.
    let beside = beside_launcher();
    let paths = names
        .iter()
        .filter_map(|name| Some(beside.as_ref()?.join(name)));
    let paths: Vec<PathBuf> = paths.filter(|path| path.exists()).collect();
    paths
        .into_iter()
        .chain(names.iter().map(PathBuf::from))
        .collect()
}

/// Returns the folder of libraries beside that of the program which started this one: the launcher, or its proxy on this machine.
fn beside_launcher() -> Option<PathBuf> {
    let parent = Pid::from_u32(std::os::unix::process::parent_id());
    let mut system = System::new();
    let only_path = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[parent]), false, only_path);
    let program = system.process(parent)?.exe()?;
    Some(program.parent()?.parent()?.join("lib"))
}
