//! Results of one engine at one size. The JSON export consists of these, field by field, and so do the columns of the
//! CSV export.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::clock::{Clocked, EpochTimes, Figure};
use super::machine::is_busy;
use crate::engine::Storage;
use crate::engine::gpu::Timings;
use crate::engine::gpu::measure::Roofs;
use crate::model::{Evaluation, Sums};

/// An engine that can be timed, and how it is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The GPU engine on all adapters at the same time, each with its share of the samples.
    Gpus,
}

impl Contestant {
    /// Every contestant, in the order in which they are timed by default: `gpus` only if there are several adapters.
    pub const ALL: [Contestant; 5] = [
        Contestant::Cpu1,
        Contestant::Cpu,
        Contestant::Gpu,
        Contestant::GpuBatched,
        Contestant::Gpus,
    ];

    /// Returns whether it runs on an adapter.
    pub fn on_adapter(self) -> bool {
        match self {
            Contestant::Cpu1 | Contestant::Cpu => false,
            Contestant::Gpu | Contestant::GpuBatched | Contestant::Gpus => true,
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
            Contestant::Gpus => "gpus",
        })
    }
}

/// Results of one engine at one size, over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRow {
    /// Number of samples.
    pub samples: u64,
    /// The engine.
    pub engine: Contestant,
    /// Another engine that is this one at this size: `cpu` is `cpu-1` where threads don't help.
    pub also: Option<Contestant>,
    /// Index of the adapter, for a GPU engine on one.
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
    pub kernel_seconds: Option<Figure>,
    /// Samples divided by the median time.
    pub samples_per_second: Option<f64>,
    /// Bytes of samples divided by the median time.
    pub bytes_per_second: Option<f64>,
    /// Bandwidth limit of the device.
    pub roof: Option<Roof>,
    /// Times of everything but the epochs.
    pub phases: Phases,
    /// The figure that can't be true, though it was measured again, and why not.
    pub impossible: Option<String>,
    /// Share of the machine's cores that other programs kept busy meanwhile; `None` for less than 0.2 s.
    pub others: Option<f64>,
    /// Measurements of each round.
    pub rounds: Vec<Round>,
}

/// Bandwidth limits of a device, measured in the same run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Roof {
    /// Bytes a second of a kernel that reads both arrays and hardly computes. On the CPU it is the median of runs in
    /// turns with the epochs, on one thread for `cpu-1`, and for `cpu` on one or all, whichever is faster. On an adapter
    /// it is the best of several runs after the epochs of the first round.
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
    /// Time to draw the samples into the CPU engine's memory, the same for every engine.
    pub draw: Option<Figure>,
    /// Time to open the device.
    pub device_start: Option<Figure>,
    /// Time to compile the shaders.
    pub compile: Option<Figure>,
    /// Time from the CPU engine's memory into the device's, including the sums that are compared before the first
    /// epoch.
    pub load: Option<Figure>,
    /// Bytes of samples divided by the median of that time.
    pub load_bytes_per_second: Option<f64>,
    /// Sum of device start, compile and load; 0 for a CPU engine, which computes where it draws.
    pub setup: Option<Figure>,
    /// Time from a submit that only copies an epoch's record to that record on the host.
    pub readback: Option<Figure>,
    /// Time to the answer: the sum of draw, setup and a number of median epochs. `train` draws while it loads, and is
    /// faster.
    pub answer: Option<Figure>,
}

/// Measurements of one engine in one round, in seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Round {
    /// Times of its epochs.
    #[serde(flatten)]
    pub epochs: Clocked,
    /// Time of an epoch by the adapter's own clock.
    pub kernel: Option<f64>,
    /// Time to draw the samples.
    pub draw: f64,
    /// Times to open the device, to compile the shaders, and to load the samples.
    #[serde(flatten)]
    pub setup: Option<Setup>,
    /// Time of a submit that only copies a record.
    pub readback: Option<f64>,
    /// Bandwidths of the adapter's memory, if this round measured them.
    #[serde(skip)]
    pub roofs: Option<Roofs>,
}

/// The times that a GPU engine took before its first epoch, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Setup {
    /// Time to open the device.
    pub device_start: f64,
    /// Time to compile the shaders.
    pub compile: f64,
    /// Time to load the samples.
    pub load: f64,
}

impl From<Timings> for Setup {
    fn from(timings: Timings) -> Self {
        Setup {
            device_start: timings.device_start.as_secs_f64(),
            compile: timings.compile.as_secs_f64(),
            load: timings.load.as_secs_f64(),
        }
    }
}

impl Setup {
    /// Returns the times of two engines, one loaded after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Setup {
            device_start: self.device_start + other.device_start,
            compile: self.compile + other.compile,
            load: self.load + other.load,
        }
    }

    fn sum(&self) -> f64 {
        self.device_start + self.compile + self.load
    }
}

/// A share of the roof above this one is impossible: reading is part of an epoch. The rest is noise of both.
const MOST_OF_ROOF: f64 = 1.1;

