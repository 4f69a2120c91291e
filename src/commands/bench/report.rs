//! The output of `bench` on the terminal: tables as the rows come, and conclusions.

use fall_line::bench::compare::{break_even, speedups};
use fall_line::bench::machine::Machine;
use fall_line::bench::{BenchPlan, BenchRow};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;

use super::export::Document;
use super::sentences::{self, PLUS_MINUS};
use super::settings::Settings;
use super::table;
use crate::output::progress::Progress;
use crate::output::{self, line};

/// Returns a function that moves a new progress bar.
pub fn progress(what: &str, length: u64) -> Box<dyn Fn(u64) + Sync> {
    let bar = Progress::new(what.to_owned(), length, false);
    Box::new(move |done| bar.advance(done))
}

/// The output of a running bench.
pub struct Report<'a> {
    plan: &'a BenchPlan,
    settings: Settings,
    machine: Machine,
    warnings: Vec<String>,
    rows: Vec<BenchRow>,
}

impl<'a> Report<'a> {
    /// Prints what will run on what, and the titles of the table.
    pub fn begin(plan: &'a BenchPlan, settings: Settings) -> Result<Self, Error> {
        let machine = Machine::here();
        for text in sentences::headline(&machine, &infos(plan), &settings) {
            line(text)?;
        }
        let mut report = Report {
            plan,
            settings,
            warnings: Vec::new(),
            rows: Vec::new(),
            machine,
        };
        let busy = report.machine.busy();
        report.warn(busy);
        line("")?;
        line(table::titles(&table::EPOCHS))?;
        Ok(report)
    }

    /// Prints the row of one engine at one size, and after the last of a size the speed-ups.
    pub fn row(&mut self, row: BenchRow) -> Result<(), Error> {
        line(table::line(&table::EPOCHS, &row))?;
        if let Some(trouble) = sentences::trouble(&row) {
            line(format!("  {trouble}"))?;
        }
        self.rows.push(row);
        let per_size = self.plan.rows_per_size();
        if self.rows.len().is_multiple_of(per_size) {
            for speedup in speedups(&self.rows[self.rows.len() - per_size..]) {
                line(format!("  {}", sentences::speedup(&speedup)))?;
            }
            line("")?;
        }
        Ok(())
    }

    /// Prints the conclusions, and returns what the files will hold: `None` if nothing was timed. `early` is the error
    /// that ended the run.
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
        let wide = sentences::wide(&self.rows);
        self.warn(wide);
        let sizes = self.rows.chunk_by(|a, b| a.samples == b.samples);
        let document = Document::new(
            self.settings,
            self.machine,
            infos(self.plan).into_iter().cloned().collect(),
            sizes.flat_map(speedups).collect(),
            break_even(&self.rows),
            self.rows,
            self.warnings,
        );
        if !document.speedups.is_empty() {
            line(PLUS_MINUS)?;
            line("")?;
        }
        line(sentences::phases_title(&document.settings))?;
        output::stdout(&table::plain(&table::PHASES, &document.rows))?;
        let conclusions = sentences::break_even(&document.break_even, &document.rows);
        if !conclusions.is_empty() {
            line("")?;
        }
        conclusions.iter().try_for_each(line)?;
        Ok(Some(document))
    }

    fn warn(&mut self, warning: Option<String>) {
        if let Some(warning) = warning {
            output::warning(&warning);
            self.warnings.push(warning);
        }
    }
}

fn infos(plan: &BenchPlan) -> Vec<&Info> {
    plan.adapters
        .iter()
        .map(|(adapter, _)| adapter.info())
        .collect()
}
