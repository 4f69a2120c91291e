//! Samples in host memory.

use memmap2::MmapMut;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::{Block, Source, positions};
use crate::error::{Error, counted};

/// Memory for samples in f32: all x, then all y. Each starts at a cache line.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
    samples: usize,
}

/// Values in a cache line.
const LINE: usize = 16;

/// Returns the bytes that samples take; `u64::MAX` if that is beyond it.
pub fn bytes(samples: u64) -> u64 {
    let values = samples.checked_next_multiple_of(LINE as u64);
    values
        .and_then(|values| values.checked_mul(2 * size_of::<f32>() as u64))
        .unwrap_or(u64::MAX)
}

impl Memory {
    /// Reserves zeroed memory for samples. The operating system grants it as a whole or not at all, and takes a page when
    /// it is first written.
    ///
    /// On Linux the pages are huge ones: an epoch over 80 MB reads a quarter faster.
    ///
    /// # Errors
    /// [`Error::Memory`] if it is refused.
    pub fn new(samples: u64) -> Result<Self, Error> {
        let refused = || Error::Memory {
            what: counted(samples, "sample"),
            needed: samples.saturating_mul(2 * size_of::<f32>() as u64),
            available: available(),
        };
        let length = usize::try_from(samples).map_err(|_| refused())?;
        let bytes = isize::try_from(bytes(samples)).map_err(|_| refused())?;
        let map = MmapMut::map_anon(bytes.unsigned_abs()).map_err(|_| refused())?;
        #[cfg(target_os = "linux")]
        {
            // A kernel without huge pages returns an error, and the memory can still be used.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Memory {
            map,
            samples: length,
        })
    }

    /// Returns the samples.
    pub fn columns(&self) -> Columns<'_> {
        let values: &[f32] = bytemuck::cast_slice(&self.map);
        let (x, y) = values.split_at(values.len() / 2);
        Columns {
            x: &x[..self.samples],
            y: &y[..self.samples],
        }
    }

    /// Returns x and y, to be written.
    pub fn columns_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let values: &mut [f32] = bytemuck::cast_slice_mut(&mut self.map);
        let (x, y) = values.split_at_mut(values.len() / 2);
        (&mut x[..self.samples], &mut y[..self.samples])
    }
}

/// Returns the bytes of main memory that programs could still take, up to the limit of this one's control group. Returns
/// `None` if the operating system doesn't say.
pub fn available() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory);
    if system.total_memory() == 0 {
        return None;
    }
    let group = system.cgroup_limits();
    let group = group.map(|group| [group.total_memory, group.rss]);
    Some(within_group(system.available_memory(), group))
}

/// Returns the available memory within a control group's limit, given with the group's resident memory.
///
/// The cached files of a group count against its limit too, but the kernel drops them when memory is needed.
fn within_group(available: u64, group: Option<[u64; 2]>) -> u64 {
    match group {
        Some([limit, resident]) => available.min(limit.saturating_sub(resident)),
        None => available,
    }
}

/// Samples in memory, in f32 or f64.
///
/// Samples in f32 are those of an engine: another engine that loads them gets the same bits.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a, T = f32> {
    x: &'a [T],
    y: &'a [T],
}

impl Columns<'static> {
    /// One sample, at (0, 0).
    #[cfg(feature = "gpu")]
    pub(crate) const ORIGIN: Self = Columns {
        x: &[0.0],
        y: &[0.0],
    };
}

impl<'a, T> Columns<'a, T> {
    /// Returns samples of these x and y.
    ///
    /// # Errors
    /// [`Error::Lengths`] if there are not as many x as y, [`Error::Empty`] if there are none.
    pub fn new(x: &'a [T], y: &'a [T]) -> Result<Self, Error> {
        if x.len() != y.len() {
            return Err(Error::Lengths {
                x: x.len() as u64,
                y: y.len() as u64,
            });
        }
        if x.is_empty() {
            return Err(Error::Empty {
                title: TITLE.to_owned(),
            });
        }
        Ok(Columns { x, y })
    }

    /// Returns the x of each sample.
    pub fn x(&self) -> &'a [T] {
        self.x
    }

    /// Returns the y of each sample.
    pub fn y(&self) -> &'a [T] {
        self.y
    }
}

/// The title of samples in memory.
const TITLE: &str = "samples in memory";

impl<T: Copy + Into<f64> + Sync> Source for Columns<'_, T> {
    fn samples(&self) -> u64 {
        self.x.len() as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let positions = positions(index, self.samples());
        let range = positions.start as usize..positions.end as usize;
        block.clear();
        block
            .x
            .extend(self.x[range.clone()].iter().map(|&x| x.into()));
        block.y.extend(self.y[range].iter().map(|&y| y.into()));
        Ok(())
    }

    fn title(&self) -> String {
        TITLE.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_take_the_bytes_that_are_planned_for_them() {
        for samples in [1, 16, 17, 1_000_003] {
            let taken = Memory::new(samples).unwrap().map.len() as u64;
            assert_eq!(bytes(samples), taken);
            assert!((8 * samples..8 * samples + 128).contains(&taken));
        }
        assert_eq!(bytes(1 << 62), u64::MAX);
    }

    #[test]
    fn refused_memory_is_an_error_that_says_how_much() {
        let error = Memory::new(1 << 60).unwrap_err();
        let Error::Memory { what, needed, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(what, "1,152,921,504,606,846,976 samples");
        assert_eq!(*needed, 1 << 63);
    }

    #[test]
    fn a_control_group_limits_the_available_memory() {
        assert_eq!(within_group(100, None), 100);
        assert_eq!(within_group(100, Some([90, 60])), 30);
        assert_eq!(within_group(100, Some([500, 60])), 100);
        assert_eq!(within_group(100, Some([50, 60])), 0);
    }

    #[test]
    fn available_memory_is_some_of_the_machines() {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let all = System::new_with_specifics(memory).total_memory();
        assert!((1..=all).contains(&available().unwrap()));
    }
}
