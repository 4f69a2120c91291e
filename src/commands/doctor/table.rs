//! The report as text, within 80 columns.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use fall_line::doctor::{Finding, Listed, Outcome};
use fall_line::error::counted;

use super::{Examined, Report};
use crate::output::{printable, shortened};

/// Columns of a terminal.
const WIDTH: u16 = 80;
/// Columns that the rows of an adapter are indented by: its index has the place.
const INDENT: usize = 3;

/// Returns a paragraph for each adapter and each API that can't list its adapters, then a summary.
pub fn text(report: &Report) -> String {
    let passed = report.adapters.iter().filter(|adapter| adapter.passed);
    let summary = format!(
        "{} of {} passed in {:.1} s",
        passed.count(),
        counted(report.adapters.len() as u64, "adapter"),
        report.seconds
    );
    let backends = report.failed_backends.iter().map(|failed| {
        let rows = [[
            "FAILED".to_owned(),
            "lists its adapters".to_owned(),
            failed.problem.clone(),
        ]];
        format!("{}, any adapter\n{}", failed.backend, rows_of(rows))
    });
    let adapters = report.adapters.iter().map(adapter);
    adapters
        .chain(backends)
        .chain([summary])
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Returns the paragraph of an adapter.
fn adapter(adapter: &Examined) -> String {
    let Listed { info, .. } = &adapter.listed;
    let mut facts = vec![
        ["driver".to_owned(), info.driver.clone()],
        ["limits".to_owned(), limits(&adapter.listed)],
    ];
    if !adapter.missing.is_empty() {
        facts.push(["lacks".to_owned(), adapter.missing.join(", ")]);
    }
    let checks = adapter.checks.iter().map(|finding| {
        let Finding {
            check,
            outcome,
            detail,
            ..
        } = finding;
        let outcome = match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        [outcome, check.title(), detail].map(str::to_owned)
    });
    // A check that did not end has told it.
    let untold = adapter
        .problem
        .iter()
        .filter(|_| adapter.checks.is_empty())
        .map(|problem| ["FAILED", "its process", problem].map(str::to_owned));
    let title = shortened(
        printable(&info.to_string()),
        usize::from(WIDTH) - INDENT - 1,
    );
    format!(
        "{:>2} {title}\n{}\n{}",
        info.index,
        rows_of(facts),
        rows_of(checks.chain(untold))
    )
}

/// Returns the limits in a line.
fn limits(Listed { info, abilities }: &Listed) -> String {
    let subgroups = match abilities.subgroup_sizes {
        None => String::new(),
        Some((least, most)) if least == most => format!(", subgroup {least}"),
        Some((least, most)) => format!(", subgroup {least} to {most}"),
    };
    format!(
        "binding {} MiB, workgroup {} invocations, {} KiB{subgroups}",
        info.binding_bytes >> 20,
        abilities.workgroup_invocations,
        abilities.workgroup_bytes >> 10,
    )
}

/// Returns rows as indented lines. Long texts wrap within their column.
fn rows_of<const COLUMNS: usize>(rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH - INDENT as u16);
    for row in rows {
        table.add_row(row.map(|text| printable(&text)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.trim_fmt();
    let lines = text.lines().map(|line| format!("{:INDENT$}{line}", ""));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use fall_line::doctor::Check;
    use fall_line::engine::gpu::adapter::{Abilities, Info, Kind};

    use super::*;
    use crate::commands::doctor::FailedBackend;

    #[test]
    fn long_names_and_reasons_fit_80_columns() {
        let long = "a text of some words ".repeat(20) + &"x".repeat(200) + "\n\u{1b}[1m";
        let listed = Listed {
            info: Info {
                index: 10,
                name: long.clone(),
                backend: "vulkan".to_owned(),
                kind: Kind::Discrete,
                software: false,
                driver: long.clone(),
                binding_bytes: u64::MAX,
            },
            abilities: Abilities {
                buffer_bytes: u64::MAX,
                workgroup_invocations: u32::MAX,
                workgroup_bytes: u32::MAX,
                subgroup_sizes: Some((4, 128)),
                immediates: false,
                f16_storage: false,
                timestamps: false,
            },
        };
        let checks = Check::ALL.map(|check| Finding {
            check,
            outcome: Outcome::Skipped,
            detail: long.clone(),
            bytes_per_second: None,
            seconds: None,
        });
        let report = Report {
            passed: false,
            seconds: 1.0,
            adapters: vec![Examined {
                missing: listed.missing(),
                listed,
                passed: false,
                problem: Some(long.clone()),
                checks: checks.to_vec(),
            }],
            failed_backends: vec![FailedBackend {
                backend: "vulkan",
                problem: long,
            }],
        };
        let text = text(&report);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(text.ends_with("\n\n0 of 1 adapter passed in 1.0 s"));
    }
}
