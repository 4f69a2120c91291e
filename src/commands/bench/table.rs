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
    cell: Cell,
}

/// The cell that a column makes of a row.
enum Cell {
    Text(fn(&BenchRow) -> Option<String>),
    /// Seconds, with the range of the rounds.
    Time(fn(&BenchRow) -> Option<Figure>),
}

/// The table of epochs: 80 characters wide on a terminal without its wide columns.
pub const EPOCHS: [Column; 8] = [
    SAMPLES,
    ENGINE,
    time_column(
        "epoch",
        "time from the model to the sums on the host",
        |row| Some(row.epoch_seconds?.rounds),
    ),
    text_column("quartiles", "of the epochs within a round", 16, |row| {
        let times = row.epoch_seconds?;
        Some(format!("{} to {}", time(times.q1), time(times.q3)))
    }),
    text_column("min", "shortest epoch", 6, |row| {
        Some(time(row.epoch_seconds?.min))
    }),
    Column {
        wide: false,
        ..text_column("samples/s", "samples divided by the epoch", 9, |row| {
            Some(format!("{:.2e}", row.samples_per_second?))
        })
    },
    Column {
        wide: false,
        ..text_column(
            "GB/s",
            "bytes of the samples divided by the epoch",
            6,
            |row| Some(gigabytes(row.bytes_per_second?)),
        )
    },
    Column {
        wide: false,
        ..text_column(
            "of roof",
            "GB/s as a share of only reading the samples",
            7,
            |row| Some(percent(row.roof?.share_of_read)),
        )
    },
];

/// The table of everything but the epochs.
pub const PHASES: [Column; 11] = [
    SAMPLES,
    ENGINE,
    time_column("draw", "time to draw the samples", |row| row.phases.draw),
    time_column("start", "time to open the device", |row| {
        row.phases.device_start
    }),
    time_column("compile", "time to compile the shaders", |row| {
        row.phases.compile
    }),
    time_column("load", "time to load the samples into the device", |row| {
        row.phases.load
    }),
    text_column(
        "load GB/s",
        "bytes of the samples divided by load",
        9,
        |row| row.phases.load_bytes_per_second.map(gigabytes),
    ),
    time_column("kernel", "time of an epoch by the adapter's clock", |row| {
        row.kernel_seconds
    }),
    text_column(
        "of copy",
        "GB/s as a share of a copy within the device",
        7,
        |row| Some(percent(row.roof?.share_of_copy?)),
    ),
    time_column(
        "read-back",
        "time of a submit that only copies a record",
        |row| row.phases.readback,
    ),
    time_column(
        "answer",
        "draw, start, compile, load and the epochs",
        |row| row.phases.answer,
    ),
];

const SAMPLES: Column = Column {
    wide: false,
    ..text_column("samples", "", 7, |row| Some(number::count(row.samples)))
};

const ENGINE: Column = Column {
    wide: false,
    ..text_column("engine", "", 24, |row| Some(engine(row)))
};

const fn text_column(
    title: &'static str,
    meaning: &'static str,
    width: u16,
    cell: fn(&BenchRow) -> Option<String>,
) -> Column {
    Column {
        title,
        meaning,
        wide: true,
        width,
        cell: Cell::Text(cell),
    }
}

const fn time_column(
    title: &'static str,
    meaning: &'static str,
    cell: fn(&BenchRow) -> Option<Figure>,
) -> Column {
    Column {
        title,
        meaning,
        wide: false,
        width: 13,
        cell: Cell::Time(cell),
    }
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
/// Mark of a row with a figure that can't be true.
const IMPOSSIBLE: &str = " !";

/// Returns the titles, on one line of a terminal.
pub fn titles(columns: &[Column], wide: bool) -> String {
    on_one_line(columns, wide, |column| column.title.to_owned())
}

/// Returns one row, on one line of a terminal.
pub fn line(columns: &[Column], wide: bool, row: &BenchRow) -> String {
    on_one_line(columns, wide, |column| column.text(row))
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
    let known = |column: &&Column| rows.iter().any(|row| column.known(row).is_some());
    let columns: Vec<&Column> = columns.iter().filter(known).collect();
    let mut table = Table::new();
    table
        .load_style(style)
        .set_header(columns.iter().map(|column| column.title))
        .add_rows(rows.iter().map(|row| columns.iter().map(|c| c.text(row))));
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

impl Column {
    fn known(&self, row: &BenchRow) -> Option<String> {
        match self.cell {
            Cell::Text(cell) => cell(row),
            Cell::Time(cell) => cell(row).map(number::ranged),
        }
    }

    fn text(&self, row: &BenchRow) -> String {
        let text = self.known(row).unwrap_or_else(|| NONE.to_owned());
        let marked = row.impossible.is_some() && self.title == ENGINE.title;
        text + if marked { IMPOSSIBLE } else { "" }
    }
}

fn time(seconds: f64) -> String {
    number::time(Duration::from_secs_f64(seconds))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn gigabytes(bytes: f64) -> String {
    number::short(bytes / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_a_terminal_of_80_columns() {
        let mut row = BenchRow::complete();
        row.samples = 1_234_567;
        row.engine = Contestant::GpuBatched;
        row.adapter = Some(0);
        row.software = true;
        let fits = |text: &str| text.chars().count() <= 80;
        assert!(fits(&titles(&EPOCHS, false)));
        let text = line(&EPOCHS, false, &row);
        assert!(
            fits(&text) && text.contains("gpu-batched 0 (software)"),
            "{text}"
        );
        assert!(!fits(&line(&EPOCHS, true, &row)));
        for columns in [&EPOCHS[..], &PHASES] {
            assert!(legend(columns, true).iter().all(|line| fits(line)));
        }
        // Only a figure that can't be true is marked.
        assert!(!text.contains('!'));
        row.impossible = Some("it is".to_owned());
        assert!(line(&EPOCHS, false, &row).contains("(software) !"));
    }
}
