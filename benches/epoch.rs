//! One epoch on every engine that this machine offers, beside the bandwidth of reading the same bytes.
//!
//! `cargo bench` takes minutes and measures; `cargo test --benches` runs everything once, small.
//! The engines' sums are compared before anything is timed. What is timed is `evaluate`, from the
//! model to the sums on the host; drawing and upload are not in it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fall_line::bench::roof::{fastest_read, read_all, read_one};
use fall_line::bench::{MODEL, agree};
use fall_line::data::numpy::Numpy;
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{BLOCK, Block, Source};
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::{GpuEngine, Options, adapter};
use fall_line::engine::{Engine, Storage};
use fall_line::loss::Loss;

/// Returns true for `cargo bench`, and false for `cargo test`.
fn in_full() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

fn recipe(samples: u64) -> Recipe {
    Recipe {
        samples,
        ..Recipe::default()
    }
}

fn epochs(criterion: &mut Criterion) {
    let sizes: &[u64] = if in_full() {
        &[1_000, 100_000, 10_000_000, 100_000_000]
    } else {
        &[1_000, 100_003]
    };
    for &samples in sizes {
        for loss in Loss::ALL {
            epoch(criterion, samples, loss);
        }
        read(criterion, samples);
    }
}

fn epoch(criterion: &mut Criterion, samples: u64, loss: Loss) {
    let source = ChaCha::new(recipe(samples)).expect("a recipe that can be followed");
    let mut cpu = CpuEngine::new(&source, loss, &|_| {}).expect("enough memory");
    let known = cpu.evaluate(MODEL).expect("the CPU engine doesn't fail");
    let group_name = format!("epoch/{}", loss.name());
    let mut time = |name: &str, engine: &mut dyn Engine| {
        let sums = engine.evaluate(MODEL).expect("an adapter that works");
        agree::sums(Storage::F32, sums, known).unwrap_or_else(|how| panic!("{name}: {how}"));
        let mut group = criterion.benchmark_group(&group_name);
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Bytes(8 * samples))
            .bench_function(BenchmarkId::new(name, samples), |bencher| {
                bencher.iter(|| engine.evaluate(black_box(MODEL)));
            });
    };
    time("cpu", &mut cpu);
    drop(cpu);
    for adapter in adapter::list() {
        let name = adapter.info().to_string();
        let mut gpu = GpuEngine::new(&adapter, &source, loss, &Options::default(), &|_| {})
            .expect("an adapter that works");
        time(&name, &mut gpu);
    }
}

/// Times the roof: both arrays are read once, on one thread and on all, and hardly anything is computed.
fn read(criterion: &mut Criterion, samples: u64) {
    let (x, y) = (vec![1.0; samples as usize], vec![2.0; samples as usize]);
    let mut group = criterion.benchmark_group("read");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Bytes(8 * samples));
    group.bench_function(BenchmarkId::new("one thread", samples), |bencher| {
        bencher.iter(|| read_one(&x, &y));
    });
    group.bench_function(BenchmarkId::new("all threads", samples), |bencher| {
        bencher.iter(|| read_all(&x, &y));
    });
}

/// Prints the CPU engine's share of the roof: the median of 31 pairs, and their quartiles. The two take turns, because a
/// shared machine's bandwidth drifts.
fn share_of_roof(_: &mut Criterion) {
    let samples = if in_full() { 100_000_000 } else { 100_003 };
    let source = ChaCha::new(recipe(samples)).expect("a recipe that can be followed");
    for loss in Loss::ALL {
        let mut cpu = CpuEngine::new(&source, loss, &|_| {}).expect("enough memory");
        let read = fastest_read(cpu.columns().x(), cpu.columns().y());
        let mut shares: Vec<f64> = (0..31)
            .map(|_| {
                let start = Instant::now();
                black_box(cpu.evaluate(black_box(MODEL))).expect("the CPU engine doesn't fail");
                let epoch = start.elapsed();
                let start = Instant::now();
                black_box(read(cpu.columns().x(), cpu.columns().y()));
                start.elapsed().div_duration_f64(epoch)
            })
            .collect();
        shares.sort_by(f64::total_cmp);
        println!(
            "share of roof, {} on the CPU engine, {samples} samples: {:.3} (quartiles {:.3}, {:.3})",
            loss.name(),
            shares[15],
            shares[7],
            shares[23],
        );
    }
}

/// Times drawing one block on one core.
fn draws(criterion: &mut Criterion) {
    let samples = 4 * BLOCK as u64;
    let chacha = ChaCha::new(recipe(samples)).expect("a recipe that can be followed");
    let numpy = Numpy::new(recipe(samples), &|_| {}).expect("a recipe that can be followed");
    let mut group = criterion.benchmark_group("draw");
    group.throughput(Throughput::Elements(BLOCK as u64));
    let sources: [(&str, &dyn Source); 2] = [("chacha", &chacha), ("numpy", &numpy)];
    for (name, source) in sources {
        group.bench_function(name, |bencher| {
            let mut block = Block::default();
            bencher.iter(|| source.read(black_box(2), &mut block));
        });
    }
}

criterion_group!(benches, epochs, share_of_roof, draws);
criterion_main!(benches);
