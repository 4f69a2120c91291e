//! Arrays that NumPy saved, and files of our own writer.

use crate::common::rows;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use fall_line::data::{BLOCK, Block, Source};
use fall_line::error::Error;
use fall_line::table;
use fall_line::table::npy::Npy;
use fall_line::table::rows::{Axis, Reason, Request, Rows, Strict};
use fall_line::table::write::Kind;
use proptest::prelude::*;
use rows::{
    all, alone, asked, bits, expected, file, hard_numbers, numbers, refusal, what, written,
};
use tempfile::NamedTempFile;

fn open(name: &str, request: &Request) -> Result<Npy, Error> {
    Npy::open(&file(&format!("npy/{name}.npy")), request)
}

fn file_of(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

/// Every type, byte order, dimension order and version, each column by its position.
#[test]
fn arrays_of_numpy_read_as_the_same_numbers() {
    let mut columns_read = 0;
    for (name, columns) in expected().as_object().unwrap() {
        if !name.starts_with("npy/") {
            continue;
        }
        for (at, column) in columns.as_array().unwrap().iter().enumerate() {
            let column = numbers(column);
            if column.is_empty() {
                continue;
            }
            let position = (at + 1).to_string();
            let position = if name.contains("records") && at == 1 {
                "v"
            } else {
                &position
            };
            let npy = Npy::open(&file(name), &alone(position)).unwrap();
            let column: Vec<f64> = column.into_iter().map(Option::unwrap).collect();
            assert_eq!(bits(&all(&npy).0.x), bits(&column), "{name}, {position}");
            columns_read += 1;
        }
    }
    assert!(columns_read >= 60, "{columns_read}");
}

#[test]
fn columns_are_x_and_y_or_those_asked_for() {
    let npy = open("f8-little", &Request::default()).unwrap();
    assert_eq!(npy.names(), ["column 1", "column 2"]);
    assert_eq!(npy.title(), "f8-little.npy: column 2 over column 1");
    assert_eq!(all(&npy).0.y, [1.0, 2.0, 3.0]);
    let npy = open("f8-little", &asked("2", "1")).unwrap();
    assert_eq!(all(&npy).0.x, [1.0, 2.0, 3.0]);
    let npy = open("wide", &asked("4", "2")).unwrap();
    let (block, _) = all(&npy);
    assert_eq!(
        (block.x, block.y),
        (vec![3.0, 7.0, 11.0], vec![1.0, 5.0, 9.0])
    );
    let npy = open("records", &asked("v", "t")).unwrap();
    assert_eq!(npy.names(), ["v", "t"]);
    let (block, _) = all(&npy);
    assert_eq!(
        (block.x, block.y),
        (vec![0.5, 1e30, -0.0], vec![1.0, 2.0, -3.0])
    );
    // Only two columns hold numbers.
    let npy = open("records", &Request::default()).unwrap();
    assert_eq!(npy.names(), ["t", "v"]);

    let path = file("npy").display().to_string();
    assert_eq!(
        refusal(open("wide", &Request::default())),
        format!(
            "{path}/wide.npy: cannot tell which column is x and which is y; choose by name or position: \
             its columns are, without names: 1, 2, 3, 4"
        )
    );
    assert_eq!(
        refusal(open("wide", &asked("speed", "2"))),
        format!(
            "{path}/wide.npy has no column \"speed\"; its columns are, without names: 1, 2, 3, 4"
        )
    );
    assert!(refusal(open("wide", &asked("0", "2"))).contains("no column \"0\""));
    assert!(refusal(open("wide", &asked("5", "2"))).contains("no column \"5\""));
    assert!(matches!(
        open("wide", &asked("2", "2")),
        Err(Error::Setting { .. })
    ));
    assert!(refusal(open("one", &Request::default())).contains("one column"));
    assert_eq!(
        refusal(open("records", &asked("t", "näme"))),
        format!(
            "{path}/records.npy: column \"näme\" holds no numbers; \
             its columns are: 1 \"t\", 2 \"näme\" (not numeric), 3 \"v\""
        )
    );
}

#[test]
fn x_alone_needs_one_column() {
    let request = Request {
        x_alone: true,
        ..Request::default()
    };
    for name in ["one", "one-column", "f8-little"] {
        let npy = open(name, &request).unwrap();
        assert_eq!(npy.names(), ["column 1", ""]);
        let (block, _) = all(&npy);
        assert_eq!(block.y, vec![0.0; block.x.len()]);
    }
    assert!(refusal(open("wide", &request)).contains("which column is x; choose"));
    let one = written(Kind::Npy, &["x"], &[&[7.0]]);
    assert_eq!(Npy::open(one.path(), &request).unwrap().rows(), 1);
}

#[test]
fn two_files_are_x_and_y() {
    let pair = |x: &str, y: &str| {
        Npy::open_pair(
            &file(&format!("npy/{x}.npy")),
            &file(&format!("npy/{y}.npy")),
        )
    };
    let npy = pair("one", "one-column").unwrap();
    let (block, _) = all(&npy);
    assert_eq!(
        (block.x, block.y),
        (vec![0.0, 4.0, 8.0], vec![1.0, 5.0, 9.0])
    );
    assert_eq!(npy.names(), ["one.npy", "one-column.npy"]);
    assert!(refusal(pair("one", "wide")).contains("wide.npy has 4 columns"));
    let four = written(Kind::Npy, &["x"], &[&[1.0, 2.0, 3.0, 4.0]]);
    let text = refusal(Npy::open_pair(four.path(), &file("npy/one.npy")));
    assert!(text.contains("has 4 rows and"), "{text}");
    assert!(
        text.ends_with("one.npy has 3; both must have the same number"),
        "{text}"
    );

    let bad = written(Kind::Npy, &["x"], &[&[1.0, f64::INFINITY, 3.0]]);
    let npy = Npy::open_pair(&file("npy/one.npy"), bad.path()).unwrap();
    let text = refusal(Strict(Box::new(npy)).read(0, &mut Block::default()));
    let place = format!("{}, row 2: inf is not finite", bad.path().display());
    assert!(text.starts_with(&place), "{text}");
}

#[test]
fn rows_that_cannot_be_used_are_named() {
    let npy = open("bad", &Request::default()).unwrap();
    let (_, bad) = all(&npy);
    let wrong = |at, axis, reason| (at as u64, at, axis, reason);
    assert_eq!(
        what(&bad),
        [
            wrong(1, Axis::X, Reason::Missing),
            wrong(2, Axis::Y, Reason::NotFinite),
        ]
    );
    let path = file("npy/bad.npy").display().to_string();
    assert_eq!(
        npy.row_error(2, bad[1].1).to_string(),
        format!("{path}, row 3, column 2: inf is not finite")
    );
    // A missing value is no error of the file.
    let text = refusal(table::open(
        &file("npy/bad.npy"),
        &Request::default(),
        &|_| {},
    ));
    assert!(
        text.starts_with(&format!("{path}, row 3, column 2: inf is")),
        "{text}"
    );
}

#[test]
fn other_arrays_are_refused() {
    for (name, text) in [
        ("words", "which column is x and which is y"),
        ("complex", "which column is x and which is y"),
        ("cube", "has 3 dimensions"),
        ("scalar", "has 0 dimensions"),
        ("none", "has 0 samples; a line needs at least two"),
    ] {
        let path = file(&format!("npy/{name}.npy"));
        let refused = refusal(table::open(&path, &Request::default(), &|_| {}));
        assert!(refused.contains(text), "{name}: {refused}");
    }
    assert!(refusal(open("words", &asked("1", "2"))).contains("column 1 holds no numbers"));
    let one = refusal(open("one", &Request::default()));
    assert!(
        one.ends_with("has one column, and a line needs x and y"),
        "{one}"
    );
    let missing = Npy::open(Path::new("no such file.npy"), &Request::default());
    assert!(matches!(missing, Err(Error::Io { .. })));
}

fn with_header(text: &str) -> NamedTempFile {
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend((text.len() as u16).to_le_bytes());
    content.extend(text.as_bytes());
    content.extend([0; 64]);
    file_of(&content)
}

#[test]
fn damaged_files_are_refused_before_they_are_read() {
    let refused = |file: NamedTempFile| refusal(Npy::open(file.path(), &Request::default()));
    let header = |shape: &str| {
        refused(with_header(&format!(
            "{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"
        )))
    };
    assert!(header("(5, 2)").contains("is cut short: it has"));
    assert!(header("(1000000, 1000000000000)").contains("rows of 1000000000000 columns"));
    assert!(header("(99999999999999999, 2000)").contains("larger than a file can be"));
    assert!(header("(18446744073709551616, 2)").contains("not a plain table"));
    assert!(header("(-1, 2)").contains("not a plain table"));
    assert!(header("(2, 20000)").contains("(array.T)"));
    assert!(header("5").contains("not a plain table"));
    let records =
        "{'descr': [('a', '<f8'), ('b', '<f8')], 'fortran_order': False, 'shape': (2, 2)}";
    assert!(refused(with_header(records)).contains("records in two dimensions; save them in one"));
    // Python 2 wrote sizes with an L.
    let old = with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4L, 2L)}");
    assert_eq!(
        all(&Npy::open(old.path(), &Request::default()).unwrap())
            .0
            .x,
        [0.0; 4]
    );
    assert!(refused(with_header("{'descr': '<f8'")).contains("not a plain table"));
    assert!(
        refused(with_header(
            "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}"
        ))
        .contains("holds Python objects; save its numbers: array.astype(float)")
    );

    let whole = std::fs::read(file("npy/f4-little.npy")).unwrap();
    for length in 0..whole.len() {
        refused(file_of(&whole[..length]));
    }
    // A flipped bit never causes a panic.
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut content = whole.clone();
            content[at] ^= 1 << bit;
            if let Ok(npy) = Npy::open(file_of(&content).path(), &Request::default()) {
                all(&npy);
            }
        }
    }
}

