//! What is said of one engine at one size. The JSON export is made of these, field by field.

use serde::{Serialize, Serializer};

use super::clock::Times;
use crate::engine::Storage;
use crate::error::Error;
use crate::model::Evaluation;

/// Who can be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The CPU engine in a pool of one thread.
    Cpu1,
    /// The CPU engine on as many threads as it gains from.
    Cpu,
    /// The GPU engine, one submit and one read-back an epoch.
    Gpu,
    /// The GPU engine, the line kept on the device for as many epochs as take 10 ms.
    GpuBatched,
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Kind {
    /// All of them, in the order in which they are timed unless the user says otherwise.
    pub const ALL: [Kind; 4] = [Kind::Cpu1, Kind::Cpu, Kind::Gpu, Kind::GpuBatched];

    /// The name that `--engines` takes.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cpu1 => "cpu-1",
            Kind::Cpu => "cpu",
            Kind::Gpu => "gpu",
            Kind::GpuBatched => "gpu-batched",
        }
    }

    /// Whether it runs on an adapter.
    pub fn on_adapter(self) -> bool {
        match self {
            Kind::Cpu1 | Kind::Cpu => false,
            Kind::Gpu | Kind::GpuBatched => true,
        }
    }
}

/// One engine at one size.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How many samples.
    pub samples: u64,
    /// Who.
    pub engine: Kind,
    /// The adapter's index, of a GPU engine.
    pub adapter: Option<usize>,
    /// Whether that is a software adapter: its times are no measure of a GPU.
    pub software: bool,
    /// The threads that really ran, of a CPU engine.
    pub threads: Option<usize>,
    /// How samples are stored: `f32`, and `f16` on an adapter where that was asked for.
    pub storage: Storage,
    /// The means at [`MODEL`](super::MODEL); none where the engine failed before.
    pub evaluation: Option<Evaluation>,
    /// Whether the sums are the CPU engine's; none where the engine failed before.
    pub agrees: Option<bool>,
    /// How they are not.
    pub disagreement: Option<String>,
    /// Why the engine has no time although it doesn't disagree: out of memory, a lost device.
    pub failure: Option<String>,
    /// The time of an epoch; none for an engine that failed or disagrees, nor any figure below.
    pub epoch_seconds: Option<Times>,
    /// What of an epoch the adapter's own clock saw, where it has one.
    pub kernel_seconds: Option<f64>,
    /// Samples over the median time.
    pub samples_per_second: Option<f64>,
    /// Bytes of samples over the median time.
    pub bytes_per_second: Option<f64>,
    /// What the device could do at the most.
    pub roof: Option<Roof>,
    /// What else takes time.
    pub phases: Phases,
}

/// The bandwidth of the device, measured in the same run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Roof {
    /// Of reading both arrays and hardly computing: of a CPU engine in turns with its epochs, on one thread
    /// for `cpu-1` and on one or all, whichever is faster, for `cpu`; the median. Of an adapter the best, after the
    /// epochs.
    pub read_bytes_per_second: f64,
    /// Of copying within the device.
    pub copy_bytes_per_second: Option<f64>,
    /// The epoch's bandwidth over that of reading: on the CPU the median of all turns.
    pub share_of_read: f64,
    /// The epoch's bandwidth over that of copying.
    pub share_of_copy: Option<f64>,
}

/// What takes time beside the epochs, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Opening the device.
    pub device_start: Option<f64>,
    /// Compiling the shaders.
    pub compile: Option<f64>,
    /// Drawing the samples into the CPU engine's memory: once a size, the same for every engine.
    pub draw: f64,
    /// From there into the device's memory, the sums that are compared before the first epoch included.
    pub load: Option<f64>,
    /// Bytes of samples over that time.
    pub load_bytes_per_second: Option<f64>,
    /// Device start, compile and load as a whole; 0 for a CPU engine, which computes where it draws.
    pub setup: Option<f64>,
    /// Of a submit that only copies an epoch's record, to that record on the host: the median.
    pub readback: Option<f64>,
    /// To the answer of so many epochs: the sum of draw, setup and that many median epochs. `train` draws
    /// while it loads, and is faster.
    pub answer: Option<f64>,
}

impl Row {
    pub(super) fn new(samples: u64, engine: Kind, draw: f64) -> Self {
        Row {
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

    /// With why it failed, if it did.
    pub(super) fn failed(mut self, done: Result<(), Error>) -> Self {
        self.failure = done.err().map(|error| error.to_string());
        self
    }

    /// `cpu-1`, `cpu`, or `gpu 0` with the adapter's index, and `gpu 0 f16` where it reads half the bytes.
    pub fn label(&self) -> String {
        let label = label(self.engine, self.adapter);
        match self.storage {
            Storage::F32 => label,
            Storage::F16 => format!("{label} f16"),
        }
    }

    /// Bytes of all samples.
    pub fn bytes(&self) -> u64 {
        self.storage.bytes_per_sample() * self.samples
    }

    /// The median time of an epoch, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        self.epoch_seconds.map(|times| times.median)
    }
}

/// An engine's name, with the adapter's index where it has one.
pub fn label(engine: Kind, adapter: Option<usize>) -> String {
    match adapter {
        Some(index) => format!("{} {index}", engine.name()),
        None => engine.name().to_owned(),
    }
}
