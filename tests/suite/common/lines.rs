//! Data sets whose line of least squares is known exactly, from golden/lines.py.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde::Deserialize;

use super::Samples;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

/// A data set, and its statistics correctly rounded.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub w: f64,
    pub b: f64,
    pub mean_x: f64,
    pub mean_y: f64,
    pub deviation_x: f64,
    pub mse: f64,
    pub r_squared: f64,
}

impl Case {
    pub fn samples(&self) -> Samples {
        Samples::new(&self.x, &self.y)
    }
}

pub fn golden() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/lines.json")).unwrap();
    assert_eq!(golden.cases.len(), 17);
    golden.cases
}
