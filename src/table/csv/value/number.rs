//! Numbers, as texts write them.

use std::borrow::Cow;

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
    pub(super) fn value(self, field: &[u8]) -> Option<f64> {
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

/// Returns the value of a field that is a number, nan or inf, with a decimal point.
pub fn any_number(field: &[u8]) -> Option<f64> {
    fast_float2::parse(field.trim_ascii()).ok()
}

/// Returns the finite number in a field, with a decimal point.
pub fn number(field: &[u8]) -> Option<f64> {
    any_number(field).filter(|value| value.is_finite())
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
