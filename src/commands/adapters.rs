//! `fall-line adapters`.

use std::process::ExitCode;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use fall_line::engine::gpu::adapter::{self, Adapter, Info};
use fall_line::error::Error;

use crate::cli::Format;
use crate::output;

/// Width of the table, in characters; longer cells take several lines.
const WIDTH: u16 = 80;

/// Lists the adapters, the best first.
pub fn adapters(format: Format) -> Result<ExitCode, Error> {
    let adapters = adapter::list();
    let infos: Vec<_> = adapters.iter().map(Adapter::info).collect();
    if infos.is_empty() {
        return Err(adapter::none());
    }
    match format {
        Format::Text => output::stdout(&table(&infos))?,
        Format::Json => output::json::print(&infos)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line for each adapter, below a header.
fn table(adapters: &[&Info]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header([
            "index",
            "name",
            "backend",
            "kind",
            "driver",
            "largest shard",
        ]);
    for info in adapters {
        table.add_row([
            info.index.to_string(),
            output::printable(&info.name),
            info.backend.clone(),
            info.kind.to_owned(),
            output::printable(&info.driver),
            format!("{} MiB", info.binding_bytes >> 20),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    // A name stays whole, to be copied into a command.
    if let Some(name) = table.column_mut(1) {
        name.set_constraint(ColumnConstraint::ContentWidth);
    }
    for number in [0, 5] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(index: usize, name: &str, driver: &str) -> Info {
        Info {
            index,
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            kind: "software adapter",
            software: true,
            driver: driver.to_owned(),
            binding_bytes: 128 << 20,
        }
    }

    #[test]
    fn the_table_has_a_header_and_fits_80_columns() {
        let infos = [
            info(0, "NVIDIA H100 80GB HBM3", "NVIDIA 550.54"),
            info(
                1,
                "llvmpipe (LLVM 15.0.6, 256 bits)",
                "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)",
            ),
        ];
        let text = table(&infos.iter().collect::<Vec<_>>());
        let header: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(
            header,
            [
                "index", "name", "backend", "kind", "driver", "largest", "shard"
            ]
        );
        assert!(text.contains("128 MiB"), "{text}");
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= WIDTH.into()),
            "{text}"
        );
    }
}
