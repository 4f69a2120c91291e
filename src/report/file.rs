//! Output files: there as a whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fall_line::error::Error;
use tempfile::NamedTempFile;

/// The ending of a path, in lower case.
pub fn ending(path: &Path) -> String {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Whether two paths lead to one file that is there.
pub fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// That a file can be created beside `path`: better known before an hour of training than after.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    temporary(path).map(drop).map_err(cannot_write(path))
}

/// Writes a file under another name beside `path`, then renames it.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let written = || {
        let mut file = BufWriter::new(temporary(path)?);
        content(&mut file)?;
        file.into_inner()?.persist(path)?;
        Ok(())
    };
    written().map_err(cannot_write(path))
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The rights that any new file gets, not a temporary file's: the umask is taken off.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".fall-line-").tempfile_in(folder)
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("cannot write {}", path.display());
    move |source| Error::Io { doing, source }
}
