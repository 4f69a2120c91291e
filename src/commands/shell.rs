//! `fall-line completions` and `fall-line man`: what a shell and `man` know of the program.

use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use fall_line::error::Error;

use crate::cli::Cli;
use crate::output;

/// Prints a shell's script that completes flags and their values.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fall-line", &mut script);
    print(&script)
}

/// Prints the manual page of the program, or of one of its commands.
pub fn man(wanted: Option<&str>) -> Result<ExitCode, Error> {
    let mut program = Cli::command();
    program.build();
    let page = match wanted {
        None => program,
        Some(wanted) => match program.find_subcommand(wanted) {
            Some(command) => command.clone(),
            None => {
                let names = program.get_subcommands().map(Command::get_name);
                let names: Vec<&str> = names.collect();
                return Err(Error::Usage(format!(
                    "there is no command {wanted:?}; there are {}",
                    names.join(", ")
                )));
            }
        },
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|source| Error::Io {
            doing: "cannot write the manual page".to_owned(),
            source,
        })?;
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitCode, Error> {
    output::stdout(String::from_utf8_lossy(text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
