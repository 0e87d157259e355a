//! Answers of real AWS, given to our clients, looks and acts: what is understood is held to what is meant.
//!
//! The recordings are not ours to give away: without them this is skipped. What is meant is derived from an answer itself
//! (`meaning.rs`, `states.rs`), so that answers which nobody here has seen can be tried.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod acts;
mod calls;
mod corpus;
mod errors;
mod found;
mod looks;
mod meaning;
mod states;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};
use tritondeploy::cloud::kept::kept_first;
use tritondeploy::cloud::{Cloud, Cx};
use tritondeploy::config::Config;
use tritondeploy_support::replay::Replay;

use corpus::{Recording, counts};
use found::Meant;
use world::NODE;

/// A client of a replay, and all recordings; None: there are none.
async fn started() -> Option<(Replay, Arc<Cloud>, Vec<Recording>)> {
    let all = corpus::all()?;
    let replay = Replay::start();
    let cloud = replay.cloud(Config::default()).await;
    Some((replay, cloud, all))
}

/// Fails with all that went wrong.
fn none_wrong(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{} {what} were misunderstood:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_recorded_answer_is_understood_by_the_client_that_asks_for_it() {
    let Some((replay, cloud, all)) = started().await else { return };
    let (mut wrong, mut replayed, mut never) = (Vec::new(), Vec::new(), BTreeSet::new());
    for of in &all {
        let Some(call) = calls::call(&cloud.aws, of.call()) else {
            never.insert(of.call());
            continue;
        };
        replay.answer(&[of.sent()]);
        let understood = call.await;
        replayed.push(of);
        wrong.extend(misunderstood(of, &understood).into_iter().map(|why| format!("{of}: {why}")));
    }
    let never: Vec<String> = never.into_iter().map(|(service, operation)| format!("{service}:{operation}")).collect();
    eprintln!("replayed {} of {} recorded answers: {}", replayed.len(), all.len(), counts(replayed));
    eprintln!("never called by us, and not replayed: {}", never.join(", "));
    none_wrong(&wrong, "answers");
}

/// What the client got wrong about an answer, or about an error.
fn misunderstood(of: &Recording, understood: &calls::Understood) -> Vec<String> {
    if of.is_error() {
        return errors::misunderstood(of, understood);
    }
    match &understood.told {
        Err(fault) => vec![format!("an answer was taken for an error: {fault} ({})", understood.code)],
        Ok(told) if told.contains("UnknownVariantValue") && unread_word(of).is_none() => {
            let at = told.find("UnknownVariantValue").unwrap_or_default();
            vec![format!("a word that the client does not know: {}", &told[at.saturating_sub(60)..told.len().min(at + 60)])]
        }
        Ok(_) => Vec::new(),
    }
}

/// Why a word that the SDK's enum does not know may be in an answer: our code does not read it as that.
fn unread_word(of: &Recording) -> Option<&'static str> {
    match of.operation.as_str() {
        "DescribeVpcEndpoints" | "CreateVpcEndpoint" => {
            Some("states are in another case than in the model; they are read as text")
        }
        // The model has `attached`, EC2 has said `available` for ever.
        "DescribeInternetGateways" | "CreateInternetGateway" => Some("of an attachment, the VPC alone is read"),
        // Its older `status` has the newer one's words; we read neither, but the days on which support ends.
        "DescribeClusterVersions" => Some("of a version, the end of its support alone is read"),
        _ => None,
    }
}

#[tokio::test]
async fn every_recorded_state_is_what_a_look_finds() {
    let Some((replay, cloud, all)) = started().await else { return };
    let cx = Cx::new(cloud.clone(), NODE);
    let (mut wrong, mut replayed) = (Vec::new(), Vec::new());
    for of in all.iter().filter(|of| !of.operation.starts_with("Create") && calls::CALLED.contains(&of.call())) {
        for (thing, sent) in things(&cloud, of) {
            for part in looks::parts(&of.operation) {
                replay.answer(&[world::around(&cloud, &thing), vec![sent.clone()]].concat());
                let Some(found) = looks::looked(&cx, &of.operation, *part, &thing).await else { continue };
                replayed.push(of);
                assert!(replay.called().contains(&format!("{}:{}", of.service, of.operation)), "{of}: not asked for");
                let said = format!("{found:?}");
                let right = match meant(of, *part, &thing) {
                    Ok(meant) => found.is_ok_and(|found| meant.is(&found)),
                    Err(kind) => found.is_err_and(|fault| fault.kind == kind),
                };
                if !right {
                    wrong.push(format!("{of}, {part:?}: {said}, and {:?} is meant", meant(of, *part, &thing)));
                }
            }
        }
    }
    eprintln!("looked at {} recorded things and errors: {}", replayed.len(), counts(replayed));
    none_wrong(&wrong, "things");
}

