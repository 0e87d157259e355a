//! The certificates of `ca_bundle`, as the pod gets them.

use std::path::Path;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// As much as a ConfigMap holds beside the gateway's configuration (Kubernetes: 1 MiB in all), in bytes.
const LARGEST: usize = 900 << 10;

/// Only the certificates of a PEM file: a key that lies beside them stays here.
///
/// # Errors
/// When it cannot be read, has no certificate in it, or is too large for the pod.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read(path).map_err(|why| why.to_string())?;
    let roots = certificates(&String::from_utf8_lossy(&text));
    match roots.len() {
        0 => Err("there is no certificate in it".to_owned()),
        bytes if bytes > LARGEST => Err(format!("its certificates have {bytes} bytes, and the pod can be given {LARGEST}")),
        _ => Ok(roots),
    }
}

fn certificates(pem: &str) -> String {
    let after = pem.split(BEGIN).skip(1);
    let one = |part: &str| part.split_once(END).map(|(body, _)| format!("{BEGIN}\n{}\n{END}\n", body.trim()));
    after.filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_taken_and_keys_stay() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        let pem = format!("a note\r\n{BEGIN}\nYQ==\n{END}\n{key}{BEGIN}\nYg==\n{END}");
        assert_eq!(certificates(&pem), format!("{BEGIN}\nYQ==\n{END}\n{BEGIN}\nYg==\n{END}\n"));
        assert_eq!(certificates(key), "");
    }
}
