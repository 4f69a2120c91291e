//! Calls of drivers, which may never come back: a process can't end them, but it can end itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::fault::{self, Fault};

/// The time that a driver may take to answer, beside that for the bytes which its work goes through.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The calls that are under way.
static CALLS: Mutex<Vec<Call>> = Mutex::new(Vec::new());

struct Call {
    number: u64,
    /// The time that it may still take.
    left: Duration,
    error: Arc<str>,
}

/// Returns the time that a driver may take to answer: 60 s, or the seconds of `FALL_LINE_GPU_TIMEOUT`.
///
/// # Errors
/// [`Error::Usage`] if that is not a number of seconds above 0.
pub fn time_limit() -> Result<Duration, Error> {
    let Ok(text) = std::env::var("FALL_LINE_GPU_TIMEOUT") else {
        return Ok(TIME_LIMIT);
    };
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds: &f64| *seconds > 0.0 && *seconds < 1e9);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        Error::Usage(format!(
            "FALL_LINE_GPU_TIMEOUT is {text:?}: it must be a number of seconds above 0"
        ))
    })
}

/// Calls a driver, which should be back in this time. `error` says what is wrong if it is not.
pub fn watched<R>(error: &Arc<str>, limit: Duration, call: impl FnOnce() -> R) -> R {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    struct UnderWay(u64);
    impl Drop for UnderWay {
        fn drop(&mut self) {
            calls(|calls| calls.retain(|call| call.number != self.0));
        }
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let error = Arc::clone(error);
    calls(|calls| {
        calls.push(Call {
            number,
            left: limit,
            error,
        });
    });
    let _under_way = UnderWay(number);
    if fault::point(Fault::Hang).is_err() {
        loop {
            thread::park();
        }
    }
    call()
}

/// Takes the time that has passed since the last call of this function, and returns the error of a driver's call that has not
/// come back in its time.
///
/// A program that calls this every now and then may end itself. It should count time in which it ran, not time in which the
/// machine slept or the process was stopped.
pub fn overdue(passed: Duration) -> Option<String> {
    calls(|calls| {
        for call in &mut *calls {
            call.left = call.left.saturating_sub(passed);
        }
        let late = calls.iter().find(|call| call.left.is_zero());
        late.map(|call| call.error.to_string())
    })
}

fn calls<R>(with: impl FnOnce(&mut Vec<Call>) -> R) -> R {
    with(&mut CALLS.lock().unwrap_or_else(PoisonError::into_inner))
}
