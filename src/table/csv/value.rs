//! Values of one column, as texts write them.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::data::Time;
use crate::error::{Error, Reason, Setting};

/// Signs of a missing value, in capitals or not.
const MISSING: [&str; 13] = [
    "", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "\\n", "?", "-", ".",
];

/// The signs of a missing value that a file's user adds.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    texts: Vec<String>,
    numbers: Vec<f64>,
}

impl Missing {
    /// Returns these signs. A number stands for any way to write it.
    pub fn new(texts: &[String]) -> Self {
        Missing {
            texts: texts.iter().map(|text| text.trim().to_owned()).collect(),
            numbers: texts
                .iter()
                .filter_map(|text| number(text.as_bytes()))
                .collect(),
        }
    }

    /// Returns whether a field stands for a missing value, blanks around it allowed.
    pub fn has_text(&self, field: &[u8]) -> bool {
        let field = field.trim_ascii();
        let is = |sign: &str| field.eq_ignore_ascii_case(sign.as_bytes());
        MISSING.into_iter().any(is) || self.texts.iter().any(|sign| is(sign))
    }

    /// Returns whether numbers stand for missing values.
    pub fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Returns whether a number stands for a missing value.
    pub fn has_number(&self, value: f64) -> bool {
        self.has_numbers() && self.numbers.contains(&value)
    }
}

/// How a text writes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The byte before decimals: a point or a comma.
    pub decimal: u8,
    /// True if the other one of both may part thousands.
    pub grouped: bool,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            decimal: b'.',
            grouped: false,
        }
    }
}

impl Numbers {
    /// Returns the byte that parts thousands, if one may.
    fn separator(self) -> u8 {
        if self.decimal == b',' { b'.' } else { b',' }
    }

    /// Returns the number in a field, blanks around it allowed.
    fn value(self, field: &[u8]) -> Option<f64> {
        let field = field.trim_ascii();
        if self.decimal == b'.'
            && let Some(value) = any_number(field)
        {
            return Some(value);
        }
        let text = &*ungrouped(str::from_utf8(field).ok()?);
        let (decimal, separator) = (char::from(self.decimal), char::from(self.separator()));
        let mut plain = Cow::Borrowed(text);
        if plain.contains(separator) {
            if !self.grouped || !is_grouped(text, separator, decimal) {
                return None;
            }
            plain = plain.replace(separator, "").into();
        }
        if decimal == ',' {
            plain = plain.replace(',', ".").into();
        }
        // Fortran writes 1.0D+02, and spreadsheets a minus sign of its own.
        if let Some(rest) = plain.strip_prefix('−') {
            plain = format!("-{rest}").into();
        }
        any_number(plain.as_bytes()).or_else(|| {
            let exponent = plain.find(['d', 'D'])?;
            number(format!("{}e{}", &plain[..exponent], &plain[exponent + 1..]).as_bytes())
        })
    }
}

/// What the signs in a number say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There is none.
    Whole,
    /// A point is before the decimals.
    Point {
        /// True if commas part thousands.
        grouped: bool,
    },
    /// A comma is before the decimals.
    Comma {
        /// True if points part thousands.
        grouped: bool,
    },
    /// A comma that may be either, as in 1,234.
    EitherComma,
    /// A point that may be either, as in 1.234. Alone it is taken for one before decimals.
    EitherPoint,
}

impl Shape {
    /// Returns the shape of the number in a field, blanks around it allowed.
    pub fn of(field: &[u8]) -> Option<Self> {
        let text = ungrouped(str::from_utf8(field.trim_ascii()).ok()?);
        let unsigned = text.trim_start_matches(['+', '-', '−']);
        let digits = unsigned
            .find(['e', 'E', 'd', 'D'])
            .unwrap_or(unsigned.len());
        let (mantissa, exponent) = unsigned.split_at(digits);
        let is_number = mantissa.bytes().any(|byte| byte.is_ascii_digit())
            && !mantissa.ends_with(',')
            && mantissa
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b",.".contains(&byte))
            && (exponent.is_empty() || exponent[1..].parse::<i32>().is_ok());
        if !is_number {
            return None;
        }
        let count = |sign: char| mantissa.matches(sign).count();
        // 0.123 has no thousands.
        let parts = |separator: char, decimal: char| {
            is_grouped(mantissa, separator, decimal) && !mantissa.starts_with('0')
        };
        match (count(','), count('.')) {
            (0, 0) => Some(Shape::Whole),
            (0, 1) if parts('.', ',') => Some(Shape::EitherPoint),
            (0, 1) => Some(Shape::Point { grouped: false }),
            (1, 0) if parts(',', '.') => Some(Shape::EitherComma),
            (1, 0) => Some(Shape::Comma { grouped: false }),
            (_, 0 | 1) if parts(',', '.') => Some(Shape::Point { grouped: true }),
            (0 | 1, _) if parts('.', ',') => Some(Shape::Comma { grouped: true }),
            _ => None,
        }
    }
}

