//! The processes that the adapters are listed and examined in: a driver that crashes or hangs ends only one of them.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child as Process, ChildStdin, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fall_line::doctor::{self, Listed};
use fall_line::engine::gpu::adapter;
use fall_line::error::Error;
use fall_line::saved::cannot_write;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wait_timeout::ChildExt;

use crate::cli::Task;
use crate::last_words::end;
use crate::output;

/// This program again, in a process of its own.
pub struct Child {
    process: Process,
    started: Instant,
    /// Closed with this process, however it ends. That ends the child.
    _stdin: Option<ChildStdin>,
    // Files, not pipes: a pipe may fill up, and stays open if the driver has started a process.
    stdout: File,
    stderr: File,
}

impl Child {
    /// Starts a task on the adapters of one API, or on the one of this index.
    pub fn start(task: Task, backend: &str, index: Option<usize>) -> Result<Self, Error> {
        let cannot = |doing| {
            move |source| Error::Io {
                doing: format!("cannot {doing}"),
                source,
            }
        };
        let file = || tempfile::tempfile().map_err(cannot("make a temporary file"));
        let write_to = |file: &File| {
            let file = file.try_clone().map_err(cannot("open a temporary file"))?;
            Ok::<_, Error>(Stdio::from(file))
        };
        let (stdout, stderr) = (file()?, file()?);
        let program = env::current_exe().map_err(cannot("find this program's file"))?;
        let mut command = Command::new(program);
        command.args(["doctor", "--child", task.name()]);
        if let Some(index) = index {
            command.args(["--adapter", &index.to_string()]);
        }
        let mut process = command
            .env("WGPU_BACKEND", backend)
            .stdin(Stdio::piped())
            .stdout(write_to(&stdout)?)
            .stderr(write_to(&stderr)?)
            .spawn()
            .map_err(cannot("start this program again"))?;
        Ok(Child {
            started: Instant::now(),
            _stdin: process.stdin.take(),
            process,
            stdout,
            stderr,
        })
    }

    /// Waits for the end, and returns what the child printed, and what went wrong. Ends a child that takes longer than
    /// `timeout`.
    pub fn wait<T: DeserializeOwned>(
        mut self,
        timeout: Duration,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let cannot_wait = |source| Error::Io {
            doing: "cannot wait for a process".to_owned(),
            source,
        };
        let left = timeout.saturating_sub(self.started.elapsed());
        let status = self.process.wait_timeout(left).map_err(cannot_wait)?;
        if status.is_none() {
            self.process.kill().map_err(cannot_wait)?;
            // A process that is stuck in the kernel does not even end then.
            self.process.wait_timeout(timeout).map_err(cannot_wait)?;
        }
        let problem = match status {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("ended by {status}")),
            None => Some(format!(
                "no answer within {}",
                humantime::format_duration(timeout)
            )),
        };
        let stderr = text(&mut self.stderr)?;
        let problem = problem.map(|problem| match stderr.lines().last() {
            Some(line) => format!("{problem}, after it wrote: {line}"),
            None => problem,
        });
        // A driver may print lines of its own, and the last line of a crash may be cut short.
        let stdout = text(&mut self.stdout)?;
        let printed = stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        Ok((printed.collect(), problem))
    }
}

/// Returns all that was written to a file.
fn text(file: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(|source| Error::Io {
            doing: "cannot read a temporary file".to_owned(),
            source,
        })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Does the work of a child process.
pub fn run(task: Task, adapter: Option<&str>) -> Result<ExitCode, Error> {
    let watch = || {
        // Nobody writes: it ends with the parent. A driver that hangs may do so at a usual exit too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        end(1);
    };
    let started = thread::Builder::new().spawn(watch);
    started.map_err(|source| Error::Io {
        doing: "cannot start a thread".to_owned(),
        source,
    })?;
    match task {
        Task::List => adapter::list()
            .iter()
            .try_for_each(|adapter| print(&Listed::new(adapter)))?,
        Task::Examine => doctor::examine(&adapter::choose(adapter)?, &mut print)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a value as a line of JSON.
fn print(value: &impl Serialize) -> Result<(), Error> {
    output::stdout(&serde_json::to_string(value).map_err(cannot_write)?)
}
