//! The files that `train` writes: checked before the run, written after it.

use fall_line::atomic;
use fall_line::error::Error;
use fall_line::fit::Checkpoint;

use crate::cli::Train;
use crate::commands::open::files_of;
use crate::output::{history, plot as picture, refuse_to_replace};

/// Checks that the files can be written, and that none replaces another, or one that is read.
pub fn check(args: &Train) -> Result<(), Error> {
    let output = &args.output;
    let checkpoint = &args.checkpoints.checkpoint;
    let before = &checkpoint.as_deref().map(Checkpoint::before);
    let data = files_of(&args.columns, &args.data)?;
    let plot = &output.plot.as_ref().map(|plot| plot.path.clone());
    let written = [
        ("--history", &output.history, Some(history::ENDINGS)),
        ("--plot", plot, Some(picture::ENDINGS)),
        ("--report", &output.report, Some(&["html"])),
        ("--save", &output.save, None),
        ("--checkpoint", checkpoint, None),
        ("--checkpoint", before, None),
    ];
    for (at, (flag, path, endings)) in written.iter().enumerate() {
        let Some(path) = path else {
            continue;
        };
        match endings {
            Some(endings) => atomic::check(flag, path, endings)?,
            None => atomic::check_writable(path)?,
        }
        refuse_to_replace(flag, path, "the data", &data)?;
        if *flag != "--checkpoint" {
            let resume = args.checkpoints.resume.as_deref();
            refuse_to_replace(flag, path, "the checkpoint of --resume", resume)?;
        }
        for (other, there, _) in &written[..at] {
            let there = there.as_deref();
            if there.is_some_and(|there| atomic::same_place(there, path)) {
                return Err(Error::Usage(format!(
                    "{flag} {} would replace what {other} writes",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}
