//! Parquet files that PyArrow wrote, and files of our own writer.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fall_line::data::{BLOCK, Block, Source};
use fall_line::error::Error;
use fall_line::table;
use fall_line::table::parquet::Parquet;
use fall_line::table::rows::{Axis, Reason, Request, Rows, Strict};
use fall_line::table::write::Kind;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{
    ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rows::{
    all, alone, asked, bits, expected, file, hard_numbers, numbers, refusal, what, written,
};
use tempfile::NamedTempFile;

use crate::common::{program, rows};
use program::{run, stdout};

const ENCODINGS: [&str; 7] = [
    "none-1", "none-2", "snappy-1", "gzip-2", "zstd-1", "lz4-2", "brotli-1",
];

fn open(name: &str, request: &Request) -> Result<Parquet, Error> {
    Parquet::open(&file(&format!("parquet/{name}.parquet")), request)
}

/// Returns the bits of each x; `None` for missing ones.
fn x_of(parquet: &Parquet) -> Vec<Option<u64>> {
    let (block, bad) = all(parquet);
    let mut values: Vec<Option<u64>> = bits(&block.x).into_iter().map(Some).collect();
    for (row, bad) in bad {
        match bad.reason {
            Reason::Missing => values[row as usize] = None,
            reason => assert_eq!(Some(reason), Reason::of(block.x[row as usize])),
        }
    }
    values
}

fn assert_reads(parquet: &Parquet, expected: &serde_json::Value, what: &str) {
    let expected: Vec<Option<u64>> = numbers(expected)
        .into_iter()
        // NaN counts as missing.
        .map(|value| value.filter(|value| !value.is_nan()).map(f64::to_bits))
        .collect();
    assert_eq!(x_of(parquet), expected, "{what}");
}

#[test]
fn every_type_reads_as_the_nearest_number() {
    let mut columns_read = 0;
    for name in ["types", "decimals", "int96", "nested"] {
        let expected = &expected()[format!("parquet/{name}.parquet")];
        for (column, numbers) in expected.as_object().unwrap() {
            let parquet = open(name, &alone(column)).unwrap();
            assert_eq!(parquet.names(), [column.as_str(), ""]);
            assert_reads(&parquet, numbers, column);
            columns_read += 1;
        }
    }
    assert_eq!(columns_read, 37);
}

#[test]
fn every_encoding_and_compression_reads_as_the_same_numbers() {
    let expected = &expected()["encodings"];
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 7);
    for name in ENCODINGS {
        let name = format!("encodings-{name}");
        for (column, of_column) in expected {
            let parquet = open(&name, &alone(column)).unwrap();
            assert_reads(&parquet, of_column, &format!("{name}, {column}"));
        }
        // Both columns together: their pages end at different rows.
        let (block, bad) = all(&open(&name, &asked("delta", "holes")).unwrap());
        let (x, y) = (numbers(&expected["delta"]), numbers(&expected["holes"]));
        for row in 0..x.len() {
            assert_eq!(Some(block.x[row]), x[row]);
            let missing = bad.iter().find(|(at, _)| *at == row as u64);
            assert_eq!(missing.is_some(), y[row].is_none(), "{name}, {row}");
            assert!(y[row].is_none_or(|y| y == block.y[row]));
        }
    }
}

/// A file with a column of each type, in row groups of these lengths.
fn table(types: Vec<Type>, groups: &[usize], page: usize, write: WriteColumn) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let fields: Vec<TypePtr> = types.into_iter().map(Arc::new).collect();
    let columns = fields.len();
    let schema = Type::group_type_builder("schema").with_fields(fields);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_data_page_row_count_limit(page)
        .set_data_page_size_limit((8 * page).max(1 << 20))
        .set_write_batch_size(page)
        .build();
    let schema = Arc::new(schema.build().unwrap());
    let mut writer =
        SerializedFileWriter::new(file.reopen().unwrap(), schema, Arc::new(properties)).unwrap();
    let mut first = 0;
    for &rows in groups {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..columns {
            let mut chunk = group.next_column().unwrap().unwrap();
            write(&mut chunk, column, first..first + rows);
            chunk.close().unwrap();
        }
        group.close().unwrap();
        first += rows;
    }
    writer.close().unwrap();
    file
}

