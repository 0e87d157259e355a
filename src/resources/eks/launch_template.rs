//! How a node starts: its disk, its metadata service, and the tags of all that comes with it.
//!
//! With a managed node group the disk belongs here and the instance type there, each in one place;
//! no image id and no security groups, or EKS leaves its own out (EKS guide, "Customize managed
//! nodes with launch templates"). Tags reach instances, volumes and interfaces only through here.
//!
//! Never changed: its name carries a hash of what is in it, so that another one can be made beside it.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData, ResourceType,
    ResponseLaunchTemplateData, VolumeType,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tritondeploy_wire::manifest::hex;

use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Observation, Observe, Resource, UpdateMode};

pub struct LaunchTemplate {
    disk_gib: i32,
    /// AL2023 has one disk, Bottlerocket its data on a second one.
    device: &'static str,
}

/// Pods cannot reach the node's role through one hop more.
const HOPS: i32 = 1;

impl LaunchTemplate {
    /// For nodes with this disk and this image.
    #[must_use]
    pub fn new(disk_gib: i32, ami_type: &str) -> Self {
        let bottlerocket = ami_type.starts_with("BOTTLEROCKET");
        Self { disk_gib, device: if bottlerocket { "/dev/xvdb" } else { "/dev/xvda" } }
    }

    fn name(&self, cx: &Cx) -> String {
        let content = serde_json::to_vec(&self.content()).unwrap_or_default();
        format!("{}-nodes-{}", cx.world.config.name, &hex(&Sha256::digest(content))[..8])
    }

    fn content(&self) -> Content {
        Content {
            disk_gib: self.disk_gib,
            device: self.device.to_owned(),
            http_tokens: LaunchTemplateHttpTokensState::Required.as_str().to_owned(),
            hops: HOPS,
        }
    }

    /// The one of our name, where it does not carry our tags (or these cannot be filtered by yet).
    async fn by_name(&self, cx: &Cx) -> Result<Option<aws_sdk_ec2::types::LaunchTemplate>, Fault> {
        let call = cx.world.aws.ec2.describe_launch_templates().launch_template_names(self.name(cx));
        Ok(call.send().await.fault_or_absent(&ABSENT)?.and_then(|answer| answer.launch_templates?.into_iter().next()))
    }

    fn data(&self, tags: &Tags) -> RequestLaunchTemplateData {
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .volume_size(self.disk_gib)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let disk = LaunchTemplateBlockDeviceMappingRequest::builder().device_name(self.device).ebs(disk).build();
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_tokens(LaunchTemplateHttpTokensState::Required)
            .http_put_response_hop_limit(HOPS)
            .build();
        let tagged = |of: ResourceType| {
            LaunchTemplateTagSpecificationRequest::builder().resource_type(of).set_tags(Some(tags.ec2())).build()
        };
        let tagged = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface].map(tagged);
        RequestLaunchTemplateData::builder()
            .block_device_mappings(disk)
            .metadata_options(metadata)
            .set_tag_specifications(Some(tagged.to_vec()))
            .build()
    }
}

#[derive(Serialize)]
pub struct State {
    #[serde(flatten)]
    content: Content,
    /// Those of the template itself. What it puts on nodes is not compared: that would take another template, and new nodes.
    #[serde(flatten)]
    tags: Tagged,
}

/// What its name carries a hash of.
#[derive(Serialize)]
struct Content {
    disk_gib: i32,
    device: String,
    http_tokens: String,
    hops: i32,
}

impl Content {
    fn of(data: &ResponseLaunchTemplateData) -> Self {
        let disk = data.block_device_mappings().first();
        let metadata = data.metadata_options();
        let tokens = metadata.and_then(|metadata| metadata.http_tokens());
        Self {
            disk_gib: disk.and_then(|disk| disk.ebs()?.volume_size()).unwrap_or_default(),
            device: disk.and_then(|disk| disk.device_name()).unwrap_or_default().to_owned(),
            http_tokens: tokens.map_or("", LaunchTemplateHttpTokensState::as_str).to_owned(),
            hops: metadata.and_then(|metadata| metadata.http_put_response_hop_limit()).unwrap_or_default(),
        }
    }
}

/// A launch template at its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: String,
    pub version: i64,
}

/// What EC2 answers about a template that is not there.
const ABSENT: [&str; 2] = ["InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound"];

impl Observe for LaunchTemplate {
    type World = Cloud;
    const KIND: &'static str = "launch-template";
    type Within = ();
    type Uses = ();
    type State = State;
    type Output = Template;

    fn want(&self, cloud: &Cloud, (): &(), (): &()) -> State {
        State { content: self.content(), tags: cloud.wanted_tags() }
    }

    /// By its tags: one that was made for another configuration has another name, and goes with us too.
    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let (ec2, name, ours) = (&cx.world.aws.ec2, self.name(cx), cx.world.tags(&cx.node));
        let call = ec2.describe_launch_templates().set_filters(Some(ours.filters())).into_paginator().items();
        let mut found = call.send().try_collect().await.fault()?;
        if found.is_empty() {
            found.extend(self.by_name(cx).await?);
        }
        found.sort_by_key(|template| (template.launch_template_name() != Some(&name), template.launch_template_id.clone()));
        let mut found = found.into_iter();
        let Some(template) = found.next() else { return Ok(Observation::Absent) };
        let tags = Tags::from(template.tags());
        if !tags.same_owner(&ours) {
            return Ok(Observation::Foreign(format!("there is a launch template {name}; {}", tags.owner())));
        }
        let output = |template: aws_sdk_ec2::types::LaunchTemplate| Template {
            version: template.latest_version_number().unwrap_or(1),
            id: template.launch_template_id.unwrap_or_default(),
        };
        let (output, twins) = (output(template), found.map(output).collect());
        let id = &output.id;
        let versions = ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest");
        let versions = versions.send().await.fault_or_absent(&ABSENT)?;
        let version = versions.and_then(|answer| answer.launch_template_versions?.into_iter().next());
        let Some(version) = version else { return Ok(Observation::Absent) };
        let Some(data) = version.launch_template_data() else { return Ok(Observation::Absent) };
        Ok(Observation::Present(Found {
            actual: State { content: Content::of(data), tags: cx.world.tagged(tags) },
            output,
            twins,
            ails: Vec::new(),
        }))
    }

    fn id(&self, template: &Template) -> Option<String> {
        Some(template.id.clone())
    }
}

impl Resource for LaunchTemplate {
    async fn create(&self, cx: &Cx, (): &(), (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node);
        let call = cx.world.aws.ec2.create_launch_template().launch_template_name(self.name(cx));
        call.launch_template_data(self.data(&tags))
            .tag_specifications(tags.specification(ResourceType::LaunchTemplate))
            .client_token(cx.token())
            .send()
            .await
            .fault()
            .map(drop)
    }

    async fn update(&self, cx: &Cx, (): &(), (): &(), template: &Template, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&template.id), &steps(changes)).await
    }

    async fn delete(&self, cx: &Cx, (): &(), template: &Template) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_launch_template().launch_template_id(&template.id);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if is_of_tags(change) { UpdateMode::InPlace } else { UpdateMode::Replace }
    }
}
