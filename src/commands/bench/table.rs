//! The tables of a bench, for the terminal and for Markdown.

use std::time::Duration;

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ColumnConstraint, Table, TableStyle, Width};
use fall_line::bench::{BenchRow, Contestant};
use fall_line::error::counted;

use crate::output::number;

/// A column of a table: its title, and the cell that it makes of a row.
pub struct Column {
    title: &'static str,
    /// Width on a terminal, where rows come one by one.
    width: u16,
    cell: fn(&BenchRow) -> Option<String>,
}

/// The table of epochs, 98 characters wide on a terminal. The spread is the quartiles' distance divided by the median.
pub const EPOCHS: [Column; 9] = [
    SAMPLES,
    ENGINE,
    Column {
        title: "median",
        width: 6,
        cell: |row| Some(time(row.epoch_seconds?.median)),
    },
    Column {
        title: "spread",
        width: 6,
        cell: |row| Some(percent(row.epoch_seconds?.spread())),
    },
    Column {
        title: "min",
        width: 6,
        cell: |row| Some(time(row.epoch_seconds?.min)),
    },
    Column {
        title: "samples/s",
        width: 9,
        cell: |row| Some(rate(row.samples_per_second?)),
    },
    Column {
        title: "GB/s",
        width: 6,
        cell: |row| Some(gigabytes(row.bytes_per_second?)),
    },
    Column {
        title: "of roof",
        width: 7,
        cell: |row| Some(percent(row.roof?.share_of_read)),
    },
    Column {
        title: "of copy",
        width: 7,
        cell: |row| Some(percent(row.roof?.share_of_copy?)),
    },
];

/// The table of everything but the epochs. A column without values is left out.
pub const PHASES: [Column; 10] = [
    SAMPLES,
    ENGINE,
    Column {
        title: "draw",
        width: 6,
        cell: |row| Some(time(row.phases.draw)),
    },
    Column {
        title: "start",
        width: 6,
        cell: |row| row.phases.device_start.map(time),
    },
    Column {
        title: "compile",
        width: 6,
        cell: |row| row.phases.compile.map(time),
    },
    Column {
        title: "load",
        width: 6,
        cell: |row| row.phases.load.map(time),
    },
    Column {
        title: "GB/s",
        width: 6,
        cell: |row| row.phases.load_bytes_per_second.map(gigabytes),
    },
    Column {
        title: "kernel",
        width: 6,
        cell: |row| row.kernel_seconds.map(time),
    },
    Column {
        title: "read-back",
        width: 9,
        cell: |row| row.phases.readback.map(time),
    },
    Column {
        title: "answer",
        width: 6,
        cell: |row| row.phases.answer.map(time),
    },
];

const SAMPLES: Column = Column {
    title: "samples",
    width: 7,
    cell: |row| Some(number::count(row.samples)),
};

const ENGINE: Column = Column {
    title: "engine",
    width: 28,
    cell: |row| {
        let label = row.label();
        Some(match row.threads {
            _ if row.software => format!("{label} (software)"),
            Some(threads) if row.engine == Contestant::Cpu => {
                let threads = counted(threads as u64, "thread");
                format!("{label} ({threads})")
            }
            _ => label,
        })
    },
};

/// Text of an unknown value.
const NONE: &str = "–";

/// Returns the titles, on one line of a terminal.
pub fn titles(columns: &[Column]) -> String {
    on_one_line(columns, columns.iter().map(|c| c.title.to_owned()))
}

/// Returns one row, on one line of a terminal.
pub fn line(columns: &[Column], row: &BenchRow) -> String {
    on_one_line(columns, columns.iter().map(|c| text(c, row)))
}

fn on_one_line(columns: &[Column], cells: impl Iterator<Item = String>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).add_row(cells);
    align(&mut table);
    for (column, &Column { width, .. }) in table.column_iter_mut().zip(columns) {
        column
            .set_padding((0, 2))
            .set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + 2)));
    }
    table.trim_fmt()
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
    let known = |column: &&Column| rows.iter().any(|row| (column.cell)(row).is_some());
    let columns: Vec<&Column> = columns.iter().filter(known).collect();
    let mut table = Table::new();
    table
        .load_style(style)
        .set_header(columns.iter().map(|column| column.title))
        .add_rows(rows.iter().map(|row| columns.iter().map(|c| text(c, row))));
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
    (column.cell)(row).unwrap_or_else(|| NONE.to_owned())
}

fn time(seconds: f64) -> String {
    number::time(Duration::from_secs_f64(seconds))
}

/// Returns `4.91e9`.
fn rate(per_second: f64) -> String {
    format!("{per_second:.2e}")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn gigabytes(bytes: f64) -> String {
    number::short(bytes / 1e9)
}
