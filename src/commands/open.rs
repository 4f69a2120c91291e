//! The data that a command works on.

use std::path::{Path, PathBuf};

use fall_line::atomic;
use fall_line::data::synthetic::{Generator, Recipe};
use fall_line::data::{self, Source};
use fall_line::error::Error;
use fall_line::table::{self, OpenedFile, Request};

use crate::cli::Columns;
use crate::output::{self, progress::Progress};

/// Opens the columns of a file, or without `data` of files of their own, which the flags of the columns then name.
pub fn open_file(
    data: Option<&Path>,
    flags: &Columns,
    request: &Request,
    quiet: bool,
) -> Result<OpenedFile, Error> {
    let file = match data {
        Some(path) => {
            // The length of a pipe is not known.
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            let reading = Progress::new("reading bytes", bytes, quiet);
            table::open(path, request, &|n| reading.advance(n))?
        }
        None => open_pair(flags, request)?,
    };
    if let Some(text) = output::skipped(&file.skipped).filter(|_| !quiet) {
        output::notice(text);
    }
    Ok(file)
}

/// Opens NPY files of one column each.
fn open_pair(flags: &Columns, request: &Request) -> Result<OpenedFile, Error> {
    let path = |flag: &str, given: &Option<String>| match given {
        Some(name) if atomic::ending(Path::new(name)) == "npy" => Ok(PathBuf::from(name)),
        Some(name) => Err(Error::Usage(format!(
            "--{flag} {name} is a column, and no DATA is given: name the file too, or give --{flag} an .npy file of its own"
        ))),
        None => Err(Error::Usage(format!(
            "without DATA, --x and --y are .npy files of their own, and --{flag} is missing"
        ))),
    };
    let x = path("x", &flags.x)?;
    let y = if flags.y.is_none() && request.x_alone {
        None
    } else {
        Some(path("y", &flags.y)?)
    };
    table::open_pair(&x, y.as_deref(), request.skip_bad)
}

/// Draws synthetic samples.
pub fn synthetic_source(
    generator: Generator,
    recipe: Recipe,
    quiet: bool,
) -> Result<Box<dyn Source>, Error> {
    let drawing = Progress::new("drawing", 2 * recipe.samples, quiet);
    data::draw(recipe, generator, &|n| drawing.advance(n))
}
