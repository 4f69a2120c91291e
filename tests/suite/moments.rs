//! Moments of parts, and what is merged of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fall_line::data::double::Double;
use fall_line::data::moments::{ColumnMoments, Moments};
use fall_line::data::uncertainty::uncertainty;
use fall_line::data::{BLOCK, Block};
use fall_line::fit::{LeastSquares, Silent};
use fall_line::loss::Loss;
use fall_line::part::{Part, Parts};
use fall_line::saved;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::golden::uniform;
use crate::common::lines::golden;
use crate::common::program::{fall_line, json, ran, refused, run, stderr, stdout};
use crate::common::{Samples, all, synthetic};

/// The bound of what rounding takes from a sum over a run of 128 terms and over a block's runs, as a share of Σ|term|.
const OF_SUMS: f64 = 3e-28;
/// That of what joining takes from a mean, as a share of the mean: 2⁻¹⁰⁰ for some ten operations of 2⁻¹⁰⁴.
const OF_MEANS: f64 = 8e-31;

#[derive(Deserialize)]
struct Golden {
    samples: u64,
    cases: Vec<Case>,
}

/// The moments of a set and what follows from them, from golden/moments.py.
#[derive(Deserialize)]
struct Case {
    name: String,
    x_mean: Double,
    y_mean: Double,
    x_squares: Double,
    y_squares: Double,
    products: Double,
    w: f64,
    b: f64,
    rmse: f64,
    unexplained: f64,
    w_error: f64,
    b_error: f64,
    residual_error: f64,
}

/// Draws a sample of a set of golden/moments.py from its position and two uniform draws.
type Draw = fn(u64, f64, f64) -> (f64, f64);

const SETS: [Draw; 6] = [
    |i, _, v| {
        let x = 1.7e9 + 0.25 * i as f64;
        (x, 7.0 + 1e-3 * (x - 1.7e9) + (v - 0.5))
    },
    |_, u, v| {
        let x = 10.0 * u;
        (x, 4.0 + 3.0 * x + 3e-3 * (v - 0.5))
    },
    |_, u, v| {
        let x = 1.7e9 + 86400.0 * u;
        (x, 3.0 * (x - 1.7e9) + 25.92 * (v - 0.5))
    },
    |_, u, v| (1e8 + u, 2.0 * u + v - 1e9),
    |i, u, v| {
        let x = (u - 0.5) * 2_f64.powi((i % 40) as i32);
        (x, 3.0 * x + (v - 0.5) * 2_f64.powi((i % 23) as i32))
    },
    |i, u, v| if i > 0 { (u, v) } else { (1e12, -1e12) },
];

/// Returns the hard sets, with their exact moments.
fn sets() -> Vec<(Case, Samples)> {
    let Golden { samples, cases } =
        serde_json::from_str(include_str!("../golden/moments.json")).unwrap();
    let sets = cases.into_iter().zip(SETS).enumerate();
    let drawn = |(seed, (case, draw)): (usize, (Case, Draw))| {
        let mut block = Block::default();
        for i in 0..samples {
            let [u, v] = [0, 1].map(|at| uniform(seed as u64, at, i));
            block.push(draw(i, u, v));
        }
        (case, Samples(block))
    };
    sets.map(drawn).collect()
}

fn moments(samples: &Samples) -> Moments {
    Moments::of(samples, &|_| {}).unwrap()
}

/// The shares of x's squares, y's squares and the products' bound that rounding may take.
fn bounds(moments: &Moments) -> [f64; 3] {
    let n = moments.samples as f64;
    let column = |mean: f64, squares: f64| OF_SUMS + OF_MEANS * mean.abs() / (squares / n).sqrt();
    let x = column(moments.x.mean.high, moments.x.squares.high);
    let y = column(moments.y.mean.high, moments.y.squares.high);
    [x, y, x.max(y)]
}

