//! The host memory that reading a Parquet file takes. A test file of its own, because the peak is that of the process.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use fall_line::data::{BLOCK, Block};
use fall_line::table::parquet::Parquet;
use fall_line::table::rows::{Request, Rows};
use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::DoubleType;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use rayon::prelude::*;
use tempfile::NamedTempFile;

const MB: u64 = 1_000_000;

/// Returns a figure of the process's memory, in bytes.
fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    1024 * kibibytes
}

/// Writes two columns in a single row group.
fn one_row_group(rows: usize, properties: WriterPropertiesBuilder) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let fields = ["x", "y"].map(|name| {
        let column = Type::primitive_type_builder(name, Physical::DOUBLE);
        let column = column.with_repetition(Repetition::REQUIRED);
        Arc::new(column.build().unwrap())
    });
    let schema = Type::group_type_builder("schema").with_fields(fields.to_vec());
    let properties = properties.set_max_row_group_row_count(None).build();
    let mut writer = SerializedFileWriter::new(
        file.reopen().unwrap(),
        Arc::new(schema.build().unwrap()),
        Arc::new(properties),
    )
    .unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        for first in (0..rows).step_by(BLOCK) {
            let end = rows.min(first + BLOCK);
            let values: Vec<f64> = (first..end).map(|row| (row as f64).sin()).collect();
            let chunk = column.typed::<DoubleType>();
            chunk.write_batch(&values, None, None).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}

/// Returns the bytes of memory that so many threads take to read all of a file.
fn taken(file: &NamedTempFile, rows: usize, threads: usize) -> u64 {
    let before = memory("VmRSS");
    // This resets the peak.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let right = pool.build().unwrap().install(|| {
        let parquet = Parquet::open(file.path(), &Request::default()).unwrap();
        assert_eq!(parquet.rows(), rows as u64);
        (0..rows.div_ceil(BLOCK)).into_par_iter().all(|index| {
            let (mut block, mut bad) = (Block::default(), Vec::new());
            parquet.read(index as u64, &mut block, &mut bad).unwrap();
            let first = (index * BLOCK) as f64;
            bad.is_empty() && block.x[0] == first.sin() && block.y[0] == first.sin()
        })
    });
    assert!(right);
    let taken = memory("VmHWM") - before;
    println!(
        "{threads} threads over {} MB: {} MB",
        16 * rows as u64 / MB,
        taken / MB
    );
    taken
}

/// Both files are in one test, because the peak is that of the process.
#[test]
fn pages_are_held_and_no_row_groups() {
    const ROWS: usize = 4_000_000;
    // The dictionaries fill up, and pages have a megabyte.
    let file = one_row_group(ROWS, WriterProperties::builder());
    // Two threads and two idle cursors have two columns each: 8 dictionaries and 8 pages, decoded. The two at work also have
    // a page as it is in the file, and a block. Each takes up to a megabyte.
    assert!(taken(&file, ROWS, 2) < 30 * MB);

    // Each column is one page.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(1 << 30)
        .set_data_page_row_count_limit(1 << 30);
    let file = one_row_group(ROWS, properties);
    // A page takes 32 MB packed and 32 MB unpacked, and each of 8 threads has a block or two of a megabyte. 16 cursors
    // would take 1 GB.
    assert!(taken(&file, ROWS, 8) < (64 + 30) * MB);
}
