//! Text files as programs and people write them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{self, text};

use common::all;
use fall_line::data::Time;
use fall_line::error::{Error, Reason, Row, RowError, Setting, TableKind};
use fall_line::table::{self, Request};
use tempfile::TempDir;
use text::{
    PLAIN, assert_reads, bad_row, left_out, open, open_as, open_file, refusal, separated_by,
};

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
    // Missing values are not names, but of a row that is left out.
    for missing in ["nan,nan", "null,", "N/A,?", ","] {
        let opened = open(format!("{missing}\n1,2\n2,4\n"), None, None).unwrap();
        assert_eq!(left_out(&opened), [(Reason::Missing, 1, Row::Line(1))]);
        assert_eq!(opened.x, "column 1");
        assert_reads(Ok(opened), x, y);
    }
    // In a file of numbers only, a number that is asked for is a position.
    let text = refusal(open("5,1\n6,2\n7,4\n", Some("5"), None));
    assert!(text.contains("no column \"5\""), "{text}");
    let row = bad_row(open("year,2020\n1,2\n2,4\n3,6\n", None, None));
    assert!(row.may_be_header(), "{row:?}");
    assert!(
        row.to_string().ends_with("; the line may name the columns"),
        "{row}"
    );
    let no_header = Request {
        header: Some(false),
        ..PLAIN
    };
    let row = bad_row(open_as("a,b\n1,2\n2,4\n", no_header));
    assert_eq!((row.row, &*row.text), (Row::Line(1), "\"a\""));
}

