//! `fall-line train` under Open MPI's `mpirun`: its line is that of one process, and a rank that fails ends the job. Without
//! `mpirun` these tests fail.
#![cfg(target_os = "linux")]

use crate::common::program::{bits, engines, json, ran, refused, stderr, stdout};
use crate::files::pipe;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use wait_timeout::ChildExt;

/// No run takes so long, by far.
const HANGS: Duration = Duration::from_secs(120);

/// Returns `mpirun` of so many ranks with these arguments, in a process group of its own.
pub fn mpirun(ranks: usize, args: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_fall-line");
    of_ranks(&format!("-n {ranks} {program} {args}"))
}

fn of_ranks(args: &str) -> Command {
    let mut mpirun = Command::new("mpirun");
    mpirun
        .args(["--allow-run-as-root", "--oversubscribe"])
        .args(args.split_whitespace())
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("NO_COLOR", "1")
        .process_group(0);
    mpirun
}

/// A job whose processes end with it.
pub struct Job(Child);

impl Drop for Job {
    fn drop(&mut self) {
        // The launcher, and what it has left.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

pub fn started(mut command: Command) -> Job {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Job(child.expect("mpirun is needed: apt-get install openmpi-bin"))
}

/// Waits for the end of a job, and returns what it printed.
pub fn ended(mut job: Job) -> Output {
    let mut out = job.0.stdout.take().unwrap();
    let mut err = job.0.stderr.take().unwrap();
    let read = |pipe: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    };
    std::thread::scope(|scope| {
        let stdout = scope.spawn(|| read(&mut out));
        let stderr = scope.spawn(|| read(&mut err));
        let status = job.0.wait_timeout(HANGS).unwrap();
        if status.is_none() {
            drop(job);
            panic!(
                "the job hangs: {}",
                String::from_utf8_lossy(&stderr.join().unwrap())
            );
        }
        Output {
            status: status.unwrap(),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    })
}

pub fn ran_over(ranks: usize, args: &str) -> Output {
    let output = ended(started(mpirun(ranks, args)));
    assert!(
        output.status.success(),
        "{ranks} ranks, {args}: {}",
        stderr(&output)
    );
    output
}

pub fn json_over(ranks: usize, args: &str) -> Value {
    let output = ran_over(ranks, args);
    // One object: other ranks print nothing.
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stdout(&output)))
}

/// Returns the errors that were printed, without the launcher's own lines.
pub fn errors(output: &Output) -> Vec<String> {
    let text = stderr(output);
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    errors.map(str::to_owned).collect()
}

/// Checks that two results are of one line, but for sums of f32 that are rounded in another order.
fn check_near(what: &str, one: &Value, other: &Value, line: f64) {
    for (name, most) in [("w", line), ("b", line), ("final_loss", 1e-6)] {
        let [one, other] = [one, other].map(|result| result[name].as_f64().unwrap());
        let apart = (one - other).abs() / one.abs().max(1.0);
        assert!(apart < most, "{what}: {name} {one} {other}");
    }
    for name in [
        "samples",
        "converged",
        "epochs_before",
        "data",
        "x",
        "y",
        "skipped",
    ] {
        assert_eq!(one[name], other[name], "{what}: {name}");
    }
    // At the line of least squares, in f64: as sums of any order round.
    if one["loss"] == "mse" {
        for parameter in ["w", "b"] {
            let [one, other] =
                [one, other].map(|result| result["errors"][parameter]["error"].as_f64());
            let apart = one.zip(other).map(|(one, other)| (one - other).abs() / one);
            assert!(apart.is_none_or(|apart| apart < 1e-9), "{what}: {apart:?}");
            assert_eq!(one.is_some(), other.is_some(), "{what}");
        }
    }
    let codes = |result: &Value| -> Vec<Value> {
        let warnings = result["warnings"].as_array().unwrap();
        warnings
            .iter()
            .map(|warning| warning["code"].clone())
            .collect()
    };
    assert_eq!(codes(one), codes(other), "{what}");
}