/// Asserts that moments are others but for rounding.
fn assert_near(name: &str, found: &Moments, right: &Moments) {
    let [x, y, products] = bounds(right);
    let n = right.samples as f64;
    let deviation = |squares: Double| (squares.high / n).sqrt();
    let size = (right.x.squares.high * right.y.squares.high).sqrt();
    let of_mean = |mean: Double, squares| OF_MEANS * mean.high.abs() + OF_SUMS * deviation(squares);
    for (what, found, right, slack) in [
        (
            "mean x",
            found.x.mean,
            right.x.mean,
            of_mean(right.x.mean, right.x.squares),
        ),
        (
            "mean y",
            found.y.mean,
            right.y.mean,
            of_mean(right.y.mean, right.y.squares),
        ),
        (
            "xx",
            found.x.squares,
            right.x.squares,
            x * right.x.squares.high,
        ),
        (
            "yy",
            found.y.squares,
            right.y.squares,
            y * right.y.squares.high,
        ),
        ("xy", found.products, right.products, products * size),
    ] {
        let off = (found - right).high.abs();
        assert!(
            off <= slack,
            "{name}: {what} is off by {off:e}, more than {slack:e}"
        );
    }
    assert_eq!(found.samples, right.samples, "{name}");
    let ends = |all: &Moments| [all.x.least, all.x.greatest, all.y.least, all.y.greatest];
    assert_eq!(ends(found), ends(right), "{name}");
}

#[test]
fn moments_have_28_digits_and_the_same_bits_on_any_threads() {
    for (case, samples) in sets() {
        let found = moments(&samples);
        let mut right = found;
        right.x.mean = case.x_mean;
        right.y.mean = case.y_mean;
        right.x.squares = case.x_squares;
        right.y.squares = case.y_squares;
        right.products = case.products;
        assert_near(&case.name, &found, &right);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        assert_eq!(alone.unwrap().install(|| moments(&samples)), found);
    }
}

/// The residuals of the nearly perfect lines leave 1e-8 of y's squares, and still have twelve digits.
#[test]
fn the_line_its_fit_and_its_errors_are_exact() {
    let near = |name: &str, what: &str, found: f64, right: f64, slack: f64| {
        let off = (found / right - 1.0).abs();
        assert!(
            off <= slack,
            "{name}: {what} is {found:?}, not {right:?}: {off:e} > {slack:e}"
        );
    };
    for (case, samples) in sets() {
        let name = &case.name;
        let moments = moments(&samples);
        let n = moments.samples as f64;
        let line = moments.line().unwrap();
        let errors = moments.uncertainty(0.95).unwrap();
        let [x, y, products] = bounds(&moments);
        // Three sums of y's size cancel down to the residuals'. A root halves what is lost.
        let lost = (x + y + 2.0 * products) / case.unexplained;
        let rounding = 16.0 * f64::EPSILON;
        near(
            name,
            "w",
            line.w,
            case.w,
            2.0 * f64::EPSILON + products / case.w.abs(),
        );
        let size = line.y_center.abs() + (line.w * line.x_center).abs();
        let off = (line.model().b - case.b).abs();
        assert!(
            off <= 4.0 * f64::EPSILON * size,
            "{name}: b is off by {off:e}"
        );
        let rmse = (moments.residual_squares() / n).sqrt();
        near(name, "RMSE", rmse, case.rmse, lost + rounding);
        near(
            name,
            "error of w",
            errors.w.error,
            case.w_error,
            lost + rounding,
        );
        near(
            name,
            "error of b",
            errors.b.error,
            case.b_error,
            lost + rounding,
        );
        let residual_error = errors.residual_error.unwrap();
        near(
            name,
            "residual error",
            residual_error,
            case.residual_error,
            lost + rounding,
        );
        if name.starts_with("nearly") {
            assert!(lost < 1e-13, "{name}: {lost:e}");
        }
    }
}

