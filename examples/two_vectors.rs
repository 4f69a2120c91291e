//! Fits the line of least squares to two vectors.

use fall_line::Error;

fn main() -> Result<(), Error> {
    let hours = [1.0, 2.0, 3.5, 4.0, 5.5, 6.0];
    let marks = [52.0, 58.0, 67.0, 69.0, 80.0, 81.0];
    let fit = fall_line::fit(&hours, &marks)?;

    println!("marks = {:.2} hours + {:.2}", fit.model.w, fit.model.b);
    println!("after 7 hours: {:.1}", fit.predict(7.0));
    if let Some(share) = fit.r_squared() {
        println!("R² = {share:.4}");
    }
    Ok(())
}