/// Returns whether a field is a value as some column may write it.
pub fn may_be_value(field: &[u8]) -> bool {
    let is_time = || {
        is_dated(field)
            && FORMATS
                .iter()
                .flatten()
                .any(|format| format.value(field).is_some())
    };
    number(field).is_some() || Shape::of(field).is_some() || boolean(field).is_some() || is_time()
}

/// Returns a number without blanks or apostrophes between thousands, which can't be anything else.
fn ungrouped(text: &str) -> Cow<'_, str> {
    let parts = [' ', '\u{a0}', '\u{202f}', '\'', '’'];
    let separator = parts.into_iter().find(|part| text.contains(*part));
    let decimal = if text.contains(',') { ',' } else { '.' };
    match separator {
        Some(separator) if is_grouped(text, separator, decimal) => {
            text.replace(separator, "").into()
        }
        _ => text.into(),
    }
}

/// Returns whether separators part all thousands before the decimals, and nothing else.
fn is_grouped(text: &str, separator: char, decimal: char) -> bool {
    let whole = text.split(decimal).next().unwrap_or(text);
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.trim_start_matches(['+', '-', '−']).split(separator);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && digits(first)
        && groups.all(|group| group.len() == 3 && digits(group))
        && !text[whole.len()..].contains(separator)
}

/// How a column writes its values.
#[derive(Clone, Debug)]
pub enum Written {
    /// Numbers.
    Numbers(Numbers),
    /// `true` and `false`, or `yes` and `no`, in capitals or not: 1 and 0.
    Booleans,
    /// Dates, or dates with times.
    Times(TimeFormat),
}

impl Written {
    /// Returns whether a number up to its end is a value, so that nothing but a number has to be looked for.
    pub fn is_plain(&self) -> bool {
        matches!(self, Written::Numbers(Numbers { decimal: b'.', .. }))
    }

    /// Returns whether the values are numbers with decimal commas.
    pub fn has_decimal_commas(&self) -> bool {
        matches!(self, Written::Numbers(Numbers { decimal: b',', .. }))
    }

    /// Returns what the values count, if they are dates.
    pub fn time(&self) -> Option<Time> {
        match self {
            Written::Times(format) => Some(format.counts),
            _ => None,
        }
    }

    /// Returns the value of a field, blanks around it allowed, or why it can't be used.
    pub fn value(&self, field: &[u8], missing: &Missing) -> Result<f64, Reason> {
        let value = match self {
            _ if missing.has_text(field) => return Err(Reason::Missing),
            Written::Numbers(numbers) => numbers.value(field),
            Written::Booleans => boolean(field),
            Written::Times(format) => format.value(field),
        };
        match value {
            Some(value) if missing.has_number(value) => Err(Reason::Missing),
            Some(value) if value.is_finite() => Ok(value),
            Some(value) if value.is_nan() => Err(Reason::Missing),
            // 1e400 is infinite in f64.
            Some(_) if field.iter().any(u8::is_ascii_digit) => Err(Reason::BeyondF64),
            Some(_) => Err(Reason::NotFinite),
            None if matches!(self, Written::Numbers(_)) && is_dressed(field) => {
                Err(Reason::Dressed)
            }
            None => Err(Reason::NotANumber),
        }
    }
}

/// Returns the value of a field that is a number, nan or inf, with a decimal point.
pub fn any_number(field: &[u8]) -> Option<f64> {
    fast_float2::parse(field.trim_ascii()).ok()
}

