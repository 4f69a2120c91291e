//! The types of a Parquet file's columns, and the numbers that their values are.

use std::fmt::{Display, Write};

use half::f16;
use num_bigint::BigInt;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

/// How the values of a column become numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Numbers {
    Bool,
    Int32,
    Int64,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
    /// Integers of 32 bits, of which 10 to this make one.
    Scaled32(i32),
    Scaled64(i32),
    /// Integers of any width, the most significant byte first, of which 10 to this make one.
    ScaledBytes(i32),
    /// Likewise, all of one width.
    ScaledFixed(i32),
    /// Nanoseconds of a day and the day, as Impala writes timestamps.
    Int96,
}

/// Decodes a column of a row group from its start on.
pub(super) trait Decode: Send {
    /// Adds the next numbers, up to `rows`, and the places in `numbers` of those that are missing, which are NaN there.
    /// Says how many there were.
    fn read(
        &mut self,
        rows: usize,
        numbers: &mut Vec<f64>,
        missing: &mut Vec<usize>,
    ) -> Result<usize, ParquetError>;

    /// Passes over up to `rows` numbers; says how many.
    fn skip(&mut self, rows: usize) -> Result<usize, ParquetError>;
}

impl Numbers {
    /// None for a column that is not numeric, or holds lists.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.max_rep_level() > 0 {
            return None;
        }
        let meaning = Meaning::of(column)?;
        Some(match (column.physical_type(), meaning) {
            (Type::BOOLEAN, Meaning::Plain) => Numbers::Bool,
            (Type::INT32, Meaning::Plain) => Numbers::Int32,
            (Type::INT64, Meaning::Plain) => Numbers::Int64,
            (Type::INT32, Meaning::Unsigned) => Numbers::UInt32,
            (Type::INT64, Meaning::Unsigned) => Numbers::UInt64,
            (Type::FLOAT, Meaning::Plain) => Numbers::Float32,
            (Type::DOUBLE, Meaning::Plain) => Numbers::Float64,
            (Type::INT32, Meaning::Decimal(scale) | Meaning::Time(scale)) => {
                Numbers::Scaled32(scale)
            }
            (Type::INT64, Meaning::Decimal(scale) | Meaning::Time(scale)) => {
                Numbers::Scaled64(scale)
            }
            (Type::BYTE_ARRAY, Meaning::Decimal(scale)) => Numbers::ScaledBytes(scale),
            (Type::FIXED_LEN_BYTE_ARRAY, Meaning::Decimal(scale)) => Numbers::ScaledFixed(scale),
            (Type::FIXED_LEN_BYTE_ARRAY, Meaning::Half) if column.type_length() == 2 => {
                Numbers::Float16
            }
            (Type::INT96, Meaning::Plain) => Numbers::Int96,
            _ => return None,
        })
    }

    /// What decodes the pages of a column of this kind.
    pub(super) fn decode(
        self,
        column: ColumnDescPtr,
        pages: Box<dyn PageReader>,
    ) -> Box<dyn Decode> {
        fn typed<T: DataType>(
            column: ColumnDescPtr,
            pages: Box<dyn PageReader>,
            number: impl FnMut(&T::T) -> f64 + Send + 'static,
        ) -> Box<dyn Decode>
        where
            T::T: Send,
        {
            Box::new(Typed::<T, _> {
                present: column.max_def_level(),
                reader: ColumnReaderImpl::new(column, pages),
                number,
                values: Vec::new(),
                levels: Vec::new(),
            })
        }
        match self {
            Numbers::Bool => typed::<BoolType>(column, pages, |&value| f64::from(u8::from(value))),
            Numbers::Int32 => typed::<Int32Type>(column, pages, |&value| f64::from(value)),
            Numbers::Int64 => typed::<Int64Type>(column, pages, |&value| value as f64),
            Numbers::UInt32 => typed::<Int32Type>(column, pages, |&value| f64::from(value as u32)),
            Numbers::UInt64 => typed::<Int64Type>(column, pages, |&value| value as u64 as f64),
            Numbers::Float16 => typed::<FixedLenByteArrayType>(column, pages, |value| {
                match value.data() {
                    &[low, high] => f16::from_le_bytes([low, high]).to_f64(),
                    // The parquet crate sees to it that there are two.
                    _ => f64::NAN,
                }
            }),
            Numbers::Float32 => typed::<FloatType>(column, pages, |&value| f64::from(value)),
            Numbers::Float64 => typed::<DoubleType>(column, pages, |&value| value),
            Numbers::Scaled32(scale) => {
                let mut scaled = Scaled::new(scale);
                typed::<Int32Type>(column, pages, move |&value| scaled.number(value.into()))
            }
            Numbers::Scaled64(scale) => {
                let mut scaled = Scaled::new(scale);
                typed::<Int64Type>(column, pages, move |&value| scaled.number(value))
            }
            Numbers::ScaledBytes(scale) => {
                let mut scaled = Scaled::new(scale);
                typed::<ByteArrayType>(column, pages, move |value| scaled.of_bytes(value.data()))
            }
            Numbers::ScaledFixed(scale) => {
                let mut scaled = Scaled::new(scale);
                typed::<FixedLenByteArrayType>(column, pages, move |value| {
                    scaled.of_bytes(value.data())
                })
            }
            Numbers::Int96 => {
                let mut scaled = Scaled::new(9);
                typed::<Int96Type>(column, pages, move |value| {
                    scaled.of_i128(nanoseconds(value))
                })
            }
        }
    }
}

