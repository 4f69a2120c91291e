//! The files that paths stand for.

use std::io;
use std::path::{Path, PathBuf};

use glob::{Pattern, glob};

use crate::error::Error;

/// Returns the files that paths stand for: a folder for those in it and in its folders, a pattern for those that match it, in
/// the order of their names. Names that begin with `.` or `_` are left out there: programs keep notes of their own in such
/// files.
///
/// # Errors
/// [`Error::Io`] if a folder can't be read, [`Error::Data`] if a path stands for no file.
pub fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        if path.is_dir() {
            let pattern = format!("{}/**/*", Pattern::escape(&text));
            let within = matching(&pattern, path)?;
            if within.is_empty() {
                return Err(Error::Data(format!("the folder {text} holds no files")));
            }
            files.extend(within);
        } else if !path.exists() && Pattern::new(&text).is_ok() && text.contains(['*', '?', '[']) {
            let folders = path.parent().unwrap_or(Path::new(""));
            let found = matching(&text, folders)?;
            if found.is_empty() {
                return Err(Error::Data(format!("no file matches {text}")));
            }
            files.extend(found);
        } else {
            if path != Path::new("-") {
                // Before anything is made of the others.
                path.metadata().map_err(Error::cannot_read(&text))?;
            }
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Returns the files that match a pattern. What hides a file is a name below `folder`.
fn matching(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let paths =
        glob(pattern).map_err(|error| Error::Data(format!("{pattern} is no pattern: {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().display().to_string();
            Error::cannot_read(&path)(io::Error::from(error))
        })?;
        let hidden = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .iter()
            .any(|name| {
                let name = name.to_string_lossy();
                name.starts_with('_') || name.starts_with('.') && name.len() > 2
            });
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    Ok(files)
}
