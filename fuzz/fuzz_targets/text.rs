#![no_main]

use fall_line_fuzz::{checks::ANY, samples};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| samples(ANY, bytes));
