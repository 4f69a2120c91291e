//! The types of a Parquet file's columns, and the numbers that their values stand for.

use std::fmt::{Display, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float64Array, downcast_temporal_array};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, TimeUnit};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::pages::guarded;
use crate::data::Time;

/// Nanoseconds of a second.
const NANOSECONDS: i64 = 1_000_000_000;

/// Returns whether a column holds one number a row.
pub fn is_numeric(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 0
        && data_type(column).is_some_and(|data_type| match data_type {
            DataType::Boolean | DataType::Date32 | DataType::Time32(_) => true,
            DataType::Time64(_) | DataType::Timestamp(_, _) => true,
            other => other.is_numeric(),
        })
}

/// Returns what the numbers of a column count, if it holds dates or timestamps.
pub fn time(column: &ColumnDescriptor) -> Option<Time> {
    match data_type(column)? {
        DataType::Date32 => Some(Time::Days),
        DataType::Timestamp(_, _) => Some(Time::Seconds),
        _ => None,
    }
}

/// Returns Arrow's type of a column, if it has one.
fn data_type(column: &ColumnDescriptor) -> Option<DataType> {
    // Converted alone, a column doesn't depend on others, which Arrow may have no type for.
    let alone = Type::group_type_builder("schema").with_fields(vec![column.self_type_ptr()]);
    let converted = guarded(|| {
        let schema = SchemaDescriptor::new(Arc::new(alone.build()?));
        parquet_to_arrow_schema(&schema, None)
    });
    Some(converted.ok()?.field(0).data_type().clone())
}

/// Returns the types that a column is read as: one, or for timestamps of 96 bits two.
///
/// Those have nanoseconds of a day and the day. Arrow's nanoseconds of 64 bits end in 2262 and wrap around, and its
/// seconds do not. Both together have all digits.
pub fn levels(schema: &SchemaDescriptor, column: usize) -> Result<Vec<FieldLevels>, ParquetError> {
    let of_hint = |hint: Option<&Fields>| {
        parquet_to_arrow_field_levels(schema, ProjectionMask::leaves(schema, [column]), hint)
    };
    let mut levels = vec![of_hint(None)?];
    if schema.column(column).physical_type() == Physical::INT96 {
        let all = parquet_to_arrow_schema(schema, None)?;
        levels.push(of_hint(Some(&in_seconds(all.fields())))?);
    }
    Ok(levels)
}

/// Replaces nanoseconds by seconds in structs of any depth.
fn in_seconds(fields: &Fields) -> Fields {
    let replaced = |field: &FieldRef| {
        let data_type = match field.data_type() {
            DataType::Struct(fields) => DataType::Struct(in_seconds(fields)),
            DataType::Timestamp(TimeUnit::Nanosecond, None) => {
                DataType::Timestamp(TimeUnit::Second, None)
            }
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    fields.iter().map(replaced).collect()
}

/// Numbers of a column.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The numbers, with NaN for missing ones.
    pub values: Vec<f64>,
    /// The positions of missing numbers, in order.
    pub missing: Vec<usize>,
}

/// Adds the numbers of a column that was read as its [`levels`], and that may be nested in structs.
pub fn append(column: Vec<ArrayRef>, numbers: &mut Numbers) -> Result<(), ArrowError> {
    let Numbers { values, missing } = numbers;
    let first = values.len();
    let absent = column.first().map(absent).unwrap_or_default();
    let mut leaves = column.into_iter().map(leaf);
    match (leaves.next(), leaves.next()) {
        (Some(nanoseconds), Some(seconds)) => append_both(&nanoseconds, &seconds, values),
        (Some(array), None) => append_array(array, values)?,
        _ => {}
    }
    for at in absent {
        missing.push(first + at);
        values[first + at] = f64::NAN;
    }
    Ok(())
}

/// Returns the only field of nested structs.
fn leaf(array: ArrayRef) -> ArrayRef {
    let inner = array.as_struct_opt().map(|nested| nested.column(0).clone());
    inner.map_or(array, leaf)
}

/// Returns the positions, in order, of values that are missing themselves or with a struct that they are nested in.
fn absent(array: &ArrayRef) -> Vec<usize> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let here = nulls.map(|nulls| (0..nulls.len()).filter(move |&at| nulls.is_null(at)));
    let mut all: Vec<usize> = here.into_iter().flatten().collect();
    if let Some(nested) = array.as_struct_opt() {
        all.append(&mut absent(nested.column(0)));
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// Adds the numbers of an array, and any number for a missing one.
///
/// arrow-cast rounds long decimals twice, and brings hundreds of conversions that no column needs.
fn append_array(array: ArrayRef, values: &mut Vec<f64>) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Boolean => {
            let flags = array.as_boolean().values().iter();
            values.extend(flags.map(|flag| f64::from(u8::from(flag))));
        }
        DataType::Int8 => append_exact::<Int8Type>(&array, values),
        DataType::Int16 => append_exact::<Int16Type>(&array, values),
        DataType::Int32 => append_exact::<Int32Type>(&array, values),
        DataType::UInt8 => append_exact::<UInt8Type>(&array, values),
        DataType::UInt16 => append_exact::<UInt16Type>(&array, values),
        DataType::UInt32 => append_exact::<UInt32Type>(&array, values),
        DataType::Float16 => append_exact::<Float16Type>(&array, values),
        DataType::Float32 => append_exact::<Float32Type>(&array, values),
        // The values are moved, not copied, because nothing else holds the array any more.
        DataType::Float64 if values.is_empty() => {
            let data = array.to_data();
            drop(array);
            *values = Float64Array::from(data).into_parts().1.into();
        }
        DataType::Float64 => append_exact::<Float64Type>(&array, values),
        DataType::Date32 => append_exact::<Date32Type>(&array, values),
        DataType::Int64 => {
            let integers = array.as_primitive::<Int64Type>().values();
            values.extend(integers.iter().map(|&integer| integer as f64));
        }
        DataType::UInt64 => {
            let integers = array.as_primitive::<UInt64Type>().values();
            values.extend(integers.iter().map(|&integer| integer as f64));
        }
        DataType::Decimal128(_, digits) => {
            let mut scaled = Scaled::new(*digits);
            let integers = array.as_primitive::<Decimal128Type>().values();
            values.extend(integers.iter().map(|&integer| scaled.number(integer)));
        }
        DataType::Decimal256(_, digits) => {
            let mut scaled = Scaled::new(*digits);
            let integers = array.as_primitive::<Decimal256Type>().values();
            values.extend(integers.iter().map(|integer| match integer.to_i128() {
                Some(integer) => scaled.number(integer),
                None => scaled.rounded(integer),
            }));
        }
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => {
            let mut scaled = Scaled::new(digits(*unit));
            let times = &array;
            downcast_temporal_array!(
                times => values.extend(times.values().iter().map(|&time| scaled.number(time.into()))),
                other => return Err(unexpected(other))
            );
        }
        other => return Err(unexpected(other)),
    }
    Ok(())
}

