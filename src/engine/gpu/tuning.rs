//! How the work is cut for an adapter.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Options;
use super::adapter::{Adapter, Info};
use super::batch::Ring;
use super::data::{ALONE, Data};
use super::device::Device;
use super::kernels::Kernels;
use super::plan::samples_per_shard;
use super::program::{Loads, Storage};
use super::shards::Shard;
use super::units::Units;
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Model;

pub mod cache;

/// How the samples are shared out among workgroups and invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Invocations of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// Workgroups of a dispatch at the most, however many samples.
    pub workgroups: u32,
    /// Loads an invocation has under way.
    pub loads: Loads,
}

/// Loads that an invocation adds up at the most, in short sums of 16: so a term is rounded no more than
/// 16 + 64 times there, whatever is measured to be fast.
const LONGEST_SUM: u32 = 1024;
/// Samples that candidates are tried on at the most: more than caches hold, and no long wait on a software adapter.
const SAMPLES: u64 = 1 << 26;
const SAMPLES_IN_SOFTWARE: u64 = 1 << 20;
/// What a try takes: so long that a submit and a read-back are a small part.
const TRY: Duration = Duration::from_millis(10);
/// Each candidate's best of so many tries.
const TRIES: usize = 3;
/// Candidates that have not had their turn by then get none.
const LONGEST: Duration = Duration::from_secs(3);
/// Who is to replace the default is faster by so much: less may be chance.
const GAIN: f64 = 1.03;

/// Invocations of the one workgroup that trains alone: on a software adapter as many as fill a register; else one for
/// each load of four samples, from a subgroup's up to what the adapter allows.
pub(super) fn alone(software: bool, samples: u64, most: u32) -> u32 {
    if software {
        return 8;
    }
    let loads = samples.min(ALONE).div_ceil(4) as u32;
    let most = 1 << most.clamp(64, 1024).ilog2();
    loads.next_power_of_two().clamp(64, most)
}

impl Tuning {
    /// What suits adapters of a kind, unmeasured.
    pub fn of_kind(info: &Info) -> Self {
        if info.software {
            // A workgroup costs tens of µs there, and is one thread.
            Tuning {
                workgroup_size: 64,
                workgroups: 8,
                loads: Loads::One,
            }
        } else if info.integrated() {
            // Some ten thousand invocations run at once.
            Tuning {
                workgroup_size: 256,
                workgroups: 64,
                loads: Loads::Four,
            }
        } else {
            // CUB's choice for a reduction is 256 invocations with 16 values under way each.
            Tuning {
                workgroup_size: 256,
                workgroups: 1024,
                loads: Loads::Four,
            }
        }
    }

    /// Whether a shader can be made so: a file may say anything.
    fn can_be(&self) -> bool {
        let sizes = 64..=1024;
        self.workgroup_size.is_power_of_two()
            && sizes.contains(&self.workgroup_size)
            && (1..=65_535).contains(&self.workgroups)
    }

    /// The workgroups that reduce a shard: one for each turn of loads at the most, and enough to keep sums short.
    pub(super) fn workgroups(&self, samples: u32) -> u32 {
        let loads = self.loads.count();
        let turns = samples.div_ceil(4 * self.workgroup_size * loads);
        let least = samples.div_ceil(4 * self.workgroup_size * LONGEST_SUM);
        self.workgroups.min(turns).max(least)
    }

    /// The fastest on an adapter, tried out on zeros in f32 with the mse loss, as many as there will be samples and some
    /// 7e7 at the most.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    pub fn measure(adapter: &Adapter, samples: u64) -> Result<Self, Error> {
        let device = Device::open(adapter)?;
        let software = adapter.info().software;
        let (sizes, groups, loads, most): (&[u32], &[u32], &[Loads], u64) = if software {
            let loads = &[Loads::One, Loads::Four];
            (&[64, 256], &[2, 8, 32], loads, SAMPLES_IN_SOFTWARE)
        } else {
            let loads = &[Loads::Four, Loads::Two];
            let groups: &[u32] = if adapter.info().integrated() {
                &[16, 64, 256, 1024]
            } else {
                &[512, 1024, 2048, 4096]
            };
            (&[256, 512, 1024], groups, loads, SAMPLES)
        };
        let per_shard = samples_per_shard(&device.device.limits(), Storage::F32);
        let samples = samples.min(most).min(per_shard.unwrap_or(most));
        let shard = Shard::new(&device, Storage::F32, samples)?;
        let limit = device.most_invocations();

