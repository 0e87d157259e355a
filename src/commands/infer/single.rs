//! One image: its classes on the screen, and no files.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use tritondeploy_client::v1::{Class, Client, Error as ClientError, ModelResult, Request};

use super::super::Start;
use super::sources::{self, Kind};
use super::{address, batch};
use crate::cli::{Infer, Protocol};
use crate::error::Error;
use crate::report::show;

/// The one image that is asked for, where it is one and nothing asks for files.
pub(super) fn named(infer: &Infer) -> Option<&str> {
    let wants_files = infer.output.is_some() || infer.resume.is_some() || infer.report.is_some();
    let [image] = infer.sources.as_slice() else { return None };
    if wants_files || infer.dry_run || infer.protocol != Protocol::V1 {
        return None;
    }
    let kind = match image.strip_prefix("s3://") {
        Some(address) => sources::promised(address),
        None => Path::new(image).is_file().then(|| sources::kind_of(Path::new(image)).unwrap_or(Kind::Image)),
    };
    (kind == Some(Kind::Image)).then_some(image)
}

pub(super) async fn run(start: &Start, infer: &Infer, image: &str) -> Result<(), Error> {
    let request = photo(image)?.top(u32::from(infer.top)).once();
    let request = if infer.models.is_empty() { request } else { request.models(&infer.models) };
    let url = match &infer.url {
        Some(url) => {
            batch::log(start)?;
            url.clone()
        }
        None => address::of(start, &start.cloud("infer").await?).await?,
    };
    let begun = Instant::now();
    let asked = async { Client::connect(&url).await?.ask(request).await };
    let results = asked.await.map_err(|why| told(start, why))?.results;
    let took = begun.elapsed();
    let models: Vec<Value> = results.iter().map(as_json).collect();
    let found = json!({"image": image, "models": models, "seconds": took.as_secs_f64()});
    let failure = |result: &ModelResult| result.classes().err().map(|why| format!("{}: {why}", result.alias));
    let failures: Vec<String> = results.iter().filter_map(failure).collect();
    if !start.json() {
        show::classified(&results, took);
    }
    if !failures.is_empty() {
        return Err(Error::failed(failures.join("\n  "), start.again("status")).with(found));
    }
    if start.json() {
        show::json(&found);
    }
    Ok(())
}

/// A local photo goes along; one in the bucket is named.
fn photo(image: &str) -> Result<Request, Error> {
    if let Some(rest) = image.strip_prefix("s3://") {
        let (bucket, key) = rest
            .split_once('/')
            .filter(|(_, key)| !key.is_empty())
            .ok_or_else(|| Error::usage(format!("{image} names no object"), "write s3://BUCKET/KEY"))?;
        return Ok(Request::object_of(bucket, key));
    }
    let bytes = sources::read(&PathBuf::from(image), u64::MAX)
        .map_err(|why| Error::usage(format!("{image}: {}", why.message), "name a photo, or s3://BUCKET/KEY"))?;
    Ok(Request::image(bytes))
}

fn told(start: &Start, why: ClientError) -> Error {
    match why {
        ClientError::Unspoken { .. } => {
            Error::failed(format!("the running gateway is older than this tritondeploy: {why}"), start.again("up"))
        }
        // It was the gateway's answer: nothing is wrong with the deployment.
        ClientError::Refused(failure) if failure.retryable => Error::failed(failure.to_string(), "run it again in a moment"),
        ClientError::Refused(failure) => Error::failed(failure.to_string(), "name another photo or --model"),
        why => Error::failed(why.to_string(), start.again("status")),
    }
}

fn as_json(result: &ModelResult) -> Value {
    let (alias, model) = (&result.alias, &result.model);
    let classes = match result.classes() {
        Ok(classes) => classes,
        Err(error) => return json!({"alias": alias, "model": model, "error": error}),
    };
    let class = |class: &Class| json!({"index": class.index, "label": class.label, "probability": class.score});
    let top: Vec<Value> = classes.iter().map(class).collect();
    json!({"alias": alias, "model": model, "version": result.version(), "top": top})
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use tritondeploy_client::v1::{Code, Failure, Outcome};

    use super::*;
    use crate::report::Mode;

    fn next(why: ClientError) -> String {
        let (name, region, log) = (None, Some("eu-west-1".to_owned()), None);
        let cancel = CancellationToken::new();
        let start = Start { config: "tritondeploy.toml".into(), name, region, mode: Mode::Json, log, cancel };
        told(&start, why).next().to_owned()
    }

    #[test]
    fn each_failure_says_what_to_do_about_it() {
        let refused = |code| ClientError::Refused(Failure::new(code, "because"));
        let (url, why) = ("ws://x/".to_owned(), "HTTP 400".to_owned());
        assert_eq!(next(ClientError::Unspoken { url, why }), "tritondeploy up --region eu-west-1");
        assert_eq!(next(refused(Code::UnknownModel)), "name another photo or --model");
        assert_eq!(next(refused(Code::ModelUnavailable)), "run it again in a moment");
        assert!(next(ClientError::Protocol(String::new())).starts_with("tritondeploy status"));
    }

    #[test]
    fn one_model_that_failed_is_told_beside_one_that_answered() {
        let result = |outcome| as_json(&ModelResult { alias: "a".to_owned(), model: "m".to_owned(), outcome });
        let top = vec![Class { index: 285, score: 0.5, label: None }];
        let answered =
            json!({"alias": "a", "model": "m", "version": "2", "top": [{"index": 285, "label": null, "probability": 0.5}]});
        assert_eq!(result(Outcome::Top { version: "2".to_owned(), top }), answered);
        let failed = result(Outcome::Error { error: Failure::new(Code::ModelError, "because") });
        assert_eq!((&failed["model"], &failed["error"]["code"]), (&"m".into(), &"model_error".into()));
    }

    #[test]
    fn what_cannot_be_a_photo_is_told_before_anything_is_asked() {
        assert!(photo("s3://bucket").is_err() && photo("s3://bucket/").is_err() && photo("/no/photo.jpg").is_err());
        assert!(photo("s3://bucket/images/a.png").is_ok());
    }
}
