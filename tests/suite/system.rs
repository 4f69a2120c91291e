//! Tests of the program in its surroundings: memory, pipes, folders, terminals, other programs at the same time.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::program::{
    bits, engines, fall_line, interrupt, json, ran, refused, run, stderr, stdout,
};
use crate::files::pipe;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fall-line");

/// Runs a line of bash, in which `$0` is the program.
fn bash(line: &str) -> Output {
    Command::new("bash")
        .args(["-c", line, PROGRAM])
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap()
}

/// In ever larger address spaces: one line and exit code 1, or 4 on an adapter, or the result.
#[test]
fn little_memory_is_an_error_of_one_line() {
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("d.csv");
    ran(&format!("generate {} --samples 2e5", csv.display()));
    let calls = [
        format!("train {} --engine cpu -q", csv.display()),
        "train --samples 3e6 --engine cpu -q".to_owned(),
        "train --samples 1000 --engine cpu -q --optimizer adam --epochs 3e5 --tolerance 0 --history"
            .to_owned() + &format!(" {}", folder.path().join("h.csv").display()),
        format!(
            "generate {} --samples 1e6",
            folder.path().join("g.parquet").display()
        ),
    ];
    for call in &calls {
        // The least that the program starts with, in kB. From there on it is the program's to say.
        let starts = |limit: u64| {
            let run = bash(&format!("ulimit -v {limit}; exec $0 --version"));
            run.status.success()
        };
        let least = (20..)
            .map(|mb| 1000 * mb)
            .find(|limit| starts(*limit))
            .unwrap();
        let mut ended = [0; 2];
        for limit in (0..40).map(|step| least + 1000 * step * step / 4) {
            let output = bash(&format!("ulimit -v {limit}; exec $0 {call} --threads 2"));
            let text = stderr(&output);
            match output.status.code() {
                Some(0) => ended[1] += 1,
                Some(1) => {
                    ended[0] += 1;
                    let errors = text.lines().filter(|line| line.starts_with("error: "));
                    assert_eq!(errors.count(), 1, "{limit} kB, {call}: {text}");
                    assert!(
                        text.contains("memory") || text.contains("thread"),
                        "{limit} kB, {call}: {text}"
                    );
                }
                code => panic!("{limit} kB, {call}: {code:?}, {text}"),
            }
            let hidden = fs::read_dir(folder.path()).unwrap().flatten();
            for entry in
                hidden.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
            {
                // The next run that writes there removes it.
                fs::remove_file(entry.path()).unwrap();
            }
        }
        println!(
            "{call}: {} refused, {} done, from {least} kB on",
            ended[0], ended[1]
        );
        assert!(ended[0] > 0 && ended[1] > 0, "{call}: {ended:?}");
    }
}

/// Drivers of software adapters abort, crash or return errors where memory ends: all are one exit code and one last line.
#[test]
fn a_driver_without_memory_ends_the_program_with_a_line() {
    for engine in &engines()[1..] {
        let call = format!("train --samples 1e5 {engine} -q --threads 2 --no-tune");
        let mut failed = 0;
        for limit in (4..48).map(|step| 25_000 * step) {
            let output = bash(&format!("ulimit -v {limit}; exec $0 {call}"));
            let text = stderr(&output);
            let last = text.lines().last().unwrap_or_default();
            match output.status.code() {
                Some(0) => {}
                Some(1 | 4) => {
                    failed += 1;
                    assert!(last.starts_with("error: "), "{limit} kB, {call}: {text}");
                }
                code => panic!("{limit} kB, {call}: {code:?}, {text}"),
            }
        }
        println!("{call}: {failed} of 44 failed");
        assert!(failed > 0 && failed < 44);
    }
}

/// In CI and in containers, Mesa's device-select layer asks for a desktop that is not there.
#[test]
fn no_driver_complains_where_nobody_is_logged_in() {
    let output = fall_line()
        .arg("adapters")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("NODEVICE_SELECT")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn columns_without_end_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("commas.csv");
    let line = format!("1{}\n", ",".repeat(200_000));
    fs::write(&path, line.repeat(2)).unwrap();
    for command in ["train --engine cpu", "train --engine cpu --x 1 --y 2"] {
        let text = refused(3, &format!("{command} {}", path.display()));
        assert!(text.contains("more than 100,000 columns"), "{text}");
    }
    // Commas in quotes, and blanks, are text.
    let text = format!("\"{}\"", ", ".repeat(200_000));
    fs::write(
        &path,
        format!("x,y,z\n1,2,{text}\n2,4,{text}\n3,7,{text}\n"),
    )
    .unwrap();
    ran(&format!(
        "train {} --engine cpu --x x --y y -q",
        path.display()
    ));
}

