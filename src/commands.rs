//! The subcommands, one file or folder each.

use std::io;

use fall_line::error::Error;

pub mod adapters;
pub mod bench;
pub mod completions;
pub mod doctor;
pub mod generate;
pub mod man;
mod open;
pub mod predict;
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
