//! Output files: written as a whole, or not at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::fault::{self, Fault};

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
        Some((
            folder(path).canonicalize().ok()?,
            path.file_name()?.to_owned(),
        ))
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

/// Checks that a file can be written to `path`: before an hour of training, not after it. Removes what killed programs have
/// left in its folder.
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
        .and_then(|target| {
            remove_abandoned(folder(&target));
            temporary(&target)
        })
        .map(drop)
        .map_err(cannot_write(path))
}

/// Writes a file under another name, flushes it to disk, then renames it to `path`.
///
/// Whatever happens, either the old file or the new one is there as a whole. A link is followed. The new file gets the
/// rights of the old one, and its owner if this program may give files away.
///
/// # Errors
/// [`Error::Io`] if the file can't be written.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), Error> {
    let written = || {
        let target = target(path)?;
        let mut file = BufWriter::new(Faulty(temporary(&target)?));
        content(&mut file)?;
        let Faulty(file) = file.into_inner()?;
        if let Ok(there) = target.metadata() {
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt, fchown};
                // Refused unless the program runs as root, or the owner is the same.
                let _ = fchown(file.as_file(), Some(there.uid()), Some(there.gid()));
            }
            file.as_file().set_permissions(there.permissions())?;
        }
        fault::point(Fault::Write)?;
        file.as_file().sync_all()?;
        fault::point(Fault::Write)?;
        file.persist(target)?;
        Ok(())
    };
    written().map_err(cannot_write(path))
}

/// A file whose writes tests can make fail.
struct Faulty(NamedTempFile);

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::point(Fault::Write)?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Follows links, and returns where a path leads if a file may be written there.
fn target(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(io::Error::other("it ends like a folder: name a file"));
    }
    if leads_to_device(path) {
        return Err(io::Error::other("it is not a plain file"));
    }
    match path.canonicalize() {
        Ok(there) if !there.is_file() => Err(io::Error::other("it is not a plain file")),
        Ok(there) if there.metadata()?.permissions().readonly() => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        Err(_) if path.is_symlink() => Err(io::Error::other("it is a broken link")),
        Ok(there) => Ok(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// Returns whether a path leads through `/dev` or `/proc`, as `/dev/stdout` does. The file behind it is open already, and is
/// not to be replaced.
fn leads_to_device(path: &Path) -> bool {
    let mut at = path.to_owned();
    // More links than Linux follows.
    for _ in 0..41 {
        let Some(name) = at.file_name().map(ToOwned::to_owned) else {
            return false;
        };
        let Ok(real) = folder(&at).canonicalize() else {
            return false;
        };
        let of = |folder: &str| real.starts_with(folder) && !real.starts_with("/dev/shm");
        if of("/dev") || of("/proc") {
            return true;
        }
        match real.join(name).read_link() {
            Ok(link) => at = real.join(link),
            Err(_) => return false,
        }
    }
    false
}

/// Returns the folder of a path.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Names of temporary files: this, six letters or digits, and [`SUFFIX`].
const PREFIX: &str = ".fall-line-";
const SUFFIX: &str = ".tmp";

/// Creates an empty file in the folder of `target`; it is deleted unless it is renamed. It is locked as long as it is open, so
/// that another program can tell whether its owner is gone.
fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let folder = folder(target);
    if !folder.is_dir() {
        let text = format!("there is no folder {}", folder.display());
        return Err(io::Error::other(text));
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The rights of the file that it replaces, or of any new file, less the umask; temporary files get fewer.
        let there = target.metadata().map(|there| there.permissions());
        builder.permissions(there.unwrap_or(fs::Permissions::from_mode(0o666)));
    }
    fault::point(Fault::Write)?;
    loop {
        let file = match builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let text = format!("no file can be created in the folder {}", folder.display());
                return Err(io::Error::other(text));
            }
            created => created?,
        };
        // Until it is locked, another program may take it for abandoned.
        let locked = file.as_file().try_lock();
        if !matches!(locked, Err(TryLockError::WouldBlock)) && file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes the temporary files of programs that are gone: nobody holds their locks.
fn remove_abandoned(folder: &Path) {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let drawn = name
            .strip_prefix(PREFIX)
            .and_then(|name| name.strip_suffix(SUFFIX));
        let is_ours = drawn.is_some_and(|drawn| drawn.len() == 6)
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        // A file that can't be opened, locked or removed is somebody else's, and stays.
        if is_ours
            && let Ok(file) = File::options().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns a function that turns the operating system's answer to writing a file into an error.
pub fn cannot_write(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let doing = format!("cannot write {}", path.display());
    move |error| {
        // An error with a text of its own names the temporary file: keep its kind alone. The texts of this module are of
        // kind `Other`.
        let source = match error.kind() {
            kind if kind != io::ErrorKind::Other && error.get_ref().is_some() => kind.into(),
            _ => error,
        };
        Error::Io {
            doing: doing.clone(),
            source,
        }
    }
}
