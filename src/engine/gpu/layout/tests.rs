//! Placements at their limits.

use super::*;

const MIB: u64 = 1 << 20;

fn limits(binding: u64, buffer: u64) -> wgpu::Limits {
    wgpu::Limits {
        max_storage_buffer_binding_size: binding,
        max_buffer_size: buffer,
        ..Default::default()
    }
}

#[test]
fn shards_keep_to_every_limit_in_whole_blocks() {
    let shard = |binding, buffer, storage, shard_samples| {
        let options = Options {
            storage,
            shard_samples,
            ..Options::default()
        };
        samples_per_shard(&limits(binding, buffer), &options)
    };
    let f32 = |binding, buffer| shard(binding, buffer, Storage::F32, None);
    // Software adapters: 128 MiB a binding.
    assert_eq!(f32(128 * MIB, 2048 * MIB), Some(33_554_432));
    let f16 = shard(128 * MIB, 2048 * MIB, Storage::F16, None);
    assert_eq!(f16, Some(67_108_864));
    // Real drivers: 2 GiB − 1, which is one block less than 2 GiB.
    let below = (2048 * MIB) / 4 - BLOCK as u64;
    assert_eq!(f32(2048 * MIB - 1, 4096 * MIB), Some(below));
    // 4 GiB and more: a position must fit u32.
    assert_eq!(f32(1 << 40, 1 << 40), Some(1 << 30));
    assert_eq!(f32(1 << 40, MIB), Some(4 * BLOCK as u64));
    assert_eq!(f32(1000, 1 << 40), None);
    // A limit that is asked for: whole blocks, at least one, and no more than a binding holds.
    for (asked_for, blocks) in [(1, 1), (3 * BLOCK as u64 - 1, 2), (1 << 40, 512)] {
        let samples = shard(128 * MIB, 2048 * MIB, Storage::F32, Some(asked_for));
        assert_eq!(samples, Some(blocks * BLOCK as u64));
    }
}

/// Every placement keeps to its memory and leaves no sample out. It streams no more than the slots and a block cost.
#[test]
fn placements_fill_the_memory_and_no_more() {
    let (mut streamed, mut none) = (0, 0);
    for storage in [Storage::F32, Storage::F16] {
        for samples in [
            1,
            65_536,
            65_537,
            1_000_003,
            50_000_000,
            3_000_000_007,
            1 << 50,
        ] {
            let options = Options {
                storage,
                ..Options::default()
            };
            let per_shard = samples_per_shard(&limits(128 * MIB, 2048 * MIB), &options).unwrap();
            let whole = Placement::new(storage, samples, samples, per_shard, 0);
            assert_eq!(whole.streamed, 0);
            let bytes = whole.device_bytes;
            assert!(bytes >= samples * storage.bytes_per_sample());
            for memory in [
                0,
                MIB / 2,
                MIB,
                2 * MIB,
                3 * MIB + 1,
                64 * MIB,
                5000 * MIB,
                bytes / 2,
                bytes - 1,
                bytes,
                u64::MAX,
            ] {
                let Some(placement) = whole.within(memory) else {
                    assert!(memory < 2 * block_bytes(storage) && memory < bytes);
                    none += 1;
                    continue;
                };
                assert!(
                    placement.device_bytes <= memory,
                    "{placement:?} in {memory}"
                );
                assert_eq!(placement.samples(), samples);
                if placement.shards().size_hint().0 < 1000 {
                    assert_eq!(placement.shards().sum::<u64>(), placement.resident);
                }
                if memory >= bytes {
                    assert_eq!(placement, whole);
                    continue;
                }
                streamed += 1;
                let block = BLOCK as u64;
                assert!(placement.streamed > 0 && placement.resident % block == 0);
                assert!(placement.slot >= block && placement.slot <= STAGED_BLOCKS * block);
                let unused = memory - placement.device_bytes;
                assert!(unused < block_bytes(storage), "{placement:?} in {memory}");
                let slots = 2 * placement.slot * storage.bytes_per_sample();
                assert!(slots <= (memory / 4).max(2 * block_bytes(storage)));
            }
        }
    }
    assert!(streamed > 50 && none > 10, "{streamed}, {none}");
}
