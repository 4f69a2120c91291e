//! Agreement of engines: one that computes something else than the CPU engine is not timed.

use super::clock::LEARNING_RATE;
use super::{BenchRow, WALK};
use crate::engine::{Step, Storage};
use crate::error::Error;
use crate::model::Sums;

/// The difference that sums at [`MODEL`](super::MODEL) may have, as a share of Σ|term|.
///
/// Every addition rounds by 2^-24. For 1e9 samples a term goes through 60 to 110 additions on an adapter, as
/// `train.wgsl` counts them: 7e-6 at worst. In the CPU engine it goes through 31: 1.9e-6. A residual is off by
/// 3 · 2^-24, fused or not; squared and times x that is 8 · 2^-24 of its term, 5e-7. An adapter's exp adds 1e-6. Most
/// of this averages out, so that the bound holds beyond 1e9 samples too.
const SHARE: f64 = 1e-5;

/// The same with samples in f16. Each is off by up to 2^-12 of the largest distance from the mean, so that a few samples
/// may be off by a thousandth of a residual. Over more samples it averages out.
const SHARE_F16: f64 = 1e-3;

fn share(storage: Storage) -> f64 {
    match storage {
        Storage::F32 => SHARE,
        Storage::F16 => SHARE_F16,
    }
}

/// Compares sums at [`MODEL`](super::MODEL) over the default recipe's samples with the known ones.
///
/// # Errors
/// Returns one line that names the sum that is furthest off, both values, and their difference as a share of Σ|term|.
pub fn sums(storage: Storage, sums: Sums, known: Sums) -> Result<(), String> {
    let share = share(storage);
    let compared = |name, sum: f64, known: f64| {
        // Σ|term| is |Σ term| but for a few terms, and never less: the bound is on the safe side.
        let off = if sum == known {
            0.0
        } else {
            ((sum - known) / known).abs()
        };
        (name, sum, known, off)
    };
    let worst = [
        compared("loss", sums.loss, known.loss),
        compared("dw", sums.dw, known.dw),
        compared("db", sums.db, known.db),
    ]
    .into_iter()
    // NaN sorts last.
    .max_by(|a, b| a.3.total_cmp(&b.3));
    match worst {
        Some((name, sum, known, off)) if !(..=share).contains(&off) => Err(format!(
            "the sum of {name} is {sum:e}, the CPU engine's {known:e}: off by {off:.1e} of Σ|term|, \
             {share:e} is allowed"
        )),
        _ => Ok(()),
    }
}

/// Checks that every engine agreed with the CPU engine and none failed.
///
/// # Errors
/// Returns [`Error::Disagree`] for the first engine that disagreed, else [`Error::Failed`] for the first that failed.
pub fn verdict(rows: &[BenchRow]) -> Result<(), Error> {
    let at =
        |row: &BenchRow, text: &str| format!("{} at {} samples: {text}", row.label(), row.samples);
    let first = |text: fn(&BenchRow) -> Option<&String>| {
        rows.iter()
            .find_map(|row| text(row).map(|text| at(row, text)))
    };
    match (
        first(|row| row.disagreement.as_ref()),
        first(|row| row.failure.as_ref()),
    ) {
        (Some(disagreement), _) => {
            Err(Error::Disagree(format!("engines disagree: {disagreement}")))
        }
        (None, Some(failure)) => Err(Error::Failed(failure)),
        (None, None) => Ok(()),
    }
}

/// Compares the epochs of a batch from [`MODEL`](super::MODEL) with those of the CPU engine's host loop.
///
/// # Errors
/// Returns one line that gives both models.
pub(super) fn walk(
    storage: Storage,
    steps: &[Step],
    known: &[Step],
    samples: u64,
) -> Result<(), String> {
    let [first, first_known] = [steps, known].map(|steps| steps.first().map(|step| step.sums));
    match (first, first_known) {
        (Some(first), Some(first_known)) if steps.len() == known.len() => {
            sums(storage, first, first_known)?;
        }
        _ => {
            return Err(format!(
                "{} epochs were asked for, {} were run",
                known.len(),
                steps.len()
            ));
        }
    }
    // The error that each epoch may add, and one sample on the other side of a corner of mae or quantile.
    let off = WALK as f64 * LEARNING_RATE * (share(storage) + 4.0 / samples as f64);
    for (epoch, (step, known)) in steps.iter().zip(known).enumerate() {
        let (is, right) = (step.model, known.model);
        let size = right.w.abs().max(right.b.abs()).max(10.0);
        // NaN has to fail the comparison, which neither the opposite one nor the greater of both would do.
        let near = [is.w - right.w, is.b - right.b]
            .iter()
            .all(|distance| distance.abs() <= off * size);
        if !near {
            return Err(format!(
                "after {} epochs on the device w = {}, b = {}; in the CPU engine's host loop w = {}, b = {}",
                epoch + 1,
                is.w,
                is.b,
                right.w,
                right.b
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    #[test]
    fn a_batch_that_leaves_the_path_is_noticed() {
        let step = |w| Step {
            sums: Sums::default(),
            model: Model { w, b: 1.0 },
        };
        let known: Vec<Step> = (0..WALK).map(|epoch| step(epoch as f64)).collect();
        let walk = |other: &[Step]| walk(Storage::F32, other, &known, 1_000_000);
        assert_eq!(walk(&known), Ok(()));
        assert!(
            walk(&known[..9])
                .unwrap_err()
                .contains("10 epochs were asked for, 9 were run")
        );
        let mut other = known.clone();
        other[0].sums.dw = 1.0;
        assert!(walk(&other).unwrap_err().contains("the sum of dw"));
        for wrong in [3.001, f64::NAN] {
            let mut other = known.clone();
            other[3] = step(wrong);
            assert!(walk(&other).unwrap_err().contains("after 4 epochs"));
        }
    }
}
