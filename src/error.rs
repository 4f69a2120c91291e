//! What can go wrong, in the user's words, and the exit code that goes with it.

use std::fmt::Display;
use std::io;

use crate::model::Model;

/// Every failure of the library and the program.
///
/// The text of each is one line that says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or stream could not be read or written, or memory ran out.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried, with the path.
        doing: String,
        /// What the operating system answered.
        source: io::Error,
    },
    /// The call itself makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The data can't be trained on.
    #[error("{0}")]
    Data(String),
    /// There is no adapter that fits, or the adapter failed.
    #[error("{0}")]
    Gpu(String),
    /// The loss, w or b stopped being a finite number.
    #[error(
        "diverged at epoch {epoch}: {what} is not finite; the last finite line is w = {:?}, b = {:?}; \
         --learning-rate auto or a smaller one helps, --standardize, or a start nearer to the data",
        .last.w, .last.b
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: u64,
        /// `the loss`, `w`, `b`, `the gradient`, or `the loss after its update` where only that of the last epoch is.
        what: &'static str,
        /// The last model whose w and b were finite.
        last: Model,
    },
    /// The epochs are over, and there may be more to gain.
    #[error("{0}")]
    NotConverged(String),
    /// Engines that hold the same samples computed different sums.
    #[error("{0}")]
    Disagree(String),
}

impl Error {
    /// That what the operating system answered came of reading `what`, a path or a place in a file.
    pub(crate) fn cannot_read(
        what: &(impl Display + ?Sized),
    ) -> impl Fn(io::Error) -> Error + Copy {
        move |source| Error::Io {
            doing: format!("cannot read {what}"),
            source,
        }
    }

    /// The program's exit code for this error: 1 I/O, 2 usage, 3 bad data, 4 GPU, 5 diverged, 6
    /// not converged, 7 engines disagree.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Io { .. } => 1,
            Error::Usage(_) => 2,
            Error::Data(_) => 3,
            Error::Gpu(_) => 4,
            Error::Diverged { .. } => 5,
            Error::NotConverged(_) => 6,
            Error::Disagree(_) => 7,
        }
    }
}