type WriteColumn = fn(&mut SerializedColumnWriter<'_>, column: usize, rows: std::ops::Range<usize>);

/// PyArrow writes neither decimals of varying width nor files older than logical types.
#[test]
fn files_without_logical_types_are_read() {
    let of = |name: &'static str, physical, converted| {
        Type::primitive_type_builder(name, physical)
            .with_converted_type(converted)
            .with_repetition(Repetition::REQUIRED)
    };
    let types = vec![
        of("decimal", Physical::BYTE_ARRAY, ConvertedType::DECIMAL)
            .with_precision(30)
            .with_scale(3)
            .build()
            .unwrap(),
        of("millis", Physical::INT64, ConvertedType::TIMESTAMP_MILLIS)
            .build()
            .unwrap(),
        of("unsigned", Physical::INT64, ConvertedType::UINT_64)
            .build()
            .unwrap(),
        of("text", Physical::BYTE_ARRAY, ConvertedType::UTF8)
            .build()
            .unwrap(),
    ];
    let file = table(types, &[4], 100, |chunk, column, _| {
        let bytes: [&[u8]; 4] = [&[0xff], &[0x04, 0xd2], &[0x00], &[0x00, 0x80]];
        let written = match column {
            0 | 3 => chunk.typed::<ByteArrayType>().write_batch(
                &bytes.map(|bytes| ByteArray::from(bytes.to_vec())),
                None,
                None,
            ),
            _ => {
                let values = [1, -1, 1_700_000_000_123, 0];
                chunk.typed::<Int64Type>().write_batch(&values, None, None)
            }
        };
        written.unwrap();
    });
    let read = |column| {
        all(&Parquet::open(file.path(), &alone(column)).unwrap())
            .0
            .x
    };
    assert_eq!(read("decimal"), [-0.001, 1.234, 0.0, 0.128]);
    assert_eq!(read("millis"), [0.001, -0.001, 1_700_000_000.123, 0.0]);
    assert_eq!(
        read("unsigned"),
        [1.0, 18_446_744_073_709_551_615.0, 1.7e12 + 123.0, 0.0]
    );
    let text = refusal(Parquet::open(file.path(), &alone("text")));
    assert!(text.contains("column \"text\" holds no numbers"), "{text}");
}

#[test]
fn columns_are_chosen_by_name_or_position() {
    let path = file("parquet/nested.parquet").display().to_string();
    let parquet = open("nested", &Request::default()).unwrap();
    // The other column of numbers would come first.
    let names = ["x", "point.a"];
    assert_eq!(parquet.names(), names);
    assert_eq!(parquet.title(), "nested.parquet: point.a over x");
    assert_eq!(open("nested", &asked("7", "3")).unwrap().names(), names);
    assert_eq!(
        refusal(open("nested", &asked("x", "name"))),
        format!(
            "{path}: column \"name\" holds no numbers; its columns are: 1 \"name\" (not numeric), \
             2 \"list.list.element\" (not numeric), 3 \"point.a\", 4 \"point.b\" (not numeric), \
             5 \"color\" (not numeric), 6 \"nothing\" (not numeric), 7 \"x\""
        )
    );
    assert!(refusal(open("nested", &asked("x", "8"))).contains("has no column \"8\""));
    assert!(matches!(
        open("nested", &asked("x", "7")),
        Err(Error::Setting { .. })
    ));
    let text = refusal(open("encodings-none-1", &Request::default()));
    assert!(text.contains("cannot tell which column is x and which is y; choose"));
    let request = Request {
        x: Some("plain"),
        ..Request::default()
    };
    assert!(refusal(open("encodings-none-1", &request)).contains("which column is y; choose"));
}

/// Such an index counts rows, and nobody asked for it as x.
#[test]
fn an_index_of_pandas_is_not_guessed() {
    let numbers = [1.0, 2.0, 3.0];
    let index = "__index_level_0__";
    let file = written(Kind::Parquet, &["x", "y", index], &[&numbers[..]; 3]);
    let open = |request: &Request| Parquet::open(file.path(), request);
    assert_eq!(open(&Request::default()).unwrap().names(), ["x", "y"]);
    assert_eq!(open(&asked(index, "y")).unwrap().names(), [index, "y"]);
    let file = written(Kind::Parquet, &["x", index], &[&numbers[..]; 2]);
    let text = refusal(Parquet::open(file.path(), &Request::default()));
    assert!(text.contains("which column is x and which is y"), "{text}");
}

