//! `fall-line predict`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use fall_line::atomic;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::Statistics;
use fall_line::data::uncertainty::{Holds, Uncertainty};
use fall_line::data::{Block, Time};
use fall_line::error::{Error, counted};
use fall_line::model::{Centered, Model};
use fall_line::saved::{Counts, Saved};
use fall_line::table::whole::WholeRows;
use fall_line::table::write::{self, Kind, WholeWriter};
use fall_line::table::{ReadText, Request, iso_time};
use serde::Serialize;

use super::open::{files_of, read_whole, told};
use super::set_threads;
use crate::cli::{Format, Predict};
use crate::output;
use crate::output::interrupts::{INTERRUPTED, Interrupts};
use crate::output::number::plain;

/// Writes the rows of files with a prediction for each, and a summary.
pub fn predict(args: &Predict) -> Result<ExitCode, Error> {
    let saved = Saved::read(&args.model)?;
    let line = Line::new(&saved, args.interval)?;
    if !args.at.is_empty() {
        return at(args, &saved, &line);
    }
    let kind = check_output(args)?;
    set_threads(args.threads)?;
    let mut predictions = Predictions::new(line);
    let interrupts = Interrupts::listen()?;
    let mut read = None;
    // An error of a file is told with its path.
    let stopped = output::cannot_print;
    let mut write_to = |out: &mut (dyn Write + Send), kind| {
        let mut table = WholeWriter::new(out, kind);
        let mut write = |rows: WholeRows| {
            if interrupts.interrupted() {
                return Err(stopped(io::ErrorKind::Interrupted.into()));
            }
            table.write(&predictions.beside(rows)?).map_err(stopped)
        };
        read = Some(read_whole(
            args,
            &request(args, &saved),
            kind != Kind::Csv,
            &mut write,
        ));
        match read {
            // The reason is told below.
            Some(Err(_)) => Err(io::ErrorKind::Interrupted.into()),
            _ => table.finish(),
        }
    };
    let written = match (&args.output, args.format) {
        (Some(path), _) => atomic::write(path, |out| write_to(out, kind)),
        (None, Format::Text) => {
            let mut out = BufWriter::new(io::stdout());
            let written = write_to(&mut out, Kind::Csv).and_then(|()| out.flush());
            written.map_err(stopped)
        }
        // Only the summary was asked for.
        (None, Format::Json) => write_to(&mut io::sink(), Kind::Csv).map_err(stopped),
    };
    if interrupts.interrupted() {
        output::notice(match &args.output {
            Some(path) => format!("interrupted: {} is not written", path.display()),
            None => "interrupted: there would be more".to_owned(),
        });
        return Ok(INTERRUPTED.into());
    }
    let read = match read {
        Some(read) => read?,
        None => return written.map(|()| ExitCode::SUCCESS),
    };
    written?;
    if let Some(path) = args.output.as_deref().filter(|_| !args.quiet) {
        output::wrote(path);
    }
    summarize(args, &saved, &predictions, &read)
}

/// Returns what to look for in the files: the columns have the names that they had in training.
fn request<'a>(args: &'a Predict, saved: &'a Saved) -> Request<'a> {
    let Predict { columns, .. } = args;
    Request {
        x: columns.x.as_deref().or(Some(&saved.units.x)),
        x_of_model: columns.x.is_none(),
        y: columns.y.as_deref().or(Some(&saved.units.y)),
        y_of_model: columns.y.is_none(),
        x_alone: true,
        ..columns.request()
    }
}

/// Checks that the predictions can be written and replace nothing that is read. Returns the kind of the output.
fn check_output(args: &Predict) -> Result<Kind, Error> {
    let Some(path) = &args.output else {
        return Ok(Kind::Csv);
    };
    let kind = write::kind(path)?;
    atomic::check_writable(path)?;
    let data = files_of(&args.columns, &args.data)?;
    output::refuse_to_replace(
        "--output",
        path,
        "the data",
        data.iter().map(PathBuf::as_path),
    )?;
    output::refuse_to_replace("--output", path, "the model", [args.model.as_path()])?;
    Ok(kind)
}

/// A saved line, and what is wanted of it.
struct Line {
    line: Centered,
    /// The errors, and what intervals hold, if they are wanted.
    interval: Option<(Uncertainty, Holds)>,
    /// The range of x that the line was trained on, if it is known.
    range: [f64; 2],
    /// What x counts, if that is known.
    counts: Option<Counts>,
}

