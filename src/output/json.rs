//! Results as JSON on standard output.

use fall_line::error::Error;
use fall_line::saved::cannot_write;
use serde::Serialize;

/// Prints a value as JSON on stdout.
pub fn print(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(cannot_write)?;
    super::stdout(&text)
}