/// The errors of a pass over the samples, whose residuals are differences of numbers of y's size in f64.
#[test]
fn errors_are_those_of_a_pass_over_the_samples() {
    for case in golden() {
        let samples = case.samples();
        let moments = moments(&samples);
        let (line, found) = (moments.line().unwrap(), moments.uncertainty(0.9));
        let statistics = moments.statistics();
        let by_samples = uncertainty(&samples, &statistics, Loss::Mse, None, line, 0.9).unwrap();
        let (Ok(found), Ok(right)) = (found, by_samples) else {
            panic!("{}", case.name);
        };
        let size = statistics.y.least.abs().max(statistics.y.greatest.abs());
        let slack = 8.0 * f64::EPSILON * size;
        for (found, right, unit) in [
            (found.w, right.w, 1.0 / statistics.x_deviation()),
            (
                found.b,
                right.b,
                1.0 + statistics.x.mean.abs() / statistics.x_deviation(),
            ),
        ] {
            let slack = slack * unit + 1e-12 * right.error;
            assert!((found.error - right.error).abs() <= slack, "{}", case.name);
            for (found, right) in found.interval.into_iter().zip(right.interval) {
                // Student's t of three degrees is 3.18, of one 6.3.
                assert!((found - right).abs() <= 8.0 * slack, "{}", case.name);
            }
        }
        assert_eq!(found.degrees_of_freedom, right.degrees_of_freedom);
        assert_eq!(found.estimate, right.estimate);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Parts of any size, empty ones too, are joined in any order.
    #[test]
    fn any_split_comes_to_the_same(
        set in 0..SETS.len(),
        cuts in proptest::collection::vec(0..9000_usize, 0..40),
        order in any::<u64>(),
    ) {
        let draw = |i| SETS[set](i, uniform(7, 0, i), uniform(7, 1, i));
        let mut whole = Block::default();
        (0..9000).for_each(|i| whole.push(draw(i)));
        let mut cuts = cuts;
        cuts.extend([0, 9000]);
        cuts.sort_unstable();
        let part = |cut: &[usize]| Moments::of_block(&Block {
            x: whole.x[cut[0]..cut[1]].to_vec(),
            y: whole.y[cut[0]..cut[1]].to_vec(),
        });
        let mut parts: Vec<Moments> = cuts.windows(2).map(part).collect();
        parts.sort_by_key(|part| u64::from(part.checksum) ^ order);
        let joined = parts.into_iter().fold(Moments::default(), Moments::join);
        let right = Moments::of_block(&whole);
        // Up to 41 joins, each with a rounding of its own, of means that may lie as far apart as the ends.
        let n = right.samples as f64;
        let apart = |column: ColumnMoments| {
            (column.greatest - column.least) / (column.squares.high / n).sqrt()
        };
        let factor = 42.0 * apart(right.x).max(apart(right.y)).max(1.0);
        let [x, y, products] = bounds(&right).map(|bound| factor * bound);
        let size = (right.x.squares.high * right.y.squares.high).sqrt();
        prop_assert!((joined.x.squares - right.x.squares).high.abs() <= x * right.x.squares.high);
        prop_assert!((joined.y.squares - right.y.squares).high.abs() <= y * right.y.squares.high);
        prop_assert!((joined.products - right.products).high.abs() <= products * size);
        prop_assert_eq!(joined.samples, right.samples);
    }
}

/// A folder with files in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.at(name)
    }

    /// Writes the moments of a CSV with these rows of x and y.
    fn part(&self, name: &str, rows: &str) -> String {
        let csv = self.write(&format!("{name}.csv"), &format!("x,y\n{rows}"));
        let part = self.at(&format!("{name}.json"));
        ran(&format!("moments {csv} --x x --y y -q -o {part}"));
        part
    }
}

fn number(value: &Value, path: &str) -> f64 {
    value
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{path} of {value}"))
}

