//! Users' CSV files, as they come.

mod common;

use std::io::Write;
use std::path::Path;

use common::all;
use fall_line::data::Source;
use fall_line::data::csv::{Csv, Layout};
use fall_line::error::Error;
use tempfile::NamedTempFile;

fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// Commas, a header if there seems to be one.
const PLAIN: Layout = Layout {
    x: None,
    y: None,
    delimiter: None,
    header: None,
};

fn open(content: impl AsRef<[u8]>, x: Option<&str>, y: Option<&str>) -> Result<Csv, Error> {
    open_as(content, Layout { x, y, ..PLAIN })
}

fn open_as(content: impl AsRef<[u8]>, layout: Layout) -> Result<Csv, Error> {
    Csv::open(file(content).path(), layout, &|_| {})
}

fn separated_by(delimiter: u8) -> Layout<'static> {
    Layout {
        delimiter: Some(delimiter),
        ..PLAIN
    }
}

fn assert_reads(csv: Result<Csv, Error>, x: &[f64], y: &[f64]) {
    let samples = all(&csv.unwrap());
    assert_eq!(samples.x, x);
    assert_eq!(samples.y, y);
}

/// The text of the error, which is of bad data and on one line.
fn refusal(csv: Result<Csv, Error>) -> String {
    match csv {
        Err(Error::Data(text)) => {
            assert!(!text.contains('\n'), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_numeric_columns_need_no_names() {
    assert_reads(
        open("a,b\n1,2\n3,4.5\n", None, None),
        &[1.0, 3.0],
        &[2.0, 4.5],
    );
    assert_reads(open("1,2\n3,4\n", None, None), &[1.0, 3.0], &[2.0, 4.0]);
    // A column of text is not in the way, nor one that is empty.
    let content = "name,empty,a,b\nann,,1,2\nbob,,3,4\n";
    assert_reads(open(content, None, None), &[1.0, 3.0], &[2.0, 4.0]);
}

#[test]
fn columns_go_by_name_or_position() {
    let content = "t,load,speed\n1,2,3\n4,5,6\n";
    assert_reads(
        open(content, Some("speed"), Some("t")),
        &[3.0, 6.0],
        &[1.0, 4.0],
    );
    assert_reads(
        open(content, Some("3"), Some("2")),
        &[3.0, 6.0],
        &[2.0, 5.0],
    );
    // One given, one left: the other.
    let content = "t,load\n1,2\n4,5\n";
    assert_reads(open(content, Some("load"), None), &[2.0, 5.0], &[1.0, 4.0]);
    assert_reads(open(content, None, Some("t")), &[2.0, 5.0], &[1.0, 4.0]);
}

#[test]
fn a_header_is_told_from_a_sample() {
    let (x, y) = (&[1.0, 2.0], &[2.0, 4.0]);
    // A name that is asked for makes a header, even among names that are numbers.
    let content = "country,2019,2020\nfr,1,2\nde,2,4\n";
    assert_reads(open(content, Some("2019"), Some("2020")), x, y);
    let header = Layout {
        header: Some(true),
        ..PLAIN
    };
    assert_reads(open_as(content, header), x, y);
    // But not where the number is a position.
    assert_reads(
        open("2,1\n1,2\n", Some("2"), Some("1")),
        &[1.0, 2.0],
        &[2.0, 1.0],
    );
    // Values that are missing are no names.
    let text = refusal(open("nan,nan\n1,2\n2,4\n", None, None));
    assert!(text.contains("line 1, column 1: \"nan\""), "{text}");
    for missing in ["", "null", "N/A", "?"] {
        let text = refusal(open(format!("{missing},{missing}\n1,2\n2,4\n"), None, None));
        assert!(
            text.contains(&format!("line 1, column 1: {missing:?}")),
            "{text}"
        );
    }
    // A number that is asked for, in a file of nothing but numbers, is a position that is not there.
    let text = refusal(open("5,1\n6,2\n7,4\n", Some("5"), None));
    assert!(text.contains("no column \"5\""), "{text}");
    let text = refusal(open("year,2020\n1,2\n2,4\n", None, None));
    assert!(text.contains("--header yes"), "{text}");
    let no_header = Layout {
        header: Some(false),
        ..PLAIN
    };
    let text = refusal(open_as("NA,NA\n1,2\n2,4\n", no_header));
    assert!(text.contains("line 1, column 1: \"NA\""), "{text}");
}

#[test]
fn it_reads_what_programs_write() {
    let (x, y) = (&[1.0, 3.0], &[2.0, 4.0]);
    // CRLF; a byte-order mark; quotes, also around a separator and a line end; spaces; signs.
    assert_reads(open("x,y\r\n1,2\r\n3,4\r\n", None, None), x, y);
    assert_reads(open("\u{feff}x,y\n1,2\n3,4\n", Some("x"), Some("y")), x, y);
    assert_reads(open("\u{feff}1,2\n3,4\n", None, None), x, y);
    assert_reads(
        open(
            "\u{feff}\"x\",\"y\"\r\n\"1\",\"2\"\r\n\"3\",\"4\"",
            Some("x"),
            None,
        ),
        x,
        y,
    );
    let content = "\"a, b\",x,y\n\"one\ntwo\",1,2\n\"say \"\"hi\"\"\",3,4\n";
    assert_reads(open(content, Some("x"), Some("y")), x, y);
    assert_reads(
        open(" x , y \n 1 , 2 \n 3 , 4 \n\n", Some("x"), Some("y")),
        x,
        y,
    );
    assert_reads(open("x,y\n+1,2.\n3e0,.4E1\n", None, None), x, y);
    assert_reads(open_as("x;y\n1;2\n3;4\n", separated_by(b';')), x, y);
    assert_reads(open_as("x\ty\n1\t2\n3\t4\n", separated_by(b'\t')), x, y);
    // All digits of a double.
    let content = "x,y\n0.1,2\n123456789.123456789,4\n";
    assert_reads(open(content, None, None), &[0.1, 123_456_789.123_456_79], y);
}

#[test]
fn a_file_of_several_blocks_is_read_to_its_end() {
    let n = 200_003;
    let mut content = String::from("i,note,square\r\n");
    for i in 0..n {
        let note = if i % 1000 == 0 { "\"two\nlines\"" } else { "-" };
        content += &format!("{i},{note},{}\r\n", i * i);
    }
    let csv = open(content, Some("i"), Some("square")).unwrap();
    assert_eq!(csv.samples(), n);
    let samples = all(&csv);
    assert!(samples.x.iter().enumerate().all(|(i, x)| *x == i as f64));
    assert!(samples.x.iter().zip(&samples.y).all(|(x, y)| *y == x * x));
}

#[test]
fn a_value_that_is_no_finite_number_is_named() {
    for bad in ["abc", "", "nan", "inf", "1,2", "0x10", "1e400"] {
        let text = refusal(open(
            format!("t,load\n1,2\n3,\"{bad}\"\n5,6\n"),
            Some("t"),
            Some("load"),
        ));
        assert!(text.contains("line 3"), "{text}");
        assert!(text.contains("\"load\""), "{text}");
        assert!(
            text.contains(&format!("{bad:?} is not a finite number")),
            "{text}"
        );
    }
    // A few bad values don't make the column another kind of column.
    let text = refusal(open("1,2\n3,x\n5,6\n", None, None));
    assert!(text.contains("line 2, column 2: \"x\""), "{text}");
    let text = refusal(open("a,b\n1,2\n3,1e39\n", None, None));
    assert!(
        text.contains("line 3") && text.contains("beyond the range of f32"),
        "{text}"
    );
    // Lines are those of an editor, whatever ends them and whatever is in quotes.
    let text = refusal(open(
        "n,a,b\r\n\"x\r\ny\",1,2\r\n,3,4\r\n,5,?\r\n",
        Some("a"),
        Some("b"),
    ));
    assert!(text.contains("line 5"), "{text}");
}

#[test]
fn columns_that_are_not_there_are_listed() {
    let content = "time,load,speed\n1,2,3\n4,5,6\n";
    for wanted in ["sped", "0", "4", "-1"] {
        let text = refusal(open(content, Some(wanted), Some("load")));
        assert!(text.contains(&format!("{wanted:?}")), "{text}");
        assert!(
            text.contains("1 \"time\", 2 \"load\", 3 \"speed\""),
            "{text}"
        );
    }
    let text = refusal(open(content, None, None));
    assert!(
        text.contains("--x and --y") && text.contains("\"speed\""),
        "{text}"
    );
    let text = refusal(open("name,a\nann,1\nbob,2\n", None, None));
    assert!(text.contains("1 \"name\" (not numeric)"), "{text}");
    let text = refusal(open("a,a,b\n1,2,3\n4,5,6\n", Some("a"), Some("b")));
    assert!(text.contains("more than one column \"a\""), "{text}");
    let text = refusal(open("a\n1\n3\n", None, None));
    assert!(text.contains("one column"), "{text}");
    let many: String = (0..5000).map(|i| format!("column{i},")).collect();
    let text = refusal(open(
        format!("{many}x\n1{}\n", ",2".repeat(5000)),
        None,
        None,
    ));
    assert!(text.contains("and 4981 more"), "{text}");
    let same = open(content, Some("load"), Some("2"));
    assert!(matches!(same, Err(Error::Usage(_))), "{same:?}");
}

#[test]
fn other_separators_are_suspected() {
    for (content, name) in [
        ("a;b\n1;2\n3;4\n", "';'"),
        ("1,5;2,5\n2,5;4,5\n3,5;6,6\n", "';'"),
        ("a\tb\n1\t2\n3\t4\n", "tab"),
        ("a|b\n1|2\n3|4\n", "'|'"),
    ] {
        let text = refusal(open(content, None, None));
        assert!(text.contains(&format!("--delimiter {name}")), "{text}");
    }
    // A separator that was asked for is believed.
    let content = "\"a;b\",c\n1,2\n3,4\n";
    assert_reads(
        open_as(content, separated_by(b',')),
        &[1.0, 3.0],
        &[2.0, 4.0],
    );
    let text = refusal(open_as("a;b\n1;2\n3;4,5\n", separated_by(b';')));
    assert!(text.contains("decimals with a point"), "{text}");
    // One in a header alone means nothing.
    let content = "a|b,c\n1,2\n3,4\n";
    assert_reads(open(content, None, None), &[1.0, 3.0], &[2.0, 4.0]);
}

#[test]
fn a_column_whose_digits_f32_loses_is_noticed() {
    let with = |x: [f64; 3], y: [f64; 3]| {
        let lines = x.iter().zip(y).map(|(x, y)| format!("{x},{y}\n"));
        open(lines.collect::<String>(), None, None).unwrap()
    };
    let small = [0.0, 1.0, 2.0];
    assert!(with(small, small).notices().is_empty());
    // Seconds of half an hour: f32 has steps of 128 there.
    let csv = with([1.7e9, 1.7e9 + 900.0, 1.7e9 + 1800.0], small);
    let [notice] = csv.notices() else {
        panic!("{:?}", csv.notices());
    };
    assert!(
        notice.contains("column 1 runs from 1700000000.0 to 1700001800.0"),
        "{notice}"
    );
    assert!(notice.contains("steps of 128.0"), "{notice}");
    assert_eq!(with(small, [1e9, 1e9 + 3.0, 1e9 + 6.0]).notices().len(), 1);
    let csv = with(small, [-3.4028235e38, -3.4028234e38, -3.4028235e38]);
    assert!(!csv.notices()[0].contains("inf"), "{:?}", csv.notices());
}

#[test]
fn data_without_a_line_are_refused() {
    assert!(refusal(open("", None, None)).contains("0 samples"));
    assert!(refusal(open("a,b\n", None, None)).contains("0 samples"));
    let header = Layout {
        header: Some(true),
        ..PLAIN
    };
    assert!(refusal(open_as("", header)).contains("0 samples"));
    assert!(refusal(open("a,b\n", Some("a"), Some("b"))).contains("0 samples"));
    assert!(refusal(open("a,b\n1,2\n", None, None)).contains("1 sample;"));
    let text = refusal(open("a,b\n7.5,2\n7.5,3\n7.5,4\n", None, None));
    assert!(
        text.contains("column \"a\" is 7.5 in every sample"),
        "{text}"
    );
    // Seconds of one minute, told apart by f64 and not by f32.
    let text = refusal(open("a,b\n1700000000,2\n1700000030,3\n", None, None));
    assert!(text.contains("f32"), "{text}");
}

#[test]
fn broken_files_are_refused() {
    let text = refusal(open("a,b\n1,2\n3\n", None, None));
    assert!(
        text.contains("line 3") && text.contains("1 column,"),
        "{text}"
    );
    let text = refusal(open(b"\xff\xfea\0,\0b\0\n\0", None, None));
    assert!(text.contains("UTF-16"), "{text}");
    let text = refusal(open(b"\x1f\x8b\x08\0\0\0", None, None));
    assert!(text.contains("compressed"), "{text}");
    let text = refusal(open(b"\0\x01,\x02\n", None, None));
    assert!(text.contains("no text file"), "{text}");
    for first in ["# made by hand", "sep=,", "My table"] {
        let text = refusal(open(format!("{first}\nx,y\n1,2\n3,4\n"), None, None));
        assert!(
            text.contains("starts with a line that is not of its table"),
            "{text}"
        );
    }
    let missing = Csv::open(Path::new("no/such.csv"), PLAIN, &|_| {});
    assert!(matches!(missing, Err(Error::Io { .. })), "{missing:?}");
    let folder = Csv::open(Path::new("src"), PLAIN, &|_| {});
    assert!(matches!(folder, Err(Error::Io { .. })), "{folder:?}");
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let file = file("a,b\n1,2\n3,4\n5,6\n");
    let csv = Csv::open(file.path(), PLAIN, &|_| {}).unwrap();
    std::fs::write(file.path(), "a,b\n1,2\n").unwrap();
    let read = csv.read(0, &mut Default::default());
    assert!(matches!(read, Err(Error::Data(text)) if text.contains("changed")));
}