/// The history of a run: epoch, loss, w and b.
fn history(path: &Path) -> Vec<[f64; 4]> {
    let text = fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let numbers: Vec<f64> = line
            .split(',')
            .map(|number| number.parse().unwrap())
            .collect();
        [numbers[0], numbers[1], numbers[2], numbers[3]]
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn drawn_samples_give_the_line_of_one_process() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.csv");
    for engine in engines() {
        for loss in ["mse", "mae", "huber", "log-cosh", "quantile"] {
            let args = format!(
                "train --samples 200001 --loss {loss} --epochs 20 {engine} --no-tune --format json --history {}",
                path.display()
            );
            let one = json(&args);
            let of_one = history(&path);
            for ranks in if engine == "--engine cpu" {
                1..=4
            } else {
                2..=2
            } {
                let what = format!("{ranks} ranks, {args}");
                let all = json_over(ranks, &args);
                check_near(&what, &one, &all, 1e-5);
                let of_all = history(&path);
                assert_eq!(of_one.len(), of_all.len(), "{what}");
                for (one, all) in of_one.iter().zip(&of_all) {
                    let near = one
                        .iter()
                        .zip(all)
                        .all(|(one, all)| (one - all).abs() < 1e-5 * one.abs().max(1.0));
                    assert!(near, "{what}: {one:?} {all:?}");
                }
                assert_eq!(bits(&json_over(ranks, &args)), bits(&all), "{what}");
            }
        }
    }
}

