//! A control on the adapter's sums, made on the host while the samples are uploaded.
//!
//! Drivers fail in silence: one got a workgroup's reduction wrong (WARP, gfx-rs/wgpu#7904), and GL doesn't report a buffer
//! that it has no memory for. So the adapter's sums over the user's own data are compared with the host's before the first
//! epoch.

use std::iter::Sum;

use crate::engine::cpu::block_sums;
use crate::loss::Loss;
use crate::model::{Model, Sums};

/// The largest distance of the sums, as a share of Σ|term|.
///
/// For 1e9 samples the additions that `train.wgsl` counts round by at most 110 · 2^-24 = 7e-6, and each further shard adds
/// 2^-24. Those of the CPU engine round by 2e-6, and an adapter's exp is off by some 1e-6. A missing shard of a hundred is a
/// hundredth.
const SHARE: f64 = 5e-5;

/// The sums at [`Control::MODEL`], and the sizes of their terms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Control {
    sums: Sums,
    /// Σ|term|.
    sizes: Sums,
    /// The distance of the sums that comes from samples that differ.
    slack: Sums,
}

impl Control {
    /// The line y = 0. There a residual is −y to the bit, on any adapter.
    pub const MODEL: Model = Model { w: 0.0, b: 0.0 };

    /// Returns the control over some samples.
    pub fn new(loss: Loss, x: &[f32], y: &[f32]) -> Self {
        let over = |x: &[f32], y: &[f32]| block_sums(loss, x, y, Self::MODEL);
        // Terms of one sign: those of the targets above the line, and those of the targets below. A target on the line
        // has terms of 0.
        let size_x: Vec<f32> = x.iter().map(|x| x.abs()).collect();
        let above: Vec<f32> = y.iter().map(|y| y.max(0.0)).collect();
        let below: Vec<f32> = y.iter().map(|y| y.min(0.0)).collect();
        let (above, below) = (over(&size_x, &above), over(&size_x, &below));
        let mut sizes = Sums {
            loss: above.loss + below.loss,
            dw: below.dw - above.dw,
            db: below.db - above.db,
        };
        // An adapter may take a subnormal target for 0, which for mae is a term less. Then any sums agree.
        if y.iter().any(|y| y.is_subnormal()) {
            sizes.loss = f64::INFINITY;
            sizes.dw = f64::INFINITY;
            sizes.db = f64::INFINITY;
        }
        Control {
            sums: over(x, y),
            sizes,
            slack: Sums::default(),
        }
    }

    /// Returns the control over samples that the adapter has drawn: each x within `off_x` of these, each y within `off_y`.
    ///
    /// SHARE alone would do if y were about as large as its parts: then a sample's rounding is 1e-6 of it. But
    /// `1e4 * x - 1e7` at x around 1000 leaves little of its parts, and mae jumps at y = 0.
    pub fn drawn(loss: Loss, x: &[f32], y: &[f32], off_x: f64, off_y: f64) -> Self {
        let size_x: Vec<f32> = x.iter().map(|x| x.abs()).collect();
        let shifted = |by: f64| {
            let y: Vec<f32> = y.iter().map(|&y| (f64::from(y) + by) as f32).collect();
            block_sums(loss, &size_x, &y, Self::MODEL)
        };
        // The losses are convex. A derivative grows with its residual, here −y, and so lies between those of y's ends. A
        // loss value differs by no more than the steepest of them allows.
        let (low, high) = (shifted(-off_y), shifted(off_y));
        let (dw, db) = (low.dw - high.dw, low.db - high.db);
        let control = Self::new(loss, x, y);
        let steepest = control.sizes.db + db;
        Control {
            slack: Sums {
                loss: off_y * steepest,
                dw: dw + off_x * steepest,
                db,
            },
            ..control
        }
    }

