//! A device, its queue, and the first failure that they report.

use std::mem;
use std::ops::RangeTo;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_intrusive::channel::shared::oneshot_channel;

use super::adapter::Adapter;
use super::watch;
use crate::data::host;
use crate::error::Error;
use crate::fault::{self, Fault};

/// Bytes a second that hardware goes through at least, and a software adapter on a crowded machine.
const SLOWEST: [u64; 2] = [100_000_000, 2_000_000];

/// An open device.
///
/// wgpu reports most failures to callbacks, not where they happen. The first one is kept here, and the next
/// [`Device::check`] returns it.
#[derive(Debug)]
pub struct Device {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// True if its memory is the host's.
    pub software: bool,
    /// True if it is reached through GL.
    pub gl: bool,
    name: String,
    driver: String,
    fault: Arc<Mutex<Option<Failure>>>,
    /// The time that it may take to answer, beside that for its work.
    pub(super) time_limit: Duration,
    /// Bytes that the work of all submissions so far goes through, and that of the submissions which are known to be done.
    submitted: AtomicU64,
    done: AtomicU64,
    /// The problem that it does not answer.
    late: Arc<str>,
}

/// Work that was submitted to a device.
#[derive(Clone, Debug)]
pub struct Submission {
    index: wgpu::SubmissionIndex,
    /// [`Device::submitted`] with it.
    bytes: u64,
}

/// A failure that wgpu reported.
#[derive(Debug)]
enum Failure {
    OutOfMemory,
    /// The device is gone, for a reason on one line.
    Lost(String),
    /// Anything else, on one line.
    Other(String),
}

