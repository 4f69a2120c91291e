//! Results as JSON on standard output.

use fall_line::error::Error;
use fall_line::saved::cannot_write;
use serde::Serialize;

use super::is_harmless;

/// Prints a value as JSON on stdout. Characters that a terminal may take for commands are escaped.
pub fn print(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(cannot_write)?;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Outside of strings JSON has none of these but line feeds, and within them no line feed.
        if c == '\n' || is_harmless(c) {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    super::stdout(&escaped)
}
