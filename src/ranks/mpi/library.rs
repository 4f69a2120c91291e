//! The libraries of MPI to try, and in which order.

use std::path::PathBuf;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::abi::{Kind, Library};
use crate::error::Error;
use crate::ranks::launcher::{self, Launcher};

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

/// Opens the library that the environment names, or else the first that there is: those of the launcher's own folder first.
pub fn open(launcher: Option<&Launcher>) -> Result<(Library, Kind), Error> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let name = PathBuf::from(named);
        let wrong = |problem| Error::Usage(format!("{VARIABLE}: {problem}"));
        let library = Library::open(&name).map_err(wrong)?;
        let kind = library.kind().map_err(wrong)?;
        return Ok((library, kind));
    }
    let mut problems = Vec::new();
    for name in candidates(launcher) {
        let opened = Library::open(&name).and_then(|library| {
            let kind = library.kind()?;
            Ok((library, kind))
        });
        match opened {
            Ok(opened) => return Ok(opened),
            Err(problem) => problems.push(problem),
        }
    }
    Err(Error::Usage(format!(
        "no MPI library can be opened; install the launcher's, or name one in {VARIABLE}; tried: {}",
        problems.join("; ")
    )))
}

/// Returns names and paths of libraries, the likeliest first.
fn candidates(launcher: Option<&Launcher>) -> Vec<PathBuf> {
    let open_mpi = OPEN_MPI.iter().copied();
    let others = OTHERS.iter().copied();
    let names: Vec<&str> = match launcher.map(|launcher| launcher.kind) {
        Some(launcher::Kind::OpenMpi) => open_mpi.chain(others).collect(),
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