#[test]
fn files_give_the_line_of_one_process() {
    let folder = TempDir::new().unwrap();
    let mut files = Vec::new();
    for name in ["a.csv", "a.parquet", "a.npy"] {
        let path = folder.path().join(name).display().to_string();
        ran(&format!("generate --samples 150001 --outliers 0.1 {path}"));
        files.push(path);
    }
    let several = folder.path().join("several");
    fs::create_dir(&several).unwrap();
    for seed in 1..=5 {
        ran(&format!(
            "generate --samples 40000 --seed {seed} {}",
            several.join(format!("{seed}.parquet")).display()
        ));
    }
    files.push(several.display().to_string());
    // A twentieth of the rows lacks its y.
    let text = fs::read_to_string(&files[0]).unwrap();
    let holes: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| match (at % 20, line.split_once(',')) {
            (7, Some((x, _))) => format!("{x},\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let path = folder.path().join("holes.csv").display().to_string();
    fs::write(&path, holes).unwrap();
    files.push(path);
    for file in &files {
        for (loss, line) in [("mse", 1e-6), ("mae", 1e-12), ("huber", 1e-3)] {
            let args = format!("train {file} --loss {loss} --engine cpu --format json");
            let one = json(&args);
            for ranks in [2, 3] {
                check_near(
                    &format!("{ranks} ranks, {args}"),
                    &one,
                    &json_over(ranks, &args),
                    line,
                );
            }
        }
    }
}

/// What an engine can do alone it does on ranks: samples in f16, samples that are streamed, an adaptive rate, files, a device that
/// is lost.
#[test]
fn engines_do_over_ranks_what_they_do_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.parquet").display().to_string();
    ran(&format!("generate --samples 200001 {path}"));
    let drawn = "--samples 200001";
    for (data, flags, line) in [
        (drawn, "--epochs 12 --storage f16 --loss huber", 1e-5),
        (
            "--samples 60000",
            "--epochs 12 --storage f16 --loss huber",
            1e-5,
        ),
        (drawn, "--epochs 12 --device-memory 1MiB", 1e-5),
        (
            drawn,
            "--epochs 12 --schedule adaptive --learning-rate 0.1",
            1e-5,
        ),
        // Its descent ends at the exact line.
        (path.as_str(), "--loss mae", 1e-12),
        (path.as_str(), "--storage f16 --device-memory 1MiB", 1e-5),
    ] {
        let args = format!("train {data} --adapter 0 --no-tune --format json {flags}");
        let (one, two) = (json(&args), json_over(2, &args));
        check_near(&format!("2 ranks, {args}"), &one, &two, line);
        assert_eq!(one["engine"]["storage"], two["engine"]["storage"]);
        assert_eq!(one["engine"]["software"], two["engine"]["software"]);
    }
    #[cfg(debug_assertions)]
    {
        let program = env!("CARGO_BIN_EXE_fall-line");
        let args =
            format!("{program} train {drawn} --adapter 0 --no-tune --epochs 12 --format json");
        let whole = of_ranks(&format!("-n 2 {args}"));
        let lost = of_ranks(&format!(
            "-n 1 {args} : -n 1 -x FALL_LINE_FAULT=submit:5 {args}"
        ));
        let [whole, lost] = [whole, lost].map(|command| ended(started(command)));
        assert!(stderr(&lost).contains("rank 1 of 2"), "{}", stderr(&lost));
        let [whole, lost] =
            [whole, lost].map(|output| serde_json::from_str::<Value>(&stdout(&output)).unwrap());
        assert_eq!(bits(&whole), bits(&lost));
    }
}

/// The device draws the samples of its rank, at the edges of sets and beyond.
#[test]
fn each_device_draws_the_samples_of_its_rank() {
    for samples in [60_000, 200_000, 1_100_000] {
        let args = format!(
            "train --samples {samples} --generator device --adapter 0 --no-tune --epochs 5 --format json"
        );
        let one = json(&args);
        for ranks in [2, 3] {
            check_near(
                &format!("{ranks} ranks, {args}"),
                &one,
                &json_over(ranks, &args),
                1e-5,
            );
        }
    }
}

/// Ranks of one machine deal out the adapters that are named.
#[test]
fn adapters_are_dealt_out_among_the_ranks_of_a_machine() {
    let adapters = engines().len() - 1;
    let all: Vec<String> = (0..adapters).map(|at| at.to_string()).collect();
    let four = all
        .iter()
        .cycle()
        .take(4)
        .cloned()
        .collect::<Vec<_>>()
        .join(",");
    let args = |named: &str| {
        format!("train --samples 4e5 --adapter {named} --no-tune --epochs 2 --format json")
    };
    let shares = |result: &Value| result["engine"]["shares"].as_array().unwrap().clone();
    // Two of four each.
    let result = json_over(2, &args(&four));
    let ranks = shares(&result);
    assert_eq!(ranks.len(), 2);
    for (rank, at) in ranks.iter().zip(0..) {
        let own = rank["engine"]["shares"].as_array().unwrap();
        assert_eq!(own.len(), 2);
        let listed = json("adapters --format json");
        let first = &listed[at % adapters]["backend"];
        assert_eq!(&own[0]["engine"]["backend"], first);
    }
    check_near("dealt", &json(&args("0")), &result, 1e-5);
    // One for two.
    assert_eq!(shares(&json_over(2, &args("0"))).len(), 2);
}

/// What all ranks have in common is told once, and what one has alone by that one.
#[test]
fn errors_are_told_once_and_end_the_job() {
    let folder = TempDir::new().unwrap();
    let mut once = 0;
    for (code, args, text) in [
        (1, "train /nonexistent.csv", "nonexistent"),
        (2, "train --samples 1e5 --learning-rate 100", "too large"),
        (2, "train --samples 1e5 --loss mse,mae", "a list of losses"),
        (
            2,
            "train --samples 1e5 --sync-every 10 --engine gpu",
            "over several ranks",
        ),
        (2, "train - --x x --y y", "standard input"),
        (2, "train --samples 1e5 --report page.html", "--report"),
        (
            2,
            "train --samples 1e5 --adapter 0,0 --shares 1,1",
            "--shares",
        ),
        (2, "train --samples 1e5 --wrong", "--wrong"),
        (2, "train --samples 1e5 --plan --ranks 2", "--ranks"),
        (
            5,
            "train --samples 1e5 --learning-rate 100 --force --epochs 500",
            "diverged",
        ),
        (
            6,
            "train tests/data/cars.csv --x speed --y dist --engine cpu --optimizer gd --learning-rate 0.01 --epochs 2 --strict",
            "not converged",
        ),
    ] {
        let output = ended(started(mpirun(3, args)));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args}: {}",
            stderr(&output)
        );
        let errors = errors(&output);
        // Once, or where the machine is so busy that ranks come to it at other times, by several with their numbers.
        assert!((1..=3).contains(&errors.len()), "{args}: {errors:?}");
        assert!(
            errors.iter().all(|error| error.contains(text)),
            "{args}: {errors:?}"
        );
        once += usize::from(errors.len() == 1);
    }
    assert!(once > 3, "{once}");
    // Sample 140,000 is beyond f32: a part of the last rank's.
    let path = folder.path().join("bad.csv");
    let rows: String = (0..150_000)
        .map(|at| format!("{},{}\n", at % 7, if at == 140_000 { "1e60" } else { "2" }))
        .collect();
    fs::write(&path, format!("x,y\n{rows}")).unwrap();
    let args = format!(
        "train {} --no-standardize --engine cpu --force --learning-rate 0.01",
        path.display()
    );
    let output = ended(started(mpirun(3, &args)));
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("rank 2 of 3") && errors[0].contains("140000"),
        "{errors:?}"
    );
    // A disk that is full, to which the first rank alone writes, and a panic on all.
    #[cfg(debug_assertions)]
    {
        for (flag, file, fault, code, text) in [
            ("--history", "h.csv", "write:1", 1, "No space left"),
            (
                "--checkpoint",
                "c.json",
                "panic:3",
                101,
                "a fault in fall-line",
            ),
        ] {
            let path = folder.path().join(file);
            let args = format!(
                "train --samples 1e5 --engine cpu --epochs 9 {flag} {}",
                path.display()
            );
            let mut job = mpirun(2, &args);
            job.env("FALL_LINE_FAULT", fault);
            let output = ended(started(job));
            let told = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{told}");
            assert!(told.contains(text), "{told}");
        }
    }

    let program = env!("CARGO_BIN_EXE_fall-line");
    #[cfg(debug_assertions)]
    {
        let args = format!(
            "-n 1 {program} train --samples 1e5 --engine cpu : -n 1 -x FALL_LINE_FAULT=panic:3 {program} train --samples 1e5 --engine cpu"
        );
        let output = ended(started(of_ranks(&args)));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(101), "{text}");
        assert!(
            text.contains("rank 1 of 2") && text.contains("a fault in fall-line"),
            "{text}"
        );
    }
    let args = format!("-n 1 {program} train --samples 1e5 : -n 1 {program} train --samples 2e5");
    let output = ended(started(of_ranks(&args)));
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.contains("rank 1 of 2 has other arguments than rank 0"),
        "{text}"
    );
}

