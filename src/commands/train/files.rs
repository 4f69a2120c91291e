//! The files that `train` writes: checked before the run, written after it.

use std::path::Path;

use fall_line::atomic;
use fall_line::error::Error;
use fall_line::train::Epoch;
use indicatif::HumanCount;

use super::{Job, plot};
use crate::cli::{Output, Train};
use crate::output::{history, plot as picture, refuse_to_replace};

/// Checks that the files can be written, and that none replaces another, or one that is read.
pub fn check(args: &Train) -> Result<(), Error> {
    let output = &args.output;
    let checkpoint = &args.checkpoints.checkpoint;
    let written = [
        ("--history", &output.history, Some(history::ENDINGS)),
        ("--plot", &output.plot, Some(picture::ENDINGS)),
        ("--save", &output.save, None),
        ("--checkpoint", checkpoint, None),
    ];
    for (at, (flag, path, endings)) in written.iter().enumerate() {
        let Some(path) = path else {
            continue;
        };
        match endings {
            Some(endings) => atomic::check(flag, path, endings)?,
            None => atomic::check_writable(path)?,
        }
        let data = args.columns.files(&args.data);
        refuse_to_replace(flag, path, "the data", data)?;
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

/// Writes the history and the picture, each whether or not the other could be; returns the path or the error of each.
pub fn write<'a>(args: &'a Train, job: &Job, epochs: &[Epoch]) -> Vec<Result<&'a Path, Error>> {
    let Output {
        history: history_path,
        plot: plot_path,
        ..
    } = &args.output;
    let epochs = [&job.history, epochs].concat();
    let (source, loss) = (job.prepared.source(), job.prepared.setup().loss);
    let history = history_path
        .as_deref()
        .map(|path| history::write(path, &epochs).map(|()| path));
    let plot = plot_path.as_deref().map(|path| {
        let (title, samples) = (source.title(), HumanCount(source.samples()));
        plot::write(
            path,
            &epochs,
            &format!("{loss}, {title}, {samples} samples"),
        )
        .map(|()| path)
    });
    [history, plot].into_iter().flatten().collect()
}
