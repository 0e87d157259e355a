//! A video of the bucket comes into a temporary file.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::super::results::record::Failure;
use super::scratch::{NoSpace, Scratch, Temporary};
use crate::cloud::aws::{OrFault, code};
use crate::engine::{FaultKind, format_duration};

/// Times that a broken download is gone on with, without a byte more between them.
const TRIES: u32 = 5;

/// Before the second time; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);

/// A body that brings nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// An object, and the content that was listed under its key; an empty ETag: whatever it has.
pub(super) struct Object<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) etag: &'a str,
}

/// Gets the whole object, going on where it broke off. `progress` is told bytes so far, and in all.
///
/// # Errors
/// It may not be read, is not what was listed, does not fit, or the connection is lost again and again.
pub(super) async fn fetch(
    s3: &aws_sdk_s3::Client,
    scratch: &Scratch,
    object: &Object<'_>,
    progress: impl Fn(u64, u64),
) -> Result<Temporary, Failure> {
    let (mut got, mut tries, mut pause) = (Got::default(), 0, PAUSE);
    loop {
        let before = got.bytes;
        let why = match once(s3, scratch, object, &mut got, &progress).await {
            Ok(()) => match got.file {
                Some(file) => return Ok(file.temporary),
                None => Broken::Last(Failure::new("unreadable", "S3 sent nothing", true)),
            },
            Err(why) => why,
        };
        if got.bytes > before {
            (tries, pause) = (0, PAUSE);
        }
        tries += 1;
        match why {
            Broken::Last(why) => return Err(why),
            Broken::Again(why) if tries == TRIES => {
                return Err(Failure::new("lost", format!("it could not be read from S3: {why}"), true));
            }
            Broken::Again(_) => sleep(pause).await,
        }
        pause *= 2;
    }
}

/// What is there already.
#[derive(Default)]
struct Got {
    bytes: u64,
    /// Of the first answer: what comes later must belong to the same content.
    etag: Option<String>,
    file: Option<Writing>,
}

struct Writing {
    temporary: Temporary,
    file: tokio::fs::File,
    /// Bytes when it is whole.
    whole: u64,
}

enum Broken {
    /// It may succeed when it is asked for again.
    Again(String),
    Last(Failure),
}

async fn once(
    s3: &aws_sdk_s3::Client,
    scratch: &Scratch,
    object: &Object<'_>,
    got: &mut Got,
    progress: &impl Fn(u64, u64),
) -> Result<(), Broken> {
    let listed = Some(object.etag).filter(|etag| !etag.is_empty()).map(|etag| format!("\"{etag}\""));
    let call = s3.get_object().bucket(object.bucket).key(object.key).set_if_match(got.etag.clone().or(listed));
    let call = if got.bytes > 0 { call.range(format!("bytes={}-", got.bytes)) } else { call };
    let answer = call.send().await;
    if answer.as_ref().is_err_and(|why| code(why) == Some("PreconditionFailed")) {
        let why = "the object was changed after it was listed; a new run finds it as it is now";
        return Err(Broken::Last(Failure::new("unreadable", why, false)));
    }
    let answer = answer.fault().map_err(|fault| match fault {
        fault if fault.may_pass() => Broken::Again(fault.to_string()),
        fault => {
            let denied = fault.kind == FaultKind::Denied;
            Broken::Last(Failure::new("not_found_or_forbidden", fault.to_string(), denied))
        }
    })?;
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
    got.etag = answer.e_tag().map(str::to_owned).or(got.etag.take());
    let file = match &mut got.file {
        Some(file) => file,
        None => got.file.insert(create(scratch, length).await.map_err(Broken::Last)?),
    };
    // Written twice, it would be another film.
    if got.bytes + length != file.whole {
        return Err(Broken::Last(Failure::new("lost", "S3 does not go on where it broke off", true)));
    }
    body(answer.body, file, &mut got.bytes, progress).await
}

