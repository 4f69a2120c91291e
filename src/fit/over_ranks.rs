//! Plans over ranks: how far a fit would scale over machines or adapters like this one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;
use statrs::statistics::{Data, OrderStatistics};

use super::plan::Memory;
use super::prepare::Prepared;
use crate::data::stretch::Stretch;
use crate::data::{self, BLOCK, Source};
use crate::engine::cpu::CpuEngine;
#[cfg(feature = "gpu")]
use crate::engine::forecast::PCIE;
use crate::engine::forecast::{self, Forecast, Gather, Speeds};
use crate::engine::{Chosen, Engine};
use crate::error::Error;
use crate::model::Model;

/// Blocks that the CPU engine is tried on: 67 MB of samples, more than most caches hold.
const BLOCKS: u64 = 128;
/// The time in which epochs are tried, and their least number.
const TRY: Duration = Duration::from_millis(20);
const TRIES: usize = 5;

/// A plan of a fit over ranks, each on a machine or an adapter like this process's.
#[derive(Debug, Serialize)]
pub struct PlanOverRanks {
    /// The memory that the rank with the most samples would take.
    pub memory: Memory,
    /// `true` if its samples have room; `None` if that is not known before it is tried.
    pub fits: Option<bool>,
    /// The speeds of a rank; `None` if that of an epoch is not known.
    pub speeds: Option<Speeds>,
    /// The source of the speed of an epoch.
    pub epoch_from: Known,
    /// The source of the speed of loading; `None` if the device draws the samples.
    pub load_from: Option<Known>,
    /// Bytes a second that are uploaded, an assumption; `None` if nothing is.
    pub assumed_upload: Option<f64>,
    /// Ranks that have samples: as many as there are blocks of 65,536, at most.
    pub with_samples: u64,
    /// The time of a gather.
    pub gather: Gather,
    /// The number of epochs.
    pub epochs: u64,
    /// The time that it would take; `None` if the speed of an epoch is not known.
    pub forecast: Option<Forecast>,
}

/// The source of a speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Measured just now, on so many samples.
    Measured(u64),
    /// Measured with the adapter's tuning before, for mse in f32.
    Kept,
    /// Not measured yet.
    Unknown,
}

/// A speed in samples a second, with its source.
type Speed = (Option<f64>, Known);

/// A rank with its samples.
struct Rank {
    memory: Memory,
    /// Samples that stay in the engine's memory if it has all of them; `None` for all.
    resident: Option<u64>,
    epoch: Speed,
    /// Bytes of a sample, where they are uploaded to a device.
    uploads: Option<u64>,
}

impl Prepared<'_> {
    /// Returns how a fit over `ranks` ranks would go. Loads some of the samples into the CPU engine, and times that.
    ///
    /// # Errors
    /// Those of [`Prepared::plan`], [`CpuEngine::new`] and the source.
    pub fn plan_over(&self, ranks: u64, gather: Gather) -> Result<PlanOverRanks, Error> {
        let samples = self.source().all_samples();
        let most = forecast::most(samples, ranks);
        let (read, epoch) = self.tried(most)?;
        let rank = self.rank(most, epoch)?;
        let drawn = self.is_drawn_on_the_device();
        #[cfg(feature = "gpu")]
        let assumed_upload = rank.uploads.filter(|_| !drawn).map(|_| PCIE);
        #[cfg(not(feature = "gpu"))]
        let assumed_upload = None;
        let (read, load_from) = match self.reading {
            Some(time) => {
                let samples = self.source().samples();
                (
                    samples as f64 / time.as_secs_f64(),
                    Known::Measured(samples),
                )
            }
            None => read,
        };
        // A sample is read, and then uploaded.
        let upload = assumed_upload.map_or(0.0, |speed| rank.uploads.unwrap_or(0) as f64 / speed);
        let load = (!drawn).then(|| 1.0 / (1.0 / read + upload));
        let (speed, epoch_from) = rank.epoch;
        let speeds = speed.map(|epoch| Speeds {
            epoch,
            load,
            resident: rank.resident,
        });
        let epochs = self.setup.config.epochs;
        Ok(PlanOverRanks {
            fits: rank.memory.fits(),
            memory: rank.memory,
            speeds,
            epoch_from,
            load_from: load.map(|_| load_from),
            assumed_upload,
            with_samples: ranks.min(samples.div_ceil(BLOCK as u64)),
            gather,
            epochs,
            forecast: speeds.map(|speeds| Forecast::new(speeds, gather, samples, ranks, epochs)),
        })
    }

    /// Loads some of the samples into the CPU engine. Returns how fast they were loaded, and how fast an epoch is.
    fn tried(&self, samples: u64) -> Result<((f64, Known), Speed), Error> {
        let blocks = data::blocks(&self.samples)?.min(samples.div_ceil(BLOCK as u64));
        let some = Stretch::new(&self.samples, 0..blocks.min(BLOCKS));
        let loss = self.setup.scaling.loss(self.setup.loss);
        let begin = Instant::now();
        let mut engine = CpuEngine::untuned(&some, loss, &|_| {})?;
        let load = some.samples() as f64 / begin.elapsed().as_secs_f64();
        engine.tune();
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.len() < TRIES || begin.elapsed() < TRY {
            let start = Instant::now();
            black_box(engine.evaluate(black_box(Model { w: 1.0, b: 1.0 }))?);
            times.push(start.elapsed().as_secs_f64());
        }
        let epoch = some.samples() as f64 / Data::new(times).median();
        let known = Known::Measured(some.samples());
        Ok(((load, known), (Some(epoch), known)))
    }

    /// Returns the engine of a rank with so many samples; `cpu` is the speed of the CPU engine.
    fn rank(&self, samples: u64, cpu: Speed) -> Result<Rank, Error> {
        let (_, memory) = self.memory(samples)?;
        match &self.chosen {
            #[cfg(feature = "gpu")]
            Chosen::Gpu(adapters) => {
                // One rank has them all.
                let (of_all, _) = self.memory(self.source().all_samples())?;
                let speed = self.speed_of(adapters);
                let known = speed.map_or(Known::Unknown, |_| Known::Kept);
                Ok(Rank {
                    memory,
                    resident: Some(of_all.resident),
                    epoch: (speed, known),
                    uploads: (!of_all.software).then(|| self.options.storage.bytes_per_sample()),
                })
            }
            Chosen::Cpu { .. } => Ok(Rank {
                memory,
                resident: None,
                epoch: cpu,
                uploads: None,
            }),
        }
    }
}
