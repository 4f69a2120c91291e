//! Kinds of files, told apart by their first bytes.

/// The end of an error about a file of another kind: what to do with it.
pub const READABLE: &str = "save it as CSV (gzip or zstd may compress it), Parquet or NPY";

/// Bytes that tell the kind.
pub const MAGIC: usize = 6;

/// The kind of a file by its first bytes, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FileKind {
    /// Apache Parquet.
    Parquet,
    /// NumPy's NPY.
    Npy,
    /// Anything that gzip compressed.
    Gzip,
    /// Anything that zstd compressed.
    Zstd,
    /// Anything without a magic number.
    Text,
    /// A kind that is not read, worded for use after "is".
    Foreign(&'static str),
}

impl FileKind {
    /// Returns the kind of a file that starts with these bytes.
    pub fn of(head: &[u8]) -> Self {
        // Skippable frames may precede the others.
        if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return FileKind::Zstd;
        }
        [
            (&b"PAR1"[..], FileKind::Parquet),
            (b"\x93NUMPY", FileKind::Npy),
            (b"\x1f\x8b", FileKind::Gzip),
            (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
            (
                b"PK\x03\x04",
                FileKind::Foreign("a ZIP archive, as NPZ and XLSX files are"),
            ),
            (b"BZh", FileKind::Foreign("compressed with bzip2")),
            (b"\xfd7zXZ\0", FileKind::Foreign("compressed with xz")),
            (b"ARROW1", FileKind::Foreign("an Arrow or Feather file")),
            (b"FEA1", FileKind::Foreign("a Feather file")),
            (b"\x89HDF", FileKind::Foreign("an HDF5 file")),
            (b"SQLite", FileKind::Foreign("an SQLite database")),
        ]
        .into_iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map_or(FileKind::Text, |(_, kind)| kind)
    }

    /// Returns the kind, worded for use after "is".
    pub fn described(self) -> &'static str {
        match self {
            FileKind::Parquet => "a Parquet file",
            FileKind::Npy => "an NPY file",
            FileKind::Gzip => "compressed with gzip",
            FileKind::Zstd => "compressed with zstd",
            FileKind::Text => "a text file",
            FileKind::Foreign(what) => what,
        }
    }
}
