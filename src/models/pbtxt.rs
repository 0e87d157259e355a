//! A reader of protobuf text format, as far as `config.pbtxt` needs it: any field is kept, so that
//! nothing a Triton release understands is refused here.
//! Syntax: <https://protobuf.dev/reference/protobuf/textformat-spec/>.

/// A message: fields in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message(Vec<(String, Value)>);

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A string literal, unescaped.
    Text(String),
    /// A number, an enum value or a boolean, as written.
    Word(String),
    /// A message.
    Message(Message),
}

impl Message {
    /// All values of a field.
    pub(super) fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(name, _)| name == field).map(|(_, value)| value)
    }

    /// The last value of a field, as text.
    pub(super) fn text<'a>(&'a self, field: &'a str) -> Option<&'a str> {
        self.all(field).last().and_then(|value| match value {
            Value::Text(text) | Value::Word(text) => Some(text.as_str()),
            Value::Message(_) => None,
        })
    }

    /// The messages of a field.
    pub(super) fn messages<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Message> {
        self.all(field).filter_map(|value| match value {
            Value::Message(message) => Some(message),
            _ => None,
        })
    }
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Message, String> {
    let mut reader = Reader { rest: text, line: 1 };
    let message = reader.message(None, 0)?;
    Ok(message)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("line {}: {what}", self.line))
    }

    fn skip(&mut self) {
        loop {
            let trimmed = self.rest.trim_start();
            self.line += self.rest[..self.rest.len() - trimmed.len()].matches('\n').count();
            self.rest = trimmed;
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn word(&mut self) -> Result<String, String> {
        self.skip();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_.+-".contains(c))).unwrap_or(self.rest.len());
        if end == 0 {
            let found = self.rest.chars().next().map_or("the end of the file".to_owned(), |c| format!("{c:?}"));
            return self.fail(&format!("a name or a value is wanted here, not {found}"));
        }
        let word = self.rest[..end].to_owned();
        self.rest = &self.rest[end..];
        Ok(word)
    }

    /// `depth` bounds the recursion: the file comes from anywhere.
    fn message(&mut self, close: Option<char>, depth: usize) -> Result<Message, String> {
        if depth > 32 {
            return self.fail("messages are nested too deep");
        }
        let mut message = Message::default();
        loop {
            match (self.peek(), close) {
                (None, None) => return Ok(message),
                (None, Some(close)) => return self.fail(&format!("the file ends before {close:?}")),
                (Some(c), Some(close)) if c == close => {
                    self.eat(close);
                    return Ok(message);
                }
                _ => {}
            }
            let field = self.word()?;
            let colon = self.eat(':');
            if self.eat('[') {
                while !self.eat(']') {
                    message.0.push((field.clone(), self.value(true, depth)?));
                    if !self.eat(',') && self.peek() != Some(']') {
                        return self.fail("a comma or ] is wanted here");
                    }
                }
            } else {
                message.0.push((field, self.value(colon, depth)?));
            }
            let _ = self.eat(',') || self.eat(';');
        }
    }

    fn value(&mut self, colon: bool, depth: usize) -> Result<Value, String> {
        match self.peek() {
            Some('{') => {
                self.eat('{');
                self.message(Some('}'), depth + 1).map(Value::Message)
            }
            Some('<') => {
                self.eat('<');
                self.message(Some('>'), depth + 1).map(Value::Message)
            }
            _ if !colon => self.fail("a colon or { is wanted here"),
            Some('"' | '\'') => {
                let mut text = String::new();
                // Neighbouring literals are one string.
                while let Some(quote @ ('"' | '\'')) = self.peek() {
                    self.literal(quote, &mut text)?;
                }
                Ok(Value::Text(text))
            }
            _ => self.word().map(Value::Word),
        }
    }

    fn literal(&mut self, quote: char, into: &mut String) -> Result<(), String> {
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => into.push('\n'),
                    Some('t') => into.push('\t'),
                    Some('r') => into.push('\r'),
                    Some(other) => into.push(other),
                    None => break,
                },
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Ok(());
                }
                c => into.push(c),
            }
        }
        self.fail("a string has no end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_as_triton_documents_it_is_read() {
        let config = parse(
            "name: \"m\" # a comment\nplatform: 'onnxruntime_onnx'\nmax_batch_size : 8\n\
             input [\n { name: \"data\" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] },\n { name: \"b\", dims: 1 dims: -1 } ]\n\
             output { name: \"o\" dims: [1000] }\nparameters: { key: \"a\" value: { string_value: \"x\\ny\" \"z\" } }\n",
        )
        .unwrap();
        assert_eq!(config.text("name"), Some("m"));
        assert_eq!(config.text("max_batch_size"), Some("8"));
        assert_eq!(config.messages("input").count(), 2);
        let second = config.messages("input").nth(1).unwrap();
        assert_eq!(second.all("dims").count(), 2);
        let value = config.messages("parameters").next().unwrap().messages("value").next().unwrap();
        assert_eq!(value.text("string_value"), Some("x\nyz"));
    }

    #[test]
    fn a_broken_config_is_refused_with_its_line() {
        for (text, line) in [
            ("name: \"m\ninput", 1),
            ("name: \"m\"\ninput [ { name: \"x\"", 2),
            ("input 3", 1),
            ("a: 1\nb: }", 2),
            ("\n\n: 3", 3),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(&format!("line {line}:")), "{text:?}: {why}");
        }
        assert!(parse(&"a{".repeat(100_000)).is_err());
    }
}
