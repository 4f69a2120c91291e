#![no_main]

use fall_line_fuzz::checks::READINGS;
use fall_line_fuzz::with_file;

// To find out what a text is takes most of the time: a length is read in one way.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| with_file(
    bytes,
    READINGS[bytes.len() % READINGS.len()]
));
