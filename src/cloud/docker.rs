//! The Docker engine: builds an image from a folder in memory, and pushes it.
//!
//! The legacy builder, so that every engine since 20.10 and Podman will do. Both streams are read to
//! their end: the engine answers 200 first and tells errors, wrong credentials too, as a late line.

use std::collections::HashMap;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::models::ProgressDetail;
use bollard::query_parameters::{BuildImageOptionsBuilder, PushImageOptionsBuilder};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

/// Where the engine listens, unless `DOCKER_HOST` says otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The platform of every node.
pub const PLATFORM: &str = "linux/amd64";

/// A build from scratch copies files; a push sends up to some hundred MB. Seconds.
const CALL_SECONDS: u64 = 600;

/// Why an image was not built or pushed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("no Docker engine answers at {host}: {why}")]
    Unreachable { host: String, why: String },
    #[error("Docker could not build the gateway image: {0}")]
    Build(String),
    #[error("{registry} does not let us push: {why}")]
    Credentials { registry: String, why: String },
    #[error("the push to {registry} broke off: {why}")]
    Push { registry: String, why: String },
    #[error("the image's files could not be packed: {0}")]
    Pack(#[from] std::io::Error),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable { .. } => {
                "start Docker, or set DOCKER_HOST (Docker is needed only until the image is in the registry)"
            }
            Self::Build(_) => "look at the engine's log (`docker info`, `journalctl -u docker`)",
            Self::Credentials { .. } => {
                "check that the caller may ecr:GetAuthorizationToken (on *), and on the repository \
                 ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload and \
                 ecr:PutImage"
            }
            Self::Push { .. } => "check that the repository is there and that Docker reaches the registry",
            Self::Pack(_) => return None,
        })
    }
}

/// Bytes done and to do, as the engine tells them.
pub type Progress<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// A Docker engine that answered.
pub struct Engine {
    docker: Docker,
}

impl Engine {
    /// Connects to `DOCKER_HOST`, or to the default socket, and agrees on a version of the API.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect() -> Result<Self, Error> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::at(host.as_deref().unwrap_or(DEFAULT_HOST)).await
    }

    async fn at(host: &str) -> Result<Self, Error> {
        let unreachable = |why: bollard::errors::Error| Error::Unreachable { host: host.to_owned(), why: told(&why) };
        let mut docker = Docker::connect_with_host(host).map_err(unreachable)?;
        docker.set_timeout(std::time::Duration::from_secs(10));
        let mut docker = docker.negotiate_version().await.map_err(unreachable)?;
        docker.ping().await.map_err(unreachable)?;
        docker.set_timeout(std::time::Duration::from_secs(CALL_SECONDS));
        Ok(Self { docker })
    }

    /// Builds the image `name` from these files (path, content, mode), one of which is the `Dockerfile`.
    ///
    /// # Errors
    /// The engine's own words.
    pub async fn build(&self, name: &str, files: &[(&str, &[u8], u32)], progress: Progress<'_>) -> Result<(), Error> {
        let context = packed(files)?;
        let options = BuildImageOptionsBuilder::default().t(name).platform(PLATFORM).rm(true).forcerm(true).build();
        let mut lines = self.docker.build_image(options, None, Some(bollard::body_full(context)));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|why| Error::Build(told(&why)))?;
            if let Some(step) = line.stream.as_deref().map(str::trim).filter(|step| step.starts_with("Step ")) {
                progress(step, 0, 0);
            }
        }
        Ok(())
    }

    /// Pushes `repository:tag`.
    ///
    /// # Errors
    /// The registry's own words, as the engine passes them on.
    pub async fn push(
        &self,
        repository: &str,
        tag: &str,
        user: &str,
        password: &str,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let registry = repository.split('/').next().unwrap_or_default().to_owned();
        let credentials = DockerCredentials {
            username: Some(user.to_owned()),
            password: Some(password.to_owned()),
            serveraddress: Some(registry.clone()),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let mut lines = self.docker.push_image(repository, Some(options), Some(credentials));
        let mut layers = HashMap::new();
        while let Some(line) = lines.try_next().await.map_err(|why| refused(&registry, told(&why)))? {
            // Engines tell an error in `error`, in `errorDetail`, or in both; bollard fails on the second.
            if let Some(ProgressDetail { current: Some(current), total: Some(total), .. }) = line.progress_detail {
                layers.insert(total, current);
                let sum = |numbers: &mut dyn Iterator<Item = &i64>| numbers.sum::<i64>().unsigned_abs();
                progress("pushing", sum(&mut layers.values()), sum(&mut layers.keys()));
            }
        }
        Ok(())
    }

    /// Forgets the local copy; whoever has it in the registry does not need it twice.
    pub async fn forget(&self, name: &str) {
        let options = bollard::query_parameters::RemoveImageOptionsBuilder::default().build();
        if let Err(why) = self.docker.remove_image(name, Some(options), None).await {
            tracing::debug!(target: "docker", image = name, why = told(&why), "not removed");
        }
    }
}

