//! Text files as programs and people write them.

use crate::common::{self, text};
use std::collections::BTreeMap;
use std::path::Path;

use common::all;
use fall_line::error::{Delimiter, Error, Reason, Row, RowError, Setting, TableKind};
use fall_line::table::{OpenedFile, Request};
use text::{PLAIN, assert_reads, open, open_as, open_file, refusal, separated_by};

#[test]
fn two_numeric_columns_need_no_names() {
    assert_reads(
        open("a,b\n1,2\n3,4.5\n", None, None),
        &[1.0, 3.0],
        &[2.0, 4.5],
    );
    assert_reads(open("1,2\n3,4\n", None, None), &[1.0, 3.0], &[2.0, 4.0]);
    // A column of text is passed over, and so is an empty one.
    let content = "name,empty,a,b\nann,,1,2\nbob,,3,4\n";
    assert_reads(open(content, None, None), &[1.0, 3.0], &[2.0, 4.0]);
}

#[test]
fn columns_are_chosen_by_name_or_position() {
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
    // One is given and one is left.
    let content = "t,load\n1,2\n4,5\n";
    assert_reads(open(content, Some("load"), None), &[2.0, 5.0], &[1.0, 4.0]);
    assert_reads(open(content, None, Some("t")), &[2.0, 5.0], &[1.0, 4.0]);
}

#[test]
fn a_header_is_detected() {
    let (x, y) = (&[1.0, 2.0], &[2.0, 4.0]);
    // A name that is asked for shows a header, even among names that are numbers.
    let content = "country,2019,2020\nfr,1,2\nde,2,4\n";
    assert_reads(open(content, Some("2019"), Some("2020")), x, y);
    let header = Request {
        header: Some(true),
        ..PLAIN
    };
    assert_reads(open_as(content, header), x, y);
    // Numbers that are positions do not.
    assert_reads(
        open("2,1\n1,2\n", Some("2"), Some("1")),
        &[1.0, 2.0],
        &[2.0, 1.0],
    );
    // Missing values are not names.
    let text = refusal(open("nan,nan\n1,2\n2,4\n", None, None));
    assert!(text.contains("line 1, column 1: \"nan\""), "{text}");
    for missing in ["null", "N/A", "?"] {
        let text = refusal(open(format!("{missing},{missing}\n1,2\n2,4\n"), None, None));
        assert!(
            text.contains(&format!("line 1, column 1: {missing:?}")),
            "{text}"
        );
    }
    let text = refusal(open(",\n1,2\n2,4\n", None, None));
    assert!(
        text.contains("line 1, column 1: the value is missing"),
        "{text}"
    );
    // In a file of numbers only, a number that is asked for is a position.
    let text = refusal(open("5,1\n6,2\n7,4\n", Some("5"), None));
    assert!(text.contains("no column \"5\""), "{text}");
    let row = bad_row(open("year,2020\n1,2\n2,4\n", None, None));
    assert!(row.may_be_header(), "{row:?}");
    assert!(
        row.to_string().ends_with("; the line may name the columns"),
        "{row}"
    );
    let no_header = Request {
        header: Some(false),
        ..PLAIN
    };
    let row = bad_row(open_as("NA,NA\n1,2\n2,4\n", no_header));
    assert_eq!((row.row, &*row.text), (Row::Line(1), "\"NA\""));
}

/// pandas writes such a header for columns without names.
#[test]
fn numbers_that_count_the_columns_are_a_header_if_those_below_have_decimals() {
    let below = "0.0,38.9\n0.5,37.6\n1.0,35.9\n";
    for header in ["0,1", "1,2", "1990,1991"] {
        let opened = open(format!("{header}\n{below}"), None, None).unwrap();
        let title = opened.source.title();
        assert!(
            title.ends_with(", the first line of numbers as header"),
            "{title}"
        );
        assert_eq!(format!("{},{}", opened.x, opened.y), header);
        assert_reads(Ok(opened), &[0.0, 0.5, 1.0], &[38.9, 37.6, 35.9]);
    }
    for content in [
        format!("0,2\n{below}"),
        format!("1,0\n{below}"),
        format!("0.0,1.0\n{below}"),
        format!("0,1\n{below}2,36.5\n"),
        "0,1\n0.5,1.5\n1.5,2.5\n".to_owned(),
    ] {
        let opened = open(&content, None, None).unwrap();
        let rows = content.lines().count() as u64;
        assert_eq!(
            (opened.source.samples(), &*opened.x),
            (rows, "column 1"),
            "{content}"
        );
    }
    let no = Request {
        header: Some(false),
        ..PLAIN
    };
    let opened = open_as(format!("0,1\n{below}"), no).unwrap();
    assert_eq!(opened.source.samples(), 4);
}

