//! The tables of a bench, for the terminal and for Markdown.

use std::time::Duration;

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ColumnConstraint, Table, TableStyle, Width};
use fall_line::bench::{BenchRow, Contestant, Figure};
use fall_line::error::counted;

use crate::output::number;

/// A column of a table.
pub struct Column {
    title: &'static str,
    /// Text for the legend; empty if the title says it.
    meaning: &'static str,
    /// True if only a wide terminal has room for it.
    wide: bool,
    /// Width on a terminal, where rows come one by one.
    width: u16,
    /// Text of a row; `None` if it is not known.
    text: fn(&BenchRow) -> Option<String>,
}

impl Column {
    const fn new(
        title: &'static str,
        meaning: &'static str,
        width: u16,
        text: fn(&BenchRow) -> Option<String>,
    ) -> Self {
        Column {
            title,
            meaning,
            wide: false,
            width,
            text,
        }
    }

    const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

const SAMPLES: Column = Column::new("samples", "", 7, |row| Some(number::count(row.samples)));
const ENGINE: Column = Column::new("engine", "", 28, |row| Some(engine(row)));

/// The table of epochs: 80 characters wide on a terminal without its wide columns.
pub const EPOCHS: [Column; 8] = [
    SAMPLES,
    ENGINE,
    Column::new(
        "epoch",
        "time from the model to the sums on the host",
        14,
        |row| Some(number::ranged(row.epoch_seconds?.rounds)),
    ),
    Column::new("quartiles", "of the epochs within a round", 16, |row| {
        let times = row.epoch_seconds?;
        Some(format!("{} to {}", time(times.q1), time(times.q3)))
    })
    .wide(),
    Column::new("min", "shortest epoch", 6, |row| {
        Some(time(row.epoch_seconds?.min))
    })
    .wide(),
    Column::new("samples/s", "samples divided by the epoch", 9, |row| {
        Some(format!("{:.2e}", row.samples_per_second?))
    }),
    Column::new(
        "GB/s",
        "bytes of the samples divided by the epoch",
        5,
        |row| Some(gigabytes(row.bytes_per_second?)),
    ),
    Column::new(
        "of roof",
        "GB/s as a share of only reading the samples",
        7,
        |row| {
            let share = row.roof.map(|roof| number::short_share(roof.share_of_read));
            if row.impossible.is_none() {
                return share;
            }
            Some(format!("{} !", share.as_deref().unwrap_or(NONE)))
        },
    ),
];

/// The table of everything but the epochs, which is as wide as it has to be.
pub const PHASES: [Column; 11] = [
    SAMPLES,
    ENGINE,
    phase("draw", "time to draw the samples", |row| {
        ranged(row.phases.draw)
    }),
    phase("start", "time to open the device", |row| {
        ranged(row.phases.device_start)
    }),
    phase("compile", "time to compile the shaders", |row| {
        ranged(row.phases.compile)
    }),
    phase("load", "time to load the samples into the device", |row| {
        ranged(row.phases.load)
    }),
    phase("load GB/s", "bytes of the samples divided by load", |row| {
        row.phases.load_bytes_per_second.map(gigabytes)
    }),
    phase("kernel", "time of an epoch by the adapter's clock", |row| {
        ranged(row.kernel_seconds)
    }),
    phase(
        "of copy",
        "GB/s as a share of a copy within the device",
        |row| Some(number::short_share(row.roof?.share_of_copy?)),
    ),
    phase(
        "read-back",
        "time of a submit that only copies a record",
        |row| ranged(row.phases.readback),
    ),
    phase(
        "answer",
        "draw, start, compile, load and the epochs",
        |row| ranged(row.phases.answer),
    ),
];

const fn phase(
    title: &'static str,
    meaning: &'static str,
    text: fn(&BenchRow) -> Option<String>,
) -> Column {
    Column::new(title, meaning, 0, text)
}

fn ranged(figure: Option<Figure>) -> Option<String> {
    figure.map(number::ranged)
}

/// Returns the engine of a row with what there is to know of it: `cpu (2 threads)`, `gpu 0 (software)`.
fn engine(row: &BenchRow) -> String {
    let label = row.label();
    match (row.also, row.threads) {
        (Some(also), _) => format!("{label} = {also}"),
        _ if row.software => format!("{label} (software)"),
        (None, Some(threads)) if row.engine == Contestant::Cpu => {
            let threads = counted(threads as u64, "thread");
            format!("{label} ({threads})")
        }
        _ => label,
    }
}

/// Text of an unknown value.
const NONE: &str = "–";

/// Returns the titles, on one line of a terminal.
pub fn titles(columns: &[Column], wide: bool) -> String {
    on_one_line(columns, wide, |column| column.title.to_owned())
}

/// Returns one row, on one line of a terminal.
pub fn line(columns: &[Column], wide: bool, row: &BenchRow) -> String {
    on_one_line(columns, wide, |column| text(column, row))
}

fn on_one_line(columns: &[Column], wide: bool, text: impl Fn(&Column) -> String) -> String {
    let shown = || columns.iter().filter(|column| wide || !column.wide);
    let mut table = Table::new();
    table.load_style(NOTHING).add_row(shown().map(text));
    align(&mut table);
    for (column, &Column { width, .. }) in table.column_iter_mut().zip(shown()) {
        column
            .set_padding((0, 2))
            .set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + 2)));
    }
    table.trim_fmt()
}

