//! `fall-line adapters`.

use std::process::ExitCode;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use fall_line::engine::gpu::adapter::{self, Adapter, Info};
use fall_line::error::Error;

use crate::cli::Format;
use crate::last_words::watch_drivers;
use crate::output;

/// Lists the adapters, the best first.
pub fn adapters(format: Format) -> Result<ExitCode, Error> {
    watch_drivers()?;
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

/// Returns two lines for each adapter below a header: the driver has its own line, or the table would not fit 80 columns.
fn table(adapters: &[&Info]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["index", "name", "backend", "kind", "shard limit"]);
    for info in adapters {
        table.add_row([
            info.index.to_string(),
            output::printable(&info.name),
            info.backend.clone(),
            info.kind.name().to_owned(),
            format!("{} MiB", info.binding_bytes >> 20),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for number in [0, 4] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.trim_fmt();
    let mut lines = text.lines().map(str::to_owned);
    let header = lines.next().into_iter();
    let rows = lines.zip(adapters).map(|(line, info)| {
        let driver = output::printable(&info.driver);
        format!("{line}\n       driver {driver}")
    });
    header.chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(index: usize, name: &str, driver: &str) -> Info {
        Info {
            index,
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            kind: adapter::Kind::Software,
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
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "index  name                              backend  kind              shard limit",
                "    0  NVIDIA H100 80GB HBM3             vulkan   software adapter      128 MiB",
                "       driver NVIDIA 550.54",
                "    1  llvmpipe (LLVM 15.0.6, 256 bits)  vulkan   software adapter      128 MiB",
                "       driver llvmpipe Mesa 22.3.6 (LLVM 15.0.6)",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }
}