/// Adds numbers that f64 holds exactly.
fn append_exact<T: ArrowPrimitiveType<Native: Into<f64>>>(array: &ArrayRef, values: &mut Vec<f64>) {
    let numbers = array.as_primitive::<T>().values();
    values.extend(numbers.iter().map(|&number| number.into()));
}

fn unexpected(data_type: &DataType) -> ArrowError {
    ArrowError::CastError(format!("{data_type} is not numeric"))
}

/// Adds timestamps in seconds, of which `nanoseconds` has the digits and `seconds` the range.
fn append_both(nanoseconds: &ArrayRef, seconds: &ArrayRef, values: &mut Vec<f64>) {
    let nanoseconds = nanoseconds.as_primitive::<TimestampNanosecondType>();
    let seconds = seconds.as_primitive::<TimestampSecondType>();
    let mut scaled = Scaled::new(9);
    let both = nanoseconds.values().iter().zip(seconds.values());
    values.extend(both.map(|(&nanoseconds, &seconds)| {
        let rest = nanoseconds.wrapping_sub(seconds.wrapping_mul(NANOSECONDS));
        scaled.number(i128::from(seconds) * i128::from(NANOSECONDS) + i128::from(rest))
    }));
}

/// Returns the decimal digits of a second in these units.
fn digits(unit: TimeUnit) -> i8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Divides integers by a power of ten, and rounds once.
struct Scaled {
    /// The digits behind the decimal point.
    digits: i8,
    /// The power of ten, if f64 holds it exactly.
    divisor: Option<f64>,
    text: String,
}

impl Scaled {
    fn new(digits: i8) -> Self {
        Scaled {
            digits,
            divisor: (0..=22)
                .contains(&digits)
                .then(|| 10_f64.powi(digits.into())),
            text: String::new(),
        }
    }

    /// Returns the nearest f64.
    fn number(&mut self, integer: i128) -> f64 {
        match self.divisor {
            // f64 holds both exactly, and their quotient is rounded once.
            Some(divisor) if integer.unsigned_abs() <= 1 << 53 => integer as f64 / divisor,
            _ => self.rounded(integer),
        }
    }

    /// Returns the nearest f64 of an integer of any size.
    fn rounded(&mut self, integer: impl Display) -> f64 {
        self.text.clear();
        // A string takes any text, and the parser any integer.
        let _ = write!(self.text, "{integer}e{}", -i16::from(self.digits));
        self.text.parse().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_once() {
        for (integer, digits, expected) in [
            (12_345, 2, 123.45),
            // As an f64, this integer is 2^53, and a tenth of that another number.
            ((1 << 53) + 1, 1, 900_719_925_474_099.3),
            (-(10_i128.pow(30)), 30, -1.0),
            (3, 23, 3e-23),
            (7, -2, 700.0),
        ] {
            assert_eq!(
                Scaled::new(digits).number(integer),
                expected,
                "{integer}e-{digits}"
            );
        }
    }
}