/// The same samples in files of any kind are the same part, and the merged line is that of one run over all files.
#[test]
fn parts_of_any_kind_come_to_the_line_of_one_run() {
    let folder = Folder::new();
    for kind in ["csv", "parquet", "npy"] {
        let mut parts = String::new();
        for (seed, samples) in [(1, 70_000), (2, 300), (3, 1000)] {
            let data = folder.at(&format!("{kind}-{seed}.{kind}"));
            ran(&format!(
                "generate {data} --samples {samples} --seed {seed} -q"
            ));
            let part = folder.at(&format!("{kind}-{seed}.json"));
            ran(&format!("moments {data} --x 1 --y 2 -q -o {part}"));
            parts += &format!(" {part}");
            let [csv, own] = ["csv", kind].map(|kind| {
                Part::read(&folder.path(&format!("{kind}-{seed}.json")))
                    .unwrap()
                    .moments
            });
            assert_eq!(own, csv);
        }
        let (merged_model, trained_model) = (folder.at("merged.json"), folder.at("trained.json"));
        let merged = json(&format!(
            "merge{parts} --expect 3 --format json --save {merged_model}"
        ));
        let data = folder.at(&format!("{kind}-*.{kind}"));
        let trained = json(&format!(
            "train {data} --x 1 --y 2 --engine cpu --format json -q --save {trained_model}"
        ));
        assert_eq!(merged["samples"], trained["samples"]);
        assert_eq!(merged["parts"], 3);
        let per = |column: &str| {
            let squares = number(&trained, &format!("/statistics/{column}/squares"));
            (squares / number(&trained, "/samples")).sqrt()
        };
        let unit = per("y") / per("x");
        let w = number(&merged, "/w");
        assert!((w - number(&trained, "/least_squares/w")).abs() < 1e-12 * unit);
        // The line of the descent is as near as it says.
        let distance = number(&trained, "/distance/w").abs();
        assert!((w - number(&trained, "/w")).abs() < distance + 1e-12 * unit);
        // Residuals of f64 samples of y's size: their squares are off by 1e-15, and the descent's line costs its distance's square.
        for key in [
            "/errors/w/error",
            "/errors/b/error",
            "/errors/residual_error",
            "/fit/rmse",
            "/fit/r_squared",
            "/baseline_loss",
        ] {
            let (found, right) = (number(&merged, key), number(&trained, key));
            let slack = 1e-12 + (distance / unit).powi(2);
            assert!(
                (found / right - 1.0).abs() < slack,
                "{key}: {found:?} {right:?}"
            );
        }
        let predict = |model: &str| {
            let text = ran(&format!("predict {model} --at 0.5 --interval"));
            let last = text.lines().last().unwrap();
            last.split(',')
                .map(|value| value.parse().unwrap())
                .collect::<Vec<f64>>()
        };
        for (found, right) in predict(&merged_model)
            .into_iter()
            .zip(predict(&trained_model))
        {
            assert!(
                (found - right).abs() < 4.0 * distance + 1e-12,
                "{found:?} {right:?}"
            );
        }
    }
}

#[test]
fn neither_order_nor_a_tree_of_merges_changes_the_result() {
    let folder = Folder::new();
    let parts: Vec<String> = (0..5)
        .map(|at| {
            let row = |i| {
                let [u, v] = [0, 1].map(|draw| uniform(at, draw, i));
                format!("{},{}\n", 1.7e9 + u, 3.0 * u + v)
            };
            let rows: String = (0..40 * at).map(row).collect();
            folder.part(&format!("p{at}"), &rows)
        })
        .collect();
    let merged = |order: [usize; 5]| {
        let parts = order.map(|at| parts[at].clone()).join(" ");
        let out = folder.at("all.json");
        let text = ran(&format!("merge {parts} -o {out} --format json -q"));
        (text, fs::read(out).unwrap())
    };
    let first = merged([0, 1, 2, 3, 4]);
    for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 4, 0, 3, 2]] {
        assert!(merged(order) == first, "{order:?}");
    }
    let (one, other, tree) = (
        folder.at("one.json"),
        folder.at("other.json"),
        folder.at("tree.json"),
    );
    let [a, b, c, d, e] = &parts[..] else {
        panic!()
    };
    ran(&format!("merge {d} {a} -q -o {one}"));
    ran(&format!("merge {b} {e} -q -o {other}"));
    let text = ran(&format!(
        "merge {other} {c} {one} --expect 5 -q -o {tree} --format json"
    ));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["parts"], 5);
    let [tree, flat] =
        ["tree.json", "all.json"].map(|name| Part::read(&folder.path(name)).unwrap());
    let (mut near, mut flat) = (tree.moments, flat.moments);
    // Another order is another mark.
    near.checksum = 0;
    flat.checksum = 0;
    assert_near("tree", &near, &flat);
    let text = refused(3, &format!("merge {other} {one} --expect 5"));
    assert!(
        text.contains("there are 4 parts, and 5 are expected"),
        "{text}"
    );
    let text = refused(3, &format!("merge {other} {c} {one} --expect 4"));
    assert!(
        text.contains("there are 5 parts, and 4 are expected"),
        "{text}"
    );
}

