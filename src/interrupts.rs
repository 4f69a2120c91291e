//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use fall_line::error::Error;

use crate::INTERRUPTED;

/// What Ctrl-C and SIGTERM do from here on: the first sets a flag, so that the epoch is finished and
/// files are written; with the flag set, the next one ends the program at once.
pub struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    pub fn listen() -> Result<Self, Error> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&came))
                .and_then(|_| flag::register(signal, Arc::clone(&came)))
                .map_err(|source| Error::Io {
                    doing: "cannot listen for Ctrl-C".to_owned(),
                    source,
                })?;
        }
        Ok(Interrupts(came))
    }

    /// From here on the first one ends the program: for what leaves nothing behind.
    pub fn end_at_once(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does what leaves half a file behind if it is ended: it takes two more signals. After it, one.
    pub fn held<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.store(false, Ordering::Relaxed);
        let written = write();
        self.0.store(true, Ordering::Relaxed);
        written
    }
}
