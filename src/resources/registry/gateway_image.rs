//! The gateway's image, under a tag that is a hash of its content: with that tag in the registry
//! nothing is built, and no Docker is needed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_ecr::types::{ImageFailure, ImageFailureCode, ImageIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Repository, RepositoryOutput};
use crate::cloud::aws::{Aws, OrFault};
use crate::cloud::docker::{Engine, Error as DockerError};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Fact, Fault, Found, Given, Node, Observation, Observe, Resource};

const DOCKERFILE: &str = include_str!("../../../Dockerfile");

/// The gateway's binary, beside our own.
const BINARY: &str = "tritondeploy-gateway";

/// The image of the gateway that lies beside this program.
#[derive(Default)]
pub struct GatewayImage {
    content: OnceLock<Result<Content, Fault>>,
}

/// What the image is made of.
struct Content {
    binary: PathBuf,
    tag: String,
}

/// An image in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageOutput {
    /// As a pod names it: `HOST/REPOSITORY:TAG@sha256:DIGEST`.
    pub reference: String,
}

/// Its tag says all of it.
#[derive(Serialize)]
pub struct State {
    tag: String,
}

impl GatewayImage {
    /// An image of the gateway binary beside the running program.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashed at the first use: `down` has no need of it.
    fn content(&self) -> Result<&Content, Fault> {
        let content = self.content.get_or_init(|| {
            let binary = beside(std::env::current_exe().map_err(|why| Fault::fatal(why.to_string()))?)?;
            let bytes = read(&binary)?;
            runs_on_nodes(&binary, &bytes)?;
            Ok(Content { tag: tag(DOCKERFILE.as_bytes(), &bytes), binary })
        });
        content.as_ref().map_err(Fault::clone)
    }

    async fn build_and_push(&self, cx: &Cx, repository: &RepositoryOutput) -> Result<(), Fault> {
        let content = self.content()?;
        let (user, password) = credentials(&cx.world.aws).await?;
        let binary = read(&content.binary)?;
        if tag(DOCKERFILE.as_bytes(), &binary) != content.tag {
            return Err(Fault::fatal(format!("{} has changed meanwhile; run this again", content.binary.display())));
        }
        let engine = Engine::connect().await.map_err(fault)?;
        let name = format!("{}:{}", repository.uri, content.tag);
        let files: [(&str, &[u8], u32); 2] = [("Dockerfile", DOCKERFILE.as_bytes(), 0o644), (BINARY, &binary, 0o755)];
        let progress = |what: &str, done, total| cx.progress(what, done, total);
        engine.build(&name, &files, &progress).await.map_err(fault)?;
        engine.push(&repository.uri, &content.tag, &user, &password, &progress).await.map_err(fault)?;
        engine.forget(&name).await;
        Ok(())
    }
}

/// What would keep the image from being made, told before anything is: no gateway binary, or neither
/// the image in the registry nor a Docker engine.
///
/// # Errors
/// The cause and the next step.
pub async fn preflight(cloud: &Cloud) -> Result<(), Fault> {
    let image = GatewayImage::new();
    let tag = &image.content()?.tag;
    match digest(&cloud.aws, &cloud.config.repository(), tag).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(_) => Engine::connect().await.map(drop).map_err(fault),
    }
}

fn fault(error: DockerError) -> Fault {
    let fault = match error {
        DockerError::Push { .. } => Fault::try_again(error.to_string()),
        DockerError::Credentials { .. } => Fault::denied(error.to_string()),
        _ => Fault::fatal(error.to_string()),
    };
    match error.next() {
        Some(next) => fault.with_next(next),
        None => fault,
    }
}

/// Finds the gateway's binary in the folder of ours. A test's program lies one folder deeper.
fn beside(program: PathBuf) -> Result<PathBuf, Fault> {
    let folder = program.parent().unwrap_or(Path::new("."));
    let above = folder.file_name().filter(|name| *name == "deps").and_then(|_| folder.parent());
    let candidates = [Some(folder), above];
    let found = candidates.into_iter().flatten().map(|folder| folder.join(BINARY)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Fault::fatal(format!("the gateway's binary is not beside this program: {} is not there", folder.join(BINARY).display()))
            .with_next(format!("put it there (`make dist` makes both), or build it with `cargo build -p {BINARY}`"))
    })
}

/// Refuses what nodes could not run: they are Linux on x86-64, whatever this machine is.
fn runs_on_nodes(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    // ELF's header (elf(5)): magic, 64 bits, little-endian; e_machine are two bytes at 18, EM_X86_64 is 62.
    let machine = bytes.get(18..20).map(|two| u16::from(two[0]) | u16::from(two[1]) << 8);
    let what = match machine.filter(|_| bytes.starts_with(b"\x7fELF\x02\x01")) {
        Some(62) => return Ok(()),
        Some(183) => "for arm64".to_owned(),
        Some(machine) => format!("for another processor (ELF machine {machine})"),
        None => "no 64-bit ELF file".to_owned(),
    };
    let why = format!("{} is {what}; nodes run Linux on x86-64", path.display());
    Err(Fault::fatal(why).with_next(format!(
        "put one for x86_64-unknown-linux-gnu there (`cargo build -p {BINARY} --target x86_64-unknown-linux-gnu`)"
    )))
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|why| Fault::fatal(format!("{} cannot be read: {why}", path.display())))
}

/// 80 bits of SHA-256 over all that is in the image; each part with its length, so that none runs into the next.
fn tag(dockerfile: &[u8], binary: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [dockerfile, binary] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!("gateway-{}", tritondeploy_wire::manifest::hex(&hash.finalize()[..10]))
}