/// A job array has a file for each task. Rows left out are counted over all.
#[test]
fn a_part_may_be_empty_and_rows_left_out_are_counted() {
    let folder = Folder::new();
    let header = folder.write("header.csv", "x,y\n");
    let missing = folder.write("missing.csv", "x,y\n1,NA\nNA,2\n");
    let bad = folder.write("bad.csv", "x,y\n1,2\n2,oops\nNA,3\n3,5\n5,6\n");
    for (name, data, flags) in [
        ("header", &header, ""),
        ("missing", &missing, ""),
        ("bad", &bad, " --skip-bad"),
    ] {
        let part = folder.at(&format!("{name}.json"));
        let output = run(&format!("moments {data}{flags} -o {part}"));
        assert!(output.status.success(), "{output:?}");
        let empty = name != "bad";
        assert_eq!(stderr(&output).contains("0 samples"), empty, "{output:?}");
        let samples = Part::read(Path::new(&part)).unwrap().moments.samples;
        assert_eq!(samples, if empty { 0 } else { 3 });
    }
    let parts = ["header", "missing", "bad"].map(|name| folder.at(&format!("{name}.json")));
    let output = run(&format!("merge {} --expect 3", parts.join(" ")));
    assert!(output.status.success(), "{output:?}");
    let left_out = "left out 4 of 7 rows (is missing: 3, is not a number: 1)\n";
    assert!(stderr(&output).starts_with(left_out), "{output:?}");
    let merged = json(&format!("merge {} --format json", parts.join(" ")));
    assert_eq!(merged["skipped"]["is missing"], 3);
    let all = format!("merge {} --expect 3 --format json", folder.at("*.json"));
    assert_eq!(json(&all), merged);
    assert_eq!(merged["samples"], 3);
    // A part has no line of its own yet, and its file is written.
    let [header, missing, _] = &parts;
    let both = folder.at("both.json");
    let output = run(&format!("merge {header} {missing} -o {both}"));
    assert!(
        output.status.success() && stderr(&output).contains("no line yet"),
        "{output:?}"
    );
    let text = refused(3, &format!("merge {header} {both}"));
    assert!(
        text.contains("0 samples; a line needs at least two"),
        "{text}"
    );
    // Files with a header alone among others are no parts of their own.
    let (a, b) = (
        folder.write("d1.csv", "x,y\n"),
        folder.write("d2.csv", "x,y\n2024-01-02,2\n"),
    );
    for files in [format!("{a} {b}"), format!("{b} {a}")] {
        let part: Value = json(&format!("moments {files} --x x --y y -q"));
        assert_eq!(part["content"]["x_counts"], "days");
        assert_eq!(part["content"]["moments"]["samples"], 1);
    }
    assert_eq!(
        json(&format!("moments {a} {a} --x x --y y -q"))["content"]["moments"]["samples"],
        0
    );
    // An empty part does not know that x holds dates.
    let dates = folder.part("dates", "2024-01-02,2\n2024-01-03,3\n2024-01-05,3\n");
    let text = ran(&format!("merge {header} {dates}"));
    assert!(text.contains("per day × (x − 2024-01-03)"), "{text}");
    let text = refused(3, &format!("merge {} {dates}", parts[2]));
    assert!(text.contains("dates") && text.contains("numbers"), "{text}");
}

