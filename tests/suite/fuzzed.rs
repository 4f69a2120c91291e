//! Damaged files: those that the fuzzer keeps because each takes its own way through a reader, and mutated real ones.
//!
//! `FALL_LINE_MUTANTS=100000 cargo test --release --test suite fuzzed::` makes more of the latter.

mod checks;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tempfile::NamedTempFile;

use self::checks::{ANY, Frame, NPY, PARQUET, framed};
use crate::common::rows::file;

/// Mutated files of each kind where the environment names no other number.
const MUTANTS: u32 = 200;

/// A kind of file: the folder of those that the fuzzer keeps, another one of real ones, their first and last bytes, and
/// what reads them.
type Target = (&'static str, Option<&'static str>, Frame, fn(&Path));

const TARGETS: [Target; 5] = [
    ("text", Some("exports"), ANY, checks::table),
    ("parquet", Some("parquet"), PARQUET, checks::table),
    ("npy", Some("npy"), NPY, checks::table),
    ("model", None, ANY, checks::model),
    ("checkpoint", None, ANY, checks::checkpoint),
];

/// Returns the files of a target, in order.
fn files((fuzzed, real, ..): Target) -> Vec<PathBuf> {
    let folders = [Some(file("fuzzed").join(fuzzed)), real.map(file)];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flatten()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Reads a file of these bytes.
fn check((_, _, _, read): Target, bytes: Vec<u8>) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    read(file.path());
}

#[test]
fn files_that_the_fuzzer_keeps_are_read_or_refused() {
    for target in TARGETS {
        let files = files(target);
        println!("{}: {} files", target.0, files.len());
        assert!(fs::read_dir(file("fuzzed").join(target.0)).unwrap().count() > 20);
        for path in files {
            println!("{}", path.display());
            // The fuzzer, too, sets the first and last bytes of what it reads.
            check(target, framed(target.2, fs::read(path).unwrap()));
        }
    }
}

/// As many bytes as all test threads and their arenas may reserve are far fewer than what a damaged length asks for.
#[cfg(target_os = "linux")]
#[test]
fn files_that_the_fuzzer_keeps_take_little_memory() {
    let test = "fuzzed::files_that_the_fuzzer_keeps_are_read_or_refused";
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            "ulimit -v 1000000; exec $0 --exact $1 --test-threads 1",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// A change of a file. A place is a share of its length.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    /// Bytes are replaced, as a damaged length would.
    Set(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    /// A part of another file, or of this one, is inserted.
    Splice {
        other: Index,
        from: Index,
        to: Index,
        at: Index,
    },
    /// The end is lost.
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<Index>;
    let bytes = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..9),
            (
                prop_oneof![Just(0), Just(0x7f), Just(0x80), Just(0xff)],
                1..9_usize
            )
                .prop_map(|(byte, length)| vec![byte; length]),
            // What texts are made of.
            proptest::collection::vec(
                proptest::sample::select(b"0123456789.,;:\"'-+eE\n\r\t[]{} ".to_vec()),
                1..9
            ),
        ]
    };
    prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (place(), bytes()).prop_map(|(at, bytes)| Mutation::Set(at, bytes)),
        (place(), bytes()).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (place(), place()).prop_map(|(from, to)| Mutation::Cut(from, to)),
        (place(), place(), place(), place()).prop_map(|(other, from, to, at)| Mutation::Splice {
            other,
            from,
            to,
            at
        }),
        place().prop_map(Mutation::Truncate),
    ]
}

/// Returns the range between two places of a file of so many bytes.
fn between(one: Index, other: Index, length: usize) -> Range<usize> {
    let (one, other) = (one.index(length + 1), other.index(length + 1));
    one.min(other)..one.max(other)
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>, files: &[Vec<u8>]) {
        let length = bytes.len();
        match self {
            Mutation::Flip(_, _) | Mutation::Set(_, _) if length == 0 => {}
            Mutation::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Mutation::Set(at, new) => {
                let start = at.index(length);
                let end = length.min(start + new.len());
                bytes[start..end].copy_from_slice(&new[..end - start]);
            }
            Mutation::Insert(at, new) => {
                let at = at.index(length + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Mutation::Cut(from, to) => drop(bytes.drain(between(*from, *to, length))),
            Mutation::Splice {
                other,
                from,
                to,
                at,
            } => {
                let other = &files[other.index(files.len())];
                let (part, at) = (between(*from, *to, other.len()), at.index(length + 1));
                bytes.splice(at..at, other[part].iter().copied());
            }
            Mutation::Truncate(length_left) => bytes.truncate(length_left.index(length + 1)),
        }
    }
}

#[test]
fn mutated_files_are_read_or_refused() {
    let mutants =
        std::env::var("FALL_LINE_MUTANTS").map_or(MUTANTS, |cases| cases.parse().unwrap());
    for target in TARGETS {
        let files: Vec<Vec<u8>> = files(target)
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        let mut runner = TestRunner::new(ProptestConfig {
            cases: mutants,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let changes = (any::<Index>(), proptest::collection::vec(mutation(), 1..6));
        let run = runner.run(&changes, |(original, mutations)| {
            let mut bytes = files[original.index(files.len())].clone();
            for mutation in mutations {
                mutation.apply(&mut bytes, &files);
            }
            check(target, bytes);
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{}: {error}", target.0));
        println!("{}: {mutants} mutants of {} files", target.0, files.len());
    }
}
