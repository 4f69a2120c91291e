//! Fits `y = w*x + b` to very many samples by full-batch gradient descent.
//!
//! [`fit()`] fits two slices, [`Fit`] fits any source of samples with any options:
//!
//! ```
//! use fall_line::data::synthetic::{ChaCha, Recipe};
//! use fall_line::train::Optimizer;
//! use fall_line::{Fit, Loss};
//!
//! let source = ChaCha::new(Recipe { samples: 100_000, outliers: 0.1, ..Recipe::default() })?;
//! let fit = Fit::new(source).loss(Loss::Mae).optimizer(Optimizer::CuttingPlane).run()?;
//! assert!((fit.model.w - 3.0).abs() < 0.1);
//! # Ok::<(), fall_line::Error>(())
//! ```
//!
//! Below it, a [`data::Source`] yields the samples. An [`engine::Engine`] computes the sums of the loss and its gradient
//! over all of them, on a GPU by WGSL compute shaders or on the CPU ([`engine::cpu`]). [`train::train`] descends with
//! these sums:
//!
//! ```
//! use std::ops::ControlFlow;
//! use fall_line::data::synthetic::{self, ChaCha, Recipe};
//! use fall_line::engine::cpu::CpuEngine;
//! use fall_line::loss::Loss;
//! use fall_line::train::{Config, Descent, Stop, Walk, train};
//!
//! let source = ChaCha::new(Recipe {
//!     samples: 100_000,
//!     slope: 3.0,
//!     intercept: 4.0,
//!     ..Recipe::default()
//! })?;
//! let mut engine = CpuEngine::new(&source, Loss::Mse, &|_| {})?;
//! let config = Config {
//!     epochs: 1000,
//!     start: synthetic::start(20),
//!     sync_every: 1,
//!     descent: Descent::gd(0.1),
//!     stop: Some(Stop::default()),
//! };
//! let mut walk = Walk::new(&config);
//! let trained = train(&mut engine, &config, &mut walk, &mut |_, _| ControlFlow::Continue(()))?;
//! assert!((trained.model.w - 3.0).abs() < 0.02);
//! assert!((trained.model.b - 4.0).abs() < 0.02);
//! # Ok::<(), fall_line::error::Error>(())
//! ```

#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

pub mod atomic;
#[cfg(feature = "gpu")]
pub mod bench;
pub mod data;
#[cfg(feature = "gpu")]
pub mod doctor;
pub mod engine;
pub mod error;
mod fault;
pub mod fit;
pub mod loss;
pub mod model;
pub mod part;
pub mod ranks;
pub mod saved;
#[cfg(feature = "files")]
pub mod table;
pub mod train;

pub use crate::data::host::Columns;
pub use crate::error::Error;
pub use crate::fit::{Fit, Outcome, fit};
pub use crate::loss::Loss;
pub use crate::model::Model;
