//! `bench`: tables as they come, what follows from them, and files.

use fall_line::bench::compare::{self, BreakEven, Speedup, break_even, speedups};
use fall_line::bench::machine::Machine;
use fall_line::bench::{Plan, Row, label};
use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;
use indicatif::DecimalBytes;

use super::export::{Document, Settings};
use super::table;
use crate::output::progress::Progress;
use crate::output::{line, notice};

/// Quartiles that are further apart than this share of the median make a warning.
const WIDE: f64 = 0.1;
/// What stands beside every figure of a software adapter.
const SOFTWARE: &str = "software adapter: no measure of a GPU";
/// What stands under the speed-ups.
const PLUS_MINUS: &str = "±: half the quartiles' distance of both engines, as shares of the medians, added in quadrature";

/// A bar for something that takes a while.
pub fn progress(what: &str, length: u64) -> Box<dyn Fn(u64) + Sync> {
    let bar = Progress::new(what.to_owned(), length, false);
    Box::new(move |done| bar.advance(done))
}

/// What is said while a bench runs.
pub struct Report<'a> {
    plan: &'a Plan,
    settings: Settings,
    machine: Machine,
    warnings: Vec<String>,
    rows: Vec<Row>,
}

impl<'a> Report<'a> {
    /// What will run on what, and the titles of the table.
    pub fn begin(plan: &'a Plan, settings: Settings) -> Result<Self, Error> {
        let machine = Machine::here();
        for text in headline(&machine, &infos(plan), &settings) {
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

    /// One engine at one size; after the last of a size, who is faster than whom.
    pub fn row(&mut self, row: Row) -> Result<(), Error> {
        line(table::line(&table::EPOCHS, &row))?;
        if let Some(trouble) = trouble(&row) {
            line(format!("  {trouble}"))?;
        }
        self.rows.push(row);
        let per_size = self.plan.rows_per_size();
        if self.rows.len().is_multiple_of(per_size) {
            for speedup in speedups(&self.rows[self.rows.len() - per_size..]) {
                line(format!("  {speedup}"))?;
            }
            line("")?;
        }
        Ok(())
    }

    /// The rest of what there is to say; none where nothing was timed. `early` is why it ended early.
    pub fn end(mut self, early: Option<&Error>) -> Result<Option<Document>, Error> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.warnings
            .extend(early.map(|error| format!("it ended early: {error}")));
        for software in infos(self.plan).iter().filter(|info| info.software) {
            let text = format!("gpu {} is a {SOFTWARE}", software.index);
            self.warnings.push(text);
        }
        let wide = wide(&self.rows);
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
        line(phases_title(&document.settings))?;
        crate::output::stdout(&table::plain(&table::PHASES, &document.rows))?;
        let sentences = break_even_sentences(&document.break_even, &document.rows);
        if !sentences.is_empty() {
            line("")?;
        }
        sentences.iter().try_for_each(line)?;
        Ok(Some(document))
    }

    fn warn(&mut self, warning: Option<String>) {
        if let Some(warning) = warning {
            notice(format!("warning: {warning}"));
            self.warnings.push(warning);
        }
    }
}

fn infos(plan: &Plan) -> Vec<&Info> {
    plan.adapters
        .iter()
        .map(|(adapter, _)| adapter.info())
        .collect()
}

/// What runs on what.
pub fn headline(machine: &Machine, adapters: &[&Info], settings: &Settings) -> Vec<String> {
    let mut lines = vec![format!(
        "machine: {}, {} core{}, {}, {}",
        machine.cpu,
        machine.cores,
        if machine.cores == 1 { "" } else { "s" },
        DecimalBytes(machine.memory_bytes),
        machine.os
    )];
    lines.extend(adapters.iter().map(|info| {
        let kind = if info.software { SOFTWARE } else { info.kind };
        format!(
            "gpu {}:   {}, {}, {kind}",
            info.index, info.name, info.backend
        )
    }));
    lines.push(format!(
        "epoch:   {} at w = {}, b = {}, from the model to the sums on the host; {}, seed {}, adapters in {}",
        settings.loss_text,
        settings.model.w,
        settings.model.b,
        settings.generator,
        settings.seed,
        settings.storage
    ));
    if settings.batched {
        lines.push(
            "batch:   as many epochs as take 10 ms, the line kept on the device; the time is theirs over their number"
                .to_owned(),
        );
    }
    lines
}

/// Why a row has no time.
pub fn trouble(row: &Row) -> Option<String> {
    let label = row.label();
    match (&row.disagreement, &row.failure) {
        (Some(how), _) => Some(format!("{label} disagrees and is not timed: {how}")),
        (None, Some(why)) => Some(format!("{label} failed: {why}")),
        (None, None) => None,
    }
}

pub fn phases_title(settings: &Settings) -> String {
    format!(
        "To the answer of {} epochs: the sum of draw, setup (device start, compile, load) and median epochs",
        settings.epochs_to_answer
    )
}

/// From where on a GPU engine is worth it.
pub fn break_even_sentences(break_even: &BreakEven, rows: &[Row]) -> Vec<String> {
    let mut sentences = Vec::new();
    for engine in &break_even.per_epoch {
        let of_engine = |row: &&Row| (row.engine, row.adapter) == (engine.engine, engine.adapter);
        let software = rows.iter().find(of_engine).is_some_and(|row| row.software);
        let mark = if software {
            format!(" ({SOFTWARE})")
        } else {
            String::new()
        };
        let label = label(engine.engine, engine.adapter);
        sentences.push(format!("{label} against the fastest CPU engine{mark}:"));
        sentences.push(format!("  {engine}"));
        let (mut wins, mut never) = (Vec::new(), Vec::new());
        for size in &break_even.to_answer {
            if (size.engine, size.adapter) == (engine.engine, engine.adapter) {
                let samples = compare::count(size.samples);
                match size.epochs {
                    Some(epochs) => wins.push(format!("at {samples} from {epochs} epochs on")),
                    None => never.push(samples),
                }
            }
        }
        if wins.is_empty() {
            wins.push("at no size".to_owned());
        } else if !never.is_empty() {
            wins.push(format!("never at {}", never.join(", ")));
        }
        let wins = wins.join("; ");
        sentences.push(format!(
            "  {label}, its setup included, is done first {wins}"
        ));
    }
    sentences
}

/// That times spread widely, of which engines, and what to do about it.
fn wide(rows: &[Row]) -> Option<String> {
    let wide: Vec<String> = rows
        .iter()
        .filter(|row| row.epoch_seconds.is_some_and(|times| times.spread() > WIDE))
        .map(|row| format!("{} at {}", row.label(), compare::count(row.samples)))
        .collect();
    (!wide.is_empty()).then(|| {
        format!(
            "the quartiles are more than {} % of the median apart: {}; end other programs, or take a longer \
             --min-time",
            100.0 * WIDE,
            wide.join(", ")
        )
    })
}

/// The speed-ups of each size on a line of its own.
pub fn speedup_sentences(speedups: &[Speedup]) -> Vec<String> {
    speedups
        .iter()
        .map(|speedup| format!("{}: {speedup}", compare::count(speedup.samples)))
        .collect()
}
