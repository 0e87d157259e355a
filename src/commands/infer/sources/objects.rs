//! Objects, as S3 lists them.

use std::ops::ControlFlow;
use std::time::Duration;

use aws_sdk_s3::types::{EncodingType, Object, ObjectStorageClass};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::results::record::Item;
use super::{Found, Kind, Location, Seen, Skip, suffix};
use crate::cloud::aws::OrFault;
use crate::cloud::keys::decoded;
use crate::engine::Fault;
use crate::resources::storage::photo;

/// Times that a page is asked for.
const TRIES: u32 = 6;

/// Before the second time; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);

/// The objects below a prefix, in S3's order, page by page as they are taken. Where an object has the prefix as its whole
/// key, only that one.
pub(super) async fn all(
    s3: Option<&aws_sdk_s3::Client>,
    bucket: &str,
    prefix: &str,
    seen: &Seen,
    to: &mpsc::Sender<Found>,
) -> ControlFlow<()> {
    let Some(s3) = s3 else {
        seen.problem(format!(
            "s3://{bucket}/{prefix}: with --url, AWS is not asked on account of a list: name it on the command line"
        ));
        return ControlFlow::Continue(());
    };
    let (mut next, mut any) = (None, false);
    loop {
        // XML has no way to write some of the characters that keys have.
        let call = s3.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let call = call.set_continuation_token(next);
        let page = match page(&call, seen).await {
            Ok(page) => page,
            Err(why) => {
                seen.problem(format!("s3://{bucket}/{prefix} cannot be listed: {why}"));
                return ControlFlow::Continue(());
            }
        };
        for object in page.contents() {
            let key = decoded(object.key().unwrap_or_default(), page.encoding_type());
            // A folder's marker has the name of what it stands for, and says nothing of what else is there.
            let is_it = !any && key == prefix && !prefix.ends_with('/');
            any = true;
            listed(bucket, key, object, is_it, seen, to).await?;
            if is_it {
                return ControlFlow::Continue(());
            }
        }
        next = page.next_continuation_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    // An empty folder of the deployment is nothing to complain of; a key that is not there is.
    if !any && !prefix.is_empty() && !prefix.ends_with('/') {
        seen.problem(format!("s3://{bucket}/{prefix}: there is no such object, and none whose key begins so"));
    }
    ControlFlow::Continue(())
}

type Call = aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
type Page = aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

async fn page(call: &Call, seen: &Seen) -> Result<Page, Fault> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        seen.listed();
        match call.clone().send().await.fault() {
            Err(fault) if fault.may_pass() => sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    seen.listed();
    call.clone().send().await.fault()
}

async fn listed(
    bucket: &str,
    key: String,
    object: &Object,
    is_named: bool,
    seen: &Seen,
    to: &mpsc::Sender<Found>,
) -> ControlFlow<()> {
    let is_archived = matches!(object.storage_class(), Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive));
    let kind = suffix::promised(&key);
    let skip = match kind {
        _ if key.ends_with('/') => Some(Skip::FolderMarker),
        _ if is_archived => Some(Skip::Archived),
        _ if is_named => None,
        _ if key == photo::KEY => Some(Skip::Proof),
        None => Some(Skip::NeitherImageNorVideo),
        Some(_) => None,
    };
    if let Some(why) = skip {
        seen.skip(why);
        return ControlFlow::Continue(());
    }
    let version = object.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    found(bucket.to_owned(), key, version, bytes, kind.unwrap_or(Kind::Image), seen, to).await
}

/// One object of a list: nobody looks whether it is there.
pub(super) async fn one(bucket: String, key: String, seen: &Seen, to: &mpsc::Sender<Found>) -> ControlFlow<()> {
    // It was named: whatever it promises, it is asked for.
    let kind = suffix::promised(&key).filter(|kind| *kind == Kind::Video).unwrap_or(Kind::Image);
    found(bucket, key, String::new(), 0, kind, seen, to).await
}

async fn found(
    bucket: String,
    key: String,
    version: String,
    bytes: u64,
    kind: Kind,
    seen: &Seen,
    to: &mpsc::Sender<Found>,
) -> ControlFlow<()> {
    let item = Item { uri: format!("s3://{bucket}/{key}"), version };
    let found = Found { item, kind, location: Location::Object { bucket, key }, bytes, broken: None };
    seen.found(&found);
    match to.send(found).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