/// The digest under which the registry has this tag.
async fn digest(aws: &Aws, repository: &str, tag: &str) -> Result<Option<String>, Fault> {
    let id = ImageIdentifier::builder().image_tag(tag).build();
    let answer = aws.ecr.describe_images().repository_name(repository).image_ids(id).send().await;
    let found = answer.fault_or_absent(&["ImageNotFoundException", "RepositoryNotFoundException"])?;
    let image = found.and_then(|found| found.image_details.unwrap_or_default().into_iter().next());
    Ok(image.and_then(|image| image.image_digest))
}

/// ECR's user and password: base64 of `AWS:PASSWORD`, good for 12 hours.
async fn credentials(aws: &Aws) -> Result<(String, String), Fault> {
    let answer = aws.ecr.get_authorization_token().send().await.fault()?;
    let token = answer.authorization_data().first().and_then(|data| data.authorization_token());
    let text = token.and_then(|token| STANDARD.decode(token).ok()).and_then(|text| String::from_utf8(text).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or_else(|| Fault::fatal("ECR's authorization token makes no sense".to_owned()))?;
    Ok((user.to_owned(), password.to_owned()))
}

impl Observe for GatewayImage {
    type World = Cloud;
    const KIND: &'static str = "image";
    /// Images go with their repository; older ones stay until then, for a way back.
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Repository>;
    type Uses = ();
    type State = State;
    type Output = ImageOutput;

    fn want(&self, _: &Cloud, _: &Given<RepositoryOutput>, (): &()) -> State {
        State { tag: self.content().map(|content| content.tag.clone()).unwrap_or_default() }
    }

    async fn observe(&self, cx: &Cx, repository: &RepositoryOutput) -> Result<Observation<Self>, Fault> {
        let tag = self.content()?.tag.clone();
        let Some(digest) = digest(&cx.world.aws, &repository.name, &tag).await? else { return Ok(Observation::Absent) };
        let output = ImageOutput { reference: format!("{}:{tag}@{digest}", repository.uri) };
        Ok(Observation::Present(Found::one(output, State { tag })))
    }

    fn patience(&self, action: Action) -> Duration {
        match action {
            Action::Create => Duration::from_secs(15 * 60),
            Action::Update | Action::Delete | Action::Watch => Duration::from_secs(120),
        }
    }

    fn facts(&self, found: &ImageOutput) -> Vec<Fact> {
        vec![Fact { key: "gateway_image", value: found.reference.clone() }]
    }
}

impl Resource for GatewayImage {
    async fn create(&self, cx: &Cx, repository: &RepositoryOutput, (): &()) -> Result<(), Fault> {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Fault::try_again("stopped before the image was pushed".to_owned())),
            done = self.build_and_push(cx, repository) => done,
        }
    }

    async fn delete(&self, cx: &Cx, repository: &RepositoryOutput, _: &ImageOutput) -> Result<(), Fault> {
        let id = ImageIdentifier::builder().image_tag(&self.content()?.tag).build();
        let answer = cx.world.aws.ecr.batch_delete_image().repository_name(&repository.name).image_ids(id).send().await;
        let answer = answer.fault_or_absent(&["RepositoryNotFoundException"])?;
        // ECR answers 200 with what it did not do.
        let failures = answer.map(|answer| answer.failures.unwrap_or_default()).unwrap_or_default();
        let is_gone = |failure: &&ImageFailure| failure.failure_code() != Some(&ImageFailureCode::ImageNotFound);
        let told = failures.iter().find(is_gone).map(|failure| {
            let code = failure.failure_code().map_or("a failure", ImageFailureCode::as_str);
            format!("ecr:BatchDeleteImage: {code}: {}", failure.failure_reason().unwrap_or("no reason given"))
        });
        told.map_or(Ok(()), |why| Err(Fault::try_again(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_tag() {
        assert_eq!(tag(b"a", b"b"), tag(b"a", b"b"));
        assert_ne!(tag(b"a", b"b"), tag(b"ab", b""));
        assert!(tag(b"", b"").len() < 128);
    }

    #[test]
    fn a_gateway_for_another_machine_is_refused() {
        let refused = |bytes: &[u8]| runs_on_nodes(Path::new("g"), bytes).err().map(|fault| fault.message);
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(18, 0);
        let of = |machine: u16| [&elf[..], &machine.to_le_bytes(), &[0; 40]].concat();
        assert_eq!(refused(&of(62)), None);
        assert_eq!(refused(&of(183)).unwrap(), "g is for arm64; nodes run Linux on x86-64");
        assert!(refused(&of(243)).unwrap().contains("ELF machine 243"));
        // Mach-O, a script, and a file that breaks off.
        for bytes in [&b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\0\0\0\0\0\0>\0"[..], b"#!/bin/sh", b"\x7fELF\x02\x01"] {
            assert_eq!(refused(bytes).unwrap(), "g is no 64-bit ELF file; nodes run Linux on x86-64");
        }
    }

    #[test]
    fn a_gateway_that_is_not_there_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let why = beside(folder.path().join("tritondeploy")).unwrap_err();
        assert!(why.next.as_ref().unwrap().contains("make dist"), "{why}");
        std::fs::write(folder.path().join(BINARY), "x").unwrap();
        assert_eq!(beside(folder.path().join("tritondeploy")).unwrap(), folder.path().join(BINARY));
        assert_eq!(beside(folder.path().join("deps/test")).unwrap(), folder.path().join(BINARY));
    }
}
