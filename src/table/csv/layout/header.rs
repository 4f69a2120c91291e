//! Where the samples of a text begin, and the names above them.

use csv::ByteRecord;

use super::super::clean::{Cleaner, Separator};
use super::super::fields;
use super::super::value::{may_be_value, number};
use super::column::Column;
use super::{Head, offset_of_line, records_of};
use crate::error::{Error, Reason, Row, RowError};
use crate::table::request::Request;

impl Head<'_> {
    /// Returns the position of the first record that is a sample: the first with a value in a column of values, or with missing
    /// values only.
    pub(super) fn first_sample(&self, columns: &[Column]) -> usize {
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
    pub(super) fn names(
        &self,
        first: usize,
        notes: &mut Vec<String>,
    ) -> Result<Option<Vec<String>>, Error> {
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
                text: fields(record.len(), self.width),
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
    pub(super) fn has_other_comments(&self, first: usize) -> bool {
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
