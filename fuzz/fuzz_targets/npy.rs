#![no_main]

use fall_line_fuzz::{checks::NPY, samples};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| samples(NPY, bytes));
