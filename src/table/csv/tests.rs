//! Reading in chunks, checked against reading the text as a whole, letter by letter.

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::value::Numbers;
use super::*;
use crate::data::{BLOCK, Block, Source};

/// A reader that yields a few bytes at a time.
struct Dribble {
    text: io::Cursor<Vec<u8>>,
    at_once: usize,
}

impl Read for Dribble {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.at_once);
        self.text.read(&mut bytes[..length])
    }
}

/// The result of reading a text.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Rows left out, by reason, and the line of the first of each.
    skipped: BTreeMap<Reason, (u64, u64)>,
    /// The reason of the record that ends the reading, and its line.
    refused: Option<(Reason, u64)>,
}

/// The positions of the columns of a text.
#[derive(Clone, Copy, Debug)]
struct Shape {
    delimiter: u8,
    width: usize,
    x: usize,
    y: Option<usize>,
}

/// The text of a file, and the columns to read.
#[derive(Clone, Debug)]
struct Text {
    bytes: Vec<u8>,
    shape: Shape,
}

/// Returns the line of a row.
fn line(error: &RowError) -> u64 {
    match error.row {
        Row::Line(line) => line,
        Row::Row(_) => panic!("{error:?}"),
    }
}

/// Reads a text in chunks.
fn in_chunks(text: &Text, sizes: ReadSizes, at_once: usize, skip_bad: bool) -> Outcome {
    let position = |index: usize| (index + 1).to_string();
    let (x, y) = (position(text.shape.x), text.shape.y.map(position));
    let request = Request {
        x: Some(&x),
        y: y.as_deref(),
        x_alone: y.is_none(),
        delimiter: Some(text.shape.delimiter),
        header: Some(false),
        comment: Some("//"),
        decimal: Some(b'.'),
        skip_bad,
        ..Request::default()
    };
    let bytes = io::Cursor::new(text.bytes.clone());
    let dribble = Box::new(Dribble {
        text: bytes,
        at_once,
    });
    let mut store = Store::default();
    let read = match read_in_chunks("text", dribble, &request, sizes, &mut store) {
        Ok(read) => read,
        Err(Error::Row(row)) => {
            return Outcome {
                refused: Some((row.reason, line(&row))),
                ..Outcome::default()
            };
        }
        Err(other) => panic!("{other:?}"),
    };
    assert!(store.samples() < BLOCK as u64);
    let mut block = Block::default();
    store.read(0, &mut block).unwrap();
    let skipped = read.skipped.by_reason.into_iter();
    Outcome {
        x: block.x,
        y: block.y,
        skipped: skipped
            .map(|(reason, (rows, first))| (reason, (rows, line(&first))))
            .collect(),
        refused: None,
    }
}

/// A record taken apart letter by letter: its fields, or none if its quotes are not those of CSV.
struct Letters {
    fields: Option<Vec<(Vec<u8>, bool)>>,
    line: u64,
}

/// Takes a text apart letter by letter, up to the first record whose quotes are not those of CSV.
fn letter_by_letter(text: &[u8], delimiter: u8) -> Vec<Letters> {
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b'\r' | b'\n'));
    let (mut records, mut at, mut line) = (Vec::new(), 0, 1);
    let pass = |at: &mut usize, line: &mut u64| {
        let pair = text[*at..].starts_with(b"\r\n");
        *at += if pair { 2 } else { 1 };
        *line += 1;
    };
    while at < text.len() {
        let blank = text[at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t') && **byte != delimiter)
            .count();
        if ends(text.get(at + blank)) {
            at += blank;
            if at < text.len() {
                pass(&mut at, &mut line);
            }
            continue;
        }
        let start = line;
        let mut fields = Some(Vec::new());
        loop {
            let mut field = Vec::new();
            let quoted = text.get(at) == Some(&b'"');
            if quoted {
                at += 1;
                loop {
                    match text.get(at) {
                        None => {
                            fields = None;
                            break;
                        }
                        Some(b'"') if text.get(at + 1) == Some(&b'"') => {
                            field.extend(b"\"\"");
                            at += 2;
                        }
                        Some(b'"') => {
                            at += 1;
                            break;
                        }
                        Some(byte) => {
                            field.push(*byte);
                            if ends(Some(byte)) {
                                pass(&mut at, &mut line);
                            } else {
                                at += 1;
                            }
                        }
                    }
                }
                while text.get(at) == Some(&b' ') && delimiter != b' ' {
                    at += 1;
                }
                if !ends(text.get(at)) && text[at] != delimiter {
                    fields = None;
                }
            } else {
                while !ends(text.get(at)) && text[at] != delimiter {
                    field.push(text[at]);
                    at += 1;
                }
            }
            match &mut fields {
                Some(fields) => fields.push((field, quoted)),
                None => {
                    records.push(Letters {
                        fields,
                        line: start,
                    });
                    return records;
                }
            }
            if ends(text.get(at)) {
                break;
            }
            at += 1;
        }
        records.push(Letters {
            fields,
            line: start,
        });
    }
    records
}

