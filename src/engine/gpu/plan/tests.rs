//! Plans against what engines make of them.

use super::*;
use crate::data::BLOCK;
use crate::data::synthetic::{ChaCha, Recipe};
use crate::engine::gpu::GpuEngine;
use crate::engine::gpu::layout::block_bytes;
use crate::engine::gpu::tests::with_every_adapter;
use crate::engine::{Loads, Tuning};
use crate::loss::Loss;

const MIB: u64 = 1 << 20;

/// Compares the plan's numbers with the engine's buffers. Those that the engine keeps no handle on are compared with the
/// driver's report, if it gives one.
#[test]
fn the_plan_is_what_the_engine_makes() {
    const BLOCKS: u64 = BLOCK as u64;
    let mut reports = 0;
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
                // Many workgroups: their partial sums take more than drivers round up.
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
            let engine = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
            assert_eq!(engine.placement(), planned.placement);
            let what = format!("{}: {planned:?}", adapter.info());
            let shards = &engine.epochs.shards;
            assert_eq!(shards.len() as u64, planned.shards, "{what}");
            if let Some(first) = shards.first() {
                assert_eq!(u64::from(first.shard.samples), planned.samples_per_shard);
                if samples > ALONE {
                    assert_eq!(first.workgroups, planned.workgroups_per_shard);
                }
            }
            let stream = engine.stream.as_ref();
            let slots = stream.map_or(&[][..], |stream| &stream.slots);
            for slot in slots {
                assert_eq!(u64::from(slot.shard.samples), planned.samples_per_piece);
                assert_eq!(slot.workgroups, planned.workgroups_per_piece);
            }
            let bound = shards.iter().chain(slots);
            let bytes: u64 = bound.map(|bound| bound.shard.bytes()).sum();
            assert_eq!(bytes, planned.placement.device_bytes, "{what}");
            if let Some(stream) = stream {
                let staging = stream.staging.buffers.iter();
                let bytes: u64 = staging.map(wgpu::Buffer::size).sum();
                assert_eq!(bytes, planned.staging_bytes, "{what}");
                let pieces = stream.blocks.end - stream.blocks.start;
                assert_eq!(pieces.div_ceil(stream.blocks_per_piece), planned.pieces);
            }
            // Drivers round up.
            if let Some(report) = engine.device.device.generate_allocator_report() {
                for (names, bytes) in [
                    (&["x", "y"][..], planned.placement.device_bytes),
                    (&["partial sums"], planned.partial_sum_bytes),
                    (&["records", "drift", "dispatches"], planned.record_bytes),
                    (&["readback"], planned.readback_bytes),
                ] {
                    let given: Vec<_> = report
                        .allocations
                        .iter()
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
                reports += 1;
            }
        }
    });
    println!("{reports} engines whose driver reports its allocations");
}

/// A limit that is too small is refused. Without a limit the plan knows the memory of software adapters.
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
        let text = "the device memory for samples must be at least 1048576 bytes to stream samples through, not 1048575";
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
