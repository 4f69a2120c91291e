//! The cutting plane against the exact optima of golden/optima.py, on every engine.

use crate::common::{self, golden, standard};
use std::f64::consts::PI;
use std::ops::ControlFlow;

use common::{Reference, Samples, all, on_every_engine};
use fall_line::data::host::Columns;
use fall_line::data::{Block, Source};
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::{Description, Engine};
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};
use fall_line::table;
use fall_line::table::Request;
use fall_line::train::{Config, Descent, Ended, Stop, Trained, Walk, train};
use golden::uniform;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use standard::Standard;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    /// `None` for the data set `cars`.
    recipe: Option<Recipe>,
    /// The first and last x, the first and last y.
    ends: [f64; 4],
    optima: Vec<Optimum>,
}

#[derive(Debug, Deserialize)]
struct Recipe {
    x: String,
    samples: u64,
    seed: u64,
    noise: f64,
    outliers: f64,
    far: f64,
}

#[derive(Deserialize)]
struct Optimum {
    loss: String,
    parameter: Option<f64>,
    optimum: f64,
}

impl Optimum {
    fn loss(&self) -> Loss {
        golden::loss(&self.loss, self.parameter)
    }
}

fn normal(seed: u64, draw: u64, position: u64) -> f64 {
    let [u, v] = [0, 1].map(|next| uniform(seed, draw + next, position));
    (-2.0 * u.ln()).sqrt() * (2.0 * PI * v).cos()
}

impl Recipe {
    fn sample(&self, position: u64) -> (f64, f64) {
        let normal = |draw| normal(self.seed, draw, position);
        let uniform = |draw| uniform(self.seed, draw, position);
        let x = match self.x.as_str() {
            _ if self.far > 0.0 && position == self.samples / 2 => self.far,
            "uniform" => 2.0 * uniform(0),
            "normal" => normal(0),
            "lognormal" => normal(0).exp(),
            "few" => (4.0 * uniform(0)).floor(),
            other => panic!("{other}"),
        };
        let scale = if self.noise > 0.0 { self.noise } else { 1.0 };
        let mut noise = self.noise * normal(2);
        if self.x == "few" {
            noise = noise.floor();
        }
        let gross = if uniform(4) < self.outliers {
            20.0 * scale
        } else {
            0.0
        };
        (x, (4.0 + 3.0 * x) * scale + noise + gross)
    }
}

impl Case {
    fn samples(&self) -> Samples {
        let block = match &self.recipe {
            None => {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cars.csv");
                let opened = table::open(path.as_ref(), &Request::default(), &|_| {}).unwrap();
                all(&*opened.source)
            }
            Some(recipe) => {
                let mut block = Block::default();
                (0..recipe.samples).for_each(|position| block.push(recipe.sample(position)));
                block
            }
        };
        // Logarithms of other libraries differ in their last bit.
        let Block { x, y } = &block;
        let ends = [x[0], x[x.len() - 1], y[0], y[y.len() - 1]];
        for (ours, theirs) in ends.into_iter().zip(self.ends) {
            assert!(
                (ours - theirs).abs() <= 1e-14 * (theirs.abs() + 1.0),
                "{:?}",
                self.recipe
            );
        }
        Samples(block)
    }
}

/// Returns a cutting plane with the default criterion.
fn cutting_plane(start: Model, reach: f64, tolerance: f64) -> Config {
    Config {
        epochs: 2000,
        start,
        sync_every: 1,
        descent: Descent::CuttingPlane {
            reach: Model::both(reach),
            tolerance: Model::both(tolerance),
            exact: false,
        },
        stop: Some(Stop::default()),
    }
}

fn run(engine: &mut dyn Engine, config: &Config) -> Trained {
    let mut walk = Walk::new(config);
    let trained = train(engine, config, &mut walk, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(trained.ended, Ended::Converged);
    trained
}

/// The loss is within 1e-6 of the optimum. The method itself gives away 2^-22 = 2.4e-7, and f32 some 1e-7 more.
///
/// About three epochs halve the excess loss. From 1e4 times the optimum down to 2e-7 of it takes some 60 epochs if each
/// cut removes no more than it must.
#[test]
fn the_cutting_plane_finds_the_optimum_of_every_loss() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/optima.json")).unwrap();
    assert_eq!(golden.cases.len(), 12);
    for case in &golden.cases {
        assert_eq!(case.optima.len(), 10);
        let samples = case.samples();
        for known in &case.optima {
            let loss = known.loss();
            let standard = Standard::new(&samples, loss);
            let (scaling, source) = (standard.scaling, standard.inside());
            let config = standard.cutting_plane();
            on_every_engine(&source, standard.loss(), |name, engine| {
                let trained = run(engine, &config);
                let inside = Reference::exact(&source, scaling.loss(loss), trained.model);
                let found = scaling.evaluation(loss, inside.sums.means(source.samples()));
                let excess = found.loss / known.optimum - 1.0;
                let what = format!(
                    "{name}: {loss}, {:?}: {} epochs, {excess:.1e} above the optimum",
                    case.recipe, trained.epochs
                );
                println!("{what}");
                assert!((-1e-9..=1e-6).contains(&excess), "{what}");
                assert!(trained.epochs <= 60, "{what}");
            });
        }
    }
}

/// Returns the mean quantile loss in f64.
fn pinball(x: &[f32], y: &[f32], tau: f64, Model { w, b }: Model) -> f64 {
    let values = x.iter().zip(y).map(|(&x, &y)| {
        let r = w * f64::from(x) + b - f64::from(y);
        ((1.0 - tau) * r).max(-tau * r)
    });
    values.sum::<f64>() / x.len() as f64
}

