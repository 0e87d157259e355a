//! The ECR repository of the gateway image.

use serde::Serialize;

use crate::cloud::aws::{OrFault, shown};
use crate::cloud::tags::{Tagged, Tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fact, Fault, Found, Observation, Observe, Resource, UpdateMode};

pub struct Repository {
    /// None: the configured one.
    name: Option<String>,
}

impl Repository {
    /// The configured one.
    #[must_use]
    pub fn configured() -> Self {
        Self { name: None }
    }

    /// One of another name, which an earlier configuration had.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self { name: Some(name.to_owned()) }
    }
}

/// The tag of every repository of ours, whatever its node is called.
const NODE: &str = "repository";

#[derive(Serialize)]
pub struct State {
    #[serde(flatten)]
    tags: Tagged,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryOutput {
    pub name: String,
    pub arn: String,
    /// What images of it are called, without the tag.
    pub uri: String,
}

/// What ECR answers about a repository that is not there.
const ABSENT: [&str; 1] = ["RepositoryNotFoundException"];

impl Observe for Repository {
    type World = Cloud;
    const KIND: &'static str = "repository";
    type Within = ();
    type Uses = ();
    type State = State;
    type Output = RepositoryOutput;

    fn want(&self, cloud: &Cloud, (): &(), (): &()) -> State {
        State { tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let configured = || cx.world.config.repository();
        look(cx, &self.name.clone().unwrap_or_else(configured)).await
    }

    fn facts(&self, repository: &RepositoryOutput) -> Vec<Fact> {
        vec![Fact { key: "repository", value: repository.uri.clone() }]
    }
}

impl Resource for Repository {
    async fn create(&self, cx: &Cx, (): &(), (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.ecr.create_repository().repository_name(cx.world.config.repository());
        call.set_tags(Some(cx.world.tags(NODE).ecr())).send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, (): &(), (): &(), found: &RepositoryOutput, changes: &[Change]) -> Result<(), Fault> {
        set::ecr(&cx.world.aws, &found.arn, &steps(changes)).await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }

    /// With its images, which are built again from what is here.
    async fn delete(&self, cx: &Cx, (): &(), repository: &RepositoryOutput) -> Result<(), Fault> {
        let call = cx.world.aws.ecr.delete_repository().repository_name(&repository.name).force(true);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }
}

/// One repository, by its name.
async fn look(cx: &Cx, name: &str) -> Result<Observation<Repository>, Fault> {
    let ecr = &cx.world.aws.ecr;
    let answer = ecr.describe_repositories().repository_names(name).send().await.fault_or_absent(&ABSENT)?;
    let Some(answer) = answer else { return Ok(Observation::Absent) };
    let repository = shown(answer.repositories.unwrap_or_default().into_iter().next(), "repository")?;
    let arn = repository.repository_arn.unwrap_or_default();
    let tags = ecr.list_tags_for_resource().resource_arn(&arn).send().await.fault_or_absent(&ABSENT)?;
    let Some(tags) = tags else { return Ok(Observation::Absent) };
    let tags = Tags::from(tags.tags());
    if !tags.same_owner(&cx.world.tags(NODE)) {
        return Ok(Observation::Foreign(format!("there is a repository {name}; {}", tags.owner())));
    }
    let uri = repository.repository_uri.unwrap_or_default();
    Ok(Observation::Present(Found::one(
        RepositoryOutput { name: name.to_owned(), arn, uri },
        State { tags: cx.world.tagged(tags) },
    )))
}