async fn create(scratch: &Scratch, length: u64) -> Result<Writing, Failure> {
    let temporary = scratch.file(length).map_err(|NoSpace { free }| {
        let folder = super::scratch::place();
        let why = format!(
            "its {length} bytes do not fit into {}, where {free} are free: make room, or name another folder with TMPDIR",
            folder.display()
        );
        Failure::new("no_space", why, true)
    })?;
    let file = tokio::fs::File::create_new(&temporary.path).await.map_err(|why| unwritten(&why))?;
    Ok(Writing { temporary, file, whole: length })
}

async fn body(mut body: ByteStream, to: &mut Writing, done: &mut u64, progress: &impl Fn(u64, u64)) -> Result<(), Broken> {
    while *done < to.whole {
        let piece = match timeout(SILENCE, body.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(why))) => return Err(Broken::Again(why.to_string())),
            Ok(None) => return Err(Broken::Again(format!("it broke off after {done} of {} bytes", to.whole))),
            Err(_) => return Err(Broken::Again(format!("S3 sent nothing for {}", format_duration(SILENCE)))),
        };
        to.file.write_all(&piece).await.map_err(|why| Broken::Last(unwritten(&why)))?;
        let bytes = piece.len() as u64;
        *done += bytes;
        to.temporary.wrote(bytes);
        progress(*done, to.whole);
    }
    // Whoever opens it by its name must find all of it.
    to.file.flush().await.map_err(|why| Broken::Last(unwritten(&why)))
}

fn unwritten(why: &std::io::Error) -> Failure {
    Failure::new("no_space", format!("it cannot be written into {}: {why}", super::scratch::place().display()), true)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A service that gives these answers, one a connection; what it was asked, in lower case.
    async fn service(answers: &'static [&'static str]) -> (aws_sdk_s3::Client, std::sync::Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::sync::Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                heard.lock().unwrap().push(String::from_utf8(request).unwrap().to_lowercase());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{address}"))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .build();
        (aws_sdk_s3::Client::from_conf(config), asked)
    }

    const OBJECT: Object<'_> = Object { bucket: "b", key: "videos/a.mp4", etag: "one" };

    #[tokio::test]
    async fn a_download_goes_on_where_it_broke_off_and_only_with_the_same_content() {
        let (s3, asked) = service(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"one\"\r\nconnection: close\r\n\r\n0123",
            "HTTP/1.1 206 Partial Content\r\ncontent-length: 6\r\netag: \"one\"\r\nconnection: close\r\n\r\n456789",
        ])
        .await;
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(place.path()).unwrap();
        let got = fetch(&s3, &scratch, &OBJECT, |_, _| {}).await.unwrap();
        assert_eq!(std::fs::read(&got.path).unwrap(), b"0123456789");
        let asked = asked.lock().unwrap();
        assert!(asked.iter().all(|request| request.contains("if-match: \"one\"")), "{asked:?}");
        assert!(!asked[0].contains("range:") && asked[1].contains("range: bytes=4-"), "{asked:?}");
    }

    #[tokio::test]
    async fn an_object_that_changed_or_does_not_fit_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(place.path()).unwrap();
        const CHANGED: &str =
            "HTTP/1.1 412 Precondition Failed\r\nx-amz-request-id: R\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let (s3, _) = service(&[CHANGED]).await;
        let why = fetch(&s3, &scratch, &OBJECT, |_, _| {}).await.unwrap_err();
        assert!(why.message.contains("changed after it was listed"), "{}", why.message);
        const LARGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9000000000000000\r\netag: \"one\"\r\nconnection: close\r\n\r\n";
        let (s3, _) = service(&[LARGE]).await;
        let why = fetch(&s3, &scratch, &OBJECT, |_, _| {}).await.unwrap_err();
        assert_eq!((why.code.as_str(), why.retryable), ("no_space", true));
        assert!(why.message.contains("9000000000000000 bytes do not fit"), "{}", why.message);
    }
}