fn refused(registry: &str, why: String) -> Error {
    let words = why.to_lowercase();
    let credentials = ["denied", "unauthorized", "no basic auth", "authentication required", "not authorized"];
    let registry = registry.to_owned();
    if credentials.iter().any(|word| words.contains(word)) {
        return Error::Credentials { registry, why };
    }
    Error::Push { registry, why }
}

/// An error and its causes on one line.
fn told(error: &bollard::errors::Error) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        cause = error.source();
    }
    line
}

/// A build context: a tar of these files, the same bytes for the same files.
fn packed(files: &[(&str, &[u8], u32)]) -> Result<Bytes, std::io::Error> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        header.set_cksum();
        tar.append_data(&mut header, path, *content)?;
    }
    Ok(tar.into_inner()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_the_same_for_the_same_files() {
        let files: [(&str, &[u8], u32); 2] = [("Dockerfile", b"FROM scratch\n", 0o644), ("x", b"\x7fELF", 0o755)];
        assert_eq!(packed(&files).unwrap(), packed(&files).unwrap());
    }

    /// An engine that answers each push with these lines.
    async fn engine(lines: &'static str) -> (tempfile::TempDir, Engine) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = vec![0; 64 << 10];
                    while let Ok(read @ 1..) = socket.read(&mut request).await {
                        let head = String::from_utf8_lossy(&request[..read]).into_owned();
                        let body = match head.split(' ').nth(1).unwrap_or_default() {
                            path if path.contains("/version") => r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12"}"#,
                            path if path.contains("/push") => lines,
                            _ => "OK",
                        };
                        let json = "Content-Type: application/json";
                        let answer = format!("HTTP/1.1 200 OK\r\n{json}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        socket.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let engine = Engine::at(&format!("unix://{}/docker.sock", folder.path().display())).await.unwrap();
        (folder, engine)
    }

    #[tokio::test]
    async fn wrong_credentials_come_as_a_late_line_of_a_good_answer() {
        let lines = "{\"status\":\"Preparing\"}\r\n\
            {\"errorDetail\":{\"message\":\"unauthorized: authentication required\"},\"error\":\"unauthorized\"}\r\n";
        let (_folder, engine) = engine(lines).await;
        let why = engine.push("r.example/w", "t", "AWS", "wrong", &|_, _, _| ()).await.unwrap_err();
        assert!(matches!(&why, Error::Credentials { registry, .. } if registry == "r.example"), "{why}");
    }

    #[tokio::test]
    async fn a_push_that_ends_well_is_one() {
        let (_folder, engine) = engine("{\"status\":\"t: digest: sha256:0 size: 1\"}\r\n").await;
        engine.push("r.example/w", "t", "AWS", "p", &|_, _, _| ()).await.unwrap();
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_told_with_what_to_do() {
        let why = Engine::at("unix:///nowhere/docker.sock").await.err().unwrap();
        assert!(why.to_string().contains("/nowhere/docker.sock") && why.next().unwrap().contains("DOCKER_HOST"), "{why}");
    }

    #[test]
    fn every_right_that_a_push_needs_is_named() {
        // ECR guide, "IAM permissions for pushing an image".
        let told = refused("r", "denied: User is not authorized".to_owned()).next().unwrap();
        for action in [
            "GetAuthorizationToken",
            "BatchCheckLayerAvailability",
            "InitiateLayerUpload",
            "UploadLayerPart",
            "CompleteLayerUpload",
            "PutImage",
        ] {
            assert!(told.contains(&format!("ecr:{action}")), "no {action} in {told}");
        }
        assert!(!told.contains("ecr:*") && told.lines().count() == 1, "{told}");
    }

    #[test]
    fn wrong_credentials_are_told_from_a_broken_line() {
        let why = refused("r", "denied: User is not authorized".to_owned());
        assert!(matches!(why, Error::Credentials { .. }));
        assert!(matches!(refused("r", "EOF".to_owned()), Error::Push { .. }));
    }
}
