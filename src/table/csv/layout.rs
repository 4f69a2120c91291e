//! The layout of a text file: what separates its columns, where its samples begin, and how its columns write their values.

use csv::ByteRecord;

use super::clean::{Cleaner, Separator, is_rule};
use super::parse::{line_ends, reader};
use super::value::{Dates, Missing, Numbers, Shape, TimeFormat, Written, may_be_value, number};
use crate::error::{Ambiguity, Error, NamedColumn, Reason, Row, RowError, Setting, TableKind};
use crate::table::request::{ColumnChoice, Request};

/// The separators that need no flag, besides blanks.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The first lines, in which a table that is drawn has a rule.
const MOST_ABOVE: usize = 20;
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
        let separators = match separator {
            Some(byte) => vec![Separator::of(byte)],
            None => {
                let others = SEPARATORS.into_iter().filter(|byte| *byte != usual);
                let bytes = [usual].into_iter().chain(others).map(Separator::Byte);
                bytes.chain([Separator::Blanks]).collect()
            }
        };
        let heads = separators.into_iter().map(|separator| {
            let head = Head::new(name, request, text, skipped, separator, most);
            (head.fit(), head)
        });
        // Blanks and commas may be within numbers: the names say what separates columns.
        let mut heads: Vec<(f64, Head)> = heads.collect();
        let is_named = heads.iter().any(|(_, head)| head.begins_with_names());
        if is_named {
            heads.retain(|(_, head)| head.begins_with_names() || !head.lacks_names());
        }
        // The first of equal ones.
        let best = heads
            .into_iter()
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

/// What the first samples show of a column.
struct Column {
    written: Result<Written, Ambiguity>,
    /// What in the values may be read in another way.
    style: Option<String>,
    /// True if at least half of its fields that are not missing are values. The others are errors to report, not a reason to
    /// pass the column over.
    numeric: bool,
    /// The first field that is no value.
    example: Option<String>,
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

    fn column(
        &self,
        at: usize,
        from: usize,
        shapes: &Shapes,
        all: [usize; 2],
        format: Option<&TimeFormat>,
    ) -> Column {
        let fields = || self.fields(at, from).map(|(field, _)| field);
        let filled = fields().count();
        let is_written = |written: &Written, least: usize| {
            let is_value = |field: &&[u8]| written.value(field, &self.missing).is_ok();
            let values = fields().filter(is_value).count();
            values > 0 && values >= least
        };
        let found = |written: Result<Written, Ambiguity>| Column {
            style: match &written {
                Ok(Written::Numbers(numbers)) => shapes.style(*numbers),
                Ok(Written::Times(format)) => Some(format.style()),
                _ => None,
            },
            written,
            numeric: true,
            example: None,
        };
        let numbers = self.numbers(shapes, all);
        let half = filled.div_ceil(2);
        match &numbers {
            Ok(numbers) if is_written(numbers, half) => return found(Ok(numbers.clone())),
            Err(ambiguity) if 2 * shapes.numbers >= filled => return found(Err(ambiguity.clone())),
            _ => {}
        }
        if is_written(&Written::Booleans, filled) {
            return found(Ok(Written::Booleans));
        }
        if let Some(format) = format {
            let times = Written::Times(format.clone());
            if is_written(&times, half) {
                return found(Ok(times));
            }
        }
        match format.map_or_else(|| TimeFormat::detect(fields()), |_| Dates::None) {
            Dates::One(format) => return found(Ok(Written::Times(format))),
            Dates::DayOrMonth(formats) => {
                let [one, other] = &formats;
                let mut fields = self.fields(at, from);
                let differs = |(field, _): &(&[u8], u64)| one.shown(field) != other.shown(field);
                let (field, line) = fields.find(differs).unwrap_or_default();
                let readings =
                    formats.map(|format| format!("{} ({})", format.shown(field), format.text));
                return found(Err(self.ambiguity(
                    field,
                    line,
                    Setting::DateFormat,
                    readings,
                )));
            }
            Dates::None => {}
        }
        Column {
            written: numbers.or_else(|_| Ok(Written::Numbers(Numbers::default()))),
            style: None,
            numeric: false,
            example: fields()
                .find(|field| !may_be_value(field))
                .or_else(|| fields().find(|field| number(field).is_none()))
                .map(super::quoted),
        }
    }