impl Line {
    fn new(saved: &Saved, holds: Option<Holds>) -> Result<Self, Error> {
        let line = saved.line();
        let interval = holds.map(|holds| {
            let errors = saved.errors.filter(|errors| errors.interval(line, 0.0, holds).is_some());
            let errors = errors.ok_or_else(|| {
                Error::Usage(match (holds, saved.errors) {
                    (_, None) => "--interval needs the errors of the line, and the model has none".to_owned(),
                    (Holds::Y, Some(errors)) if errors.at_mean.is_some() => {
                        "--interval=y is for mse and its classical errors; --interval=line holds the line"
                            .to_owned()
                    }
                    _ => "--interval needs a model of this version: train it again".to_owned(),
                })
            });
            errors.map(|errors| (errors, holds))
        });
        Ok(Line {
            line,
            counts: saved.x_counts,
            interval: interval.transpose()?,
            range: saved
                .statistics
                .map_or([f64::NEG_INFINITY, f64::INFINITY], |statistics| {
                    [statistics.x.least, statistics.x.greatest]
                }),
        })
    }

    /// Returns the interval around the prediction at `x`, if intervals are wanted.
    fn interval(&self, x: f64) -> Option<[f64; 2]> {
        let (errors, holds) = self.interval?;
        errors.interval(self.line, x, holds)
    }

    /// Returns what x is multiplied with to count what it did in training.
    ///
    /// # Errors
    /// [`Error::Data`] for dates where there were numbers, or the other way round.
    fn unit(&self, time: Option<Time>) -> Result<f64, Error> {
        let word = |counts| match counts {
            Counts::Numbers => "numbers",
            Counts::Days | Counts::Seconds => "dates",
        };
        let (Some(trained), given) = (self.counts, Counts::from(time)) else {
            return Ok(1.0);
        };
        trained.per(given).ok_or_else(|| {
            Error::Data(format!(
                "the model was trained on {} as x, and these are {}",
                word(trained),
                word(given)
            ))
        })
    }

    fn is_outside(&self, x: f64) -> bool {
        let [least, greatest] = self.range;
        x < least || greatest < x
    }
}

/// The predictions so far.
struct Predictions {
    line: Line,
    /// Rows with a prediction.
    rows: u64,
    /// Predictions that are not finite.
    overflowed: u64,
    /// x outside of the range that the line was trained on.
    outside: u64,
    /// The statistics of rows with x and y, and the sums of their residuals' squares and sizes.
    known: Statistics,
    squares: f64,
    sizes: f64,
}

impl Predictions {
    fn new(line: Line) -> Self {
        Predictions {
            line,
            rows: 0,
            overflowed: 0,
            outside: 0,
            known: Statistics::default(),
            squares: 0.0,
            sizes: 0.0,
        }
    }

    /// Returns rows with the predictions beside them: also the residuals if y is known, and the intervals if they are wanted.
    fn beside(&mut self, rows: WholeRows) -> Result<RecordBatch, Error> {
        let WholeRows {
            columns,
            mut x,
            y,
            time,
        } = rows;
        let unit = self.line.unit(time)?;
        x.iter_mut().for_each(|x| *x *= unit);
        let predictions: Vec<f64> = x.iter().map(|&x| self.line.line.predict(x)).collect();
        let present = x.iter().filter(|x| !x.is_nan());
        self.rows += present.clone().count() as u64;
        self.outside += present.filter(|&&x| self.line.is_outside(x)).count() as u64;
        self.overflowed += predictions
            .iter()
            .filter(|value| value.is_infinite())
            .count() as u64;
        let mut added = vec![("prediction", predictions.clone())];
        if let Some(y) = y {
            let residuals: Vec<f64> = y.iter().zip(&predictions).map(|(y, at)| y - at).collect();
            let mut block = Block::default();
            for ((&x, &y), residual) in x.iter().zip(&y).zip(&residuals) {
                if residual.is_finite() {
                    block.push((x, y));
                    self.squares += residual * residual;
                    self.sizes += residual.abs();
                }
            }
            self.known = self.known.join(Statistics::of_block(&block));
            added.push(("residual", residuals));
        }
        if self.line.interval.is_some() {
            let interval = |&x: &f64| self.line.interval(x).unwrap_or([f64::NAN; 2]);
            let (lower, upper) = x
                .iter()
                .map(interval)
                .map(|[lower, upper]| (lower, upper))
                .unzip();
            added.extend([("lower", lower), ("upper", upper)]);
        }
        with_columns(&columns, added)
    }

    /// Returns how well the predictions fit where y is known.
    fn goodness(&self) -> Option<Goodness> {
        let Statistics { samples, y, .. } = &self.known;
        (*samples > 0).then(|| Goodness::new(*samples, self.squares, self.sizes, y))
    }
}

