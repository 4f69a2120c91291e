//! `--export-json`, `--export-csv`, `--export-markdown`.

use std::path::Path;

use fall_line::bench::compare::{BreakEven, Speedup};
use fall_line::bench::machine::Machine;
use fall_line::bench::{Kind, MODEL, Plan, Row};
use fall_line::engine::Storage;
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;
use fall_line::model::Model;
use fall_line::table::write::csv_error;
use serde::Serialize;
use serde_json::Value;

use super::report::{break_even_sentences, headline, phases_title, speedup_sentences, trouble};
use super::{plot, table};
use crate::cli::{Bench, Files};
use fall_line::atomic;

/// What a program that reads an export looks for first: it changes when a field changes its meaning or
/// goes, not when one comes.
const SCHEMA: &str = "fall-line bench 1";

/// The JSON export. Times are in seconds, bandwidths in bytes a second; what is not known is null.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    /// Of fall-line.
    version: &'static str,
    machine: Machine,
    /// Those used.
    adapters: Vec<Info>,
    pub settings: Settings,
    /// One engine at one size each, in the order they were run.
    pub rows: Vec<Row>,
    /// The fastest engine of each size against each other one.
    pub speedups: Vec<Speedup>,
    pub break_even: BreakEven,
    /// What speaks against the figures.
    warnings: Vec<String>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
pub struct Settings {
    pub samples: Vec<u64>,
    pub loss: &'static str,
    /// δ of huber, τ of quantile.
    pub loss_parameter: Option<f64>,
    #[serde(skip)]
    pub loss_text: String,
    /// Whether gpu-batched is timed.
    #[serde(skip)]
    pub batched: bool,
    pub seed: u64,
    pub generator: &'static str,
    pub storage: Storage,
    pub min_time_seconds: f64,
    /// The epochs of `phases.answer`.
    pub epochs_to_answer: u64,
    /// The line at which every epoch is computed.
    pub model: Model,
}

impl Settings {
    pub fn new(args: &Bench, plan: &Plan) -> Self {
        Settings {
            samples: plan.samples.clone(),
            loss: plan.loss.name(),
            loss_parameter: plan.loss.parameter(),
            loss_text: plan.loss.to_string(),
            batched: plan.kinds.contains(&Kind::GpuBatched),
            seed: args.seed,
            generator: args.generator.name(),
            storage: plan.storage,
            min_time_seconds: plan.min_time.as_secs_f64(),
            epochs_to_answer: plan.epochs_to_answer,
            model: MODEL,
        }
    }
}

/// The columns of the CSV export, each by its place in a row of the JSON export; `/` becomes `_`.
const COLUMNS: [&str; 32] = [
    "samples",
    "engine",
    "adapter",
    "software",
    "threads",
    "storage",
    "evaluation/loss",
    "evaluation/dw",
    "evaluation/db",
    "agrees",
    "disagreement",
    "failure",
    "epoch_seconds/median",
    "epoch_seconds/q1",
    "epoch_seconds/q3",
    "epoch_seconds/min",
    "epoch_seconds/epochs",
    "kernel_seconds",
    "samples_per_second",
    "bytes_per_second",
    "roof/read_bytes_per_second",
    "roof/copy_bytes_per_second",
    "roof/share_of_read",
    "roof/share_of_copy",
    "phases/device_start",
    "phases/compile",
    "phases/draw",
    "phases/load",
    "phases/load_bytes_per_second",
    "phases/setup",
    "phases/readback",
    "phases/answer",
];

impl Document {
    pub fn new(
        settings: Settings,
        machine: Machine,
        adapters: Vec<Info>,
        speedups: Vec<Speedup>,
        break_even: BreakEven,
        rows: Vec<Row>,
        warnings: Vec<String>,
    ) -> Self {
        Document {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            machine,
            adapters,
            settings,
            rows,
            speedups,
            break_even,
            warnings,
        }
    }

    /// Writes the files that are asked for, each whether or not another could be; what could not is
    /// returned.
    pub fn write_files(&self, files: &Files) -> Vec<Error> {
        let written = [
            files.export_json.as_deref().map(|path| self.json(path)),
            files.export_csv.as_deref().map(|path| self.csv(path)),
            files
                .export_markdown
                .as_deref()
                .map(|path| self.markdown(path)),
            files.plot.as_deref().map(|path| {
                let title = format!("Time of an epoch, {}", self.settings.loss_text);
                plot::write(path, &self.rows, &title)
            }),
        ];
        written
            .into_iter()
            .flatten()
            .filter_map(Result::err)
            .collect()
    }

    fn json(&self, path: &Path) -> Result<(), Error> {
        atomic::write(path, |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            writeln!(out)
        })
    }

    fn csv(&self, path: &Path) -> Result<(), Error> {
        atomic::write(path, |out| {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(COLUMNS.map(|column| column.replace('/', "_")))
                .map_err(csv_error)?;
            for row in &self.rows {
                let row = serde_json::to_value(row)?;
                csv.write_record(COLUMNS.map(|column| field(&row, column)))
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
            list(headline(&self.machine, &adapters, &self.settings)),
            table::markdown(&table::EPOCHS, &self.rows) + "\n",
            list(self.rows.iter().filter_map(trouble).collect()),
            list(speedup_sentences(&self.speedups)),
            phases_title(&self.settings) + ".\n",
            table::markdown(&table::PHASES, &self.rows) + "\n",
            list(break_even_sentences(&self.break_even, &self.rows)),
            list(self.warnings.clone()),
        ];
        atomic::write(path, |out| {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            out.write_all(parts.collect::<Vec<_>>().join("\n").as_bytes())
        })
    }
}

/// A field of a row as it stands in the CSV: empty where it is not known.
fn field(row: &Value, column: &str) -> String {
    match row.pointer(&format!("/{column}")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// That the files that are asked for can be written.
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
