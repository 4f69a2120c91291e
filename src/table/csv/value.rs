//! Values of one column, as texts write them.

pub use self::number::{Numbers, Shape, is_dressed, number};
pub use self::time::{Dates, TimeFormat, iso_time};
use self::time::{FORMATS, is_dated};
use crate::data::Time;
use crate::error::Reason;

mod number;
mod time;

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
