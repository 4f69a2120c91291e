//! `fall-line tutorial`: the NumPy tutorial's script.

use std::ops::ControlFlow;
use std::process::ExitCode;

use fall_line::data::synthetic::{Generator, Recipe};
use fall_line::error::Error;
use fall_line::fit::{Fit, Options};

use super::open::synthetic_source;
use super::train::plot;
use super::train::terminal::Terminal;
use super::watch;
use crate::cli::Tutorial;
use crate::output::{self, line, plot as picture};

/// Samples of the script.
const SAMPLES: u64 = 100;
/// Epochs between two printed lines.
const EVERY: u64 = 10;

/// Runs the script: 100 samples by NumPy's draws, mse, 50 epochs at a learning rate of 0.1, printed as it prints them.
pub fn tutorial(args: &Tutorial) -> Result<ExitCode, Error> {
    if let Some(path) = &args.plot {
        fall_line::atomic::check("--plot", path, picture::ENDINGS)?;
    }
    let recipe = Recipe {
        samples: SAMPLES,
        ..Recipe::default()
    };
    let source = synthetic_source(Generator::Numpy, recipe, true)?;
    let options = Options {
        engine: args.engine,
        adapter: args.adapter.clone(),
        measure: false,
        ..Options::default()
    };
    watch(args.engine)?;
    let terminal = Terminal::new(false);
    let mut printed = Ok(());
    let outcome = Fit::with(source, options)
        .monitor(&terminal)
        .on_epoch(|epoch| {
            if epoch.epoch.is_multiple_of(EVERY) {
                printed = line(format!(
                    "Epoch {}: Loss = {:.4}, w = {:.4}, b = {:.4}",
                    epoch.epoch, epoch.loss, epoch.w, epoch.b
                ));
            }
            if printed.is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .run()?;
    terminal.end_phase();
    printed?;
    if let Some(path) = &args.plot {
        let title = format!(
            "{}, {}, {SAMPLES} samples",
            outcome.setup.loss, outcome.title
        );
        plot::loss::write(path, &outcome.history, &title)?;
        output::wrote(path);
    }
    Ok(ExitCode::SUCCESS)
}