/// NumPy writes such headers, and pandas does if an index is named `#`.
#[test]
fn a_comment_of_as_many_fields_is_a_header() {
    let (x, y) = (&[1.0, 2.0], &[2.0, 4.0]);
    let yes = Some(true);
    for (content, header) in [
        ("# time,load\n1,2\n2,4\n", None),
        ("#time,load\n1,2\n2,4\n", yes),
    ] {
        let opened = open_as(content, Request { header, ..PLAIN }).unwrap();
        assert_eq!([&*opened.x, &*opened.y], ["time", "load"]);
        assert_reads(Ok(opened), x, y);
        assert_reads(open(content, Some("time"), Some("load")), x, y);
    }
    let content = "#,time,load\n0,1,2\n1,2,4\n";
    assert_reads(open(content, Some("time"), Some("load")), x, y);
    assert_reads(open(content, Some("time"), Some("#")), x, &[0.0, 1.0]);
    // Brackets alone are not JSON.
    assert_reads(open("[x],[y]\n1,2\n2,4\n", None, None), x, y);
}

#[test]
fn files_of_common_programs_are_read() {
    let (x, y) = (&[1.0, 3.0], &[2.0, 4.0]);
    // CRLF, a byte-order mark, quotes (also around a delimiter and a line end), spaces and signs.
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
    // All digits of a double count.
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
    let source = open(content, Some("i"), Some("square")).unwrap().source;
    assert_eq!(source.samples(), n);
    let samples = all(&*source);
    assert!(samples.x.iter().enumerate().all(|(i, x)| *x == i as f64));
    assert!(samples.x.iter().zip(&samples.y).all(|(x, y)| *y == x * x));
}

#[test]
fn a_value_that_cannot_be_used_is_named() {
    for (bad, why) in [
        ("abc", "\"abc\" is not a number"),
        ("", "the value is missing"),
        ("n/a", "\"n/a\" stands for a missing value"),
        ("nan", "\"nan\" is not finite"),
        ("inf", "\"inf\" is not finite"),
        ("1,2", "\"1,2\" is not a number"),
        ("0x10", "\"0x10\" is not a number"),
        ("1e400", "\"1e400\" is beyond the range of f32"),
    ] {
        let text = refusal(open(
            format!("t,load\n1,2\n3,\"{bad}\"\n5,6\n"),
            Some("t"),
            Some("load"),
        ));
        assert!(text.contains("line 3"), "{text}");
        assert!(text.contains("\"load\""), "{text}");
        assert!(text.contains(&format!(": {why}")), "{text}");
    }
    // A column with a few bad values is still numeric.
    let text = refusal(open("1,2\n3,x\n5,6\n", None, None));
    assert!(text.contains("line 2, column 2: \"x\""), "{text}");
    let text = refusal(open("a,b\n1,2\n3,1e39\n", None, None));
    assert!(
        text.contains("line 3") && text.contains("beyond the range of f32"),
        "{text}"
    );
    // In a column of something else, hardly a row could be used: leaving out bad rows is not the remedy.
    for values in ["2024-01-01,2024-01-02,2024-01-03", "one,two,3"] {
        let values: String = values
            .split(',')
            .map(|value| format!("{value},1\n"))
            .collect();
        let row = bad_row(open(format!("day,a\n{values}"), Some("day"), Some("a")));
        assert_eq!(row.row, Row::Line(2));
        assert_eq!(row.column.as_deref(), Some("column \"day\""));
        let hint = "; most of the column holds text or dates: choose a column of numbers";
        assert_eq!(row.hint.as_deref(), Some(hint));
    }
    // Lines are counted as an editor does, with any line end, in quotes too.
    let text = refusal(open(
        "n,a,b\r\n\"x\r\ny\",1,2\r\n,3,4\r\n,5,?\r\n",
        Some("a"),
        Some("b"),
    ));
    assert!(text.contains("line 5"), "{text}");
}