#[test]
fn rows_that_cannot_be_used_are_named() {
    let path = file("parquet/nested.parquet").display().to_string();
    let parquet = open("nested", &asked("point.a", "x")).unwrap();
    let (_, bad) = all(&parquet);
    let missing = |at| (at as u64, at, Axis::X, Reason::Missing);
    // Both values of the second row are bad, and x comes first.
    assert_eq!(what(&bad), [missing(1), missing(2)]);
    let text = refusal(Strict(Box::new(parquet)).read(0, &mut Block::default()));
    let complaint = format!("{path}, row 2, column \"point.a\": the value is missing");
    assert!(text.starts_with(&complaint), "{text}");
    let parquet = open("nested", &asked("x", "point.a")).unwrap();
    assert_eq!(
        parquet.row_error(1, all(&parquet).1[0].1).to_string(),
        format!("{path}, row 2, column \"x\": the value is missing")
    );
    let infinite = written(
        Kind::Parquet,
        &["x", "y"],
        &[&[1.0, f64::INFINITY], &[1.0, 2.0]],
    );
    let parquet = Parquet::open(infinite.path(), &Request::default()).unwrap();
    let (row, bad) = all(&parquet).1[0];
    assert_eq!(
        parquet.row_error(row, bad).to_string(),
        format!(
            "{}, row 2, column \"x\": inf is not finite",
            infinite.path().display()
        )
    );
}

#[test]
fn other_files_are_refused() {
    let empty = file("parquet/empty.parquet");
    let text = refusal(table::open(&empty, &Request::default(), &|_| {}));
    assert!(
        text.ends_with("has 0 samples; a line needs at least two"),
        "{text}"
    );
    let missing = Parquet::open(Path::new("no such file"), &Request::default());
    assert!(matches!(missing, Err(Error::Io { .. })));
    let folder = Parquet::open(Path::new("."), &Request::default());
    assert!(matches!(folder, Err(Error::Io { .. })), "{folder:?}");
    let text = refusal(Parquet::open(&file("cars.csv"), &Request::default()));
    assert!(
        text.contains("the file is damaged, or not a Parquet file: "),
        "{text}"
    );
}

/// Opens a file of these bytes and reads three pairs of its columns.
fn read_of(content: &[u8]) -> Result<Block, Error> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let mut block = Block::default();
    for request in [
        asked("plain", "holes"),
        asked("delta", "dictionary_holes"),
        asked("split", "delta_holes"),
    ] {
        let parquet = Parquet::open(file.path(), &request)?;
        parquet.read(0, &mut block, &mut Vec::new())?;
    }
    Ok(block)
}

/// A file that is cut anywhere, or has a bit flipped anywhere, is an error in one line or has other numbers. It never panics.
#[test]
fn damaged_files_are_errors() {
    let mut random = ChaCha8Rng::seed_from_u64(20);
    for name in ENCODINGS {
        let path = file(&format!("parquet/encodings-{name}.parquet"));
        let whole = std::fs::read(path).unwrap();
        read_of(&whole).unwrap();
        for _ in 0..30 {
            let length = random.random_range(0..whole.len());
            refusal(read_of(&whole[..length]));
        }
        let mut refused = 0;
        for _ in 0..DAMAGES {
            let mut content = whole.clone();
            let at = random.random_range(0..whole.len());
            content[at] ^= 1 << random.random_range(0..8);
            match read_of(&content) {
                Ok(_) => {}
                error => {
                    refusal(error);
                    refused += 1;
                }
            }
        }
        println!("{name}: {refused} of {DAMAGES} damages seen");
        assert!(refused > 0);
    }
}

const DAMAGES: usize = 400;

/// Unknown fields announce 2^31 values that take no bytes, or lie behind the end of the file.
#[test]
fn claims_of_unknown_fields_end_at_once() {
    for (name, problem) in [
        ("endless-page-header", "a page's header"),
        ("endless-footer", "its footer is invalid"),
        // An enumeration that is written as a boolean: what follows the footer's end would be read.
        (
            "../fuzzed/parquet/field-of-another-kind",
            "its footer is invalid",
        ),
    ] {
        let content = std::fs::read(file(&format!("parquet/{name}.parquet"))).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let request = Request::default();
        let read = Parquet::open(file.path(), &request).and_then(|parquet| {
            let mut block = Block::default();
            parquet.read(0, &mut block, &mut Vec::new())
        });
        let text = refusal(read);
        assert!(text.contains(problem), "{text}");
    }
    let mut long = b"PAR1".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    long.extend(b"PAR1");
    let text = refusal(read_of(&long));
    assert!(
        text.ends_with("its footer is longer than the file"),
        "{text}"
    );
}

