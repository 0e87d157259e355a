//! `infer`: one photo through the deployment's public WebSocket.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};

use super::{Start, fault};
use crate::classes::{self, Classified};
use crate::cli::Infer;
use crate::cloud::Cloud;
use crate::cloud::aws::OrFault;
use crate::error::Error;
use crate::report::show;
use crate::resources::storage::bucket;
use tritondeploy_client::{Client, Object, Request};
use tritondeploy_wire::manifest::hex;

pub(super) async fn run(start: &Start, infer: Infer) -> Result<(), Error> {
    let cloud = start.cloud("infer").await?;
    let url = address(start, &cloud).await?;
    let object = photo(&cloud, &infer.image).await?;
    let request = match &infer.model {
        Some(model) => Request::Image { model: model.clone(), object: object.clone() },
        None => Request::Pipelines(object.clone()),
    };
    let begun = std::time::Instant::now();
    let asked = async {
        let mut client = Client::connect(&url).await?;
        let answer = client.ask(&request).await;
        client.close().await;
        answer
    };
    let answer = asked.await.map_err(|why| match why {
        // It was the gateway's answer: nothing is wrong with the deployment.
        tritondeploy_client::Error::Refused(why) => Error::failed(why, "name another photo or --model"),
        why => Error::failed(why.to_string(), start.again("status")),
    })?;
    let took = begun.elapsed();
    let mut models = Vec::new();
    for (alias, outputs) in classes::by_model(answer, infer.model.as_deref()) {
        let (model, scores) = classes::meaning(&cloud.config, &alias);
        let labels = classes::labels(&cloud, &model).await.map_err(|why| fault(&why, "read the labels"))?;
        let top = classes::top(&outputs, usize::from(infer.top), scores, labels.as_deref());
        let top = top.map_err(|why| Error::failed(format!("{model}: {why}"), ""))?;
        models.push(Classified { alias, model, top });
    }
    if start.json() {
        let image = format!("s3://{}/{}", object.bucket, object.key);
        show::json(&serde_json::json!({"image": image, "models": models, "seconds": took.as_secs_f64()}));
    } else {
        show::classified(&models, took);
    }
    Ok(())
}

/// The deployment's WebSocket, where there is one.
async fn address(start: &Start, cloud: &std::sync::Arc<Cloud>) -> Result<String, Error> {
    let survey = start.look(&start.walk(cloud, false).await?).await?;
    let found = survey.sightings.iter().flat_map(|seen| &seen.facts).find(|fact| fact.key == "websocket");
    found.map(|fact| fact.value.clone()).ok_or_else(|| Error::failed("the deployment has no WebSocket yet", start.again("up")))
}

/// A local photo is put under `images/`, by its content.
async fn photo(cloud: &Cloud, image: &str) -> Result<Object, Error> {
    if let Some(rest) = image.strip_prefix("s3://") {
        let (bucket, key) = rest
            .split_once('/')
            .filter(|(_, key)| !key.is_empty())
            .ok_or_else(|| Error::usage(format!("{image} names no object"), "write s3://BUCKET/KEY"))?;
        return Ok(Object { bucket: bucket.to_owned(), key: key.to_owned() });
    }
    let bytes = std::fs::read(image)
        .map_err(|why| Error::usage(format!("{image} cannot be read: {why}"), "name a photo, or s3://BUCKET/KEY"))?;
    let digest = hex(&Sha256::digest(&bytes)[..8]);
    let name = Path::new(image).file_name().map_or_else(|| "photo".into(), |name| name.to_string_lossy());
    let object = Object { bucket: bucket::name(cloud), key: format!("images/{digest}-{name}") };
    let call = cloud.aws.s3.put_object().bucket(&object.bucket).key(&object.key).body(ByteStream::from(bytes));
    let answer = call.expected_bucket_owner(&cloud.aws.account).send().await;
    answer.fault().map_err(|why| fault(&why, "upload the photo"))?;
    Ok(object)
}
