//! The program as a user runs it.

use std::process::{Command, Output};

/// With a cache folder of the tests' own: what is measured of adapters is no business of the user's.
pub fn fall_line() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fall-line"));
    program.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    program
}

pub fn run(args: &str) -> Output {
    fall_line().args(args.split_whitespace()).output().unwrap()
}
