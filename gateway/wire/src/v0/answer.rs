//! What a client reads.

use super::Invalid;
use super::json::Reader;
use super::nested::{self, Leaves};

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The outputs of one model, in the order sent.
    Model(Vec<Output>),
    /// By alias, in the order sent.
    Pipelines(Vec<(String, Vec<Output>)>),
    /// The gateway's reason.
    Error(String),
}

/// An output tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The tensor's name.
    pub name: String,
    /// Its lengths.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Values,
}

/// Elements, of the kinds that JSON tells apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; whole ones beyond 2^53 lose their last bits.
    Numbers(Vec<f64>),
    /// BOOL.
    Booleans(Vec<bool>),
    /// BYTES.
    Strings(Vec<String>),
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is not JSON or no answer.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut reader = Reader::new(text);
        if reader.peek() != Some(b'{') {
            return Err(Invalid::form("an answer is a JSON object"));
        }
        let [status, message, outputs] = reader.fields(["status", "message", "outputs"])?;
        reader.end()?;
        let string = |span: Option<std::ops::Range<usize>>| {
            let mut reader = Reader::at(text, &span?);
            if reader.peek() == Some(b'"') { reader.string().ok() } else { None }
        };
        match string(status).as_deref() {
            Some("success") => {}
            Some("error") => return Ok(Self::Error(string(message).unwrap_or_default().into_owned())),
            _ => return Err(Invalid::form("the answer's status is neither success nor error")),
        }
        let outputs = outputs.ok_or_else(|| Invalid::form("the answer has no outputs"))?;
        Self::outputs(&mut Reader::at(text, &outputs))
    }

    fn outputs(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let mut model = Vec::new();
        let mut pipelines = Vec::new();
        let mut more = reader.open(b'{', b'}')?;
        while more {
            let name = reader.key()?.into_owned();
            if reader.peek() == Some(b'{') {
                let mut outputs = Vec::new();
                let mut more = reader.open(b'{', b'}')?;
                while more {
                    outputs.push(output(reader)?);
                    more = reader.more(b'}')?;
                }
                pipelines.push((name, outputs));
            } else {
                model.push(tensor(name, reader)?);
            }
            more = reader.more(b'}')?;
        }
        match (model.is_empty(), pipelines.is_empty()) {
            (_, true) => Ok(Self::Model(model)),
            (true, false) => Ok(Self::Pipelines(pipelines)),
            (false, false) => Err(Invalid::form("the answer mixes tensors and pipelines")),
        }
    }
}

fn output(reader: &mut Reader<'_>) -> Result<Output, Invalid> {
    let name = reader.key()?.into_owned();
    tensor(name, reader)
}

fn tensor(name: String, reader: &mut Reader<'_>) -> Result<Output, Invalid> {
    let mut any = Any(None);
    let shape = nested::read(reader, &mut any)?;
    Ok(Output { name, shape, values: any.0.unwrap_or(Values::Numbers(Vec::new())) })
}

/// Elements whose kind the first of them decides.
struct Any(Option<Values>);

impl Leaves for Any {
    fn leaf(&mut self, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        let next = reader.peek();
        let values = self.0.get_or_insert_with(|| match next {
            Some(b'"') => Values::Strings(Vec::new()),
            Some(b't' | b'f') => Values::Booleans(Vec::new()),
            _ => Values::Numbers(Vec::new()),
        });
        match values {
            Values::Numbers(numbers) => numbers.push(reader.number()?.as_f64()),
            Values::Booleans(booleans) => booleans.push(reader.boolean()?),
            Values::Strings(strings) => strings.push(reader.string()?.into_owned()),
        }
        Ok(())
    }
}
