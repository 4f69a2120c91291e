//! The types of a Parquet file's columns, and the numbers that their values stand for.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, TimeUnit};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::pages::guarded;

/// Nanoseconds of a second.
const NANOSECONDS: i64 = 1_000_000_000;

/// Returns whether a column holds one number a row.
pub fn is_numeric(column: &ColumnDescriptor) -> bool {
    // Converted alone, a column doesn't depend on others, which Arrow may have no type for.
    let alone = Type::group_type_builder("schema").with_fields(vec![column.self_type_ptr()]);
    let converted = guarded(|| {
        let schema = SchemaDescriptor::new(Arc::new(alone.build()?));
        parquet_to_arrow_schema(&schema, None)
    });
    column.max_rep_level() == 0
        && converted.is_ok_and(|schema| match schema.field(0).data_type() {
            DataType::Boolean | DataType::Date32 | DataType::Time32(_) => true,
            DataType::Time64(_) | DataType::Timestamp(_, _) => true,
            other => other.is_numeric(),
        })
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
pub fn append(column: &[ArrayRef], numbers: &mut Numbers) -> Result<(), ArrowError> {
    let Numbers { values, missing } = numbers;
    let first = values.len();
    let leaves: Vec<&ArrayRef> = column.iter().map(leaf).collect();
    match leaves[..] {
        [nanoseconds, seconds] => append_both(nanoseconds, seconds, values)?,
        [array] => match array.data_type() {
            DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => {
                let mut scaled = Scaled::new(power(*unit));
                let times = cast(array, &DataType::Int64)?;
                let times = times.as_primitive::<Int64Type>().values();
                values.extend(times.iter().map(|&time| scaled.number(time.into())));
            }
            DataType::Date32 => append_floats(&cast(array, &DataType::Int32)?, values)?,
            _ => append_floats(array, values)?,
        },
        _ => {}
    }
    for at in column.first().map(absent).unwrap_or_default() {
        missing.push(first + at);
        values[first + at] = f64::NAN;
    }
    Ok(())
}

/// Returns the only field of nested structs.
fn leaf(array: &ArrayRef) -> &ArrayRef {
    array
        .as_struct_opt()
        .map_or(array, |nested| leaf(nested.column(0)))
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

fn append_floats(array: &ArrayRef, values: &mut Vec<f64>) -> Result<(), ArrowError> {
    let floats = cast(array, &DataType::Float64)?;
    values.extend_from_slice(floats.as_primitive::<Float64Type>().values());
    Ok(())
}

/// Adds timestamps in seconds, of which `nanoseconds` has the digits and `seconds` the range.
fn append_both(
    nanoseconds: &ArrayRef,
    seconds: &ArrayRef,
    values: &mut Vec<f64>,
) -> Result<(), ArrowError> {
    let nanoseconds = cast(nanoseconds, &DataType::Int64)?;
    let seconds = cast(seconds, &DataType::Int64)?;
    let nanoseconds = nanoseconds.as_primitive::<Int64Type>().values();
    let seconds = seconds.as_primitive::<Int64Type>().values();
    let mut scaled = Scaled::new(9);
    let both = nanoseconds.iter().zip(seconds);
    values.extend(both.map(|(&nanoseconds, &seconds)| {
        let rest = nanoseconds.wrapping_sub(seconds.wrapping_mul(NANOSECONDS));
        scaled.number(i128::from(seconds) * i128::from(NANOSECONDS) + i128::from(rest))
    }));
    Ok(())
}

/// Returns the power of ten of these units that make a second.
fn power(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Turns times into seconds that are rounded once.
struct Scaled {
    /// The power of ten that makes a second.
    power: u32,
    divisor: f64,
    text: String,
}

impl Scaled {
    fn new(power: u32) -> Self {
        Scaled {
            power,
            divisor: 10_u64.pow(power) as f64,
            text: String::new(),
        }
    }

    /// Returns the nearest f64.
    fn number(&mut self, time: i128) -> f64 {
        // f64 holds both exactly, and their quotient is rounded once.
        if time.unsigned_abs() <= 1 << 53 {
            return time as f64 / self.divisor;
        }
        self.text.clear();
        // A string takes any text, and the parser any integer.
        let _ = write!(self.text, "{time}e-{}", self.power);
        self.text.parse().unwrap_or(f64::NAN)
    }
}
