//! The subcommands, one file each.

pub mod bench;
pub mod generate;
pub mod predict;
mod predict_summary;
pub mod train;
