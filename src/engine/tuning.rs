//! The tuning of a dispatch: how its work is shared out.

use serde::{Deserialize, Serialize};

/// Loads that an invocation adds up at most, in short sums of 16. A term is then rounded up to 16 + 64 times there,
/// whatever is measured to be fast.
const LONGEST_SUM: u32 = 1024;

/// The shares of the samples that workgroups and invocations take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Invocations of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// The largest number of workgroups of a dispatch, unless sums would get too long.
    pub workgroups: u32,
    /// Loads that an invocation has under way.
    pub loads: Loads,
}

impl Tuning {
    /// Returns whether a shader can be built with it. A tuning that comes from a file may hold anything.
    pub fn is_valid(&self) -> bool {
        let sizes = 64..=1024;
        self.workgroup_size.is_power_of_two()
            && sizes.contains(&self.workgroup_size)
            && (1..=65_535).contains(&self.workgroups)
    }

    /// Returns the number of workgroups that reduce a shard: up to one for each turn of loads, and enough to keep sums
    /// short.
    pub fn workgroups(&self, samples: u32) -> u32 {
        let loads = self.loads.count();
        let turns = samples.div_ceil(4 * self.workgroup_size * loads);
        let least = samples.div_ceil(4 * self.workgroup_size * LONGEST_SUM);
        self.workgroups.min(turns).max(least)
    }
}

/// The loads of four x, and of four y, that an invocation has under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loads {
    /// One of each.
    One,
    /// Two of each.
    Two,
    /// Four of each: 16 samples.
    Four,
}

impl Loads {
    /// Returns the number of loads of each: the constant LOADS of the shader.
    pub const fn count(self) -> u32 {
        match self {
            Loads::One => 1,
            Loads::Two => 2,
            Loads::Four => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_short_for_any_tuning() {
        for loads in [Loads::One, Loads::Two, Loads::Four] {
            for (workgroup_size, workgroups) in [(64, 1), (64, 65_535), (256, 1024), (1024, 7)] {
                for samples in [1, 4 * 1024 * 64, 4 * 1024 * 64 + 1, 1 << 30] {
                    let tuning = Tuning {
                        workgroup_size,
                        workgroups,
                        loads,
                    };
                    assert!(tuning.is_valid());
                    let workgroups = tuning.workgroups(samples);
                    assert!((1..=65_535).contains(&workgroups));
                    let invocations = u64::from(workgroups) * u64::from(workgroup_size);
                    let loads = u64::from(samples.div_ceil(4)).div_ceil(invocations);
                    assert!(
                        loads <= u64::from(LONGEST_SUM),
                        "{tuning:?}, {samples}: {loads}"
                    );
                }
            }
        }
    }
}
