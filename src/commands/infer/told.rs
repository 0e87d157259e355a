//! What `--json` says of one item: a line while the run goes on.

use serde_json::{Value, json};

use super::results::record::{Answer, Class, Frame, Image, Outcome, Video};

/// An image, as `infer IMAGE --json` tells one, with its status.
pub(crate) fn image(image: &Image) -> Value {
    answered(json!({"image": image.item.uri}), &image.answer)
}

/// An image's classes, for people; a failure is told where the command ends.
pub(crate) fn lines(answer: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    for Outcome { alias, model, top, .. } in answer.results.iter().filter(|outcome| outcome.error.is_none()) {
        lines.push(if alias == model { model.clone() } else { format!("{alias} ({model})") });
        for Class { index, score, label } in top {
            let label = label.as_deref().unwrap_or("(the model has no labels)");
            lines.push(format!("  {:5.1} %  {index:>4}  {label}", score * 100.0));
        }
    }
    if !answer.results.is_empty() {
        lines.push(format!("in {:.0} ms", answer.seconds * 1000.0));
    }
    lines
}

/// A frame of a video.
pub(crate) fn frame(frame: &Frame) -> Value {
    answered(json!({"video": frame.item.uri, "frame": frame.frame, "at": frame.at}), &frame.answer)
}

/// A video that is through.
pub(crate) fn video(video: &Video) -> Value {
    let Video { item, frames, failed, seconds, error, .. } = video;
    let status = if video.is_success() { "success" } else { "failed" };
    let mut line = json!({"video": item.uri, "status": status, "frames": frames, "failed": failed, "seconds": seconds});
    insert(&mut line, "error", error.as_ref());
    line
}

fn answered(mut line: Value, answer: &Answer) -> Value {
    let models: Vec<Value> = answer.results.iter().map(outcome).collect();
    insert(&mut line, "status", Some(if answer.is_success() { "success" } else { "error" }));
    insert(&mut line, "models", Some(models));
    insert(&mut line, "seconds", Some(answer.seconds));
    insert(&mut line, "error", answer.error.as_ref());
    line
}

fn insert(line: &mut Value, key: &str, value: Option<impl serde::Serialize>) {
    if let (Some(line), Some(value)) = (line.as_object_mut(), value) {
        line.insert(key.to_owned(), json!(value));
    }
}

/// One model's answer.
pub(crate) fn outcome(outcome: &Outcome) -> Value {
    let Outcome { alias, model, version, top, error } = outcome;
    if let Some(error) = error {
        return json!({"alias": alias, "model": model, "error": error});
    }
    let class = |class: &Class| json!({"index": class.index, "score": class.score, "label": class.label});
    let top: Vec<Value> = top.iter().map(class).collect();
    json!({"alias": alias, "model": model, "version": version, "top": top})
}
