//! Samples drawn on adapters, read back.

use super::*;
use crate::engine::gpu::tests::on_every_adapter;

/// The largest distance of a normal draw from the twin's, as a share of itself.
const NORMAL: f64 = 12.0 * ROUNDING;

/// A shard that can be read back, with other bits than any draw's in it.
fn shard(device: &Device, samples: u32) -> Shard {
    let column = |label| {
        let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: 16 * u64::from(samples.div_ceil(4)),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        let bytes = vec![0xff; buffer.size() as usize];
        buffer
            .get_mapped_range_mut(..)
            .unwrap()
            .copy_from_slice(&bytes);
        buffer.unmap();
        buffer
    };
    Shard {
        x: column("x"),
        y: column("y"),
        samples,
    }
}

/// All that a buffer holds, the padding too.
fn read(device: &Device, column: &wgpu::Buffer) -> Vec<f32> {
    let readback = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback"),
        size: column.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(column, 0, &readback, 0, None);
    let copied = device.submit(encoder, column.size());
    device
        .map(
            &readback,
            ..readback.size(),
            wgpu::MapMode::Read,
            Some(&copied),
        )
        .unwrap();
    let view = readback.get_mapped_range(..).unwrap();
    bytemuck::cast_slice(&view).to_vec()
}

/// x is the uniform draw, and y the normal one.
fn plain(seed: u64) -> Recipe {
    Recipe {
        slope: 0.0,
        intercept: 0.0,
        x_range: 0.0..1.0,
        seed,
        ..Recipe::default()
    }
}

/// Draws so many samples from a position on, and gives each with its twin to `check`.
fn compare(
    draw_samples: &DrawSamples<'_>,
    samples: u32,
    position: u64,
    recipe: &Recipe,
    vec4s_per_dispatch: u32,
    mut check: impl FnMut([f32; 2], (f64, f64)),
) {
    let twin = Threefry::new(recipe.clone()).unwrap();
    let shard = shard(draw_samples.device, samples);
    draw_samples
        .fill(&shard, position, recipe, vec4s_per_dispatch)
        .unwrap();
    let x = read(draw_samples.device, &shard.x);
    let y = read(draw_samples.device, &shard.y);
    assert!(x.iter().chain(&y).all(|value| value.is_finite()));
    for (i, (&x, &y)) in x.iter().zip(&y).take(samples as usize).enumerate() {
        check([x, y], twin.sample(position + i as u64));
    }
}

#[test]
fn every_draw_is_the_twins() {
    on_every_adapter(|adapter, device| {
        let draw_samples = DrawSamples::new(device).unwrap();
        let mut worst = 0.0_f64;
        for samples in [1, 3, 4, 5, 65_537, 1_000_003] {
            for (position, seed) in [
                (0, 20),
                // The upper words count too, and inside a vec4 the lower one runs over.
                ((1 << 32) - 6, 0x0123_4567_89ab_cdef),
                ((5 << 32) + 1, 20 << 32),
            ] {
                let recipe = plain(seed);
                // In one dispatch, and in sixteen.
                for vec4s in [1 << 22, 1 << 14] {
                    compare(
                        &draw_samples,
                        samples,
                        position,
                        &recipe,
                        vec4s,
                        |[x, y], twin| {
                            let (uniform, normal) = twin;
                            assert_eq!(f64::from(x), uniform);
                            let off = (f64::from(y) - normal).abs() / normal.abs();
                            assert!(off <= NORMAL, "{normal} is {y}: off by {off:e}");
                            worst = worst.max(off);
                        },
                    );
                }
            }
        }
        println!("{adapter}: off by {worst:e} of the normal draw, where {NORMAL:e} is allowed");
    });
}

#[test]
fn outliers_are_the_twins() {
    on_every_adapter(|adapter, device| {
        let draw_samples = DrawSamples::new(device).unwrap();
        for outliers in [0.0, 0.001, 0.1, 1.0] {
            let recipe = Recipe {
                outliers,
                ..plain(20)
            };
            let mut count = 0;
            let check = |[_, y]: [f32; 2], (_, twin): (f64, f64)| {
                assert!((f64::from(y) - twin).abs() <= MaxError::new(&recipe).y);
                count += u32::from(y > 10.0);
            };
            compare(&draw_samples, 200_001, 77, &recipe, 1 << 22, check);
            let expected = 200_001.0 * outliers;
            let deviation = (expected * (1.0 - outliers)).sqrt();
            assert!((f64::from(count) - expected).abs() <= 5.0 * deviation);
            println!("{adapter}: {count} outliers where {expected} are expected");
        }
    });
}

#[test]
fn samples_of_any_recipe_are_within_their_bounds() {
    on_every_adapter(|adapter, device| {
        let draw_samples = DrawSamples::new(device).unwrap();
        for (slope, intercept, noise, x_range) in [
            (3.0, 4.0, 1.0, 0.0..2.0),
            (-2.7, 7.1, 0.3, -1.1..3.3),
            // x from far away, and a y of which next to nothing is left.
            (1e4, -1e7, 0.0, 1000.1..1000.3),
            (1e-20, 1e15, 1e17, -1e30..1e10),
        ] {
            let recipe = Recipe {
                slope,
                intercept,
                noise,
                x_range,
                ..Recipe::default()
            };
            let off = MaxError::new(&recipe);
            let mut worst = [0.0_f64; 2];
            let check = |drawn: [f32; 2], (x, y): (f64, f64)| {
                for (i, (twin, off)) in [(x, off.x), (y, off.y)].into_iter().enumerate() {
                    // As the control sees the twin.
                    let apart = (f64::from(drawn[i]) - f64::from(twin as f32)).abs();
                    worst[i] = worst[i].max(apart / off);
                }
            };
            compare(&draw_samples, 100_000, 0, &recipe, 1 << 22, check);
            assert!(worst.iter().all(|&share| share <= 1.0), "{worst:?}");
            println!("{adapter}: {worst:.2?} of what x and y may be off by, {recipe:?}");
        }
    });
}

/// Shards follow each other, the control finds nothing wrong with them, and finds a wrong one.
#[test]
fn the_control_tells_one_draw_from_another() {
    on_every_adapter(|adapter, device| {
        let sizes = [2 * BLOCK as u32, BLOCK as u32, 1001];
        let recipe = |seed| Recipe {
            samples: sizes.iter().map(|&samples| u64::from(samples)).sum(),
            seed,
            ..Recipe::default()
        };
        let twin = Threefry::new(recipe(20)).unwrap();
        let sums = |recipe: &Recipe, loss| {
            let shards = sizes.map(|samples| shard(device, samples));
            draw(device, &shards, &Threefry::new(recipe.clone()).unwrap()).unwrap();
            let control = control(&shards, &twin, loss).unwrap();
            // The sums in f64 over what was drawn, which are the adapter's business elsewhere.
            let of_shards = shards.iter().map(|shard| {
                let head = (shard.samples as usize).min(BLOCK);
                let (x, y) = (read(device, &shard.x), read(device, &shard.y));
                crate::engine::cpu::block_sums(loss, &x[..head], &y[..head], Control::MODEL)
            });
            control.agrees(of_shards.sum())
        };
        for loss in Loss::ALL {
            assert_eq!(sums(&recipe(20), loss), Ok(()));
        }
        let wrong = sums(&recipe(21), Loss::Mse);
        println!("{adapter}: {wrong:?}");
        assert!(wrong.is_err());
    });
}