/// Each thing of an answer by itself, as ours; an error as it is.
fn things(cloud: &Cloud, of: &Recording) -> Vec<(Value, Value)> {
    if of.is_error() {
        return vec![(Value::Null, of.sent())];
    }
    let ours = |thing: &Value| world::made_ours(cloud, &of.service, &of.operation, thing.clone());
    let Some(list) = world::list_of(&of.operation) else {
        let answer = ours(&of.answer);
        return vec![(answer.clone(), of.sent_with(answer))];
    };
    let all = of.answer[list].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().map(ours).map(|thing| (thing.clone(), of.sent_with(json!({list: [thing]})))).collect()
}

/// What a look should find, or the fault that it should end with.
fn meant(of: &Recording, part: looks::Part, thing: &Value) -> Result<Meant, tritondeploy::engine::FaultKind> {
    if of.is_error() {
        return states::of_error(of).ok_or_else(|| meaning::meaning(of));
    }
    Ok(states::of_thing(&of.operation, part, thing))
}

#[tokio::test]
async fn every_recorded_answer_to_an_act_is_what_a_walk_makes_of_it() {
    let Some((replay, cloud, all)) = started().await else { return };
    let cx = Cx::new(cloud.clone(), NODE);
    let (mut wrong, mut replayed) = (Vec::new(), Vec::new());
    for of in &all {
        replay.answer(&[world::around(&cloud, &Value::Null), vec![of.sent()]].concat());
        let Some(done) = acts::acted(&cx, &of.operation).await else { continue };
        replayed.push(of);
        let meant = acts::meant(of);
        assert!(replay.called().contains(&format!("{}:{}", of.service, of.operation)), "{of}: not called");
        if done.as_ref().err().map(|fault| fault.kind) != meant {
            wrong.push(format!("{of}: {done:?}, and {meant:?} is meant"));
        }
    }
    eprintln!("acted {} times: {}", replayed.len(), counts(replayed));
    none_wrong(&wrong, "answers to acts");
}

/// What our code calls and `calls.rs` does not would be taken for an operation that we never call.
#[test]
fn whatever_is_recorded_and_called_is_replayed() {
    let Some(all) = corpus::all() else { return };
    let sources = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).into_iter().map(|entry| entry.unwrap());
    let sources = sources.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "rs"));
    let code: String = sources.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect();
    let operations: BTreeSet<(&str, &str)> = all.iter().map(Recording::call).collect();
    let words = Regex::new("([a-z0-9])([A-Z])").unwrap();
    for (service, operation) in operations {
        let client = match service {
            "elbv2" => "elb",
            "resourcegroupstaggingapi" => "tagging",
            "service-quotas" => "quotas",
            service => service,
        };
        let word = operation.replace("OpenIDConnect", "OpenIdConnect").replace("AWS", "Aws");
        let word = words.replace_all(&word, "${1}_$2").to_lowercase();
        let called = Regex::new(&format!(r"\b{client}(\(\))?\s*\.{word}\(\)")).unwrap().is_match(&code);
        let replayed = calls::CALLED.contains(&(service, operation));
        assert_eq!(called, replayed, "{service}:{operation}: called by us, and in calls.rs");
    }
}

/// EC2 writes an endpoint's state in lower case, and goes on telling of one that is gone.
#[tokio::test]
async fn a_vpc_is_not_kept_for_an_endpoint_that_is_gone() {
    let replay = Replay::start();
    let cloud = replay.cloud(Config::default()).await;
    for state in ["deleting", "deleted"] {
        let endpoints = json!({"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "VpcId": "vpc-2", "State": state}]});
        let gone = corpus::sent("ec2", "DescribeVpcEndpoints", 200, endpoints);
        replay.answer(&[world::around(&cloud, &Value::Null), vec![gone]].concat());
        let both = ["vpc-1", "vpc-2"].map(str::to_owned).to_vec();
        let kept = kept_first(&cloud.aws, &cloud.config, both.clone()).await.unwrap();
        assert_eq!(kept, both, "the endpoint is {state}");
    }
}