    /// Returns how a column writes its numbers. `all` has the numbers with decimal points and with decimal commas in all
    /// columns.
    fn numbers(&self, shapes: &Shapes, all: [usize; 2]) -> Result<Written, Ambiguity> {
        let of = |decimal, grouped| Ok(Written::Numbers(Numbers { decimal, grouped }));
        if let Some(decimal) = self.request.decimal {
            return of(decimal, true);
        }
        let shows_itself = shapes.points != shapes.commas;
        let [points, commas] = if shows_itself {
            [shapes.points, shapes.commas]
        } else {
            all
        };
        let unclear = |(field, line): &(String, u64)| {
            let decimal = field.replace(',', ".");
            let whole = field.replace([',', '.'], "");
            Err(self.ambiguity(field.as_bytes(), *line, Setting::Decimal, [decimal, whole]))
        };
        match (&shapes.either_comma, &shapes.either_point) {
            (Some(comma), Some(_)) if !shows_itself => unclear(comma),
            (Some(comma), None) if points == commas => unclear(comma),
            // Other columns have decimal commas, but most points are before decimals.
            (None, Some(point)) if !shows_itself && commas > points => unclear(point),
            _ if commas > points => of(b',', true),
            (comma, _) => of(b'.', shapes.grouped || comma.is_some()),
        }
    }

    fn ambiguity(
        &self,
        field: &[u8],
        line: u64,
        setting: Setting,
        readings: [String; 2],
    ) -> Ambiguity {
        Ambiguity {
            file: self.name.to_owned(),
            line: line + 1,
            text: super::quoted(field),
            setting,
            readings,
        }
    }

    /// Returns the position of the first record that is a sample: the first with a value in a column of values, or with missing
    /// values only.
    fn first_sample(&self, columns: &[Column]) -> usize {
        let Some((record, _)) = self.records.first() else {
            return 0;
        };
        match self.request.header {
            // A comment may be the header.
            Some(true) if self.comment_above(0).is_some() => return 0,
            Some(has_header) => return usize::from(has_header),
            None => {}
        }
        let is_value = |(field, column): (&[u8], &Column)| {
            column.numeric
                && match &column.written {
                    Ok(written) => written.value(field, &self.missing).is_ok(),
                    Err(_) => may_be_value(field),
                }
        };
        let is_sample = |(record, _): &(ByteRecord, u64)| {
            record.len() == self.width && record.iter().zip(columns).any(is_value)
        };
        let mut named = usize::from(self.counts_columns() || has_asked_names(record, self.request));
        // A logger's settings may stand above the names, in as many fields.
        let below = |(record, _): &(ByteRecord, u64)| has_both_names(record, self.request);
        if let Some(at) = self.records.iter().position(below) {
            named = at + 1;
        }
        // Names may be all that there is.
        let is_name = |field: &[u8]| !self.missing.has_text(field) && !may_be_value(field);
        let of_names = || usize::from(record.iter().any(is_name));
        let first = self.records.iter().position(is_sample);
        let mut first = first.unwrap_or_else(of_names).max(named);
        let is_missing = |(record, _): &(ByteRecord, u64)| {
            record.len() == self.width && record.iter().all(|field| self.missing.has_text(field))
        };
        while first > named && is_missing(&self.records[first - 1]) {
            first -= 1;
        }
        let is_usable = |(field, column): (&[u8], &Column)| {
            !column.numeric || self.missing.has_text(field) || is_value((field, column))
        };
        let is_odd = |(record, _): &&(ByteRecord, u64)| {
            record.len() != self.width || !record.iter().zip(columns).all(is_usable)
        };
        match self
            .records
            .iter()
            .rposition(|record| self.is_of_names(record))
        {
            Some(at) if at > first && at + 1 < self.records.len() => {
                let odd = self.records[first..at].iter().filter(is_odd).count();
                if 2 * odd >= at - first { at + 1 } else { first }
            }
            _ => first,
        }
    }

    /// Returns whether the first record counts the columns of numbers, as pandas does if they have no names, or gives each its
    /// year: `0,1` or `1990,1991`. The numbers below are then written with decimals.
    fn counts_columns(&self) -> bool {
        const BELOW: usize = 3;
        let integer = |field: &[u8]| str::from_utf8(field.trim_ascii()).ok()?.parse::<i64>().ok();
        let Some(((record, _), below)) = self.records.split_first() else {
            return false;
        };
        let of = |at: usize| below.iter().filter_map(move |(record, _)| record.get(at));
        let decimals =
            |at: &usize| of(*at).all(|field| number(field).is_some() && integer(field).is_none());
        let of_numbers =
            (0..record.len()).filter(|at| of(*at).any(|field| number(field).is_some()));
        let of_numbers: Vec<usize> = of_numbers.collect();
        let counts: Option<Vec<i64>> = of_numbers.iter().map(|at| integer(&record[*at])).collect();
        let next = |pair: &[i64]| pair[0].checked_add(1) == Some(pair[1]);
        below.len() >= BELOW
            && of_numbers.len() > 1
            && of_numbers.iter().all(decimals)
            && counts.is_some_and(|counts| counts.windows(2).all(next))
    }

