//! The numbers of one column of an NPY file.

use std::io;
use std::ops::Range;

use chrono::NaiveDate;
use half::f16;

use crate::data::Time;
use crate::table::shared::SharedFile;

/// Bytes read at once: few enough for a core's first caches, and enough to be worth a system call.
const PIECE: u64 = 1 << 16;

/// Numbers of one type at equal distances in a file.
#[derive(Clone, Debug)]
pub struct Strided {
    /// The file.
    pub file: SharedFile,
    /// The type.
    pub number: NumberType,
    /// The position of the first number, in bytes.
    pub start: u64,
    /// The distance from one number to the next, in bytes.
    pub stride: u64,
}

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberType {
    kind: Kind,
    /// `true` if the most significant byte comes first.
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
    /// A date.
    Time(Unit),
    /// The time between two dates.
    Span(Unit),
}

/// The unit of NumPy's times.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    /// So many months; the day is that on which the month begins.
    Months(i64),
    /// So many days.
    Days(i64),
    /// So many seconds.
    Seconds(i64),
    /// So many parts of a second, of which one has so many.
    Parts(i64, i64),
}

impl Unit {
    /// Returns the unit of a code, such as `ns` or `25s`.
    fn new(code: &str) -> Option<Self> {
        let letters = code.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let count = match &code[..code.len() - letters.len()] {
            "" => 1,
            count => count.parse::<i32>().ok()?.into(),
        };
        Some(match letters {
            "Y" => Unit::Months(12 * count),
            "M" => Unit::Months(count),
            "W" => Unit::Days(7 * count),
            "D" => Unit::Days(count),
            "h" => Unit::Seconds(3600 * count),
            "m" => Unit::Seconds(60 * count),
            "s" => Unit::Seconds(count),
            "ms" => Unit::Parts(count, 1_000),
            "us" => Unit::Parts(count, 1_000_000),
            "ns" => Unit::Parts(count, 1_000_000_000),
            "ps" => Unit::Parts(count, 1_000_000_000_000),
            "fs" => Unit::Parts(count, 1_000_000_000_000_000),
            "as" => Unit::Parts(count, 1_000_000_000_000_000_000),
            _ => return None,
        })
    }

    /// Returns what a number of these units counts, in days or seconds; NaN for NumPy's NaT.
    fn value(self, number: i64) -> f64 {
        if number == i64::MIN {
            return f64::NAN;
        }
        let of = |count: i64| i128::from(number) * i128::from(count);
        match self {
            Unit::Months(count) => {
                let month = of(count);
                let year = i32::try_from(month.div_euclid(12) + 1970).ok();
                let first =
                    |year| NaiveDate::from_ymd_opt(year, month.rem_euclid(12) as u32 + 1, 1);
                let days = year
                    .and_then(first)
                    .map(|first| first.signed_duration_since(NaiveDate::default()));
                days.map_or(f64::INFINITY, |days| days.num_days() as f64)
            }
            Unit::Days(count) | Unit::Seconds(count) => of(count) as f64,
            Unit::Parts(count, parts) => {
                let (number, parts) = (of(count), i128::from(parts));
                number.div_euclid(parts) as f64 + number.rem_euclid(parts) as f64 / parts as f64
            }
        }
    }
}

impl NumberType {
    /// Returns the type of NumPy's letter, a size in bytes and the unit of times; `None` if its values are not real numbers.
    pub fn new(letter: char, size: u64, unit: &str, big_endian: bool) -> Option<Self> {
        let kind = match (letter, size) {
            ('M', 8) => Kind::Time(Unit::new(unit)?),
            ('m', 8) => Kind::Span(Unit::new(unit)?),
            ('b', 1) => Kind::Bool,
            ('i', 1) => Kind::Int8,
            ('i', 2) => Kind::Int16,
            ('i', 4) => Kind::Int32,
            ('i', 8) => Kind::Int64,
            ('u', 1) => Kind::UInt8,
            ('u', 2) => Kind::UInt16,
            ('u', 4) => Kind::UInt32,
            ('u', 8) => Kind::UInt64,
            ('f', 2) => Kind::Float16,
            ('f', 4) => Kind::Float32,
            ('f', 8) => Kind::Float64,
            _ => return None,
        };
        Some(NumberType { kind, big_endian })
    }

    fn size(self) -> u64 {
        match self.kind {
            Kind::Bool | Kind::Int8 | Kind::UInt8 => 1,
            Kind::Int16 | Kind::UInt16 | Kind::Float16 => 2,
            Kind::Int32 | Kind::UInt32 | Kind::Float32 => 4,
            Kind::Int64 | Kind::UInt64 | Kind::Float64 | Kind::Time(_) | Kind::Span(_) => 8,
        }
    }

