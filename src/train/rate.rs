//! The curvature of the loss, and the learning rates that follow from it.

use crate::loss::Loss;

/// The curvature of the loss over (w, b) along its flattest and its steepest direction.
///
/// They are the eigenvalues of the matrix of second derivatives, in units of the loss per square unit of y. For `mse`
/// the matrix is 2 · [[mean x², mean x], [mean x, 1]] at every line. For `huber` and `log-cosh` it is half of that if
/// every residual is small (within δ, far below 1), and nowhere more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curvature {
    /// Along the flattest direction; ≥ 0.
    pub least: f64,
    /// Along the steepest direction; > 0.
    pub greatest: f64,
}

impl Curvature {
    /// Returns the curvature from the means of x and x² over all samples, or `None` for a loss with corners.
    pub fn new(loss: Loss, mean_x: f64, mean_x_squared: f64) -> Option<Self> {
        let factor = loss.curvature()?;
        let sum = mean_x_squared + 1.0;
        let greatest = 0.5 * (sum + (mean_x_squared - 1.0).hypot(2.0 * mean_x));
        // From the determinant, their product: the trace minus the greatest would lose the digits of a small one.
        let least = ((mean_x_squared - mean_x * mean_x) / greatest).max(0.0);
        Some(Curvature {
            least: factor * least,
            greatest: factor * greatest,
        })
    }

    /// Returns the learning rate above which gradient descent is unstable: 2 / the greatest curvature.
    ///
    /// Above it the loss of `mse` grows with every epoch. Below it no loss with a curvature ever rises.
    pub fn limit(&self) -> f64 {
        2.0 / self.greatest
    }

    /// Returns the constant learning rate with which gradient descent converges fastest: 2 / (least + greatest).
    ///
    /// Each epoch shrinks the distance to the optimum by (greatest − least) / (greatest + least) or better. If x does
    /// not vary, the rate is the limit itself.
    pub fn best(&self) -> f64 {
        2.0 / (self.least + self.greatest)
    }
}
