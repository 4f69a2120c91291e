//! Fits a line as the program does for a file: statistics, standardising, an engine, and back to the data's units.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::ops::ControlFlow;

use fall_line::data::Source;
use fall_line::data::scaling::{Scaled, Scaling};
use fall_line::data::statistics::Statistics;
use fall_line::engine::Engine;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::rate::Curvature;
use fall_line::train::{Config, Descent, Ended, RobustStart, Stop, Trained, Walk, train};

/// A data set standardised for a loss.
pub struct Standard<'a> {
    source: &'a dyn Source,
    pub statistics: Statistics,
    pub scaling: Scaling,
    /// `None` for least squares, which follows samples far off.
    pub robust_start: Option<RobustStart>,
    loss: Loss,
}

impl<'a> Standard<'a> {
    pub fn new(source: &'a dyn Source, loss: Loss) -> Self {
        let statistics = Statistics::of(source, &|_| {}).unwrap();
        let robust_start =
            (!loss.is_least_squares()).then(|| RobustStart::new(source, loss).unwrap());
        let scaling = match robust_start {
            Some(RobustStart { line, scale, .. }) => {
                Scaling::robust(&statistics, loss, line, scale).unwrap()
            }
            None => Scaling::standard(&statistics, loss),
        };
        Standard {
            source,
            statistics,
            scaling,
            robust_start,
            loss,
        }
    }

    /// Returns the samples that the engine reads.
    pub fn inside(&self) -> Scaled<&'a dyn Source> {
        Scaled::new(self.source, self.scaling)
    }

    /// Returns the loss that the engine computes.
    pub fn loss(&self) -> Loss {
        self.scaling.loss(self.loss)
    }

    /// Returns the line y = mean of y, as the engine sees it.
    pub fn start(&self) -> Model {
        self.scaling.inside(self.statistics.constant())
    }

    fn config(&self, descent: Descent) -> Config {
        Config {
            epochs: 2000,
            start: self.start(),
            sync_every: 1,
            descent,
            stop: Some(Stop::default()),
        }
    }

    /// Returns plain gradient descent at the best rate for the curvature.
    pub fn gd(&self) -> Config {
        let (mean, square) = self.scaling.moments(&self.statistics);
        let rate = Curvature::new(self.loss, mean, square).unwrap().best();
        self.config(Descent::gd(self.scaling.learning_rate(self.loss, rate)))
    }

    /// Returns the scale of the residuals that the engine sees.
    pub fn size(&self) -> f64 {
        let size = self
            .robust_start
            .map_or(self.statistics.least_deviation(), |start| start.scale);
        size / self.scaling.y_scale
    }

    /// Returns the cutting plane, from the robust start with a box of the residuals' scale.
    pub fn cutting_plane(&self) -> Config {
        Config {
            start: Model::ZERO,
            ..self.config(Descent::CuttingPlane {
                reach: Model::both(self.size()),
                tolerance: Model::both(self.size() / 16384.0),
                exact: false,
            })
        }
    }

    /// Trains until convergence, and returns the result in the engine's coordinates and the line in the data's.
    pub fn train(&self, engine: &mut dyn Engine, config: &Config) -> (Trained, Model) {
        let mut walk = Walk::new(config);
        let mut watch = |_: &_, _: &_| ControlFlow::Continue(());
        let trained = train(engine, config, &mut walk, &mut watch).unwrap();
        assert_eq!(trained.ended, Ended::Converged, "{trained:?}");
        (trained, self.scaling.outside(trained.model))
    }
}
