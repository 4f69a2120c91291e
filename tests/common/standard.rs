//! Fitting a line as the program does for a file: statistics, standardising, an engine, and back to the data's units.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::ops::ControlFlow;

use fall_line::data::Source;
use fall_line::data::scaling::{Scaled, Scaling};
use fall_line::data::statistics::Statistics;
use fall_line::engine::Engine;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::rate::Curvature;
use fall_line::train::rough::Rough;
use fall_line::train::{Config, Descent, Ended, Stop, Trained, Walk, train};

/// A data set standardised for a loss.
pub struct Standard<'a> {
    source: &'a dyn Source,
    pub statistics: Statistics,
    pub scaling: Scaling,
    /// The robust start; `None` for mse.
    pub rough: Option<Rough>,
    loss: Loss,
}

impl<'a> Standard<'a> {
    pub fn new(source: &'a dyn Source, loss: Loss) -> Self {
        let statistics = Statistics::of(source, &|_| {}).unwrap();
        let rough = (loss != Loss::Mse).then(|| Rough::of(source, loss).unwrap());
        let scaling = match rough {
            Some(Rough { line, size }) => Scaling::robust(&statistics, loss, line, size).unwrap(),
            None => Scaling::standard(&statistics, loss),
        };
        Standard {
            source,
            statistics,
            scaling,
            rough,
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

    /// Returns the line y = mean y, inside.
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

    /// Returns plain gradient descent at the best rate by the curvature.
    pub fn gd(&self) -> Config {
        let (mean, square) = self.scaling.moments(&self.statistics);
        let rate = Curvature::new(self.loss, mean, square).unwrap().best();
        self.config(Descent::gd(self.scaling.learning_rate(self.loss, rate)))
    }

    /// Returns the size of a residual, inside.
    pub fn size(&self) -> f64 {
        let size = self
            .rough
            .map_or(self.statistics.least_deviation(), |rough| rough.size);
        size / self.scaling.y_scale
    }

    /// Returns the cutting plane from the rough line, as far as residuals reach.
    pub fn cutting_plane(&self) -> Config {
        let both = |value: f64| Model { w: value, b: value };
        Config {
            start: both(0.0),
            ..self.config(Descent::CuttingPlane {
                reach: both(self.size()),
                fine: both(self.size() / 16384.0),
            })
        }
    }

    /// Trains to convergence. Returns the outcome, inside, and the line over the data.
    pub fn train(&self, engine: &mut dyn Engine, config: &Config) -> (Trained, Model) {
        let mut walk = Walk::new(config);
        let mut watch = |_: &_, _: &_| ControlFlow::Continue(());
        let trained = train(engine, config, &mut walk, &mut watch).unwrap();
        assert_eq!(trained.ended, Ended::Converged, "{trained:?}");
        (trained, self.scaling.outside(trained.model))
    }
}
