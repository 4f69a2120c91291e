//! `fall-line completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use fall_line::error::Error;

use crate::cli::Cli;
use crate::output;

/// Prints the script of a shell.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    // For bash, clap_complete 4.6 spells a name with a hyphen in two ways, and then completes no flag of a subcommand:
    // clap-rs/clap#6421.
    let script = String::from_utf8_lossy(&script).replace("fall__subcmd__line", "fall__line");
    output::stdout(script.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
