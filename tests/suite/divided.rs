//! Texts that ranks divide by bytes: all ranks together read what one does, wherever the boundaries fall.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::all;
use crate::common::team::over_ranks;
use crate::common::text::PLAIN;
use fall_line::data::Time;
use fall_line::error::Error;
use fall_line::table::rows::Skipped;
use fall_line::table::{self, OpenedFile, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// What opening files tells: samples to the bit.
#[derive(Debug, PartialEq)]
struct Seen {
    samples: Vec<[u64; 2]>,
    names: [String; 2],
    time: Option<Time>,
    title: String,
    notes: Vec<String>,
    skipped: Skipped,
}

/// The text and the exit code of an error, and the samples that were too few, if that is it.
type Failed = (String, u8, Option<u64>);

fn seen(opened: Result<OpenedFile, Error>) -> Result<Seen, Failed> {
    let opened = opened.map_err(|error| {
        let few = match &error {
            Error::TooFewSamples { samples, .. } => Some(*samples),
            _ => None,
        };
        (error.to_string(), error.exit_code(), few)
    })?;
    let mut samples = Vec::new();
    if opened.source.samples() > 0 {
        let block = all(&*opened.source);
        let pairs = block.x.iter().zip(&block.y);
        samples.extend(pairs.map(|(x, y)| [x.to_bits(), y.to_bits()]));
    }
    Ok(Seen {
        samples,
        title: opened.source.title(),
        names: [opened.x, opened.y],
        time: opened.time,
        notes: opened.notes,
        skipped: opened.skipped,
    })
}

fn by_one(files: &[PathBuf], request: &Request) -> Result<Seen, Failed> {
    seen(table::open_all(files, request, &|_| {}))
}

/// Opens files on so many ranks, and joins what they see. What all see has to be the same.
fn by_ranks(files: &[PathBuf], request: &Request, size: usize) -> Result<Seen, Failed> {
    let parts = over_ranks(size, |ranks| {
        let request = Request {
            ranks: Some(ranks),
            ..*request
        };
        seen(table::open_all(files, &request, &|_| {}))
    });
    let mut joined: Option<Result<Seen, Failed>> = None;
    for part in parts {
        match (&mut joined, part) {
            (None, part) => joined = Some(part),
            (Some(Ok(joined)), Ok(part)) => {
                joined.samples.extend(part.samples);
                assert_eq!(joined.skipped, part.skipped);
                assert_eq!(
                    (&joined.names, joined.time, &joined.title, &joined.notes),
                    (&part.names, part.time, &part.title, &part.notes)
                );
            }
            (Some(joined), part) => assert_eq!(joined.as_ref().err(), part.as_ref().err()),
        }
    }
    joined.unwrap()
}

/// Checks that ranks read what one does. A part may have fewer samples than a line needs.
fn assert_same(what: &str, one: &Result<Seen, Failed>, ranks: Result<Seen, Failed>) {
    match (one, ranks) {
        (Err((_, _, Some(samples))), Ok(ranks)) => {
            assert_eq!(*samples, ranks.samples.len() as u64, "{what}");
        }
        (Ok(one), Ok(ranks)) => {
            assert_eq!(one.skipped, ranks.skipped, "{what}");
            assert_eq!(one, &ranks, "{what}");
        }
        (one, ranks) => assert_eq!(one, &ranks, "{what}"),
    }
}

/// Divides a text for two ranks before each of its bytes but the first, and for other numbers of ranks anywhere. Returns whether
/// one rank can read it.
fn divided_everywhere(folder: &Path, text: &[u8], request: Request) -> bool {
    let what = |boundary: &str| format!("{boundary} of {:?}", String::from_utf8_lossy(text));
    let path = |name: &str| folder.join(name);
    let file = [path("text.csv")];
    fs::write(&file[0], text).unwrap();
    let one = by_one(&file, &request);
    for size in (2..=5).chain([text.len(), text.len() + 3]) {
        let ranks = by_ranks(&file, &request, size);
        assert_same(&what(&format!("{size} ranks")), &one, ranks);
    }
    // Blank lines before or behind move the boundary in the middle of both files.
    for boundary in 1..text.len() {
        let blank = text.len().abs_diff(2 * boundary);
        fs::write(path("blank"), "\n".repeat(blank)).unwrap();
        let mut files = [path("blank"), path("text.csv")];
        if 2 * boundary > text.len() {
            files.reverse();
        }
        let one = by_one(&files, &request);
        let ranks = by_ranks(&files, &request, 2);
        assert_same(&what(&format!("boundary at {boundary}")), &one, ranks);
    }
    one.is_ok()
}

/// Texts of all kinds that are read, and some that are refused.
const TEXTS: [&str; 45] = [
    "x,y\n1,2\n3,4.5\n5,6\n7,8",
    "x,y\r\n1,2\r\n3,4.5\r\n5,6\r\n",
    "x,y\r1,2\r3,4.5\r5,6\r7,8",
    "1,2\n3,4\n5,6\n",
    "a,b\n1,2\n",
    "a,b\n",
    "\n\n\n",
    "x,y\n\n1,2\n\r\n \t\n3,4\n\n\n5,6\n\n",
    "note,x,y\n\"a\nb\",1,2\n\"c,d\",3,4\ne,5,6\n\"\"\"f\"\"\n\n\",7,8\n,9,10\n",
    "note,x,y\r\n\"a\r\nb\",1,2\r\n\"c\",\"3\",\"4\"\r\n\"\",5,6\r\n\"\r\",7,8\r\n\"\n\r\n\",9,10",
    "x,y,note\n1,2,\"a\n3,4,b\n5,6,c\"\n7,8,\"\"\n9,10,\"\"\"\n\"\n11,12,x\"y\n13,14,\"z\n\"\n",
    "x,y,note\n1,2,\"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\"\n3,4,\"\"\n5,6,\n",
    "\"x\",\"y\"\n\"1\",\"2\"\n\"3\",\"4\"\n\"5\",\"6\"\n\"7\",\"8\"",
    "n,x,y\n5\",1,2\n6\",3,4\n\"7\"\"\n\",5,6\n",
    "# a \"comment\n# b\nx,y\n1,2\n# \"c\n3,4\n#\n5,6\n#N/A,7\n8,9\n",
    "x,y,n\n1,2,\"\n# not a \" comment\n\"\n3,4,\n# \"\n5,6,\"\n#\n\"\n",
    "x;y\n1,5;2,5\n2;1.234,5\n3,25;7\n",
    "sep=;\nx;y\n1;2\n3;4\n5;6\n",
    "when,y\n2024-03-01,1\n2024-03-02,2\n2024-03-05,3\n",
    "when;y\n01.03.2024 06:00;1\n02.03.2024 07:00;2\n",
    "   a   b\n1  1 2.5\n2  3 4.5\n3  5 6.5\n",
    "\"a\" \"b\"\n\"1\" 1 2.5\n\"2\" 3 4.5\n\"3 c\" 5 6.5\n",
    "\"a\",\"b\"\n\"1\",2,2.5\n\"2\",3,4.5\n\"3\",3,5.5\n",
    "a\tb\n1\t2\n3\t4\n5\t6\n",
    "a, \"b, c\"\n1, \"2.5\"\n3, \"4.5\"\n5, \"6\"\n",
    "+---+-----+\n| x | y   |\n+---+-----+\n| 1 | 2.5 |\n| 3 | 4.5 |\n+---+-----+\n",
    "Device,LOG-5\nSerial,12345\n\nx,y\n1,2.5\n3,4.5\n5,6.5\n",
    "Logger,7,north\na,b\nm,s\n\"\",Avg\n1,2\n3,4\n5,6\n",
    "x,y\n1,2\n3,4\n5,6\n\x1a",
    "x,y\n1,2\n3,4\n\0\0\0\n\n\0\0 \n  \n\x1a\0\0\0\0\0\0\0\0\0",
    "x,y\n1,2\n3,4\n\0\0\0\n\x0c\n\x0c\n\x0c\n",
    "\u{feff}x,y\n1,2\n3,4\n5,6\n",
    "\u{feff}\u{e9}t\u{e9},y\n1,2\n\u{feff}3,4\n5,\u{a0}6\n\u{feff}",
    "\u{e9}t\u{e9},place,y\n1,\u{1f3e0}\u{e9},2\n3,\"\u{6c34}\n\u{6c34}\",4\n5,,6\n",
    "a,b\n1,2\n,3\nNA,4\n5,\n7,8\n9,10\n",
    "a,b\n1,2\n3,4\n5,x\n7,8\n9,10\n11,12\n",
    "a,b\n1,2\n3,4\n5,6,7\n8\n9,10\n11,12\n",
    "1,2\n3,4\n5,6\nx,8\n9,10\n",
    "a,b\n1,2\n3,4\n5,1 234\n7,8\n9,10\n",
    "a,b\n1,2\n\n\"3,4\n5,6\n7,8\n9,10\n",
    "n,a,b\nx,1,2\n\"5 inch,3,4\ny,5,6\n6\" pipe,7,8\n",
    "n,a,b\nx,1,2\n\"two\nlines\",3,4\n\"y\ny\",5,\"6\n7\"\n,8,9\n",
    "n,a,b\n\"x\r\ny\",1,2\r\n,3,4\r\n,5,z\r\n\"\r\n\",6,7\r\n",
    "a,b\n1,2\n3,4\n\u{1}\u{2}\n\0\n5,6\n",
    "day,a\none,1\ntwo,1\n3,1\n",
];

#[test]
fn a_boundary_at_any_byte_changes_nothing() {
    let folder = TempDir::new().unwrap();
    for text in TEXTS {
        if !divided_everywhere(folder.path(), text.as_bytes(), PLAIN) {
            let skip_bad = Request {
                skip_bad: true,
                ..PLAIN
            };
            divided_everywhere(folder.path(), text.as_bytes(), skip_bad);
        }
    }
    let columns = Request {
        x: Some("x"),
        y: Some("y"),
        ..PLAIN
    };
    let sign = ["\u{fffd}".to_owned()];
    let replaced = Request {
        missing: &sign,
        ..PLAIN
    };
    for (text, request) in [
        (&b"\xefx,y\n1,2\n\xef,3\n\xe9,4\n"[..], PLAIN),
        (
            b"\xef\xbb\xbf\xe9\xe9\xe9,y\n1,2\n\xe9\xe2\x82,3\n\xf0\x9f\n4,5\n6,7\n",
            PLAIN,
        ),
        (b"t,y,x\n1,2,\"\n\"\n3,4,5\n6,\"7\",8\n9,10,11\n", columns),
        // Bytes that are not UTF-8 are replaced behind a mark, and only there.
        (
            b"\xef\xbb\xbfx,y\n1,2\n3,4\n\xe9,5\n6,\xf0\x9f\n7,8\n",
            replaced,
        ),
        (b"x,y\n1,2\n3,4\n\xe9,5\n7,8\n", replaced),
        (
            b"1,1\n\"2\n2\"\n\na,b\n1,2\n3,4\n",
            Request {
                skip_lines: 4,
                ..PLAIN
            },
        ),
        (
            b"a,b\n1,2\n// \"\n3,4\n//\n5,6\n",
            Request {
                comment: Some("//"),
                ..PLAIN
            },
        ),
    ] {
        divided_everywhere(folder.path(), text, request);
    }
}

/// Returns a function that draws numbers below its argument.
fn draws(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    }
}

