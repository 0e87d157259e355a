//! A reader of JSON text that stops at each value, so that big ones need not become a tree.

use std::borrow::Cow;
use std::ops::Range;

use super::Invalid;

/// Nesting beyond this is refused: Python's own reader gives up at about 1,000.
const DEPTH: usize = 512;

/// A position in a text.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A number's text, of JSON's grammar or one of Python's three literals.
pub(super) struct Number<'a>(&'a str);

impl Number<'_> {
    /// As Python's float(): beyond the range is infinite.
    pub(super) fn as_f64(&self) -> f64 {
        match self.0 {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            // The grammar is checked, so this cannot fail.
            token => token.parse().unwrap_or(f64::NAN),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.0
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// A reader of one value found before by [`Reader::fields`]; positions stay those of the whole text.
    pub(super) fn at(text: &'a str, span: &Range<usize>) -> Self {
        Self { text: &text[..span.end], at: span.start }
    }

    pub(super) fn fail(&self, what: &'static str) -> Invalid {
        Invalid::Json { what, at: self.at }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), Invalid> {
        if self.peek() != Some(byte) {
            return Err(self.fail(what));
        }
        self.at += 1;
        Ok(())
    }

    /// After the last value: nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), Invalid> {
        if self.peek().is_some() { Err(self.fail("something follows the value")) } else { Ok(()) }
    }

    /// Opens a list or object; false when it is empty (and closed).
    pub(super) fn open(&mut self, open: u8, close: u8) -> Result<bool, Invalid> {
        self.take(open, if open == b'[' { "a list should begin" } else { "an object should begin" })?;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Between two values of a list or object; false when it closes.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Invalid> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.fail("a comma or the end of the list or object is missing")),
        }
    }

    /// A key with its colon.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, Invalid> {
        if self.peek() != Some(b'"') {
            return Err(self.fail("a key in quotes is missing"));
        }
        let key = self.string()?;
        self.take(b':', "a colon is missing")?;
        Ok(key)
    }

    /// Reads an object and remembers where the values of some keys lie; of equal keys the last counts.
    pub(super) fn fields<const N: usize>(&mut self, names: [&str; N]) -> Result<[Option<Range<usize>>; N], Invalid> {
        let mut found = [const { None }; N];
        let mut more = self.open(b'{', b'}')?;
        while more {
            let key = self.key()?;
            let span = self.skip()?;
            if let Some(i) = names.iter().position(|name| *name == key) {
                found[i] = Some(span);
            }
            more = self.more(b'}')?;
        }
        Ok(found)
    }

    /// Passes over one value, checking it; where it lies.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Invalid> {
        self.peek();
        let start = self.at;
        // One bit of what is open at each depth would do; a byte is simpler.
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b @ (b'[' | b'{')) => {
                    let close = if b == b'[' { b']' } else { b'}' };
                    if self.open(b, close)? {
                        if open.len() == DEPTH {
                            return Err(self.fail("it is nested too deeply"));
                        }
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.string()?),
                Some(b't' | b'f') => drop(self.boolean()?),
                Some(b'n') => self.literal("null")?,
                _ => {
                    self.number()?;
                }
            }
            // A value has ended: go on in what is open around it.
            loop {
                let Some(&close) = open.last() else { return Ok(start..self.at) };
                if self.more(close)? {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), Invalid> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fail("no value begins like this"));
        }
        self.at += word.len();
        Ok(())
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Invalid> {
        let value = self.peek() == Some(b't');
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    pub(super) fn is_null(&mut self) -> bool {
        self.peek() == Some(b'n')
    }

    pub(super) fn number(&mut self) -> Result<Number<'a>, Invalid> {
        self.peek();
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => drop(self.digits()),
            Some(b'I') => {
                self.literal("Infinity")?;
                return Ok(Number(&self.text[start..self.at]));
            }
            Some(b'N') if self.at == start => {
                self.literal("NaN")?;
                return Ok(Number(&self.text[start..self.at]));
            }
            _ => return Err(self.fail("a value is missing")),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.fail("digits are missing after the point"));
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.fail("digits are missing in the exponent"));
            }
        }
        Ok(Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        count
    }

    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Invalid> {
        self.take(b'"', "a string should begin")?;
        let mut decoded: Option<String> = None;
        loop {
            let start = self.at;
            let rest = &self.text.as_bytes()[start..];
            let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len());
            self.at += plain;
            let piece = &self.text[start..self.at];
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(piece),
                        Some(mut text) => {
                            text.push_str(piece);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = decoded.get_or_insert_with(String::new);
                    text.push_str(piece);
                    self.at += 1;
                    let c = self.escape()?;
                    text.push(c);
                }
                Some(_) => return Err(self.fail("a control character stands in a string")),
                None => return Err(self.fail("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Invalid> {
        let byte = self.byte().ok_or_else(|| self.fail("a string does not end"))?;
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.fail("an unknown escape stands in a string")),
        };
        self.at += 1;
        Ok(c)
    }

    /// `\uXXXX`, or two of them that make a pair.
    fn unicode(&mut self) -> Result<char, Invalid> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 1;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Invalid> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.fail("four hexadecimal digits are missing"))?;
        self.at += 5;
        Ok(code)
    }
}
