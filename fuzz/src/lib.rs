//! What the fuzz targets share.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, Once};

#[path = "../../tests/suite/fuzzed/checks.rs"]
pub mod checks;

thread_local! {
    /// A file in memory without a name, so that nothing is left of it.
    static FILE: RefCell<File> = RefCell::new(tempfile::tempfile_in("/dev/shm").expect("a file in /dev/shm"));
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Reads a file of samples of a kind. Its length chooses the way.
pub fn samples(kind: checks::Frame, bytes: &[u8]) {
    let bytes = checks::framed(kind, bytes.to_vec());
    with_file(&bytes, checks::READINGS[bytes.len() % checks::READINGS.len()]);
}

/// Calls `check` with the path of a file that holds these bytes. Aborts if it panics.
///
/// The fuzzer's own hook aborts at every panic, and the reader of Parquet files turns those of its decoders into errors.
pub fn with_file(bytes: &[u8], check: impl FnOnce(&Path)) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            *LAST_PANIC.lock().expect("no panic within") = panic.to_string();
        }));
    });
    let checked = FILE.with_borrow_mut(|file| {
        file.set_len(0).expect("an empty file");
        file.write_all_at(bytes, 0).expect("a whole file");
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        panic::catch_unwind(AssertUnwindSafe(|| check(Path::new(&path))))
    });
    if checked.is_err() {
        eprintln!("{}", LAST_PANIC.lock().expect("no panic within"));
        std::process::abort();
    }
}
