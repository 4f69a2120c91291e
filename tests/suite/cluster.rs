//! A fit over several ranks, which are threads here: it is that of one rank, whatever the loss, the engine and the data.

use crate::common::program::ran;
use crate::common::team::over_ranks;
use crate::common::{losses, recipe, with_adapters};
use std::fs;
use std::path::{Path, PathBuf};

use fall_line::data::ranked::Ranked;
use fall_line::data::statistics::Statistics;
use fall_line::data::stretch::Stretch;
use fall_line::data::synthetic::ChaCha;
use fall_line::data::{self, BLOCK, Source};
use fall_line::engine::{Choice, Storage};
use fall_line::fit::{Checkpoint, Fit, Options, Outcome, Uncertainty};
use fall_line::loss::Loss;
use fall_line::ranks::Ranks;
use fall_line::table::{self, NthPart, Request};
use fall_line::train::{Epoch, Optimizer};
use tempfile::TempDir;

const BLOCKS: u64 = BLOCK as u64;

/// Returns a rank's part of drawn samples.
fn drawn<'a>(samples: u64, ranks: &'a dyn Ranks) -> Ranked<'a, Stretch<ChaCha>> {
    let source = ChaCha::new(recipe(samples)).unwrap();
    let part = NthPart::of(ranks).blocks(samples.div_ceil(BLOCKS));
    Ranked::new(Stretch::new(source, part), ranks).unwrap()
}

fn opened<'a>(path: &Path, ranks: &'a dyn Ranks) -> Ranked<'a, table::OpenedFile> {
    let request = Request {
        ranks: Some(ranks),
        ..Request::default()
    };
    Ranked::new(table::open(path, &request, &|_| {}).unwrap(), ranks).unwrap()
}

/// What the ranks of a run have to have in common, to the bit.
fn told(outcome: &Outcome) -> String {
    let Outcome {
        model,
        loss,
        epochs,
        quality,
        history,
        statistics,
        ..
    } = outcome;
    let lines: Vec<String> = history.iter().map(|epoch| format!("{epoch:?}")).collect();
    format!("{model:?} {loss:?} {epochs} {quality:?} {statistics:?} {lines:?}")
}

/// Runs a fit over 1 to 4 ranks, and compares it with that of one: all ranks are the same to the bit, and repeat.
fn compare(
    what: &str,
    run: impl Fn(&dyn Ranks) -> Outcome + Sync,
    check: impl Fn(&str, &Outcome, &Outcome),
) {
    let one = over_ranks(1, &run).remove(0);
    for size in 2..=4 {
        let all = over_ranks(size, &run);
        let first = told(&all[0]);
        assert!(
            all.iter().all(|rank| told(rank) == first),
            "{what}, {size} ranks"
        );
        assert_eq!(all[0].samples, one.samples);
        assert!(all[0].errors.is_empty(), "{:?}", all[0].errors);
        check(&format!("{what}, {size} ranks"), &one, &all[0]);
        if size == 3 {
            let again = over_ranks(size, &run);
            assert_eq!(told(&again[0]), first, "{what}, {size} ranks");
        }
    }
}

/// The loss and the line differ by the rounding of sums in f32: 2^-22 of Σ|term|, and what steps make of it. All that is summed in
/// f64 over the same samples differs by no more than the lines do.
fn near(what: &str, one: &Outcome, other: &Outcome, line: f64) {
    let close = |name: &str, one: f64, other: f64, most: f64| {
        assert!((one - other).abs() <= most, "{what}: {name} {one} {other}");
    };
    close("loss", one.loss, other.loss, 1e-6 * one.loss.max(1e-3));
    close("w", one.model.w, other.model.w, line);
    close("b", one.model.b, other.model.b, line);
    let [first, second] = [one, other].map(|outcome| &outcome.quality);
    if let (Some(goodness), Some(statistics)) = (first.goodness, one.statistics) {
        let found = second.goodness.unwrap();
        // By Minkowski's inequality: the root of the mean square of what the lines are apart at the samples.
        let n = statistics.samples as f64;
        let step = one.model.w - other.model.w;
        let level = step * statistics.x.mean + one.model.b - other.model.b;
        let apart = level.hypot(step * (statistics.x.squares / n).sqrt());
        let rounded = |value: f64| apart + 1e-10 * value;
        close("rmse", goodness.rmse, found.rmse, rounded(goodness.rmse));
        close("mae", goodness.mae, found.mae, rounded(goodness.mae));
        let squares = (goodness.rmse + apart).powi(2) - goodness.rmse.powi(2);
        let [r, of] = [goodness, found].map(|goodness| goodness.r_squared.unwrap());
        close("R²", r, of, squares * n / statistics.y.squares + 1e-10);
    }
    let [baseline, of] = [first, second].map(|quality| quality.baseline_loss.unwrap_or(0.0));
    close("baseline", baseline, of, 1e-6 * baseline);
    let of = |outcome: &Outcome| outcome.quality.uncertainty.ok();
    assert_eq!(of(one).is_some(), of(other).is_some(), "{what}");
    if let (Some(first), Some(second)) = (of(one), of(other)) {
        // Those of mse are at the line of least squares, and those of the others at the line that was found.
        let share = if one.setup.loss == Loss::Mse || line < 1e-9 {
            1e-9
        } else {
            1e-3
        };
        let numbers = |of: &Uncertainty| {
            let parameters = [of.w, of.b];
            let ends = parameters.iter().flat_map(|of| of.interval);
            let errors = parameters.iter().map(|of| of.error);
            let all: Vec<f64> = errors.chain(ends).chain(of.residual_error).collect();
            all
        };
        let (first, second) = (numbers(&first), numbers(&second));
        assert_eq!(first.len(), second.len(), "{what}");
        for (first, second) in first.into_iter().zip(second) {
            close("errors", first, second, share * first.abs());
        }
    }
    let codes = |outcome: &Outcome| -> Vec<&str> {
        outcome
            .quality
            .cautions
            .iter()
            .map(|caution| caution.code())
            .collect()
    };
    assert_eq!(codes(one), codes(other), "{what}");
    assert_eq!(one.converged, other.converged, "{what}");
}