/// Returns the finite number in a field, with a decimal point.
pub fn number(field: &[u8]) -> Option<f64> {
    any_number(field).filter(|value| value.is_finite())
}

/// Returns 1 for `true` and 0 for `false`, as other programs write them too.
pub fn boolean(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    let is = |words: [&str; 3]| {
        words
            .iter()
            .any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
    };
    if is(["true", "yes", ".true."]) {
        Some(1.0)
    } else if is(["false", "no", ".false."]) {
        Some(0.0)
    } else {
        None
    }
}

/// Returns whether a field is a number with thousands separators, a percent or a currency sign, or in brackets. It is no
/// number to leave out: such ones are mostly the largest.
pub fn is_dressed(field: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(field) else {
        return false;
    };
    let inner = text.trim();
    let bare: String = inner
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .unwrap_or(inner)
        .chars()
        .filter(|&letter| {
            !matches!(
                letter,
                ',' | '\'' | '’' | '%' | '‰' | '€' | '$' | '£' | '¥' | '_'
            ) && !letter.is_whitespace()
        })
        .collect();
    let words = ["usd", "eur", "gbp", "chf", "jpy"];
    let lower = bare.to_ascii_lowercase();
    let bare = words
        .iter()
        .find_map(|word| {
            lower
                .strip_prefix(word)
                .or_else(|| lower.strip_suffix(word))
        })
        .unwrap_or(&lower);
    let bare = if is_grouped(bare, '.', ',') {
        bare.replace('.', "")
    } else {
        bare.to_owned()
    };
    bare.len() < text.trim().len() && number(bare.as_bytes()).is_some()
}

/// A format of dates or times.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    /// As `strftime` has it.
    pub text: String,
    items: Vec<Item<'static>>,
    /// What its values count.
    pub counts: Time,
}

/// The formats that need no flag: those of one order of year, month and day together.
static FORMATS: LazyLock<Vec<Vec<TimeFormat>>> = LazyLock::new(|| {
    // A date with slashes may begin with the day or with the month.
    const DATES: [&str; 10] = [
        "%Y-%m-%d", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y",
        "%d/%m/%y", "%m/%d/%Y", "%m/%d/%y",
    ];
    // A time may follow, with a zone or not.
    const TIMES: [&str; 11] = [
        "",
        " %I:%M %p",
        " %I:%M:%S %p",
        "T%H:%M:%S%.f",
        " %H:%M:%S%.f",
        "T%H:%M",
        " %H:%M",
        "T%H:%M:%S%.f%#z",
        " %H:%M:%S%.f%#z",
        "T%H:%M%#z",
        " %H:%M%#z",
    ];
    let of = |date: &str| {
        let formats = TIMES
            .iter()
            .map(|time| TimeFormat::new(&format!("{date}{time}")));
        formats.flatten().collect()
    };
    DATES.into_iter().map(of).collect()
});

/// The format that all dates of a column have.
pub enum Dates {
    /// They have none.
    None,
    /// This one.
    One(TimeFormat),
    /// Day or month may come first.
    DayOrMonth([TimeFormat; 2]),
}

/// Returns the days or seconds since the start of 1970 that a date as ISO writes it stands for, and which of both.
pub fn iso_time(text: &str) -> Option<(f64, Time)> {
    let formats = FORMATS.first()?.iter();
    let mut values =
        formats.filter_map(|format| Some((format.value(text.as_bytes())?, format.counts)));
    values.next()
}

/// Returns whether a field is as long as a date, and has a sign of one.
fn is_dated(field: &[u8]) -> bool {
    const SHORTEST: usize = "1/1/24".len();
    field.trim_ascii().len() >= SHORTEST && field.iter().any(|byte| b"-/.".contains(byte))
}

