//! The recorded answers: where they are, and how one is sent as AWS sends it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where they are, if not beside the checkout.
const VARIABLE: &str = "TRITONDEPLOY_RECORDED";

/// One recorded answer; its README says what each field is.
#[derive(Deserialize)]
pub(crate) struct Recording {
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    pub(crate) service: String,
    #[serde(skip)]
    pub(crate) operation: String,
    pub(crate) trust: String,
    kind: String,
    pub(crate) status: u16,
    pub(crate) answer: Value,
    wire: Option<String>,
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.trust)
    }
}

/// All of them. None, and a word about it, where there are none: they are not ours to give away.
pub(crate) fn all() -> Option<Vec<Recording>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded");
    let folder = std::env::var_os(VARIABLE).map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        eprintln!("!!! SKIPPED: no recorded answers of AWS in {}; {VARIABLE} says where they are", folder.display());
        return None;
    }
    let files = walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().map(|entry| entry.expect("a readable folder"));
    let files = files.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "json"));
    let all: Vec<_> = files.map(|file| read(file.path())).collect();
    assert!(!all.is_empty(), "no recording in {}", folder.display());
    Some(all)
}

/// `SERVICE/Operation/NN-short-name.json`.
fn read(file: &Path) -> Recording {
    let text = std::fs::read(file).expect("a readable file");
    let mut told: Recording = serde_json::from_slice(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let above = |levels| file.ancestors().nth(levels).and_then(Path::file_name).expect("a name").to_string_lossy();
    (told.service, told.operation) = (above(2).into_owned(), above(1).into_owned());
    told.name = format!("{}/{}/{}", above(2), above(1), above(0).trim_end_matches(".json"));
    told
}

impl Recording {
    pub(crate) fn is_error(&self) -> bool {
        self.kind == "error"
    }

    pub(crate) fn code(&self) -> &str {
        self.answer["Error"]["Code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.answer["Error"]["Message"].as_str().unwrap_or_default()
    }

    pub(crate) fn call(&self) -> (&str, &str) {
        (&self.service, &self.operation)
    }

    /// For the replay: the wire's own words, where they were kept.
    pub(crate) fn sent(&self) -> Value {
        let mut sent = sent(&self.service, &self.operation, self.status, self.answer.clone());
        sent["wire"] = json!(self.wire);
        sent
    }

    /// The same with another answer in it.
    pub(crate) fn sent_with(&self, answer: Value) -> Value {
        sent(&self.service, &self.operation, self.status, answer)
    }
}

/// An answer as the replay takes it.
pub(crate) fn sent(service: &str, operation: &str, status: u16, mut answer: Value) -> Value {
    let url = answer["EncodingType"] == "url";
    encode(&mut answer, url);
    json!({"service": service, "operation": operation, "status": status, "answer": answer})
}

/// What botocore and LocalStack decode: policies are text, URL-encoded in IAM; keys are URL-encoded where S3 was asked for it.
fn encode(answer: &mut Value, url: bool) {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match answer {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| match value {
            Value::Object(_) if name.ends_with("PolicyDocument") => *value = json!(encoded(&value.to_string())),
            Value::String(key) if url && (name == "Key" || name.ends_with("Marker")) => *value = json!(encoded(key)),
            value => encode(value, url),
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| encode(item, url)),
        _ => {}
    }
}

/// How many of each trust and of each service, on one line.
pub(crate) fn counts<'a>(of: impl IntoIterator<Item = &'a Recording>) -> String {
    let (mut trust, mut service) = (BTreeMap::new(), BTreeMap::new());
    for one in of {
        *trust.entry(one.trust.as_str()).or_insert(0) += 1;
        *service.entry(one.service.as_str()).or_insert(0) += 1;
    }
    let told =
        |counts: BTreeMap<&str, usize>| counts.iter().map(|(what, many)| format!("{many} {what}")).collect::<Vec<_>>().join(", ");
    format!("{}; {}", told(trust), told(service))
}