/// Reads a text letter by letter.
fn as_a_whole(text: &Text, skip_bad: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let shape = text.shape;
    let written = Written::Numbers(Numbers {
        decimal: b'.',
        grouped: true,
    });
    for record in letter_by_letter(&text.bytes, shape.delimiter) {
        let value = |fields: &[(Vec<u8>, bool)], at: usize| {
            let (field, quoted) = &fields[at];
            if *quoted && field.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(Reason::Quotes);
            }
            written.value(field, &Missing::default())
        };
        let sample = match &record.fields {
            None => Err(Reason::Quotes),
            // A number in quotes over several lines is seen before the number of fields.
            Some(fields) => {
                let at = |at: Option<usize>| at.filter(|at| *at < fields.len());
                let x = at(Some(shape.x)).map(|at| value(fields, at));
                let y = at(shape.y).map(|at| value(fields, at));
                match (x, y) {
                    (Some(Err(Reason::Quotes)), _) | (_, Some(Err(Reason::Quotes))) => {
                        Err(Reason::Quotes)
                    }
                    _ if fields.len() != shape.width => Err(Reason::Fields),
                    (Some(Err(Reason::Missing)), Some(Err(y))) => Err(y),
                    (Some(x), y) => x.and_then(|x| Ok((x, y.unwrap_or(Ok(0.0))?))),
                    (None, _) => unreachable!(),
                }
            }
        };
        match sample {
            Ok((x, y)) => {
                outcome.x.push(x);
                outcome.y.push(y);
            }
            Err(reason) if reason.is_left_out(skip_bad) => {
                outcome.skipped.entry(reason).or_insert((0, record.line)).0 += 1;
            }
            Err(reason) => {
                return Outcome {
                    refused: Some((reason, record.line)),
                    ..Outcome::default()
                };
            }
        }
    }
    outcome
}

/// Pieces of texts. `D` is the delimiter, `F` a field, `Q` a quoted field, `R` a record without its line end.
const PIECES: [&str; 28] = [
    "R\n",
    "R\n",
    "R\r\n",
    "R\r",
    "RD\n",
    "RDF\n",
    "D",
    "FD",
    "F\n",
    "QD",
    "QDR\n",
    "\n",
    "\r\n\r\n\n",
    "\r",
    "\"",
    "\"\"",
    "7",
    "-3e2",
    "nan",
    "1e39",
    "NA",
    "x",
    " ",
    "\u{feff}",
    "\u{feff}R\n",
    "5\"D\"\"DQ\n",
    "\"7\"8DR\n",
    "F \"2\" \r\n",
];
const FIELDS: [&str; 10] = [
    "7",
    "-3",
    "2.5",
    "+.5",
    "-1e-3",
    "",
    "-",
    "x",
    "much of a text",
    " 8 ",
];
const QUOTED: [&str; 6] = [
    "7",
    "",
    "two\nlines",
    "2\r\n",
    "said \"\"",
    "\"\"\n\"\"\"\"\n\"\"D",
];

/// Returns a function that draws numbers below its argument: the same ones for a seed.
fn draws(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    }
}