/// 108 bytes that took minutes, and 30 kB that took all of the stack.
#[test]
fn nested_brackets_are_refused_at_once() {
    for header in [
        format!("{{'descr': {}", "[".repeat(24)),
        "(1,".repeat(10_000),
        "{'a':".repeat(10_000),
    ] {
        let file = with_header(&header);
        let text = refusal(Npy::open(file.path(), &Request::default()));
        assert!(text.contains("not a plain table"), "{text}");
    }
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let numbers = hard_numbers(3 * BLOCK);
    let file = written(Kind::Npy, &["x", "y"], &[&numbers, &numbers]);
    let npy = Npy::open(file.path(), &Request::default()).unwrap();
    file.as_file().set_len(2 * 16 * BLOCK as u64).unwrap();
    let read = npy.read(2, &mut Block::default(), &mut Vec::new());
    assert!(refusal(read).contains("changed while it was read"));
}

#[test]
fn a_file_that_is_written_to_is_an_error() {
    let numbers = hard_numbers(3 * BLOCK);
    let both = written(Kind::Npy, &["x", "y"], &[&numbers, &numbers]);
    let one = written(Kind::Npy, &["x"], &[&numbers]);
    let other = written(Kind::Npy, &["y"], &[&numbers]);
    for (npy, changed) in [
        (Npy::open(both.path(), &Request::default()), &both),
        (Npy::open_pair(one.path(), other.path()), &other),
    ] {
        let npy = npy.unwrap();
        let read = |index| npy.read(index, &mut Block::default(), &mut Vec::new());
        read(0).unwrap();
        // The operating system's clock ticks in the meantime.
        std::thread::sleep(Duration::from_millis(30));
        let mut file = changed.reopen().unwrap();
        file.seek(SeekFrom::End(-8)).unwrap();
        file.write_all(&[0; 8]).unwrap();
        for index in [1, 0] {
            let text = refusal(read(index));
            let path = changed.path().display();
            assert!(
                text.starts_with(&format!("{path} changed while it was read")),
                "{text}"
            );
        }
    }
}

