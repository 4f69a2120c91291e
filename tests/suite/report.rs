//! `--report`: one page that holds the run, whatever its names and however many its samples.

use crate::common::program;
use std::fs;
use std::path::Path;

use program::{ran, refused, run, stderr};
use serde_json::Value;
use tempfile::TempDir;

const CARS: &str = "tests/data/cars.csv --x speed --y dist";

/// The size that a report has to stay below, in bytes.
const MOST: usize = 200_000;

/// Writes a report, and returns its text.
fn report(path: &Path, args: &str) -> String {
    let status = run(&format!(
        "train {args} --engine cpu -q --report {}",
        path.display()
    ));
    assert!(path.exists(), "{args}: {}", stderr(&status));
    fs::read_to_string(path).unwrap()
}

/// The samples and the path in a report.
fn points(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (text, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(text).unwrap()
}

/// The number of f64 in a text of Base64.
fn count(numbers: &Value) -> usize {
    let text = numbers.as_str().unwrap();
    (text.len() / 4 * 3 - text.matches('=').count()) / 8
}

#[test]
fn a_report_tells_what_the_terminal_tells() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cars.html");
    let page = report(&path, CARS);
    let text = ran(&format!("train {CARS} --engine cpu"));
    for start in [
        "w = ",
        "least squares: ",
        "fit: ",
        "dist = ",
        "slope ",
        "intercept ",
    ] {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(page.contains(line), "{line}");
    }
    assert!(page.contains("mse, learning rate 0.5000 (auto), standardised"));
    assert!(page.contains("--report "), "the command");
    let points = points(&page);
    assert_eq!(points["data"]["samples"], 50);
    assert_eq!(count(&points["data"]["x"]), 50);
    assert_eq!(points["data"]["band"].as_array().unwrap().len(), 61);
    let path = &points["run"];
    let epochs = path["epochs"].as_array().unwrap();
    // From the start to the last epoch.
    assert_eq!(
        (epochs[0].as_u64(), epochs.len()),
        (Some(0), count(&path["loss"]))
    );
    let found: Value =
        serde_json::from_str(&ran(&format!("train {CARS} --engine cpu --format json"))).unwrap();
    assert_eq!(epochs.last(), Some(&found["epochs"]));
    assert_eq!(path["least"]["w"], found["least_squares"]["w"]);
    let least = path["least"]["loss"].as_f64().unwrap();
    let loss = found["final_loss"].as_f64().unwrap();
    assert!((least / loss - 1.0).abs() < 1e-12, "{least} {loss}");
}

#[test]
fn reports_stay_small_and_fetch_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.html");
    for (args, samples, epochs) in [
        (CARS, 50, 15),
        (
            "--samples 2e6 --outliers 0.1 --loss mae --epochs 3000",
            2000,
            500,
        ),
        ("--samples 2001 --optimizer cutting-plane", 2000, 51),
    ] {
        let page = report(&path, args);
        assert!(page.len() < MOST, "{args}: {} bytes", page.len());
        for place in ["http:", "https:", "src=", "@import", "url("] {
            // The namespace of SVG is a name, not a place.
            let page = page.replace("'http://www.w3.org/2000/svg'", "");
            assert!(!page.contains(place), "{args}: {place}");
        }
        let points = points(&page);
        assert_eq!(count(&points["data"]["y"]), samples, "{args}");
        let path = &points["run"];
        assert!(count(&path["w"]) <= epochs, "{args}: {}", count(&path["w"]));
        assert_eq!(
            path["epochs"].as_array().unwrap().len(),
            count(&path["loss"])
        );
        let shades = &points["data"]["shades"];
        assert_eq!(shades.is_null(), samples < 2000, "{args}");
    }
}

