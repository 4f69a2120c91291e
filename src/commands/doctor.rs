//! `fall-line doctor`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fall_line::doctor::{Event, Finding, Listed, Outcome};
use fall_line::engine::gpu::adapter::{self, Info};
use fall_line::error::{Error, counted};
use serde::Serialize;

use self::child::Child;
use crate::cli::{Doctor, Format, Required, Task};
use crate::output;

mod child;
mod table;

/// All that was found out.
#[derive(Serialize)]
struct Report {
    passed: bool,
    seconds: f64,
    adapters: Vec<Examined>,
    failed_backends: Vec<FailedBackend>,
}

/// An adapter, and what was found on it.
#[derive(Serialize)]
struct Examined {
    #[serde(flatten)]
    listed: Listed,
    missing: Vec<&'static str>,
    passed: bool,
    /// The end of its process, if it crashed or hung.
    problem: Option<String>,
    checks: Vec<Finding>,
}

/// An API whose adapters can't be listed, or that crashes after that.
#[derive(Serialize)]
struct FailedBackend {
    backend: &'static str,
    problem: String,
}

/// An adapter before it is examined.
struct Found {
    listed: Listed,
    /// Its index among the adapters of its API.
    of_backend: usize,
}

/// Checks adapters, each in a process of its own.
pub fn doctor(args: &Doctor) -> Result<ExitCode, Error> {
    if let Some(task) = args.child {
        return child::run(task, args.adapter.as_deref());
    }
    let start = Instant::now();
    let (mut listed, mut failed_backends) = list(args.timeout)?;
    if let Some(wanted) = &args.adapter {
        let infos: Vec<&Info> = listed.iter().map(|found| &found.listed.info).collect();
        match adapter::find(&infos, wanted) {
            Ok(at) => {
                listed = vec![listed.swap_remove(at)];
                failed_backends.retain(|failed| failed.backend == listed[0].listed.info.backend);
            }
            Err(not_found) if failed_backends.is_empty() => return Err(not_found),
            // It may be one of theirs.
            Err(_) => listed.clear(),
        }
    }
    let adapters = listed
        .into_iter()
        .map(|found| examine(found, args.timeout))
        .collect::<Result<Vec<_>, Error>>()?;
    let problem = problem(&adapters, &failed_backends, args.require);
    let report = Report {
        passed: problem.is_none(),
        seconds: start.elapsed().as_secs_f64(),
        adapters,
        failed_backends,
    };
    match args.format {
        Format::Text => output::stdout(&table::text(&report))?,
        Format::Json => output::json::print(&report)?,
    }
    match problem {
        None => Ok(ExitCode::SUCCESS),
        Some(problem) => Err(problem),
    }
}

/// Lists the adapters, the best first. Each API has a process, and all run at once.
fn list(timeout: Duration) -> Result<(Vec<Found>, Vec<FailedBackend>), Error> {
    let children = adapter::backends_listed()
        .into_iter()
        .map(|backend| Ok((backend, Child::start(Task::List, backend, None)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for (backend, child) in children {
        let (listed, problem) = child.wait::<Listed>(timeout)?;
        // A driver may list its adapters, and crash at the exit.
        all.extend(listed.into_iter().map(|listed| Found {
            of_backend: listed.info.index,
            listed,
        }));
        failed.extend(problem.map(|problem| FailedBackend { backend, problem }));
    }
    all.sort_by_key(|Found { listed, .. }| adapter::order(listed.info.kind, &listed.info.backend));
    for (index, found) in all.iter_mut().enumerate() {
        found.listed.info.index = index;
    }
    Ok((all, failed))
}

/// Examines an adapter in a process.
fn examine(found: Found, timeout: Duration) -> Result<Examined, Error> {
    let Found { listed, of_backend } = found;
    let child = Child::start(Task::Examine, &listed.info.backend, Some(of_backend))?;
    let (events, problem) = child.wait::<Event>(timeout)?;
    let mut checks = Vec::new();
    let mut begun = None;
    for event in events {
        begun = match event {
            Event::Begins(check) => Some(check),
            Event::Found(finding) => {
                checks.push(finding);
                None
            }
        };
    }
    // The check that it did not come back from.
    if let (Some(detail), Some(check)) = (&problem, begun) {
        checks.push(Finding {
            check,
            outcome: Outcome::Failed,
            detail: detail.clone(),
            bytes_per_second: None,
            seconds: None,
        });
    }
    let failed = |finding: &Finding| finding.outcome == Outcome::Failed;
    Ok(Examined {
        missing: listed.missing(),
        passed: problem.is_none() && !checks.is_empty() && !checks.iter().any(failed),
        listed,
        problem,
        checks,
    })
}

/// Returns the error if an adapter failed, there is none, or none of the required kind.
fn problem(
    adapters: &[Examined],
    failed_backends: &[FailedBackend],
    required: Option<Required>,
) -> Option<Error> {
    if adapters.is_empty() && failed_backends.is_empty() {
        return Some(adapter::none());
    }
    let failed: Vec<String> = adapters
        .iter()
        .filter(|adapter| !adapter.passed)
        .map(|adapter| format!("adapter {}", adapter.listed.info.index))
        .chain(
            failed_backends
                .iter()
                .map(|failed| failed.backend.to_owned()),
        )
        .collect();
    if !failed.is_empty() {
        return Some(Error::Failed(format!(
            "checks failed on {}; use another adapter or driver",
            failed.join(", ")
        )));
    }
    let (software, kind) = match required? {
        Required::Hardware => (false, "hardware"),
        Required::Software => (true, "software"),
    };
    let there = adapters
        .iter()
        .any(|adapter| adapter.listed.info.software == software);
    (!there).then(|| {
        let checked = counted(adapters.len() as u64, "adapter");
        Error::Failed(format!(
            "{checked} passed, but there is no {kind} adapter among them, which was required"
        ))
    })
}
