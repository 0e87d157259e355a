//! What Triton would refuse at load: a configuration that makes no sense, or says otherwise than the ONNX graph.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::onnx;
use super::pbtxt::{self, Message};
use super::repository::{LocalFile, Problem, no_weights, problem};

/// Reads a `config.pbtxt`.
pub(super) fn read_config(path: &Path, name: &str) -> Result<Message, Vec<Problem>> {
    let text = fs::read_to_string(path).map_err(|why| vec![problem(path, &format!("it cannot be read: {why}"))])?;
    let config = pbtxt::parse(&text).map_err(|why| vec![problem(path, &why)])?;
    let mut problems = Vec::new();
    if let Some(said) = config.text("name").filter(|said| *said != name) {
        problems.push(problem(path, &format!("it names the model {said:?}, but its folder is {name:?}")));
    }
    if config.text("platform").is_none() && config.text("backend").is_none() {
        problems.push(problem(path, "it names neither a platform nor a backend (for ONNX: platform: \"onnxruntime_onnx\")"));
    }
    let gpu = |group: &Message| group.text("kind") == Some("KIND_GPU");
    if let Some(group) = config.messages("instance_group").next() {
        let only = if gpu(group) { " (KIND_GPU would not load on a node without a GPU)" } else { "" };
        let why = "leave it out; Triton then uses every GPU there is, and the processor where there is none";
        problems.push(problem(path, &format!("instance_group: {why}{only}")));
    }
    if let Some(policy) = config.messages("version_policy").next() {
        let latest = policy.messages("latest").next();
        let one = latest.is_some_and(|latest| latest.text("num_versions").is_none_or(|n| n == "1"));
        if !one {
            problems.push(problem(path, "version_policy: only the newest version is served for now (latest 1, the default)"));
        }
    }
    for label in config.messages("output").filter_map(|output| output.text("label_filename")) {
        if !path.with_file_name(label).is_file() {
            problems.push(problem(&path.with_file_name(label), "the configuration names this label file, and it is not there"));
        }
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Why only a GPU can serve it: TensorRT's plans are made for one. Its other wish, an instance group of `KIND_GPU`, is
/// refused on any node ([`read_config`]).
pub(super) fn wants_gpu(config: &Message, weights: &BTreeMap<String, LocalFile>, folder: &Path) -> Option<Problem> {
    let tensorrt = config.text("platform") == Some("tensorrt_plan") || config.text("backend") == Some("tensorrt");
    let plan = weights.keys().find(|file| file.ends_with(".plan"));
    let why = match plan {
        Some(file) => format!("{file} is a TensorRT plan, which only an NVIDIA GPU can run"),
        None if tensorrt => "it is a TensorRT plan, which only an NVIDIA GPU can run".to_owned(),
        None => return None,
    };
    Some(problem(&folder.join("config.pbtxt"), &why))
}

/// Compares the configuration with the ONNX graph, as Triton's backend will at load.
pub(super) fn check_weights(
    config: &Message,
    version: &Path,
    weights: &BTreeMap<String, LocalFile>,
    folder: &Path,
) -> Vec<Problem> {
    let is_onnx = config.text("platform") == Some("onnxruntime_onnx") || config.text("backend") == Some("onnxruntime");
    if !is_onnx {
        return Vec::new();
    }
    let file = config.text("default_model_filename").unwrap_or("model.onnx");
    let path = version.join(file);
    if !weights.contains_key(file) {
        return vec![problem(&path, &no_weights(folder))];
    }
    let face = match onnx::read_file(&path) {
        Ok(face) => face,
        Err(why) => return vec![problem(&path, &why)],
    };
    let config_path = folder.join("config.pbtxt");
    let mut problems: Vec<Problem> = face
        .external
        .iter()
        .filter(|location| !weights.contains_key(location.as_str()))
        .map(|location| problem(&version.join(location), "the model keeps weights in this file, and it is not there"))
        .collect();
    let batch = config.text("max_batch_size").and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    let said = config.messages("input").chain(config.messages("batch_input")).count();
    if said > 0 && said != face.inputs.len() {
        let there = face.inputs.len();
        problems.push(problem(&config_path, &format!("it has {said} inputs, the model has {there}: all of them must be there")));
    }
    for (what, tensors) in [("input", &face.inputs), ("output", &face.outputs)] {
        for said in config.messages(what) {
            let name = said.text("name").unwrap_or_default();
            match tensors.iter().find(|tensor| tensor.name == name) {
                None => {
                    let there: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
                    problems.push(problem(
                        &config_path,
                        &format!("{what} {name:?} is not in the model, which has {}", there.join(", ")),
                    ));
                }
                Some(tensor) => {
                    problems.extend(
                        disagreement(what, said, tensor, batch)
                            .map(|why| problem(&config_path, &format!("{what} {name:?}: {why}"))),
                    );
                }
            }
        }
    }
    problems
}

/// What a configured tensor says otherwise than the model; Triton's ONNX backend refuses the same
/// (`CompareDimsSupported` in <https://github.com/triton-inference-server/onnxruntime_backend>).
fn disagreement(what: &str, said: &Message, tensor: &onnx::Tensor, batch: i64) -> Option<String> {
    if let (Some(said), Some(is)) = (said.text("data_type"), tensor.data_type)
        && said != is
    {
        return Some(format!("it says {said}, the model has {is}"));
    }
    let model = tensor.dims.clone()?;
    // `reshape` tells Triton what the model really takes.
    let shape = said.messages("reshape").next();
    let mut dims: Vec<i64> = shape
        .map_or_else(|| said.all("dims"), |reshape| reshape.all("shape"))
        .filter_map(|value| match value {
            pbtxt::Value::Word(word) => word.parse().ok(),
            _ => None,
        })
        .collect();
    if batch > 0 {
        if model.first().is_some_and(|first| *first != -1) {
            return Some(format!("max_batch_size is {batch}, but the model's first dimension is fixed ({model:?})"));
        }
        dims.insert(0, -1);
    }
    // An input may be narrower than the model takes; an output is said as the model says it.
    let free = |model: i64| what == "input" && model == -1;
    let fits = dims.len() == model.len() && dims.iter().zip(&model).all(|(said, model)| said == model || free(*model));
    (!fits).then(|| format!("its dims are {dims:?} (batch dimension included), the model's are {model:?}"))
}
