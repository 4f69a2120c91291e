//! The terminal that a run is watched from: a progress bar, notices, and Ctrl-C.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fall_line::error::Error;
use fall_line::fit::{Monitor, Notice, Phase};

use crate::output::interrupts::Interrupts;
use crate::output::progress::Progress;
use crate::output::{self, advice};

pub struct Terminal {
    quiet: bool,
    bar: Mutex<Option<Progress>>,
    interrupts: OnceLock<Interrupts>,
}

impl Terminal {
    pub fn new(quiet: bool) -> Self {
        Terminal {
            quiet,
            bar: Mutex::new(None),
            interrupts: OnceLock::new(),
        }
    }

    /// Listens for Ctrl-C from here on; before, it ends the program at once.
    pub fn listen(&self) -> Result<&Interrupts, Error> {
        let interrupts = Interrupts::listen()?;
        Ok(self.interrupts.get_or_init(|| interrupts))
    }

    /// Takes the progress bar away.
    pub fn end_phase(&self) {
        *self.bar() = None;
    }

    /// Prints something, with the progress bar out of the way.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        match &*self.bar() {
            Some(bar) => bar.aside(print),
            None => print(),
        }
    }

    fn bar(&self) -> MutexGuard<'_, Option<Progress>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Terminal {
    fn begin(&self, phase: Phase, total: u64) {
        let name = match phase {
            Phase::Reading => "reading",
            Phase::Loading => "loading",
            Phase::Descending => "epochs",
            Phase::Surface => "surface",
        };
        let mut bar = self.bar();
        *bar = None;
        *bar = Some(Progress::new(name, total, self.quiet));
    }

    fn advance(&self, done: u64) {
        if let Some(bar) = &*self.bar() {
            bar.advance(done);
        }
    }

    fn notice(&self, told: &Notice) {
        if self.quiet && !told.is_warning() {
            return;
        }
        let text = advice::notice(told);
        self.aside(|| match told {
            Notice::Lost(_) => output::own_warning(text),
            told if told.is_warning() => output::warning(text),
            _ => output::notice(text),
        });
    }

    fn is_cancelled(&self) -> bool {
        self.interrupts.get().is_some_and(Interrupts::interrupted)
    }
}