/// A folder that machines do not share may hold older files: they must not be taken for the same set.
#[test]
fn ranks_that_see_other_files_are_refused() {
    let folders = [200_000, 200_001].map(|samples| {
        let folder = TempDir::new().unwrap();
        for name in ["a.csv", "a.parquet", "a.npy"] {
            let path = folder.path().join(name);
            ran(&format!("generate --samples {samples} {}", path.display()));
        }
        let packed = Command::new("gzip")
            .arg("-k")
            .arg(folder.path().join("a.csv"))
            .status();
        assert!(packed.unwrap().success());
        folder
    });
    let program = env!("CARGO_BIN_EXE_fall-line");
    for file in ["a.csv", "a.csv.gz", "a.parquet", "a.npy"] {
        let ranks = folders.each_ref().map(|folder| {
            let folder = folder.path().display();
            format!("-n 1 --wdir {folder} {program} train {file} --engine cpu")
        });
        let output = ended(started(of_ranks(&ranks.join(" : "))));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{file}: {text}");
        assert!(
            text.contains("give all ranks the same files"),
            "{file}: {text}"
        );
    }
}

/// Returns the processes of ranks below a job, once there are so many.
fn ranks_of(job: &Job, ranks: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let group = job.0.id().to_string();
        let output = Command::new("ps")
            .args(["-eo", "pid=,ppid=,comm="])
            .output()
            .unwrap();
        let text = stdout(&output);
        let children = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields[1] == group && fields[2].starts_with("fall-line")).then(|| fields[0].to_owned())
        });
        let children: Vec<String> = children.collect();
        if children.len() == ranks {
            return children;
        }
        assert!(begin.elapsed() < HANGS, "{text}");
        sleep(Duration::from_millis(20));
    }
}

