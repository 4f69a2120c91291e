//! Several adapters that share the samples: those of this machine together, and each of them twice.

use crate::common::{Reference, Rounded, losses, program, recipe, synthetic, with_adapters};
use std::fs;
use std::path::Path;

use fall_line::data::stretch::{Stretch, divide};
use fall_line::data::{BLOCK, Source};
use fall_line::engine::gpu::{GpuEngine, Options, Several};
use fall_line::engine::{Choice, Engine, Storage};
use fall_line::error::Error;
use fall_line::fit::{Fit, Options as FitOptions};
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};
use program::{bits, engines, json, ran, refused, run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

const MODEL: Model = Model { w: -1.5, b: 0.5 };
const BLOCKS: u64 = BLOCK as u64;

/// Returns all adapters of this machine as one, and each twice: as indices.
fn teams(adapters: usize) -> Vec<Vec<usize>> {
    let all = (adapters > 1).then(|| (0..adapters).collect());
    let twice = (0..adapters).map(|at| vec![at; 2]);
    all.into_iter().chain(twice).collect()
}

/// Returns `--adapter 0,1 --no-tune` and so on.
fn flags() -> Vec<String> {
    let teams = teams(engines().len() - 1).into_iter().map(|team| {
        let team: Vec<String> = team.iter().map(usize::to_string).collect();
        format!("--adapter {} --no-tune", team.join(","))
    });
    teams.collect()
}

/// Whole and ragged sets, as many blocks as adapters and many, in equal and unequal shares, in memory and streamed.
#[test]
fn sums_are_those_of_f64_over_all_samples() {
    for (samples, weights, memory) in [
        (BLOCKS + 1, [1.0, 1.0], None),
        (2 * BLOCKS, [1.0, 1.0], None),
        (7 * BLOCKS + 1021, [1.0, 5.0], None),
        (9 * BLOCKS - 3, [1.0, 1.0], Some(3)),
    ] {
        let source = synthetic(samples);
        let rounded = Rounded::new(&source);
        for loss in losses() {
            let f32 = Reference::new(&source, loss, MODEL);
            let f16 = Reference::in_f64(&rounded, loss, MODEL);
            with_adapters(|adapters| {
                for team in teams(adapters.len()) {
                    for (storage, reference, bound) in
                        [(Storage::F32, &f32, 2e-6), (Storage::F16, &f16, 8e-6)]
                    {
                        let options = Options {
                            storage,
                            memory: memory
                                .map(|blocks| blocks * BLOCKS * storage.bytes_per_sample()),
                            ..Options::default()
                        };
                        let parts = divide(samples.div_ceil(BLOCKS), &weights[..team.len().min(2)]);
                        let engines = team.iter().zip(&parts).map(|(&at, blocks)| {
                            let part = Stretch::new(&source, blocks.clone());
                            GpuEngine::new(&adapters[at], part, loss, &options, &|_| {}).unwrap()
                        });
                        let mut engine = Several::new(engines.collect());
                        let what = format!("{team:?}, {samples}, {loss}, {storage}");
                        assert_eq!(engine.samples(), samples, "{what}");
                        let sums = engine.evaluate(MODEL).unwrap();
                        let by_itself = Sums {
                            loss: engine.losses(&[MODEL, MODEL]).unwrap()[1],
                            ..sums
                        };
                        for sums in [sums, by_itself] {
                            if let Err(wrong) = reference.agrees_within(bound, sums) {
                                panic!("{what}: {wrong}");
                            }
                        }
                        assert_eq!(engine.evaluate(MODEL).unwrap(), sums, "{what}");
                        let shares = engine.description().shares;
                        assert_eq!(shares.len(), parts.len(), "{what}");
                        let less = Sums {
                            loss: sums.loss * 0.99,
                            ..sums
                        };
                        assert!(reference.agrees_within(bound, less).is_err());
                    }
                }
            });
        }
    }
}

/// Each run of several adapters is repeated, broken off, and gone on with.
#[test]
fn runs_repeat_and_go_on_to_the_same_bits() {
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c.json");
    let other = folder.path().join("other.json");
    let csv = folder.path().join("samples.csv");
    ran(&format!(
        "generate --samples 150001 --outliers 0.1 {}",
        csv.display()
    ));
    let csv = csv.display();
    for team in flags() {
        println!("{team}");
        for flags in [
            format!("{csv} --loss mse"),
            format!("{csv} --loss mae"),
            format!("{csv} --loss huber --optimizer momentum"),
            "--samples 3e5".to_owned(),
            "--samples 3e5 --storage f16 --shares 1,2".to_owned(),
            "--samples 1100000 --generator device --shares 3,1".to_owned(),
            "--samples 5e5 --device-memory 1200kB".to_owned(),
        ] {
            if flags.contains("shares")
                && !team.starts_with("--adapter 0,0")
                && !team.starts_with("--adapter 0,1 ")
            {
                continue;
            }
            let run = format!("train {flags} {team} --epochs 12 --format json");
            let unbroken = json(&run);
            assert_eq!(bits(&json(&run)), bits(&unbroken), "{run}");
            let broken = run.replace("--epochs 12", "--epochs 5");
            ran(&format!(
                "{broken} -q --checkpoint {}",
                checkpoint.display()
            ));
            // Shares are those of the checkpoint, unless they are given.
            let on = json(&format!("{run} --resume {}", checkpoint.display()));
            assert_eq!(bits(&on), bits(&unbroken), "{run}");
            assert_eq!(on["engine"], unbroken["engine"], "{run}");
        }
        // The line that is found in the end is that of the CPU engine. Of mae it passes through samples. Else the loss l is
        // flat to its rounding in f32, 2^-22 of it, over a distance d with d² = 2 l · 2^-22 and a curvature of about 1.
        for (loss, most) in [("mse", 1e-6), ("huber", 1e-3), ("mae", 1e-12)] {
            let line =
                |engine: &str| json(&format!("train {csv} --loss {loss} {engine} --format json"));
            let [one, other] = [line(&team), line("--engine cpu")];
            for (name, most) in [("w", most), ("b", most), ("final_loss", 1e-6)] {
                let [one, other] = [&one, &other].map(|result| result[name].as_f64().unwrap());
                assert!(
                    (one - other).abs() < most,
                    "{team} {loss}: {name} {one} {other}"
                );
            }
        }
        // Other shares are another run.
        let run = format!("train --samples 3e5 {team} --epochs 9");
        ran(&format!("{run} -q --checkpoint {}", other.display()));
        if team.matches(',').count() == 1 {
            let text = refused(
                2,
                &format!("{run} -q --shares 3,1 --resume {}", other.display()),
            );
            assert!(text.contains("engine"), "{text}");
        }
        let text = refused(
            2,
            &format!(
                "train --samples 3e5 --adapter 0 --no-tune -q --resume {}",
                other.display()
            ),
        );
        assert!(text.contains("engine"), "{text}");
    }
}

#[test]
fn the_shares_are_told_and_kept() {
    let two = "train --samples 1e6 --epochs 2 --adapter 0,0";
    let shares = |result: &Value| -> Vec<u64> {
        let shares = result["engine"]["shares"].as_array().unwrap();
        shares
            .iter()
            .map(|share| share["samples"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        shares(&json(&format!("{two} --format json"))),
        [524_288, 475_712]
    );
    let [three, one] = [12 * BLOCKS, 1_000_000 - 12 * BLOCKS];
    assert_eq!(
        shares(&json(&format!("{two} --format json --shares 0.3,0.1"))),
        [three, one]
    );
    let text = ran(&format!("{two} --shares 3,1"));
    assert!(
        text.starts_with("engine: gpu, 2 adapters at the same time\n        786,432 samples on "),
        "{text}"
    );
    let plan = json(&format!("{two} --shares 3,1 --plan --format json"));
    assert_eq!(shares(&plan), [three, one]);
    let samples = |plan: &Value| plan["placement"]["resident"].as_u64();
    let gpus: Vec<_> = plan["memory"]["gpus"]
        .as_array()
        .unwrap()
        .iter()
        .map(samples)
        .collect();
    assert_eq!(gpus, [Some(three), Some(one)]);
    let text = ran(&format!("{two} --plan"));
    assert_eq!(text.matches("device: ").count(), 2, "{text}");

    // From 4e6 samples on they follow the speeds, which are measured once and kept.
    let cache = TempDir::new().unwrap();
    let large = || {
        let mut program = program::fall_line();
        program.env("XDG_CACHE_HOME", cache.path());
        program.args("train --samples 4e6 --epochs 1 --adapter 0,0 --format json".split(' '));
        program.output().unwrap()
    };
    let first = large();
    assert!(first.status.success(), "{}", stderr(&first));
    assert_eq!(
        stderr(&first).matches("measured the best tuning").count(),
        1
    );
    let path = cache.path().join("fall-line").join("tuning.json");
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let speed = &kept.as_object().unwrap().values().next().unwrap()["samples_per_second"];
    assert!(speed.as_f64().is_some_and(|speed| speed > 1e6), "{speed}");
    let result: Value = serde_json::from_str(&stdout(&large())).unwrap();
    // The same adapter has the same speed.
    assert_eq!(shares(&result), [31 * BLOCKS, 4_000_000 - 31 * BLOCKS]);
}

/// With two adapters of which one is kept as three times as fast, it has three quarters of the samples.
#[test]
fn shares_follow_the_speeds_that_are_kept() {
    if engines().len() < 3 {
        println!("There is one adapter: no two speeds differ.");
        return;
    }
    let cache = TempDir::new().unwrap();
    let run = || {
        let mut program = program::fall_line();
        program.env("XDG_CACHE_HOME", cache.path());
        program.args("train --samples 4e6 --epochs 1 --adapter 0,1 --format json".split(' '));
        let output = program.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()
    };
    run();
    let path = cache.path().join("fall-line").join("tuning.json");
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for (key, tuned) in kept.as_object_mut().unwrap() {
        let speed = if key.contains("vulkan") { 3e8 } else { 1e8 };
        tuned["samples_per_second"] = speed.into();
    }
    fs::write(&path, kept.to_string()).unwrap();
    // 62 blocks.
    let result = run();
    let shares = result["engine"]["shares"].as_array().unwrap();
    let of = |at: usize| shares[at]["samples"].as_u64().unwrap();
    let vulkan = usize::from(shares[1]["engine"]["backend"] == "vulkan");
    assert_eq!(of(0) + of(1), 4_000_000);
    assert!(
        (46..=47).contains(&of(vulkan).div_ceil(BLOCKS)),
        "{shares:?}"
    );
}

#[test]
fn small_sets_leave_adapters_out_and_wrong_ones_are_refused() {
    let output = run("train --samples 100 --adapter 0,0 --format json");
    assert!(output.status.success());
    let told = stderr(&output);
    assert!(told.contains("has nothing to do"), "{told}");
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(result["engine"]["shares"].as_array().unwrap().len(), 1);

    let text = refused(2, "train --samples 1e6 --adapter 0,0 --sync-every 10");
    assert!(
        text.contains("--sync-every must be 1 over several adapters"),
        "{text}"
    );
    for shares in ["1", "1,2,3"] {
        let text = refused(
            2,
            &format!("train --samples 1e6 --adapter 0,0 --shares {shares}"),
        );
        assert!(
            text.contains("--shares must be one number for each"),
            "{text}"
        );
    }
    refused(2, "train --samples 1e6 --adapter 0 --shares 1");
    refused(2, "train --samples 1e6 --engine cpu --shares 1,1");
    let text = refused(4, "train --samples 1e6 --adapter 0,99");
    assert!(text.contains("99"), "{text}");
    assert_eq!(
        run("train --samples 1e6 --adapter 0,0 --shares 1,0")
            .status
            .code(),
        Some(2)
    );
}

/// A value that f32 can't hold is named by its position in the whole set, whatever part it is in.
#[test]
fn errors_name_the_position_in_the_whole_set() {
    struct Bad;
    impl Source for Bad {
        fn samples(&self) -> u64 {
            4 * BLOCKS
        }
        fn read(&self, index: u64, block: &mut fall_line::data::Block) -> Result<(), Error> {
            synthetic(self.samples()).read(index, block)?;
            if index == 3 {
                block.y[7] = 1e300;
            }
            Ok(())
        }
        fn title(&self) -> String {
            "bad".to_owned()
        }
        fn statistics(&self) -> Option<fall_line::data::statistics::Statistics> {
            fall_line::data::statistics::Statistics::of(&synthetic(self.samples()), &|_| {}).ok()
        }
    }
    with_adapters(|_| {
        let options = FitOptions {
            engine: Choice::Gpu,
            adapter: Some("0,0".to_owned()),
            standardize: Some(false),
            tune: false,
            ..FitOptions::default()
        };
        match Fit::with(Bad, options).run() {
            Err(Error::Value { position, .. }) => assert_eq!(position, 3 * BLOCKS + 7),
            other => panic!("{other:?}"),
        }
    });
}

/// The device of any of them may be lost; the two of one adapter are lost in turns.
#[cfg(debug_assertions)]
#[test]
fn a_lost_device_is_replaced_and_changes_no_bit() {
    for team in flags() {
        let args = format!("train --samples 140000 --epochs 6 {team} --format json");
        let unbroken = bits(&json(&args));
        let mut replaced = 0;
        for n in 1.. {
            let output = program::fall_line()
                .args(args.split(' '))
                .env("FALL_LINE_FAULT", format!("submit:{n}"))
                .output()
                .unwrap();
            let text = stderr(&output);
            assert!(output.status.success(), "{args}, submit {n}: {text}");
            let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(bits(&result), unbroken, "{args}, submit {n}");
            if !text.contains("a new device takes over") {
                break;
            }
            replaced += 1;
        }
        println!("{team}: {replaced} submits");
        assert!(replaced > 10, "{replaced}");
    }
}

#[test]
fn the_library_takes_them_by_one_text() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    with_adapters(|_| {
        let source = synthetic(3 * BLOCKS);
        let several = Fit::new(&source)
            .adapter("0,0")
            .loss(Loss::Mae)
            .epochs(30)
            .run();
        let alone = Fit::new(&source)
            .engine(Choice::Cpu)
            .loss(Loss::Mae)
            .epochs(30)
            .run();
        let [several, alone] = [several, alone].map(Result::unwrap);
        assert!((several.model.w - alone.model.w).abs() < 1e-5);
        assert_eq!(several.engine.shares.len(), 2);
        assert_eq!(recipe(1).samples, 1);
        assert!(Fit::file(&path).unwrap().adapter("0,0").run().is_ok());
    });
}
