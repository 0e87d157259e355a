//! What a bucket or a repository holds, as far as it is cheap to know.

use aws_sdk_ecr::types::ImageDetail;
use aws_sdk_s3::types::{EncodingType, ObjectVersion};
use serde::Serialize;

use super::aws::{Aws, OrFault};
use super::keys::decoded;
use crate::engine::Fault;

/// Pages of 1,000 that are counted; whoever has more is told so.
const PAGES: usize = 10;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// Of objects, in S3.
    Bucket,
    /// Of images, in ECR.
    Repository,
}

/// What is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Objects, or images.
    pub count: u64,
    /// Their sizes together. Layers that images share are counted with each of them.
    pub bytes: u64,
    /// There is more, which was not counted.
    pub more: bool,
}

impl Contents {
    fn add(&mut self, sizes: impl Iterator<Item = i64>) {
        for bytes in sizes {
            self.count += 1;
            self.bytes += u64::try_from(bytes).unwrap_or_default();
        }
    }
}

impl Store {
    /// Counts what is in the store of this name.
    ///
    /// # Errors
    /// When S3 or ECR does not tell.
    pub async fn contents(self, aws: &Aws, name: &str) -> Result<Contents, Fault> {
        let mut contents = Contents::default();
        match self {
            Self::Bucket => {
                // Versions that nobody sees are billed, too.
                let (mut key, mut version) = (None, None);
                for page in 0.. {
                    if page == PAGES {
                        contents.more = true;
                        break;
                    }
                    let call = aws.s3.list_object_versions().bucket(name).expected_bucket_owner(&aws.account);
                    let call = call.encoding_type(EncodingType::Url);
                    let found = call.set_key_marker(key).set_version_id_marker(version).send().await.fault()?;
                    contents.add(found.versions().iter().filter_map(ObjectVersion::size));
                    if found.is_truncated() != Some(true) {
                        break;
                    }
                    key = found.next_key_marker().map(|key| decoded(key, found.encoding_type()));
                    version = found.next_version_id_marker;
                }
            }
            Self::Repository => {
                let call = aws.ecr.describe_images().repository_name(name).max_results(1000);
                let mut pages = call.into_paginator().send();
                for page in 0.. {
                    let Some(found) = pages.next().await else { break };
                    if page == PAGES {
                        contents.more = true;
                        break;
                    }
                    contents.add(found.fault()?.image_details().iter().filter_map(ImageDetail::image_size_in_bytes));
                }
            }
        }
        Ok(contents)
    }
}