#[test]
fn an_error_about_columns_lists_them() {
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
        text.contains("which column is x and which is y") && text.contains("\"speed\""),
        "{text}"
    );
    let text = refusal(open("name,a\nann,1\nbob,2\n", None, None));
    assert!(text.contains("1 \"name\" (not numeric)"), "{text}");
    let text = refusal(open("a,a,b\n1,2,3\n4,5,6\n", Some("a"), Some("b")));
    assert!(text.contains("more than one column \"a\""), "{text}");
    let text = refusal(open("1,2,3\n4,5,6\n", Some("time"), Some("2")));
    assert!(
        text.ends_with("no column \"time\"; its columns are, without a header: 1, 2, 3"),
        "{text}"
    );
    let text = refusal(open("a\n1\n3\n", None, None));
    assert!(text.contains("one column"), "{text}");
    // A space is not suspected to be a delimiter, but the error has what the remedy depends on.
    for (x, y) in [(None, None), (Some("a"), Some("b"))] {
        let error = open("a b\n1 2\n3 4\n", x, y).err().unwrap();
        let (Error::NoColumn { columns, .. } | Error::ColumnsNeeded { columns, .. }) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((columns.columns.len(), columns.kind), (1, TableKind::Text));
    }
    let many: String = (0..5000).map(|i| format!("column{i},")).collect();
    let text = refusal(open(
        format!("{many}x\n1{}\n", ",2".repeat(5000)),
        None,
        None,
    ));
    assert!(text.contains("and 4981 more"), "{text}");
    let same = open(content, Some("load"), Some("2"));
    let setting = Setting::Y;
    assert!(matches!(same, Err(Error::Setting { setting: is, .. }) if is == setting));
}

