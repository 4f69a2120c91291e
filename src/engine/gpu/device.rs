//! A device, its queue, and what went wrong with them.

use std::ops::RangeTo;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use futures_intrusive::channel::shared::oneshot_channel;

use super::adapter::Adapter;
use crate::error::Error;

/// What to say and to do where memory runs out.
pub(super) const NO_MEMORY: &str = "not enough memory; use fewer samples or --engine cpu";

/// An open device. wgpu reports most failures not where they happen but to callbacks, whose first
/// word is kept here and returned by the next [`Device::check`].
#[derive(Debug)]
pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// Whether its memory is the host's.
    pub(super) software: bool,
    /// Whether it is reached through GL.
    pub(super) gl: bool,
    name: String,
    fault: Arc<Mutex<Option<String>>>,
}

impl Device {
    /// Opens the adapter with all its limits.
    pub(super) fn open(adapter: &Adapter) -> Result<Self, Error> {
        let name = adapter.info().to_string();
        let (device, queue) =
            pollster::block_on(adapter.adapter.request_device(&wgpu::DeviceDescriptor {
                label: Some("fall-line"),
                required_features: adapter.features(),
                required_limits: adapter.adapter.limits(),
                memory_hints: wgpu::MemoryHints::MemoryUsage,
                ..Default::default()
            }))
            .map_err(|error| adapter.failed(&format!("cannot be opened: {}", one_line(&error))))?;
        let fault = Arc::new(Mutex::new(None));
        let first = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| {
            keep_first(
                &first,
                match error {
                    wgpu::Error::OutOfMemory { .. } => NO_MEMORY.to_owned(),
                    other => one_line(&other),
                },
            );
        }));
        let first = Arc::clone(&fault);
        device.set_device_lost_callback(move |_, reason| {
            keep_first(&first, format!("the device was lost: {reason}"));
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

    /// Invocations of a workgroup at the most: scratch takes 16 bytes of workgroup memory for each, and the way of
    /// train_alone 24 more.
    pub(super) fn most_invocations(&self) -> u32 {
        let limits = self.device.limits();
        let fit = limits.max_compute_workgroup_storage_size.saturating_sub(32) / 16;
        fit.min(limits.max_compute_invocations_per_workgroup)
            .min(limits.max_compute_workgroup_size_x)
    }

    /// What `make` makes; none where the adapter has no memory for all of it, and what was made is released.
    pub(super) fn if_memory<T>(&self, make: impl FnOnce() -> T) -> Result<Option<T>, Error> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let refused = pollster::block_on(scope.pop()).is_some();
        self.check()?;
        Ok((!refused).then_some(made))
    }

    /// An error if anything has gone wrong so far.
    pub(super) fn check(&self) -> Result<(), Error> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*fault {
            None => Ok(()),
            Some(fault) => Err(self.failed(fault)),
        }
    }

    /// Maps the first bytes of a buffer once the submission that last used it has run; without one, at once.
    pub(super) fn map(
        &self,
        buffer: &wgpu::Buffer,
        bytes: RangeTo<u64>,
        mode: wgpu::MapMode,
        used_by: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), Error> {
        let (sender, receiver) = oneshot_channel();
        buffer.slice(bytes).map_async(mode, move |result| {
            // It fails only where the receiver is gone, and nobody waits.
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
    pub(super) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        self.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        })
    }

    /// On a device that was lost wgpu 30 panics in poll, or finds that the submission never came about.
    fn poll(&self, poll: wgpu::PollType) -> Result<(), Error> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.check()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.failed("the device was lost")),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map_or("", |said| said);
                Err(self.failed(&format!("the device was lost: {said}")))
            }
        }
    }

    pub(super) fn failed(&self, what: &str) -> Error {
        Error::Gpu {
            adapter: self.name.clone(),
            problem: what.trim_end_matches([':', ' ']).to_owned(),
        }
    }
}

fn keep_first(fault: &Mutex<Option<String>>, text: String) {
    fault
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(text);
}

/// An error and its causes on one line: wgpu's own texts run over several.
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
