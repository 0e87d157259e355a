//! The bundled photograph (a cat), put where clients put theirs: the proof asks for it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Bucket;
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Change, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};

/// A PNG of 451 x 300 pixels.
pub const PHOTO: &[u8] = include_bytes!("../../../assets/cat.png");
/// Its key.
pub const KEY: &str = "images/tritondeploy-proof.png";
/// Object metadata: what S3 has, as we put it there.
const SHA256: &str = "sha256";

/// The photo in the bucket.
pub struct ProofImage;

/// Its content.
#[derive(Serialize)]
pub struct State {
    sha256: String,
}

/// Where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofImageOutput {
    pub bucket: String,
    pub key: String,
}

fn sha256() -> String {
    tritondeploy_wire::manifest::hex(&Sha256::digest(PHOTO))
}

impl ProofImage {
    async fn put(cx: &Cx, bucket: &str) -> Result<(), Fault> {
        let aws = &cx.world.aws;
        let call = aws.s3.put_object().bucket(bucket).key(KEY).expected_bucket_owner(&aws.account);
        let call = call.content_type("image/png").metadata(SHA256, sha256()).body(ByteStream::from_static(PHOTO));
        call.send().await.fault().map(drop)
    }
}

impl Observe for ProofImage {
    type World = Cloud;
    const KIND: &'static str = "photo";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Bucket>;
    type Uses = ();
    type State = State;
    type Output = ProofImageOutput;

    fn want(&self, _: &Cloud, _: &Given<String>, (): &()) -> State {
        State { sha256: sha256() }
    }

    async fn observe(&self, cx: &Cx, bucket: &String) -> Result<Observation<Self>, Fault> {
        let aws = &cx.world.aws;
        let call = aws.s3.head_object().bucket(bucket).key(KEY).expected_bucket_owner(&aws.account);
        let found = call.send().await.fault_or_absent(&["NotFound", "NoSuchKey", "NoSuchBucket"])?;
        let Some(found) = found else { return Ok(Observation::Absent) };
        let sha256 = found.metadata().and_then(|metadata| metadata.get(SHA256)).cloned().unwrap_or_default();
        let output = ProofImageOutput { bucket: bucket.clone(), key: KEY.to_owned() };
        Ok(Observation::Present(Found::one(output, State { sha256 })))
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(120)
    }
}

impl Resource for ProofImage {
    async fn create(&self, cx: &Cx, bucket: &String, (): &()) -> Result<(), Fault> {
        Self::put(cx, bucket).await
    }

    async fn update(&self, cx: &Cx, bucket: &String, (): &(), _: &ProofImageOutput, _: &[Change]) -> Result<(), Fault> {
        Self::put(cx, bucket).await
    }

    async fn delete(&self, cx: &Cx, bucket: &String, found: &ProofImageOutput) -> Result<(), Fault> {
        let aws = &cx.world.aws;
        let call = aws.s3.delete_object().bucket(bucket).key(&found.key).expected_bucket_owner(&aws.account);
        call.send().await.fault_or_absent(&["NoSuchBucket"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