/// The checkpoint is written from the last finished epoch at once, also where an epoch does not end: another rank is stopped.
#[test]
fn a_checkpoint_does_not_wait_for_an_epoch_to_end() {
    let (_folder, checkpoint, job) = endless_with_checkpoint();
    let ranks = ranks_of(&job, 2);
    let (first, others): (Vec<_>, Vec<_>) = ranks.into_iter().partition(|rank| is_rank_0(rank));
    kill("-STOP", &others[0]);
    kill("-TERM", &first[0]);
    let begin = Instant::now();
    while !checkpoint.exists() {
        // Half of the time-out, after which the rank would be ended.
        assert!(begin.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(20));
    }
}

/// Returns whether a process is rank 0, as its environment has it.
fn is_rank_0(process: &str) -> bool {
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap();
    let mut variables = environment.split(|&byte| byte == 0);
    variables.any(|variable| variable == b"OMPI_COMM_WORLD_RANK=0")
}

/// A run that goes on until it is ended: starts it, and waits until it has done some epochs.
fn endless(ranks: usize, flags: &str) -> Job {
    let args = format!("train --samples 3e5 --engine cpu --epochs 1e9 --log-every 10 {flags}");
    let mut job = started(mpirun(ranks, &args));
    let mut lines = BufReader::new(job.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.trim_start().starts_with("20 ") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0);
    }
    // The others read on, so that no pipe is full.
    std::thread::spawn(move || for _ in lines.lines() {});
    job
}

/// Such a run of two ranks, and its checkpoint, which is written at its end alone.
fn endless_with_checkpoint() -> (TempDir, PathBuf, Job) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.json");
    let flags = format!("--checkpoint {} --checkpoint-every 1h", path.display());
    let job = endless(2, &flags);
    (folder, path, job)
}

fn kill(signal: &str, process: &str) {
    let killed = Command::new("kill")
        .args([signal, process])
        .status()
        .unwrap();
    assert!(killed.success());
}

/// Returns the exit code and the messages of a job whose output is read elsewhere.
fn left(mut job: Job) -> (Option<i32>, String) {
    let mut err = job.0.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut err, &mut text).unwrap();
        text
    });
    let status = job.0.wait_timeout(HANGS).unwrap();
    drop(job);
    let text = reader.join().unwrap();
    (status.expect(&text).code(), text)
}

#[test]
fn a_rank_that_is_killed_or_stopped_ends_the_job() {
    let job = endless(3, "");
    kill("-KILL", &ranks_of(&job, 3)[1]);
    let (code, text) = left(job);
    assert_ne!(code, Some(0), "{text}");

    let job = endless(3, "--rank-timeout 2s");
    let ranks = ranks_of(&job, 3);
    kill("-STOP", &ranks[2]);
    let (code, text) = left(job);
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("no sign of life"), "{text}");
}

/// A pipe has its bytes once: ranks that read it together would each have some of them.
#[test]
fn pipes_are_refused() {
    let (_folder, pipe) = pipe();
    for path in [pipe.to_str().unwrap(), "/dev/stdin"] {
        let output = ended(started(mpirun(2, &format!("train {path} --engine cpu"))));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let errors = errors(&output);
        assert!(errors[0].contains("is not a plain file"), "{errors:?}");
    }
}