fn text(pieces: &[&str], shape: Shape, seed: u64) -> Text {
    let mut draw = draws(seed);
    let delimiter = char::from(shape.delimiter).to_string();
    let record = |draw: &mut dyn FnMut(usize) -> usize| -> String {
        let fields = (0..shape.width).map(|index| {
            if index == shape.x || Some(index) == shape.y {
                FIELDS[draw(5)].to_owned()
            } else if draw(8) == 0 {
                format!("\"{}\"", QUOTED[draw(6)])
            } else {
                FIELDS[draw(10)].to_owned()
            }
        });
        fields.collect::<Vec<_>>().join("D")
    };
    // The first two records show the file's shape.
    let first = ["7"; 12][..shape.width].join("D") + "\n";
    let mut text = first.repeat(2);
    for letter in pieces.iter().flat_map(|piece| piece.chars()) {
        match letter {
            'R' => text += &record(&mut draw),
            'F' => text += FIELDS[draw(10)],
            'Q' => text += &format!("\"{}\"", QUOTED[draw(6)]),
            letter => text.push(letter),
        }
    }
    Text {
        bytes: text.replace('D', &delimiter).into_bytes(),
        shape,
    }
}

fn texts() -> impl Strategy<Value = Text> {
    // Delimiters that may be part of a number are read in another way.
    let delimiters = prop::sample::select(&b",,,;\t|e.1-"[..]);
    let shapes = (3..12_usize, delimiters).prop_flat_map(|(width, delimiter)| {
        (0..width, 0..width).prop_map(move |(x, y)| Shape {
            delimiter,
            width,
            x,
            y: (x != y).then_some(y),
        })
    });
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40);
    (pieces, shapes, any::<u64>()).prop_map(|(pieces, shape, seed)| text(&pieces, shape, seed))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn a_text_in_chunks_is_read_as_a_whole_text(
        text in texts(),
        head in 1_usize..60,
        chunk in 1_usize..200,
        at_once in 1_usize..60,
    ) {
        // Blanks before a quote are left out if the first lines have some.
        let blank_before_quote = [text.shape.delimiter, b' ', b'"'];
        prop_assume!(memchr::memmem::find(&text.bytes, &blank_before_quote).is_none());
        let sizes = ReadSizes { records: 2, head, chunk };
        for skip_bad in [false, true] {
            let chunked = in_chunks(&text, sizes, at_once, skip_bad);
            prop_assert_eq!(chunked, as_a_whole(&text, skip_bad));
        }
    }
}

#[test]
fn only_chunks_with_quotes_are_marked() {
    let text = "7,x,8\n".repeat(50) + "7,\"x\",8\n" + &"7,x,8\n".repeat(50);
    let mut splitter = Splitter::new(Box::new(io::Cursor::new(text.clone())), b',', 12);
    let mut chunks = splitter.batch(1000, usize::MAX);
    assert_eq!(chunks.iter().filter(|chunk| chunk.quotes).count(), 1);
    assert_eq!(chunks.len(), 51);
    let whole: Vec<u8> = chunks
        .iter()
        .flat_map(|chunk| chunk.bytes().to_vec())
        .collect();
    assert_eq!(whole, text.as_bytes());
    splitter.recycle(chunks.drain(..));
    assert!(splitter.error.is_none());
}

#[test]
fn a_number_is_read_as_the_nearest_double() {
    for (text, number) in [
        ("9007199254740991", 9_007_199_254_740_991.0),
        ("-9007199254740992", -9_007_199_254_740_992.0),
        ("0.1", 0.1),
        ("1.7976931348623157e30", 1.797_693_134_862_315_7e30),
        // Between two doubles; the last digit makes the upper one nearer.
        (
            "1.00000000000000011102230246251565404236316680908203126",
            1.000_000_000_000_000_2,
        ),
    ] {
        let written = Written::Numbers(Numbers::default());
        assert_eq!(
            written.value(text.as_bytes(), &Missing::default()),
            Ok(number)
        );
        let line = io::Cursor::new(format!("0,{text}\n").repeat(2));
        let mut store = Store::default();
        read("text", Box::new(line), &Request::default(), &mut store).unwrap();
        let mut block = Block::default();
        store.read(0, &mut block).unwrap();
        assert_eq!(block.y, [number; 2]);
    }
}