/// pandas writes such a header for columns without names.
#[test]
fn numbers_that_count_the_columns_are_a_header_if_those_below_have_decimals() {
    let below = "0.0,38.9\n0.5,37.6\n1.0,35.9\n";
    let opened = open(
        "shop,2019,2020\na,1.5,2.5\nb,2.5,3.5\nc,3.5,4.5\n",
        None,
        None,
    )
    .unwrap();
    assert_eq!([&*opened.x, &*opened.y], ["2019", "2020"]);
    for header in ["0,1", "1,2", "1990,1991"] {
        let opened = open(format!("{header}\n{below}"), None, None).unwrap();
        assert_eq!(opened.notes, ["the first line taken for a header"]);
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
    for (bad, why, reason) in [
        ("abc", "\"abc\" is not a number", Reason::NotANumber),
        ("inf", "\"inf\" is not finite", Reason::NotFinite),
        ("0x10", "\"0x10\" is not a number", Reason::NotANumber),
        (
            "1e400",
            "\"1e400\" is beyond the range of f64",
            Reason::BeyondF64,
        ),
        (
            "1,23",
            "\"1,23\" is a number with separators",
            Reason::Dressed,
        ),
        ("12 %", "\"12 %\" is a number with", Reason::Dressed),
        ("€ 5", "\"€ 5\" is a number with", Reason::Dressed),
        ("(5)", "\"(5)\" is a number with", Reason::Dressed),
        ("CHF 5", "\"CHF 5\" is a number with", Reason::Dressed),
        ("1 00", "\"1 00\" is a number with", Reason::Dressed),
        (
            "5\n6",
            "a quoted number runs over several lines",
            Reason::Quotes,
        ),
        ("5\" 6", "text follows a closing quote", Reason::Quotes),
    ] {
        let content = format!("t,load\n1,2.5\n3,\"{bad}\"\n5,6.5\n7,8.5\n");
        for skip_bad in [false, true] {
            let request = Request {
                x: Some("t"),
                y: Some("load"),
                skip_bad,
                ..PLAIN
            };
            let opened = open_as(&content, request);
            if reason.is_left_out(skip_bad) {
                assert_eq!(left_out(&opened.unwrap()), [(reason, 1, Row::Line(3))]);
                continue;
            }
            let text = refusal(opened);
            assert!(text.contains("line 3") && text.contains(why), "{text}");
            assert!(
                text.contains("\"load\"") || reason == Reason::Quotes,
                "{text}"
            );
        }
    }
    // A column with a few bad values is still numeric.
    let text = refusal(open("1,2\n3,x\n5,6\n", None, None));
    assert!(text.contains("line 2, column 2: \"x\""), "{text}");
    // In a column of something else, hardly a row could be used: leaving out bad rows is not the remedy.
    let row = bad_row(open("day,a\none,1\ntwo,1\n3,1\n", Some("day"), Some("a")));
    assert_eq!(row.row, Row::Line(2));
    assert_eq!(row.column.as_deref(), Some("column \"day\""));
    let hint = "; most of the column holds text: choose a column of numbers";
    assert_eq!(row.hint.as_deref(), Some(hint));
    // Lines are counted as an editor does, with any line end, in quotes too.
    let text = refusal(open(
        "n,a,b\r\n\"x\r\ny\",1,2\r\n,3,4\r\n,5,z\r\n",
        Some("a"),
        Some("b"),
    ));
    assert!(text.contains("line 5"), "{text}");
}

#[test]
fn rows_with_missing_values_are_left_out_and_counted() {
    for missing in [
        "", "n/a", "NA", "nan", "NULL", "None", "#N/A", "<NA>", "?", "-", ".", "\\N",
    ] {
        let content = format!("t,load\n1,2\n{missing},4\n3,{missing}\n5,6\n");
        let opened = open(content, None, None).unwrap();
        assert_eq!(
            left_out(&opened),
            [(Reason::Missing, 2, Row::Line(3))],
            "{missing:?}"
        );
        assert_reads(Ok(opened), &[1.0, 5.0], &[2.0, 6.0]);
    }
    // A number stands for any way to write it.
    let signs = ["-9999".to_owned(), "gone".to_owned()];
    let request = Request {
        missing: &signs,
        ..PLAIN
    };
    let opened = open_as("t,load\n1,2\n3,-9999.0\n5,-9.999e3\n6,gone\n7,8\n", request).unwrap();
    assert_eq!(left_out(&opened), [(Reason::Missing, 3, Row::Line(3))]);
    assert_reads(Ok(opened), &[1.0, 7.0], &[2.0, 8.0]);
    // A missing value excuses no other one.
    let text = refusal(open("t,load\n1,2\n,x\n3,4\n5,6\n", None, None));
    assert!(text.contains("line 3, column \"load\": \"x\""), "{text}");
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
    assert!(
        text.contains("1 \"name\" (not numeric: \"ann\"), 2 \"a\""),
        "{text}"
    );
    let text = refusal(open("a,a,b\n1,2,3\n4,5,6\n", Some("a"), Some("b")));
    assert!(text.contains("more than one column \"a\""), "{text}");
    let text = refusal(open("1,2,3\n4,5,6\n", Some("time"), Some("2")));
    assert!(
        text.ends_with("no column \"time\"; its columns are, without a header: 1, 2, 3"),
        "{text}"
    );
    let text = refusal(open("a\n1\n3\n", None, None));
    assert!(text.contains("one column"), "{text}");
    for (x, y) in [(None, None), (Some("a"), Some("b"))] {
        let error = open_as(
            "a b\n1 2\n3 4\n",
            Request {
                x,
                y,
                ..separated_by(b',')
            },
        );
        let error = error.err().unwrap();
        let (Error::NoColumn { columns, .. } | Error::ColumnsNeeded { columns, .. }) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((columns.columns.len(), columns.kind), (1, TableKind::Text));
    }
    // Names need no capitals where that is clear.
    assert_reads(
        open(content, Some("Speed"), Some("TIME")),
        &[3.0, 6.0],
        &[1.0, 4.0],
    );
    let text = refusal(open("a,A,b\n1,2,3\n4,5,6\n", Some("B"), Some("α")));
    assert!(text.contains("no column \"α\""), "{text}");
    assert_reads(
        open("a,A,b\n1,2,3\n4,5,6\n", Some("A"), Some("b")),
        &[2.0, 5.0],
        &[3.0, 6.0],
    );
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

/// Asserts that a text is read as two samples, with these notes.
fn assert_laid_out(content: impl AsRef<[u8]>, request: Request, notes: &[&str]) {
    let shown = String::from_utf8_lossy(content.as_ref()).into_owned();
    let opened = open_as(content, request).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
    assert_eq!(opened.notes, notes, "{shown:?}");
    assert_reads(Ok(opened), &[1.0, 3.0], &[2.5, 4.5]);
}

#[test]
fn separators_are_detected() {
    for (content, notes) in [
        ("a;b\n1;2.5\n3;4.5\n", &["columns separated by ';'"][..]),
        ("a\tb\n1\t2.5\n3\t4.5\n", &["columns separated by tab"]),
        ("a|b\n1|2.5\n3|4.5\n", &["columns separated by '|'"]),
        ("a b\n1 2.5\n3 4.5\n", &["columns separated by blanks"]),
        (
            "   a     b \n 1.0\t 2.5\n3.0   4.5  \n",
            &["columns separated by blanks"],
        ),
        (
            "\"a b\" c\n1 2.5\n3 4.5\n",
            &["columns separated by blanks"],
        ),
        (
            "1.0e+00 2.5e+00\n3.0e+00 4.5e+00\n",
            &["columns separated by blanks"],
        ),
        (
            "a;b\n1;2,5\n3;4,5\n",
            &["columns separated by ';'", "decimal commas"],
        ),
        (
            "1,0;2,5\n3,0;4,5\n",
            &["columns separated by ';'", "decimal commas"],
        ),
        (
            "a\tb\n1,0\t2,5\n3,0\t4,5\n",
            &["columns separated by tab", "decimal commas"],
        ),
        (
            "a b\n1,0 2,5\n3,0 4,5\n",
            &["columns separated by blanks", "decimal commas"],
        ),
        (
            "a,b\n\"1,0\",\"2,5\"\n\"3,0\",\"4,5\"\n",
            &["decimal commas"],
        ),
        (
            "sep=;\na;b\n1;2.5\n3;4.5\n",
            &["columns separated by ';'", "the first line left out"],
        ),
        ("a,b\n1,  2.5\n3,  4.5\n", &[]),
        ("a|b,c\n1,2.5\n3,4.5\n", &[]),
        ("\"a;b\",c\n1,2.5\n3,4.5\n", &[]),
    ] {
        assert_laid_out(content, PLAIN, notes);
    }
    assert_laid_out(
        "a b\n1  2.5\n3\t4.5\n",
        separated_by(b' '),
        &["columns separated by blanks"],
    );
    // Text with other separators in it.
    let content = "place;x;y\nOslo, Norway;1;2.5\nBern, in the Alps;3;4.5\n";
    assert_laid_out(content, PLAIN, &["columns separated by ';'"]);
    let content = "place,x,y\nNew York 1,1,2.5\nNew York 2,3,4.5\n";
    assert_laid_out(content, PLAIN, &[]);
    // A separator that was asked for is not doubted.
    let error = open_as("a;b\n1;2\n3;4\n", separated_by(b','))
        .err()
        .unwrap();
    assert!(matches!(error, Error::ColumnsNeeded { .. }), "{error:?}");
}

#[test]
fn decimals_and_thousands_are_told_apart_or_asked_for() {
    let read = |values: [&str; 2], decimal| {
        let content = format!("a;b\n1;{}\n3;{}\n", values[0], values[1]);
        let request = Request { decimal, ..PLAIN };
        open_as(content, request).map(|opened| all(&*opened.source).y)
    };
    for (values, decimal, wanted) in [
        (["1,5", "1.234,5"], None, [1.5, 1234.5]),
        (["1.5", "1,234.5"], None, [1.5, 1234.5]),
        (["0,123", "12"], None, [0.123, 12.0]),
        (["1,234,567", "12"], None, [1_234_567.0, 12.0]),
        (["1.234.567", "12"], None, [1_234_567.0, 12.0]),
        (["1,234", "1.5"], None, [1234.0, 1.5]),
        (["1,234", "1,5"], None, [1.234, 1.5]),
        (["1.234", "12"], None, [1.234, 12.0]),
        (["1,234", "12"], Some(b','), [1.234, 12.0]),
        (["1,234", "12"], Some(b'.'), [1234.0, 12.0]),
        (["1.0D+02", "−5"], None, [100.0, -5.0]),
        (["1,5d2", "1e3"], None, [150.0, 1000.0]),
    ] {
        assert_eq!(read(values, decimal).unwrap(), wanted, "{values:?}");
    }
    let error = read(["1,234", "12"], None).err().unwrap();
    let Error::Ambiguous(ambiguity) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(ambiguity.setting, Setting::Decimal);
    assert!(
        error
            .to_string()
            .ends_with("line 2: \"1,234\" may be 1.234 or 1234"),
        "{error}"
    );
    // Lines are those of the file, behind Excel's line too.
    let error = open("sep=;\na;b\n1;1,234\n3;5,678\n", None, None);
    let text = refusal(error);
    assert!(text.contains("line 3: \"1,234\" may be"), "{text}");
    // What the columns that are read don't say, others may.
    let content = "a;b;c\n1;1,234;0,5\n3;5,678;1,5\n";
    assert_reads(
        open(content, Some("a"), Some("b")),
        &[1.0, 3.0],
        &[1.234, 5.678],
    );
    // Below the first hundred rows, a number in another dress is an error.
    let content = format!("a;b\n{}1;1,234\n", "1;2.5\n".repeat(150));
    let row = bad_row(open(content, None, None));
    assert_eq!((row.row, row.reason), (Row::Line(152), Reason::Dressed));
    // With decimal commas no point is one.
    let content = format!("a;b\n{}1;2.5\n", "1;2,5\n".repeat(150));
    assert_eq!(bad_row(open(content, None, None)).row, Row::Line(152));
}

#[test]
fn lines_that_are_no_samples_are_left_out_and_told() {
    let rows = "1,2.5\n3,4.5\n";
    for (before, notes) in [
        (
            "# made by hand\na,b\n",
            &["lines that begin with # left out"][..],
        ),
        (
            "# made, by, hand\n\na,b\n#\n",
            &["lines that begin with # left out"],
        ),
        ("My table\na,b\n", &["line 1 left out: no samples"]),
        (
            "My table\nof 2024\n\na,b\n",
            &["lines 1, 2 left out: no samples"],
        ),
        ("a,b\nm,s\n", &["line 2 left out: no samples"]),
        (
            "Logger,7,north\na,b\nm,s\n\"\",Avg\n",
            &["lines 1, 3, 4 left out: no samples"],
        ),
        ("\n\na,b\n", &[]),
    ] {
        let content = format!("{before}{rows}");
        assert_eq!(open(&content, None, None).unwrap().x, "a", "{before:?}");
        assert_laid_out(content, PLAIN, notes);
    }
    // A name that is asked for tells the header.
    let content = format!("of,day\na,b\nm,s\n{rows}");
    let opened = open(content, Some("a"), Some("b")).unwrap();
    assert_eq!(opened.notes, ["lines 1, 3 left out: no samples"]);
    let request = Request {
        skip_lines: 2,
        ..PLAIN
    };
    assert_laid_out(
        format!("1,1\n2,2\na,b\n{rows}"),
        request,
        &["the first 2 lines left out"],
    );
    let request = Request {
        comment: Some("//"),
        ..PLAIN
    };
    let notes = &["lines that begin with // left out"];
    assert_laid_out(format!("a,b\n// 1,1\n{rows}"), request, notes);
    // A comment within the samples, and one that holds a quote.
    let notes = &["lines that begin with # left out"];
    assert_laid_out("a,b\n1,2.5\n# 2,\"3\n3,4.5\n", PLAIN, notes);
    // Where all rows begin with the mark, it is no comment.
    let content = "id,a,b\n#1,1,2.5\n#2,3,4.5\n";
    assert_laid_out(content, PLAIN, &[]);
    // The lines are those of the file.
    for (content, line) in [
        ("My table\na,b\n1,2\n3,x\n4,5\n", 4),
        ("# a\n# b\na,b\n1,2\n# c\n3,x\n4,5\n", 6),
        ("sep=;\na;b\n1;2\n3;x\n4;5\n", 4),
        ("a b\n1  2\n\n3 x\n4 5\n", 4),
    ] {
        assert_eq!(
            bad_row(open(content, None, None)).row,
            Row::Line(line),
            "{content:?}"
        );
    }
    // A line of another number of fields below the names is no unit.
    let row = bad_row(open(format!("a,b\nabc\n{rows}"), None, None));
    assert_eq!((row.row, row.reason), (Row::Line(2), Reason::Fields));
    let header = Request {
        header: Some(true),
        ..PLAIN
    };
    let row = bad_row(open_as(format!("My table\na,b\n{rows}"), header));
    assert_eq!((row.row, row.reason), (Row::Line(1), Reason::Fields));
}

#[test]
fn files_of_other_programs_are_read() {
    // R leaves out the name of the rows' names.
    assert_laid_out(
        "\"a\" \"b\"\n\"1\" 1 2.5\n\"2\" 3 4.5\n",
        Request {
            x: Some("a"),
            y: Some("b"),
            ..PLAIN
        },
        &[
            "columns separated by blanks",
            "the first column has no name",
        ],
    );
    // A separator ends the samples, or all lines.
    assert_laid_out("a,b\n1,2.5,\n3,4.5,\n", PLAIN, &[]);
    assert_laid_out("a,b,\n1,2.5,\n3,4.5,\n", PLAIN, &[]);
    // Blanks before quotes.
    assert_laid_out("a, \"b, c\"\n1, \"2.5\"\n3, \"4.5\"\n", PLAIN, &[]);
    // R's names of rows, and pandas' index, have no name.
    let notes = &[
        "columns separated by blanks",
        "the first column has no name",
    ];
    assert_laid_out("   a   b\n1  1 2.5\n2  3 4.5\n", PLAIN, notes);
    assert_laid_out(",a,b\n0,1,2.5\n1,3,4.5\n", PLAIN, &[]);
    // Blanks in a blank line, and what pads the end.
    assert_laid_out("a,b\n1,2.5\n   \n3,4.5\n \n", PLAIN, &[]);
    assert_laid_out("a,b\n1,2.5\n3,4.5\n\x1a", PLAIN, &[]);
    assert_laid_out(
        format!("a,b\n1,2.5\n3,4.5\n{}", "\0".repeat(10_000)),
        PLAIN,
        &[],
    );
    let utf_16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2], note: &str| {
        let units = "a;b\r\n1;2.5\r\n3;4.5\r\n".encode_utf16();
        let content: Vec<u8> = mark.iter().copied().chain(units.flat_map(bytes)).collect();
        assert_laid_out(content, PLAIN, &["columns separated by ';'", note]);
    };
    for mark in [&b""[..], b"\xff\xfe"] {
        utf_16(mark, u16::to_le_bytes, "encoded in UTF-16LE");
    }
    for mark in [&b""[..], b"\xfe\xff"] {
        utf_16(mark, u16::to_be_bytes, "encoded in UTF-16BE");
    }
    // Names that are not in UTF-8 are those of Windows.
    let opened = open(b"Temp\xe9rature,b\n1,2.5\n3,4.5\n", None, None).unwrap();
    assert_eq!(opened.x, "Température");
    // Booleans are 0 and 1.
    let content = "a,b\nTRUE,2.5\nfalse,4.5\n";
    assert_reads(open(content, None, None), &[1.0, 0.0], &[2.5, 4.5]);
}

#[test]
fn dates_are_days_and_times_are_seconds() {
    let day = 19_783.0; // 2024-03-01
    let read = |values: &[&str], date_format| {
        let rows: String = values
            .iter()
            .map(|value| format!("{value};1.5\n"))
            .collect();
        let request = Request {
            date_format,
            ..PLAIN
        };
        open_as(format!("when;b\n{rows}"), request)
            .map(|opened| (all(&*opened.source).x, opened.time.unwrap()))
    };
    for (values, counts, wanted) in [
        (["2024-03-01", "2024-03-03"], Time::Days, [day, day + 2.0]),
        (["2024/03/01", "2024/3/3"], Time::Days, [day, day + 2.0]),
        (["01.03.2024", "3.3.2024"], Time::Days, [day, day + 2.0]),
        (["01/03/2024", "13/03/2024"], Time::Days, [day, day + 12.0]),
        (["03/01/2024", "03/13/2024"], Time::Days, [day, day + 12.0]),
        (
            ["2024-03-01 00:00", "2024-03-01 12:30"],
            Time::Seconds,
            [0.0, 45_000.0],
        ),
        (
            ["2024-03-01T00:00:01", "2024-03-01T00:00:02.5"],
            Time::Seconds,
            [1.0, 2.5],
        ),
        (
            ["2024-03-01T00:00:00Z", "2024-03-01T02:00:00+01:00"],
            Time::Seconds,
            [0.0, 3600.0],
        ),
        (
            ["03/13/2024 06:00 AM", "03/13/2024 01:00 PM"],
            Time::Seconds,
            [12.25 * 86_400.0, 12.0 * 86_400.0 + 46_800.0],
        ),
        (
            ["01.03.2024 06:00", "01.03.2024 07:00"],
            Time::Seconds,
            [21_600.0, 25_200.0],
        ),
    ] {
        let start = if counts == Time::Seconds {
            86_400.0 * day
        } else {
            0.0
        };
        let wanted = wanted.map(|value| start + value).to_vec();
        assert_eq!(read(&values, None).unwrap(), (wanted, counts), "{values:?}");
    }
    let error = read(&["03/04/2024", "05/06/2024"], None).err().unwrap();
    let Error::Ambiguous(ambiguity) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(ambiguity.setting, Setting::DateFormat);
    assert!(
        error.to_string().ends_with(
            "line 2: \"03/04/2024\" may be 2024-04-03 (%d/%m/%Y) or 2024-03-04 (%m/%d/%Y)"
        ),
        "{error}"
    );
    let (days, _) = read(&["03/04/2024", "05/06/2024"], Some("%m/%d/%Y")).unwrap();
    assert_eq!(days, [day + 3.0, day + 66.0]);
    let (days, _) = read(&["1. Mar 24", "3. Mar 24"], Some("%d. %b %y")).unwrap();
    assert_eq!(days, [day, day + 2.0]);
    let error = read(&["2024-03-01", "2024-03-02"], Some("%Q"))
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            Error::Setting {
                setting: Setting::DateFormat,
                ..
            }
        ),
        "{error:?}"
    );
    // A day that is none, and one of another format, are errors.
    for other in ["2024-02-30", "01.03.2024", "soon"] {
        let rows = "2024-03-01;1.5\n".repeat(150);
        let row = bad_row(open(format!("when;b\n{rows}{other};1.5\n"), None, None));
        assert_eq!((row.row, row.reason), (Row::Line(152), Reason::NotANumber));
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let file = text::file("a,b\n".to_owned() + &"1,2\n3,4\n".repeat(200_000));
    let cut = AtomicBool::new(false);
    let on_load = |_| {
        if !cut.swap(true, Ordering::Relaxed) {
            fs::OpenOptions::new()
                .write(true)
                .open(file.path())
                .unwrap()
                .set_len(100_000)
                .unwrap();
        }
    };
    let error = table::open(file.path(), &PLAIN, &on_load).err().unwrap();
    assert!(
        error.to_string().contains("changed while it was read"),
        "{error}"
    );
}

