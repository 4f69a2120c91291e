//! How the work is cut for an adapter.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Options;
use super::adapter::{Adapter, Info};
use super::batch::Ring;
use super::data::{ALONE, Data};
use super::device::Device;
use super::kernels::Kernels;
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
    /// Invocations of the one workgroup that trains alone; a power of two.
    pub alone: u32,
}

/// Loads that an invocation adds up at the most, in short sums of 16: so a term is rounded no more than
/// 16 + 64 times there, whatever is measured to be fast.
const LONGEST_SUM: u32 = 1024;
/// Samples that candidates are tried on: more than caches hold, and no long wait on a software adapter.
const SAMPLES: u64 = 1 << 26;
const SAMPLES_IN_SOFTWARE: u64 = 1 << 20;
/// Each candidate's best of so many tries.
const TRIES: usize = 4;
/// Candidates that have not had their turn by then get none.
const LONGEST: Duration = Duration::from_secs(3);

impl Tuning {
    /// What suits adapters of a kind, unmeasured.
    pub fn of_kind(info: &Info) -> Self {
        if info.software {
            // A workgroup costs tens of µs there, and is one thread; 8 invocations are one register.
            Tuning {
                workgroup_size: 64,
                workgroups: 8,
                loads: Loads::One,
                alone: 8,
            }
        } else {
            // CUB's choice for a reduction is 256 invocations with 16 values under way each.
            Tuning {
                workgroup_size: 256,
                workgroups: 2048,
                loads: Loads::Four,
                alone: 256,
            }
        }
    }

    /// Whether a shader can be made so: a file may say anything.
    fn can_be(&self) -> bool {
        let sizes = [self.workgroup_size, self.alone];
        sizes
            .iter()
            .all(|size| size.is_power_of_two() && *size <= 1024)
            && self.workgroups > 0
    }

    /// The workgroups that reduce a shard: one for each turn of loads at the most, and enough to keep sums short.
    pub(super) fn workgroups(&self, samples: u32) -> u32 {
        let loads = match self.loads {
            Loads::One => 1,
            Loads::Two => 2,
            Loads::Four => 4,
        };
        let turns = samples.div_ceil(4 * self.workgroup_size * loads);
        let least = samples.div_ceil(4 * self.workgroup_size * LONGEST_SUM);
        self.workgroups.min(turns).max(least)
    }

    /// The fastest on an adapter, tried out on samples of zeros with the mse loss.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    pub fn measure(adapter: &Adapter) -> Result<Self, Error> {
        let device = Device::open(adapter)?;
        let start = Instant::now();
        let mut best = Self::of_kind(adapter.info());
        let (sizes, groups, alone): (&[u32], &[u32], &[u32]) = if adapter.info().software {
            (&[64, 256], &[2, 8, 32], &[4, 8, 16])
        } else {
            (
                &[128, 256, 512, 1024],
                &[256, 512, 1024, 2048, 4096, 8192],
                &[64, 128, 256, 512, 1024],
            )
        };
        let most = device.device.limits().max_compute_invocations_per_workgroup;
        let fits = |size: &&u32| **size <= most;
        let samples = if adapter.info().software {
            SAMPLES_IN_SOFTWARE
        } else {
            SAMPLES
        };
        let mut tried = Vec::new();
        for &workgroup_size in sizes.iter().filter(fits) {
            for loads in [Loads::One, Loads::Two, Loads::Four] {
                for &workgroups in groups {
                    tried.push(Tuning {
                        workgroup_size,
                        workgroups,
                        loads,
                        ..best
                    });
                }
            }
        }
        let mut trial = Trial::new(adapter, &device, samples)?;
        best = trial.fastest(best, &tried, start)?;
        let tried: Vec<Tuning> = alone
            .iter()
            .filter(fits)
            .map(|&alone| Tuning { alone, ..best })
            .collect();
        let mut trial = Trial::new(adapter, &device, ALONE / 2)?;
        trial.fastest(best, &tried, start)
    }
}

/// Candidates on one set of samples.
struct Trial<'a> {
    adapter: &'a Adapter,
    device: &'a Device,
    /// x and y of zeros.
    shard: Shard,
}

impl<'a> Trial<'a> {
    fn new(adapter: &'a Adapter, device: &'a Device, samples: u64) -> Result<Self, Error> {
        let most = super::shards::samples_per_shard(&device.device.limits(), Storage::F32);
        let samples = samples.min(most.unwrap_or(samples));
        Ok(Trial {
            adapter,
            device,
            shard: Shard::new(device, Storage::F32, samples)?,
        })
    }

    /// The fastest of `tried`, of which `known` is tried first.
    fn fastest(
        &mut self,
        known: Tuning,
        tried: &[Tuning],
        start: Instant,
    ) -> Result<Tuning, Error> {
        let mut best = (self.time(known)?, known);
        for &tuning in tried {
            if start.elapsed() > LONGEST {
                break;
            }
            let time = self.time(tuning)?;
            if time < best.0 {
                best = (time, tuning);
            }
        }
        Ok(best.1)
    }

    /// The time of some epochs in one batch.
    fn time(&mut self, tuning: Tuning) -> Result<Duration, Error> {
        let variant = self.adapter.variant(&Options::default(), tuning)?;
        let kernels = Kernels::new(self.device, Loss::Mse, variant, &tuning, false)?;
        let shards = vec![self.shard.clone()];
        let (data, way) = Data::new(self.device, &kernels, shards, Units::DATA, &tuning);
        let mut ring = Ring::new(&self.device.device, &kernels, &way);
        let dispatch = Units::DATA.dispatch(Model { w: 1.0, b: 1.0 }, 0.0);
        let mut best = Duration::MAX;
        // The first try finds out how many epochs a submit may have.
        for _ in 0..TRIES {
            let start = Instant::now();
            ring.run(self.device, &kernels, &data, dispatch, 8, |_| {})?;
            best = best.min(start.elapsed());
        }
        Ok(best)
    }
}