        let start = Instant::now();
        let known = Self::of_kind(adapter.info());
        let time = |kernels: &Kernels, tuning: &Tuning| time(&device, kernels, &shard, tuning);
        let kernels = known.kernels(adapter, &device)?;
        // Once in vain: clocks rise, drivers make up their mind.
        time(&kernels, &known)?;
        let mut best = (time(&kernels, &known)?.div_f64(GAIN), known);
        for &loads in loads {
            for &workgroup_size in sizes.iter().filter(|size| **size <= limit) {
                let of_size = Tuning {
                    workgroup_size,
                    loads,
                    ..known
                };
                let kernels = of_size.kernels(adapter, &device)?;
                for &workgroups in groups {
                    let tuning = Tuning {
                        workgroups,
                        ..of_size
                    };
                    if start.elapsed() < LONGEST {
                        let time = time(&kernels, &tuning)?;
                        if time < best.0 {
                            best = (time, tuning);
                        }
                    }
                }
            }
        }
        Ok(best.1)
    }

    fn kernels(&self, adapter: &Adapter, device: &Device) -> Result<Kernels, Error> {
        let variant = adapter.variant(&Options::default(), *self)?;
        let sizes = [self.workgroup_size; 2];
        Kernels::new(device, Loss::Mse, variant, sizes, false)
    }
}

/// The time of an epoch over a shard.
fn time(
    device: &Device,
    kernels: &Kernels,
    shard: &Shard,
    tuning: &Tuning,
) -> Result<Duration, Error> {
    let shards = vec![shard.clone()];
    let (data, way) = Data::new(device, kernels, shards, Units::DATA, tuning);
    let mut ring = Ring::new(&device.device, kernels, &way);
    let dispatch = Units::DATA.dispatch(Model { w: 1.0, b: 1.0 }, 0.0);
    let mut run = |epochs: u64| {
        let start = Instant::now();
        ring.run(device, kernels, &data, dispatch, epochs, |_| {})?;
        Ok::<_, Error>(start.elapsed())
    };
    let once = run(1)?.min(run(1)?);
    let epochs = (TRY.as_nanos() / once.as_nanos().max(1)).clamp(1, 1000) as u64;
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        best = best.min(run(epochs)?);
    }
    Ok(best.div_f64(epochs as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_short_however_the_work_is_cut() {
        for loads in [Loads::One, Loads::Two, Loads::Four] {
            for (workgroup_size, workgroups) in [(64, 1), (64, 65_535), (256, 1024), (1024, 7)] {
                for samples in [1, 4 * 1024 * 64, 4 * 1024 * 64 + 1, 1 << 30] {
                    let tuning = Tuning {
                        workgroup_size,
                        workgroups,
                        loads,
                    };
                    let cut = tuning.workgroups(samples);
                    assert!((1..=65_535).contains(&cut));
                    let invocations = u64::from(cut) * u64::from(workgroup_size);
                    let loads = u64::from(samples.div_ceil(4)).div_ceil(invocations);
                    assert!(
                        loads <= u64::from(LONGEST_SUM),
                        "{tuning:?}, {samples}: {loads}"
                    );
                }
            }
        }
    }

    #[test]
    fn who_trains_alone_has_a_load_an_invocation_where_there_are_as_many() {
        for (samples, most, size) in [
            (1, 1024, 64),
            (1000, 1024, 256),
            (5000, 1024, 1024),
            (32_768, 1024, 1024),
            (32_768, 256, 256),
            (1 << 40, 768, 512),
        ] {
            assert_eq!(alone(false, samples, most), size);
        }
    }
}
