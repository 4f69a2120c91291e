//! `--report`: a run as one HTML page, which holds all that it shows.

use std::path::Path;
use std::time::SystemTime;

use fall_line::atomic;
use fall_line::error::Error;
use fall_line::train::Ended;
use indicatif::HumanCount;
use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::plot::Run;
use super::report;
use crate::commands::found::Found;
use crate::output::shortened;

mod samples;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("../../../web/style.css");
const PLAY: &str = include_str!("../../../web/index.html");

/// The modules of the page under web/ that a report needs: each after those that it imports.
const MODULES: [&str; 10] = [
    include_str!("../../../web/losses.js"),
    include_str!("../../../web/plane.js"),
    include_str!("../../../web/train.js"),
    include_str!("../../../web/surface.js"),
    include_str!("../../../web/charts.js"),
    include_str!("../../../web/engine-js.js"),
    include_str!("../../../web/scene.js"),
    include_str!("../../../web/state.js"),
    include_str!("../../../web/view.js"),
    include_str!("../../../web/explore.js"),
];
const REPORT: &str = include_str!("../../../web/report.js");

/// The most letters of a command: a shell's pattern may have named thousands of files.
const COMMAND: usize = 2000;

/// The texts of a run beside its pictures.
#[derive(Debug)]
pub struct Told {
    /// The lines above the log: engine, data, loss.
    pub headline: Vec<String>,
    /// Rows that can't be used, in words.
    pub skipped: Option<String>,
    /// Reasons not to believe the line.
    pub warnings: Vec<String>,
    /// Why there is no line.
    pub error: Option<String>,
}

/// The fields of the template.
#[derive(Debug, Serialize)]
struct Fields {
    version: &'static str,
    title: String,
    data: String,
    equation: Option<String>,
    error: Option<String>,
    found: Vec<String>,
    warnings: Vec<String>,
    ran: Vec<[String; 2]>,
    style: &'static str,
    settings: &'static str,
    stage: &'static str,
    script: String,
    /// The samples and the path as JSON; `None` if no epoch was run.
    points: Option<String>,
}

/// Writes the report of a run, also of one that found no line.
pub fn write(path: &Path, run: &Run, told: Told) -> Result<(), Error> {
    let text = page(run, told)?;
    atomic::write(path, |out| out.write_all(text.as_bytes()))
}

fn page(run: &Run, told: Told) -> Result<String, Error> {
    let source = run.source;
    let [x, y] = source.names();
    let own = source.synthetic().is_none();
    let mut found = Vec::new();
    if let Some(outcome) = run.outcome {
        let line = Found::from(outcome);
        found.push(line.line(own));
        found.extend(line.errors());
        found.extend(report::quality(outcome, own));
    }
    let fields = Fields {
        version: env!("CARGO_PKG_VERSION"),
        title: format!("{y} over {x}"),
        data: format!(
            "{}, {} samples",
            source.title(),
            HumanCount(source.samples())
        ),
        equation: run.outcome.map(|outcome| Found::from(outcome).equation()),
        error: told.error,
        found,
        warnings: told.warnings,
        ran: ran(run, told.headline, told.skipped),
        style: STYLE,
        settings: part(PLAY, "settings"),
        stage: part(PLAY, "stage"),
        script: MODULES
            .iter()
            .chain([&REPORT])
            .map(|module| plain(module))
            .collect(),
        points: samples::json(run)?,
    };
    // The name's ending has the template escape what it fills in.
    Environment::new()
        .render_named_str("report.html", TEMPLATE, Serde(fields))
        .map_err(|error| Error::Data(error.to_string()))
}

/// Returns what ran, in rows of a name and a text.
fn ran(run: &Run, headline: Vec<String>, skipped: Option<String>) -> Vec<[String; 2]> {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments = shlex::try_join(arguments.iter().map(String::as_str));
    let command = arguments.map_or_else(
        |_| String::new(),
        |arguments| format!("fall-line {arguments}"),
    );
    let mut rows = vec![["command".to_owned(), shortened(command, COMMAND)]];
    for line in headline {
        match line.split_once(':') {
            Some((name, text)) if !name.starts_with(' ') => {
                rows.push([name.to_owned(), text.trim().to_owned()]);
            }
            _ => rows.push([String::new(), line.trim().to_owned()]),
        }
    }
    rows.extend(skipped.map(|text| ["rows".to_owned(), text]));
    if let Some(outcome) = run.outcome {
        let converged = match outcome.converged {
            _ if outcome.ended == Ended::BrokenOff => ", interrupted",
            Some(true) => ", converged",
            Some(false) => ", not converged",
            None => "",
        };
        let epochs = format!("{}{converged}", HumanCount(outcome.epochs));
        rows.push(["epochs".to_owned(), epochs]);
        rows.push(["time".to_owned(), report::speed(outcome)]);
    }
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    rows.push(["written".to_owned(), now.to_string()]);
    rows
}

/// Returns the part of a page between two of its comments: `<!-- NAME, … -->` and `<!-- end of NAME -->`.
fn part<'a>(page: &'a str, name: &str) -> &'a str {
    let part = page
        .split_once(&format!("<!-- {name},"))
        .and_then(|(_, part)| part.split_once("-->"))
        .and_then(|(_, part)| part.split_once(&format!("<!-- end of {name} -->")));
    part.map_or("", |(part, _)| part.trim())
}

/// Returns a module as a part of one script: without its imports, and with all that it exports.
fn plain(module: &str) -> String {
    let lines = module.lines().filter(|line| !line.starts_with("import "));
    lines
        .map(|line| line.strip_prefix("export ").unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_page_are_found() {
        let (settings, stage) = (part(PLAY, "settings"), part(PLAY, "stage"));
        assert!(settings.starts_with("<fieldset>") && settings.ends_with("</fieldset>"));
        assert!(settings.contains("id=\"loss\"") && settings.contains("id=\"start-b\""));
        assert!(stage.starts_with("<section id=\"stage\"") && stage.ends_with("</section>"));
        assert_eq!(part(PLAY, "nothing"), "");
    }

    #[test]
    fn modules_lose_imports_and_exports_alone() {
        let module = "import { a } from './a.js';\nexport const b = a;\nconst c = 'import';\n";
        assert_eq!(plain(module), "const b = a;\nconst c = 'import';\n");
    }
}
