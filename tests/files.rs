//! Files of every kind, wherever they come from, and what is read of them.

mod common;
#[path = "common/rows.rs"]
mod rows;
#[path = "common/text.rs"]
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use common::all;
use fall_line::data::{BLOCK, Block};
use fall_line::error::Error;
use fall_line::table::write::Kind;
use fall_line::table::{self, OpenedFile, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use rows::written;
use tempfile::TempDir;
use text::{PLAIN, assert_reads, open, open_as, open_file, refusal, separated_by};

/// As `gzip` and `zstd` pack it.
fn packed(content: &str) -> [(&'static str, Vec<u8>); 2] {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content.as_bytes()).unwrap();
    let zstd = zstd::encode_all(content.as_bytes(), 1).unwrap();
    [("gzip", gzip.finish().unwrap()), ("zstd", zstd)]
}

#[test]
fn packed_files_are_unpacked_whatever_they_are_called() {
    let lines = |from: u32, to: u32| {
        (from..to)
            .map(|i| format!("{i},{}\n", f64::from(i) / 8.0))
            .collect::<String>()
    };
    let (front, back) = (format!("x,y\n{}", lines(0, 70_000)), lines(70_000, 150_001));
    for ((kind, one), (_, other)) in packed(&front).into_iter().zip(packed(&back)) {
        // Of two members, as `cat a.gz b.gz` makes it, cut within the text of one record or not.
        let opened = open([one.clone(), other].concat(), None, None).unwrap();
        assert_eq!([&*opened.x, &*opened.y], ["x", "y"], "{kind}");
        let samples = all(&*opened.source);
        assert_eq!(samples.x.len(), 150_001, "{kind}");
        let sample = |i: usize| (samples.x[i], samples.y[i]);
        assert!((0..150_001).all(|i| sample(i) == (i as f64, i as f64 / 8.0)));
        // Half a file is not a shorter one.
        let error = open(&one[..one.len() / 2], None, None).err().unwrap();
        assert!(matches!(error, Error::Io { .. }), "{kind}: {error:?}");
        let mut damaged = one;
        let middle = damaged.len() / 2;
        damaged[middle..middle + 64].fill(0x55);
        assert!(open(damaged, None, None).is_err(), "{kind}");
    }
    for (kind, table) in packed("PAR1 and so on") {
        let text = refusal(open(table, None, None));
        assert!(
            text.contains("a Parquet file: unpack it first"),
            "{kind}: {text}"
        );
    }
    for (kind, one) in packed("") {
        let text = refusal(open(one, None, None));
        assert!(text.contains("0 samples"), "{kind}: {text}");
    }
}

/// As programs write packed files that others can skip in, and devices that fill up blocks.
#[test]
fn what_packers_add_is_passed_over() {
    let content = "x,y\n1,2\n3,4\n";
    let more = "5,6\n";
    let [(_, gzip), (_, zstd)] = packed(content);
    let [(_, gzip_more), (_, zstd_more)] = packed(more);
    let skipped = [&b"\x5e\x2a\x4d\x18\x04\0\0\0"[..], b"abcd"].concat();
    let zeros = vec![0; 300_000];
    for file in [
        [&skipped[..], &zstd, &skipped, &zstd_more, &skipped].concat(),
        [&gzip[..], &zeros, &gzip_more, &[0]].concat(),
        [gzip.clone(), gzip_more.clone(), zeros].concat(),
    ] {
        assert_reads(open(file, None, None), &[1.0, 3.0, 5.0], &[2.0, 4.0, 6.0]);
    }
    // Something else behind it is not.
    let error = open([&gzip[..], b"\0more"].concat(), None, None).err();
    assert!(matches!(error, Some(Error::Io { .. })), "{error:?}");
}

#[test]
fn other_files_are_named() {
    for (head, what) in [
        (&b"PK\x03\x04and so on"[..], "is a ZIP archive, as NPZ"),
        (b"BZh91AY", "is packed by bzip2"),
        (b"\xfd7zXZ\0\0", "is packed by xz"),
        (b"ARROW1\0\0", "is an Arrow or Feather file"),
        (b"FEA1", "is a Feather file"),
    ] {
        let text = refusal(open(head, None, None));
        assert!(text.contains(what), "{text}");
        assert!(text.ends_with("Parquet or NPY"), "{text}");
    }
}

#[test]
fn the_name_tells_tabs_from_commas() {
    let folder = tempfile::tempdir().unwrap();
    let [gzip, zstd] = packed("a\tb\n1\t2\n3\t4\n").map(|(_, bytes)| bytes);
    for (name, content) in [
        ("a.tsv", "a\tb\n1\t2\n3\t4\n".into()),
        ("a.TSV", "a\tb\n1\t2\n3\t4\n".into()),
        ("a.tsv.gz", gzip),
        ("a.tsv.zst", zstd),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &content).unwrap();
        assert_reads(open_file(&path, PLAIN), &[1.0, 3.0], &[2.0, 4.0]);
        // What is asked for counts for more.
        let comma = open_file(&path, separated_by(b','));
        assert!(refusal(comma).contains("one column"), "{name}");
    }
    let path = folder.path().join("commas.tsv");
    std::fs::write(&path, "a,b\n1,2\n3,4\n").unwrap();
    let text = refusal(open_file(&path, PLAIN));
    assert!(
        text.contains("say --delimiter ',', or --delimiter tab"),
        "{text}"
    );
    // Decimals with commas are another matter.
    std::fs::write(&path, "a\tb\n1,5\t2,5\n3,5\t4,5\n").unwrap();
    let header = Request {
        x: Some("a"),
        y: Some("b"),
        ..PLAIN
    };
    let text = refusal(open_file(&path, header));
    assert!(text.contains("decimals with a point"), "{text}");
}

#[test]
fn x_alone_needs_no_y_and_one_sample() {
    let alone = Request {
        x_alone: true,
        ..PLAIN
    };
    for (content, x) in [
        ("a\n5\n", None),
        ("5\n", None),
        ("name,a\nann,5\n", None),
        ("name,a\nann;bob,5\n", None),
        ("a,b\n5,2\n", Some("a")),
        ("a;b\n5;x\n", Some("1")),
    ] {
        let delimiter = content.starts_with("a;").then_some(b';');
        let request = Request {
            x,
            delimiter,
            ..alone
        };
        let opened = open_as(content, request).unwrap();
        assert_eq!(opened.y, "");
        assert!(!opened.source.title().contains("over"));
        assert_reads(Ok(opened), &[5.0], &[0.0]);
    }
    // What y holds is nobody's business, unless it is asked for.
    let content = "a,b\n1,\n3,4\n";
    let a = Request {
        x: Some("a"),
        ..alone
    };
    assert_reads(open_as(content, a), &[1.0, 3.0], &[0.0, 0.0]);
    let both = Request { y: Some("b"), ..a };
    assert!(refusal(open_as(content, both)).contains("line 2, column \"b\""));
    assert_reads(open_as("a,b\n3,4\n", both), &[3.0], &[4.0]);
    // Of two numeric columns it is the one that would be x if y were wanted.
    assert_reads(open_as("name,a,b\nann,1,2\n", alone), &[1.0], &[0.0]);
    let text = refusal(open_as("a,b,c\n1,2,3\n", alone));
    assert!(
        text.contains("needs --x, for it has not just one or two numeric columns; its"),
        "{text}"
    );
    assert!(refusal(open_as("a\n", a)).ends_with("has 0 samples"));
}

#[test]
fn the_bytes_of_the_file_are_told() {
    let content: String = (0..100_000).map(|i| format!("{i},{}\n", i % 3)).collect();
    let mut files = vec![content.clone().into_bytes()];
    files.extend(packed(&content).map(|(_, bytes)| bytes));
    for bytes in files {
        let told = AtomicU64::new(0);
        let on_load = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        table::open(text::file(&bytes).path(), &PLAIN, &on_load).unwrap();
        assert_eq!(told.into_inner(), bytes.len() as u64);
    }
}

#[test]
fn what_is_for_text_files_is_refused_elsewhere() {
    for (head, kind) in [("PAR1", "a Parquet file"), ("\u{93}NUMPY", "an NPY file")] {
        let head: Vec<u8> = head.chars().map(|c| c as u8).collect();
        for (flag, request) in [
            ("--delimiter", separated_by(b';')),
            (
                "--header",
                Request {
                    header: Some(false),
                    ..PLAIN
                },
            ),
        ] {
            let error = open_as(&head, request).err().unwrap();
            assert!(matches!(error, Error::Usage(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains(flag) && text.contains(kind), "{text}");
        }
    }
}

/// A named pipe, in a folder of its own.
#[cfg(unix)]
fn pipe() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    (folder, path)
}

/// What is read of a named pipe into which these bytes are written, once.
#[cfg(unix)]
fn through(
    path: &Path,
    content: &[u8],
    on_load: &(dyn Fn(u64) + Sync),
) -> Result<OpenedFile, Error> {
    std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(path, content).unwrap());
        table::open(path, &PLAIN, on_load)
    })
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_it_comes() {
    let (_folder, path) = pipe();
    let through = |content: &[u8]| through(&path, content, &|_| {});
    let content = "x,y\n1,2\n3,4\n";
    assert_reads(through(content.as_bytes()), &[1.0, 3.0], &[2.0, 4.0]);
    for (_, packed) in packed(content) {
        assert_reads(through(&packed), &[1.0, 3.0], &[2.0, 4.0]);
    }
}

