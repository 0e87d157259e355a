//! What an ONNX file says of itself: inputs, outputs, external data.
//! Field numbers: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>; all else is skipped.

use std::path::Path;

use bytes::Buf;
use prost::Message;

use super::pieces::Pieces;

/// A model's face.
#[derive(Clone, Debug, Default)]
pub(super) struct Face {
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
    /// Files beside the model which hold its weights.
    pub(super) external: Vec<String>,
}

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) name: String,
    /// Triton's name of the type, e.g. `TYPE_FP32`; None for one that Triton has no name for.
    pub(super) data_type: Option<&'static str>,
    /// None: the model does not say. A dimension that is not fixed is -1.
    pub(super) dims: Option<Vec<i64>>,
}

/// Reads the face of a model, which may be larger than memory.
pub(super) fn read_file(path: &Path) -> Result<Face, String> {
    let mut pieces = Pieces::of(path).map_err(|why| why.to_string())?;
    let face = read(&mut pieces);
    pieces.failure().map_or(face, |why| Err(why.to_string()))
}

fn read(bytes: impl Buf) -> Result<Face, String> {
    let model = proto::Model::decode(bytes).map_err(|why| format!("it is no ONNX model ({why})"))?;
    let graph = model.graph.ok_or("it is no ONNX model (it has no graph)")?;
    let weights: std::collections::HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut external: Vec<String> = graph
        .initializer
        .iter()
        .flat_map(|tensor| &tensor.external_data)
        .filter(|entry| entry.key == "location")
        .map(|entry| entry.value.clone())
        .collect();
    external.sort();
    external.dedup();
    Ok(Face {
        // Old exporters list the weights among the inputs.
        inputs: graph.input.iter().filter(|v| !weights.contains(v.name.as_str())).map(tensor).collect(),
        outputs: graph.output.iter().map(tensor).collect(),
        external,
    })
}

fn tensor(value: &proto::ValueInfo) -> Tensor {
    let of = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let dims = of
        .and_then(|tensor| tensor.shape.as_ref())
        .map(|shape| shape.dim.iter().map(|dim| if dim.value > 0 { dim.value } else { -1 }).collect());
    Tensor { name: value.name.clone(), data_type: of.and_then(|tensor| triton_type(tensor.elem_type)), dims }
}

/// TensorProto.DataType -> Triton's data type (model configuration documentation, "Datatypes").
fn triton_type(elem: i32) -> Option<&'static str> {
    Some(match elem {
        1 => "TYPE_FP32",
        2 => "TYPE_UINT8",
        3 => "TYPE_INT8",
        4 => "TYPE_UINT16",
        5 => "TYPE_INT16",
        6 => "TYPE_INT32",
        7 => "TYPE_INT64",
        8 => "TYPE_STRING",
        9 => "TYPE_BOOL",
        10 => "TYPE_FP16",
        11 => "TYPE_FP64",
        12 => "TYPE_UINT32",
        13 => "TYPE_UINT64",
        16 => "TYPE_BF16",
        _ => return None,
    })
}

mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Model {
        #[prost(message, optional, tag = "7")]
        pub(super) graph: Option<Graph>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Graph {
        #[prost(message, repeated, tag = "5")]
        pub(super) initializer: Vec<Tensor>,
        #[prost(message, repeated, tag = "11")]
        pub(super) input: Vec<ValueInfo>,
        #[prost(message, repeated, tag = "12")]
        pub(super) output: Vec<ValueInfo>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Tensor {
        #[prost(string, tag = "8")]
        pub(super) name: String,
        #[prost(message, repeated, tag = "13")]
        pub(super) external_data: Vec<Entry>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Entry {
        #[prost(string, tag = "1")]
        pub(super) key: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ValueInfo {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(message, optional, tag = "2")]
        pub(super) kind: Option<Type>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Type {
        #[prost(message, optional, tag = "1")]
        pub(super) tensor: Option<TensorType>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TensorType {
        #[prost(int32, tag = "1")]
        pub(super) elem_type: i32,
        #[prost(message, optional, tag = "2")]
        pub(super) shape: Option<Shape>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Shape {
        #[prost(message, repeated, tag = "1")]
        pub(super) dim: Vec<Dim>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Dim {
        #[prost(int64, tag = "1")]
        pub(super) value: i64,
        #[prost(string, tag = "2")]
        pub(super) symbol: String,
    }
    #[cfg(test)]
    pub(super) fn sample(input_dims: &[i64]) -> Vec<u8> {
        let value = |name: &str, dims: &[i64]| ValueInfo {
            name: name.to_owned(),
            kind: Some(Type {
                tensor: Some(TensorType {
                    elem_type: 1,
                    shape: Some(Shape { dim: dims.iter().map(|d| Dim { value: (*d).max(0), symbol: String::new() }).collect() }),
                }),
            }),
        };
        let model = Model {
            graph: Some(Graph {
                initializer: Vec::new(),
                input: vec![value("data", input_dims)],
                output: vec![value("scores", &[-1, 1000])],
            }),
        };
        prost::Message::encode_to_vec(&model)
    }
}

/// A tiny model file for the tests of this room.
#[cfg(test)]
pub(super) fn sample(input_dims: &[i64]) -> Vec<u8> {
    proto::sample(input_dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_face_of_a_model_is_read() {
        let face = read(&*sample(&[-1, 3, 224, 224])).unwrap();
        assert_eq!(
            face.inputs,
            [Tensor { name: "data".to_owned(), data_type: Some("TYPE_FP32"), dims: Some(vec![-1, 3, 224, 224]) }]
        );
        assert_eq!(face.outputs[0].dims, Some(vec![-1, 1000]));
    }

    #[test]
    fn what_is_no_model_is_refused() {
        assert!(read(&b"<html>not found</html>"[..]).is_err());
        assert!(read(&b""[..]).is_err());
    }
}