#[test]
fn a_pipe_without_a_writer_is_told() {
    let (_folder, pipe) = pipe();
    let waiting = || {
        let mut child = fall_line()
            .args(["train", "--engine", "cpu"])
            .arg(&pipe)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.next().unwrap().unwrap();
        assert!(
            told.starts_with("waiting for data from ") && told.contains("pipe"),
            "{told}"
        );
        child
    };
    let mut interrupted = waiting();
    interrupt(&interrupted);
    assert_eq!(interrupted.wait().unwrap().signal(), Some(2));
    let child = waiting();
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    writer.write_all(b"x,y\n1,2\n2,4\n3,7\n").unwrap();
    drop(writer);
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn a_log_that_nobody_can_read_costs_no_run() {
    let folder = TempDir::new().unwrap();
    let train = "train --samples 1e4 --engine cpu --epochs 2000 --log-every 1 --save";
    for (number, (to, code)) in [("> /dev/full", 1), ("| head -n 2", 0), (">&-", 0)]
        .into_iter()
        .enumerate()
    {
        // The first lines fill the pipe's buffer at most: on a full disk they fail, and training has not begun.
        let path = folder.path().join(format!("{number}.json"));
        let output = bash(&format!(
            "set -o pipefail; $0 {train} {} {to}",
            path.display()
        ));
        assert_eq!(output.status.code(), Some(code), "{to}: {output:?}");
        let text = stderr(&output);
        if code == 0 {
            assert!(path.is_file(), "{to}: {text}");
            assert!(!text.contains("error"), "{to}: {text}");
        } else {
            assert!(
                text.contains("cannot write to standard output: No space left"),
                "{text}"
            );
        }
    }
    for help in ["--help", "train -h", "--version"] {
        let output = bash(&format!("$0 {help} > /dev/full"));
        assert_eq!(output.status.code(), Some(1), "{help}");
        assert!(
            stderr(&output).contains("cannot write to standard output"),
            "{help}"
        );
        assert!(
            bash(&format!("set -o pipefail; $0 {help} | true"))
                .status
                .success(),
            "{help}"
        );
    }
}

/// With the disk full after the first lines: the log's failure is told, and the line is saved.
#[test]
fn a_log_that_fails_midway_costs_no_run() {
    let folder = TempDir::new().unwrap();
    let (log, save) = (folder.path().join("log"), folder.path().join("s.json"));
    // 4 kB are more than the headline, and less than the log.
    let output = bash(&format!(
        "trap '' XFSZ; ulimit -f 4; $0 train --samples 1000 --engine cpu --epochs 2000 --log-every 1 --save {} > {}",
        save.display(),
        log.display()
    ));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        stderr(&output).contains("cannot write to standard output"),
        "{output:?}"
    );
    let saved: Value = serde_json::from_str(&fs::read_to_string(save).unwrap()).unwrap();
    assert_eq!(saved["epochs"], 2000);
}

#[test]
fn an_output_is_a_plain_file_and_keeps_its_rights() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let train = "train --samples 1000 --engine cpu -q --save";
    let log = at("log");
    fs::write(&log, "what was there\n").unwrap();
    std::os::unix::fs::symlink("/proc/self/fd/1", at("link")).unwrap();
    for output in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", &at("link")] {
        let output = bash(&format!("$0 {train} {output} >> {log}"));
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("it is not a plain file"),
            "{output:?}"
        );
        assert_eq!(fs::read_to_string(&log).unwrap(), "what was there\n");
    }
    for (path, part) in [
        (at("m.json/"), "it ends like a folder"),
        (at(&"n".repeat(300)), "File name too long"),
        (at("no/m.json"), "there is no folder"),
        (at("."), "it is not a plain file"),
    ] {
        let text = refused(1, &format!("{train} {path}"));
        assert!(text.contains(part), "{text}");
    }
    // Mode 600 from its first byte on: a new file of the program's has the rights that it is to have.
    let secret = at("secret.json");
    fs::write(&secret, "old").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let inode = fs::metadata(&secret).unwrap().ino();
    ran(&format!("{train} {secret}"));
    let after = fs::metadata(&secret).unwrap();
    assert_eq!(after.permissions().mode() & 0o777, 0o600);
    assert_ne!(after.ino(), inode);
}