/// Samples, and the bytes of files that hold them and are read by position: many times as many as a pipe holds.
fn tables() -> (Block, [(Kind, Vec<u8>); 2]) {
    let mut samples = Block::default();
    for x in (0..150_001).map(f64::from) {
        samples.push((x, (x / 8.0).sin()));
    }
    let tables = [Kind::Parquet, Kind::Npy].map(|kind| {
        let file = written(kind, &["x", "y"], &[&samples.x, &samples.y]);
        (kind, std::fs::read(file.path()).unwrap())
    });
    (samples, tables)
}

#[cfg(unix)]
#[test]
fn a_pipe_of_a_table_is_read_at_any_position() {
    let (_folder, path) = pipe();
    let (Block { x, y }, tables) = tables();
    for (kind, bytes) in tables {
        let told = AtomicU64::new(0);
        let on_load = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let opened = through(&path, &bytes, &on_load).unwrap();
        assert_eq!(told.into_inner(), bytes.len() as u64, "{kind:?}");
        let mut last = Block::default();
        opened.source.read(2, &mut last).unwrap();
        assert_eq!(last.x, x[2 * BLOCK..], "{kind:?}");
        assert_reads(Ok(opened), &x, &y);
        // A pipe that breaks off holds no shorter file.
        for length in [bytes.len() - 1, bytes.len() / 2, 100] {
            let text = refusal(through(&path, &bytes[..length], &|_| {}));
            assert!(text.starts_with(path.to_str().unwrap()), "{kind:?}: {text}");
        }
    }
}