#[test]
fn several_files_are_one_set() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [
        ("part-10.csv", "a,b\n1,2\n"),
        ("part-02.csv", "b;a\n4;3\n6;\n"),
        ("_SUCCESS", "no table"),
        (".part-02.csv.crc", "no table"),
        ("part-03.csv", ""),
    ] {
        fs::write(path(name), content).unwrap();
    }
    let request = Request {
        x: Some("a"),
        y: Some("b"),
        ..PLAIN
    };
    let pattern = path("part-*.csv");
    for paths in [
        vec![folder.path().to_owned()],
        vec![pattern],
        vec![path("part-02.csv"), path("part-10.csv")],
    ] {
        let opened = table::open_all(&paths, &request, &|_| {}).unwrap();
        assert_eq!(left_out(&opened), [(Reason::Missing, 1, Row::Line(3))]);
        assert_reads(Ok(opened), &[3.0, 1.0], &[4.0, 2.0]);
    }
    fs::write(path("part-04.csv"), "a,c\n1,2\n").unwrap();
    let error = table::open(folder.path(), &PLAIN, &|_| {}).err().unwrap();
    assert!(error.to_string().contains("the first file"), "{error}");
    let empty = TempDir::new().unwrap();
    let error = table::open(empty.path(), &PLAIN, &|_| {}).err().unwrap();
    assert!(error.to_string().contains("holds no files"), "{error}");
    let error = table::open(&path("*.tsv"), &PLAIN, &|_| {}).err().unwrap();
    assert!(error.to_string().contains("no file matches"), "{error}");
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
        text.contains("line 3: 1 field, where others have 2"),
        "{text}"
    );
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let text = refusal(open(lfs, None, None));
    assert!(text.contains("is a pointer of Git LFS"), "{text}");
    let text = refusal(open("<!DOCTYPE html>\n<html>a,b</html>\n", None, None));
    assert!(text.contains("a web page"), "{text}");
    let text = refusal(open(b"\0\x01,\x02\n", None, None));
    assert!(text.contains("is not a text file"), "{text}");
    let garbage: Vec<u8> = (0..1000).map(|i| (1 + i * i * 7 % 251) as u8).collect();
    assert!(refusal(open(garbage, None, None)).contains("is not a text file"));
    for json in [
        "{\"x\": [1, 2]}\n",
        "[\n  {\"x\": 1, \"y\": 2}\n]\n",
        "[[1, 2], [3, 4]]",
    ] {
        let text = refusal(open(json, None, None));
        assert!(text.contains("seems to be JSON; save it as CSV"), "{text}");
    }
    let error = open_file(Path::new("no/such.csv"), PLAIN).err().unwrap();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(
        error.to_string().contains("cannot read no/such.csv"),
        "{error}"
    );
}