/// A required field of a struct is missing where the struct is.
#[test]
fn a_missing_struct_has_no_fields() {
    let field = Type::primitive_type_builder("a", Physical::DOUBLE)
        .with_repetition(Repetition::REQUIRED)
        .build()
        .unwrap();
    let point = Type::group_type_builder("point")
        .with_repetition(Repetition::OPTIONAL)
        .with_fields(vec![Arc::new(field)])
        .build()
        .unwrap();
    let file = table(vec![point], &[3], 100, |chunk, _, _| {
        let chunk = chunk.typed::<DoubleType>();
        let levels = Some(&[1, 0, 1][..]);
        chunk.write_batch(&[1.0, 3.0], levels, None).unwrap();
    });
    let parquet = Parquet::open(file.path(), &alone("point.a")).unwrap();
    let bits = |value: f64| Some(value.to_bits());
    assert_eq!(x_of(&parquet), [bits(1.0), None, bits(3.0)]);
}

/// Timestamps of 96 bits keep nanoseconds, and years that 64 bits of nanoseconds do not reach.
#[test]
fn timestamps_of_96_bits_have_any_year() {
    let stamp = || {
        Type::primitive_type_builder("t", Physical::INT96)
            .with_repetition(Repetition::REQUIRED)
            .build()
            .unwrap()
    };
    let file = table(vec![stamp()], &[4], 100, |chunk, _, _| {
        // Nanoseconds of a day, then the Julian day.
        let of = |nanoseconds: u64, day: u32| {
            let mut value = Int96::new();
            value.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, day);
            value
        };
        let values = [
            of(0, 2_440_588),
            of(1_234_567_891, 2_460_000),
            of(86_399_999_999_999, 5_373_484),
            of(1, 1_721_426),
        ];
        let chunk = chunk.typed::<Int96Type>();
        chunk.write_batch(&values, None, None).unwrap();
    });
    let (block, bad) = all(&Parquet::open(file.path(), &alone("t")).unwrap());
    assert!(bad.is_empty());
    assert_eq!(
        block.x,
        [
            0.0,
            1_677_196_801.234_567_9,
            253_402_300_799.999_999_999,
            -62_135_596_799.999_999_999,
        ]
    );
}

/// Twelve moments an hour or a day apart, in each type that counts time. y rises by 2 each time, and by ±0.5 in turns.
#[test]
fn a_slope_over_time_is_told_by_day_or_hour() {
    let of = |physical, converted| {
        let time = Type::primitive_type_builder("t", physical)
            .with_converted_type(converted)
            .with_repetition(Repetition::REQUIRED);
        let y = Type::primitive_type_builder("y", Physical::DOUBLE)
            .with_repetition(Repetition::REQUIRED);
        vec![time.build().unwrap(), y.build().unwrap()]
    };
    let days: WriteColumn = |chunk, column, rows| match column {
        0 => {
            let days: Vec<i32> = rows.map(|at| 19_783 + at as i32).collect();
            let chunk = chunk.typed::<Int32Type>();
            chunk.write_batch(&days, None, None).unwrap();
        }
        _ => write_steps(chunk, rows),
    };
    let hours: WriteColumn = |chunk, column, rows| match column {
        0 => {
            let hours = rows.map(|at| 1000 * (1_709_294_400 + 3600 * at as i64));
            let chunk = chunk.typed::<Int64Type>();
            chunk
                .write_batch(&hours.collect::<Vec<_>>(), None, None)
                .unwrap();
        }
        _ => write_steps(chunk, rows),
    };
    for (physical, converted, write, columns, equation, slope) in [
        (
            Physical::INT32,
            ConvertedType::DATE,
            days,
            "x from 2024-03-01 to 2024-03-12, mean 2024-03-06, standard deviation 3.452053 days",
            "y = 10.01049 + 1.979 per day × (t − 2024-03-06)",
            "slope 1.979 ± 0.045 per day (95 %: 1.878 to 2.080), p ",
        ),
        (
            Physical::INT64,
            ConvertedType::TIMESTAMP_MILLIS,
            hours,
            "x from 2024-03-01 12:00:00 to 2024-03-01 23:00:00, mean 2024-03-01 17:30:00, standard deviation 3.452053 hours",
            "y = 11 + 1.979 per hour × (t − 2024-03-01 17:30:00)",
            "slope 1.979 ± 0.045 per hour (95 %: 1.878 to 2.080), p ",
        ),
    ] {
        let file = table(of(physical, converted), &[12], 100, write);
        let output = run(&format!("train {} --engine cpu", file.path().display()));
        let text = stdout(&output);
        for part in [columns, equation, slope] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("intercept"), "{text}");
    }
}

