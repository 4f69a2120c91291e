//! Watches the epochs of a descent, and ends it as soon as the loss is low enough.

use std::ops::ControlFlow;

use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::{Error, Fit};

fn main() -> Result<(), Error> {
    let source = ChaCha::new(Recipe {
        samples: 100_000,
        ..Recipe::default()
    })?;
    let fit = Fit::new(source)
        .learning_rate(0.1)
        .epochs(500)
        .on_epoch(|epoch| {
            println!("epoch {}: loss {:.4}", epoch.epoch, epoch.loss);
            if epoch.loss < 1.1 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .run()?;
    println!("stopped after {} epochs: {:?}", fit.epochs, fit.model);
    Ok(())
}
