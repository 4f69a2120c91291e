//! The output of `bench` on the terminal: a table as the rows come, and a summary.

use fall_line::bench::compare::{break_even, speedups};
use fall_line::bench::machine::Machine;
use fall_line::bench::{AdapterScaling, BenchPlan, BenchRow};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;

use super::export::{Document, Head};
use super::sentences::{self, PLUS_MINUS};
use super::settings::Settings;
use super::table;
use crate::output::progress::Progress;
use crate::output::{self, line, lines, number};

/// Returns a function that moves a new progress bar.
pub fn progress(what: &str, length: u64) -> Box<dyn Fn(u64) + Sync> {
    let bar = Progress::new(what.to_owned(), length, false);
    Box::new(move |done| bar.advance(done))
}

/// The amount that is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: stdout is for JSON.
    None,
    /// The columns of 80 characters.
    Narrow,
    /// All columns.
    Wide,
}

/// The output of a running bench.
pub struct Report<'a> {
    plan: &'a BenchPlan,
    settings: Settings,
    machine: Machine,
    detail: Detail,
    warnings: Vec<String>,
    rows: Vec<BenchRow>,
}

impl<'a> Report<'a> {
    /// Prints what will run on what, a warning of a busy machine, and the titles of the table.
    pub fn begin(plan: &'a BenchPlan, settings: Settings, detail: Detail) -> Result<Self, Error> {
        let machine = Machine::here();
        if detail != Detail::None {
            lines(sentences::headline(&machine, &infos(plan), &settings))?;
        }
        let mut report = Report {
            plan,
            settings,
            detail,
            warnings: Vec::new(),
            rows: Vec::new(),
            machine,
        };
        let busy = report.machine.busy();
        report.warn(busy);
        if detail != Detail::None {
            line("")?;
            line(table::titles(&table::EPOCHS, detail == Detail::Wide))?;
        }
        Ok(report)
    }

    /// Prints the rows of one size.
    pub fn rows(&mut self, rows: Vec<BenchRow>) -> Result<(), Error> {
        if self.detail != Detail::None {
            for row in &rows {
                line(table::line(
                    &table::EPOCHS,
                    self.detail == Detail::Wide,
                    row,
                ))?;
                if let Some(trouble) = sentences::trouble(row) {
                    line(format!("  {trouble}"))?;
                }
            }
            line("")?;
        }
        self.rows.extend(rows);
        Ok(())
    }

    /// Prints the summary, and returns what the files will hold: `None` if nothing was timed. `early` is the error that
    /// ended the run.
    pub fn end(mut self, early: Option<&Error>) -> Result<Option<Document>, Error> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.warnings
            .extend(early.map(|error| format!("it ended early: {error}")));
        for software in infos(self.plan).iter().filter(|info| info.software) {
            self.warnings.push(format!(
                "gpu {} is a software adapter; its times say nothing about GPU speed",
                software.index
            ));
        }
        let vague = sentences::vague(self.rows.iter().filter_map(|row| {
            let size = number::count(row.samples);
            let what = format!("{} at {size}", row.label());
            Some((row.epoch_seconds?.rounds, what))
        }));
        self.warn(vague);
        let sizes = self.rows.chunk_by(|a, b| a.samples == b.samples);
        let document = Document {
            head: Head::now(),
            machine: self.machine,
            adapters: infos(self.plan).into_iter().cloned().collect(),
            speedups: sizes.flat_map(speedups).collect(),
            break_even: break_even(&self.rows),
            scaling: self
                .rows
                .chunk_by(|a, b| a.samples == b.samples)
                .filter_map(AdapterScaling::of)
                .collect(),
            settings: self.settings,
            rows: self.rows,
            warnings: self.warnings,
        };
        if self.detail != Detail::None {
            summary(&document, self.detail == Detail::Wide)?;
        }
        Ok(Some(document))
    }

    fn warn(&mut self, warning: Option<String>) {
        if let Some(warning) = warning {
            output::warning(&warning);
            self.warnings.push(warning);
        }
    }
}

/// Prints the legend, the phases if there is room, and the summary.
fn summary(document: &Document, wide: bool) -> Result<(), Error> {
    lines(table::legend(&table::EPOCHS, wide))?;
    line(PLUS_MINUS)?;
    line("")?;
    if wide {
        line(sentences::phases_title(&document.settings))?;
        output::stdout(&table::plain(&table::PHASES, &document.rows))?;
        line("")?;
        lines(table::legend(&table::PHASES, wide))?;
        line("")?;
    }
    let conclusions = [
        sentences::speedups(&document.speedups),
        sentences::scaling(&document.scaling),
        sentences::break_even(&document.break_even),
    ]
    .concat();
    if conclusions.is_empty() {
        return Ok(());
    }
    output::result("Summary")?;
    lines(
        conclusions
            .iter()
            .map(|conclusion| format!("  {conclusion}")),
    )
}

fn infos(plan: &BenchPlan) -> Vec<&Info> {
    plan.adapters
        .iter()
        .map(|(adapter, _)| adapter.info())
        .collect()
}
