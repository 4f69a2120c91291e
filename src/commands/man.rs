//! `fall-line man`.

use std::io;
use std::iter;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use fall_line::atomic;
use fall_line::error::Error;

use crate::cli::{Cli, EXIT_CODES};
use crate::output::{self, cannot_print};

/// Prints the page of the program or of a subcommand, or writes all pages to files in a folder.
pub fn man(wanted: Option<&str>, folder: Option<&Path>) -> Result<ExitCode, Error> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    if let Some(folder) = folder {
        let subcommands = program.get_subcommands();
        for command in iter::once(&program).chain(subcommands) {
            let name = command.get_display_name().unwrap_or(command.get_name());
            let path = folder.join(format!("{name}.1"));
            atomic::write(&path, |out| out.write_all(page(command)?.as_bytes()))?;
            output::wrote(&path);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let command = match wanted {
        None => &program,
        Some(wanted) => program.find_subcommand(wanted).ok_or_else(|| {
            let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
            Error::Usage(format!(
                "there is no command {wanted:?}; there are {}",
                names.join(", ")
            ))
        })?,
    };
    output::stdout(page(command).map_err(cannot_print)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the page of a command as roff.
fn page(command: &Command) -> io::Result<String> {
    // The page shows flags that `-h` leaves out.
    let command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let examples = command.get_after_help().map(ToString::to_string);
    let has_subcommands = command.has_subcommands();
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_subcommands {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = examples {
        section("EXAMPLES", examples.trim_start_matches("Examples:\n")).to_writer(&mut page)?;
    }
    let codes = EXIT_CODES.trim_start_matches("Exit codes: ");
    section("EXIT STATUS", &codes.replace(", ", "\n")).to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Returns a section whose lines stay as they are.
fn section(title: &str, text: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [title]).control("nf", []);
    section.text([roman(text)]).control("fi", []);
    section
}
