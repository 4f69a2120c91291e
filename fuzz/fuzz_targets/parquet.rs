#![no_main]

use fall_line_fuzz::{checks::PARQUET, samples};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| samples(PARQUET, bytes));
