//! The samples and the path of a report, as JSON for its script (web/report.js).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fall_line::data::statistics::Statistics;
use fall_line::data::{self, Block, Time};
use fall_line::error::Error;
use fall_line::fit::{Caution, Outcome};
use fall_line::model::Model;
use fall_line::saved;
use fall_line::train::{Epoch, Optimizer, Schedule};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::super::plot::{Run, axis_name, density, fit::Fit};
use crate::output::number::percent;

/// Samples that a report holds. Up to so many, each is a point in the picture of the data.
const SAMPLES: usize = 2000;
/// Cells of shades across and down, where there are more.
const CELLS: [usize; 2] = [64, 64];
/// Epochs that a report holds: the first half one by one, the others evenly spread.
const EPOCHS: usize = 500;
/// The most epochs that the script descends at a time.
const MOST_EPOCHS: u64 = 5000;

#[derive(Debug, Serialize)]
struct Report {
    state: State,
    run: Path,
    data: Samples,
}

/// The settings of the run, in the words of the page.
#[derive(Debug, Serialize)]
struct State {
    loss: &'static str,
    /// δ of huber, τ of quantile.
    parameter: Option<f64>,
    optimizer: Optimizer,
    rate: Option<f64>,
    epochs: u64,
    standardize: bool,
    w: f64,
    b: f64,
}

/// Numbers as Base64 of little-endian f64.
#[derive(Debug, Serialize)]
struct Numbers(String);

impl Numbers {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let bytes: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
        Numbers(BASE64_STANDARD.encode(bytes))
    }
}