/// Fewer blocks than ranks, a ragged end, one block each.
#[test]
fn drawn_samples_are_those_of_one_rank_for_any_number() {
    for samples in [100, 2 * BLOCKS, 3 * BLOCKS + 17] {
        for loss in losses() {
            let run = |ranks: &dyn Ranks| {
                let fit = Fit::new(drawn(samples, ranks))
                    .loss(loss)
                    .engine(Choice::Cpu);
                fit.epochs(40).run().unwrap()
            };
            compare(&format!("{samples}, {loss}"), run, |what, one, other| {
                near(what, one, other, 1e-5);
                assert_eq!(one.epochs, other.epochs, "{what}");
                let pairs = one.history.iter().zip(&other.history);
                for (one, other) in pairs {
                    let apart = |of: fn(&Epoch) -> f64| (of(one) - of(other)).abs();
                    assert!(
                        apart(|e| e.w).max(apart(|e| e.b)) < 1e-5,
                        "{what}, {}",
                        one.epoch
                    );
                }
            });
        }
    }
}

/// Every optimizer, standardised, on files of each kind, with rows left out in one of them.
#[test]
fn files_are_those_of_one_rank() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let files: Vec<PathBuf> = ["a.csv", "a.parquet", "a.npy"].map(path).into();
    for file in &files {
        ran(&format!(
            "generate --samples 150001 --outliers 0.05 {}",
            file.display()
        ));
    }
    let text = fs::read_to_string(&files[0]).unwrap();
    let holes: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| match at % 50_000 {
            7 => format!("{},\n", line.split(',').next().unwrap()),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(path("holes.csv"), holes).unwrap();
    for file in files.iter().chain([&path("holes.csv")]) {
        for (loss, optimizer, line) in [
            (Loss::Mse, None, 1e-6),
            (Loss::Mse, Some(Optimizer::Momentum), 1e-3),
            (Loss::Mae, None, 1e-12),
            (Loss::Quantile { tau: 0.9 }, None, 1e-12),
            (Loss::Huber { delta: 1.0 }, None, 1e-3),
            (Loss::LogCosh, Some(Optimizer::Adam), 1e-3),
        ] {
            let run = |ranks: &dyn Ranks| {
                let options = Options {
                    loss,
                    optimizer,
                    engine: Choice::Cpu,
                    ..Options::default()
                };
                Fit::with(opened(file, ranks), options).run().unwrap()
            };
            let what = format!("{}, {loss}, {optimizer:?}", file.display());
            compare(&what, run, |what, one, other| near(what, one, other, line));
        }
    }
}

/// Ranks on an adapter, each with a device of its own.
#[test]
fn adapters_are_ranks_like_the_cpu() {
    with_adapters(|adapters| {
        for at in 0..adapters.len() {
            for loss in [Loss::Mse, Loss::Mae] {
                let run = |ranks: &dyn Ranks| {
                    let fit = Fit::new(drawn(2 * BLOCKS + 5, ranks)).loss(loss);
                    let fit = fit.adapter(at.to_string()).epochs(10);
                    fit.run().unwrap()
                };
                compare(&format!("adapter {at}, {loss}"), run, |what, one, other| {
                    near(what, one, other, 1e-5);
                });
            }
        }
    });
}

