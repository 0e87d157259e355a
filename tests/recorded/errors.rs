//! Each recorded error, by the call that got it: its code, its words, and what a walk does about it.

use tritondeploy::engine::{Fault, FaultKind};

use crate::calls::Understood;
use crate::corpus::Recording;
use crate::meaning::{is_absence, is_elsewhere, is_quota, meaning};

/// What was misunderstood.
pub(crate) fn misunderstood(of: &Recording, understood: &Understood) -> Vec<String> {
    let Err(fault) = &understood.told else { return vec!["an error was taken for an answer".to_owned()] };
    let mut wrong = words(of, fault);
    let mut expect = |right: bool, what: String| wrong.extend((!right).then_some(what));
    expect(understood.in_another_region == is_elsewhere(of), format!("in another region: {}", understood.in_another_region));
    let meant = meaning(of);
    // What is not there is a word of its own where the call names the thing; see `looks` and `acts`.
    let is_meant = fault.kind == meant || (is_absence(of) && fault.kind == FaultKind::Fatal);
    expect(is_meant, format!("{:?}, and {meant:?} is meant", fault.kind));
    let next = fault.next.as_deref().unwrap_or_default();
    expect(!is_quota(of) || next.contains("Service Quotas"), format!("a quota, and the next step is {next:?}"));
    expect(fault.kind != FaultKind::Denied || !fault.message.is_empty(), "a refusal without a word".to_owned());
    wrong
}

/// AWS's own, all of them: by these a user finds help.
fn words(of: &Recording, fault: &Fault) -> Vec<String> {
    let mut wrong = Vec::new();
    // HTTP's own status, of an answer without a body.
    let bodiless = of.code().parse::<u16>().is_ok();
    let (code, message) = if bodiless { ("", "") } else { (of.code(), of.message()) };
    if !fault.message.contains(message) || !fault.message.contains(code) {
        wrong.push(format!("{:?} does not say {code:?} and {message:?}", fault.message));
    }
    if bodiless && !fault.message.contains(of.code()) {
        wrong.push(format!("{:?} does not say HTTP {}", fault.message, of.code()));
    }
    if !bodiless && fault.code() != code {
        wrong.push(format!("its code is {:?}", fault.code()));
    }
    let origin = fault.origin.clone().unwrap_or_default();
    // Policies do not tell cases apart.
    if !origin.call.to_lowercase().ends_with(&format!(":{}", of.operation.to_lowercase())) {
        wrong.push(format!("it is of {:?}", origin.call));
    }
    if origin.request_id.is_none() {
        wrong.push("no request id".to_owned());
    }
    wrong
}
