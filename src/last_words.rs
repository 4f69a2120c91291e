//! The last line of a program that can't go on: memory is refused, or a driver crashes.
//!
//! Rust aborts where a small allocation fails, and a driver that crashes ends the program with it. Here both end with one line
//! and an exit code.
#![allow(unsafe_code, reason = "allocators and signal handlers are unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::thread;
use std::time::Duration;

use fall_line::engine::gpu::overdue;
use fall_line::error::Error;

use crate::output;

/// The exit code of an adapter that failed.
pub const ADAPTER_FAILED: u8 = 4;

/// The system's allocator, which ends the program instead of returning nothing. Large blocks are requested as
/// [`Memory`](fall_line::data::host::Memory), which can be refused.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of the system's allocator.
        granted(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        granted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        granted(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Returns the memory, or ends the program if there is none. Allocates nothing.
fn granted(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        let mut digits = [b'0'; 20];
        let mut left = size;
        let mut at = digits.len();
        while at == digits.len() || left > 0 {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        say(b"error: out of memory: ");
        say(&digits[at..]);
        say(b" bytes more were refused; use fewer samples, or a machine with more memory\n");
        end(1);
    }
    memory
}

/// Lets the threads of a process with a limit on its address space share their pools of memory.
///
/// glibc gives each thread a pool that takes 64 MB of addresses, however little is in use. A software adapter starts many
/// threads: its address space ran out at a limit of 1 GB, and two pools do with half of that. At worst glibc itself then ended
/// the process, where a thread of a driver got no thread-local data.
pub fn share_memory_pools() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if address_space().is_some() {
        // SAFETY: sets a number of the allocator. No other thread runs yet.
        unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, 2) };
    }
}

/// Returns the limit on the address space in bytes, if there is one.
#[cfg(unix)]
fn address_space() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit};
    let (limit, _) = getrlimit(Resource::RLIMIT_AS).ok()?;
    (limit != nix::libc::RLIM_INFINITY).then_some(limit)
}

/// Ends with one line and exit code 4 if a driver crashes from now on, or does not come back.
///
/// # Errors
/// [`Error::Io`] if no thread can be started.
pub fn watch_drivers() -> Result<(), Error> {
    const TICK: Duration = Duration::from_millis(500);
    let watch = || {
        loop {
            // A process that was stopped for hours counts as one tick.
            thread::sleep(TICK);
            if let Some(error) = overdue(TICK) {
                output::failure(error);
                end(ADAPTER_FAILED.into());
            }
        }
    };
    let started = thread::Builder::new().spawn(watch);
    started.map_err(|source| Error::Io {
        doing: "cannot start a thread".to_owned(),
        source,
    })?;
    listen_for_crashes();
    Ok(())
}

#[cfg(unix)]
fn listen_for_crashes() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    // In tight address spaces LLVM, of which software adapters are made, aborts.
    let within = address_space().map_or_else(String::new, |limit| {
        format!(
            ", of which it had {} MB at most (ulimit -v)",
            limit / 1_000_000
        )
    });
    let text = format!(
        "error: the program crashed, most likely in a GPU driver that lacks memory{within}: use --engine cpu, another \
         adapter or fewer samples\n"
    );
    if LINE.set(text).is_err() {
        return;
    }
    let action = SigAction::new(
        SigHandler::Handler(crashed),
        SaFlags::SA_ONSTACK | SaFlags::SA_RESETHAND,
        SigSet::empty(),
    );
    for signal in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGABRT,
        Signal::SIGILL,
        Signal::SIGFPE,
    ] {
        // SAFETY: the handler only writes a text that is made already, and ends the program.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// Elsewhere a crash ends the program as the system has it.
#[cfg(not(unix))]
fn listen_for_crashes() {}

#[cfg(unix)]
static LINE: std::sync::OnceLock<String> = std::sync::OnceLock::new();

#[cfg(unix)]
extern "C" fn crashed(_signal: i32) {
    say(LINE.get().map_or(b"", |line| line.as_bytes()));
    end(ADAPTER_FAILED.into());
}

/// Writes to stderr, without a lock and without memory.
#[cfg(unix)]
fn say(text: &[u8]) {
    let stderr = std::io::stderr();
    let _ = nix::unistd::write(stderr, text);
}

#[cfg(not(unix))]
fn say(text: &[u8]) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text);
}

/// Ends the program without running anything else.
#[cfg(unix)]
pub fn end(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { nix::libc::_exit(code) }
}

#[cfg(not(unix))]
pub fn end(code: i32) -> ! {
    std::process::exit(code)
}