    /// Returns the columns' names, if a line before the first sample has them. Adds the lines that have not to the notes.
    ///
    /// # Errors
    /// [`Error::Row`] for a line between the names and the first sample with another number of fields.
    fn names(&self, first: usize, notes: &mut Vec<String>) -> Result<Option<Vec<String>>, Error> {
        let before = &self.records[..first.min(self.records.len())];
        if self.request.header == Some(false) {
            return Ok(None);
        }
        // R leaves out the name of the rows' names, and a separator may end the samples alone.
        let may_be_short = self.cleaner.separator == Separator::Blanks
            || self.begins_with_row_names(first)
            || self.ends_in_separator(first);
        let has_names = |(record, _): &(ByteRecord, u64)| {
            let one_short = may_be_short && record.len() > 1 && record.len() + 1 == self.width;
            let enough = record.len() == self.width || one_short;
            enough && !record.iter().all(|field| self.missing.has_text(field))
        };
        let is_short = |(record, _): &(ByteRecord, u64)| {
            let is_name = |field: &[u8]| !self.missing.has_text(field) && !may_be_value(field);
            record.len() > 1 && record.len() + 1 == self.width && record.iter().all(is_name)
        };
        let run = before
            .iter()
            .rev()
            .take_while(|record| has_names(record))
            .count();
        let start = before.len() - run;
        let wrong = match self.request.header {
            Some(true) => before.first().filter(|_| run == 0),
            _ => before
                .last()
                .filter(|last| run == 0 && (is_short(last) || before.iter().any(has_names))),
        };
        if let Some((record, line)) = wrong {
            return Err(Error::Row(RowError {
                file: self.name.to_owned(),
                row: Row::Line(line + 1),
                column: None,
                text: super::fields(record.len(), self.width),
                reason: Reason::Fields,
                hint: Some("; is the line not of the table?".to_owned()),
            }));
        }
        let asked = |(record, _): &(ByteRecord, u64)| has_asked_names(record, self.request);
        let whole = |(record, _): &(ByteRecord, u64)| record.len() == self.width;
        let position =
            |is: &dyn Fn(&(ByteRecord, u64)) -> bool| before[start..].iter().position(is);
        let header = start + position(&asked).or_else(|| position(&whole)).unwrap_or(0);
        let others = before.iter().enumerate().filter(|(at, _)| *at != header);
        let lines: Vec<u64> = others.map(|(_, (_, line))| line + 1).collect();
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(u64::to_string).collect();
            let plural = if lines.len() == 1 { "" } else { "s" };
            notes.push(format!(
                "line{plural} {} left out: no samples",
                lines.join(", ")
            ));
        }
        let names = match before.get(header) {
            Some((record, _)) => {
                if self.request.header.is_none() && self.counts_columns() {
                    notes.push("the first line taken for a header".to_owned());
                }
                names_of(record)
            }
            None => match self.comment_above(first) {
                Some(names) => names,
                None => return Ok(None),
            },
        };
        if names.len() < self.width && !self.ends_in_separator(first) {
            notes.push("the first column has no name".to_owned());
        }
        Ok(Some(self.filled_up(names, first)))
    }

    /// Returns whether the last column is empty: a separator ends each sample.
    fn ends_in_separator(&self, first: usize) -> bool {
        self.width > 0 && self.fields(self.width - 1, first).next().is_none()
    }

    /// Returns whether the first column is of names of rows, as R writes them: texts, or numbers that count from 1.
    fn begins_with_row_names(&self, first: usize) -> bool {
        let fields = || self.fields(0, first).map(|(field, _)| field);
        let counts = |(at, field): (usize, &[u8])| number(field) == Some(at as f64 + 1.0);
        // It writes them in quotes, unlike a column that counts.
        let line = offset_of_line(self.text, self.line(first) - self.skipped);
        let is_quoted = self.text.get(line) == Some(&b'"');
        fields().next().is_some()
            && (fields().all(|field| !may_be_value(field))
                || is_quoted && fields().enumerate().all(counts))
    }

    /// Returns as many names as there are columns. One is missing for a column without a name: the last one, if it is empty,
    /// or else the first.
    fn filled_up(&self, mut names: Vec<String>, first: usize) -> Vec<String> {
        if names.len() < self.width {
            let at = if self.ends_in_separator(first) {
                names.len()
            } else {
                0
            };
            names.insert(at, String::new());
        }
        names
    }

    /// Returns whether there are comments besides one with the names.
    fn has_other_comments(&self, first: usize) -> bool {
        let comments = self.cleaner.comments(self.text);
        comments > usize::from(first == 0 && self.comment_above(first).is_some())
    }

    /// Returns the names in the last comment above a record, if it has as many fields as there are columns.
    fn comment_above(&self, record: usize) -> Option<Vec<String>> {
        let mark = self.cleaner.comment.as_deref()?;
        let lines = &self.text[..offset_of_line(self.text, self.line(record) - self.skipped)];
        let line = lines
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .rfind(|line| !line.trim_ascii().is_empty())?
            .trim_ascii();
        let unmarked = line.strip_prefix(mark.as_bytes())?;
        let plain = Cleaner {
            comment: None,
            ..self.cleaner.clone()
        };
        let whole = match self.cleaner.separator {
            Separator::Blanks => unmarked,
            // `#,time,load` names its first column #.
            Separator::Byte(byte) if unmarked.first() == Some(&byte) => line,
            Separator::Byte(_) => unmarked,
        };
        let records = records_of(&plain.clean(whole), self.cleaner.separator, 1);
        let (record, _) = records.first()?;
        let is_header =
            record.len() == self.width && record.iter().all(|field| number(field).is_none());
        is_header.then(|| names_of(record))
    }
}