/// Four that write the same files, and sixteen at once on an adapter and on the CPU.
#[test]
fn many_programs_at_once_mix_nothing() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let whole = |w: &str| {
        let args =
            format!("train --samples 1e4 --engine cpu --epochs 300 --init-w {w} --format json");
        (bits(&json(&args)), args)
    };
    let kinds = ["1", "2", "3", "4"].map(whole);
    let children = kinds.each_ref().map(|(_, args)| {
        let files = format!(
            "--save {} --history {} --checkpoint {} --checkpoint-every 7",
            at("s.json"),
            at("h.csv"),
            at("c.json")
        );
        fall_line()
            .args(format!("{args} {files}").split(' '))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    });
    for (child, (bits_alone, args)) in children.into_iter().zip(&kinds) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args}");
        let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(bits(&result), *bits_alone, "{args}");
    }
    // Each file is one run's.
    let history = fs::read_to_string(at("h.csv")).unwrap();
    assert_eq!(history.lines().count(), 301);
    let saved: Value = serde_json::from_str(&fs::read_to_string(at("s.json")).unwrap()).unwrap();
    let w = saved["w"].to_string();
    assert!(kinds.iter().any(|(bits, _)| bits[0] == w));
    let resumed = kinds.iter().filter(|(_, args)| {
        run(&format!("{args} --resume {}", at("c.json")))
            .status
            .success()
    });
    assert_eq!(resumed.count(), 1);
    for engine in engines() {
        let args = format!("train --samples 1e5 --epochs 20 {engine} --format json");
        let alone = bits(&json(&args));
        let start = || {
            fall_line()
                .args(args.split(' '))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        };
        for child in [(); 16].map(|()| start()) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{args}");
            let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(bits(&result), alone, "{args}");
        }
    }
}

#[test]
fn names_do_no_harm_and_come_back_as_they_are() {
    // Escapes, a right-to-left override, a zero-width space, C1, DEL, markup, and what XML can't hold.
    let x = "\u{1b}[31mX\u{202e}\u{200b}\u{9b}1m\u{7f}<b>]]>\u{ffff}";
    let harmless = |text: &str| {
        let harm = [
            '\u{1b}', '\u{202e}', '\u{200b}', '\u{9b}', '\u{7f}', '\u{ffff}',
        ];
        !text.contains(harm)
    };
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("d.csv"), format!("{x},y\n1,2\n2,4\n3,7\n4,9\n")).unwrap();
    let train = || {
        let mut program = fall_line();
        program.args(["train", &at("d.csv"), "--engine", "cpu"]);
        program.args(["--x", x, "--y", "y"]);
        program
    };
    let output = train()
        .args([
            "--save",
            &at("m.json"),
            "--plot",
            &at("p.svg"),
            "--report",
            &at("r.html"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        harmless(&stdout(&output)) && harmless(&stderr(&output)),
        "{output:?}"
    );
    let svg = fs::read_to_string(at("p.svg")).unwrap();
    assert!(harmless(&svg) && !svg.contains("<b>"));
    assert!(!fs::read_to_string(at("r.html")).unwrap().contains("<b>]]>"));
    let json = train().args(["--format", "json"]).output().unwrap();
    let text = stdout(&json);
    assert!(harmless(&text), "{text}");
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["x"], x);
    let saved: Value = serde_json::from_str(&fs::read_to_string(at("m.json")).unwrap()).unwrap();
    assert_eq!(saved["units"]["x"], x);
    // A pipe gets the names as they are.
    let piped = ran(&format!("predict {} {}", at("m.json"), at("d.csv")));
    assert!(piped.starts_with(&format!("{x},y,prediction")), "{piped}");
    // An error is cut, whatever it quotes.
    let long = format!("train {} --x {}", at("d.csv"), "n".repeat(100_000));
    assert!(refused(3, &long).len() < 5000);
}