/// What a column's values stand for, whatever type holds them.
enum Meaning {
    Plain,
    Unsigned,
    Half,
    /// 10 to this make one.
    Decimal(i32),
    /// 10 to this make a second.
    Time(i32),
}

impl Meaning {
    /// From the newer of the two notes that a file may have of it, where it has one.
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        let power = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 3,
            TimeUnit::MICROS => 6,
            TimeUnit::NANOS => 9,
        };
        match column.logical_type_ref() {
            Some(LogicalType::Integer(integer)) if integer.is_signed => Some(Meaning::Plain),
            Some(LogicalType::Integer(_)) => Some(Meaning::Unsigned),
            Some(LogicalType::Date) => Some(Meaning::Plain),
            Some(LogicalType::Decimal(decimal)) => Some(Meaning::Decimal(decimal.scale)),
            Some(LogicalType::Timestamp(time)) => Some(Meaning::Time(power(&time.unit))),
            Some(LogicalType::Time(time)) => Some(Meaning::Time(power(&time.unit))),
            Some(LogicalType::Float16) => Some(Meaning::Half),
            Some(_) => None,
            None => match column.converted_type() {
                ConvertedType::NONE
                | ConvertedType::DATE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64 => Some(Meaning::Plain),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Some(Meaning::Unsigned),
                ConvertedType::DECIMAL => Some(Meaning::Decimal(column.type_scale())),
                ConvertedType::TIME_MILLIS | ConvertedType::TIMESTAMP_MILLIS => {
                    Some(Meaning::Time(3))
                }
                ConvertedType::TIME_MICROS | ConvertedType::TIMESTAMP_MICROS => {
                    Some(Meaning::Time(6))
                }
                _ => None,
            },
        }
    }
}

/// A column of values of one type.
struct Typed<T: DataType, F> {
    reader: ColumnReaderImpl<T>,
    number: F,
    values: Vec<T::T>,
    /// Of each row how much of what its column is nested in is there; all of it is `present`.
    levels: Vec<i16>,
    present: i16,
}

impl<T: DataType, F: FnMut(&T::T) -> f64 + Send> Decode for Typed<T, F>
where
    T::T: Send,
{
    fn read(
        &mut self,
        rows: usize,
        numbers: &mut Vec<f64>,
        missing: &mut Vec<usize>,
    ) -> Result<usize, ParquetError> {
        self.values.clear();
        self.levels.clear();
        let levels = Some(&mut self.levels);
        let (rows, values, _) = self
            .reader
            .read_records(rows, levels, None, &mut self.values)?;
        let mut values_read = self.values.iter().map(&mut self.number);
        if values == rows {
            numbers.extend(values_read);
            return Ok(rows);
        }
        for &level in &self.levels {
            let number = if level == self.present {
                values_read.next()
            } else {
                missing.push(numbers.len());
                None
            };
            numbers.push(number.unwrap_or(f64::NAN));
        }
        Ok(rows)
    }

    fn skip(&mut self, rows: usize) -> Result<usize, ParquetError> {
        self.reader.skip_records(rows)
    }
}

/// Integers of which a power of ten makes one.
struct Scaled {
    scale: i32,
    /// That power, where f64 holds it exactly.
    divisor: Option<f64>,
    text: String,
}

impl Scaled {
    fn new(scale: i32) -> Self {
        Scaled {
            scale,
            // 5^22 is the last that fits into 53 bits.
            divisor: u32::try_from(scale)
                .ok()
                .filter(|&scale| scale <= 22)
                .map(|scale| 10_u128.pow(scale) as f64),
            text: String::new(),
        }
    }

    /// The nearest f64: a quotient of two numbers that f64 holds exactly is, and of others the decimal digits say.
    fn number(&mut self, unscaled: i64) -> f64 {
        match self.divisor {
            Some(divisor) if unscaled.unsigned_abs() <= 1 << 53 => unscaled as f64 / divisor,
            _ => self.of_digits(unscaled),
        }
    }

    fn of_i128(&mut self, unscaled: i128) -> f64 {
        match i64::try_from(unscaled) {
            Ok(unscaled) => self.number(unscaled),
            Err(_) => self.of_digits(unscaled),
        }
    }

    /// Of an integer in two's complement, the most significant byte first.
    fn of_bytes(&mut self, bytes: &[u8]) -> f64 {
        const WIDTH: usize = size_of::<i128>();
        if bytes.len() > WIDTH {
            return self.of_digits(BigInt::from_signed_bytes_be(bytes));
        }
        let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
        let mut whole = [if negative { 0xff } else { 0 }; WIDTH];
        whole[WIDTH - bytes.len()..].copy_from_slice(bytes);
        self.of_i128(i128::from_be_bytes(whole))
    }

    fn of_digits(&mut self, unscaled: impl Display) -> f64 {
        self.text.clear();
        // A String takes whatever is written to it, and the parser any integer.
        let _ = write!(self.text, "{unscaled}e{}", -i64::from(self.scale));
        fast_float2::parse(&self.text).unwrap_or(f64::NAN)
    }
}

/// Since 1970: nanoseconds of the day, then the Julian day, of which the first of 1970 is number 2,440,588.
fn nanoseconds(value: &Int96) -> i128 {
    let &[low, high, day] = value.data() else {
        return 0;
    };
    let of_day = u64::from(high) << 32 | u64::from(low);
    i128::from(of_day) + (i128::from(day) - 2_440_588) * 86_400_000_000_000
}
