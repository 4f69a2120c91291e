//! The files of a bench: JSON, CSV, Markdown and the plot.

use std::path::Path;
use std::time::SystemTime;

use fall_line::atomic;
use fall_line::bench::compare::{BreakEven, Speedup};
use fall_line::bench::machine::Machine;
use fall_line::bench::{AdapterScaling, BenchRow};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;
use fall_line::saved;
use fall_line::table::write::csv_error;
use serde::Serialize;
use serde_json::{Map, Value};

use super::settings::Settings;
use super::{plot, sentences, table};
use crate::cli::Files;

/// Name of the format. It changes when a field changes its meaning or is removed, not when one is added.
pub const SCHEMA: &str = "fall-line bench 2";

/// The JSON export. Times are in seconds and bandwidths in bytes a second. An unknown value is null.
#[derive(Debug, Serialize)]
pub struct Document {
    #[serde(flatten)]
    pub head: Head,
    pub machine: Machine,
    /// Adapters that were used.
    pub adapters: Vec<Info>,
    pub settings: Settings,
    /// Results of one engine at one size each, in the order they were run.
    pub rows: Vec<BenchRow>,
    /// Speed-ups of the fastest engine of each size over each other one.
    pub speedups: Vec<Speedup>,
    pub break_even: BreakEven,
    /// Scaling over several adapters, an entry a size.
    pub scaling: Vec<AdapterScaling>,
    /// Reasons to doubt the figures.
    pub warnings: Vec<String>,
}

/// The run of a bench.
#[derive(Debug, Serialize)]
pub struct Head {
    pub schema: &'static str,
    /// Version of fall-line.
    pub version: &'static str,
    /// Commit of a release build.
    pub commit: Option<&'static str>,
    /// Time of the end, in UTC.
    pub date: String,
    /// Command line.
    pub command: String,
}

/// Returns the command line that runs this program.
fn command() -> String {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let args = args.iter().map(String::as_str);
    // The name of a program that is somewhere else on another machine.
    shlex::try_join(std::iter::once("fall-line").chain(args)).unwrap_or_default()
}

impl Head {
    /// Returns what is known of a run that ends now.
    pub fn now() -> Self {
        Head {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("FALL_LINE_COMMIT"),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: command(),
        }
    }
}

impl Document {
    /// Returns the JSON as it is printed and written.
    pub fn json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(saved::cannot_write)
    }

    /// Writes the files that are asked for, and returns the path or the error of each.
    pub fn write_files<'a>(&self, files: &'a Files, json: &str) -> Vec<Result<&'a Path, Error>> {
        type Write<'d> = &'d dyn Fn(&Path) -> Result<(), Error>;
        let write_json = |path: &Path| atomic::write(path, |out| writeln!(out, "{json}"));
        let files: [(_, Write); 4] = [
            (&files.export_json, &write_json),
            (&files.export_csv, &|path| self.csv(path)),
            (&files.export_markdown, &|path| self.markdown(path)),
            (&files.plot, &|path| plot::write(path, self)),
        ];
        let asked = files
            .into_iter()
            .filter_map(|(path, write)| Some((path.as_deref()?, write)));
        asked
            .map(|(path, write)| write(path).map(|()| path))
            .collect()
    }

    fn csv(&self, path: &Path) -> Result<(), Error> {
        atomic::write(path, |out| {
            let mut csv = csv::Writer::from_writer(out);
            let columns = fields(&BenchRow::complete())?;
            csv.write_record(columns.keys()).map_err(csv_error)?;
            for row in &self.rows {
                let row = fields(row)?;
                csv.write_record(columns.keys().map(|column| text(row.get(column))))
                    .map_err(csv_error)?;
            }
            csv.flush()
        })
    }

    fn markdown(&self, path: &Path) -> Result<(), Error> {
        let adapters: Vec<&Info> = self.adapters.iter().collect();
        let list = |lines: Vec<String>| -> String {
            let bullet = |line: &String| match line.strip_prefix("  ") {
                Some(inner) => format!("  - {inner}\n"),
                None => format!("- {line}\n"),
            };
            lines.iter().map(bullet).collect()
        };
        let parts = [
            list(sentences::headline(
                &self.machine,
                &adapters,
                &self.settings,
            )),
            table::markdown(&table::EPOCHS, &self.rows) + "\n",
            list(self.rows.iter().filter_map(sentences::trouble).collect()),
            list(sentences::speedups(&self.speedups)),
            list(sentences::scaling(&self.scaling)),
            list(sentences::break_even(&self.break_even)),
            sentences::phases_title(&self.settings) + ".\n",
            table::markdown(&table::PHASES, &self.rows) + "\n",
            list(self.warnings.clone()),
        ];
        atomic::write(path, |out| {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            out.write_all(parts.collect::<Vec<_>>().join("\n").as_bytes())
        })
    }
}

/// Returns the fields of a row by name, those of groups as `group_field`, without those of single rounds. A group that is
/// missing is one empty field.
fn fields(row: &BenchRow) -> serde_json::Result<Map<String, Value>> {
    let Value::Object(mut fields) = serde_json::to_value(row)? else {
        return Ok(Map::new());
    };
    fields.remove("rounds");
    Ok(flat("", fields))
}

fn flat(prefix: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let flat = fields.into_iter().flat_map(|(name, value)| match value {
        Value::Object(group) => flat(&format!("{prefix}{name}_"), group),
        value => Map::from_iter([(format!("{prefix}{name}"), value)]),
    });
    flat.collect()
}

/// Returns a field as it stands in the CSV: empty if it is not known.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Checks that the files that are asked for can be written.
pub fn check_files(files: &Files) -> Result<(), Error> {
    for (flag, path, endings) in [
        ("--export-json", &files.export_json, &["json"][..]),
        ("--export-csv", &files.export_csv, &["csv"]),
        (
            "--export-markdown",
            &files.export_markdown,
            &["md", "markdown"],
        ),
        ("--plot", &files.plot, crate::output::plot::ENDINGS),
    ] {
        if let Some(path) = path {
            atomic::check(flag, path, endings)?;
        }
    }
    Ok(())
}