#[test]
fn bad_rows_are_left_out_if_asked() {
    let content =
        "a,b,note\n1,2,\n,3,\nx,4,\n5,inf,\n6,1e309,\n7\n8,9,,\n10,NA,z\n11,12,\"two\nlines\"\n";
    let request = Request {
        x: Some("a"),
        y: Some("b"),
        skip_bad: true,
        ..PLAIN
    };
    let opened = open_as(content, request).unwrap();
    let reasons = [
        (Reason::Missing, 2, Row::Line(3)),
        (Reason::NotANumber, 1, Row::Line(4)),
        (Reason::NotFinite, 1, Row::Line(5)),
        (Reason::BeyondF64, 1, Row::Line(6)),
        (Reason::Fields, 2, Row::Line(7)),
    ];
    assert_eq!(left_out(&opened), reasons);
    let (_, first) = &opened.skipped.by_reason[&Reason::NotANumber];
    let first = RowError {
        file: "a file".to_owned(),
        ..first.clone()
    };
    assert_reads(Ok(opened), &[1.0, 11.0], &[2.0, 12.0]);
    // If bad rows are not left out, the first one but for missing values is the same error.
    let row = bad_row(open(content, Some("a"), Some("b")));
    let file = first.file.clone();
    assert_eq!(RowError { file, ..row }, first);
    let skip = Request {
        skip_bad: true,
        ..PLAIN
    };
    let whole = open_as("1,2\n3,4\n", skip).unwrap();
    assert_eq!(whole.skipped, Default::default());
    let text = refusal(open_as("a,b\n1,2\n3,\n4,x\n", skip));
    assert!(
        text.contains("has 1 sample; a line needs at least two; 2 rows were left out"),
        "{text}"
    );
    assert!(text.contains("line 3, column \"b\""), "{text}");
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
    let reasons = [(Reason::NotANumber, 15, Row::Line(250_250))];
    assert_eq!(left_out(&opened), reasons);
}

