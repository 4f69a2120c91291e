//! How long a step may be: the curvature of the loss, and the learning rates that follow from it.

use crate::loss::Loss;

/// The curvature of the loss over (w, b) along its least and its most curved direction: the eigenvalues of the matrix
/// of second derivatives, in units of the loss per square unit of y.
///
/// For `mse` that is 2 · [[mean x², mean x], [mean x, 1]] at every line. For `huber` and `log-cosh` it is half of that
/// where every residual is small (within δ, far below 1), and nowhere more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curvature {
    /// Along the flattest direction; ≥ 0.
    pub least: f64,
    /// Along the steepest; > 0.
    pub greatest: f64,
}

impl Curvature {
    /// From the mean of x and of x² over all samples; none for the losses that have corners instead.
    pub fn new(loss: Loss, mean_x: f64, mean_x_squared: f64) -> Option<Self> {
        let factor = match loss {
            Loss::Mse => 2.0,
            Loss::Huber { .. } | Loss::LogCosh => 1.0,
            Loss::Mae | Loss::Quantile { .. } => return None,
        };
        let sum = mean_x_squared + 1.0;
        let greatest = 0.5 * (sum + (mean_x_squared - 1.0).hypot(2.0 * mean_x));
        // Their product is the determinant, which their difference would lose where they are far apart.
        let least = ((mean_x_squared - mean_x * mean_x) / greatest).max(0.0);
        Some(Curvature {
            least: factor * least,
            greatest: factor * greatest,
        })
    }

    /// The learning rate at which plain gradient descent stops getting nearer: 2 / the greatest curvature. Above it the
    /// loss of `mse` grows with every epoch; for `huber` and `log-cosh` no rate below it does harm.
    pub fn limit(&self) -> f64 {
        2.0 / self.greatest
    }

    /// The constant learning rate with which plain gradient descent gets nearer the fastest, 2 / (least + greatest): by
    /// (greatest − least) / (greatest + least) an epoch or better. Where x doesn't vary it is the limit itself.
    pub fn best(&self) -> f64 {
        2.0 / (self.least + self.greatest)
    }
}
