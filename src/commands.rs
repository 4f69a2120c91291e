//! The subcommands, one file each.

pub mod adapters;
pub mod bench;
pub mod generate;
pub mod predict;
pub mod train;