/// Returns a table with more columns. A name that the table has gets a number; a value that is NaN is missing.
fn with_columns(table: &RecordBatch, added: Vec<(&str, Vec<f64>)>) -> Result<RecordBatch, Error> {
    let schema = table.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = table.columns().to_vec();
    for (name, values) in added {
        let taken = |name: &str| fields.iter().any(|field| field.name() == name);
        let mut free = name.to_owned();
        for number in 2.. {
            if !taken(&free) {
                break;
            }
            free = format!("{name} {number}");
        }
        fields.push(Arc::new(Field::new(free, DataType::Float64, true)));
        let present = values
            .into_iter()
            .map(|value| Some(value).filter(|value| !value.is_nan()));
        columns.push(Arc::new(present.collect::<Float64Array>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::Data(error.to_string()))
}

/// Prints what was predicted, and warns of what it may not be worth.
fn summarize(
    args: &Predict,
    saved: &Saved,
    predictions: &Predictions,
    read: &ReadText,
) -> Result<ExitCode, Error> {
    if !args.quiet {
        told(&read.title, &read.notes);
        output::tell_skipped("no prediction for", &read.skipped, predictions.rows);
    }
    if predictions.overflowed > 0 {
        output::warning(format_args!(
            "{} beyond the range of f64: the line is too steep for these x",
            counted(predictions.overflowed, "prediction"),
        ));
    }
    if predictions.outside > 0 && !args.quiet {
        let [least, greatest] = predictions.line.range;
        output::warning(format_args!(
            "{} of {} outside {} to {}, the range of x that the line was trained on",
            counted(predictions.outside, "prediction"),
            predictions.rows,
            plain(least),
            plain(greatest),
        ));
    }
    let summary = Summary {
        model: saved.model,
        samples: predictions.rows,
        skipped: output::by_reason(&read.skipped),
        outside: predictions.outside,
        fit: predictions.goodness(),
        version: env!("CARGO_PKG_VERSION"),
    };
    match args.format {
        Format::Json => output::json::print(&summary)?,
        Format::Text if args.output.is_some() => output::line(summary)?,
        // Stdout holds the predictions.
        Format::Text if !args.quiet => output::notice(summary),
        Format::Text => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints predictions at values of x.
fn at(args: &Predict, saved: &Saved, line: &Line) -> Result<ExitCode, Error> {
    let predictions: Vec<At> = args
        .at
        .iter()
        .map(|text| {
            let x = at_x(text, line)?;
            let [lower, upper] = line.interval(x).map_or([None; 2], |ends| ends.map(Some));
            Ok(At {
                x,
                prediction: line.line.predict(x),
                lower,
                upper,
                outside: line.is_outside(x),
            })
        })
        .collect::<Result<_, Error>>()?;
    if args.format == Format::Json {
        output::json::print(&predictions)?;
    } else {
        let ends = if line.interval.is_some() {
            ",lower,upper"
        } else {
            ""
        };
        output::line(format_args!("{},prediction{ends}", saved.units.x))?;
        for at in &predictions {
            let ends = [at.lower, at.upper]
                .into_iter()
                .flatten()
                .map(|end| format!(",{end}"));
            output::line(format_args!(
                "{},{}{}",
                at.x,
                at.prediction,
                ends.collect::<String>()
            ))?;
        }
    }
    let outside = predictions.iter().filter(|at| at.outside).count() as u64;
    if outside > 0 {
        let [least, greatest] = line.range;
        output::warning(format_args!(
            "{} outside {} to {}, the range of x that the line was trained on",
            counted(outside, "prediction"),
            plain(least),
            plain(greatest),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the x of a text: a number, or a date where the line was trained on dates.
fn at_x(text: &str, line: &Line) -> Result<f64, Error> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
    let date = || {
        let (x, time) = iso_time(text)?;
        Some(line.unit(Some(time)).map(|unit| x * unit))
    };
    number.map(Ok).or_else(date).unwrap_or_else(|| {
        Err(Error::Usage(format!(
            "--at {text} is not a finite number, nor a date such as 2024-03-20"
        )))
    })
}

/// A prediction at one x.
#[derive(Debug, Serialize)]
struct At {
    x: f64,
    prediction: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper: Option<f64>,
    /// `true` if x is outside of the range that the line was trained on.
    outside: bool,
}

/// The number of predictions, and how well they fit if y is known.
#[derive(Debug, Serialize)]
struct Summary {
    /// The line.
    #[serde(flatten)]
    model: Model,
    samples: u64,
    /// Rows left out or without a prediction, by reason.
    skipped: BTreeMap<String, u64>,
    /// Predictions outside of the range of x that the line was trained on.
    outside: u64,
    /// Goodness of the fit; `None` if no y is known.
    fit: Option<Goodness>,
    version: &'static str,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.samples, "prediction"))?;
        match self.fit {
            Some(fit) => write!(f, "; {}", crate::commands::train::report::fit(&fit)),
            None => Ok(()),
        }
    }
}