/// Pieces of random texts with three columns, of which the second and third hold numbers.
const PIECES: [&str; 24] = [
    "a,1,2\n",
    ",3.5,-4\n",
    "b,5,6\r\n",
    "c,7,8\r",
    "\n",
    "\r\n",
    "\r",
    " \n",
    "\"d\",9,10\n",
    "\"e\ne\",11,12\n",
    "\"\r\n\",13,14\r\n",
    "\"\"\"\n\"\"\",15,16\n",
    "\"\",17,18\n",
    "\"f,\n\"\"f,19,20\n\",21,22\n",
    "g\"g,23,24\n",
    "h,\"25\",\"26\"\n",
    "i,,27\n",
    "j,NA,28\n",
    "\"\n\n\n\n\n\n\",29,30\n",
    "#\"k\n",
    "\u{feff}l,31,32\n",
    "\"\u{6c34}\n\u{6c34}\u{6c34}\",33,34\n",
    "m,x,35\n",
    "\"",
];

/// Returns the pieces of a text, with comments or with lines that end in `\r` alone: one rank takes `\r`, a comment and `\n` for
/// one line end. The last two make errors, which few texts have.
fn pieces(comments: bool, errors: bool) -> Vec<&'static str> {
    let most = PIECES.len() - if errors { 0 } else { 2 };
    let is_left = |piece: &&str| match comments {
        true => !piece.ends_with('\r'),
        false => !piece.starts_with('#'),
    };
    PIECES[..most].iter().copied().filter(is_left).collect()
}

