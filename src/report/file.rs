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

/// Writes a file under another name beside `path`, then renames it. A link is followed, and a file that
/// was there hands on its rights.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let written = || {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut file = BufWriter::new(temporary(&target)?);
        content(&mut file)?;
        let file = file.into_inner()?;
        if let Ok(there) = target.metadata() {
            file.as_file().set_permissions(there.permissions())?;
        }
        file.persist(target)?;
        Ok(())
    };
    written().map_err(cannot_write(path))
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    if let Ok(there) = path.metadata() {
        if !there.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        if there.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        let text = format!("there is no folder {}", folder.display());
        return Err(io::Error::other(text));
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The rights that any new file gets, not a temporary file's: the umask is taken off.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // By its kind alone: the error's own text names the temporary file.
    let cannot = |error: io::Error| io::Error::from(error.kind());
    builder
        .prefix(".fall-line-")
        .tempfile_in(folder)
        .map_err(cannot)
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("cannot write {}", path.display());
    move |source| Error::Io { doing, source }
}
