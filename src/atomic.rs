//! Output files: there as a whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use tempfile::NamedTempFile;

/// The ending of a path, in lower case.
pub fn ending(path: &Path) -> String {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Whether two paths lead to one file that is there; `-` leads to standard input.
pub fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| match path == Path::new("-") {
        true => Path::new("/dev/stdin").canonicalize(),
        false => path.canonicalize(),
    };
    match (real(one), real(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether two paths lead to one place, be there a file or not.
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

/// That the path of a flag has one of these endings, and that a file can be written there.
pub fn check(flag: &str, path: &Path, endings: &[&str]) -> Result<(), Error> {
    if endings.contains(&ending(path).as_str()) {
        return check_writable(path);
    }
    let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
    Err(Error::Usage(format!(
        "{flag} {} must end in {}",
        path.display(),
        endings.join(" or ")
    )))
}

/// That a file can be written to `path`: better known before an hour of training than after.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    if path == Path::new("-") {
        return Err(Error::Usage(
            "- is standard input, and no file to write: name one".to_owned(),
        ));
    }
    target(path)
        .and_then(|target| temporary(&target))
        .map(drop)
        .map_err(cannot_write(path))
}

/// Writes a file under another name, has it put to disk, then renames it to `path`: whatever happens, one or the other is
/// there as a whole. A link is followed, and a file that was there hands on its rights.
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

/// Where a path leads, links followed, if a file may be written there.
fn target(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Ok(there) if !there.is_file() => Err(io::Error::other("it is no plain file")),
        Ok(there) if there.metadata()?.permissions().readonly() => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        Err(_) if path.is_symlink() => Err(io::Error::other("it is a link to nowhere")),
        Ok(there) => Ok(there),
        Err(_) => Ok(path.to_owned()),
    }
}

/// An empty file in the folder of `target`, gone if it is not renamed.
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
        // The rights that any new file gets, not a temporary file's: the umask is taken off.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".fall-line-").tempfile_in(folder)
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("cannot write {}", path.display());
    move |error| {
        // Its kind alone where a text stands around it: that names the temporary file. The texts of
        // this module are of kind `Other`.
        let source = match error.kind() {
            kind if kind != io::ErrorKind::Other && error.get_ref().is_some() => kind.into(),
            _ => error,
        };
        Error::Io { doing, source }
    }
}
