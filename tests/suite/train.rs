//! The host loop and its descents over a mock engine, without data or a GPU.

use std::ops::ControlFlow;

use fall_line::engine::{Description, Engine, Step};
use fall_line::error::{Error, Setting};
use fall_line::model::{Model, Sums};
use fall_line::train::{
    Config, Descent, Ended, Epoch, Optimizer, Schedule, Stop, Trained, Walk, train,
};

/// An engine with known means: the loss is (w − 2)² + (b + 1)², over 4 samples.
struct Bowl {
    calls: u64,
    /// The call whose loss is not a number.
    breaks_at: Option<u64>,
}

impl Engine for Bowl {
    fn samples(&self) -> u64 {
        4
    }

    fn description(&self) -> Description {
        Description::on_host("bowl", 4)
    }

    fn evaluate(&mut self, Model { w, b }: Model) -> Result<Sums, Error> {
        self.calls += 1;
        let loss = if self.breaks_at == Some(self.calls) {
            f64::NAN
        } else {
            (w - 2.0).powi(2) + (b + 1.0).powi(2)
        };
        Ok(Sums {
            loss: 4.0 * loss,
            dw: 4.0 * 2.0 * (w - 2.0),
            db: 4.0 * 2.0 * (b + 1.0),
        })
    }
}

const START: Model = Model { w: 3.0, b: 1.0 };
/// The optimizers that take steps.
const STEPPING: [Optimizer; 3] = [Optimizer::Gd, Optimizer::Momentum, Optimizer::Adam];
const SCHEDULES: [Schedule; 3] = [
    Schedule::Constant,
    Schedule::InverseTime,
    Schedule::Adaptive,
];

