//! Samples in host memory.

use memmap2::MmapMut;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::{Block, Source, positions};
use crate::error::Error;

/// Memory for samples in f32, all x and then all y, each from a cache line's start.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
    samples: usize,
}

/// Values of a cache line.
const LINE: usize = 16;

/// Bytes that so many samples take; as many as there are numbers, where that is beyond them.
pub fn bytes(samples: u64) -> u64 {
    let values = samples.checked_next_multiple_of(LINE as u64);
    values
        .and_then(|values| values.checked_mul(2 * size_of::<f32>() as u64))
        .unwrap_or(u64::MAX)
}

impl Memory {
    /// Zeroed memory that the operating system gives as a whole or refuses; it is not taken before it is written. In
    /// huge pages where Linux has them: over 80 MB an epoch reads a quarter faster for it.
    ///
    /// # Errors
    /// [`Error::Io`] with the size.
    pub fn new(samples: u64) -> Result<Self, Error> {
        let no_memory = || Error::Io {
            doing: format!("{samples} samples need {} MB", samples / 125_000),
            source: std::io::ErrorKind::OutOfMemory.into(),
        };
        let samples_here = usize::try_from(samples).map_err(|_| no_memory())?;
        let bytes = isize::try_from(bytes(samples)).map_err(|_| no_memory())?;
        let map = MmapMut::map_anon(bytes.unsigned_abs()).map_err(|_| no_memory())?;
        #[cfg(target_os = "linux")]
        {
            // A kernel without huge pages says so, and the memory is as good.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Memory {
            map,
            samples: samples_here,
        })
    }

    /// The samples.
    pub fn columns(&self) -> Columns<'_> {
        let values: &[f32] = bytemuck::cast_slice(&self.map);
        let (x, y) = values.split_at(values.len() / 2);
        Columns {
            x: &x[..self.samples],
            y: &y[..self.samples],
        }
    }

    /// Their x and their y, to be written.
    pub fn columns_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let values: &mut [f32] = bytemuck::cast_slice_mut(&mut self.map);
        let (x, y) = values.split_at_mut(values.len() / 2);
        (&mut x[..self.samples], &mut y[..self.samples])
    }
}

/// Bytes of main memory that programs could still take, no more than the control group of this one allows; none where
/// the operating system doesn't say.
pub fn available() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory);
    if system.total_memory() == 0 {
        return None;
    }
    // What a group's files take of it is given back.
    let group = system.cgroup_limits();
    let group = group.map(|group| group.total_memory.saturating_sub(group.rss));
    let available = [Some(system.available_memory()), group];
    available.into_iter().flatten().min()
}

/// Samples in memory, in f32 or f64.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a, T = f32> {
    /// The x of each sample.
    pub x: &'a [T],
    /// The y of each sample; as long as `x`.
    pub y: &'a [T],
}

/// A number that a sample may hold.
pub trait Value: Copy + Sync + Into<f64> {}

impl Value for f32 {}
impl Value for f64 {}

impl<'a, T: Value> Columns<'a, T> {
    /// Returns the samples.
    pub fn new(x: &'a [T], y: &'a [T]) -> Result<Self, Error> {
        if x.len() != y.len() {
            return Err(Error::Lengths {
                x: x.len() as u64,
                y: y.len() as u64,
            });
        }
        Ok(Columns { x, y })
    }
}

impl<T: Value> Source for Columns<'_, T> {
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
        "samples in memory".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu;

    #[test]
    fn a_plan_of_the_cpu_engine_is_what_it_takes() {
        for samples in [1, 16, 17, 1_000_003] {
            let taken = Memory::new(samples).unwrap().map.len() as u64;
            assert_eq!(cpu::plan(samples).bytes, taken);
            assert!((8 * samples..8 * samples + 128).contains(&taken));
        }
        assert_eq!(cpu::plan(1 << 62).bytes, u64::MAX);
        assert!(Memory::new(1 << 62).is_err());
    }

    /// Memory that is taken is no longer to be had.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_available_is_less_for_what_is_taken() {
        let before = available().unwrap();
        let mut memory = Memory::new(50_000_000).unwrap();
        memory.columns_mut().0.fill(1.0);
        memory.columns_mut().1.fill(1.0);
        let after = available().unwrap();
        // Of 400 MB, for others take and give back too.
        assert!(
            before.saturating_sub(after) > 200_000_000,
            "{before}, {after}"
        );
        assert_eq!(memory.columns().samples(), 50_000_000);
    }
}
