//! The server that is asked, and what to do where it is not reached.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tritondeploy_client::address_without_secrets;

use super::super::{Session, log};
use super::address::of;
use super::run::{Meaning, Question, Server, Unreached};
use crate::cli::Infer;
use crate::cloud::Cloud;
use crate::config::{Config, Scores};
use crate::error::Error;
use crate::report::words::quoted;

/// Connects to the server that `--url` names, else to the deployment's. `cloud`: the deployment's, where it is needed.
pub(super) async fn connect(session: &Session, infer: &Infer, cloud: Option<&Arc<Cloud>>) -> Result<(Server, Question), Error> {
    let url = match (&infer.url, cloud) {
        (Some(url), _) => url.clone(),
        (None, Some(cloud)) => of(session, cloud).await?,
        (None, None) => return Err(Error::usage("there is no server to ask", "name one with --url")),
    };
    let bucket = cloud.map(|cloud| cloud.bucket());
    let meanings = meanings(&config(session, cloud.map(|cloud| &**cloud))?);
    let Infer { models, top, concurrency, protocol, .. } = infer;
    let question =
        Question { url, protocol: *protocol, models: models.clone(), top: *top, concurrency: *concurrency, bucket, meanings };
    let server = reached(question.clone(), session.cancel.clone());
    let server = server.await.ok_or_else(Error::unchanged)?.map_err(|why| told(session, infer, &why))?;
    Ok((server, question))
}

/// None: it was stopped.
async fn reached(question: Question, cancel: CancellationToken) -> Option<Result<Server, Unreached>> {
    tokio::select! {
        server = Server::connect(question, cancel.clone()) => Some(server),
        () = cancel.cancelled() => None,
    }
}

fn told(session: &Session, infer: &Infer, why: &Unreached) -> Error {
    let next = match (why, &infer.url) {
        (Unreached::UnsupportedSubprotocol(_), Some(_)) => {
            "ask with --protocol v0, which takes objects of the server's bucket only".to_owned()
        }
        (Unreached::UnsupportedSubprotocol(_), None) => {
            format!(
                "bring the deployment up to date ({}), or ask with --protocol v0, for objects of its bucket",
                session.again("up")
            )
        }
        (Unreached::Otherwise(_), _) => look(session, infer),
    };
    Error::failed(why.to_string(), next)
}

/// The command that tells what is wrong with the server.
pub(super) fn look(session: &Session, infer: &Infer) -> String {
    match &infer.url {
        None => session.again("status"),
        // What follows a `?` may be a secret, and messages end up in logs.
        Some(url) if address_without_secrets(url) == *url => format!("tritondeploy test --url {}", quoted(url)),
        Some(_) => "tritondeploy test, with the same --url".to_owned(),
    }
}

/// The log file, where no AWS is needed.
pub(super) fn log(session: &Session) -> Result<(), Error> {
    log::open(session.log.as_deref(), &session.config()?.name, "infer")
}

fn config(session: &Session, cloud: Option<&Cloud>) -> Result<Config, Error> {
    cloud.map_or_else(|| session.config(), |cloud| Ok(cloud.config.clone()))
}

/// What the configuration and the local model repository tell of the models, which protocol v0 does not.
fn meanings(config: &Config) -> Vec<Meaning> {
    let meaning = |alias: &str, model: &str, scores: Scores, is_in_pipeline: bool| {
        let labels = std::fs::read_to_string(config.models.directory.join(model).join("labels.txt")).unwrap_or_default();
        Meaning {
            is_in_pipeline,
            alias: alias.to_owned(),
            model: model.to_owned(),
            are_probabilities: scores == Scores::Probabilities,
            labels: labels.lines().map(str::to_owned).collect(),
        }
    };
    let pipeline = config.pipeline.iter().map(|known| meaning(&known.alias, &known.model, known.scores, true));
    let proof = config.proof.model.iter().map(|model| meaning(model, model, config.proof.scores, false));
    pipeline.chain(proof).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::engine::Timing;
    use crate::report::Mode;

    #[test]
    fn who_does_not_reach_the_server_is_told_which_command_looks_at_that_server() {
        let next = |line: &str, why: Unreached| {
            let Command::Infer(infer) = Cli::parse_from(line.split(' ')).command else { panic!("{line}") };
            let (config, cancel) = ("tritondeploy.toml".into(), CancellationToken::new());
            let region = Some("eu-west-1".to_owned());
            told(
                &Session {
                    config,
                    name: None,
                    region,
                    mode: Mode::Json,
                    log: None,
                    cancel,
                    timing: Timing::default(),
                    local: std::sync::OnceLock::new(),
                },
                &infer,
                &why,
            )
            .next()
            .to_owned()
        };
        let (ours, any) = ("tritondeploy infer a.jpg", "tritondeploy infer a.jpg --url ws://h/it's");
        let otherwise = || Unreached::Otherwise("refused".to_owned());
        let unspoken = || Unreached::UnsupportedSubprotocol("HTTP 400".to_owned());
        assert_eq!(next(ours, otherwise()), "tritondeploy status --region eu-west-1");
        assert_eq!(next(any, otherwise()), r"tritondeploy test --url 'ws://h/it'\''s'");
        assert!(!next("tritondeploy infer a.jpg --url ws://h/?secret", otherwise()).contains("secret"));
        assert!(next(ours, unspoken()).contains("tritondeploy up --region eu-west-1"));
        assert!(next(any, unspoken()).starts_with("ask with --protocol v0"));
    }
}
