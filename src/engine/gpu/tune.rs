//! The measurement of how the work is best shared out on an adapter.

use std::time::{Duration, Instant};

use self::cache::Tuned;
use super::adapter::Adapter;
use super::device::Device;
use super::epochs::Epochs;
use super::kernels::Kernels;
use super::layout::samples_per_shard;
use super::options::Options;
use super::samples::Shard;
use super::units::Units;
use crate::engine::{Loads, Storage, Tuning};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Model;

pub mod cache;

/// The largest number of samples that candidates are tried on: more than caches hold.
const SAMPLES: u64 = 1 << 26;
/// The same on a software adapter, which would take long.
const SAMPLES_IN_SOFTWARE: u64 = 1 << 20;
/// The time of a try: long enough for a submit and a read-back to be a small part.
const TRY: Duration = Duration::from_millis(10);
/// Tries of a candidate, of which the best counts.
const TRIES: usize = 3;
/// The time after which no further candidate is tried.
const LONGEST: Duration = Duration::from_secs(3);
/// A candidate must beat the default by this factor; less may be noise.
const GAIN: f64 = 1.03;

/// The tunings that are tried: every combination.
struct Candidates {
    loads: &'static [Loads],
    workgroup_sizes: &'static [u32],
    workgroups: &'static [u32],
    /// The largest number of samples that they are tried on.
    samples: u64,
}

impl Candidates {
    /// Returns those that may be the fastest on an adapter.
    fn new(adapter: &Adapter) -> Self {
        let info = adapter.info();
        if info.software {
            return Candidates {
                loads: &[Loads::One, Loads::Four],
                workgroup_sizes: &[64, 256],
                workgroups: &[2, 8, 32],
                samples: SAMPLES_IN_SOFTWARE,
            };
        }
        Candidates {
            loads: &[Loads::Four, Loads::Two],
            workgroup_sizes: &[256, 512, 1024],
            workgroups: if info.integrated() {
                &[16, 64, 256, 1024]
            } else {
                &[512, 1024, 2048, 4096]
            },
            samples: SAMPLES,
        }
    }
}

/// Measures which tuning is the fastest on an adapter, and how fast.
///
/// Candidates are tried on zeros in f32 with the mse loss, as many as there will be `samples` and up to some 7e7.
///
/// # Errors
/// [`Error::Gpu`] or [`Error::DeviceMemory`] if the adapter fails.
pub fn measure(adapter: &Adapter, samples: u64) -> Result<Tuned, Error> {
    let device = Device::open(adapter)?;
    let candidates = Candidates::new(adapter);
    let per_shard = samples_per_shard(&device.device.limits(), &Options::default());
    let samples = samples
        .min(candidates.samples)
        .min(per_shard.unwrap_or(candidates.samples));
    let shard = Shard::new(&device, Storage::F32, samples)?;

    let start = Instant::now();
    let default = adapter.info().tuning();
    let kernels = compile(adapter, &device, default)?;
    // The first try doesn't count: clocks rise, drivers make up their mind.
    time(&device, &kernels, &shard, &default)?;
    let mut best = default;
    let mut best_time = time(&device, &kernels, &shard, &default)?;
    let mut bar = best_time.div_f64(GAIN);
    let tuned = |tuning, time: Duration| Tuned {
        tuning,
        samples_per_second: Some(samples as f64 / time.as_secs_f64()),
    };
    let limit = device.max_invocations();
    for &loads in candidates.loads {
        for &workgroup_size in candidates
            .workgroup_sizes
            .iter()
            .filter(|size| **size <= limit)
        {
            let of_size = Tuning {
                workgroup_size,
                loads,
                ..default
            };
            let kernels = compile(adapter, &device, of_size)?;
            for &workgroups in candidates.workgroups {
                if start.elapsed() >= LONGEST {
                    return Ok(tuned(best, best_time));
                }
                let tuning = Tuning {
                    workgroups,
                    ..of_size
                };
                let time = time(&device, &kernels, &shard, &tuning)?;
                if time < bar {
                    (best, best_time, bar) = (tuning, time, time);
                }
            }
        }
    }
    Ok(tuned(best, best_time))
}

/// Compiles the kernels of a tuning.
fn compile(adapter: &Adapter, device: &Device, tuning: Tuning) -> Result<Kernels, Error> {
    let variant = adapter.variant(&Options::default(), tuning)?;
    let sizes = [tuning.workgroup_size; 2];
    Kernels::new(device, Loss::Mse, variant, sizes, false)
}

/// Measures the time of an epoch over a shard.
fn time(
    device: &Device,
    kernels: &Kernels,
    shard: &Shard,
    tuning: &Tuning,
) -> Result<Duration, Error> {
    let shards = vec![shard.clone()];
    let mut epochs = Epochs::new(device, kernels, shards, Units::DATA, tuning);
    let dispatch = Units::DATA.dispatch(Model { w: 1.0, b: 1.0 }, 0.0);
    let mut run = |count: u64| {
        let start = Instant::now();
        epochs.run(device, kernels, dispatch, count, |_| {})?;
        Ok::<_, Error>(start.elapsed())
    };
    let once = run(1)?.min(run(1)?);
    let count = (TRY.as_nanos() / once.as_nanos().max(1)).clamp(1, 1000) as u64;
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        best = best.min(run(count)?);
    }
    Ok(best.div_f64(count as f64))
}
