//! Reading in chunks, checked against the csv crate reading the text as a whole.

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::data::{BLOCK, Block};

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
    counts: BTreeMap<Reason, u64>,
    /// The line of the first bad record.
    first: Option<u64>,
}

/// The text of a file, and the columns to read.
#[derive(Clone, Debug)]
struct Text {
    bytes: Vec<u8>,
    shape: RecordShape,
}

/// Returns the line of a row.
fn line(error: &RowError) -> u64 {
    match error.row {
        Row::Line(line) => line,
        Row::Row(_) => panic!("{error:?}"),
    }
}

/// Reads a text in chunks.
fn in_chunks(text: &Text, sizes: ReadSizes, at_once: usize) -> Outcome {
    let position = |index: usize| (index + 1).to_string();
    let (x, y) = (position(text.shape.x), text.shape.y.map(position));
    let open = |skip_bad| {
        let request = Request {
            x: Some(&x),
            y: y.as_deref(),
            x_alone: y.is_none(),
            delimiter: Some(text.shape.delimiter),
            header: Some(false),
            skip_bad,
        };
        let text = io::Cursor::new(text.bytes.clone());
        let text = Box::new(Dribble { text, at_once });
        read_in_chunks("text", text, &request, sizes)
    };
    let opened = open(true).unwrap();
    assert!(opened.source.samples() < BLOCK as u64);
    let mut block = Block::default();
    opened.source.read(0, &mut block).unwrap();
    let first = opened.skipped.first.as_ref().map(line);
    // If bad records are errors, the first of them is returned.
    let refused = open(false).err().map(|error| match error {
        Error::Row(row) => line(&row),
        other => panic!("{other:?}"),
    });
    assert_eq!(refused, first);
    Outcome {
        x: block.x,
        y: block.y,
        counts: opened.skipped.counts,
        first,
    }
}

/// Returns the line, from 1, of the record that starts at byte `start`. Line ends at its front are not part of it.
fn line_of(text: &[u8], start: usize) -> u64 {
    let (mut line, mut before) = (1, 0);
    for (at, &byte) in text.iter().enumerate() {
        let ends = matches!(byte, b'\r' | b'\n');
        if at >= start && !ends {
            break;
        }
        line += u64::from(ends && (before, byte) != (b'\r', b'\n'));
        before = byte;
    }
    line
}

/// Reads a text with the csv crate, as a whole.
fn as_a_whole(text: &Text) -> Outcome {
    let mut outcome = Outcome::default();
    let shape = text.shape;
    for record in reader(&text.bytes[..], shape.delimiter).into_byte_records() {
        let record = record.unwrap();
        let sample = if record.len() == shape.width {
            let y = shape.y.map(|y| parse::value(&record[y]));
            parse::value(&record[shape.x]).and_then(|x| Ok((x, y.unwrap_or(Ok(0.0))?)))
        } else {
            Err(Reason::Fields)
        };
        match sample {
            Ok((x, y)) => {
                outcome.x.push(x);
                outcome.y.push(y);
            }
            Err(reason) => {
                *outcome.counts.entry(reason).or_default() += 1;
                let start = record.position().unwrap().byte() as usize;
                outcome.first.get_or_insert(line_of(&text.bytes, start));
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

fn text(pieces: &[&str], shape: RecordShape, seed: u64) -> Text {
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
    let delimiters = prop::sample::select(&b",,,;\t e.1-"[..]);
    let shapes = (3..12_usize, delimiters).prop_flat_map(|(width, delimiter)| {
        (0..width, 0..width).prop_map(move |(x, y)| RecordShape {
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
        let sizes = ReadSizes { records: 2, head, chunk };
        let chunked = in_chunks(&text, sizes, at_once);
        prop_assert_eq!(chunked, as_a_whole(&text));
    }
}

/// Chunks without quotes are not left to the csv crate, or the test above would compare it with itself.
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
        assert_eq!(parse::value(text.as_bytes()), Ok(number));
        let line = format!("0,{text}\n").repeat(2);
        let opened = read("text", Box::new(io::Cursor::new(line)), &Request::default()).unwrap();
        let mut block = Block::default();
        opened.source.read(0, &mut block).unwrap();
        assert_eq!(block.y, [number; 2]);
    }
}