fn write_steps(chunk: &mut SerializedColumnWriter, rows: std::ops::Range<usize>) {
    let y: Vec<f64> = rows
        .map(|at| 2.0 * at as f64 + if at % 2 == 0 { 0.5 } else { -0.5 })
        .collect();
    let chunk = chunk.typed::<DoubleType>();
    chunk.write_batch(&y, None, None).unwrap();
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let numbers = hard_numbers(3 * BLOCK);
    let file = written(Kind::Parquet, &["x", "y"], &[&numbers, &numbers]);
    let parquet = Parquet::open(file.path(), &Request::default()).unwrap();
    file.as_file().set_len(1000).unwrap();
    let read = parquet.read(0, &mut Block::default(), &mut Vec::new());
    assert!(refusal(read).contains("changed while it was read"));
}

#[test]
fn a_file_that_is_written_to_is_an_error() {
    let numbers = hard_numbers(3 * BLOCK);
    let file = written(Kind::Parquet, &["x", "y"], &[&numbers, &numbers]);
    let parquet = Parquet::open(file.path(), &Request::default()).unwrap();
    let read = |index| parquet.read(index, &mut Block::default(), &mut Vec::new());
    read(0).unwrap();
    let content = std::fs::read(file.path()).unwrap();
    // The operating system's clock ticks in the meantime.
    std::thread::sleep(Duration::from_millis(30));
    std::fs::write(file.path(), content).unwrap();
    for index in [1, 0] {
        assert!(refusal(read(index)).contains("changed while it was read"));
    }
}

fn optional_doubles() -> Vec<Type> {
    let doubles = ["x", "y"].map(|name| {
        let double = Type::primitive_type_builder(name, Physical::DOUBLE);
        double
            .with_repetition(Repetition::OPTIONAL)
            .build()
            .unwrap()
    });
    doubles.to_vec()
}

/// Returns numbers with missing values, and next to them NaNs and infinities.
fn with_holes(column: usize, row: usize) -> Option<f64> {
    match (row + column) % 70_001 {
        0 => None,
        1 => Some(-f64::NAN),
        2 => Some(f64::INFINITY),
        _ => Some(value(column, row)),
    }
}

/// Pages too large for so many threads are copied first, and yield the same numbers.
#[test]
fn large_pages_hold_the_same_numbers() {
    const ROWS: usize = 1 << 20;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(32);
    let threads = threads.build().unwrap();
    for request in [Request::default(), alone("y")] {
        let [large, small] = [1 << 30, 10_000].map(|page| {
            let file = table(
                optional_doubles(),
                &[ROWS, 17],
                page,
                |chunk, column, rows| {
                    let numbers = rows.map(|row| with_holes(column, row));
                    let (mut values, mut levels) = (Vec::new(), Vec::new());
                    for number in numbers {
                        values.extend(number);
                        levels.push(number.is_some().into());
                    }
                    let chunk = chunk.typed::<DoubleType>();
                    chunk.write_batch(&values, Some(&levels), None).unwrap();
                },
            );
            let parquet = threads.install(|| Parquet::open(file.path(), &request));
            let parquet = parquet.unwrap();
            let read = all(&parquet);
            // A copy does not need the file any more.
            file.as_file().set_len(1000).unwrap();
            let again = parquet.read(0, &mut Block::default(), &mut Vec::new());
            assert_eq!(again.is_ok(), page == 1 << 30);
            read
        });
        assert!(large.1.len() > 40);
        assert_eq!(what(&large.1), what(&small.1));
        let good = |block: &Block| {
            let values = block.x.iter().chain(&block.y).copied();
            bits(&values.filter(|value| value.is_finite()).collect::<Vec<_>>())
        };
        assert_eq!(good(&large.0), good(&small.0));
    }
}

