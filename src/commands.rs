//! The subcommands, one file or folder each.

use std::io;

use fall_line::engine::Choice;
use fall_line::error::Error;

use crate::last_words::watch_drivers;

pub mod adapters;
pub mod bench;
pub mod completions;
pub mod doctor;
mod found;
pub mod generate;
pub mod man;
pub mod merge;
pub mod moments;
mod open;
pub mod predict;
pub mod ranks;
pub mod train;
pub mod tutorial;

/// Starts the threads for reading and for the CPU engine, one a core by default: before memory is short.
fn set_threads(threads: Option<usize>) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build_global()
        .map_err(|error| Error::Io {
            doing: match threads {
                Some(threads) => format!("cannot start {threads} threads"),
                None => "cannot start a thread for each core (--threads 1 starts fewer)".to_owned(),
            },
            source: io::Error::other(error),
        })
}

/// Lets a driver that crashes or hangs end the program with a line from here on, unless the CPU engine is chosen.
fn watch(engine: Choice) -> Result<(), Error> {
    match engine {
        Choice::Cpu => Ok(()),
        Choice::Auto | Choice::Gpu => watch_drivers(),
    }
}