/// Returns what the columns show, a line each, but for those whose title says it.
pub fn legend(columns: &[Column], wide: bool) -> Vec<String> {
    let shown = columns
        .iter()
        .filter(|column| (wide || !column.wide) && !column.meaning.is_empty());
    shown
        .map(|column| format!("{:9}  {}", column.title, column.meaning))
        .collect()
}

/// Returns all rows as Markdown.
pub fn markdown(columns: &[Column], rows: &[BenchRow]) -> String {
    whole(columns, rows, ASCII_MARKDOWN).trim_fmt()
}

/// Returns all rows for a terminal.
pub fn plain(columns: &[Column], rows: &[BenchRow]) -> String {
    let mut table = whole(columns, rows, NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn whole(columns: &[Column], rows: &[BenchRow], style: TableStyle) -> Table {
    let known = |column: &&Column| rows.iter().any(|row| (column.text)(row).is_some());
    let columns: Vec<&Column> = columns.iter().filter(known).collect();
    let mut table = Table::new();
    table
        .load_style(style)
        .set_header(columns.iter().map(|column| column.title))
        .add_rows(
            rows.iter()
                .map(|row| columns.iter().map(|column| text(column, row))),
        );
    align(&mut table);
    table
}

/// Aligns numbers to the right, and the engine's name, the second column, to the left.
fn align(table: &mut Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(match index {
            1 => CellAlignment::Left,
            _ => CellAlignment::Right,
        });
    }
}

fn text(column: &Column, row: &BenchRow) -> String {
    (column.text)(row).unwrap_or_else(|| NONE.to_owned())
}

fn time(seconds: f64) -> String {
    number::time(Duration::from_secs_f64(seconds))
}

fn gigabytes(bytes: f64) -> String {
    number::short(bytes / 1e9)
}

#[cfg(test)]
mod tests {
    use fall_line::bench::EpochTimes;
    use fall_line::engine::Storage;

    use super::*;

    #[test]
    fn a_row_fits_a_terminal_of_80_columns() {
        let mut row = BenchRow::complete();
        row.samples = 1_234_567;
        row.engine = Contestant::GpuBatched;
        row.adapter = Some(0);
        row.software = true;
        row.storage = Storage::F16;
        for (high, spread) in [(0.1251, "± 901 %"), (1.25, "± 99 ×")] {
            row.epoch_seconds = Some(EpochTimes {
                rounds: Figure {
                    low: 0.0125,
                    median: 0.0125,
                    high,
                },
                ..EpochTimes::default()
            });
            let text = line(&EPOCHS, false, &row);
            assert!(
                text.chars().count() <= 80 && text.contains(spread),
                "{text}"
            );
        }
        let fits = |text: &str| text.chars().count() <= 80;
        assert!(fits(&titles(&EPOCHS, false)));
        let text = line(&EPOCHS, false, &row);
        assert!(
            fits(&text) && text.contains("gpu-batched 0 f16 (software)"),
            "{text}"
        );
        assert!(!fits(&line(&EPOCHS, true, &row)));
        for columns in [&EPOCHS[..], &PHASES] {
            assert!(legend(columns, true).iter().all(|line| fits(line)));
        }
        // Only a figure that can't be true is marked.
        assert!(!text.contains('!'));
        row.impossible = Some("it is".to_owned());
        let text = line(&EPOCHS, false, &row);
        assert!(fits(&text) && text.ends_with(" % !"), "{text}");
    }
}
