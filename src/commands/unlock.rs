//! `unlock`: removes the lease of a run that has died.

use serde_json::json;

use super::{Session, fault, lock};
use crate::cloud::lease;
use crate::engine::format_duration;
use crate::error::Error;
use crate::report::{self, show};

pub(super) async fn run(session: &Session, yes: bool) -> Result<(), Error> {
    let cloud = session.cloud("unlock").await?;
    session.own_bucket(&cloud).await?;
    let bucket = cloud.bucket();
    let place = format!("s3://{bucket}/{}", lease::KEY);
    let read = lease::read(&cloud.aws, &bucket).await;
    let Some(seen) = read.map_err(|why| fault(&why, &format!("read the lease {place}")))? else {
        return told(session, "There is no lease: nobody changes this deployment now.", json!({"lease": null, "removed": false}));
    };
    let (holder, is_live) = (&seen.holder, seen.is_live());
    if !session.json() {
        show::line(format!("{place}: {holder}"));
        let age = seen.age.map_or_else(|| "at an unknown time".to_owned(), |age| format!("{} ago", format_duration(age)));
        show::line(match is_live {
            true => {
                format!("warning: that run renewed its lease {age} and is probably alive; without its lease it stops half done.")
            }
            false => format!("It is over: it was renewed {age}, and whoever wants it next takes it over."),
        });
    }
    if !yes {
        report::confirm("Remove its lease?", &session.cancel).await?;
    }
    let removed = lease::remove(&cloud.aws, &bucket, &seen).await;
    let removed = removed.map_err(|why| fault(&why, &format!("remove the lease {place}")))?;
    let line = if removed { "Removed." } else { "That run does not hold it any more: it has ended, or another has it." };
    told(session, line, json!({"lease": lock::fields(&seen), "removed": removed}))
}

fn told(session: &Session, line: &str, found: serde_json::Value) -> Result<(), Error> {
    if session.json() {
        show::json(&found);
    } else {
        show::line(line);
    }
    Ok(())
}
