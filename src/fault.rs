//! Faults on demand: tests make the n-th operation of a kind fail, and look at what is left.
//!
//! `FALL_LINE_FAULT=write:3` makes the third write fail, and `write:3+` that and all later ones. A build without debug
//! assertions has no faults.

use std::io;

/// A kind of operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Creating, writing, flushing or renaming an output file.
    Write,
    /// Reading an input file.
    Read,
    /// Creating a buffer for samples on a device.
    Buffer,
    /// Submitting work to a device: the device is lost.
    Submit,
    /// Mapping a buffer.
    Map,
    /// A call of a driver, which never returns.
    Hang,
    /// The end of an epoch, where the program panics.
    Panic,
}

/// Returns an error if this is the operation that is to fail.
///
/// # Errors
/// "No space left on device" for [`Fault::Write`], an I/O error for the others.
#[inline]
pub fn point(fault: Fault) -> io::Result<()> {
    #[cfg(debug_assertions)]
    return wanted::point(fault);
    #[cfg(not(debug_assertions))]
    {
        let _ = fault;
        Ok(())
    }
}

#[cfg(debug_assertions)]
mod wanted {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Fault;

    /// The operations that fail.
    struct Wanted {
        fault: Fault,
        /// The number of the first one.
        first: u64,
        /// Whether all later ones fail too.
        all: bool,
        /// The number of those so far.
        seen: AtomicU64,
    }

    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();

    pub fn point(fault: Fault) -> io::Result<()> {
        let wanted = WANTED.get_or_init(read).as_ref();
        let Some(wanted) = wanted.filter(|wanted| wanted.fault == fault) else {
            return Ok(());
        };
        let number = wanted.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if number < wanted.first || (number > wanted.first && !wanted.all) {
            return Ok(());
        }
        // As Linux has them: no space left on the device, and an I/O error.
        let code = if fault == Fault::Write { 28 } else { 5 };
        Err(io::Error::from_raw_os_error(code))
    }

    fn read() -> Option<Wanted> {
        let text = std::env::var("FALL_LINE_FAULT").ok()?;
        let (kind, number) = text.split_once(':')?;
        let kinds = [
            ("write", Fault::Write),
            ("read", Fault::Read),
            ("buffer", Fault::Buffer),
            ("submit", Fault::Submit),
            ("map", Fault::Map),
            ("hang", Fault::Hang),
            ("panic", Fault::Panic),
        ];
        let (_, fault) = kinds.into_iter().find(|(name, _)| *name == kind)?;
        let first = number.trim_end_matches('+').parse().ok()?;
        Some(Wanted {
            fault,
            first,
            all: number.ends_with('+'),
            seen: AtomicU64::new(0),
        })
    }
}
