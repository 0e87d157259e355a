//! One image: its classes on the screen, and no files.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::super::Session;
use super::results::record::{Answer, Failure, Image, Item};
use super::run::{Payload, Server};
use super::sources::{self, Kind};
use super::{connect, told};
use crate::cli::{Infer, Protocol};
use crate::error::Error;
use crate::report::{show, words};

/// Who waits for longer is told so.
const SOON: Duration = Duration::from_secs(5);

/// The one image that is asked for, where it is one and nothing asks for files.
pub(super) fn named(infer: &Infer) -> Option<&str> {
    let wants_files = infer.output.is_some() || infer.resume.is_some() || infer.report.is_some();
    let [image] = infer.sources.as_slice() else { return None };
    if wants_files || infer.dry_run || infer.protocol != Protocol::V1 {
        return None;
    }
    let kind = match image.strip_prefix("s3://") {
        Some(address) => sources::promised(address),
        // What its name calls a video has a row that says what is wrong with it.
        None => Path::new(image).is_file().then(|| {
            let by_name = || sources::promised(image).filter(|kind| *kind == Kind::Video).unwrap_or(Kind::Image);
            sources::kind_of(Path::new(image)).unwrap_or_else(by_name)
        }),
    };
    (kind == Some(Kind::Image)).then_some(image)
}

pub(super) async fn run(session: &Session, infer: &Infer, image: &str) -> Result<(), Error> {
    check(image)?;
    let cloud = if infer.url.is_some() {
        connect::log(session)?;
        None
    } else {
        Some(session.cloud("infer").await?)
    };
    let (server, _) = connect::connect(session, infer, cloud.as_ref()).await?;
    let payload = photo(image, server.largest_image())?;
    let answer = asked(session, &server, &payload).await.ok_or_else(Error::unchanged)?;
    let (why, next) = failure(image, &answer, &connect::look(session, infer)).unzip();
    if !session.json() {
        told::lines(&answer).iter().for_each(|line| show::line(words::harmless(line)));
    }
    let item = Item { uri: image.to_owned(), version: String::new() };
    let mut found = told::image(&Image { item, place: 0, answer });
    let Some(why) = why else {
        if session.json() {
            show::json(&found);
        }
        return Ok(());
    };
    // The key of the cause in words is taken.
    if let Some(found) = found.as_object_mut()
        && let Some(error) = found.remove("error")
    {
        found.extend([("code".to_owned(), error["code"].clone()), ("retryable".to_owned(), json!(error["retryable"]))]);
    }
    Err(Error::failed(why, next.unwrap_or_default()).with(found))
}

/// None: it was stopped.
async fn asked(session: &Session, server: &Server, payload: &Payload) -> Option<Answer> {
    let answer = server.ask(payload, None);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => return answer,
        () = sleep(SOON) => {}
    }
    if !session.json() {
        show::note("no answer yet; it is asked again while that may help, for two minutes at most");
    }
    answer.await
}

/// What can be known before anything is asked.
fn check(image: &str) -> Result<(), Error> {
    match image.strip_prefix("s3://") {
        Some(rest) => {
            object(rest).map(drop).ok_or_else(|| Error::usage(format!("{image} names no object"), "write s3://BUCKET/KEY"))
        }
        None => File::open(image).map(drop).map_err(|why| unreadable(image, &why)),
    }
}

fn unreadable(image: &str, why: impl Display) -> Error {
    Error::usage(format!("{image}: {why}"), "name a photo, or s3://BUCKET/KEY")
}

/// Bucket and key.
fn object(rest: &str) -> Option<(&str, &str)> {
    rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
}

/// A local photo of at most so many bytes goes along; one in the bucket is named.
fn photo(image: &str, most: u64) -> Result<Payload, Error> {
    if let Some((bucket, key)) = image.strip_prefix("s3://").and_then(object) {
        return Ok(Payload::Object { bucket: bucket.to_owned(), key: key.to_owned() });
    }
    let bytes = sources::read(Path::new(image), most).map_err(|why| unreadable(image, why.message))?;
    Ok(Payload::Image(bytes.into()))
}

/// Why there is no answer, or none of some models; and what to do about it. `look`: the command that tells what is wrong
/// with the server.
fn failure(image: &str, answer: &Answer, look: &str) -> Option<(String, String)> {
    let of = |error: &Failure| format!("{} ({})", error.message, error.code);
    // Some messages name it already.
    let named = |error: &Failure| if error.message.contains(image) { of(error) } else { format!("{image}: {}", of(error)) };
    let whole = answer.error.iter().map(|error| (named(error), error));
    let parts = answer.results.iter().filter_map(|outcome| Some((&outcome.alias, outcome.error.as_ref()?)));
    let parts = parts.map(|(alias, error)| (format!("{image}, {alias}: {}", of(error)), error));
    let all: Vec<_> = whole.chain(parts).collect();
    let (_, first) = all.first()?;
    let next = match &*first.code {
        "lost" | "timed_out" => look.to_owned(),
        "unknown_model" => "name another --model".to_owned(),
        // It was the gateway's answer: nothing is wrong with the server.
        _ if first.retryable => "run it again in a moment".to_owned(),
        _ => "name another photo".to_owned(),
    };
    let words: Vec<&str> = all.iter().map(|(words, _)| words.as_str()).collect();
    Some((words.join("\n  "), next))
}

#[cfg(test)]
mod tests {
    use super::super::results::record::{Class, Outcome};
    use super::*;

    #[test]
    fn each_failure_names_the_image_and_says_what_to_do_about_it() {
        let told = |code, retryable| {
            let answer = Answer::failed(Failure::new(code, "because", retryable), 0.5);
            failure("a.jpg", &answer, "look").unwrap()
        };
        assert_eq!(
            told("unknown_model", false),
            ("a.jpg: because (unknown_model)".to_owned(), "name another --model".to_owned())
        );
        assert_eq!(told("unsupported_image", false).1, "name another photo");
        assert_eq!(told("model_unavailable", true).1, "run it again in a moment");
        assert_eq!(told("lost", true).1, "look");
    }

    #[test]
    fn one_model_that_failed_is_told_beside_one_that_answered() {
        let outcome = |alias: &str, top, error| {
            let (alias, model) = (alias.to_owned(), "m".to_owned());
            Outcome { alias, model, version: Some("2".to_owned()), top, error }
        };
        let top = vec![Class { index: 285, score: 0.5, label: None }];
        let error = Failure::new("model_error", "because", false);
        let results = vec![outcome("a", top, None), outcome("b", Vec::new(), Some(error))];
        let answer = Answer { results, error: None, seconds: 0.5, thumbnail: None };
        assert_eq!(failure("a.jpg", &answer, "look").unwrap().0, "a.jpg, b: because (model_error)");
        let item = Item { uri: "a.jpg".to_owned(), version: String::new() };
        let told = told::image(&Image { item, place: 0, answer });
        let answered = json!({"alias": "a", "model": "m", "version": "2", "top": [{"index": 285, "score": 0.5, "label": null}]});
        assert_eq!((&told["models"][0], &told["models"][1]["error"]["code"]), (&answered, &"model_error".into()));
        assert_eq!((&told["status"], &told["image"]), (&"error".into(), &"a.jpg".into()));
    }

    #[test]
    fn what_cannot_be_a_photo_is_told_before_anything_is_asked() {
        assert!(check("s3://bucket").is_err() && check("s3://bucket/").is_err() && check("/no/photo.jpg").is_err());
        assert!(check("s3://bucket/images/a.png").is_ok());
    }
}
