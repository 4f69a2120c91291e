//! The roof of the CPU engine: the time to read both arrays once, with hardly any computing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use multiversion::multiversion;
use rayon::prelude::*;

use crate::data::BLOCK;

/// Reads both arrays on one thread, and returns all their bits folded into one word.
pub fn read_one(x: &[f32], y: &[f32]) -> u32 {
    read_block(black_box(x), black_box(y))
}

/// Reads both arrays on all threads of rayon's pool, and returns all their bits folded into one word.
pub fn read_all(x: &[f32], y: &[f32]) -> u32 {
    black_box(x)
        .par_chunks(BLOCK)
        .zip(black_box(y).par_chunks(BLOCK))
        .map(|(x, y)| read_block(x, y))
        .reduce(|| 0, |a, b| a ^ b)
}

/// Returns the function that reads these arrays faster, as measured: fork and join take longer than a small array.
pub fn fastest_read(x: &[f32], y: &[f32]) -> fn(&[f32], &[f32]) -> u32 {
    if rayon::current_num_threads() == 1 || x.len() <= BLOCK {
        return read_one;
    }
    let mut best = [Duration::MAX; 2];
    for _ in 0..5 {
        for (best, read) in best.iter_mut().zip([read_one, read_all]) {
            let start = Instant::now();
            black_box(read(x, y));
            *best = start.elapsed().min(*best);
        }
    }
    if best[1] < best[0] {
        read_all
    } else {
        read_one
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn read_block(x: &[f32], y: &[f32]) -> u32 {
    /// Words that stay in registers: four of AVX-512, eight of AVX2.
    const LANES: usize = 64;
    let mut bits = [0; LANES];
    let (whole_x, whole_y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = whole_x.remainder().iter().zip(whole_y.remainder());
    let rest = rest.fold(0, |bits, (x, y)| bits ^ x.to_bits() ^ y.to_bits());
    for (x, y) in whole_x.zip(whole_y) {
        for (lane, bits) in bits.iter_mut().enumerate() {
            *bits ^= x[lane].to_bits() ^ y[lane].to_bits();
        }
    }
    bits.iter().fold(rest, |a, b| a ^ b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compiler that leaves out reads would raise the roof.
    #[test]
    fn every_bit_is_read() {
        let samples = 2 * BLOCK + 77;
        let mut arrays = [vec![1.0_f32; samples], vec![1.0_f32; samples]];
        for read in [read_one, read_all] {
            assert_eq!(read(&arrays[0], &arrays[1]), 0);
            for array in 0..2 {
                for at in [0, 63, BLOCK - 1, BLOCK, samples - 1] {
                    arrays[array][at] = 2.0;
                    let bits = 1.0_f32.to_bits() ^ 2.0_f32.to_bits();
                    assert_eq!(read(&arrays[0], &arrays[1]), bits, "{array} {at}");
                    arrays[array][at] = 1.0;
                }
            }
        }
    }
}