#[test]
fn other_delimiters_are_suspected() {
    for (content, name) in [
        ("a;b\n1;2\n3;4\n", "';'"),
        ("1,5;2,5\n2,5;4,5\n3,5;6,6\n", "';'"),
        ("a\tb\n1\t2\n3\t4\n", "tab"),
        ("a|b\n1|2\n3|4\n", "'|'"),
    ] {
        let text = refusal(open(content, None, None));
        let said = format!("seems to separate its columns by {name}, not by ','");
        assert!(text.contains(&said), "{text}");
    }
    // Decimal commas look like columns of varying number, or like columns without numbers.
    for content in ["x;y\n1,5;2,5\n2,5;4,5\n", "x;y\n1,5;2\n2;4,5\n"] {
        let error = open(content, None, None).err().unwrap();
        let Error::OtherDelimiter {
            suspected,
            decimal_commas: true,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(suspected, Delimiter(b';'));
        let text = error.to_string();
        assert!(text.contains("write decimals with commas"), "{text}");
        let text = refusal(open_as(content, separated_by(b';')));
        let said = [
            "decimal commas: write them with points",
            "decimals with a point",
        ];
        assert!(said.iter().any(|said| text.ends_with(said)), "{text}");
    }
    // A delimiter that was asked for is not doubted.
    let content = "\"a;b\",c\n1,2\n3,4\n";
    assert_reads(
        open_as(content, separated_by(b',')),
        &[1.0, 3.0],
        &[2.0, 4.0],
    );
    let text = refusal(open_as("a;b\n1;2\n3;4,5\n", separated_by(b';')));
    assert!(text.contains("decimals with a point"), "{text}");
    // A delimiter in the header alone means nothing.
    let content = "a|b,c\n1,2\n3,4\n";
    assert_reads(open(content, None, None), &[1.0, 3.0], &[2.0, 4.0]);
}

#[test]
fn too_few_samples_are_refused() {
    assert!(refusal(open("", None, None)).contains("is empty"));
    assert!(refusal(open("a,b\n", None, None)).contains("0 samples"));
    let header = Request {
        header: Some(true),
        ..PLAIN
    };
    assert!(refusal(open_as("\n", header)).contains("0 samples"));
    assert!(refusal(open("a,b\n", Some("a"), Some("b"))).contains("0 samples"));
    assert!(refusal(open("a,b\n1,2\n", None, None)).contains("1 sample;"));
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
    let text = refusal(open(b"\0\x01,\x02\n", None, None));
    assert!(text.contains("is not a text file"), "{text}");
    let garbage: Vec<u8> = (0..1000).map(|i| (1 + i * i * 7 % 251) as u8).collect();
    assert!(refusal(open(garbage, None, None)).contains("is not a text file"));
    let header = Some(true);
    for first in ["# made by hand", "sep=,", "My table"] {
        for request in [PLAIN, Request { header, ..PLAIN }] {
            let text = refusal(open_as(format!("{first}\nx,y\n1,2\n3,4\n"), request));
            assert!(
                text.contains("starts with a line that is not part of its table"),
                "{text}"
            );
        }
    }
    for json in [
        "{\"x\": [1, 2]}\n",
        "[\n  {\"x\": 1, \"y\": 2}\n]\n",
        "[[1, 2], [3, 4]]",
    ] {
        let text = refusal(open(json, None, None));
        assert!(text.contains("seems to be JSON; save it as CSV"), "{text}");
    }
    for (path, said) in [
        ("no/such.csv", "cannot read no/such.csv"),
        ("src", "cannot read src"),
    ] {
        let error = open_file(Path::new(path), PLAIN).err().unwrap();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn bad_rows_are_left_out_if_asked() {
    let content =
        "a,b,note\n1,2,\n,3,\nx,4,\n5,inf,\n6,1e39,\n7\n8,9,,\n10,NA,z\n11,12,\"two\nlines\"\n";
    let request = Request {
        x: Some("a"),
        y: Some("b"),
        skip_bad: true,
        ..PLAIN
    };
    let opened = open_as(content, request).unwrap();
    let skipped = opened.skipped.clone();
    assert_reads(Ok(opened), &[1.0, 11.0], &[2.0, 12.0]);
    let counts = [
        (Reason::Missing, 2),
        (Reason::NotANumber, 1),
        (Reason::NotFinite, 1),
        (Reason::BeyondF32, 1),
        (Reason::Fields, 2),
    ];
    assert_eq!(skipped.counts, BTreeMap::from(counts));
    let first = skipped.first.unwrap();
    assert!(
        first
            .to_string()
            .ends_with("line 3, column \"a\": the value is missing"),
        "{first}"
    );

    // If bad rows are not left out, the first one is the same error.
    let row = bad_row(open(content, Some("a"), Some("b")));
    let file = first.file.clone();
    assert_eq!(RowError { file, ..row }, first);
    let whole = open_as(
        "1,2\n3,4\n",
        Request {
            skip_bad: true,
            ..PLAIN
        },
    )
    .unwrap();
    assert_eq!(whole.skipped, Default::default());
    let few = open_as(
        "a,b\n1,2\n3,\n4,x\n",
        Request {
            skip_bad: true,
            ..PLAIN
        },
    );
    let text = refusal(few);
    assert!(
        text.contains("has 1 sample; a line needs at least two; 2 rows were left out"),
        "{text}"
    );
    assert!(text.contains("line 3, column \"b\""), "{text}");
}

/// Returns the row that an error is about.
fn bad_row(opened: Result<OpenedFile, Error>) -> RowError {
    match opened.err().expect("an error") {
        Error::Row(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_bad_line_is_named_in_a_file_of_many_chunks() {
    let mut content = String::from("i,j\r\n");
    for i in 1..400_000 {
        // About three bad lines a chunk, and blank lines, which are counted too.
        let bad = if i >= 250_000 && i % 10_000 == 0 {
            "x"
        } else {
            "1"
        };
        content += &format!("{i},{bad}\r\n{}", if i % 1000 == 0 { "\r\n" } else { "" });
    }
    let text = refusal(open(&content, None, None));
    // The header, 249 blank lines and 250,000 samples.
    assert!(text.contains("line 250250, column \"j\": \"x\""), "{text}");
    let opened = open_as(
        &content,
        Request {
            skip_bad: true,
            ..PLAIN
        },
    )
    .unwrap();
    assert_eq!(opened.source.samples(), 399_999 - 15);
    assert_eq!(
        opened.skipped.counts,
        BTreeMap::from([(Reason::NotANumber, 15)])
    );
    assert!(opened.skipped.first.unwrap().row == Row::Line(250_250));
}

#[test]
fn a_quote_that_is_never_closed_is_found() {
    // In a short file, it makes a record of too few columns.
    let text = refusal(open("x,y\n1,2\n\"3,4\n5,6\n", Some("x"), Some("y")));
    assert!(text.contains("line 3: 1 column,"), "{text}");
    // A quote within a field is an ordinary character.
    assert_reads(
        open("n,x,y\n5\",1,2\n6\",3,4\n", Some("x"), Some("y")),
        &[1.0, 3.0],
        &[2.0, 4.0],
    );
    // A long file is not read to its end.
    let content = format!("x,y\n1,2\n\n\"3,4\n{}", "5,6\n".repeat(5_000_000));
    let text = refusal(open(content, Some("x"), Some("y")));
    assert!(
        text.contains("line 4: a record of more than 16 MB"),
        "{text}"
    );
}
