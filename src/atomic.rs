//! Output files: written as a whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use tempfile::NamedTempFile;

/// Returns the ending of a path, in lower case and without the point; empty if there is none.
pub fn ending(path: &Path) -> String {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Returns whether two paths lead to one existing file; `-` leads to standard input.
pub fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        if path == Path::new("-") {
            Path::new("/dev/stdin").canonicalize()
        } else {
            path.canonicalize()
        }
    };
    match (real(one), real(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Returns whether two paths lead to one place, whether or not there is a file.
pub fn same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        Some((folder.canonicalize().ok()?, path.file_name()?.to_owned()))
    };
    same(one, other) || place(one).is_some_and(|one| Some(one) == place(other))
}

/// Checks that a path has one of these endings, and that a file can be written there. `what` names the path in errors.
///
/// # Errors
/// [`Error::Usage`] for another ending, and the errors of [`check_writable`].
pub fn check(what: &str, path: &Path, endings: &[&str]) -> Result<(), Error> {
    if endings.contains(&ending(path).as_str()) {
        return check_writable(path);
    }
    let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
    Err(Error::Usage(format!(
        "{what} {} must end in {}",
        path.display(),
        endings.join(" or ")
    )))
}

/// Checks that a file can be written to `path`: before an hour of training, not after it.
///
/// # Errors
/// [`Error::Usage`] for `-`, [`Error::Io`] if the file can't be written.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    if path == Path::new("-") {
        return Err(Error::Usage(
            "- is standard input, not a file to write: name a file".to_owned(),
        ));
    }
    target(path)
        .and_then(|target| temporary(&target))
        .map(drop)
        .map_err(cannot_write(path))
}

/// Writes a file under another name, flushes it to disk, then renames it to `path`.
///
/// Whatever happens, either the old file or the new one is there as a whole. A link is followed. The new file gets the
/// rights of the old one.
///
/// # Errors
/// [`Error::Io`] if the file can't be written.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), Error> {
    let written = || {
        let target = target(path)?;
        let mut file = BufWriter::new(temporary(&target)?);
        content(&mut file)?;
        let file = file.into_inner()?;
        if let Ok(there) = target.metadata() {
            file.as_file().set_permissions(there.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(target)?;
        Ok(())
    };
    written().map_err(cannot_write(path))
}

/// Follows links, and returns where a path leads if a file may be written there.
fn target(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Ok(there) if !there.is_file() => Err(io::Error::other("it is not a plain file")),
        Ok(there) if there.metadata()?.permissions().readonly() => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        Err(_) if path.is_symlink() => Err(io::Error::other("it is a broken link")),
        Ok(there) => Ok(there),
        Err(_) => Ok(path.to_owned()),
    }
}

/// Creates an empty file in the folder of `target`; it is deleted unless it is renamed.
fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let text = format!("there is no folder {}", folder.display());
        return Err(io::Error::other(text));
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The rights of any new file, less the umask; temporary files get fewer.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".fall-line-").tempfile_in(folder)
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("cannot write {}", path.display());
    move |error| {
        // An error with a text of its own names the temporary file: keep its kind alone. The texts of this module are of
        // kind `Other`.
        let source = match error.kind() {
            kind if kind != io::ErrorKind::Other && error.get_ref().is_some() => kind.into(),
            _ => error,
        };
        Error::Io { doing, source }
    }
}
