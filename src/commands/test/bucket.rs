//! The bucket: whether you can list it, and whether the gateway can read it. The one says nothing of the other.

use std::time::Duration;

use aws_sdk_s3::types::EncodingType;
use tokio::time::timeout;
use tritondeploy_client::v1::{Client, Code, Error, Request};

use super::inference::{INFERENCE, not_answered};
use super::side::{Deployment, Side};
use super::tally::{Found, Not};
use crate::cloud::Cloud;
use crate::cloud::aws::OrFault;
use crate::cloud::keys::decoded;
use crate::engine::format_duration;
use crate::resources::storage::photo;

/// For one page of the listing.
const LIST: Duration = Duration::from_secs(20);

/// Where clients put their images.
const IMAGES: &str = "images/";

/// What the gateway is asked to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Objects {
    /// The first image of somebody's.
    image: Option<String>,
    /// The built-in photo is there.
    has_proof: bool,
}

impl Objects {
    /// What is to be seen by whoever may not list: the photo that `up` puts there.
    pub(super) fn unknown() -> Self {
        Self { image: None, has_proof: true }
    }

    /// Of a page of a listing, as keys and sizes.
    fn of<'a>(page: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut objects = Self { image: None, has_proof: false };
        for (key, size) in page {
            if key == photo::KEY {
                objects.has_proof = true;
            } else if size > 0 && is_image(key) && objects.image.is_none() {
                objects.image = Some(key.to_owned());
            }
        }
        objects
    }

    /// Nobody has put an image there.
    pub(super) fn is_empty(&self) -> bool {
        self.image.is_none()
    }

    /// The key to read, where there is one.
    pub(super) fn key(&self) -> Option<&str> {
        self.image.as_deref().or(self.has_proof.then_some(photo::KEY))
    }
}

fn is_image(key: &str) -> bool {
    let suffix = key.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
    suffix.is_some_and(|suffix| ["jpg", "jpeg", "png", "webp", "gif", "bmp"].contains(&suffix.as_str()))
}

/// With the caller's own credentials.
pub(super) async fn list(cloud: &Cloud, ours: &Deployment) -> Found<Objects> {
    let bucket = cloud.bucket();
    let call = cloud.aws.s3.list_objects_v2().bucket(&bucket).prefix(IMAGES).expected_bucket_owner(&cloud.aws.account);
    let call = call.encoding_type(EncodingType::Url);
    let failed = |why: String| {
        let meaning = "your own credentials do not list the bucket; what the gateway may read is another matter";
        Not::failed(
            format!("s3://{bucket}/{IMAGES}: {why}"),
            meaning,
            format!("ask for s3:ListBucket; is the bucket there? {}", ours.status),
        )
    };
    let page = timeout(LIST, call.send()).await.map_err(|_| failed(format!("no answer within {}", format_duration(LIST))))?;
    let page = page.fault().map_err(|why| failed(why.to_string()))?;
    let keys: Vec<_> =
        page.contents().iter().map(|object| decoded(object.key().unwrap_or_default(), page.encoding_type())).collect();
    let sizes = page.contents().iter().map(|object| object.size().unwrap_or(0));
    let objects = Objects::of(keys.iter().map(String::as_str).zip(sizes));
    let count = page.contents().len();
    let more = if page.is_truncated() == Some(true) { " or more" } else { "" };
    let plural = if count == 1 { "" } else { "s" };
    let told = format!("you can list it: {count}{more} object{plural} in s3://{bucket}/{IMAGES}");
    Ok((objects, told))
}

/// By an inference of an object by reference. The value: whether it is an image that models can be asked for.
pub(super) async fn read(client: &Client, model: &str, key: &str, side: &Side) -> Found<bool> {
    let request = Request::object(key).models([model]).top(1).within(INFERENCE).once();
    match client.ask(request).await {
        Ok(reply) => {
            let fetched = Duration::from_micros(reply.timings.fetch);
            let took = crate::report::checks::milliseconds(fetched);
            Ok((true, format!("the gateway can read it: {key}, fetched in {took}")))
        }
        Err(Error::Refused(why)) if matches!(why.code, Code::UnsupportedImage | Code::TooLarge) => {
            Ok((false, format!("the gateway can read it: {key}, which it does not take for an image ({})", why.message)))
        }
        Err(Error::Refused(why)) if why.code == Code::NotFoundOrForbidden => {
            let meaning = "the gateway may not read the bucket (the pod's role), or the object has just gone";
            Err(Not::failed(format!("{key}: {}", why.message), meaning, side.next(|ours| ours.status.as_str(), "check its role")))
        }
        Err(why) => Err(not_answered(&why, side)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_is_read_else_the_built_in_photo() {
        let objects =
            Objects::of([("images/", 0), ("images/a.txt", 5), ("images/b.JPG", 0), ("images/c.JPG", 5), ("images/d.png", 5)]);
        assert_eq!(objects.key(), Some("images/c.JPG"));
        assert_eq!(Objects::of([("images/x.csv", 5), (photo::KEY, 5)]).key(), Some(photo::KEY));
        assert_eq!(Objects::of([("images/", 0)]).key(), None);
        assert_eq!(Objects::unknown().key(), Some(photo::KEY));
    }
}