impl BenchRow {
    /// Returns the row of an engine that nothing is known of.
    pub(super) fn new(samples: u64, engine: Contestant) -> Self {
        BenchRow {
            samples,
            engine,
            also: None,
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
            phases: Phases::default(),
            impossible: None,
            others: None,
            rounds: Vec::new(),
        }
    }

    /// Returns a row that has every group of fields, so that serialising it shows all their names.
    pub fn complete() -> Self {
        let figure = Some(Figure::default());
        BenchRow {
            evaluation: Some(Sums::default().means(1)),
            epoch_seconds: Some(EpochTimes::default()),
            kernel_seconds: figure,
            roof: Some(Roof::default()),
            phases: Phases {
                draw: figure,
                device_start: figure,
                compile: figure,
                load: figure,
                load_bytes_per_second: None,
                setup: figure,
                readback: figure,
                answer: figure,
            },
            ..BenchRow::new(0, Contestant::Cpu)
        }
    }

    /// Returns whether the engine disagreed or failed.
    pub(super) fn is_out(&self) -> bool {
        self.disagreement.is_some() || self.failure.is_some()
    }

    /// Computes the figures over all rounds, with an answer of so many epochs. An engine that is out has none.
    pub(super) fn conclude(&mut self, epochs_to_answer: u64) {
        if self.is_out() {
            self.rounds.clear();
        }
        let rounds = &self.rounds;
        let figure =
            |value: &dyn Fn(&Round) -> Option<f64>| Figure::of(rounds.iter().filter_map(value));
        let setup = |value: fn(&Setup) -> f64| figure(&|round| round.setup.as_ref().map(value));
        let total = |round: &Round| round.setup.as_ref().map_or(0.0, Setup::sum);
        self.epoch_seconds = EpochTimes::of(rounds.iter().map(|round| &round.epochs));
        self.kernel_seconds = figure(&|round| round.kernel);
        let load = setup(|setup| setup.load);
        self.phases = Phases {
            draw: figure(&|round| Some(round.draw)),
            device_start: setup(|setup| setup.device_start),
            compile: setup(|setup| setup.compile),
            load,
            load_bytes_per_second: load.map(|load| self.bytes() as f64 / load.median),
            setup: figure(&|round| Some(total(round))),
            readback: figure(&|round| round.readback),
            answer: figure(&|round| {
                let epochs = epochs_to_answer as f64 * round.epochs.median;
                Some(round.draw + total(round) + epochs)
            }),
        };
        let bandwidth = self.seconds().map(|seconds| self.bytes() as f64 / seconds);
        self.samples_per_second = self.seconds().map(|seconds| self.samples as f64 / seconds);
        self.bytes_per_second = bandwidth;
        self.roof = bandwidth.and_then(|bandwidth| self.roof_under(bandwidth));
        self.impossible = self.impossible();
    }

    /// Returns the roof of epochs of this bandwidth: that of the CPU, or the highest that a round measured of the adapter.
    fn roof_under(&self, bandwidth: f64) -> Option<Roof> {
        let epochs = || self.rounds.iter().map(|round| &round.epochs);
        let seconds = Figure::of(epochs().filter_map(|epochs| epochs.roof));
        let share = Figure::of(epochs().filter_map(|epochs| epochs.share));
        if let (Some(seconds), Some(share)) = (seconds, share) {
            return Some(Roof {
                read_bytes_per_second: self.bytes() as f64 / seconds.median,
                copy_bytes_per_second: None,
                share_of_read: share.median,
                share_of_copy: None,
            });
        }
        let roofs = || self.rounds.iter().filter_map(|round| round.roofs);
        let read = roofs().map(|roofs| roofs.read).reduce(f64::max)?;
        let copy = roofs().map(|roofs| roofs.copy).reduce(f64::max)?;
        Some(Roof {
            read_bytes_per_second: read,
            copy_bytes_per_second: Some(copy),
            share_of_read: bandwidth / read,
            share_of_copy: Some(bandwidth / copy),
        })
    }

    /// Returns which figure can't be true, and why not.
    fn impossible(&self) -> Option<String> {
        let epoch = self.epoch_seconds?.rounds;
        if self
            .kernel_seconds
            .is_some_and(|kernel| kernel.median > epoch.high)
        {
            return Some("the kernel takes longer than the epoch that contains it".to_owned());
        }
        let above = |share: &f64| *share > MOST_OF_ROOF;
        let share = self.roof.map(|roof| roof.share_of_read).filter(above)?;
        Some(format!(
            "an epoch reads at {:.0} % of the bandwidth of reading alone",
            100.0 * share
        ))
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

    /// Returns whether its time can be compared: no other program kept the cores busy, and no figure of it is impossible.
    pub fn is_sound(&self) -> bool {
        self.impossible.is_none() && !is_busy(self.others)
    }

    /// Returns the median time of an epoch, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        self.epoch_seconds.map(|times| times.rounds.median)
    }
}

/// Returns an engine's name, with the adapter's index if it has one.
pub fn label(engine: Contestant, adapter: Option<usize>) -> String {
    match adapter {
        Some(index) => format!("{engine} {index}"),
        None => engine.to_string(),
    }
}
