//! The Python dictionary in an NPY file's header.
//!
//! General parsers of Python literals take time exponential in nested brackets, or all of the stack. This one reads what
//! NumPy writes, once from left to right, and follows a bounded number of brackets.

/// Maximum depth of brackets inside each other; NumPy writes up to three around a record's field.
const DEEPEST: u32 = 16;

/// A Python literal.
#[derive(Debug, PartialEq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// An integer from 0 on. The `L` that Python 2 put behind it is dropped.
    Integer(u64),
    /// `True` or `False`.
    Boolean(bool),
    /// `(1, 2)`.
    Tuple(Vec<Literal>),
    /// `[1, 2]`.
    List(Vec<Literal>),
}

/// Parses a dictionary whose keys are strings; returns `None` for another text.
pub fn parse(text: &str) -> Option<Vec<(String, Literal)>> {
    let mut parser = Parser(text);
    let mut entries = Vec::new();
    parser.expect('{')?;
    while !parser.take('}') {
        let Literal::Text(key) = parser.literal(DEEPEST)? else {
            return None;
        };
        parser.expect(':')?;
        entries.push((key, parser.literal(DEEPEST)?));
        if !parser.take(',') {
            parser.expect('}')?;
            break;
        }
    }
    parser.0.trim_start().is_empty().then_some(entries)
}

/// The text that is still to be read.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    /// Passes over blanks and then this character; returns whether it is there.
    fn take(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start();
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.take(wanted).then_some(())
    }

    fn literal(&mut self, depth: u32) -> Option<Literal> {
        let depth = depth.checked_sub(1)?;
        if self.take('[') {
            return Some(Literal::List(self.sequence(']', depth)?.0));
        }
        if self.take('(') {
            let (mut literals, has_comma) = self.sequence(')', depth)?;
            // Python takes brackets around one value for just that value.
            return match literals.pop() {
                Some(only) if literals.is_empty() && !has_comma => Some(only),
                last => {
                    literals.extend(last);
                    Some(Literal::Tuple(literals))
                }
            };
        }
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Some(Literal::Boolean(value));
            }
        }
        if self.0.starts_with(|first: char| first.is_ascii_digit()) {
            return self.integer();
        }
        // Python 2 marked strings of Unicode.
        self.0 = self.0.strip_prefix('u').unwrap_or(self.0);
        self.text()
    }

    /// Reads literals up to `end`; returns whether a comma follows any of them.
    fn sequence(&mut self, end: char, depth: u32) -> Option<(Vec<Literal>, bool)> {
        let (mut literals, mut has_comma) = (Vec::new(), false);
        while !self.take(end) {
            literals.push(self.literal(depth)?);
            if !self.take(',') {
                self.expect(end)?;
                break;
            }
            has_comma = true;
        }
        Some((literals, has_comma))
    }

    fn integer(&mut self) -> Option<Literal> {
        let end = self.0.find(|next: char| !next.is_ascii_digit());
        let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.strip_prefix('L').unwrap_or(rest);
        digits.parse().ok().map(Literal::Integer)
    }

    fn text(&mut self) -> Option<Literal> {
        let mut characters = self.0.chars();
        let quote = characters.next().filter(|quote| "'\"".contains(*quote))?;
        let mut text = String::new();
        loop {
            let next = match characters.next()? {
                '\\' => {
                    let digits = match characters.next()? {
                        'n' => Err('\n'),
                        'r' => Err('\r'),
                        't' => Err('\t'),
                        'x' => Ok(2),
                        'u' => Ok(4),
                        'U' => Ok(8),
                        itself @ ('\\' | '\'' | '"') => Err(itself),
                        _ => return None,
                    };
                    match digits {
                        Err(character) => character,
                        Ok(digits) => {
                            let (code, rest) = characters.as_str().split_at_checked(digits)?;
                            characters = rest.chars();
                            char::from_u32(u32::from_str_radix(code, 16).ok()?)?
                        }
                    }
                }
                end if end == quote => break,
                other => other,
            };
            text.push(next);
        }
        self.0 = characters.as_str();
        Some(Literal::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(literal: &str) -> Option<Literal> {
        let entries = parse(&format!("{{'key': {literal}, }}"))?;
        let [(key, literal)] = <[_; 1]>::try_from(entries).ok()?;
        assert_eq!(key, "key");
        Some(literal)
    }

    #[test]
    fn literals_of_python_are_parsed() {
        let text = |text: &str| Some(Literal::Text(text.to_owned()));
        assert_eq!(only("'<f8'"), text("<f8"));
        assert_eq!(only("u\"it's\""), text("it's"));
        assert_eq!(only(r"'\'\\\x41\u00e4\n'"), text("'\\A\u{e4}\n"));
        assert_eq!(only("True"), Some(Literal::Boolean(true)));
        assert_eq!(only("100L"), Some(Literal::Integer(100)));
        let integers = || vec![Literal::Integer(3), Literal::Integer(2)];
        assert_eq!(only("(3, 2)"), Some(Literal::Tuple(integers())));
        assert_eq!(only("[3L,2L,]"), Some(Literal::List(integers())));
        assert_eq!(only("()"), Some(Literal::Tuple(Vec::new())));
        let one = vec![Literal::Integer(3)];
        assert_eq!(only("(3,)"), Some(Literal::Tuple(one)));
        assert_eq!(only("(3)"), Some(Literal::Integer(3)));
        assert_eq!(parse(" { } \n"), Some(Vec::new()));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "{",
            "{}}",
            "{'a'}",
            "{'a': 1 'b': 2}",
            "{1: 2}",
            "{'a': -1}",
            "{'a': 1.5}",
            "{'a': 18446744073709551616}",
            "{'a': 'b}",
            r"{'a': '\q'}",
            r"{'a': '\xé'}",
            "{,}",
            "{'a': (1 2)}",
            "{'a': [1}",
            "{'a': None}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        for bracket in ["[", "(", "{", "[(", "{'a':"] {
            assert_eq!(parse(&format!("{{'a': {}", bracket.repeat(100_000))), None);
        }
    }
}