fn run(
    breaks_at: Option<u64>,
    epochs: u64,
    learning_rate: f64,
    stop_after: u64,
) -> (Result<Trained, Error>, Vec<Epoch>) {
    let mut engine = Bowl {
        calls: 0,
        breaks_at,
    };
    let config = Config {
        epochs,
        descent: Descent::gd(learning_rate),
        stop: None,
        start: START,
        sync_every: 1,
    };
    let mut seen = Vec::new();
    let trained = train(
        &mut engine,
        &config,
        &mut Walk::new(&config),
        &mut |epoch, _| {
            seen.push(*epoch);
            if seen.len() as u64 == stop_after {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    (trained, seen)
}

#[test]
fn an_epoch_reports_its_loss_before_and_its_line_after_the_update() {
    let (trained, seen) = run(None, 2, 0.25, 0);
    // Every step halves the distance to (2, −1).
    let first = Epoch {
        epoch: 1,
        loss: 5.0,
        w: 2.5,
        b: 0.0,
        dw: 2.0,
        db: 4.0,
    };
    let second = Epoch {
        epoch: 2,
        loss: 1.25,
        w: 2.25,
        b: -0.5,
        dw: 1.0,
        db: 2.0,
    };
    assert_eq!(seen, [first, second]);
    let trained = trained.unwrap();
    assert_eq!(trained.model, second.model());
    assert_eq!(trained.loss, 0.0625 + 0.25);
    assert_eq!(trained.epochs, 2);
    assert_eq!(trained.ended, Ended::OutOfEpochs);
}

#[test]
fn training_stops_at_the_epoch_at_which_it_is_told_to() {
    let (trained, seen) = run(None, 100, 0.25, 3);
    assert_eq!(seen.len(), 3);
    let trained = trained.unwrap();
    assert_eq!(trained.epochs, 3);
    assert_eq!(trained.model, seen[2].model());
    assert_eq!(trained.ended, Ended::BrokenOff);
}

/// All epochs of the batch are reported and kept.
#[test]
fn training_stops_after_the_batch_in_which_it_is_told_to() {
    let mut engine = Bowl {
        calls: 0,
        breaks_at: None,
    };
    let config = Config {
        epochs: 100,
        descent: Descent::gd(0.25),
        stop: None,
        start: START,
        sync_every: 8,
    };
    let mut seen = Vec::new();
    let trained = train(
        &mut engine,
        &config,
        &mut Walk::new(&config),
        &mut |epoch, _| {
            seen.push(*epoch);
            ControlFlow::Break(())
        },
    );
    assert_eq!(seen.len(), 8);
    let trained = trained.unwrap();
    assert_eq!((trained.epochs, trained.model), (8, seen[7].model()));
    // One more call evaluates the loss of the trained line.
    assert_eq!(engine.calls, 9);
}

#[test]
fn a_loss_that_is_not_finite_is_reported_with_the_last_finite_line() {
    let (trained, seen) = run(Some(3), 100, 0.25, 0);
    assert_eq!(seen.len(), 2);
    match trained {
        Err(Error::Diverged { epoch, what, last }) => {
            assert_eq!((epoch, what, last), (3, "the loss", seen[1].model()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_loss_of_the_trained_line_that_is_not_finite_is_reported() {
    let (trained, seen) = run(Some(3), 2, 0.25, 0);
    assert_eq!(seen.len(), 2);
    assert!(matches!(trained, Err(Error::Diverged { epoch: 2, .. })));
}

#[test]
fn a_line_that_is_not_finite_is_reported() {
    let (trained, seen) = run(None, 100, 1e308, 0);
    assert!(seen.is_empty());
    match trained {
        Err(Error::Diverged { epoch, what, last }) => {
            assert_eq!((epoch, what, last), (1, "w", START));
        }
        other => panic!("{other:?}"),
    }
}

fn steps(optimizer: Optimizer, schedule: Schedule, learning_rate: f64) -> Config {
    Config {
        epochs: 60,
        start: START,
        sync_every: 1,
        descent: Descent::Steps {
            optimizer,
            schedule,
            learning_rate,
        },
        stop: None,
    }
}

fn cuts(reach: Model, tolerance: Model) -> Config {
    Config {
        descent: Descent::CuttingPlane {
            reach,
            tolerance,
            exact: false,
        },
        ..steps(Optimizer::Gd, Schedule::Constant, 0.1)
    }
}

/// Returns each evaluated line with its epoch, from the start on, and the result.
fn path(config: &Config) -> (Vec<(Model, Epoch)>, Trained) {
    let mut engine = Bowl {
        calls: 0,
        breaks_at: None,
    };
    let mut line = config.start;
    let mut path = Vec::new();
    let mut walk = Walk::new(config);
    let trained = train(&mut engine, config, &mut walk, &mut |epoch, walk| {
        path.push((line, *epoch));
        line = epoch.model();
        assert_eq!((walk.epochs(), walk.model()), (epoch.epoch, line));
        ControlFlow::Continue(())
    })
    .unwrap();
    (path, trained)
}

fn same(ours: f64, right: f64) {
    let off = (ours - right).abs();
    assert!(off <= 1e-13 * (1.0 + right.abs()), "{ours}, {right}");
}

/// The reference sums over all gradients so far: v = Σ 0.9^age g. Adam's corrected moments are the means of g and g²,
/// weighted by 0.9^age and 0.999^age.
#[test]
fn momentum_and_adam_step_as_their_papers_say() {
    for (optimizer, schedule) in [
        (Optimizer::Gd, Schedule::Constant),
        (Optimizer::Momentum, Schedule::Constant),
        (Optimizer::Adam, Schedule::Constant),
        (Optimizer::Gd, Schedule::InverseTime),
        (Optimizer::Momentum, Schedule::InverseTime),
        (Optimizer::Adam, Schedule::InverseTime),
    ] {
        let (path, trained) = path(&steps(optimizer, schedule, 0.05));
        for (t, (line, epoch)) in path.iter().enumerate() {
            let rate = match schedule {
                Schedule::InverseTime => 0.05 / (1.0 + t as f64 / 100.0),
                _ => 0.05,
            };
            let step = |gradient: fn(&Epoch) -> f64| {
                let sum = |keep: f64, of: &dyn Fn(f64) -> f64| -> f64 {
                    let terms = path[..=t].iter().rev().enumerate();
                    terms
                        .map(|(age, (_, epoch))| keep.powi(age as i32) * of(gradient(epoch)))
                        .sum()
                };
                match optimizer {
                    Optimizer::Gd | Optimizer::CuttingPlane => gradient(epoch),
                    Optimizer::Momentum => sum(0.9, &|g| g),
                    Optimizer::Adam => {
                        let first = sum(0.9, &|g| g) / sum(0.9, &|_| 1.0);
                        let second = sum(0.999, &|g| g * g) / sum(0.999, &|_| 1.0);
                        first / (second.sqrt() + 1e-8)
                    }
                }
            };
            same(epoch.w, line.w - rate * step(|epoch| epoch.dw));
            same(epoch.b, line.b - rate * step(|epoch| epoch.db));
        }
        assert_eq!(path.len(), 60);
        assert_eq!(trained.model, path[59].1.model());
    }
}

/// The gradient at (3, 1) is (2, 4). A step of 1.5 times that is too long, half of it is not, and then the rate grows
/// by a tenth per epoch.
#[test]
fn the_adaptive_schedule_takes_a_step_back_if_the_loss_rises() {
    let (seen, trained) = path(&steps(Optimizer::Gd, Schedule::Adaptive, 1.5));
    let lines: Vec<(f64, f64)> = seen.iter().map(|(line, _)| (line.w, line.b)).collect();
    assert_eq!(lines[..3], [(3.0, 1.0), (0.0, -5.0), (1.5, -2.0)]);
    same(lines[3].0, 1.5 + 0.75 * 1.1);
    same(lines[3].1, -2.0 + 0.75 * 1.1 * 2.0);
    let best = seen.iter().map(|(_, epoch)| epoch.loss).reduce(f64::min);
    assert_eq!(Some(trained.loss), best);
    assert!(trained.loss < 1e-9, "{trained:?}");
    // If training ends after such a step, the result is the line before it. Other schedules return the last line.
    for (schedule, model, loss) in [
        (Schedule::Adaptive, START, 5.0),
        (Schedule::Constant, Model { w: 0.0, b: -5.0 }, 20.0),
    ] {
        let config = Config {
            epochs: 1,
            ..steps(Optimizer::Gd, schedule, 1.5)
        };
        let trained = path(&config).1;
        assert_eq!((trained.model, trained.loss), (model, loss));
    }
}

/// The first step is too long. The second starts anew at half the rate, with nothing left of the first one's velocity.
#[test]
fn momentum_forgets_a_step_that_is_taken_back() {
    let (path, _) = path(&steps(Optimizer::Momentum, Schedule::Adaptive, 1.5));
    let lines: Vec<(f64, f64)> = path.iter().map(|(line, _)| (line.w, line.b)).collect();
    assert_eq!(lines[..3], [(3.0, 1.0), (0.0, -5.0), (1.5, -2.0)]);
}

/// The result is the best line, not the last one, for every optimizer and however wrong the rate is.
#[test]
fn the_adaptive_schedule_finds_the_optimum_from_any_rate() {
    for optimizer in STEPPING {
        for rate in [1e-3, 0.1, 10.0, 1e4] {
            let config = Config {
                epochs: 3000,
                ..steps(optimizer, Schedule::Adaptive, rate)
            };
            let (path, trained) = path(&config);
            let at = path.iter().find(|(line, _)| *line == trained.model);
            assert_eq!(at.unwrap().1.loss, trained.loss);
            assert!(trained.loss < 1e-6, "{optimizer:?}, {rate}: {trained:?}");
        }
    }
}

/// Checks that a configuration is refused because of a setting.
fn refuses(config: &Config, setting: Setting) {
    match config.check() {
        Err(Error::Setting { setting: found, .. }) => assert_eq!(found, setting),
        other => panic!("{config:?}: {other:?}"),
    }
}

#[test]
fn only_plain_gradient_descent_runs_in_batches() {
    let mut refused = 0;
    for optimizer in STEPPING {
        for schedule in SCHEDULES {
            let config = steps(optimizer, schedule, 0.1);
            config.check().unwrap();
            let batches = Config {
                sync_every: 2,
                ..config
            };
            if config.descent == Descent::gd(0.1) {
                batches.check().unwrap();
            } else {
                refuses(&batches, Setting::Optimizer);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 8);
    let batches = Config {
        sync_every: 2,
        ..cuts(Model::both(1.0), Model::both(1.0))
    };
    refuses(&batches, Setting::Optimizer);
}

#[test]
fn values_out_of_range_are_refused() {
    cuts(Model::both(1.0), Model::both(1.0)).check().unwrap();
    let refuses_plane = |reach, tolerance, says: &str| match cuts(reach, tolerance).check() {
        Err(Error::Usage(text)) => assert!(text.contains(says), "{text}"),
        other => panic!("{other:?}"),
    };
    let (one, at) = (Model::both(1.0), |w, b| Model { w, b });
    refuses_plane(at(0.0, 1.0), one, "reach in w");
    refuses_plane(at(1.0, f64::INFINITY), one, "reach in b");
    refuses_plane(one, at(-1.0, 1.0), "tolerance in w");
    refuses_plane(one, at(1.0, 0.0), "tolerance in b");
    let gd = |rate| steps(Optimizer::Gd, Schedule::Constant, rate);
    refuses(&gd(f64::NAN), Setting::LearningRate);
    refuses(&gd(0.0), Setting::LearningRate);
    let not_steps = steps(Optimizer::CuttingPlane, Schedule::Constant, 0.1);
    refuses(&not_steps, Setting::Optimizer);
    let stop = |tolerance, patience| Config {
        stop: Some(Stop {
            tolerance,
            patience,
        }),
        ..gd(0.1)
    };
    stop(0.0, 1).check().unwrap();
    refuses(&stop(1.0, 1), Setting::Tolerance);
    refuses(&stop(0.0, 0), Setting::Patience);
}

/// A checkpoint at every multiple of `sync_every` is then possible wherever training resumed.
#[test]
fn batches_end_at_multiples_of_their_length() {
    struct Batches(Bowl, Vec<u64>);
    impl Engine for Batches {
        fn samples(&self) -> u64 {
            4
        }

        fn description(&self) -> Description {
            self.0.description()
        }
        fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
            self.0.evaluate(model)
        }
        fn descend(
            &mut self,
            from: Model,
            learning_rate: f64,
            epochs: u64,
            steps: &mut Vec<Step>,
        ) -> Result<(), Error> {
            self.1.push(epochs);
            self.0.descend(from, learning_rate, epochs, steps)
        }
    }
    let mut config = Config {
        epochs: 40,
        sync_every: 12,
        ..steps(Optimizer::Gd, Schedule::Constant, 0.01)
    };
    let mut engine = Batches(
        Bowl {
            calls: 0,
            breaks_at: None,
        },
        vec![],
    );
    let mut walk = Walk::new(&config);
    for epochs in [40, 70] {
        config.epochs = epochs;
        train(&mut engine, &config, &mut walk, &mut |_, _| {
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    assert_eq!(engine.1, [12, 12, 12, 4, 8, 12, 10]);
}

#[test]
fn a_walk_is_continued_only_by_the_kind_of_descent_that_began_it() {
    let by_steps = steps(Optimizer::Gd, Schedule::Constant, 0.1);
    let by_cuts = cuts(Model::both(1.0), Model::both(1e-6));
    for (began, goes_on) in [(by_steps, by_cuts), (by_cuts, by_steps)] {
        let mut engine = Bowl {
            calls: 0,
            breaks_at: None,
        };
        let mut walk = Walk::new(&began);
        let ended = train(&mut engine, &goes_on, &mut walk, &mut |_, _| {
            ControlFlow::Continue(())
        });
        let refused = matches!(
            ended,
            Err(Error::Setting {
                setting: Setting::Optimizer,
                ..
            })
        );
        assert!(refused, "{ended:?}");
        assert_eq!(walk, Walk::new(&began));
    }
}

#[test]
fn training_stops_when_the_patience_is_used_up() {
    // Adds a floor of 1, since the loss of `Bowl` sinks towards 0 by the same share for ever.
    struct Floor(Bowl);
    impl Engine for Floor {
        fn samples(&self) -> u64 {
            4
        }

        fn description(&self) -> Description {
            self.0.description()
        }
        fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
            let sums = self.0.evaluate(model)?;
            Ok(Sums {
                loss: sums.loss + 4.0,
                ..sums
            })
        }
    }
    let mut ends = Vec::new();
    for (tolerance, patience) in [(1e-3, 1), (1e-3, 5), (1e-6, 5)] {
        for sync_every in [1, 8] {
            let config = Config {
                epochs: 1000,
                sync_every,
                stop: Some(Stop {
                    tolerance,
                    patience,
                }),
                ..steps(Optimizer::Gd, Schedule::Constant, 0.25)
            };
            let mut engine = Floor(Bowl {
                calls: 0,
                breaks_at: None,
            });
            let mut walk = Walk::new(&config);
            let mut losses = Vec::new();
            let trained = train(&mut engine, &config, &mut walk, &mut |epoch, _| {
                losses.push(epoch.loss);
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(trained.ended, Ended::Converged);
            // Find the first run of `patience` epochs that don't improve on the last improvement by the tolerance.
            let (mut mark, mut idle, mut end) = (f64::INFINITY, 0, 0);
            while idle < patience {
                if losses[end] < mark - tolerance * mark.min(f64::MAX) {
                    (mark, idle) = (losses[end], 0);
                } else {
                    idle += 1;
                }
                end += 1;
            }
            // A batch is always finished.
            let end = (end as u64).next_multiple_of(sync_every);
            assert_eq!(trained.epochs, end);
            ends.push(end);
            // A walk that has converged stays converged.
            let again = train(&mut engine, &config, &mut walk, &mut |_, _| panic!()).unwrap();
            assert_eq!((again.epochs, again.ended), (end, Ended::Converged));
        }
    }
    // The loss of epoch k is 5 / 4^(k − 1) above the floor. With 1e-3, epoch 7 improves the loss and 8 does not. Epoch
    // 9 improves on epoch 7, since progress adds up. With 1e-6 these are 12, 13 and 14.
    assert_eq!(ends, [8, 8, 9 + 5, 16, 14 + 5, 24]);
}