/// How a column's numbers are written, as far as each shows it.
#[derive(Default)]
struct Shapes {
    /// All numbers.
    numbers: usize,
    /// Those with a decimal point.
    points: usize,
    /// Those with a decimal comma.
    commas: usize,
    /// The first whose comma may be either, with the lines before it.
    either_comma: Option<(String, u64)>,
    /// The first whose point may be either.
    either_point: Option<(String, u64)>,
    /// True if thousands are parted by the other sign.
    grouped: bool,
}

impl Shapes {
    fn of(head: &Head, at: usize, from: usize) -> Self {
        let mut shapes = Shapes::default();
        for (field, line) in head.fields(at, from) {
            let Some(shape) = Shape::of(field) else {
                continue;
            };
            shapes.numbers += 1;
            let text = || String::from_utf8_lossy(field.trim_ascii()).into_owned();
            match shape {
                Shape::Whole => {}
                Shape::Point { grouped } => {
                    shapes.points += 1;
                    shapes.grouped |= grouped;
                }
                Shape::Comma { grouped } => {
                    shapes.commas += 1;
                    shapes.grouped |= grouped;
                }
                Shape::EitherComma => {
                    shapes.either_comma.get_or_insert_with(|| (text(), line));
                }
                Shape::EitherPoint => {
                    shapes.either_point.get_or_insert_with(|| (text(), line));
                }
            }
        }
        shapes
    }
}

impl Shapes {
    /// Returns what these numbers show of how numbers are written: `decimal commas`.
    fn style(&self, numbers: Numbers) -> Option<String> {
        let shows = self.points + self.commas > 0
            || self.either_point.is_some()
            || self.either_comma.is_some();
        let style = match numbers.decimal {
            b',' => "decimal commas",
            _ => "decimal points",
        };
        shows.then(|| style.to_owned())
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

/// Returns whether a record has this name, which is not a position.
fn has_name(record: &ByteRecord, wanted: Option<&str>) -> bool {
    wanted.is_some_and(|wanted| {
        let position = wanted.parse().ok();
        let is_position = position.is_some_and(|at| (1..=record.len()).contains(&at));
        let is_name = |(at, field)| name(field, at) == wanted;
        !is_position && record.iter().enumerate().any(is_name)
    })
}

/// Returns whether a record has both names that are asked for.
fn has_both_names(record: &ByteRecord, request: &Request) -> bool {
    has_name(record, request.x) && has_name(record, request.y)
}

/// Returns whether a record has a name that is asked for, and with it the other name or a field that is not a number.
fn has_asked_names(record: &ByteRecord, request: &Request) -> bool {
    match (has_name(record, request.x), has_name(record, request.y)) {
        (true, true) => true,
        (true, false) | (false, true) => record.iter().any(|field| number(field).is_none()),
        (false, false) => false,
    }
}

/// Returns the names in a header's fields.
fn names_of(header: &ByteRecord) -> Vec<String> {
    let fields = header.iter().enumerate();
    fields.map(|(at, field)| name(field, at)).collect()
}

/// Returns the name in a header's field. The mark of a comment in the first one is dropped if more follows it.
fn name(field: &[u8], at: usize) -> String {
    let field = field.trim_ascii();
    let unmarked = field.strip_prefix(b"#").map(<[u8]>::trim_ascii);
    let name = unmarked
        .filter(|name| at == 0 && !name.is_empty())
        .unwrap_or(field);
    match str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        // What is not UTF-8 is mostly of Windows.
        Err(_) => encoding_rs::WINDOWS_1252.decode(name).0.into_owned(),
    }
}
