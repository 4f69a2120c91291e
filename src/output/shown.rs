//! Data on a terminal.

use std::io::{self, Write};

/// Writes text on, with escapes in place of characters that a terminal may take for commands.
pub struct Shown<W: Write> {
    out: W,
    /// The line so far: a character may come in parts.
    line: Vec<u8>,
}

impl<W: Write> Shown<W> {
    pub fn new(out: W) -> Self {
        Shown {
            out,
            line: Vec::new(),
        }
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.flush()?;
            }
        }
        Ok(bytes.len())
    }

    /// Writes the line so far. Only at the end of a table is it not a whole one.
    fn flush(&mut self) -> io::Result<()> {
        let shown = super::shown(&String::from_utf8_lossy(&self.line), "\n\r\t");
        self.line.clear();
        self.out.write_all(shown.as_bytes())?;
        self.out.flush()
    }
}