#[test]
fn no_language_or_terminal_changes_what_programs_read() {
    let args = [
        "train",
        "--samples",
        "1000",
        "--engine",
        "cpu",
        "--format",
        "json",
    ];
    let usual: Value = serde_json::from_str(&ran(&args.join(" "))).unwrap();
    for variables in [
        &[("LC_ALL", "C")][..],
        &[("LC_ALL", "de_DE.UTF-8"), ("LANG", "de_DE.UTF-8")],
        &[("LC_ALL", "POSIX"), ("NO_COLOR", "1"), ("TERM", "dumb")],
        &[("COLUMNS", "20"), ("TERM", "")],
        &[("HOME", "/nonexistent"), ("XDG_CACHE_HOME", "/proc/none")],
    ] {
        let output = fall_line()
            .args(args)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(bits(&result), bits(&usual), "{variables:?}");
        assert!(!stdout(&output).contains('\u{1b}'));
    }
    let bare = Command::new(PROGRAM)
        .args(args)
        .env_clear()
        .output()
        .unwrap();
    let result: Value = serde_json::from_str(&stdout(&bare)).unwrap();
    assert_eq!(bits(&result), bits(&usual));
}

/// On a terminal of 20 columns.
#[test]
fn on_a_narrow_terminal_json_stays_whole_and_names_stay_harmless() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("m.json");
    let typed = |command: &str| {
        let (mut terminal, program) = terminal(20);
        let mut child = Command::new("bash")
            .args(["-c", command, PROGRAM])
            .stdin(program.try_clone().unwrap())
            .stdout(program.try_clone().unwrap())
            .stderr(program)
            .spawn()
            .unwrap();
        let mut shown = Vec::new();
        // Ends with an error once the other end is closed.
        let _ = terminal.read_to_end(&mut shown);
        assert!(child.wait().unwrap().success(), "{command}");
        String::from_utf8(shown).unwrap()
    };
    let json = typed("$0 train --samples 1000 --engine cpu --format json -q");
    let result: Value = serde_json::from_str(&json).unwrap();
    assert!(result["w"].is_number());
    let help = typed("$0 train -h");
    assert!(help.contains("--samples"), "{help}");
    let csv = folder.path().join("d.csv");
    fs::write(
        &csv,
        format!("x\u{1b}]0;title\u{1b}\\,y\n{}", "1,2\n2,4\n3,7\n".repeat(9)),
    )
    .unwrap();
    ran(&format!(
        "train {} --engine cpu -q --x 1 --y 2 --save {}",
        csv.display(),
        model.display()
    ));
    let shown = typed(&format!("$0 predict {} {}", model.display(), csv.display()));
    assert!(
        shown.contains("title") && shown.contains("prediction"),
        "{shown:?}"
    );
    assert!(!shown.contains("\u{1b}]0;"), "{shown:?}");
}

/// Returns both ends of a terminal of so many columns.
fn terminal(columns: u16) -> (fs::File, fs::File) {
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let nix::pty::OpenptyResult { master, slave } = nix::pty::openpty(&size, None).unwrap();
    (master.into(), slave.into())
}

#[test]
fn a_file_is_not_written_over_what_is_read() {
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("d.csv");
    ran(&format!("generate {} --samples 100", csv.display()));
    let before = fs::read(&csv).unwrap();
    let link = folder.path().join("link.csv");
    std::os::unix::fs::symlink(&csv, &link).unwrap();
    let around = folder
        .path()
        .join("../")
        .join(folder.path().file_name().unwrap())
        .join("d.csv");
    for path in [&csv, &link, &around] {
        let text = refused(
            2,
            &format!(
                "train {} --engine cpu --history {}",
                csv.display(),
                Path::new(path).display()
            ),
        );
        assert!(text.contains("would replace the data"), "{text}");
    }
    assert_eq!(fs::read(&csv).unwrap(), before);
}

