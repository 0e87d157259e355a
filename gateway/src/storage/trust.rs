//! An HTTPS client that trusts the public roots it carries: an image FROM scratch has none on disk.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One TLS provider in the process: the same `ring` as everywhere else.
const PROVIDER: Provider = Provider::Rustls(CryptoMode::Ring);

/// How long a connection is kept for the next object, and how many are: each keeps the buffer of up to 400 KiB that hyper
/// has read objects into, and after a peak hundreds would keep it for hyper's 90 s.
const IDLE_TIME: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 64;

/// A client that trusts the public roots and those in the PEM file `bundle`.
pub(super) fn client(bundle: Option<&str>) -> Result<SharedHttpClient, String> {
    let mut store = TrustStore::empty().with_pem_certificate(public_roots());
    if let Some(path) = bundle {
        let pem = std::fs::read(path).map_err(|e| format!("the CA bundle {path} cannot be read: {e}"))?;
        store = store.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|e| format!("the TLS set-up failed: {e}"))?;
    let builder = Builder::new().pool_idle_timeout(IDLE_TIME).pool_max_idle_per_host(IDLE_CONNECTIONS);
    Ok(builder.tls_provider(PROVIDER).tls_context(context).build_https())
}

/// Mozilla's roots, in the one form that the SDK's client takes.
fn public_roots() -> Vec<u8> {
    let mut pem = String::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(root);
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_roots_are_taken_and_a_missing_bundle_is_said() {
        assert!(public_roots().starts_with(b"-----BEGIN CERTIFICATE-----\n"));
        assert!(client(None).is_ok());
        let why = client(Some("/nowhere/ca.pem")).unwrap_err();
        assert!(why.contains("/nowhere/ca.pem"), "{why}");
    }
}
