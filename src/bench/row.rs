//! Results of one engine at one size. The JSON export consists of these, field by field, and so do the columns of the
//! CSV export.

use std::fmt;

use serde::Serialize;

use super::clock::EpochTimes;
use crate::engine::Storage;
use crate::error::Error;
use crate::model::{Evaluation, Sums};

/// An engine that can be timed, and how it is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Contestant {
    /// The CPU engine on one thread.
    #[serde(rename = "cpu-1")]
    #[cfg_attr(feature = "cli", value(name = "cpu-1"))]
    Cpu1,
    /// The CPU engine on as many threads as make it faster.
    Cpu,
    /// The GPU engine, one submit and one read-back an epoch.
    Gpu,
    /// The GPU engine, the line kept on the device for the epochs of 10 ms.
    GpuBatched,
}

impl Contestant {
    /// Every contestant, in the order in which they are timed by default.
    pub const ALL: [Contestant; 4] = [
        Contestant::Cpu1,
        Contestant::Cpu,
        Contestant::Gpu,
        Contestant::GpuBatched,
    ];

    /// Returns whether it runs on an adapter.
    pub fn on_adapter(self) -> bool {
        match self {
            Contestant::Cpu1 | Contestant::Cpu => false,
            Contestant::Gpu | Contestant::GpuBatched => true,
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contestant::Cpu1 => "cpu-1",
            Contestant::Cpu => "cpu",
            Contestant::Gpu => "gpu",
            Contestant::GpuBatched => "gpu-batched",
        })
    }
}

/// Results of one engine at one size.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRow {
    /// Number of samples.
    pub samples: u64,
    /// The engine.
    pub engine: Contestant,
    /// Index of the adapter, for a GPU engine.
    pub adapter: Option<usize>,
    /// True for a software adapter, whose times say nothing about a GPU.
    pub software: bool,
    /// Number of threads that ran, for a CPU engine.
    pub threads: Option<usize>,
    /// Storage format of the samples: `f32`, or `f16` on an adapter if it was asked for.
    pub storage: Storage,
    /// Means at [`MODEL`](super::MODEL); `None` if the engine failed before.
    pub evaluation: Option<Evaluation>,
    /// True if the sums agree with the CPU engine's; `None` if the engine failed before.
    pub agrees: Option<bool>,
    /// The difference of sums that disagree.
    pub disagreement: Option<String>,
    /// Reason why an engine that doesn't disagree has no time: out of memory, or a lost device.
    pub failure: Option<String>,
    /// Time of an epoch; `None`, like every figure below, for an engine that failed or disagrees.
    pub epoch_seconds: Option<EpochTimes>,
    /// Time of an epoch by the adapter's own clock, if it has one.
    pub kernel_seconds: Option<f64>,
    /// Samples divided by the median time.
    pub samples_per_second: Option<f64>,
    /// Bytes of samples divided by the median time.
    pub bytes_per_second: Option<f64>,
    /// Bandwidth limit of the device.
    pub roof: Option<Roof>,
    /// Times of everything but the epochs.
    pub phases: Phases,
}

/// Bandwidth limits of a device, measured in the same run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Roof {
    /// Bytes a second of a kernel that reads both arrays and hardly computes. On the CPU it is the median of runs in
    /// turns with the epochs, on one thread for `cpu-1`, and for `cpu` on one or all, whichever is faster. On an adapter
    /// it is the best of several runs after the epochs.
    pub read_bytes_per_second: f64,
    /// Bytes a second of a copy within the device.
    pub copy_bytes_per_second: Option<f64>,
    /// Bandwidth of an epoch as a share of reading; on the CPU the median of all turns.
    pub share_of_read: f64,
    /// Bandwidth of an epoch as a share of copying.
    pub share_of_copy: Option<f64>,
}

/// Times of everything but the epochs, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Time to open the device.
    pub device_start: Option<f64>,
    /// Time to compile the shaders.
    pub compile: Option<f64>,
    /// Time to draw the samples into the CPU engine's memory: once a size, the same for every engine.
    pub draw: f64,
    /// Time from there into the device's memory, including the sums that are compared before the first epoch.
    pub load: Option<f64>,
    /// Bytes of samples divided by that time.
    pub load_bytes_per_second: Option<f64>,
    /// Sum of device start, compile and load; 0 for a CPU engine, which computes where it draws.
    pub setup: Option<f64>,
    /// Median time from a submit that only copies an epoch's record to that record on the host.
    pub readback: Option<f64>,
    /// Time to the answer: the sum of draw, setup and a number of median epochs. `train` draws while it loads, and is
    /// faster.
    pub answer: Option<f64>,
}

impl BenchRow {
    /// Returns the row of an engine that nothing is known of but how long the samples took to draw, in seconds.
    pub(super) fn new(samples: u64, engine: Contestant, draw: f64) -> Self {
        BenchRow {
            samples,
            engine,
            adapter: None,
            software: false,
            threads: None,
            storage: Storage::F32,
            evaluation: None,
            agrees: None,
            disagreement: None,
            failure: None,
            epoch_seconds: None,
            kernel_seconds: None,
            samples_per_second: None,
            bytes_per_second: None,
            roof: None,
            phases: Phases {
                draw,
                ..Phases::default()
            },
        }
    }

    /// Returns a row that has every group of fields, so that serialising it shows all their names.
    pub fn complete() -> Self {
        BenchRow {
            evaluation: Some(Sums::default().means(1)),
            epoch_seconds: Some(EpochTimes::default()),
            roof: Some(Roof::default()),
            ..BenchRow::new(0, Contestant::Cpu, 0.0)
        }
    }

    /// Returns the row with the reason of a failure, if there was one.
    pub(super) fn with_failure(mut self, done: Result<(), Error>) -> Self {
        self.failure = done.err().map(|error| error.to_string());
        self
    }

    /// Returns `cpu-1`, `cpu`, `gpu 0` with the adapter's index, or `gpu 0 f16` if the samples are stored in f16.
    pub fn label(&self) -> String {
        let label = label(self.engine, self.adapter);
        match self.storage {
            Storage::F32 => label,
            Storage::F16 => format!("{label} f16"),
        }
    }

    /// Returns the bytes of all samples.
    pub fn bytes(&self) -> u64 {
        self.storage.bytes_per_sample() * self.samples
    }

    /// Returns the median time of an epoch, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        self.epoch_seconds.map(|times| times.median)
    }
}

/// Returns an engine's name, with the adapter's index if it has one.
pub fn label(engine: Contestant, adapter: Option<usize>) -> String {
    match adapter {
        Some(index) => format!("{engine} {index}"),
        None => engine.to_string(),
    }
}