/// A gigabyte of zeros in a megabyte of gzip, an 8-byte promise of 10 TB, JSON that is nested 100,000 deep: each is refused with
/// the memory that its own size justifies.
#[test]
fn small_files_take_little_memory_and_time() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let write = |name: &str, content: &[u8]| {
        fs::write(at(name), content).unwrap();
        at(name)
    };
    let zeros = |bytes: u64| std::io::repeat(b'0').take(bytes);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::copy(&mut zeros(1 << 30), &mut gzip).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(zeros(1 << 30), 1).unwrap();
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    npy.extend(b"{'descr': '<f8', 'fortran_order': False, 'shape': (625000000000, 2), }");
    npy.resize(128, b' ');
    npy.push(0);
    let mut parquet = b"PAR1".to_vec();
    parquet.extend([0; 100]);
    parquet.extend(u32::MAX.to_le_bytes());
    parquet.extend(b"PAR1");
    let deep = format!("{{\"schema\": {}", "[".repeat(100_000));
    let train = |path: String| format!("train {path} --engine cpu --x 1 --y 2");
    let predict = |path: String| format!("predict {path} {}", at("zeros.csv.gz"));
    let calls = [
        train(write("zeros.csv.gz", &gzip)),
        train(write("zeros.csv.zst", &zstd)),
        train(write("promise.npy", &npy)),
        train(write("promise.parquet", &parquet)),
        predict(write("deep.json", deep.as_bytes())),
        predict(write("blanks.json", &[b' '; 5000])),
        format!("merge {}", at("blanks.json")),
        format!("merge {}", at("deep.json")),
        format!(
            "train --samples 10 --engine cpu --resume {}",
            at("deep.json")
        ),
    ];
    for call in calls {
        // The text reader holds records of up to 16 MB in several buffers.
        let output = bash(&format!(
            "ulimit -v 500000; ulimit -t 60; export RAYON_NUM_THREADS=2; exec $0 {call}"
        ));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{call}: {text}");
        assert_eq!(text.lines().count(), 1, "{call}: {text}");
        assert!(text.starts_with("error: "), "{call}: {text}");
    }
    // A folder, a device and a socket are none of its files.
    for (call, code) in [
        (format!("predict {} {}", at("."), at("zeros.csv.gz")), 1),
        (format!("predict /dev/zero {}", at("zeros.csv.gz")), 3),
        ("train /dev/zero --engine cpu".to_owned(), 3),
        ("train /dev/null --engine cpu".to_owned(), 3),
    ] {
        let output = bash(&format!("ulimit -v 500000; ulimit -t 60; exec $0 {call}"));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{call}: {}",
            stderr(&output)
        );
        assert_eq!(
            stderr(&output).lines().count(),
            1,
            "{call}: {}",
            stderr(&output)
        );
    }
}

/// docs/promises.md names a test for each promise and each fault. All of them exist.
#[test]
fn every_promise_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/promises.md")).unwrap();
    let sources = [
        "tests/suite",
        "tests",
        "src/engine/gpu",
        "src/engine/gpu/draw",
        "src/bench",
    ];
    let sources: Vec<String> = sources
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap().flatten())
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("---"))
        .collect();
    assert!(rows.len() > 20);
    for row in rows
        .iter()
        .filter(|row| !row.ends_with("| test |") && !row.ends_with("| tests |"))
    {
        let tests: Vec<&str> = row
            .rsplit('|')
            .nth(1)
            .unwrap()
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let name = test.rsplit("::").next().unwrap();
            let head = format!("fn {name}(");
            assert!(
                sources.iter().any(|source| source.contains(&head)),
                "{test}"
            );
        }
    }
}

/// Files of up to 100 kB: larger ones fail as on a full disk.
#[test]
fn a_full_folder_for_temporary_files_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (csv, parquet, model) = (at("d.csv"), at("d.parquet"), at("m.json"));
    // 80 MB in f64: more than is kept in memory.
    ran(&format!("generate {csv} --samples 5e6"));
    ran(&format!("generate {parquet} --samples 2e5"));
    ran(&format!("train {parquet} --engine cpu -q --save {model}"));
    let npy = at("p.npy");
    for (call, part) in [
        (
            format!("cat {parquet} | $0 train - --engine cpu -q"),
            "a temporary file in /",
        ),
        (
            format!("$0 train {csv} --engine cpu -q"),
            "a temporary file in /",
        ),
        (
            format!("$0 predict {model} {parquet} -o {npy}"),
            "cannot write /",
        ),
        (
            format!("$0 predict {model} {parquet} -o {}", at("p.csv")),
            "cannot write /",
        ),
        (
            format!("$0 generate {} --samples 1e5", at("g.csv")),
            "cannot write /",
        ),
    ] {
        let output = bash(&format!("trap '' XFSZ; ulimit -f 100; {call}"));
        assert_eq!(output.status.code(), Some(1), "{call}: {output:?}");
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{call}: {text}");
        assert!(
            text.contains(part) && text.contains("too large"),
            "{call}: {text}"
        );
        assert!(!text.contains("standard output"), "{call}: {text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "{call}");
    }
}