/// Rows that can't be used in the parts of several ranks: the first one is told, as by one process.
#[test]
fn the_first_of_bad_rows_on_several_ranks_is_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bad.npy");
    let shape = "{'descr': '<f8', 'fortran_order': False, 'shape': (200000, 2), }";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(118_u16.to_le_bytes());
    bytes.extend(format!("{shape:<117}\n").bytes());
    for at in 0..200_000 {
        let y = match at {
            70_000 | 150_000 => f64::INFINITY,
            _ => 2.0 * f64::from(at),
        };
        bytes.extend(f64::from(at).to_le_bytes());
        bytes.extend(y.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let args = format!("train {} --engine cpu", path.display());
    let one = refused(3, &args);
    assert!(one.contains("row 70001"), "{one}");
    let mut once = 0;
    for _ in 0..5 {
        let output = ended(started(mpirun(4, &args)));
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(3));
        // A machine may be so busy that ranks come to it at other times.
        assert!((1..=2).contains(&errors.len()), "{errors:?}");
        let first = errors.iter().filter(|error| error.contains("row 70001"));
        assert_eq!(first.count(), 1, "{errors:?}");
        once += usize::from(errors.len() == 1);
    }
    assert!(once > 0);
}

/// An error in a later file comes with the flag that helps, whichever rank found it.
#[test]
fn errors_over_ranks_have_the_hints_of_one_process() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let dates = |rows: &str| format!("day,y\n{rows}");
    let clear = write("a.csv", &dates("13/02/2023,1\n14/02/2023,2\n"));
    let unclear = write("b.csv", &dates("01/02/2023,1\n02/02/2023,2\n"));
    let other = write("c.csv", "p,q,r\n1,2,3\n3,4,5\n");
    for (second, hint) in [(unclear, "--date-format"), (other, "--x and --y")] {
        let args = format!("train {clear} {second} --engine cpu");
        let one = refused(3, &args);
        let output = ended(started(mpirun(3, &args)));
        let text = one.trim_end().strip_prefix("error: ").unwrap();
        assert!(text.contains(hint), "{one}");
        // On a busy machine several ranks may tell it, with their numbers.
        let errors = errors(&output);
        assert!(!errors.is_empty(), "{}", stderr(&output));
        assert!(
            errors.iter().all(|error| error.ends_with(text)),
            "{errors:?}"
        );
    }
}

/// SIGTERM to the launcher leaves the ranks a moment: the checkpoint is there, and any number of ranks goes on from it.
#[test]
fn a_job_that_is_ended_leaves_a_checkpoint() {
    let (_folder, checkpoint, job) = endless_with_checkpoint();
    kill("-TERM", &job.0.id().to_string());
    let (code, text) = left(job);
    assert_ne!(code, Some(0), "{text}");
    assert!(checkpoint.exists(), "{text}");
    let args = format!(
        "train --samples 3e5 --engine cpu --format json --resume {}",
        checkpoint.display()
    );
    let written: Value = serde_json::from_str(&fs::read_to_string(&checkpoint).unwrap()).unwrap();
    let epochs = written["content"]["walk"]["epochs"].as_u64().unwrap();
    assert!(epochs >= 20, "{epochs}");
    let args = format!("{args} --epochs {}", epochs + 5);
    let alone = json(&args);
    assert_eq!(alone["epochs_before"], epochs);
    for ranks in [2, 3] {
        check_near("resumed", &alone, &json_over(ranks, &args), 1e-5);
    }
    for (ranks, other) in [
        (2, "--init-w 0.9"),
        (3, "--init-w 0.9"),
        (3, "--slope 2.5"),
        (2, "--loss mae"),
    ] {
        let output = ended(started(mpirun(ranks, &format!("{args} {other}"))));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{other}: {text}");
        assert!(text.contains("another run"), "{other}: {text}");
    }
}

/// Without a launcher nothing of MPI is opened, and `--mpi` opens it.
#[test]
fn one_process_needs_no_launcher() {
    let one = json("train --samples 1e5 --engine cpu --format json");
    let alone = json_over(1, "train --samples 1e5 --engine cpu --format json");
    assert_eq!(bits(&one), bits(&alone));
    let wanted = json_over(1, "train --samples 1e5 --engine cpu --format json --mpi");
    assert_eq!(bits(&one), bits(&wanted));
}