#[test]
fn parts_of_something_else_are_refused_and_repeated_ones_told() {
    let folder = Folder::new();
    let (a, b) = (
        folder.part("a", "1,2\n2,3\n3,5\n"),
        folder.part("b", "4,5\n"),
    );
    let other = folder.write("other.csv", "t,v\n1,2\n2,3\n");
    let foreign = folder.at("foreign.json");
    ran(&format!("moments {other} --x t --y v -q -o {foreign}"));
    let text = refused(3, &format!("merge {a} {foreign}"));
    for part in [&a, &foreign, "\"y\" over \"x\"", "\"v\" over \"t\""] {
        assert!(text.contains(part), "{text}");
    }
    let model = folder.at("model.json");
    ran(&format!("merge {a} {b} -q --save {model}"));
    let text = refused(3, &format!("merge {a} {model}"));
    assert!(
        text.contains("fall-line model 1") && text.contains("fall-line moments 1"),
        "{text}"
    );
    let csv = folder.at("a.csv");
    assert!(refused(3, &format!("merge {a} {csv}")).contains("is not a file of moments"));
    let later = fs::read_to_string(&a)
        .unwrap()
        .replace("moments 1", "moments 2");
    let later = folder.write("later.json", &later);
    assert!(refused(3, &format!("merge {a} {later}")).contains("fall-line moments 2"));
    assert!(refused(1, &format!("merge {a} {}", folder.at("none.json"))).contains("none.json"));
    // A path twice is a slip, a copy a job that ran twice.
    let around = folder.at("./a.json");
    assert!(refused(2, &format!("merge {a} {b} {around}")).contains("is given twice"));
    let copy = folder.write("copy.json", &fs::read_to_string(&a).unwrap());
    let output = run(&format!("merge {copy} {b} {a}"));
    let text = stderr(&output);
    assert!(
        output.status.success() && text.starts_with("warning: "),
        "{text}"
    );
    assert!(
        text.contains(&a) && text.contains(&copy) && !text.contains(&b),
        "{text}"
    );
    assert!(stdout(&output).contains("7 samples"), "{output:?}");
    for (flags, part) in [
        (format!("merge {a} {b} -o {a}"), "would replace a part"),
        (
            format!("merge {a} {b} -o {model} --save {model}"),
            "would replace",
        ),
        (format!("merge {a} {b} --confidence 1.5"), "--confidence"),
        (format!("merge {a} {b} --expect 0"), "at least 1"),
        (format!("moments {csv} -o {csv}"), "would replace the data"),
        ("merge".to_owned(), "PART.json"),
        ("moments".to_owned(), "DATA"),
    ] {
        let text = refused(2, &flags);
        assert!(text.contains(part), "{flags}: {text}");
    }
}

/// What `train` refuses or tells of a line by its statistics, `merge` does too.
#[test]
fn lines_that_cannot_be_had_are_refused() {
    let folder = Folder::new();
    let constant = folder.part("constant", "2,1\n2,3\n2,4\n");
    let text = refused(3, &format!("merge {constant}"));
    assert!(text.contains("x is 2.0 in every sample"), "{text}");
    let two = folder.part("two", "1,1\n2,3\n");
    let text = ran(&format!("merge {two}"));
    assert!(
        text.contains("no standard errors: they take at least three samples"),
        "{text}"
    );
    let tiny = folder.part("tiny", "1e-170,1\n2e-170,3\n3e-170,2\n");
    assert!(refused(3, &format!("merge {tiny}")).contains("too little for f64 to square"));
    let huge = folder.write("huge.csv", "x,y\n1,1\n1e200,2\n-1e200,3\n");
    let text = refused(3, &format!("moments {huge} --x x --y y"));
    assert!(text.contains("too far for f64 to square"), "{text}");
    let coarse = folder.part(
        "coarse",
        "9007199254740992,1\n9007199254740994,3\n9007199254740996,2\n",
    );
    let output = run(&format!("merge {coarse}"));
    assert!(stderr(&output).contains("f64 has steps of"), "{output:?}");
    let flat = folder.part("flat", "1,1\n2,-1\n3,-1\n4,1\n");
    let output = run(&format!("merge {flat} -q"));
    assert!(
        stderr(&output).contains("nothing shows that y depends on x"),
        "{output:?}"
    );
    let codes = json(&format!("merge {flat} --format json"));
    assert_eq!(codes["warnings"][0]["code"], "no-relation");
}

