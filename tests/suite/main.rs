//! Tests of the library and the program, in one binary: it is linked once, and its tests share all cores.
//!
//! `cargo test --test suite csv::` runs those of one file.

mod common;

mod batches;
mod bench;
mod bulk;
mod cautions;
mod certified;
mod cli;
mod cluster;
mod compare;
mod csv;
mod data;
mod descent;
mod divided;
mod doctor;
mod draw;
mod engines;
mod errors;
#[cfg(debug_assertions)]
mod faults;
mod files;
mod fit;
mod forecast;
mod fuzzed;
mod hostile;
mod library;
mod lines;
mod losses;
mod moments;
mod mpirun;
mod npy;
mod optima;
mod over_ranks;
mod parquet;
mod predict;
#[cfg(feature = "mpi")]
mod ranks;
mod rate;
mod report;
mod resume;
mod scaling;
mod several;
mod shaders;
mod signals;
mod sources;
mod stream;
mod system;
mod train;
mod tutorial;
mod verdict;
mod write;
