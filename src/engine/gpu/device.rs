//! A device, its queue, and the first failure that they report.

use std::ops::RangeTo;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use futures_intrusive::channel::shared::oneshot_channel;

use super::adapter::Adapter;
use crate::error::Error;

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
    fault: Arc<Mutex<Option<Fault>>>,
}

/// A failure that wgpu reported.
#[derive(Debug)]
enum Fault {
    OutOfMemory,
    /// Anything else, on one line.
    Other(String),
}

impl Device {
    /// Opens the adapter with all its limits.
    pub fn open(adapter: &Adapter) -> Result<Self, Error> {
        let name = adapter.info().to_string();
        let (device, queue) =
            pollster::block_on(adapter.adapter.request_device(&wgpu::DeviceDescriptor {
                label: Some("fall-line"),
                required_features: adapter.features(),
                required_limits: adapter.adapter.limits(),
                memory_hints: wgpu::MemoryHints::MemoryUsage,
                ..Default::default()
            }))
            .map_err(|error| not_opened(adapter, &one_line(&error)))?;
        let fault = Arc::new(Mutex::new(None));
        let first = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| {
            let fault = match error {
                wgpu::Error::OutOfMemory { .. } => Fault::OutOfMemory,
                other => Fault::Other(one_line(&other)),
            };
            keep_first(&first, fault);
        }));
        let first = Arc::clone(&fault);
        device.set_device_lost_callback(move |_, reason| {
            let text = format!("the device was lost: {reason}");
            keep_first(&first, Fault::Other(text));
        });
        Ok(Device {
            device,
            queue,
            software: adapter.info().software,
            gl: adapter.adapter.get_info().backend == wgpu::Backend::Gl,
            name,
            fault,
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
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let refused = pollster::block_on(scope.pop()).is_some();
        self.check()?;
        Ok((!refused).then_some(made))
    }

    /// Returns an error if anything has gone wrong so far.
    pub fn check(&self) -> Result<(), Error> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*fault {
            None => Ok(()),
            Some(Fault::OutOfMemory) => Err(self.out_of_memory(None)),
            Some(Fault::Other(text)) => Err(self.failed(text)),
        }
    }

    /// Maps the first bytes of a buffer once the submission that last used it has run, or at once if there is none.
    pub fn map(
        &self,
        buffer: &wgpu::Buffer,
        bytes: RangeTo<u64>,
        mode: wgpu::MapMode,
        used_by: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), Error> {
        let (sender, receiver) = oneshot_channel();
        buffer.slice(bytes).map_async(mode, move |result| {
            // Sending fails only if the receiver is gone, and then nobody waits.
            let _ = sender.send(result);
        });
        let poll = match used_by {
            Some(submission_index) => wgpu::PollType::Wait {
                submission_index: Some(submission_index),
                timeout: None,
            },
            None => wgpu::PollType::Poll,
        };
        // The callback runs inside poll, so poll comes before the wait.
        self.poll(poll)?;
        match pollster::block_on(receiver.receive()) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(self.failed(&one_line(&error))),
            None => Err(self.failed("a buffer was never mapped")),
        }
    }

    /// Waits until a submission has run.
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        self.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        })
    }

    /// Polls the device. If it was lost, wgpu 30 panics in poll, or can't find the submission.
    fn poll(&self, poll: wgpu::PollType) -> Result<(), Error> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.check()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.failed("the device was lost")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map_or("", |text| text);
                Err(self.failed(&format!("the device was lost: {text}")))
            }
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
            available: None,
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

/// Keeps a failure unless there is an earlier one.
fn keep_first(kept: &Mutex<Option<Fault>>, fault: Fault) {
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
