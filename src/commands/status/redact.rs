//! Takes out what must not be pasted anywhere: credentials in any shape that we know, and the account's number.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands where something was taken out.
const GONE: &str = "[redacted]";

/// What each pattern finds becomes its replacement.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        // Keys and certificates in PEM, also within a string with escaped ends of lines.
        (r"(?s)-----BEGIN ([A-Z0-9 ]+)-----.*?-----END [A-Z0-9 ]+-----", "[redacted: $1]"),
        // Queries of presigned URLs, of all kinds of signature.
        (r"(?i)\b(x-(?:amz|goog)-[a-z-]*|awsaccesskeyid|signature|sig)=[^&\s\x22'`<>|]+", "$1=[redacted]"),
        // User and password in a URL.
        (r"\b([a-z][a-z0-9+.-]{1,20}://)[^/@\s\x22'`<>]+@", "$1[redacted]@"),
        // Headers.
        (r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie)(\x22?\s*[:=]\s*)[^\r\n]+", "$1$2[redacted]"),
        (r"(?i)\b(bearer|basic)\s+[a-z0-9+/_.~=-]{8,}", "$1 [redacted]"),
        // Values of what is called a secret, as in NAME=x, name: x, "name": "x".
        (
            r#"(?i)([a-z0-9_.-]*(?:secret|passw(?:or)?d|passwd|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[a-z0-9_.-]*)(\\*[\x22'])?(\s*[:=]\s*)(?:\\*\x22[^\x22\n]*\x22|'[^'\n]*'|[^\s\x22',;|]+)"#,
            "$1$2$3[redacted]",
        ),
        // Tokens that are known by how they begin.
        (r"\bk8s-aws-v1\.[A-Za-z0-9_=-]+", GONE),
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?", GONE),
        (r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}\b", GONE),
        (r"\b(?:gh[pousr]_|glpat-|xox[abprs]-|hf_|nvapi-)[A-Za-z0-9_-]{10,}", GONE),
        // An account's number where names have it, for it need not be known which one is ours.
        (r"\b\d{8}(\d{4})(\.dkr\.ecr\.|-[a-z]{2}(?:-[a-z]+)+-\d\b)", "********$1$2"),
        (r"\barn:(aws[a-z-]*):([a-z0-9-]*):([a-z0-9-]*):\d{8}(\d{4}):", "arn:$1:$2:$3:********$4:"),
    ];
    rules.into_iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, with))).collect()
});

/// Runs of what base64 is written with.
static LONG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/_=-]{40,}").ok());

/// The text without secrets. Of the account's number the last four digits stay.
pub(super) fn safe(text: &str, account: Option<&str>) -> String {
    let mut text = text.to_owned();
    for (rule, with) in RULES.iter() {
        text = rule.replace_all(&text, *with).into_owned();
    }
    if let Some(long) = LONG.as_ref() {
        let one = |found: &Captures<'_>| if is_key(&found[0]) { GONE.to_owned() } else { found[0].to_owned() };
        text = long.replace_all(&text, one).into_owned();
    }
    match account.filter(|account| account.len() > 4 && account.is_ascii()) {
        Some(account) => text.replace(account, &masked(account)),
        None => text,
    }
}

/// `********1234`.
fn masked(account: &str) -> String {
    let (hidden, shown) = account.split_at(account.len() - 4);
    "*".repeat(hidden.len()) + shown
}

/// An AWS secret key (40 characters), a session token, anything random that long: capitals, small letters and digits
/// mixed without words. Hashes are of one case; names and paths have parts that are words.
fn is_key(run: &str) -> bool {
    let part = |part: &str| {
        let mut cases = [false; 3];
        for byte in part.bytes() {
            cases[0] |= byte.is_ascii_uppercase();
            cases[1] |= byte.is_ascii_lowercase();
            cases[2] |= byte.is_ascii_digit();
        }
        cases.iter().all(|case| *case)
    };
    // How often it goes from one kind of letter to another: in words seldom, in random text every other time.
    let kind = |byte: u8| (byte.is_ascii_uppercase(), byte.is_ascii_digit(), byte.is_ascii_lowercase());
    let turns = run.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    part(run) && turns * 3 >= run.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of these is anybody's: AWS's own examples, and made-up ones.
    #[test]
    fn credentials_in_every_shape_are_taken_out() {
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl";
        let session = "IQoJb3JpZ2luX2VjEOv7q9Zk3XnR5mW8pLtY2sQeD4uGfH6jKbVcN1xMzA0oTiUyErSwPqLkJhGfDsAa";
        let texts = [
            ("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            ("denied for AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE"),
            (&format!("aws_secret_access_key = {key}"), key),
            (&format!("somebody pasted {key} here"), key),
            (&format!("{{\"SecretAccessKey\":\"{key}\"}}"), key),
            (&format!("token {session}"), session),
            ("\"password\": \"hunter two\"", "hunter"),
            (r#"{"env": "{\"password\":\"hunter2\"}"}"#, "hunter2"),
            ("db_password: hunter2", "hunter2"),
            ("--token=abc123", "abc123"),
            ("https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=0a1b2c&x=1", "0a1b2c"),
            ("https://joe:hunter2@proxy.example:3128/", "hunter2"),
            ("Authorization: Basic am9lOmh1bnRlcjI=", "am9lOmh1bnRlcjI"),
            ("sent Bearer abcdefgh1234", "abcdefgh1234"),
            (&format!("ws token {jwt}"), jwt),
            ("k8s-aws-v1.aHR0cHM6Ly9zdHM", "aHR0cHM6Ly9zdHM"),
            ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
            ("NGC nvapi-abcdefghijklmnop", "abcdefghijklmnop"),
        ];
        for (text, secret) in texts {
            let told = safe(text, None);
            assert!(!told.contains(secret), "{text}: {told}");
            assert!(told.contains("[redacted"), "{text}: {told}");
        }
    }

    #[test]
    fn what_support_asks_for_stays() {
        let digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for text in [
            digest,
            "image 000.dkr.ecr.us-east-1.amazonaws.com/websocket-pipeline:1.2.3",
            "pod triton-server-6d5f8c9b77-x2x4z: CrashLoopBackOff: back-off 40s restarting failed container",
            "failed to load 'resnet50_onnx' version 1: Internal: unexpected inference output 'resnetv24_dense0_fwd'",
            "k8s_triton-server/TritonRepository/ModelConfiguration/InputTensorDescription",
            "I1130 04:29:10.123456 1 server.cc:604] Started HTTPService at 127.0.0.1:8000",
            "websocket ws://a1b2c3d4-0123456789abcdef.elb.us-east-1.amazonaws.com:8080/",
            "request 7f3a9c52-1b2d-4e5f-8a6b-0c1d2e3f4a5b",
        ] {
            assert_eq!(safe(text, None), text);
        }
    }

    #[test]
    fn of_an_account_the_last_digits_stay() {
        let text = "arn:aws:iam::123456789012:role/x in bucket demo-123456789012-us-east-1, arn:aws:sts::999999990000:x";
        let wanted = "arn:aws:iam::********9012:role/x in bucket demo-********9012-us-east-1, arn:aws:sts::********0000:x";
        assert_eq!(safe(text, Some("123456789012")), wanted);
        assert_eq!(safe(text, None), wanted, "where nobody knows the account");
        let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1 at 1764480000123 ms, 123456789012 bytes";
        assert_eq!(safe(image, None), image.replacen("12345678", "********", 1));
    }
}