    /// Checks that an adapter's sums are these, or returns what is wrong with them.
    pub fn agrees(&self, sums: Sums) -> Result<(), String> {
        let Control { sizes, slack, .. } = self;
        for (name, sum, right, size, slack) in [
            ("loss", sums.loss, self.sums.loss, sizes.loss, slack.loss),
            ("dw", sums.dw, self.sums.dw, sizes.dw, slack.dw),
            ("db", sums.db, self.sums.db, sizes.db, slack.db),
        ] {
            // `train` finds sums that are beyond f32 or not a number.
            let in_f32 = size < f64::from(f32::MAX);
            // Subnormal terms may be taken for 0 too: up to 1e9 of them.
            let flushed = f64::from(f32::MIN_POSITIVE) * 1e9;
            let agrees = (sum - right).abs() <= SHARE * size + slack + flushed;
            if in_f32 && !agrees {
                return Err(format!(
                    "wrong sums: {name} is {sum:e}, not {right:e}; it is out of memory or its driver is faulty: use \
                     fewer samples, another adapter or the CPU engine"
                ));
            }
        }
        Ok(())
    }
}

impl Sum for Control {
    fn sum<I: Iterator<Item = Control>>(controls: I) -> Control {
        controls.fold(Control::default(), |a, b| Control {
            sums: a.sums + b.sums,
            sizes: a.sizes + b.sizes,
            slack: a.slack + b.slack,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_lack_a_part_do_not_agree() {
        let y: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.1).sin()).collect();
        let x: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.2).cos()).collect();
        let lopsided = Loss::Quantile { tau: 0.001 };
        for (loss, y) in Loss::ALL
            .map(|loss| (loss, y.clone()))
            .into_iter()
            .chain([(lopsided, y.iter().map(|y| y.abs()).collect())])
        {
            let control = Control::new(loss, &x, &y);
            assert_eq!(control.agrees(control.sums), Ok(()));
            // A thousandth of the samples reads as 0; or a sum is not a number.
            let (mut x, mut y) = (x.clone(), y.clone());
            x[..100].fill(0.0);
            y[..100].fill(0.0);
            assert!(control.agrees(Control::new(loss, &x, &y).sums).is_err());
            let not_a_number = Sums {
                db: f64::NAN,
                ..control.sums
            };
            assert!(control.agrees(not_a_number).is_err());
        }
    }

    #[test]
    fn data_without_a_reliable_sum_agree() {
        let control = Control::new(Loss::Mse, &[0.0; 10], &[0.0; 10]);
        assert_eq!(control.agrees(Sums::default()), Ok(()));
        // Sums beyond f32: 2r · x is ∞ · 0 here.
        let control = Control::new(Loss::Mse, &[0.0, 1.0], &[2e38, 1.0]);
        assert_eq!(control.agrees(control.sums), Ok(()));
        // Targets that an adapter may take for 0.
        let control = Control::new(Loss::Mae, &[1.0; 2], &[1e-40, 1.0]);
        assert_eq!(control.agrees(Sums::default()), Ok(()));
    }

    /// y as small as the rounding of its parts: `1e4 * x - 1e7`.
    #[test]
    fn samples_that_an_adapter_rounds_differently_agree() {
        let x: Vec<f32> = (0..1000).map(|i| 1000.0 + i as f32 * 1e-3).collect();
        let y: Vec<f32> = x.iter().map(|x| 1e4 * x - 1e7).collect();
        let (off_x, off_y) = (1e-4, 3.0);
        for loss in Loss::ALL {
            let control = Control::drawn(loss, &x, &y, off_x, off_y);
            for (by_x, by_y) in [(0.9, 0.9), (0.9, -0.9), (-0.9, 0.9), (-0.9, -0.9)] {
                let by = |values: &[f32], by: f64| -> Vec<f32> {
                    values.iter().map(|v| (f64::from(*v) + by) as f32).collect()
                };
                let (x, y) = (by(&x, by_x * off_x), by(&y, by_y * off_y));
                let sums = block_sums(loss, &x, &y, Control::MODEL);
                assert_eq!(control.agrees(sums), Ok(()));
            }
            // Without the slack they would not agree.
            let other: Vec<f32> = y.iter().map(|y| y + 2.7).collect();
            let sums = block_sums(loss, &x, &other, Control::MODEL);
            assert!(Control::new(loss, &x, &y).agrees(sums).is_err());
            // The slack does not hide a missing sample in a hundred.
            let sums = block_sums(loss, &x[..990], &y[..990], Control::MODEL);
            assert!(control.agrees(sums).is_err());
        }
    }
}
