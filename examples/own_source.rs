//! Fits samples that are computed as they are asked for: a source of one's own.

use fall_line::data::{Block, Source, positions};
use fall_line::{Error, Fit};

/// Points of a parabola, which no memory has to hold.
struct Parabola {
    samples: u64,
}

impl Source for Parabola {
    fn samples(&self) -> u64 {
        self.samples
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, self.samples) {
            let x = position as f64 / self.samples as f64;
            block.push((x, x * x));
        }
        Ok(())
    }

    fn title(&self) -> String {
        "y = x² for x in [0, 1)".to_owned()
    }
}

fn main() -> Result<(), Error> {
    let fit = Fit::new(Parabola { samples: 1_000_000 }).run()?;
    // The best line through x² over [0, 1] is x − 1/6.
    println!(
        "{}: w = {:.5}, b = {:.5}",
        fit.title, fit.model.w, fit.model.b
    );
    Ok(())
}