/// Lines after some of the epochs, from the start on, with their losses.
#[derive(Debug, Serialize)]
struct Path {
    epochs: Vec<u64>,
    w: Numbers,
    b: Numbers,
    loss: Numbers,
    /// The line of least loss; `None` if it is not known.
    least: Option<Point>,
    diverged: bool,
    /// The path, in words.
    text: String,
    /// The schedule of the learning rate, unless it was constant.
    schedule: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Point {
    w: f64,
    b: f64,
    loss: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    x_name: String,
    y_name: String,
    /// The seconds that x counts, if it is a time.
    seconds: Option<f64>,
    /// The number of all samples.
    samples: u64,
    x: Numbers,
    y: Numbers,
    /// Those of all samples.
    statistics: Option<Statistics>,
    shades: Option<Shades>,
    /// x, and the ends of the interval that holds the line there.
    band: Option<Vec<[f64; 3]>>,
    band_name: Option<String>,
    truth: Option<Model>,
    /// The samples that a warning names.
    marked: Vec<[f64; 2]>,
}

/// The number of samples in each cell, rows from the lowest y up.
#[derive(Debug, Serialize)]
struct Shades {
    x: [f64; 2],
    y: [f64; 2],
    columns: usize,
    counts: Vec<u32>,
}

/// Returns the samples and the path, safe within a script element, or `None` if no epoch was run.
pub fn json(run: &Run) -> Result<Option<String>, Error> {
    if run.epochs.is_empty() {
        return Ok(None);
    }
    let report = Report {
        state: state(run),
        run: path(run),
        data: samples(run)?,
    };
    let text = serde_json::to_string(&report).map_err(saved::cannot_write)?;
    // `</script>` in a name would end the element.
    Ok(Some(text.replace('<', "\\u003c")))
}

fn state(run: &Run) -> State {
    let setup = run.setup;
    let Model { w, b } = setup.start;
    State {
        loss: setup.loss.name(),
        parameter: setup.loss.parameter(),
        optimizer: setup.config.descent.optimizer(),
        rate: setup.learning_rate.map(|learning| learning.rate),
        epochs: setup.config.epochs.min(MOST_EPOCHS),
        standardize: setup.standardized,
        w,
        b,
    }
}

/// Returns the lines of the path. The loss of an epoch is that of the line before it; the last line's is that of the outcome.
fn path(run: &Run) -> Path {
    let outcome = run.outcome;
    let epochs = run.epochs;
    let before = epochs[0].epoch - 1;
    let line = |&Epoch { w, b, .. }: &Epoch| Model { w, b };
    let losses = epochs.iter().map(|epoch| epoch.loss);
    let losses = losses.chain(outcome.map(|outcome| outcome.loss));
    // A run that goes on without a history has not kept the line before its first epoch.
    let start = (before == 0).then_some(run.setup.start);
    let skipped = usize::from(start.is_none());
    let before = before + skipped as u64;
    let losses = losses.skip(skipped);
    let lines = start.into_iter().chain(epochs.iter().map(line));
    let mut points: Vec<(u64, Point)> = (before..)
        .zip(lines.zip(losses))
        .map(|(epoch, (Model { w, b }, loss))| (epoch, Point { w, b, loss }))
        .collect();
    if let (Some(outcome), Some((_, last))) = (outcome, points.last_mut()) {
        let Model { w, b } = outcome.model;
        *last = Point { w, b, ..*last };
    }
    let kept: Vec<(u64, Point)> = spread(points.len()).map(|at| points[at]).collect();
    let column = |value: fn(&Point) -> f64| Numbers::of(kept.iter().map(|(_, point)| value(point)));
    let some = if kept.len() < points.len() {
        format!(", by {} of its lines", kept.len())
    } else {
        String::new()
    };
    Path {
        epochs: kept.iter().map(|(epoch, _)| *epoch).collect(),
        w: column(|point| point.w),
        b: column(|point| point.b),
        loss: column(|point| point.loss),
        least: outcome.and_then(least),
        diverged: outcome.is_none(),
        text: format!("The run of the program{some}."),
        schedule: run
            .setup
            .config
            .descent
            .schedule()
            .filter(|&schedule| schedule != Schedule::Constant)
            .map(|schedule| schedule.to_string()),
    }
}

/// Returns up to [`EPOCHS`] of so many positions, the first and the last among them.
fn spread(all: usize) -> impl Iterator<Item = usize> {
    let kept = all.min(EPOCHS);
    let one_by_one = if all == kept { kept } else { kept / 2 };
    let others = kept - one_by_one;
    let from = one_by_one;
    (0..one_by_one).chain((1..=others).map(move |at| from - 1 + at * (all - from) / others))
}

/// Returns the line of least loss: for mse that of the moments, else the run's own if it has converged.
fn least(outcome: &Outcome) -> Option<Point> {
    let own = Point {
        w: outcome.model.w,
        b: outcome.model.b,
        loss: outcome.loss,
    };
    match (outcome.least_squares(), outcome.statistics) {
        (Some(Model { w, b }), Some(statistics)) if outcome.setup.loss.is_least_squares() => {
            let loss = statistics.least_deviation().powi(2);
            Some(Point { w, b, loss })
        }
        _ => (outcome.converged == Some(true)).then_some(own),
    }
}

fn samples(run: &Run) -> Result<Samples, Error> {
    let source = run.source;
    let runs = std::slice::from_ref(run);
    let Block { x, y } = data::some(source)?;
    let all = x.len();
    let kept = all.min(SAMPLES);
    // One sample at random in each stride: rows may follow a rhythm.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let taken: Vec<usize> = (0..kept)
        .map(|at| random.random_range(at * all / kept..(at + 1) * all / kept))
        .collect();
    let some = |values: &[f64]| Numbers::of(taken.iter().map(|&at| values[at]));
    let (some_x, some_y) = (some(&x), some(&y));
    let block = Block { x, y };
    let fit = Fit::of(runs, &block);
    let [x_range, y_range] = fit.ranges();
    let shades = (all > SAMPLES).then(|| Shades {
        x: x_range,
        y: y_range,
        columns: CELLS[0],
        counts: density::counts(density::points(&block), x_range, y_range, CELLS),
    });
    let cautions = run
        .outcome
        .iter()
        .flat_map(|outcome| &outcome.quality.cautions);
    let marked = cautions.filter_map(|caution| match caution {
        Caution::OneSample { x, .. } => density::points(&block).find(|(at, _)| at == x),
        _ => None,
    });
    let band = run
        .outcome
        .filter(|outcome| outcome.converged == Some(true));
    let (band, confidence) = band.and_then(|_| fit.band_ends()).unzip();
    let [x_name, y_name] = source.names().map(|name| axis_name(&name));
    Ok(Samples {
        x_name,
        y_name,
        seconds: source.time().map(|time| match time {
            Time::Seconds => 1.0,
            Time::Days => 86400.0,
        }),
        samples: source.samples(),
        marked: marked.map(|(x, y)| [x, y]).collect(),
        x: some_x,
        y: some_y,
        statistics: run.outcome.and_then(|outcome| outcome.statistics),
        shades,
        band,
        band_name: confidence.map(|share| format!("{} confidence of the line", percent(share))),
        truth: run.outcome.and_then(|outcome| outcome.quality.true_line),
    })
}
