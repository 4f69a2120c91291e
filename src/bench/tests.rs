//! Agreement, times and the verdict, with engines whose sums are known.

use super::clock::Evaluated;
use super::contest::Known;
use super::row::{Round, Setup};
use super::*;
use crate::data::synthetic::{ChaCha, Recipe};
use crate::engine::cpu::CpuEngine;
use crate::engine::gpu::measure::Roofs;
use crate::engine::{Description, Engine};
use crate::model::Sums;

/// An engine with given sums.
struct Fixed {
    sums: Sums,
    asked: u64,
}

impl Engine for Fixed {
    fn samples(&self) -> u64 {
        1000
    }

    fn description(&self) -> Description {
        Description::on_host("off", 1000)
    }

    fn evaluate(&mut self, _: Model) -> Result<Sums, Error> {
        self.asked += 1;
        if self.sums.loss < 0.0 {
            return Err(Error::Failed("out of luck".to_owned()));
        }
        Ok(self.sums)
    }
}

const KNOWN: Sums = Sums {
    loss: 50_000.0,
    dw: -12_000.0,
    db: -9000.0,
};

/// Returns the rows of an engine with the known sums and of one with these sums, and how often the second was asked.
fn beside(sums: Sums) -> (Vec<BenchRow>, u64) {
    let plan = BenchPlan {
        samples: vec![1000],
        loss: Loss::Mse,
        contestants: vec![],
        adapters: vec![],
        storage: Storage::F32,
        runs: 1,
        min_time: Duration::from_millis(1),
        epochs_to_answer: 50,
    };
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let contest = Contest {
        plan: &plan,
        draw: &|_| unreachable!("nothing is drawn"),
        one_thread: &one_thread.unwrap(),
        samples: 1000,
    };
    let known = Known {
        sums: KNOWN,
        walk: vec![],
    };
    let mut asked = 0;
    let rows = [(Contestant::Cpu, KNOWN), (Contestant::Gpu, sums)].map(|(contestant, sums)| {
        let mut row = BenchRow::new(1000, contestant);
        let mut engine = Fixed { sums, asked: 0 };
        match contest.epochs(&mut row, &mut Evaluated(&mut engine), &known) {
            Ok(round) => row.rounds.extend(round.map(|round| Round {
                draw: 0.5,
                setup: Some(Setup {
                    load: 0.25,
                    ..Setup::default()
                }),
                ..round
            })),
            Err(error) => row.failure = Some(error.to_string()),
        }
        row.conclude(50);
        asked = engine.asked;
        row
    });
    (rows.to_vec(), asked)
}

#[test]
fn an_engine_that_agrees_has_a_time_and_a_speed_up() {
    let (rows, asked) = beside(Sums {
        dw: KNOWN.dw * (1.0 + 0.9e-5),
        ..KNOWN
    });
    assert!(asked > 10);
    assert_eq!(compare::speedups(&rows).len(), 1);
    assert_eq!(compare::break_even(&rows).per_epoch.len(), 1);
    assert!(verdict(&rows).is_ok());
    for row in &rows {
        assert_eq!(row.agrees, Some(true));
        let seconds = row.seconds().unwrap();
        assert_eq!(row.samples_per_second, Some(1000.0 / seconds));
        assert_eq!(row.bytes_per_second, Some(8000.0 / seconds));
        let answer = row.phases.answer.unwrap().median;
        assert_eq!(answer, 0.5 + 0.25 + 50.0 * seconds);
    }
}

#[test]
fn an_engine_that_disagrees_has_neither_and_the_run_ends_with_7() {
    for (sums, name) in [
        (
            Sums {
                loss: KNOWN.loss * (1.0 - 1.1e-5),
                ..KNOWN
            },
            "loss",
        ),
        (
            Sums {
                dw: -KNOWN.dw,
                ..KNOWN
            },
            "dw",
        ),
        (
            Sums {
                db: f64::NAN,
                ..KNOWN
            },
            "db",
        ),
        (Sums::default(), "loss"),
    ] {
        let (rows, asked) = beside(sums);
        assert_eq!(asked, 1, "it is timed");
        assert_eq!((rows[0].agrees, rows[1].agrees), (Some(true), Some(false)));
        let text = rows[1].disagreement.as_ref().unwrap();
        if name != "loss" || sums.loss != 0.0 {
            assert!(text.contains(&format!("the sum of {name} is")), "{text}");
        }
        assert!(rows[1].epoch_seconds.is_none() && rows[1].phases.answer.is_none());
        assert!(rows[1].samples_per_second.is_none() && rows[1].bytes_per_second.is_none());
        assert_eq!(compare::speedups(&rows), []);
        assert!(compare::break_even(&rows).per_epoch.is_empty());
        let error = verdict(&rows).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn an_engine_that_fails_says_why() {
    let (rows, _) = beside(Sums {
        loss: -1.0,
        ..KNOWN
    });
    assert_eq!((rows[1].agrees, rows[1].seconds()), (None, None));
    assert_eq!(rows[1].failure.as_deref(), Some("out of luck"));
    assert_eq!(verdict(&rows).unwrap_err().exit_code(), 4);
}

/// The bound on a difference takes |Σ term| for Σ|term|.
#[test]
fn terms_at_the_model_have_one_sign() {
    let source = ChaCha::new(Recipe::default()).unwrap();
    let mae = |model| {
        let mut engine = CpuEngine::new(&source, Loss::Mae, &|_| {}).unwrap();
        engine.evaluate(model).unwrap().means(1_000_000)
    };
    let at = mae(MODEL);
    assert!(at.db < -0.999, "{at:?}");
}

#[test]
fn figures_that_cannot_be_true_are_named() {
    let row = |rounds: &[(f64, f64, f64)]| {
        let mut row = BenchRow::new(1000, Contestant::Gpu);
        for &(median, kernel, read) in rounds {
            let mut round = Round {
                kernel: Some(kernel),
                roofs: Some(Roofs {
                    read: 8000.0 / read,
                    copy: 1.0,
                }),
                ..Round::default()
            };
            round.epochs.median = median;
            (round.epochs.q1, round.epochs.q3) = (median, median);
            row.rounds.push(round);
        }
        row.conclude(50);
        row.impossible.unwrap_or_default()
    };
    // An epoch of 10 s, with the kernel of 9 s and reading alone of 8 s.
    assert_eq!(row(&[(10.0, 9.0, 8.0)]), "");
    assert!(row(&[(10.0, 10.1, 8.0)]).contains("the kernel takes longer"));
    // Within the range between the rounds it may be the shorter one.
    assert_eq!(row(&[(10.0, 10.1, 8.0), (11.0, 10.1, 8.0)]), "");
    assert_eq!(row(&[(10.0, 9.0, 10.9)]), "");
    assert!(row(&[(10.0, 9.0, 12.0)]).contains("reads at 120 % of the bandwidth"));
    // The highest roof counts: a slower one was disturbed.
    assert_eq!(row(&[(10.0, 9.0, 12.0), (10.0, 9.0, 9.0)]), "");
}
