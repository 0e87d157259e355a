//! What a client asks.

use std::ops::Range;

use super::json::Reader;
use super::nested::DIMENSIONS;
use super::write::View;
use super::{Invalid, data};
use crate::Datatype;
use crate::echo::Quoted;

/// More inputs than any model has.
const INPUTS: usize = 1024;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// An image for every configured pipeline.
    Pipelines(Object),
    /// An image for one model.
    Image {
        /// The model's name in Triton.
        model: String,
        /// Where the image lies.
        object: Object,
    },
    /// Tensors for one model.
    Tensors {
        /// The model's name in Triton.
        model: String,
        /// As the client gave them, not compared with what the model takes.
        inputs: Vec<Tensor>,
    },
}

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The whole key.
    pub key: String,
}

/// A tensor of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The input's name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its lengths.
    pub shape: Vec<i64>,
    /// The elements, row-major, little-endian; BYTES elements each after a u32 length.
    pub data: Vec<u8>,
}

impl Request {
    /// Reads a request. Keys that we do not know are ignored; null is the same as a missing key.
    ///
    /// # Errors
    /// When the text is not JSON, of no known form, or a tensor's data do not fit its shape and datatype.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut reader = Reader::new(text);
        if reader.peek() != Some(b'{') {
            reader.skip()?;
            reader.end()?;
            return Err(Invalid::form("a request is a JSON object"));
        }
        let [bucket, key, model, inputs] = reader.fields(["bucket", "key", "model_name", "inputs"])?;
        reader.end()?;
        let model = string(text, "model_name", model)?;
        let inputs = inputs.filter(|span| !Reader::at(text, span).is_null());
        match (model, string(text, "bucket", bucket)?, string(text, "key", key)?, inputs) {
            (Some(model), _, _, Some(inputs)) => Ok(Self::Tensors { model, inputs: tensors(text, &inputs)? }),
            (Some(model), Some(bucket), Some(key), None) => Ok(Self::Image { model, object: Object { bucket, key } }),
            (None, Some(bucket), Some(key), None) => Ok(Self::Pipelines(Object { bucket, key })),
            (None, _, _, Some(_)) => Err(Invalid::form("inputs came without model_name")),
            _ => Err(Invalid::form("a request needs bucket and key, or model_name with inputs or with bucket and key")),
        }
    }

    /// Writes a request as clients send it.
    ///
    /// # Errors
    /// When a tensor's bytes do not fit its shape and datatype.
    pub fn to_json(&self) -> Result<String, super::Malformed> {
        let mut out = super::write::Out::new();
        match self {
            Self::Pipelines(object) => {
                out.raw("{");
                out.object(object);
            }
            Self::Image { model, object } => {
                out.raw("{\"model_name\":").string(model).raw(",");
                out.object(object);
            }
            Self::Tensors { model, inputs } => {
                out.raw("{\"model_name\":").string(model).raw(",\"inputs\":[");
                for (i, tensor) in inputs.iter().enumerate() {
                    out.raw(if i == 0 { "{\"name\":" } else { ",{\"name\":" }).string(&tensor.name);
                    out.raw(&format!(",\"datatype\":\"{}\",\"shape\":{:?},\"data\":", tensor.datatype, tensor.shape));
                    out.tensor(&tensor.view())?;
                    out.raw("}");
                }
                out.raw("]");
            }
        }
        out.raw("}");
        Ok(out.into_string())
    }
}

impl Tensor {
    /// The tensor without owning it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { name: &self.name, datatype: self.datatype, shape: &self.shape, data: &self.data }
    }
}

fn string(text: &str, name: &str, span: Option<Range<usize>>) -> Result<Option<String>, Invalid> {
    let Some(span) = span else { return Ok(None) };
    let mut reader = Reader::at(text, &span);
    match reader.peek() {
        Some(b'"') => Ok(Some(reader.string()?.into_owned())),
        Some(b'n') => Ok(None),
        _ => Err(Invalid::form(format!("{name} must be a string"))),
    }
}

fn tensors(text: &str, span: &Range<usize>) -> Result<Vec<Tensor>, Invalid> {
    let mut reader = Reader::at(text, span);
    if reader.peek() != Some(b'[') {
        return Err(Invalid::form("inputs must be a list of objects with name, shape, datatype and data"));
    }
    let mut inputs = Vec::new();
    let mut more = reader.open(b'[', b']')?;
    while more {
        if inputs.len() == INPUTS {
            return Err(Invalid::form(format!("more than {INPUTS} inputs; at most {INPUTS} are allowed")));
        }
        if reader.peek() != Some(b'{') {
            return Err(Invalid::form(format!("inputs[{}] must be an object", inputs.len())));
        }
        let fields = reader.fields(["name", "shape", "datatype", "data"])?;
        let input = tensor(text, fields).map_err(|e| match e {
            Invalid::Form(what) => Invalid::form(format!("inputs[{}]: {what}", inputs.len())),
            json @ Invalid::Json { .. } => json,
        })?;
        inputs.push(input);
        more = reader.more(b']')?;
    }
    if inputs.is_empty() {
        return Err(Invalid::form("inputs is empty"));
    }
    Ok(inputs)
}

fn tensor(text: &str, [name, shape, datatype, data]: [Option<Range<usize>>; 4]) -> Result<Tensor, Invalid> {
    let missing = |what: &str| Invalid::form(format!("{what} is missing"));
    let name = string(text, "name", name)?.ok_or_else(|| missing("name"))?;
    let word = string(text, "datatype", datatype)?.ok_or_else(|| missing("datatype"))?;
    let datatype = Datatype::parse(&word).ok_or_else(|| {
        Invalid::form(format!("{} is no datatype of Triton's: {}", Quoted(&word), Datatype::ALL.map(Datatype::as_str).join(", ")))
    })?;
    let shape = dimensions(&mut Reader::at(text, &shape.ok_or_else(|| missing("shape"))?))?;
    let data = data.ok_or_else(|| missing("data"))?;
    let data = data::read(&mut Reader::at(text, &data), datatype, &shape)?;
    Ok(Tensor { name, datatype, shape, data })
}

fn dimensions(reader: &mut Reader<'_>) -> Result<Vec<i64>, Invalid> {
    let wrong = || Invalid::form("shape must be a list of whole numbers from 0");
    if reader.peek() != Some(b'[') {
        return Err(wrong());
    }
    let mut shape = Vec::new();
    let mut more = reader.open(b'[', b']')?;
    while more {
        let length = match reader.peek() {
            Some(b'0'..=b'9') => reader.number()?.text().parse().ok(),
            _ => None,
        };
        // Before it is kept, or a shape of a message's length would take four times as much.
        if shape.len() == DIMENSIONS {
            return Err(Invalid::form(format!("shape has more than {DIMENSIONS} dimensions; at most {DIMENSIONS} are allowed")));
        }
        shape.push(length.ok_or_else(wrong)?);
        more = reader.more(b']')?;
    }
    Ok(shape)
}
