//! How the work is cut for an adapter.

use serde::{Deserialize, Serialize};

use super::adapter::Info;
use super::program::Loads;

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

impl Tuning {
    /// The turns, started ones too, that workgroups take through so many samples.
    pub(super) fn turns(&self, samples: u32) -> u32 {
        let loads = match self.loads {
            Loads::One => 1,
            Loads::Two => 2,
            Loads::Four => 4,
        };
        samples.div_ceil(4 * self.workgroup_size * loads)
    }

    /// What suits adapters of a kind.
    pub fn of_kind(info: &Info) -> Self {
        if info.software {
            Tuning {
                workgroup_size: 256,
                workgroups: 64,
                loads: Loads::Four,
                alone: 16,
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
}
