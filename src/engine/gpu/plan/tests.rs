//! Layouts at their limits, and plans against what engines make of them.

use super::*;
use crate::data::synthetic::{ChaCha, Recipe};
use crate::engine::gpu::program::Loads;
use crate::engine::gpu::stream::Streamed;
use crate::engine::gpu::tests::with_every_adapter;
use crate::engine::gpu::tuning::Tuning;
use crate::loss::Loss;

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
    let f32 = |binding, buffer| samples_per_shard(&limits(binding, buffer), Storage::F32);
    // Software adapters: 128 MiB a binding.
    assert_eq!(f32(128 * MIB, 2048 * MIB), Some(33_554_432));
    let f16 = samples_per_shard(&limits(128 * MIB, 2048 * MIB), Storage::F16);
    assert_eq!(f16, Some(67_108_864));
    // Real drivers: 2 GiB − 1, which is one block less than 2 GiB.
    let below = (2048 * MIB) / 4 - BLOCK as u64;
    assert_eq!(f32(2048 * MIB - 1, 4096 * MIB), Some(below));
    // 4 GiB and more: a position must fit u32.
    assert_eq!(f32(1 << 40, 1 << 40), Some(1 << 30));
    assert_eq!(f32(1 << 40, MIB), Some(4 * BLOCK as u64));
    assert_eq!(f32(1000, 1 << 40), None);
}

/// Every layout keeps to its memory, leaves no sample out, and streams no more than the slots and a block cost.
#[test]
fn layouts_fill_the_memory_and_no_more() {
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
            let whole = Layout::new(&limits(128 * MIB, 2048 * MIB), storage, samples).unwrap();
            assert_eq!(whole.placement().streamed, 0);
            let bytes = whole.placement().device_bytes;
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
                let Some(layout) = whole.within(memory) else {
                    assert!(memory < 2 * block_bytes(storage) && memory < bytes);
                    none += 1;
                    continue;
                };
                let placement = layout.placement();
                assert!(placement.device_bytes <= memory, "{layout:?} in {memory}");
                assert_eq!(placement.samples(), samples);
                if layout.shards().size_hint().0 < 1000 {
                    assert_eq!(layout.shards().sum::<u64>(), placement.resident);
                }
                if memory >= bytes {
                    assert_eq!(layout, whole);
                    continue;
                }
                streamed += 1;
                let block = BLOCK as u64;
                assert!(placement.streamed > 0 && placement.resident % block == 0);
                assert!(layout.slot >= block && layout.slot <= STAGED_BLOCKS * block);
                let unused = memory - placement.device_bytes;
                assert!(unused < block_bytes(storage), "{layout:?} in {memory}");
                let slots = 2 * layout.slot * storage.bytes_per_sample();
                assert!(slots <= (memory / 4).max(2 * block_bytes(storage)));
            }
        }
    }
    assert!(streamed > 50 && none > 10, "{streamed}, {none}");
}

/// The plan's numbers against the buffers of the engine, and where the driver tells of those that nobody keeps a hand
/// on, against what it has given.
#[test]
fn the_plan_is_what_the_engine_makes() {
    const BLOCKS: u64 = BLOCK as u64;
    let mut told = 0;
    with_every_adapter(|adapter| {
        for (samples, storage, blocks) in [
            (1000, Storage::F32, None),
            (3 * BLOCKS + 5, Storage::F16, None),
            (40 * BLOCKS - 5, Storage::F32, Some(40)),
            // No shard, one of one block, and one of more.
            (10 * BLOCKS - 5, Storage::F32, Some(2)),
            (10 * BLOCKS - 5, Storage::F16, Some(3)),
            (70 * BLOCKS + 77, Storage::F32, Some(32)),
        ] {
            let options = Options {
                storage,
                memory: blocks.map(|blocks| blocks * block_bytes(storage)),
                // So many that their partial sums are more than drivers round up.
                tuning: Some(Tuning {
                    workgroup_size: 64,
                    workgroups: 200,
                    loads: Loads::One,
                }),
                ..Options::default()
            };
            let planned = plan(&adapter, samples, &options).unwrap();
            let recipe = Recipe {
                samples,
                ..Recipe::default()
            };
            let source = ChaCha::new(recipe).unwrap();
            let engine = Streamed::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
            assert_eq!(engine.placement(), planned.placement);
            let what = format!("{}: {planned:?}", adapter.info());
            let shards = &engine.resident.data.shards;
            assert_eq!(shards.len() as u64, planned.shards, "{what}");
            let groups = &engine.resident.data.groups;
            if let Some(shard) = shards.first() {
                assert_eq!(u64::from(shard.samples), planned.samples_per_shard);
                if samples > ALONE {
                    assert_eq!(groups[0].workgroups, planned.workgroups_per_shard);
                }
            }
            let stream = engine.stream.as_ref();
            let slots = stream.map_or(&[][..], |stream| &stream.slots);
            for (slot, group) in slots {
                assert_eq!(u64::from(slot.samples), planned.samples_per_piece);
                assert_eq!(group.workgroups, planned.workgroups_per_piece);
            }
            let columns = |shard: &crate::engine::gpu::Shard| shard.x.size() + shard.y.size();
            let bytes: u64 = shards
                .iter()
                .chain(slots.iter().map(|(slot, _)| slot))
                .map(columns)
                .sum();
            assert_eq!(bytes, planned.placement.device_bytes, "{what}");
            if let Some(stream) = stream {
                let staging = stream.staging.buffers.iter();
                let bytes: u64 = staging.map(wgpu::Buffer::size).sum();
                assert_eq!(bytes, planned.staging_bytes, "{what}");
                let pieces = stream.blocks.end - stream.blocks.start;
                assert_eq!(pieces.div_ceil(stream.blocks_per_piece), planned.pieces);
            }
            // Drivers round up.
            if let Some(report) = engine.resident.device.device.generate_allocator_report() {
                for (names, bytes) in [
                    (&["x", "y"][..], planned.placement.device_bytes),
                    (&["partial sums"], planned.partial_sum_bytes),
                    (&["records", "way", "dispatches"], planned.record_bytes),
                    (&["readback"], planned.readback_bytes),
                ] {
                    let given = report.allocations.iter();
                    let given: Vec<_> = given
                        .filter(|given| names.contains(&given.name.as_str()))
                        .map(|given| given.size)
                        .collect();
                    assert!(!given.is_empty());
                    let spare = 256 * given.len() as u64;
                    let sum: u64 = given.iter().sum();
                    assert!(
                        (bytes..=bytes + spare).contains(&sum),
                        "{what}: {names:?} {given:?}"
                    );
                }
                told += 1;
            }
        }
    });
    println!("{told} engines of which the driver tells what it has given");
}

/// What is asked for that is too little, and where it is not asked for what is known of the device's memory.
#[test]
fn a_plan_says_what_is_known() {
    with_every_adapter(|adapter| {
        let with = |memory| Options {
            memory,
            ..Options::default()
        };
        let samples = 3 * BLOCK as u64;
        let error = plan(&adapter, samples, &with(Some(MIB - 1))).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = "1048575 bytes of device memory are too few to stream samples through; 1048576 are the least";
        assert_eq!(error.to_string(), text);
        let plan = |samples| plan(&adapter, samples, &with(None)).unwrap();
        assert_eq!(plan(samples).memory.is_some(), adapter.info().software);
        assert_eq!(plan(samples).placement.notice(), None);
        // More than any machine has.
        let large = plan(1 << 50);
        assert_eq!(large.placement.streamed > 0, adapter.info().software);
        assert_eq!(plan(1000).workgroups_per_shard, 1);
    });
}