/// A plain file is not copied, but one of which something was read before is no file from its start.
#[cfg(unix)]
#[test]
fn standard_input_may_be_a_file() {
    use std::io::{Seek, SeekFrom};

    let (_, tables) = tables();
    for (kind, bytes) in tables {
        let train = |start| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            file.seek(SeekFrom::Start(start)).unwrap();
            let mut program = Command::new(env!("CARGO_BIN_EXE_fall-line"));
            program.args("train - --engine cpu --epochs 1 --learning-rate 1e-12".split(' '));
            program.stdin(file).env("TMPDIR", "/no/such/folder");
            program.output().unwrap()
        };
        let output = train(0);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind:?}: {said}");
        assert!(!train(1).status.success());
    }
}

#[test]
fn a_table_comes_through_standard_input() {
    let (_, tables) = tables();
    for (kind, bytes) in tables {
        let train = |folder: &Path, bytes: &[u8]| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_fall-line"));
            program.args("train - --engine cpu --epochs 1 --learning-rate 1e-12".split(' '));
            program.args(["--format", "json"]).env("TMPDIR", folder);
            program.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let written = input.write_all(bytes);
            drop(input);
            (written, child.wait_with_output().unwrap())
        };
        let (written, output) = train(&std::env::temp_dir(), &bytes);
        written.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind:?}: {said}");
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["samples"], 150_001, "{kind:?}");
        let (_, output) = train(&std::env::temp_dir(), &bytes[..bytes.len() / 2]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{kind:?}: {said}");
        assert!(said.contains("standard input"), "{kind:?}: {said}");
        // The copy has to lie somewhere; the name of this variable is another on other systems.
        #[cfg(unix)]
        {
            let (_, output) = train(Path::new("/no/such/folder"), &bytes);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{kind:?}: {said}");
            let place = "cannot copy standard input to a temporary file in /no/such/folder (TMPDIR";
            assert!(said.contains(place), "{kind:?}: {said}");
        }
    }
}