#[test]
fn a_quote_that_is_never_closed_is_found() {
    let skip_bad = true;
    for (content, line, what) in [
        (
            "x,y\n1,2\n\"3,4\n5,6\n",
            3,
            "a quote is opened and not closed",
        ),
        (
            "x,y\n1,2\n2,3\n4,\"5",
            4,
            "a quote is opened and not closed",
        ),
        (
            "n,x,y\na,1,2\n\"5 inch,3,4\nb,5,6\n6\" pipe,7,8\n",
            3,
            "text follows a closing quote",
        ),
        (
            "n,x,y\na,1,2\n\"5 inch,3,4\nb,5,6\n\"6\" pipe,7,8\n",
            3,
            "text follows a closing quote",
        ),
        (
            "x,y\n1,\"2\"3\n2,4\n3,6\n",
            2,
            "text follows a closing quote",
        ),
    ] {
        for request in [PLAIN, Request { skip_bad, ..PLAIN }] {
            let columns = Request {
                x: Some("x"),
                y: Some("y"),
                ..request
            };
            let text = refusal(open_as(content, columns));
            assert!(text.contains(&format!("line {line}: {what}")), "{text}");
        }
    }
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

/// What looks like one thing in one column, and like another beside it, is asked for or read by what is certain.
#[test]
fn columns_are_not_read_by_the_signs_of_others() {
    let both = |content: &str| open(content, Some("x"), Some("y"));
    for content in [
        "x;y;tags\n1.234;1;3,7\n3.456;3;4,7\n",
        "x,y,place\n1.234,1,\"1,2\"\n3.456,3,\"1,2\"\n",
    ] {
        let text = refusal(both(content));
        assert!(text.contains("\"1.234\" may be 1.234 or 1234"), "{text}");
        let points = Request {
            x: Some("x"),
            y: Some("y"),
            decimal: Some(b'.'),
            ..PLAIN
        };
        assert_reads(open_as(content, points), &[1.234, 3.456], &[1.0, 3.0]);
    }
    // A point before three digits alone is one before decimals, and a comma among decimal points is none.
    assert_reads(
        both("x;y\n1.234;1\n3.456;3\n"),
        &[1.234, 3.456],
        &[1.0, 3.0],
    );
    assert_reads(
        both("x;y\n1,234;1.5\n3,456;3.5\n"),
        &[1234.0, 3456.0],
        &[1.5, 3.5],
    );
    // Blanks and apostrophes can only be between thousands.
    for separator in [" ", "\u{a0}", "\u{202f}", "'", "’"] {
        let content = format!("x;y\n1;1{separator}234,5\n2;12{separator}345,5\n");
        assert_reads(both(&content), &[1.0, 2.0], &[1234.5, 12_345.5]);
        let content = content.replace(',', ".").replace(';', ",");
        assert_reads(both(&content), &[1.0, 2.0], &[1234.5, 12_345.5]);
    }
    let text = refusal(both("x,y\n0,1 234 5\n1,2 345 6\n"));
    assert!(text.contains("\"1 234 5\""), "{text}");
}

#[test]
fn short_years_and_dates_beside_bad_ones_are_dates() {
    let x_of = |content: &str| {
        let request = Request {
            x: Some("x"),
            y: Some("y"),
            skip_bad: true,
            ..PLAIN
        };
        open_as(content, request).map(|opened| (all(&*opened.source).x, opened.time))
    };
    let day = 19_792.0;
    for dates in [
        "10.03.24,11.03.24",
        "13/03/24,14/03/24",
        "03/13/24,03/14/24",
        "13-03-2024,14-03-2024",
    ] {
        let (one, other) = dates.split_once(',').unwrap();
        let (x, time) = x_of(&format!("x,y\n{one},1\n{other},2\n")).unwrap();
        let first = if dates.starts_with("10") {
            day
        } else {
            day + 3.0
        };
        assert_eq!(
            (x, time),
            (vec![first, first + 1.0], Some(Time::Days)),
            "{dates}"
        );
    }
    let many: String = (1..29)
        .map(|day| format!("2024-03-{day:02},{day}\n"))
        .collect();
    let (x, _) = x_of(&format!("x,y\n2024-02-30,0\nunknown,0\n{many}")).unwrap();
    assert_eq!(x.len(), 28);
    let text = refusal(open(format!("x,y\n{many}2024-02-30,1\n"), None, None));
    assert!(
        text.contains("line 30") && text.contains("\"2024-02-30\" is not a"),
        "{text}"
    );
    // 1 January is that in either order.
    let error = refusal(open("x,y\n1/1/2024,1\n2/1/2024,2\n", None, None));
    assert!(
        error.contains("\"2/1/2024\" may be 2024-01-02 (%d/%m/%Y)"),
        "{error}"
    );
    let by = |format| Request {
        date_format: Some(format),
        ..PLAIN
    };
    let hours = open_as(
        "x,y\n1/3/2024 9:00,1\n1/3/2024 10:00,2\n",
        by("%d/%m/%Y %-H:%M"),
    )
    .unwrap();
    assert_eq!(
        all(&*hours.source).x,
        [
            86_400.0 * day - 9.0 * 86_400.0 + 32_400.0,
            86_400.0 * day - 9.0 * 86_400.0 + 36_000.0
        ]
    );
    let text = refusal(open_as("x,y\n13/02/2024,1\n14/02/2024,2\n", by("%m/%d/%Y")));
    assert!(text.contains("\"13/02/2024\""), "{text}");
    for format in ["nonsense", "%Y-%m", "%H:%M", "%Y-%m-%d %H:%M %Z"] {
        let request = Request {
            date_format: Some(format),
            ..PLAIN
        };
        let error = open_as("x,y\n2024-03-01,1\n2024-03-02,2\n", request)
            .err()
            .unwrap();
        let is_format = |setting| setting == Setting::DateFormat;
        assert!(
            matches!(error, Error::Setting { setting, .. } if is_format(setting)),
            "{format}"
        );
    }
}

#[test]
fn names_below_a_loggers_settings_are_found() {
    let rows = "x,y\n1,2.5\n3,4.5\n5,6.5\n";
    let settings = "Device,LOG-5\nSerial,12345\nInterval,10\n\n";
    for (x, y) in [(None, None), (Some("x"), Some("y"))] {
        let opened = open(format!("{settings}{rows}"), x, y);
        assert_reads(opened, &[1.0, 3.0, 5.0], &[2.5, 4.5, 6.5]);
    }
    // Names that stand again among samples are an error.
    let text = refusal(open(format!("{rows}{rows}"), None, None));
    assert!(text.contains("line 5") && text.contains("\"x\""), "{text}");
    // psql, MySQL and Markdown draw their tables.
    for table in [
        " x | y \n---+-----\n 1 | 2.5\n 3 | 4.5\n",
        "+---+-----+\n| x | y   |\n+---+-----+\n| 1 | 2.5 |\n| 3 | 4.5 |\n+---+-----+\n",
        "| x | y   |\n|---|:----|\n| 1 | 2.5 |\n| 3 | 4.5 |\n",
    ] {
        assert_reads(open(table, Some("x"), Some("y")), &[1.0, 3.0], &[2.5, 4.5]);
    }
    // A header one name short is R's if the first column names rows, and else a mistake.
    let named = open(
        "\"x\",\"y\"\n\"1\",2,2.5\n\"2\",3,4.5\n",
        Some("x"),
        Some("y"),
    );
    assert_reads(named, &[2.0, 3.0], &[2.5, 4.5]);
    for content in [
        "x,y\n1,7,2\n2,4,4\n3,5,5\n",
        "x,y\n0,1.1,\n1,2.4,ok\n2,4.1,\n",
        "x,y\n0,1.1,2.2\n1,2.1,3.2\n",
    ] {
        let row = bad_row(open(content, None, None));
        assert_eq!(
            (row.row, row.reason),
            (Row::Line(1), Reason::Fields),
            "{content}"
        );
    }
}