    /// Returns what the values count, if they are dates.
    pub fn time(self) -> Option<Time> {
        match self.kind {
            Kind::Time(Unit::Months(_) | Unit::Days(_)) => Some(Time::Days),
            Kind::Time(_) => Some(Time::Seconds),
            _ => None,
        }
    }

    /// Adds the numbers that start every `stride` bytes to `numbers`.
    fn decode(self, bytes: &[u8], stride: usize, numbers: &mut Vec<f64>) {
        let big = self.big_endian;
        let out = numbers;
        match self.kind {
            Kind::Bool => every(bytes, stride, big, out, |[byte]| {
                f64::from(u8::from(byte != 0))
            }),
            Kind::Int8 => every(bytes, stride, big, out, |b| i8::from_le_bytes(b).into()),
            Kind::Int16 => every(bytes, stride, big, out, |b| i16::from_le_bytes(b).into()),
            Kind::Int32 => every(bytes, stride, big, out, |b| i32::from_le_bytes(b).into()),
            Kind::Int64 => every(bytes, stride, big, out, |b| i64::from_le_bytes(b) as f64),
            Kind::UInt8 => every(bytes, stride, big, out, |b| u8::from_le_bytes(b).into()),
            Kind::UInt16 => every(bytes, stride, big, out, |b| u16::from_le_bytes(b).into()),
            Kind::UInt32 => every(bytes, stride, big, out, |b| u32::from_le_bytes(b).into()),
            Kind::UInt64 => every(bytes, stride, big, out, |b| u64::from_le_bytes(b) as f64),
            Kind::Float16 => every(bytes, stride, big, out, |b| f16::from_le_bytes(b).to_f64()),
            Kind::Float32 => every(bytes, stride, big, out, |b| f32::from_le_bytes(b).into()),
            Kind::Float64 => every(bytes, stride, big, out, f64::from_le_bytes),
            Kind::Time(unit) | Kind::Span(unit) => {
                every(bytes, stride, big, out, |b| {
                    unit.value(i64::from_le_bytes(b))
                });
            }
        }
    }
}

/// Adds the numbers in the first bytes of every `stride` bytes; `number` gets the least significant byte first.
fn every<const SIZE: usize>(
    bytes: &[u8],
    stride: usize,
    big_endian: bool,
    numbers: &mut Vec<f64>,
    number: impl Fn([u8; SIZE]) -> f64,
) {
    // Chunks of one known length make a fast loop. The bytes may end with the last number, before its chunk is full.
    let chunks = bytes.chunks_exact(stride);
    let last = Some(chunks.remainder()).filter(|rest| !rest.is_empty());
    let value = |bytes: &[u8]| {
        let mut value = bytes.first_chunk().copied().unwrap_or([0; SIZE]);
        if big_endian {
            value.reverse();
        }
        number(value)
    };
    numbers.extend(chunks.map(value));
    numbers.extend(last.map(value));
}

impl Strided {
    /// Returns whether both are in the same rows of a file, and the rows are short enough to be read as they are.
    pub fn beside(&self, other: &Strided) -> bool {
        self.file.same(&other.file)
            && self.stride == other.stride
            && self.start.abs_diff(other.start) < self.stride
            && self.stride <= PIECE
    }
}

/// Adds the numbers of these rows to the vectors, for one column or for several in the same rows of a file.
pub fn read(columns: &mut [(&Strided, &mut Vec<f64>)], rows: Range<u64>) -> io::Result<()> {
    let Some(first) = columns.iter().map(|(a, _)| *a).min_by_key(|a| a.start) else {
        return Ok(());
    };
    let ends = columns.iter().map(|(a, _)| a.start + a.number.size());
    let width = ends.max().unwrap_or(first.start) - first.start;
    // Numbers that are far apart are read one by one.
    let (stride, at_once) = if first.stride > PIECE {
        (width, 1)
    } else {
        (first.stride, PIECE / first.stride)
    };
    let mut bytes = Vec::new();
    let mut row = rows.start;
    while row < rows.end {
        let count = at_once.min(rows.end - row);
        let length = (count - 1) * stride + width;
        bytes.resize(length as usize, 0);
        let position = first.start + row * first.stride;
        first.file.read_exact_at(&mut bytes, position)?;
        for (array, numbers) in columns.iter_mut() {
            let bytes = &bytes[(array.start - first.start) as usize..];
            array.number.decode(bytes, stride as usize, numbers);
        }
        row += count;
    }
    Ok(())
}
