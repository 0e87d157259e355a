//! A call that is refused for its time: this machine's clock and AWS's differ.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::Timestamp;

use crate::engine::Fault;

/// What a signature of another time is answered with, whatever the code (`SignatureDoesNotMatch`, `InvalidSignatureException`):
/// "Signature expired: 20260101T000000Z is now earlier than 20260101T000200Z (20260101T000700Z - 5 min.)", and "Signature not
/// yet current: 20260101T000700Z is still later than 20260101T000500Z (20260101T000000Z + 5 min.)".
const LATE: &str = "Signature expired: ";
const EARLY: &str = "Signature not yet current: ";

/// Clocks may differ by so many seconds everywhere ("Signature Version 4", five minutes; some services allow fifteen).
const ALLOWED: i64 = 5 * 60;

/// Seconds that AWS's clock is ahead of this machine's, as its answer is dated.
fn ahead(response: Option<&HttpResponse>) -> Option<i64> {
    let dated = DateTime::from_str(response?.headers().get("date")?, Format::HttpDate).ok()?;
    Some(dated.secs() - Timestamp::now().as_second())
}

/// Of EC2, whose code for it is also that of credentials that have expired: by the date of its answer.
pub(super) fn wrong_by_date(code: &str, told: &str, response: Option<&HttpResponse>) -> Option<Fault> {
    let ahead = ahead(response).filter(|seconds| code == "RequestExpired" && seconds.abs() > ALLOWED)?;
    Some(wrong(told, Some(ahead)))
}

/// Where the service's words or its code say that it is the clock.
pub(super) fn wrong_by_words(code: &str, told: &str) -> Option<Fault> {
    let is_clock = code == "RequestTimeTooSkewed" || told.contains(LATE) || told.contains(EARLY);
    is_clock.then(|| wrong(told, skew(told)))
}

fn wrong(told: &str, ahead: Option<i64>) -> Fault {
    let fault = Fault::denied(told).with_next("set this machine's clock right (`timedatectl`, or its NTP service)");
    let Some(ahead) = ahead else { return fault.about("this machine's clock is wrong") };
    let minutes = ((ahead.abs() + 30) / 60).max(1);
    fault.about(format_args!("this machine's clock is {minutes} min {}", if ahead > 0 { "behind" } else { "ahead" }))
}

/// Seconds that AWS's clock is ahead, in the words of a signature that is refused.
fn skew(told: &str) -> Option<i64> {
    let (_, rest) = told.split_once(LATE).or_else(|| told.split_once(EARLY))?;
    let time = |text: &str| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text.get(..16)?).ok();
    let (signed, answered) = (time(rest)?, time(rest.split_once('(')?.1)?);
    Some(answered.duration_since(signed).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FaultKind;

    #[test]
    fn a_clock_that_is_wrong_is_told_with_how_far_and_which_way() {
        for (code, message, about) in [
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20260101T000000Z is now earlier than 20260101T000200Z (20260101T000700Z - 5 min.)",
                "this machine's clock is 7 min behind: ",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20260101T001000Z is still later than 20260101T000500Z (20260101T000000Z + 5 min.)",
                "this machine's clock is 10 min ahead: ",
            ),
            ("InvalidSignatureException", "Signature expired: soon", "this machine's clock is wrong: "),
            (
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                "this machine's clock is wrong: ",
            ),
        ] {
            let fault = wrong_by_words(code, message).unwrap();
            assert_eq!(fault.kind, FaultKind::Denied);
            assert!(fault.message.starts_with(about) && fault.message.contains(message), "{fault}");
            assert!(fault.next.as_ref().unwrap().contains("clock"), "{fault:?}");
        }
        let key = "The request signature we calculated does not match the signature you provided.";
        assert!(wrong_by_words("SignatureDoesNotMatch", key).is_none());
    }
}
