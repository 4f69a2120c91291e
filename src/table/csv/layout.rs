//! The layout of a text file: what separates its columns, where its samples begin, and how its columns write their values.

use csv::ByteRecord;

use super::clean::{Cleaner, Separator, is_rule};
use super::parse::{line_ends, reader};
use super::value::{Missing, TimeFormat, Written, may_be_value};
use crate::error::{Ambiguity, Error, NamedColumn, TableKind, grouped};
use crate::table::request::{ColumnChoice, Request};

use self::column::Shapes;

mod column;
mod header;

/// The separators that need no flag, besides blanks.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The first lines, in which a table that is drawn has a rule.
const MOST_ABOVE: usize = 20;
/// The largest number of columns: each takes memory, many times that of an empty field.
const MOST_COLUMNS: usize = 100_000;
/// The mark of comments that needs no flag.
const COMMENT: &str = "#";

/// How a text is laid out.
#[derive(Debug)]
pub struct Layout {
    /// What to take from the text before it is parsed.
    pub cleaner: Cleaner,
    /// The lines before the first sample.
    pub lines: u64,
    /// The columns, in the file's order.
    pub columns: Vec<NamedColumn>,
    /// True if the columns have names.
    pub has_header: bool,
    /// True if the text has no samples.
    pub is_empty: bool,
    /// What is not usual in the text, in words.
    pub notes: Vec<String>,
    /// How each column writes its values.
    written: Vec<Result<Written, Ambiguity>>,
    /// What in each column's values may be read in another way, in words.
    styles: Vec<Option<String>>,
}

impl Layout {
    /// Finds the layout of a text by its first lines, and at most so many records. `usual` is the separator that texts of this
    /// name mostly have.
    ///
    /// # Errors
    /// [`Error::Row`] for a line between the header and the first sample that is neither. [`Error::Setting`] for a format of
    /// dates that is none.
    pub fn detect(
        name: &str,
        usual: u8,
        text: &[u8],
        most: usize,
        request: &Request,
    ) -> Result<Self, Error> {
        let mut skipped = request.skip_lines;
        let mut separator = request.delimiter;
        // Excel writes such a line.
        if separator.is_none()
            && let Some([byte, b'\r' | b'\n', ..]) =
                text[offset_of_line(text, skipped)..].strip_prefix(b"sep=")
        {
            separator = Some(*byte);
            skipped += 1;
        }
        let text = &text[offset_of_line(text, skipped)..];
        let mut separators = match separator {
            Some(byte) => vec![Separator::of(byte)],
            None => {
                let others = SEPARATORS.into_iter().filter(|byte| *byte != usual);
                let bytes = [usual].into_iter().chain(others).map(Separator::Byte);
                bytes.chain([Separator::Blanks]).collect()
            }
        };
        let too_wide = |separator: &Separator| is_too_wide(text, *separator);
        if let Some(separator) = separators.iter().find(|separator| {
            // Long texts have as many blanks.
            **separator != Separator::Blanks && too_wide(separator)
        }) {
            return Err(Error::Data(format!(
                "{name} has more than {} columns, separated by {separator}: cut out those that are needed first",
                grouped(MOST_COLUMNS as u64)
            )));
        }
        separators.retain(|separator| !too_wide(separator));
        // Made anew each time: the lines of a head may be very long.
        let heads = || {
            let separators = separators.iter();
            separators.map(|&separator| Head::new(name, request, text, skipped, separator, most))
        };
        // Blanks and commas may be within numbers: the names say what separates columns.
        let is_named = heads().any(|head| head.begins_with_names());
        let best = heads()
            .filter(|head| !is_named || head.begins_with_names() || !head.lacks_names())
            .map(|head| (head.fit(), head))
            // The first of equal ones.
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        let (_, head) = best.ok_or_else(|| Error::Data(format!("{name} is empty")))?;
        let mut layout = head.layout()?;
        if skipped > 0 {
            let lines = match skipped {
                1 => "the first line left out".to_owned(),
                _ => format!("the first {skipped} lines left out"),
            };
            layout.notes.insert(0, lines);
        }
        match layout.cleaner.separator {
            Separator::Byte(byte) if byte == usual => {}
            other => layout
                .notes
                .insert(0, format!("columns separated by {other}")),
        }
        Ok(layout)
    }

    /// Returns the columns to choose from.
    pub fn columns<'a>(&'a self, file: &'a str) -> ColumnChoice<'a> {
        ColumnChoice {
            file,
            columns: &self.columns,
            unnamed: (!self.has_header).then_some("without a header"),
            kind: TableKind::Text,
        }
    }

