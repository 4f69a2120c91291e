#![no_main]

use fall_line_fuzz::{checks, with_file};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| with_file(bytes, checks::checkpoint));
