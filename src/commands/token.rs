//! `token`: what kubectl asks for.

use super::{Session, fault, log};
use crate::cloud::{aws, token};
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(session: &Session) -> Result<(), Error> {
    let config = session.config()?;
    // kubectl asks every few minutes: there is a log only where one is wanted.
    if session.log.is_some() {
        log::open(session.log.as_deref(), &config.name, "token")?;
    }
    // Who it is for is in the signature: with static credentials nobody is asked.
    let sdk = aws::offline(&config).await.map_err(|why| Error::failed(why.to_string(), why.next()))?;
    let (token, expires) = token::eks_token(&sdk, &config.name).await.map_err(|why| fault(&why, "make a token"))?;
    // https://kubernetes.io/docs/reference/config-api/client-authentication.v1beta1/
    show::foreign_json(&serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "spec": {},
        "status": {"expirationTimestamp": expires.to_string(), "token": token},
    }));
    Ok(())
}
