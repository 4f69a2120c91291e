//! Dates and times, as texts write them.

use std::fmt::Write;
use std::sync::LazyLock;

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::data::Time;
use crate::error::{Error, Setting};

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
pub(super) static FORMATS: LazyLock<Vec<Vec<TimeFormat>>> = LazyLock::new(|| {
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
pub(super) fn is_dated(field: &[u8]) -> bool {
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
    pub(super) fn value(&self, field: &[u8]) -> Option<f64> {
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