    /// Returns how a column writes its values.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] if they may be read in two ways.
    pub fn written(&self, at: usize) -> Result<Written, Error> {
        self.written[at].clone().map_err(Error::Ambiguous)
    }

    /// Returns what in a column's values may be read in another way, in words: `decimal commas`, `dates by %d/%m/%Y`.
    pub fn style(&self, at: usize) -> Option<&str> {
        self.styles[at].as_deref()
    }
}

/// Returns whether a line has more than [`MOST_COLUMNS`] columns. Separators in quotes don't count.
fn is_too_wide(text: &[u8], separator: Separator) -> bool {
    let columns = |line: &[u8]| {
        let (mut quoted, mut before) = (false, b'"');
        let ends = line.iter().filter(|&&byte| {
            quoted ^= byte == b'"';
            let ends = !quoted
                && match separator {
                    Separator::Byte(separator) => byte == separator,
                    Separator::Blanks => {
                        matches!(byte, b' ' | b'\t') && !matches!(before, b' ' | b'\t')
                    }
                };
            before = byte;
            ends
        });
        ends.count()
    };
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines
        .filter(|line| line.len() > MOST_COLUMNS)
        .any(|line| columns(line) >= MOST_COLUMNS)
}

/// Returns the position after so many line ends.
pub fn offset_of_line(text: &[u8], line: u64) -> usize {
    let mut left = line;
    let mut at = 0;
    while left > 0 {
        let Some(end) = memchr::memchr2(b'\n', b'\r', &text[at..]) else {
            return text.len();
        };
        let pair = text[at + end..].starts_with(b"\r\n");
        at += end + 1 + usize::from(pair);
        left -= 1;
    }
    at
}

/// The first records of a text, taken apart with one separator.
struct Head<'a> {
    name: &'a str,
    request: &'a Request<'a>,
    missing: Missing,
    /// The lines without those that are skipped.
    text: &'a [u8],
    /// The number of lines that are skipped.
    skipped: u64,
    cleaner: Cleaner,
    /// The records without comments, and the number of the file's lines before each.
    records: Vec<(ByteRecord, u64)>,
    /// The number of fields of most of them.
    width: usize,
}

impl<'a> Head<'a> {
    fn new(
        name: &'a str,
        request: &'a Request<'a>,
        text: &'a [u8],
        skipped: u64,
        separator: Separator,
        most: usize,
    ) -> Self {
        let mut cleaner = Cleaner {
            comment: Some(request.comment.unwrap_or(COMMENT).to_owned()),
            rules: text
                .split(|byte| matches!(byte, b'\n' | b'\r'))
                .take(MOST_ABOVE)
                .any(is_rule),
            separator,
            blanks_before_quotes: has_blanks_before_quotes(text, separator),
        };
        let mut records = records_of(&cleaner.clean(text), separator, most);
        // Where nothing else is left, the mark is a part of the samples.
        if request.comment.is_none() && (records.len() < 2 || cleaner.comments(text) == 0) {
            cleaner.comment = None;
            records = records_of(&cleaner.clean(text), separator, most);
        }
        for (_, line) in &mut records {
            *line += skipped;
        }
        // Lines before a table don't count.
        let half = &records[records.len() / 2..];
        let count = |width| {
            half.iter()
                .filter(|(record, _)| record.len() == width)
                .count()
        };
        let widths = half.iter().map(|(record, _)| record.len());
        let width = widths.max_by_key(|width| (count(*width), *width));
        let width = width.unwrap_or(0);
        Head {
            name,
            request,
            missing: Missing::new(request.missing),
            text,
            skipped,
            cleaner,
            records,
            width,
        }
    }

    /// Returns whether a record has a name for each column.
    fn is_of_names(&self, (record, _): &(ByteRecord, u64)) -> bool {
        let is_name = |field: &[u8]| !self.missing.has_text(field) && !may_be_value(field);
        self.width > 1 && record.len() == self.width && record.iter().all(is_name)
    }

    /// Returns whether the first record has the names, between separators that are no blanks.
    fn begins_with_names(&self) -> bool {
        let is_first = self
            .records
            .first()
            .is_some_and(|first| self.is_of_names(first));
        is_first && self.cleaner.separator != Separator::Blanks
    }

    /// Returns whether the first record is one field, and none of the others has the names.
    fn lacks_names(&self) -> bool {
        let is_one = self
            .records
            .first()
            .is_some_and(|(record, _)| record.len() == 1);
        is_one && !self.records.iter().any(|record| self.is_of_names(record))
    }