impl Device {
    /// Opens the adapter with all its limits.
    pub fn open(adapter: &Adapter) -> Result<Self, Error> {
        let name = adapter.info().to_string();
        let time_limit = watch::time_limit()?;
        let late = late(adapter, time_limit);
        let open = || {
            pollster::block_on(adapter.adapter.request_device(&wgpu::DeviceDescriptor {
                label: Some("fall-line"),
                required_features: adapter.features(),
                required_limits: adapter.adapter.limits(),
                memory_hints: wgpu::MemoryHints::MemoryUsage,
                ..Default::default()
            }))
        };
        let (device, queue) = watch::watched(&late, time_limit, open)
            .map_err(|error| not_opened(adapter, &one_line(&error)))?;
        let fault = Arc::new(Mutex::new(None));
        let first = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| {
            let fault = match error {
                wgpu::Error::OutOfMemory { .. } => Failure::OutOfMemory,
                other => Failure::Other(one_line(&other)),
            };
            keep_first(&first, fault);
        }));
        let first = Arc::clone(&fault);
        device.set_device_lost_callback(move |_, reason| {
            // Whatever else fails, fails for this reason.
            let lost = Failure::Lost(reason.split_whitespace().collect::<Vec<_>>().join(" "));
            *first.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
        });
        Ok(Device {
            device,
            queue,
            software: adapter.info().software,
            gl: adapter.adapter.get_info().backend == wgpu::Backend::Gl,
            name,
            driver: adapter.info().driver.clone(),
            fault,
            time_limit,
            submitted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            late,
        })
    }

    /// Returns the largest number of invocations of a workgroup. Scratch takes 16 bytes of workgroup memory for each of
    /// them, and the drift of train_alone 24 bytes more.
    pub fn max_invocations(&self) -> u32 {
        let limits = self.device.limits();
        let in_scratch = limits.max_compute_workgroup_storage_size.saturating_sub(32) / 16;
        in_scratch
            .min(limits.max_compute_invocations_per_workgroup)
            .min(limits.max_compute_workgroup_size_x)
    }

    /// Returns what `make` makes. If the adapter has no memory for all of it, releases it and returns `None`.
    pub fn if_memory<T>(&self, make: impl FnOnce() -> T) -> Result<Option<T>, Error> {
        if fault::point(Fault::Buffer).is_err() {
            return Ok(None);
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let refused = pollster::block_on(scope.pop()).is_some();
        self.check()?;
        Ok((!refused).then_some(made))
    }

    /// Returns an error if anything has gone wrong so far.
    pub fn check(&self) -> Result<(), Error> {
        let fault = || self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*fault(), Some(Failure::Other(_))) {
            // If the cause is that the device was lost, that is told from within poll.
            let _ = catch_unwind(AssertUnwindSafe(|| self.device.poll(wgpu::PollType::Poll)));
        }
        match &*fault() {
            None => Ok(()),
            Some(Failure::OutOfMemory) => Err(self.out_of_memory(None)),
            Some(Failure::Lost(reason)) => Err(self.lost(reason)),
            Some(Failure::Other(text)) => Err(self.failed(text)),
        }
    }

    /// Submits work that goes through so many bytes.
    pub fn submit(&self, encoder: wgpu::CommandEncoder, bytes: u64) -> Submission {
        if fault::point(Fault::Submit).is_err() {
            self.device.destroy();
        }
        let before = self.submitted.fetch_add(bytes, Ordering::Relaxed);
        let bytes = before + bytes;
        let index = self.watched(self.time_for(bytes), || {
            self.queue.submit([encoder.finish()])
        });
        Submission { index, bytes }
    }

    /// Maps the first bytes of a buffer once the submission that last used it has run, or at once if there is none.
    pub fn map(
        &self,
        buffer: &wgpu::Buffer,
        bytes: RangeTo<u64>,
        mode: wgpu::MapMode,
        used_by: Option<&Submission>,
    ) -> Result<(), Error> {
        fault::point(Fault::Map)
            .map_err(|error| self.failed(&format!("a buffer can't be mapped: {error}")))?;
        let (sender, receiver) = oneshot_channel();
        buffer.slice(bytes).map_async(mode, move |result| {
            // Sending fails only if the receiver is gone, and then nobody waits.
            let _ = sender.send(result);
        });
        // The callback runs inside poll, so poll comes before the wait.
        match used_by {
            Some(submission) => self.wait(submission)?,
            None => self.poll(wgpu::PollType::Poll)?,
        }
        match pollster::block_on(receiver.receive()) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(self.failed(&one_line(&error))),
            None => Err(self.failed("a buffer was never mapped")),
        }
    }

    /// Waits until a submission has run.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device takes longer than its work and that before it can take.
    pub fn wait(&self, submission: &Submission) -> Result<(), Error> {
        self.poll(wgpu::PollType::Wait {
            submission_index: Some(submission.index.clone()),
            timeout: Some(self.time_for(submission.bytes)),
        })?;
        self.done.fetch_max(submission.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the time that the device may take for work, up to so many bytes of all that was submitted.
    fn time_for(&self, bytes: u64) -> Duration {
        let left = bytes.saturating_sub(self.done.load(Ordering::Relaxed));
        self.time_limit + Duration::from_secs(left / SLOWEST[usize::from(self.software)])
    }

    /// Polls the device. If it was lost, wgpu 30 panics in poll, or can't find the submission.
    fn poll(&self, mut poll: wgpu::PollType) -> Result<(), Error> {
        let time = match &poll {
            wgpu::PollType::Wait { timeout, .. } => timeout.unwrap_or(self.time_limit),
            wgpu::PollType::Poll => self.time_limit,
        };
        // In short waits: a time in which the process was stopped does not count.
        let mut left = time;
        let polled = self.watched(time, || {
            loop {
                let wait = left.min(Duration::from_secs(1));
                if let wgpu::PollType::Wait { timeout, .. } = &mut poll {
                    *timeout = Some(wait);
                }
                let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll.clone())));
                left -= wait;
                if !matches!(polled, Ok(Err(wgpu::PollError::Timeout))) || left.is_zero() {
                    break polled;
                }
            }
        });
        self.check()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => {
                // Dropping the device would wait for it without an end.
                mem::forget((self.device.clone(), self.queue.clone()));
                Err(self.failed(&self.late))
            }
            Ok(Err(_)) => Err(self.lost("")),
            Err(panic) => Err(self.lost(panic.downcast_ref::<String>().map_or("", |text| text))),
        }
    }

    /// Calls the driver, which should be back in this time and half a time limit more: where it can tell that it is late, that
    /// comes first.
    pub fn watched<R>(&self, time: Duration, call: impl FnOnce() -> R) -> R {
        watch::watched(&self.late, time + self.time_limit / 2, call)
    }

    /// Returns the error that the device is gone.
    fn lost(&self, reason: &str) -> Error {
        Error::DeviceLost {
            adapter: self.name.clone(),
            driver: self.driver.clone(),
            reason: reason.trim_end_matches([':', ' ', '.']).to_owned(),
        }
    }

    /// Returns the error that the adapter has a problem.
    pub fn failed(&self, problem: &str) -> Error {
        Error::Gpu {
            adapter: self.name.clone(),
            problem: problem.trim_end_matches([':', ' ']).to_owned(),
        }
    }

    /// Returns the error that the adapter has no memory for `needed` bytes.
    pub fn out_of_memory(&self, needed: Option<u64>) -> Error {
        Error::DeviceMemory {
            adapter: self.name.clone(),
            needed,
            available: self.software.then(host::available).flatten(),
            drawn: false,
        }
    }
}

/// Returns the error that an adapter can't be opened. wgpu says only in its text that memory ran out.
fn not_opened(adapter: &Adapter, text: &str) -> Error {
    if text.contains("Not enough memory") {
        return Error::DeviceMemory {
            adapter: adapter.info().to_string(),
            needed: None,
            available: None,
            drawn: false,
        };
    }
    adapter.failed(&format!("cannot be opened: {text}"))
}

/// Returns the problem that a device does not answer, with its adapter and driver.
fn late(adapter: &Adapter, time_limit: Duration) -> Arc<str> {
    let driver = &adapter.info().driver;
    format!(
        "its driver, {driver}, does not answer: use another adapter or the CPU engine, or set FALL_LINE_GPU_TIMEOUT to more \
         seconds than {}",
        time_limit.as_secs_f64()
    )
    .into()
}

/// Keeps a failure unless there is an earlier one.
fn keep_first(kept: &Mutex<Option<Failure>>, fault: Failure) {
    kept.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(fault);
}

/// Joins an error and its causes on one line. wgpu's own texts run over several lines.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
