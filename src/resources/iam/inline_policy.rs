//! What the pod may do in the bucket, and no more: read it.

use serde::Serialize;
use serde_json::{Value, json};

use super::role::{Role, RoleOutput};
use super::{returned, statements};
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};
use crate::resources::storage::bucket::Bucket;

/// Read access to the bucket.
pub struct ModelAccess;

/// The policy's name on the role.
const NAME: &str = "model-access";

/// As little as Triton's models and v0's images need; written objects, versions and other buckets are out of reach.
fn document(role: &RoleOutput, bucket: &str) -> Value {
    let bucket = format!("arn:{}:s3:::{bucket}", role.partition());
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
                "Resource": bucket,
            },
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("{bucket}/*")},
        ],
    })
}

#[derive(Serialize)]
pub struct State {
    /// Its statements.
    document: Given<Value>,
}

impl Observe for ModelAccess {
    type World = Cloud;
    const KIND: &'static str = "role-policy";
    type Within = Node<Role>;
    type Uses = Node<Bucket>;
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, role: &Given<RoleOutput>, bucket: &Given<String>) -> State {
        State { document: role.zip(bucket).map(|(role, bucket)| statements(&document(role, bucket))) }
    }

    async fn observe(&self, cx: &Cx, role: &RoleOutput) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.iam.get_role_policy().role_name(&role.name).policy_name(NAME);
        let Some(found) = call.send().await.fault_or_absent(&["NoSuchEntity"])? else { return Ok(Observation::Absent) };
        Ok(Observation::Present(Found::one((), State { document: Given::Known(returned(found.policy_document())) })))
    }
}

impl Resource for ModelAccess {
    async fn create(&self, cx: &Cx, role: &RoleOutput, bucket: &String) -> Result<(), Fault> {
        let call = cx.world.aws.iam.put_role_policy().role_name(&role.name).policy_name(NAME);
        call.policy_document(document(role, bucket).to_string()).send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, role: &RoleOutput, bucket: &String, (): &(), _: &[Change]) -> Result<(), Fault> {
        self.create(cx, role, bucket).await
    }

    async fn delete(&self, cx: &Cx, role: &RoleOutput, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.iam.delete_role_policy().role_name(&role.name).policy_name(NAME);
        call.send().await.fault_or_absent(&["NoSuchEntity"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
