//! `fall-line generate`.

use std::process::ExitCode;

use fall_line::atomic;
use fall_line::data::Block;
use fall_line::error::Error;
use fall_line::table::write;

use super::open::synthetic_source;
use super::set_threads;
use crate::cli::Generate;
use crate::output;
use crate::output::interrupts::Interrupts;
use crate::output::sample_table::SampleTable;

/// Writes synthetic samples to a file.
pub fn generate(args: &Generate) -> Result<ExitCode, Error> {
    write::kind(&args.file)?;
    atomic::check_writable(&args.file)?;
    set_threads(args.threads)?;
    let synthetic = &args.synthetic;
    let source = synthetic_source(synthetic.generator, synthetic.recipe(), args.quiet)?;
    let table = SampleTable {
        interrupts: &Interrupts::listen()?,
        source: &*source,
        names: &["x", "y"],
        columns: |block: Block| vec![block.x, block.y],
    };
    let code = table.write_file(&args.file, args.quiet)?;
    if code == ExitCode::SUCCESS && !args.quiet {
        output::wrote(&args.file);
    }
    Ok(code)
}
