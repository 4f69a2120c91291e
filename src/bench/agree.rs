//! Agreement first: who computes something else than the CPU engine is not timed.

use super::clock::LEARNING_RATE;
use super::{Row, WALK};
use crate::engine::{Step, Storage};
use crate::error::Error;
use crate::model::Sums;

/// How far sums at [`MODEL`](super::MODEL) may be apart, as a share of Σ|term|. Every addition rounds by 2^-24: on an
/// adapter a term goes through some 60 to 110 for 1e9 samples (`train.wgsl` counts them), 7e-6 at the worst, in the
/// CPU engine through 31, 1.9e-6. Fused or not, a residual is off by some 3 · 2^-24, squared and times x
/// some 8 · 2^-24 of its term, 5e-7, and an adapter's exp by some 1e-6. Most of that averages out: past 1e9
/// samples, too, it stays far below.
const SHARE: f64 = 1e-5;

/// With samples in f16: each is off by 2^-12 of the furthest from the mean at the most, so that many may be off by a
/// thousandth of a residual; over more samples it averages out.
const SHARE_F16: f64 = 1e-3;

fn share(storage: Storage) -> f64 {
    match storage {
        Storage::F32 => SHARE,
        Storage::F16 => SHARE_F16,
    }
}

/// Whether sums at [`MODEL`](super::MODEL) over the default recipe's samples are the known ones; if not, how not.
///
/// # Errors
/// One line that names the sum that is furthest off, both values and by how much of Σ|term| they differ.
pub fn sums(storage: Storage, sums: Sums, known: Sums) -> Result<(), String> {
    let share = share(storage);
    let of = |name, sum: f64, known: f64| {
        // Σ|term| is |Σ term| but for those few terms, and never less: the bound is on the safe side.
        let off = if sum == known {
            0.0
        } else {
            ((sum - known) / known).abs()
        };
        (name, sum, known, off)
    };
    let worst = [
        of("loss", sums.loss, known.loss),
        of("dw", sums.dw, known.dw),
        of("db", sums.db, known.db),
    ]
    .into_iter()
    // No number at all sorts last.
    .max_by(|a, b| a.3.total_cmp(&b.3));
    match worst {
        Some((name, sum, known, off)) if !(..=share).contains(&off) => Err(format!(
            "the sum of {name} is {sum:e}, the CPU engine's {known:e}: off by {off:.1e} of Σ|term|, \
             {share:e} is allowed"
        )),
        _ => Ok(()),
    }
}

/// That every engine agreed with the CPU engine and none failed.
///
/// # Errors
/// [`Error::Disagree`] of the first that didn't, else [`Error::Gpu`] of the first that failed.
pub fn verdict(rows: &[Row]) -> Result<(), Error> {
    let at = |row: &Row, text: &str| format!("{} at {} samples: {text}", row.label(), row.samples);
    let first = |text: fn(&Row) -> Option<&String>| {
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

/// Whether a batch from [`MODEL`](super::MODEL) walked as the CPU engine's host loop did; if not, how not.
///
/// # Errors
/// One line with both lines.
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
                "{} epochs were asked for, {} came",
                known.len(),
                steps.len()
            ));
        }
    }
    // What each epoch may be off by, and one sample on the other side of a corner of mae or quantile.
    let off = WALK as f64 * LEARNING_RATE * (share(storage) + 4.0 / samples as f64);
    for (epoch, (step, known)) in steps.iter().zip(known).enumerate() {
        let (is, right) = (step.model, known.model);
        let size = right.w.abs().max(right.b.abs()).max(10.0);
        // Not the opposite comparison, nor the greater of both: no number at all is wrong too.
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
    fn a_walk_that_goes_astray_is_found_out() {
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
                .contains("10 epochs were asked for, 9 came")
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