/// Texts of many pieces, on any number of ranks: rows that can't be used, and a quote that is not closed, in some of them.
#[test]
fn random_texts_are_the_same_for_any_number_of_ranks() {
    let sets = std::env::var("FALL_LINE_SETS").map_or(150, |sets| sets.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let mut draw = draws(15);
    let (mut read, mut refused) = (0, 0);
    for set in 0..sets {
        let files: Vec<PathBuf> = (0..1 + draw(3))
            .map(|file| {
                let pieces = pieces(draw(2) == 0, draw(4) == 0);
                let mut text = ["note,x,y\n", "# a \"b\nnote,x,y\r\n", "\u{feff}note,x,y\n"]
                    [draw(3)]
                .to_owned();
                text += "-,0,0\n";
                text.extend((0..draw(60)).map(|_| pieces[draw(pieces.len())]));
                if draw(5) == 0 {
                    text += &"\0".repeat(1 + draw(400));
                }
                let path = folder.path().join(format!("{file}.csv"));
                fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let request = Request {
            skip_bad: draw(2) == 0,
            ..PLAIN
        };
        let one = by_one(&files, &request);
        match &one {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
        for size in [2, 3, 4, 5, 2 + draw(40)] {
            let ranks = by_ranks(&files, &request, size);
            let texts: Vec<String> = files
                .iter()
                .map(|file| fs::read_to_string(file).unwrap())
                .collect();
            assert_same(&format!("set {set}, {size} ranks: {texts:?}"), &one, ranks);
        }
    }
    assert!(read > sets / 2 && refused > sets / 20, "{read} {refused}");
}

/// A text that is long against the head, the chunks and the buffers.
fn long_text(rows: usize, mut row: impl FnMut(usize) -> String) -> String {
    let rows: String = (0..rows).map(&mut row).collect();
    format!("note,x,y\n{rows}")
}

#[test]
fn long_texts_are_divided_in_quotes_too() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let plain = long_text(100_000, |at| format!("-,{at},{}.5\n", at % 7));
    // Fields of 30 kB in quotes: most boundaries lie in one.
    let quoted = long_text(100, |at| {
        format!("\"{}\",{at},1\r\n", "a \"\"b\"\", 1, 2\r\n".repeat(2000))
    });
    let missing = long_text(60_000, |at| match at % 9000 {
        4000 => format!("-,,{at}\n"),
        5000 => format!("\"\n\",{at},NA\r\n"),
        _ => format!("#,{at},1\n\n"),
    });
    let commented = long_text(60_000, |at| format!("-,{at},1\n# \"{at}\n"));
    let bad = plain.replace("-,77777,0.5\n", "-,77777,0.5\n\n\n-,7O,0.5\n");
    // The last parts are padding, with what would be rows in a text.
    let padded = plain.clone() + &"\0\n\x0c \n".repeat(100_000);
    let broken = padded.clone() + "5,6,7\n";
    for text in [
        &plain, &quoted, &missing, &commented, &padded, &broken, &bad,
    ] {
        let files = [path("long.csv")];
        fs::write(&files[0], text).unwrap();
        let one = by_one(&files, &PLAIN);
        for size in [2, 3, 7] {
            assert_same(&text[..200], &one, by_ranks(&files, &PLAIN, size));
        }
    }
    let refused = by_ranks(&[path("long.csv")], &PLAIN, 3).unwrap_err();
    assert!(
        refused.0.contains("line 77782, column \"x\": \"7O\""),
        "{refused:?}"
    );
    // A quote that is never closed, in the first of three parts.
    let open = format!(
        "note,x,y\n1,2,3\n\n\"3,4,5\n{}",
        "5,6,7\n".repeat(5_000_000)
    );
    fs::write(path("open.csv"), open).unwrap();
    let refused = by_ranks(&[path("open.csv")], &PLAIN, 3).unwrap_err();
    assert_eq!(by_one(&[path("open.csv")], &PLAIN).unwrap_err(), refused);
    assert!(
        refused.0.contains("line 4: a record of more than 16 MB"),
        "{refused:?}"
    );
}

/// Each byte is loaded by one rank, twice at most.
#[test]
fn each_rank_loads_its_own_bytes() {
    let folder = TempDir::new().unwrap();
    let files: Vec<PathBuf> = ["0", "1", "2"].map(|name| folder.path().join(name)).into();
    for line_ends in ["", "\n"] {
        let row = |at: usize| format!("\"{at}{line_ends}\",{at},{}\n", at % 11);
        for (file, rows) in files.iter().zip([100_000, 1, 40_000]) {
            fs::write(file, long_text(rows, row)).unwrap();
        }
        let length = |file: &PathBuf| file.metadata().unwrap().len();
        let bytes: u64 = files.iter().map(length).sum();
        for size in [2, 3, 8] {
            let loaded: Vec<u64> = over_ranks(size, |ranks| {
                let loaded = AtomicU64::new(0);
                let count = |bytes| {
                    loaded.fetch_add(bytes, Ordering::Relaxed);
                };
                let request = Request {
                    ranks: Some(ranks),
                    ..PLAIN
                };
                table::open_all(&files, &request, &count).unwrap();
                loaded.into_inner()
            });
            let share = bytes / size as u64;
            // Headers of 9 bytes are not counted, and a boundary moves by a line of up to 20. Past one in quotes a buffer of 64 kB is
            // read, and a part that begins in quotes is read twice.
            let most = |part: u64| match line_ends {
                "" => part.abs_diff(share) < 60,
                _ => part.abs_diff(share) < 70_000 || part.abs_diff(2 * share) < 140_000,
            };
            assert!(loaded.iter().all(|part| most(*part)), "{loaded:?}, {share}");
            if line_ends.is_empty() {
                assert_eq!(loaded.iter().sum::<u64>(), bytes - 3 * 9);
            }
        }
    }
}

/// What is not divided is read whole by each rank, which keeps its blocks.
#[test]
fn texts_that_cannot_be_divided_are_read_whole() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = long_text(150_000, |at| format!("-,{at},1\n"));
    fs::write(path("plain.csv"), &text).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    fs::write(path("packed.csv.gz"), packed.finish().unwrap()).unwrap();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(path("utf_16.csv"), utf_16).unwrap();
    for names in [
        &["packed.csv.gz"][..],
        &["utf_16.csv"],
        &["plain.csv", "packed.csv.gz"],
    ] {
        let files: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
        let one = by_one(&files, &PLAIN);
        for size in [2, 5] {
            assert_same(names[0], &one, by_ranks(&files, &PLAIN, size));
        }
    }
}

/// Ranks that see files of other lengths would divide them at other places.
#[test]
fn ranks_with_other_files_are_refused() {
    let folder = TempDir::new().unwrap();
    for rank in 0..2 {
        let path = folder.path().join(rank.to_string());
        fs::write(path, long_text(100 + rank, |at| format!("-,{at},1\n"))).unwrap();
    }
    let refused = over_ranks(2, |ranks| {
        let request = Request {
            ranks: Some(ranks),
            ..PLAIN
        };
        let path = folder.path().join(ranks.rank().to_string());
        table::open(&path, &request, &|_| {})
            .err()
            .map(|error| error.to_string())
    });
    let text = "rank 1 sees files of other lengths than rank 0: give all ranks the same files";
    assert_eq!(refused, [Some(text.to_owned()), Some(text.to_owned())]);
}

/// Files of one set lie on any ranks: those with a header alone, empty ones, and notes of each.
#[test]
fn many_files_are_spread_over_ranks() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, text) in [
        ("0", ""),
        ("1", "a,b\n"),
        ("2", "a,b\n1,2\n,\n"),
        ("3", "b;a\n4;3\n6;\n"),
        ("4", "# c\nB\tA\n8\t7\n"),
        ("5", ""),
        ("6", "a,b\n9,10\n11,12\n13,14"),
        ("7", "a,b\n"),
    ] {
        fs::write(path(name), text).unwrap();
    }
    let columns = Request {
        x: Some("a"),
        y: Some("b"),
        ..PLAIN
    };
    let folder_of_files = [folder.path().to_owned()];
    let compare = || {
        let one = by_one(&folder_of_files, &columns);
        let mut texts = BTreeSet::new();
        for size in 2..80 {
            let ranks = by_ranks(&folder_of_files, &columns, size);
            texts.extend(ranks.as_ref().err().cloned());
            assert_same(&format!("{size} ranks"), &one, ranks);
        }
        texts
    };
    assert_eq!(compare(), BTreeSet::new());
    fs::write(path("5"), "a,b\n1,2\n3,x\n5,6\n").unwrap();
    let texts = compare();
    assert!(
        texts.iter().all(|(text, ..)| text.contains("line 3")),
        "{texts:?}"
    );
    fs::write(path("5"), "a,c\n1,2\n3,4\n").unwrap();
    compare();
}