/// A rank without samples has the storage of the others, and takes part in all that they gather.
#[test]
fn a_rank_without_samples_has_the_storage_of_the_others() {
    with_adapters(|adapters| {
        for at in 0..adapters.len() {
            for epochs in 1..=12 {
                let run = |ranks: &dyn Ranks| {
                    let options = Options {
                        loss: Loss::Huber { delta: 1.0 },
                        storage: Storage::F16,
                        adapter: Some(at.to_string()),
                        tune: false,
                        epochs: Some(epochs),
                        ..Options::default()
                    };
                    let fit = Fit::with(drawn(60_000, ranks), options);
                    fit.run().unwrap()
                };
                let one = over_ranks(1, run).remove(0);
                let two = over_ranks(2, run);
                assert_eq!(told(&two[0]), told(&two[1]));
                assert_eq!(one.model, two[0].model, "{epochs}");
                assert_eq!(two[0].engine.storage, Storage::F16);
                assert_eq!(two[0].engine.software, one.engine.software);
            }
        }
    });
}

/// Samples far off, one that decides the slope, a bend: what the host finds is found over all ranks.
#[test]
fn what_is_found_in_the_samples_is_found_over_ranks() {
    let folder = TempDir::new().unwrap();
    let n = 140_000;
    let x = |at: usize| (at % 1000) as f64 / 500.0;
    let noise = |at: usize| ((at * 7919) % 1009) as f64 / 1009.0 - 0.5;
    type Sample<'a> = Box<dyn Fn(usize) -> (f64, f64) + 'a>;
    let sets: [(&str, Sample<'_>); 4] = [
        ("bent", Box::new(|at| (x(at), x(at) * x(at) + noise(at)))),
        (
            "one",
            Box::new(|at| match at {
                135_000 => (1e6, -3e6),
                _ => (x(at), 2.0 * x(at) + noise(at)),
            }),
        ),
        // All in the first rank's part.
        (
            "far at first",
            Box::new(|at| match at {
                0..20 => (1e9 + at as f64, 5.0),
                _ => (x(at), 2.0 * x(at) + noise(at)),
            }),
        ),
        (
            "far",
            Box::new(|at| match at % 30_000 {
                77 => (1e9 + at as f64, 5.0),
                _ => (x(at), 2.0 * x(at) + noise(at)),
            }),
        ),
    ];
    for (name, sample) in sets {
        let path = folder.path().join(format!("{name}.csv"));
        let text: String = (0..n)
            .map(sample)
            .map(|(x, y)| format!("{x},{y}\n"))
            .collect();
        fs::write(&path, format!("x,y\n{text}")).unwrap();
        for loss in [Loss::Mse, Loss::Mae] {
            let run = |ranks: &dyn Ranks| {
                let fit = Fit::new(opened(&path, ranks))
                    .loss(loss)
                    .engine(Choice::Cpu);
                fit.run().unwrap()
            };
            compare(&format!("{name}, {loss}"), run, |what, one, other| {
                near(what, one, other, 1e-5);
                let cautions = |outcome: &Outcome| format!("{:?}", outcome.quality.cautions);
                if name == "one" && loss == Loss::Mse {
                    assert!(
                        cautions(one).contains("sample: 135001"),
                        "{}",
                        cautions(one)
                    );
                    assert!(cautions(other).contains("sample: 135001"), "{what}");
                }
                assert_eq!(one.setup.far, other.setup.far, "{what}");
                if name.starts_with("far") && loss == Loss::Mae {
                    assert!(one.setup.far > 3, "{what}");
                }
            });
        }
    }
}

/// A run that several ranks began goes on over any other number.
#[test]
fn a_checkpoint_goes_on_over_any_number_of_ranks() {
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("a.csv");
    ran(&format!("generate --samples 200000 {}", csv.display()));
    let path = folder.path().join("c.json");
    for loss in [Loss::Mse, Loss::Mae, Loss::Huber { delta: 1.0 }] {
        let options = |epochs: Option<u64>, ranks: &dyn Ranks, resume: bool| Options {
            loss,
            engine: Choice::Cpu,
            epochs,
            checkpoint: (ranks.rank() == 0 && !resume).then(|| path.clone()),
            resume: resume.then(|| Checkpoint::read(&path).unwrap()),
            ..Options::default()
        };
        let run = |ranks: &dyn Ranks, epochs, resume| {
            Fit::with(opened(&csv, ranks), options(epochs, ranks, resume))
                .run()
                .unwrap()
        };
        let unbroken = over_ranks(1, |ranks| run(ranks, None, false)).remove(0);
        for before in 1..=3 {
            over_ranks(before, |ranks| run(ranks, Some(3), false));
            for after in 1..=4 {
                let on = over_ranks(after, |ranks| run(ranks, None, true)).remove(0);
                let what = format!("{loss}, {before} to {after}");
                assert_eq!(on.epochs_before, 3, "{what}");
                near(&what, &unbroken, &on, 1e-3);
                if before == after {
                    let whole = over_ranks(before, |ranks| {
                        Fit::with(
                            opened(&csv, ranks),
                            Options {
                                checkpoint: None,
                                ..options(None, ranks, false)
                            },
                        )
                        .run()
                        .unwrap()
                    });
                    assert_eq!(whole[0].model, on.model, "{what}");
                    assert_eq!(whole[0].epochs, on.epochs, "{what}");
                }
            }
        }
        // Other data are another run, over ranks too.
        let other = folder.path().join("b.csv");
        let text = fs::read_to_string(&csv).unwrap();
        // A y in the middle, by less than what sums of other ranks round away.
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (x, y) = lines[100_000].split_once(',').unwrap();
        lines[100_000] = format!("{x},{}", y.parse::<f64>().unwrap() + 1e-3);
        fs::write(&other, lines.join("\n")).unwrap();
        over_ranks(2, |ranks| run(ranks, Some(3), false));
        // A rank with a checkpoint of its own, as on a folder that machines don't share.
        let own = folder.path().join("own.json");
        fs::copy(&path, &own).unwrap();
        over_ranks(2, |ranks| run(ranks, Some(5), false));
        let refused = over_ranks(2, |ranks| {
            let mut options = options(None, ranks, true);
            if ranks.rank() == 1 {
                options.resume = Some(Checkpoint::read(&own).unwrap());
            }
            let fit = Fit::with(opened(&csv, ranks), options);
            fit.run().unwrap_err().to_string()
        });
        assert!(
            refused
                .iter()
                .all(|text| text.contains("rank 1 goes on from another checkpoint")),
            "{refused:?}"
        );
        let refused = over_ranks(2, |ranks| {
            let fit = Fit::with(opened(&other, ranks), options(None, ranks, true));
            fit.run().unwrap_err().to_string()
        });
        assert!(
            refused.iter().all(|text| text.contains("data")),
            "{refused:?}"
        );
    }
}

#[test]
fn some_samples_are_the_same_for_any_number_of_ranks() {
    for samples in [1, BLOCKS, 5 * BLOCKS - 1, 40 * BLOCKS + 3] {
        let one = data::some(&ChaCha::new(recipe(samples)).unwrap()).unwrap();
        for size in 1..=5 {
            for some in over_ranks(size, |ranks| data::some(&drawn(samples, ranks)).unwrap()) {
                assert!(some.x == one.x && some.y == one.y, "{samples}, {size}");
            }
        }
        let statistics = Statistics::of(&ChaCha::new(recipe(samples)).unwrap(), &|_| {}).unwrap();
        for of in over_ranks(3, |ranks| {
            Statistics::of(&drawn(samples, ranks), &|_| {}).unwrap()
        }) {
            assert_eq!(
                (of.samples, of.checksum),
                (statistics.samples, statistics.checksum)
            );
            assert!((of.x.squares - statistics.x.squares).abs() <= 1e-12 * statistics.x.squares);
        }
    }
}

/// Where rows are left out, ranks have other numbers of samples, and their blocks don't meet at whole ones.
#[test]
fn ragged_ranks_have_the_same_samples_in_the_same_order() {
    let source = ChaCha::new(recipe(400_000)).unwrap();
    let all = crate::common::all(&source);
    let one = data::some(&crate::common::Samples(all.clone())).unwrap();
    for counts in [
        [70_000, 30_000, 300_000],
        [1, 0, 399_999],
        [399_999, 1, 0],
        [130_000, 140_000, 130_000],
        [65_537, 3, 334_460],
    ] {
        for some in over_ranks(3, |ranks| {
            let start: usize = counts[..ranks.rank()].iter().sum();
            let end = start + counts[ranks.rank()];
            let own = crate::common::Samples::new(&all.x[start..end], &all.y[start..end]);
            data::some(&Ranked::new(own, ranks).unwrap()).unwrap()
        }) {
            assert!(some.x == one.x && some.y == one.y, "{counts:?}");
        }
    }
}

/// A batch on the device knows no other rank.
#[test]
fn batches_are_refused() {
    let refused = over_ranks(2, |ranks| {
        let options = Options {
            sync_every: 4,
            ..Options::default()
        };
        let fit = Fit::with(
            drawn(3 * BLOCKS, ranks),
            Options {
                engine: Choice::Gpu,
                ..options
            },
        );
        fit.run().unwrap_err().to_string()
    });
    assert!(
        refused
            .iter()
            .all(|text| text.contains("must be 1 over several ranks")),
        "{refused:?}"
    );
    let alone = over_ranks(1, |ranks| drawn(5, ranks).all_samples());
    assert_eq!(alone, [5]);
}
