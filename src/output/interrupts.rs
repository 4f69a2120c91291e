//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use fall_line::error::Error;

/// The exit code of shells for a program that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// A flag that Ctrl-C and SIGTERM set, so that the epoch in hand is finished and files are written. If it is set already,
/// the next signal ends the program at once.
pub struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Handles signals from now on.
    pub fn listen() -> Result<Self, Error> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(
                signal,
                INTERRUPTED.into(),
                Arc::clone(&interrupted),
            )
            .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
            .map_err(|source| Error::Io {
                doing: "cannot listen for Ctrl-C".to_owned(),
                source,
            })?;
        }
        Ok(Interrupts(interrupted))
    }

    /// Lets the next signal end the program, for work that leaves nothing behind.
    pub fn exit_on_next(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether there was a signal.
    pub fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs what would leave half a file behind if it were ended. During it only a second signal ends the program, and
    /// after it the next one.
    pub fn deferred<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.store(false, Ordering::Relaxed);
        let written = write();
        self.0.store(true, Ordering::Relaxed);
        written
    }
}