/// A page whose header asks for more memory than its column has is not loaded.
#[test]
fn a_page_is_no_larger_than_its_column() {
    const ROWS: usize = 200_000;
    let file = table(
        optional_doubles(),
        &[ROWS],
        1 << 30,
        |chunk, column, rows| {
            let values: Vec<f64> = rows.map(|row| value(column, row)).collect();
            let levels = vec![1; values.len()];
            let chunk = chunk.typed::<DoubleType>();
            chunk.write_batch(&values, Some(&levels), None).unwrap();
        },
    );
    let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
    let start = reader.metadata().row_group(0).column(0).byte_range().0 as usize;
    let whole = std::fs::read(file.path()).unwrap();
    let of_length = |bytes: usize| {
        let mut content = whole.clone();
        // The header's second field has four bytes of seven bits; the lowest bit is the sign.
        let field = &mut content[start + 2..start + 8];
        assert_eq!((field[0], field[5]), (0x15, 0x15));
        for (at, byte) in field[1..5].iter_mut().enumerate() {
            let more = if at < 3 { 0x80 } else { 0 };
            *byte = (bytes >> (7 * at)) as u8 & 0x7f | more;
        }
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let parquet = Parquet::open(file.path(), &Request::default())?;
        parquet.read(0, &mut Block::default(), &mut Vec::new())
    };
    of_length(2 * 8 * ROWS).unwrap();
    let text = refusal(of_length(2 * 60_000_000));
    assert!(text.contains("a page is larger than its column"), "{text}");
}

#[test]
fn written_files_read_back_bit_for_bit() {
    // Two row groups; no block ends where a group does.
    let x = hard_numbers((1 << 20) + BLOCK + 17);
    let y: Vec<f64> = x.iter().rev().copied().collect();
    let file = written(Kind::Parquet, &["x", "the y"], &[&x, &y]);
    let parquet = Parquet::open(file.path(), &Request::default()).unwrap();
    assert_eq!(parquet.names(), ["x", "the y"]);
    let (block, _) = all(&parquet);
    assert_eq!(bits(&block.x), bits(&x));
    assert_eq!(bits(&block.y), bits(&y));

    let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [1 << 20, BLOCK as i64 + 17]);
    for chunk in groups.iter().flat_map(|group| group.columns()) {
        assert_eq!(chunk.compression(), Compression::SNAPPY);
        assert!(
            chunk
                .statistics()
                .is_some_and(|known| known.max_bytes_opt().is_some())
        );
    }
}

fn value(column: usize, row: usize) -> f64 {
    (row * 2 + column) as f64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Row groups, pages, order and threads vary.
    #[test]
    fn blocks_are_read_in_any_order(
        groups in prop_oneof![
            proptest::collection::vec(0..3_usize * BLOCK, 1..5),
            proptest::collection::vec(0..500_usize, 300..400),
        ],
        page in 100..100_000_usize,
        seed in any::<u64>(),
    ) {
        let rows: usize = groups.iter().sum();
        prop_assume!(rows >= 2);
        let types = ["x", "y"].map(|name| {
            Type::primitive_type_builder(name, Physical::DOUBLE)
                .with_repetition(Repetition::REQUIRED)
                .build()
                .unwrap()
        });
        let file = table(types.to_vec(), &groups, page, |chunk, column, rows| {
            let values: Vec<f64> = rows.map(|row| value(column, row)).collect();
            chunk.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
        });
        let parquet = Parquet::open(file.path(), &Request::default()).unwrap();
        prop_assert_eq!(parquet.rows(), rows as u64);
        let check = |index: usize| {
            let (mut block, mut bad) = (Block::default(), Vec::new());
            parquet.read(index as u64, &mut block, &mut bad).unwrap();
            let here = index * BLOCK..((index + 1) * BLOCK).min(rows);
            let is = |column: usize, values: &[f64]| {
                values.iter().copied().eq(here.clone().map(|row| value(column, row)))
            };
            is(0, &block.x) && is(1, &block.y) && bad.is_empty()
        };
        let mut order: Vec<usize> = (0..rows.div_ceil(BLOCK)).flat_map(|index| [index; 2]).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert!(order.iter().all(|&index| check(index)));
        prop_assert!(order.par_iter().all(|&index| check(index)));
    }
}
