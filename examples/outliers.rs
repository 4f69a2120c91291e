//! Compares what a tenth of gross errors does to the lines of several losses.

use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::{Error, Fit, Loss};

fn main() -> Result<(), Error> {
    println!("drawn around: w = 3, b = 4");
    for loss in Loss::ALL {
        let source = ChaCha::new(Recipe {
            samples: 100_000,
            outliers: 0.1,
            ..Recipe::default()
        })?;
        let fit = Fit::new(source)
            .loss(loss)
            .standardize(true)
            .epochs(500)
            .run()?;
        println!(
            "{:<13} w = {:.3}, b = {:.3}",
            loss.to_string(),
            fit.model.w,
            fit.model.b
        );
    }
    Ok(())
}
