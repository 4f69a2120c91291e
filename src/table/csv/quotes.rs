//! The state of a text's quotes where it is divided.

use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

/// The place of a line's start in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Outside of quotes: a record starts with the line.
    Outside,
    /// In quotes: the line goes on with a record.
    Inside,
    /// Behind the text: what pads the file's end.
    Behind,
}

/// Where a text's quotes stand after some bytes, both if these began outside of quotes and if they began inside.
///
/// Quotes are those of [`Splitter`](super::split::Splitter): one opens a field as its first byte, and then the next one that is
/// not one of a pair closes it. Both states share their bytes, so they cost one search for quotes.
pub struct Quotes {
    delimiter: u8,
    /// The last byte.
    before: u8,
    states: [State; 2],
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Outside,
    Inside,
    /// After a quote in quotes: the next byte makes it the first one of a pair, or one that closes.
    Closing,
}

impl Quotes {
    /// Returns the states at the start of a line.
    pub fn new(delimiter: u8) -> Self {
        Quotes {
            delimiter,
            before: b'\n',
            states: [State::Outside, State::Inside],
        }
    }

    /// Goes on over the next bytes.
    pub fn pass(&mut self, bytes: &[u8]) {
        let mut at = 0;
        for quote in memchr_iter(b'"', bytes) {
            self.pass_others(&bytes[at..quote]);
            let opens = [self.delimiter, b'\n', b'\r'].contains(&self.before);
            for state in &mut self.states {
                *state = match state {
                    State::Outside if !opens => State::Outside,
                    State::Outside | State::Closing => State::Inside,
                    State::Inside => State::Closing,
                };
            }
            self.before = b'"';
            at = quote + 1;
        }
        self.pass_others(&bytes[at..]);
    }

    /// Goes on over bytes that are no quotes.
    fn pass_others(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.before = last;
        for state in &mut self.states {
            if *state == State::Closing {
                *state = State::Outside;
            }
        }
    }

    /// Returns where a line that starts here is, if the bytes began outside and if they began inside of quotes.
    pub fn places(&self) -> [Place; 2] {
        self.states.map(|state| match state {
            State::Inside => Place::Inside,
            State::Outside | State::Closing => Place::Outside,
        })
    }
}