#[test]
fn written_files_read_back_bit_for_bit() {
    let x = hard_numbers(2 * BLOCK + 17);
    let y: Vec<f64> = x.iter().rev().copied().collect();
    let file = written(Kind::Npy, &["x", "y"], &[&x, &y]);
    let (block, _) = all(&Npy::open(file.path(), &Request::default()).unwrap());
    assert_eq!(bits(&block.x), bits(&x));
    assert_eq!(bits(&block.y), bits(&y));
    // The data start at a multiple of 64 bytes, as in files of NumPy.
    let length = file.as_file().metadata().unwrap().len();
    assert_eq!((length - 16 * x.len() as u64) % 64, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// Arrays have few columns, or so many that each value is read by itself.
    #[test]
    fn blocks_are_read_in_any_order(
        width in prop_oneof![2..6_usize, Just(9000)],
        extra in 1..2000_usize,
        order in Just([2_u64, 1, 0]).prop_shuffle(),
    ) {
        let rows = if width > 6 { 40 } else { 2 * BLOCK + extra };
        let number = |row: usize, column: usize| (row * width + column) as f64;
        let columns: Vec<Vec<f64>> = (0..width)
            .map(|column| (0..rows).map(|row| number(row, column)).collect())
            .collect();
        let names = vec!["c"; width];
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let file = written(Kind::Npy, &names, &slices);
        let last = width.to_string();
        let npy = Npy::open(file.path(), &asked(&last, "1")).unwrap();
        for index in order.into_iter().filter(|index| index * (BLOCK as u64) < rows as u64) {
            let mut block = Block::default();
            npy.read(index, &mut block, &mut Vec::new()).unwrap();
            let first = index as usize * BLOCK;
            let here = first..(first + BLOCK).min(rows);
            prop_assert_eq!(&block.x, &columns[width - 1][here.clone()]);
            prop_assert_eq!(&block.y, &columns[0][here]);
        }
    }
}