    /// Returns the share of fields that are values, if the records have enough columns, and 0 otherwise.
    fn fit(&self) -> f64 {
        let least = if self.request.x_alone { 1 } else { 2 };
        if self.width < least {
            return 0.0;
        }
        let (mut values, mut filled) = (0.0, 0.0);
        for (record, _) in self.records.iter().skip(1) {
            for field in record.iter().filter(|field| !self.missing.has_text(field)) {
                filled += 1.0;
                if record.len() == self.width && may_be_value(field) {
                    values += 1.0;
                }
            }
        }
        if filled == 0.0 { 0.0 } else { values / filled }
    }

    fn layout(self) -> Result<Layout, Error> {
        let format = self.request.date_format.map(TimeFormat::new).transpose()?;
        let columns = |from: usize| {
            let shapes: Vec<Shapes> = (0..self.width)
                .map(|at| Shapes::of(&self, at, from))
                .collect();
            let all = shapes.iter().fold([0, 0], |all, one| {
                [all[0] + one.points, all[1] + one.commas]
            });
            let column = |(at, shapes): (usize, &Shapes)| {
                self.column(at, from, shapes, all, format.as_ref())
            };
            shapes.iter().enumerate().map(column).collect::<Vec<_>>()
        };
        // The columns of values are those of the second half.
        let first = self.first_sample(&columns(self.records.len() / 2));
        let columns = columns(first);
        let mut notes = Vec::new();
        let names = self.names(first, &mut notes)?;
        if let Some(mark) = self
            .cleaner
            .comment
            .as_ref()
            .filter(|_| self.has_other_comments(first))
        {
            notes.push(format!("lines that begin with {mark} left out"));
        }
        let written = columns
            .iter()
            .filter_map(|column| column.written.as_ref().ok());
        if written.clone().any(|written| written.has_decimal_commas()) {
            notes.push("decimal commas".to_owned());
        }
        let has_unclear_points = (0..self.width).any(|at| {
            let shapes = Shapes::of(&self, at, first);
            shapes.either_point.is_some() && shapes.points == 0 && columns[at].numeric
        });
        if self.cleaner.separator == Separator::Byte(b';')
            && self.request.decimal.is_none()
            && has_unclear_points
        {
            notes.push("points before three digits taken for decimal points".to_owned());
        }
        let has_header = names.is_some();
        let names = names.unwrap_or_else(|| vec![String::new(); self.width]);
        let (mut named, mut written, mut styles) = (Vec::new(), Vec::new(), Vec::new());
        for (name, column) in names.into_iter().zip(columns) {
            named.push(NamedColumn {
                name,
                numeric: column.numeric,
                example: column.example,
            });
            written.push(column.written);
            styles.push(column.style);
        }
        Ok(Layout {
            lines: self.line(first),
            is_empty: first >= self.records.len(),
            cleaner: self.cleaner,
            columns: named,
            has_header,
            notes,
            written,
            styles,
        })
    }

    /// Returns the number of lines before a record; beyond the last one, that of all lines.
    fn line(&self, record: usize) -> u64 {
        match self.records.get(record) {
            Some((_, line)) => *line,
            None => self.skipped + line_ends(self.text) + 1,
        }
    }

    /// Returns the fields of a column that are not missing, and the lines before them, from a record on.
    fn fields(&self, at: usize, from: usize) -> impl Iterator<Item = (&[u8], u64)> + Clone {
        let records = self.records[from..].iter();
        records
            .filter(|(record, _)| record.len() == self.width)
            .map(move |(record, line)| (&record[at], *line))
            .filter(|(field, _)| !self.missing.has_text(field))
    }
}

/// Returns whether blanks stand between a separator and a quote.
fn has_blanks_before_quotes(text: &[u8], separator: Separator) -> bool {
    let Separator::Byte(byte) = separator else {
        return false;
    };
    memchr::memmem::find(text, &[byte, b' ', b'"']).is_some()
}

/// Returns the records of a cleaned text, and the number of lines before each.
fn records_of(text: &[u8], separator: Separator, most: usize) -> Vec<(ByteRecord, u64)> {
    reader(text, separator.byte())
        .into_byte_records()
        .map_while(Result::ok)
        .filter(|record| record.len() > 1 || !record.as_slice().trim_ascii().is_empty())
        .take(most)
        .map(|record| {
            let start = record.position().map_or(0, |position| position.byte()) as usize;
            // The csv crate may leave line ends at the front of a record.
            let ends = text[start..]
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let line = line_ends(&text[..start + ends.count()]);
            (record, line)
        })
        .collect()
}
