//! Files of every kind, from the disk, a pipe or standard input.

use crate::common::{self, rows, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use common::all;
use fall_line::data::{BLOCK, Block};
use fall_line::error::{Error, Setting};
use fall_line::table::write::Kind;
use fall_line::table::{self, OpenedFile, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use rows::written;
use tempfile::TempDir;
use text::{PLAIN, assert_reads, open, open_as, open_file, refusal, separated_by};

/// Returns what `gzip` and `zstd` make of a text.
fn packed(content: &str) -> [(&'static str, Vec<u8>); 2] {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content.as_bytes()).unwrap();
    let zstd = zstd::encode_all(content.as_bytes(), 1).unwrap();
    [("gzip", gzip.finish().unwrap()), ("zstd", zstd)]
}

#[test]
fn compressed_files_are_read_whatever_their_names() {
    let lines = |from: u32, to: u32| {
        (from..to)
            .map(|i| format!("{i},{}\n", f64::from(i) / 8.0))
            .collect::<String>()
    };
    let (front, back) = (format!("x,y\n{}", lines(0, 70_000)), lines(70_000, 150_001));
    for ((kind, one), (_, other)) in packed(&front).into_iter().zip(packed(&back)) {
        // Two members, as `cat a.gz b.gz` makes them.
        let opened = open([one.clone(), other].concat(), None, None).unwrap();
        assert_eq!([&*opened.x, &*opened.y], ["x", "y"], "{kind}");
        let samples = all(&*opened.source);
        assert_eq!(samples.x.len(), 150_001, "{kind}");
        let sample = |i: usize| (samples.x[i], samples.y[i]);
        assert!((0..150_001).all(|i| sample(i) == (i as f64, i as f64 / 8.0)));
        // Half a file is an error, not a shorter file.
        let error = open(&one[..one.len() / 2], None, None).err().unwrap();
        assert!(matches!(error, Error::Io { .. }), "{kind}: {error:?}");
        let mut damaged = one;
        let middle = damaged.len() / 2;
        damaged[middle..middle + 64].fill(0x55);
        assert!(open(damaged, None, None).is_err(), "{kind}");
    }
    for (kind, table) in packed("PAR1\u{15}\u{4} and so on") {
        let text = refusal(open(table, None, None));
        assert!(
            text.contains("a Parquet file: decompress it first"),
            "{kind}: {text}"
        );
    }
    for (kind, one) in packed("") {
        let text = refusal(open(one, None, None));
        assert!(text.contains("0 samples"), "{kind}: {text}");
    }
}

/// Some programs write frames to skip, and tapes and devices fill blocks with zeros.
#[test]
fn skippable_frames_and_zeros_are_ignored() {
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
    // Anything else after a member is an error.
    let error = open([&gzip[..], b"\0more"].concat(), None, None).err();
    assert!(matches!(error, Some(Error::Io { .. })), "{error:?}");
}

#[test]
fn a_file_of_another_kind_is_named() {
    for (head, what) in [
        (&b"PK\x03\x04and so on"[..], "is a ZIP archive, as NPZ"),
        (b"BZh91AY&SY\x01", "is compressed with bzip2"),
        (b"\xfd7zXZ\0\0", "is compressed with xz"),
        (b"ARROW1\0\0", "is an Arrow or Feather file"),
        (b"FEA1", "is a Feather file"),
    ] {
        let text = refusal(open(head, None, None));
        assert!(text.contains(what), "{text}");
        assert!(text.ends_with("Parquet or NPY"), "{text}");
    }
}

#[test]
fn a_tsv_file_is_split_at_tabs() {
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
        // A delimiter that is asked for has priority.
        let comma = open_file(&path, separated_by(b','));
        assert!(refusal(comma).contains("one column"), "{name}");
    }
    let path = folder.path().join("commas.tsv");
    std::fs::write(&path, "a,b\n1,2\n3,4\n").unwrap();
    // Another one is detected, and told.
    let opened = open_file(&path, PLAIN).unwrap();
    assert_eq!(opened.notes, ["columns separated by ','"]);
    assert_reads(Ok(opened), &[1.0, 3.0], &[2.0, 4.0]);
    std::fs::write(&path, "a\tb\n1,5\t2,5\n3,5\t4,5\n").unwrap();
    let header = Request {
        x: Some("a"),
        y: Some("b"),
        ..PLAIN
    };
    assert_reads(open_file(&path, header), &[1.5, 3.5], &[2.5, 4.5]);
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
    // y is not looked at, unless it is asked for.
    let content = "a,b\n1,\n3,4\n";
    let a = Request {
        x: Some("a"),
        ..alone
    };
    assert_reads(open_as(content, a), &[1.0, 3.0], &[0.0, 0.0]);
    let both = Request { y: Some("b"), ..a };
    assert_reads(open_as(content, both), &[3.0], &[4.0]);
    assert_reads(open_as("a,b\n3,4\n", both), &[3.0], &[4.0]);
    // Of two numeric columns, it is the one that would be x beside y.
    assert_reads(open_as("name,a,b\nann,1,2\n", alone), &[1.0], &[0.0]);
    let text = refusal(open_as("a,b,c\n1,2,3\n", alone));
    assert!(
        text.contains("cannot tell which column is x; choose by name or position: its"),
        "{text}"
    );
    assert!(refusal(open_as("a\n", a)).ends_with("has 0 samples"));
}

#[test]
fn columns_called_x_and_y_are_taken() {
    let of = |x, y| Request { x, y, ..PLAIN };
    for content in [
        "y,x\n3,1\n4,2\n",
        "Y, X ,z\n3,1,0\n4,2,0\n",
        "i,y,x\n0,3,1\n1,4,2\n",
    ] {
        assert_reads(open_as(content, PLAIN), &[1.0, 2.0], &[3.0, 4.0]);
    }
    // One of them, beside one other column.
    assert_reads(open_as("y,z\n3,1\n4,2\n", PLAIN), &[1.0, 2.0], &[3.0, 4.0]);
    assert_reads(
        open_as("a,b,y\n1,0,3\n2,0,4\n", of(Some("a"), None)),
        &[1.0, 2.0],
        &[3.0, 4.0],
    );
    // What is asked for comes first, also against the names.
    assert_reads(
        open_as("x,y\n3,1\n4,2\n", of(Some("y"), Some("x"))),
        &[1.0, 2.0],
        &[3.0, 4.0],
    );
    assert_reads(
        open_as("x,y\n3,1\n4,2\n", of(Some("y"), None)),
        &[1.0, 2.0],
        &[3.0, 4.0],
    );
    // Two of a name, and one that holds no numbers, decide nothing.
    for content in ["x,X,y\n1,2,3\n", "x,a,b,y\none,2,3,4\n"] {
        assert!(refusal(open_as(content, PLAIN)).contains("cannot tell which column"));
    }
}

#[test]
fn progress_counts_the_bytes_of_the_file() {
    let content: String = (0..100_000).map(|i| format!("{i},{}\n", i % 3)).collect();
    let mut files = vec![content.clone().into_bytes()];
    files.extend(packed(&content).map(|(_, bytes)| bytes));
    for bytes in files {
        let counted = AtomicU64::new(0);
        let on_load = |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
        };
        table::open(text::file(&bytes).path(), &PLAIN, &on_load).unwrap();
        assert_eq!(counted.into_inner(), bytes.len() as u64);
    }
}

#[test]
fn options_of_text_files_are_refused_for_other_files() {
    for (head, kind) in [("PAR1", "a Parquet file"), ("\u{93}NUMPY", "an NPY file")] {
        let head: Vec<u8> = head.chars().map(|c| c as u8).collect();
        for (option, request) in [
            (Setting::Delimiter, separated_by(b';')),
            (
                Setting::Header,
                Request {
                    header: Some(false),
                    ..PLAIN
                },
            ),
        ] {
            let error = open_as(&head, request).err().unwrap();
            let Error::Setting { setting, problem } = error else {
                panic!("{error:?}");
            };
            assert_eq!(setting, option);
            assert!(problem.contains(kind), "{problem}");
        }
    }
}

/// Returns a named pipe, in a folder of its own.
#[cfg(unix)]
pub fn pipe() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    (folder, path)
}

