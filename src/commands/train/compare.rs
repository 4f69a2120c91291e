//! Several losses or learning rates: a run for each, one after the other on the same data.

use std::ops::ControlFlow;
use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use fall_line::data::Source;
use fall_line::data::goodness::mean_losses;
use fall_line::engine::Chosen;
use fall_line::error::Error;
use fall_line::fit::{Fit, Outcome, Setup, Surface};
use fall_line::loss::Loss;
use fall_line::model::Centered;
use fall_line::saved;
use fall_line::table::rows::Skipped;
use fall_line::train::Epoch;
use serde_json::{Value, json};

use super::terminal::Terminal;
use super::{files, json, open, plot, report};
use crate::cli::{Format, Panel, SurfaceSamples, Train};
use crate::commands::ranks::Team;
use crate::commands::{set_threads, watch};
use crate::output::number::{digits, number};
use crate::output::{self, history};

/// A run that has ended.
struct Run {
    name: String,
    setup: Setup,
    /// The number of epochs, and all of them if a file or a picture wants them.
    last: u64,
    epochs: Vec<Epoch>,
    /// The outcome, or the error of a descent that found no line.
    ended: Result<Outcome, Error>,
    surface: Option<Surface>,
}

/// Runs all, and prints them side by side.
pub fn compare(
    args: &Train,
    runs: &[(String, Train)],
    team: &Team,
    terminal: &Terminal,
) -> Result<ExitCode, Error> {
    let mut options = Vec::new();
    for (_, run) in runs {
        files::check(run)?;
        options.push(run.options(None)?);
    }
    set_threads(args.engine.threads)?;
    watch(options[0].engine)?;
    let mut chosen = Some(options[0].choose_engine()?);
    let (source, skipped) = open(args, team)?;
    let interrupts = terminal.listen()?;
    let (mut done, mut written) = (Vec::new(), Vec::new());
    for ((name, run), options) in runs.iter().zip(options) {
        let engine = match chosen.take() {
            Some(engine) => engine,
            None => options.choose_engine()?,
        };
        // Why it is the CPU was told before the first run.
        if matches!(engine, Chosen::Cpu { .. }) {
            chosen = Some(Chosen::Cpu { reason: None });
        }
        let prepared = Fit::with(&*source, options)
            .monitor(terminal)
            .prepare_for(engine)?;
        let mut loaded = prepared.load()?;
        terminal.end_phase();
        match done.is_empty() {
            _ if !args.output.talks() => {}
            true => output::lines(report::headline(&prepared, loaded.engine(), 0))?,
            false => output::line(report::loss(prepared.setup(), 0))?,
        }
        let mut last = 0;
        let trained = loaded.descend(&mut |epoch| {
            last = epoch.epoch;
            ControlFlow::Continue(())
        });
        terminal.end_phase();
        let surface = match args.panels().contains(&Panel::Surface) && trained.is_ok() {
            true => loaded.surface(args.output.surface == SurfaceSamples::Exact)?,
            false => None,
        };
        terminal.end_phase();
        let file = run.output.history.as_deref();
        written.extend(file.map(|path| history::write(path, loaded.history()).map(|()| path)));
        let (mut ended, epochs) = match trained {
            Ok(trained) => {
                let mut outcome = loaded.conclude(&trained);
                let epochs = std::mem::take(&mut outcome.history);
                (Ok(outcome), epochs)
            }
            Err(error) => (Err(error), loaded.history().to_vec()),
        };
        // Without its engine, another run would end alike.
        let goes_on = !matches!(&ended, Err(error) if error.exit_code() < 5);
        if let Ok(outcome) = &mut ended {
            written.extend(outcome.errors.drain(..).map(Err));
        }
        if let (Ok(outcome), Some(path)) = (&ended, run.output.save.as_deref()) {
            written.push(saved::write(path, &outcome.saved()).map(|()| path));
        }
        done.push(Run {
            name: name.clone(),
            setup: *prepared.setup(),
            last,
            epochs,
            ended,
            surface,
        });
        if interrupts.interrupted() || !goes_on {
            break;
        }
    }
    print(args, &*source, &skipped, &done)?;
    if let Some(plot) = &args.output.plot {
        let drawn: Vec<plot::Run> = done.iter().map(|run| run.drawn(&*source)).collect();
        written.push(plot::write(&plot.path, args.panels(), &drawn).map(|()| &*plot.path));
    }
    let failed = output::written(written, args.output.quiet);
    if let Some(code) = interrupts.exit_code() {
        return Ok(code);
    }
    let failed = failed.or(tell_doubts(args, &done));
    Ok(failed.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Prints the errors of the descents and the warnings of their lines, each once. Returns the exit code of the first error, which
/// is also a line that has not converged where that was asked for.
fn tell_doubts(args: &Train, runs: &[Run]) -> Option<u8> {
    let mut code = None;
    let mut told = Vec::new();
    for Run { name, ended, .. } in runs {
        let outcome = match ended {
            Ok(outcome) => outcome,
            Err(error) => {
                output::failure(format!("{name}: {}", output::advice::text(error)));
                code.get_or_insert(error.exit_code());
                continue;
            }
        };
        for caution in &outcome.quality.cautions {
            if !told.contains(&caution) {
                output::warning(format!("{name}: {caution}"));
                told.push(caution);
            }
        }
        let Some(warning) = &outcome.warning else {
            continue;
        };
        let text = format!("{name}: {}", warning.text(output::advice::remedy));
        if args.training.strict && outcome.converged == Some(false) {
            let error = Error::NotConverged(text);
            output::error(&error);
            code.get_or_insert(error.exit_code());
        } else {
            output::warning(text);
        }
    }
    code
}

impl Run {
    fn drawn<'a>(&'a self, source: &'a dyn Source) -> plot::Run<'a> {
        plot::Run {
            name: &self.name,
            source,
            setup: &self.setup,
            epochs: &self.epochs,
            outcome: self.ended.as_ref().ok(),
            surface: self.surface.as_ref(),
        }
    }
}

/// Prints a list of objects, or a table: each line, its epochs, and its mean loss under each of the losses.
fn print(args: &Train, source: &dyn Source, skipped: &Skipped, runs: &[Run]) -> Result<(), Error> {
    if args.output.format == Format::Json {
        let object = |run: &Run| match &run.ended {
            Ok(outcome) => serde_json::to_value(json::Result::new(args, skipped, outcome)),
            Err(error) => Ok(json!({
                "loss": run.setup.loss.name(),
                "learning_rate": run.setup.learning_rate.map(|learning| learning.rate),
                "epochs": run.last,
                "error": error.to_string(),
            })),
        };
        let objects: Result<Vec<Value>, _> = runs.iter().map(object).collect();
        return output::json::print(&objects.map_err(|error| Error::Data(error.to_string()))?);
    }
    let mut losses: Vec<Loss> = Vec::new();
    for run in runs {
        if !losses.contains(&run.setup.loss) {
            losses.push(run.setup.loss);
        }
    }
    let lines: Vec<Centered> = runs
        .iter()
        .filter_map(|run| Some(run.ended.as_ref().ok()?.centered))
        .collect();
    let mut means = mean_losses(source, &lines, &losses)?.into_iter();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let named = |loss: &Loss| match loss.parameter() {
        None => format!("mean {}", loss.name()),
        Some(parameter) => format!("mean {} {}", loss.name(), digits(parameter, 3)),
    };
    let what = if losses.len() > 1 { "loss" } else { "rate" };
    let header = [what, "w", "b", "epochs"].map(str::to_owned);
    table.set_header(header.into_iter().chain(losses.iter().map(named)));
    for run in runs {
        let epochs = run.last.to_string();
        table.add_row(match &run.ended {
            Ok(outcome) => {
                let [w, b] = [outcome.model.w, outcome.model.b].map(number);
                let means = means.next().unwrap_or_default();
                let row = [run.name.clone(), w, b, epochs].into_iter();
                row.chain(means.into_iter().map(|mean| digits(mean, 5)))
                    .collect::<Vec<_>>()
            }
            Err(_) => vec![
                run.name.clone(),
                "diverged".to_owned(),
                String::new(),
                epochs,
            ],
        });
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if let Some(truth) = runs
        .iter()
        .find_map(|run| run.ended.as_ref().ok()?.quality.true_line)
    {
        output::line(format!("drawn around:  w = {}, b = {}", truth.w, truth.b))?;
    }
    let text = table.to_string();
    let rows: Vec<&str> = text.lines().map(str::trim_end).collect();
    output::stdout(&rows.join("\n"))
}