/// Returns the lowest loss of any line, by trying all candidates. A best line goes through two samples, or is flat
/// through one (Koenker and Bassett 1978).
fn best_of_all_lines(x: &[f32], y: &[f32], tau: f64) -> f64 {
    let mut best = f64::INFINITY;
    for i in 0..x.len() {
        for j in 0..x.len() {
            let [x_i, y_i, x_j, y_j] = [x[i], y[i], x[j], y[j]].map(f64::from);
            let w = if x_i == x_j {
                0.0
            } else {
                (y_j - y_i) / (x_j - x_i)
            };
            let b = y_i - w * x_i;
            best = best.min(pinball(x, y, tau, Model { w, b }));
        }
    }
    best
}

/// A few samples make a loss of corners only, and often many best lines. The box is far too small, far too large, or
/// elsewhere.
#[test]
fn the_cutting_plane_finds_the_optimum_of_few_samples_from_anywhere() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut most = 0;
    for round in 0..2000 {
        let n = random.random_range(2..20);
        let mut draw = || (0..n).map(|_| random.random_range(-1.0..1.0_f32)).collect();
        let (mut x, mut y): (Vec<f32>, Vec<f32>) = (draw(), draw());
        let kind = round % 6;
        match kind {
            // Ties, one sample far off in x or in y, the same x for all, and all samples on a line.
            1 => x
                .iter_mut()
                .chain(&mut y)
                .for_each(|value| *value = (2.0 * *value).round()),
            2 => x[0] = 1000.0,
            3 => y[0] = 1e4,
            4 => x.fill(0.5),
            5 => y.iter_mut().zip(&x).for_each(|(y, x)| *y = 0.25 * x - 0.5),
            _ => {}
        }
        let tau = [0.5, 0.1, 0.9, 0.01, 0.999][round / 6 % 5];
        // If all x are the same, w stays at the start's. b makes up for it, so a start far off would cost its digits.
        let far = kind != 4 && round / 30 % 2 == 1;
        let start = if far {
            Model { w: 1e3, b: -1e5 }
        } else {
            Model::ZERO
        };
        let reach = [4.0, 1e-3, 1e6][round / 60 % 3];
        let columns = Columns::new(&x, &y).unwrap();
        let mut engine = CpuEngine::new(&columns, Loss::Quantile { tau }, &|_| {}).unwrap();
        let trained = run(&mut engine, &cutting_plane(start, reach, 1e-6));
        let best = best_of_all_lines(&x, &y, tau);
        let found = pinball(&x, &y, tau, trained.model);
        // If all samples lie on a line, the rounding of y, w x and b to f32 counts: 2^-24 of each.
        let Model { w, b } = trained.model;
        let parts = x
            .iter()
            .zip(&y)
            .map(|(&x, &y)| f64::from(y).abs() + (w * f64::from(x)).abs() + b.abs());
        let size = parts.sum::<f64>() / n as f64;
        let what = format!(
            "{round}: {n} samples, kind {kind}, quantile {tau}, {reach} around {start:?}: {} epochs, {found:e} for {best:e}",
            trained.epochs
        );
        assert!(
            found <= (1.0 + 1e-6) * best + 1e-7 * size + f64::from(f32::MIN_POSITIVE),
            "{what}"
        );
        assert!(trained.epochs <= 300, "{what}");
        most = most.max(trained.epochs);
    }
    println!("up to {most} epochs");
}

/// An engine whose sums have a random error of up to a share of themselves, another one at every call.
struct Noisy<'a> {
    engine: &'a mut dyn Engine,
    share: f64,
    random: ChaCha8Rng,
}

impl Engine for Noisy<'_> {
    fn samples(&self) -> u64 {
        self.engine.samples()
    }

    fn description(&self) -> Description {
        self.engine.description()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        let Sums { loss, dw, db } = self.engine.evaluate(model)?;
        let n = self.samples() as f64;
        let mut noise = || self.share * self.random.random_range(-1.0..1.0);
        Ok(Sums {
            loss: loss * (1.0 + noise()),
            dw: dw + n * noise(),
            db: db + n * noise(),
        })
    }
}

/// Cuts that contradict each other end the descent, too. The result is worse by only a few times the noise. Each loss
/// is misread by up to the noise, and a cut may remove too much by the same amount.
#[test]
fn the_cutting_plane_tolerates_noise() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for share in [1e-7, 1e-6, 1e-4, 1e-2] {
        let mut worst = 0.0_f64;
        for round in 0..100 {
            let mut draw = || {
                (0..60)
                    .map(|_| random.random_range(-1.0..1.0_f32))
                    .collect()
            };
            let (x, y): (Vec<f32>, Vec<f32>) = (draw(), draw());
            let columns = Columns::new(&x, &y).unwrap();
            let mut engine = CpuEngine::new(&columns, Loss::Mae, &|_| {}).unwrap();
            let mut noisy = Noisy {
                engine: &mut engine,
                share,
                random: ChaCha8Rng::seed_from_u64(round),
            };
            let trained = run(&mut noisy, &cutting_plane(Model::ZERO, 4.0, 1e-6));
            let best = best_of_all_lines(&x, &y, 0.5);
            worst = worst.max(pinball(&x, &y, 0.5, trained.model) / best - 1.0);
        }
        println!("noise of {share:e}: {worst:e} above the optimum");
        assert!(worst <= 5.0 * share + 3e-7);
    }
}
