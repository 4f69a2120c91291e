//! Signals that ask the program to end: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use fall_line::error::Error;

#[cfg(unix)]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM];

/// The signals so far. The epoch in hand is finished and files are written. If there was a signal already, the next one
/// ends the program at once.
pub struct Interrupts {
    /// Set by a signal, or where the next one may end the program.
    interrupted: Arc<AtomicBool>,
    /// The number of the last signal; 0 before there is one.
    signal: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Handles signals from now on. A signal that the program was started to ignore, as `nohup` does, stays ignored.
    pub fn listen() -> Result<Self, Error> {
        let interrupts = Interrupts {
            interrupted: Arc::default(),
            signal: Arc::default(),
        };
        for &signal in SIGNALS.iter().filter(|&&signal| !is_ignored(signal)) {
            let interrupted = &interrupts.interrupted;
            let number = Arc::clone(&interrupts.signal);
            flag::register_conditional_shutdown(
                signal,
                i32::from(code(signal as usize)),
                Arc::clone(interrupted),
            )
            .and_then(|_| flag::register_usize(signal, number, signal as usize))
            .and_then(|_| flag::register(signal, Arc::clone(interrupted)))
            .map_err(|source| Error::Io {
                doing: "cannot listen for Ctrl-C".to_owned(),
                source,
            })?;
        }
        Ok(interrupts)
    }

    /// Lets the next signal end the program, for work that leaves nothing behind.
    pub fn exit_on_next(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Returns whether there was a signal.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Returns the exit code of shells for a program that the last signal ended: 130 for SIGINT, 143 for SIGTERM, 129 for
    /// SIGHUP.
    ///
    /// Returns `None` if there was no signal.
    pub fn exit_code(&self) -> Option<ExitCode> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(code(signal).into()),
        }
    }

    /// Runs what would leave half a file behind if it were ended. During it only a second signal ends the program, and
    /// after it the next one.
    pub fn deferred<R>(&self, write: impl FnOnce() -> R) -> R {
        self.interrupted.store(false, Ordering::Relaxed);
        let written = write();
        self.interrupted.store(true, Ordering::Relaxed);
        written
    }
}

fn code(signal: usize) -> u8 {
    128 + signal as u8
}

/// Returns whether the program was started with a signal ignored.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "nix can't ask for a disposition without changing it"
)]
fn is_ignored(signal: i32) -> bool {
    use nix::libc;
    // SAFETY: a zeroed sigaction is valid, and the call only writes to it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
fn is_ignored(_signal: i32) -> bool {
    false
}
