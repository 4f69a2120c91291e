//! Signs that a text is no table, and its encoding.

use std::io::{self, Cursor, Read};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::error::Error;
use crate::table::kind::READABLE;

/// The bytes that tell what a text is.
pub const HEAD: usize = 1 << 12;

/// Returns a text in UTF-8 without a byte-order mark, and the encoding that it was in if that is another one.
///
/// # Errors
/// [`Error::Io`] if it can't be read. [`Error::Data`] with the format that it shows, if it is no text of a table.
pub fn decoded<'a>(
    name: &str,
    mut text: Box<dyn Read + Send + 'a>,
) -> Result<(Box<dyn Read + Send + 'a>, Option<&'static str>), Error> {
    let mut head = Vec::new();
    text.by_ref()
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(Error::cannot_read(name))?;
    let encoding = encoding(&head);
    let is_utf_8 = encoding.is_none_or(|encoding| encoding == encoding_rs::UTF_8);
    if is_utf_8 {
        other_content(name, &head)?;
    }
    let text: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(text));
    if encoding.is_none() {
        return Ok((text, None));
    }
    let decoded = DecodeReaderBytesBuilder::new()
        .encoding(encoding)
        .strip_bom(true)
        .build(text);
    Ok((
        Box::new(decoded),
        encoding.map(Encoding::name).filter(|_| !is_utf_8),
    ))
}

/// Returns the encoding that the first bytes of a text show, if they show one: the others are UTF-8, or nearly.
fn encoding(head: &[u8]) -> Option<&'static Encoding> {
    match Encoding::for_bom(head) {
        Some((encoding, _)) => Some(encoding),
        None => utf_16(head),
    }
}

/// Returns whether a text with these first bytes, [`HEAD`] of them or all, is read as it is, but for a byte-order mark.
pub fn is_utf_8(head: &[u8]) -> bool {
    encoding(head).is_none_or(|encoding| encoding == encoding_rs::UTF_8)
}

/// Returns the byte order of a text in UTF-16 without a mark: nearly all letters of a table have a byte of 0.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.as_chunks::<2>().0;
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let many = pairs.len() >= 2;
    if many && 10 * second >= 9 * pairs.len() && 10 * first <= pairs.len() {
        Some(UTF_16LE)
    } else if many && 10 * first >= 9 * pairs.len() && 10 * second <= pairs.len() {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Checks that the first bytes of a file are text of a table.
fn other_content(name: &str, head: &[u8]) -> Result<(), Error> {
    let end = head
        .iter()
        .rposition(|byte| !matches!(byte, 0 | 0x1a))
        .map_or(0, |at| at + 1);
    // Bytes of 0 may pad the end of a text.
    let text = &head[..end];
    // A text has few control characters; in other data they are a tenth of the bytes.
    let controls = text
        .iter()
        .filter(|byte| matches!(byte, 1..=8 | 14..=31))
        .count();
    let start = text.trim_ascii_start();
    let begins = |mark: &str| {
        let begin = start.get(..mark.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(mark.as_bytes()))
    };
    let mut bytes = start.iter().filter(|byte| !byte.is_ascii_whitespace());
    let json = match (bytes.next(), bytes.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => true,
        // `[time],[load]` is a header.
        (Some(b'['), Some(next)) => b"[{\"-0123456789".contains(next),
        _ => false,
    };
    let only_padding = text.is_empty() && head.len() == HEAD;
    let problem = if only_padding || text.contains(&0) || 20 * controls > text.len() {
        format!("is not a text file; {READABLE}")
    } else if begins("version https://git-lfs") {
        "is a pointer of Git LFS, not the file itself: `git lfs pull` fetches that".to_owned()
    } else if json {
        format!("seems to be JSON; {READABLE}")
    } else if begins("<!doctype") || begins("<html") || begins("<?xml") {
        format!("seems to be a web page or XML; {READABLE}")
    } else {
        return Ok(());
    };
    Err(Error::Data(format!("{name} {problem}")))
}

/// Reads the first lines of a text: at least so many bytes and so many lines, or all. Returns them and whether they are all.
pub fn first_lines(
    text: &mut impl Read,
    bytes: usize,
    lines: usize,
    most: usize,
) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    let mut size = bytes;
    loop {
        let wanted = (size - head.len()) as u64;
        let ended = (text.by_ref().take(wanted).read_to_end(&mut head)? as u64) < wanted;
        let ends = memchr::memchr2_iter(b'\n', b'\r', &head).count();
        if ended || ends > lines || size >= most {
            return Ok((head, ended));
        }
        size *= 2;
    }
}
