//! The host loop over a mock engine: no data, no GPU.

use std::ops::ControlFlow;

use fall_line::engine::Engine;
use fall_line::error::Error;
use fall_line::model::{Model, Sums};
use fall_line::train::{Config, Epoch, Trained, train};

/// A bowl whose means are known: loss (w − 2)² + (b + 1)², over 4 samples.
struct Bowl {
    calls: u64,
    /// The call in which the loss stops being a number.
    breaks_at: Option<u64>,
}

impl Engine for Bowl {
    fn samples(&self) -> u64 {
        4
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
        learning_rate,
        start: START,
        sync_every: 1,
    };
    let mut seen = Vec::new();
    let trained = train(&mut engine, &config, &mut |epoch| {
        seen.push(*epoch);
        if seen.len() as u64 == stop_after {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    (trained, seen)
}

#[test]
fn an_epoch_reports_its_loss_before_and_its_line_after_the_update() {
    let (trained, seen) = run(None, 2, 0.25, 0);
    // Every step halves the way to (2, −1).
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
}

#[test]
fn it_stops_where_the_watcher_breaks_off() {
    let (trained, seen) = run(None, 100, 0.25, 3);
    assert_eq!(seen.len(), 3);
    let trained = trained.unwrap();
    assert_eq!(trained.epochs, 3);
    assert_eq!(trained.model, seen[2].model());
}

/// What was computed at once is told of and kept.
#[test]
fn it_stops_after_the_batch_in_which_the_watcher_breaks_off() {
    let mut engine = Bowl {
        calls: 0,
        breaks_at: None,
    };
    let config = Config {
        epochs: 100,
        learning_rate: 0.25,
        start: START,
        sync_every: 8,
    };
    let mut seen = Vec::new();
    let trained = train(&mut engine, &config, &mut |epoch| {
        seen.push(*epoch);
        ControlFlow::Break(())
    });
    assert_eq!(seen.len(), 8);
    let trained = trained.unwrap();
    assert_eq!((trained.epochs, trained.model), (8, seen[7].model()));
    // One more, for the loss of the trained line.
    assert_eq!(engine.calls, 9);
}

#[test]
fn a_loss_that_is_no_number_ends_it_with_the_last_finite_line() {
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
fn the_loss_of_the_trained_line_counts_too() {
    let (trained, seen) = run(Some(3), 2, 0.25, 0);
    assert_eq!(seen.len(), 2);
    assert!(matches!(trained, Err(Error::Diverged { epoch: 2, .. })));
}

#[test]
fn a_line_that_leaves_the_numbers_ends_it() {
    let (trained, seen) = run(None, 100, 1e308, 0);
    assert!(seen.is_empty());
    match trained {
        Err(Error::Diverged { epoch, what, last }) => {
            assert_eq!((epoch, what, last), (1, "w", START));
        }
        other => panic!("{other:?}"),
    }
}