#[test]
fn names_with_markup_are_harmless() {
    let folder = TempDir::new().unwrap();
    let (data, path) = (
        folder.path().join("names.csv"),
        folder.path().join("names.html"),
    );
    let head = "\"</script><b>x & {{ y }}\",\"<img src=x onerror=alert(1)>\"";
    fs::write(&data, format!("{head}\n1,2\n2,4.1\n3,5.9\n4,8\n")).unwrap();
    let page = report(&path, &data.display().to_string());
    for markup in ["<img", "</script><b>", "<b>x"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("<h1>&lt;img src=x onerror=alert(1)&gt; over &lt;&#x2f;script&gt;&lt;b&gt;x &amp; {{ y }}</h1>"));
    assert_eq!(points(&page)["data"]["xName"], "</script><b>x & {{ y }}");
}

#[test]
fn a_descent_that_diverges_has_its_report() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("up.html");
    let page = report(&path, &format!("{CARS} --learning-rate 100 --force"));
    assert!(page.contains("<b>error:</b> diverged at epoch "), "{page}");
    let points = points(&page);
    assert_eq!(points["run"]["diverged"], true);
    assert_eq!(points["run"]["least"], Value::Null);
}

#[test]
fn warnings_and_rows_left_out_are_told() {
    let folder = TempDir::new().unwrap();
    let (data, path) = (
        folder.path().join("far.csv"),
        folder.path().join("far.html"),
    );
    let near: String = (0..30)
        .map(|i| format!("{i},{}\n", 3 * i + i % 3))
        .collect();
    fs::write(&data, format!("x,y\n{near}5,\n500,10\n")).unwrap();
    let page = report(&path, &data.display().to_string());
    assert!(
        page.contains("<b>warning:</b> sample 31, at x = 500, decides the slope alone"),
        "{page}"
    );
    assert!(
        page.contains("left out 1 of 32 rows: 1 where a value is missing"),
        "{page}"
    );
    assert_eq!(
        points(&page)["data"]["marked"],
        serde_json::json!([[500.0, 10.0]])
    );
}

#[test]
fn reports_are_refused_where_they_can_t_be() {
    for (code, args, told) in [
        (2, "--report run.pdf", "--report"),
        (
            2,
            "--loss mse,mae --report run.html",
            "--report is for one loss and one learning rate",
        ),
        (
            1,
            "--report no/such/folder/run.html",
            "no/such/folder/run.html",
        ),
        (2, "--report run.html --plot run.html", "--plot"),
    ] {
        let text = refused(code, &format!("train --samples 100 {args}"));
        assert!(text.contains(told), "{args}: {text}");
    }
}

/// Only a run that has converged knows the least loss.
#[test]
fn the_least_loss_is_claimed_only_where_it_is_known() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("least.html");
    for (args, known) in [
        ("--loss mae --optimizer gd --epochs 5", false),
        ("--loss mae", true),
        ("--epochs 1", true),
    ] {
        let least = points(&report(&path, &format!("{CARS} {args}")))["run"]["least"].clone();
        assert_eq!(least.is_object(), known, "{args}: {least}");
    }
}

/// The losses of a perfect line go down to 0, by way of the least numbers that f64 has.
#[test]
fn a_perfect_line_is_drawn() {
    let folder = TempDir::new().unwrap();
    let (data, path) = (
        folder.path().join("line.csv"),
        folder.path().join("line.html"),
    );
    let rows: String = (0..50).map(|i| format!("{i},{}\n", 3 * i + 1)).collect();
    fs::write(&data, format!("x,y\n{rows}")).unwrap();
    let plot = folder.path().join("line.svg");
    let args = format!(
        "{} --plot loss,fit,surface,residuals={}",
        data.display(),
        plot.display()
    );
    report(&path, &args);
    assert!(fs::read_to_string(&plot).unwrap().contains("log scale"));
}

#[test]
fn a_mistyped_panel_is_told() {
    for panels in ["losss", "fit,curve", "fit,", ""] {
        let text = refused(2, &format!("train --samples 100 --plot {panels}=run.svg"));
        assert!(
            text.contains("not panels among loss, fit, surface and residuals"),
            "{text}"
        );
    }
}