/// Opens a named pipe while these bytes are written to it.
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
fn a_pipe_of_text_is_read() {
    let (_folder, path) = pipe();
    let through = |content: &[u8]| through(&path, content, &|_| {});
    let content = "x,y\n1,2\n3,4\n";
    assert_reads(through(content.as_bytes()), &[1.0, 3.0], &[2.0, 4.0]);
    for (_, packed) in packed(content) {
        assert_reads(through(&packed), &[1.0, 3.0], &[2.0, 4.0]);
    }
}

/// Returns samples, and files of them that are read by position and are many times as long as a pipe's buffer.
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
fn a_pipe_of_a_table_can_be_read_at_any_position() {
    let (_folder, path) = pipe();
    let (Block { x, y }, tables) = tables();
    for (kind, bytes) in tables {
        let counted = AtomicU64::new(0);
        let on_load = |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
        };
        let opened = through(&path, &bytes, &on_load).unwrap();
        assert_eq!(counted.into_inner(), bytes.len() as u64, "{kind:?}");
        let mut last = Block::default();
        opened.source.read(2, &mut last).unwrap();
        assert_eq!(last.x, x[2 * BLOCK..], "{kind:?}");
        assert_reads(Ok(opened), &x, &y);
        // A pipe that breaks off is an error, not a shorter file.
        for length in [bytes.len() - 1, bytes.len() / 2, 100] {
            let text = refusal(through(&path, &bytes[..length], &|_| {}));
            assert!(text.starts_with(path.to_str().unwrap()), "{kind:?}: {text}");
        }
    }
}

/// A file is not copied, unless something was read from it before. Then the file does not start at its magic number.
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
fn a_table_is_read_from_standard_input() {
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
        // The copy needs a folder. Its variable has another name on other systems.
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
