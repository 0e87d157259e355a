//! What `--json` says of one item: a line while the run goes on.

use serde_json::{Value, json};

use super::results::record::{Class, Image, Outcome};

/// An image, as `infer IMAGE --json` tells one, with its status.
pub(crate) fn image(image: &Image) -> Value {
    let answer = &image.answer;
    let models: Vec<Value> = answer.results.iter().map(outcome).collect();
    let status = if answer.is_success() { "success" } else { "error" };
    let mut line = json!({"image": image.item.uri, "status": status, "models": models, "seconds": answer.seconds});
    if let (Some(error), Some(line)) = (&answer.error, line.as_object_mut()) {
        line.insert("error".to_owned(), json!(error));
    }
    line
}

/// One model's answer.
pub(crate) fn outcome(outcome: &Outcome) -> Value {
    let Outcome { alias, model, version, top, error } = outcome;
    if let Some(error) = error {
        return json!({"alias": alias, "model": model, "error": error});
    }
    let class = |class: &Class| json!({"index": class.index, "label": class.label, "probability": class.score});
    let top: Vec<Value> = top.iter().map(class).collect();
    json!({"alias": alias, "model": model, "version": version, "top": top})
}