impl TimeFormat {
    /// Takes a format of `strftime`, as [`chrono::format::strftime`] has it.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is none.
    pub fn new(format: &str) -> Result<Self, Error> {
        let items = StrftimeItems::new(format).parse_to_owned();
        let items = items.map_err(|_| {
            let problem = format!("{format:?} is not such as %d/%m/%Y or %Y-%m-%d %H:%M:%S");
            Setting::DateFormat.error(problem)
        })?;
        let is_clock = |item: &Item| {
            use chrono::format::Numeric::{Hour, Hour12, Timestamp};
            matches!(
                item,
                Item::Numeric(Hour | Hour12 | Timestamp, _)
                    | Item::Fixed(Fixed::RFC2822 | Fixed::RFC3339)
            )
        };
        let counts = if items.iter().any(is_clock) {
            Time::Seconds
        } else {
            Time::Days
        };
        if items.contains(&Item::Fixed(Fixed::TimezoneName)) {
            let problem = format!(
                "{format:?} has %Z: a zone's name does not tell its distance from UTC, %z does"
            );
            return Err(Setting::DateFormat.error(problem));
        }
        let format = TimeFormat {
            text: format.to_owned(),
            items,
            counts,
        };
        // What it writes, if it does, has to be a date that it reads.
        let day = DateTime::<Utc>::from_timestamp_nanos(1_710_074_096_000_000_000);
        let mut written = String::new();
        let is_written = write!(written, "{}", day.format_with_items(format.items.iter())).is_ok();
        if is_written && format.value(written.as_bytes()).is_none() {
            return Err(Setting::DateFormat.error(format!(
                "{:?} has no day, month and year, or has no time of day behind them, such as %d/%m/%Y %H:%M",
                format.text
            )));
        }
        Ok(format)
    }

    /// Returns the order of day, month and year, and whether a time follows, in words.
    pub fn style(&self) -> String {
        let date = self.text.split([' ', 'T']).next().unwrap_or(&self.text);
        match self.counts {
            Time::Days => format!("dates by {date}"),
            Time::Seconds => format!("dates by {date} with times"),
        }
    }

    /// Returns the format of most of these fields, and at least of half of them.
    pub fn detect<'a>(fields: impl Iterator<Item = &'a [u8]> + Clone) -> Dates {
        let filled = fields.clone().count();
        if filled == 0 || 2 * fields.clone().filter(|field| is_dated(field)).count() < filled {
            return Dates::None;
        }
        let fitting = |format: &TimeFormat| {
            let values = fields.clone().filter(|field| format.value(field).is_some());
            values.count()
        };
        // The first of equal ones of each order of day, month and year.
        let of_order = |formats: &'static Vec<TimeFormat>| {
            let counted = formats.iter().map(|format| (fitting(format), format));
            counted.reduce(|best, other| if other.0 > best.0 { other } else { best })
        };
        let mut found: Vec<(usize, &TimeFormat)> = FORMATS
            .iter()
            .filter_map(of_order)
            .filter(|(count, _)| 2 * count >= filled)
            .collect();
        found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        match found[..] {
            [] => Dates::None,
            [(day, one), (month, other), ..]
                if day == month
                    && fields
                        .clone()
                        .any(|field| one.value(field) != other.value(field)) =>
            {
                Dates::DayOrMonth([one.clone(), other.clone()])
            }
            [(_, format), ..] => Dates::One(format.clone()),
        }
    }

    /// Returns the date in a field as ISO writes it.
    pub fn shown(&self, field: &[u8]) -> String {
        let days = match self.counts {
            Time::Days => self.value(field),
            Time::Seconds => self
                .value(field)
                .map(|seconds| seconds.div_euclid(86_400.0)),
        };
        let date = days.and_then(|days| {
            NaiveDate::default().checked_add_signed(TimeDelta::try_days(days as i64)?)
        });
        date.map_or_else(String::new, |date| date.to_string())
    }

    /// Returns the days or seconds since the start of 1970, in UTC.
    fn value(&self, field: &[u8]) -> Option<f64> {
        let text = str::from_utf8(field).ok()?.trim();
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        // %Y takes two digits for a year of the first century.
        if parsed.year().is_some_and(|year| year < 1000) {
            return None;
        }
        match self.counts {
            Time::Days => {
                let days = parsed
                    .to_naive_date()
                    .ok()?
                    .signed_duration_since(NaiveDate::default());
                Some(days.num_days() as f64)
            }
            Time::Seconds => {
                let offset = parsed.offset().unwrap_or(0);
                let time = parsed.to_naive_datetime_with_offset(offset).ok()?.and_utc();
                let seconds = time.timestamp() - i64::from(offset);
                Some(seconds as f64 + f64::from(time.timestamp_subsec_nanos()) / 1e9)
            }
        }
    }
}
