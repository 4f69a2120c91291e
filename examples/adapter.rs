//! Fits on the GPU engine, on an adapter of one's choice: `cargo run --example adapter -- vulkan`.

use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::engine::gpu::adapter;
use fall_line::{Error, Fit};

fn main() -> Result<(), Error> {
    let adapters = adapter::list();
    for found in &adapters {
        println!("{}  {}", found.info().index, found.info());
    }
    let wanted = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let source = ChaCha::new(Recipe {
        samples: 100_000,
        ..Recipe::default()
    })?;
    let fit = Fit::new(source).adapter(wanted).epochs(100).run()?;
    println!("{}: {:?}, loss {:.4}", fit.engine.name, fit.model, fit.loss);
    Ok(())
}