#[test]
fn damage_of_any_byte_of_a_part_is_an_error() {
    let folder = Folder::new();
    let path = folder.part("a", "1.7e9,2\n1700000001.3,3\n1700000003,NA\n");
    let path = Path::new(&path);
    let good = fs::read(path).unwrap();
    let right = Part::read(path).unwrap();
    assert!(good.len() > 800);
    for at in 0..good.len() {
        for bit in [1, 4, 32] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            fs::write(path, bad).unwrap();
            match Part::read(path) {
                // An e of a number may be a capital.
                Ok(read) => assert_eq!(read, right, "byte {at}"),
                Err(error) => {
                    assert_eq!(error.exit_code(), 3, "byte {at}");
                    assert!(!error.to_string().contains('\n'), "byte {at}: {error}");
                }
            }
        }
        fs::write(path, &good[..at]).unwrap();
        let cut = Part::read(path);
        assert_eq!(cut.is_ok(), at + 1 == good.len(), "cut at {at}");
    }
}

/// The time is shown, and no part of the test.
#[test]
fn a_thousand_parts_come_to_one() {
    let folder = Folder::new();
    let whole = synthetic(1000 * 37);
    let all = all(&whole);
    let paths: Vec<PathBuf> = (0..1000)
        .map(|at| {
            let rows = at * 37..(at + 1) * 37;
            let samples = Samples::new(&all.x[rows.clone()], &all.y[rows]);
            let part = Part::of(&samples, Default::default(), &|_| {}).unwrap();
            let path = folder.path(&format!("part-{at}.json"));
            saved::write(&path, &part.written().unwrap()).unwrap();
            path
        })
        .collect();
    let start = Instant::now();
    let merged = Parts::read(&paths).unwrap().merge().unwrap();
    println!("1,000 parts: {:?}", start.elapsed());
    assert_eq!(merged.parts, 1000);
    assert!(all.x.len() < BLOCK);
    let mut right = Moments::of_block(&all);
    right.checksum = merged.moments.checksum;
    assert_near("a thousand", &merged.moments, &right);
    let found = LeastSquares::of(&merged, 0.95, &Silent).unwrap();
    assert!((found.line.w - right.line().unwrap().w).abs() < 1e-15);
    let mut program = fall_line();
    program
        .arg("merge")
        .args(&paths)
        .args(["--expect", "1000", "-q"]);
    let start = Instant::now();
    let output = program.output().unwrap();
    println!("the program: {:?}", start.elapsed());
    assert!(output.status.success(), "{output:?}");
}

/// docs/cluster.md shows a script with xargs, and what it prints.
#[cfg(unix)]
#[test]
fn the_page_on_clusters_shows_what_comes_out() {
    let page = include_str!("../../docs/cluster.md");
    let mut blocks = page.split("```");
    let script = blocks.find(|block| block.contains("xargs -P")).unwrap();
    let script = script.strip_prefix("sh\n").unwrap();
    let shown = blocks.nth(1).unwrap().trim();
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_fall-line")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("bash")
        .args(["-e", "-c", script])
        .current_dir(&folder)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout(&output).trim(), shown);
    // A part that is missing is told, and a column of the table is a key of the file.
    fs::remove_file(folder.path().join("part-3.json")).unwrap();
    let left: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let left = left
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    let left: Vec<_> = left.filter(|path| !path.ends_with("line.json")).collect();
    let output = fall_line()
        .arg("merge")
        .args(&left)
        .args(["--expect", "8"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = fs::read_to_string(left[0]).unwrap();
    let part: Value = serde_json::from_str(&text).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let content = keys(&part["content"])
        .into_iter()
        .map(|key| format!("content.{key}"));
    for key in keys(&part)
        .into_iter()
        .filter(|key| key != "content")
        .chain(content)
    {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}
