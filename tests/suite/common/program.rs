//! The program as a user runs it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io;
use std::process::{Child, Command, Output};

use serde_json::Value;

/// With a cache folder of the tests' own: what is measured of adapters is no business of the user's.
pub fn fall_line() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fall-line"));
    program.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    program
}

/// The same where Vulkan, the only API, has no driver.
pub fn without_adapters() -> Command {
    let mut program = fall_line();
    program
        .env("WGPU_BACKEND", "vulkan")
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent");
    program
}

pub fn run(args: &str) -> Output {
    fall_line().args(args.split_whitespace()).output().unwrap()
}

/// What it printed.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it had to say.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What it prints where it must end well.
pub fn ran(args: &str) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args}: {}", stderr(&output));
    stdout(&output)
}

pub fn json(args: &str) -> Value {
    serde_json::from_str(&ran(args)).unwrap()
}

/// What the bits of a run show in: the line, its loss, and how many epochs it took.
pub fn bits(result: &Value) -> Vec<String> {
    let names = ["w", "b", "final_loss", "epochs", "converged"];
    names.map(|name| result[name].to_string()).to_vec()
}

/// Returns the epoch, loss, w and b of a line of the log, or `None` for any other line.
pub fn logged(line: &str) -> Option<[f64; 4]> {
    let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

/// Returns the epochs that the log shows.
pub fn logged_epochs(text: &str) -> Vec<u64> {
    let lines = text.lines().filter_map(logged);
    lines.map(|[epoch, ..]| epoch as u64).collect()
}

/// Reads lines up to the one of an epoch in the log. Returns whether there was one.
pub fn reach(lines: &mut impl Iterator<Item = io::Result<String>>, epoch: u64) -> bool {
    lines.any(|line| logged(&line.unwrap()).is_some_and(|[at, ..]| at == epoch as f64))
}

/// `--engine cpu`, and `--adapter I` of every adapter there is, said aloud. None is a failure.
pub fn engines() -> Vec<String> {
    let adapters = json("adapters --format json");
    let adapters = adapters.as_array().unwrap();
    assert!(!adapters.is_empty());
    let mut engines = vec!["--engine cpu".to_owned()];
    for adapter in adapters {
        println!("adapter {} {}", adapter["name"], adapter["backend"]);
        engines.push(format!("--adapter {}", adapter["index"]));
    }
    engines
}

/// That it ends with this code, nothing on stdout, and one line on stderr, which is returned.
pub fn refused(code: i32, args: &str) -> String {
    let output = run(args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args}: {text}");
    assert_eq!(stdout(&output), "", "{args}");
    assert_eq!(text.lines().count(), 1, "{args}: {text}");
    assert!(text.starts_with("error: "), "{args}: {text}");
    text
}

/// What Ctrl-C does.
pub fn interrupt(child: &Child) {
    send(child, "INT");
}

/// Sends a signal.
pub fn send(child: &Child, signal: &str) {
    let kill = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}
