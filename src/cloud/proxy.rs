//! The proxy on the way to AWS and to the cluster, as the environment names it. Only HTTPS goes through it: credentials of an
//! instance or a container come over HTTP from the machine itself.

use aws_smithy_http_client::proxy::ProxyConfig;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

/// Where the proxy is named; in lower case as well.
pub(super) const VARIABLE: &str = "HTTPS_PROXY";

/// Never reached through a proxy: this machine, and what is on its own wire.
const NEAR: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10";

/// A proxy on the way, and what it wants in `Proxy-Authorization`.
pub(super) struct Via {
    pub(super) url: Uri,
    pub(super) auth: Option<HeaderValue>,
}

/// A proxy for HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// With the credentials that it wants, if it wants any.
    url: Uri,
    /// Names, suffixes, addresses and ranges that are reached directly.
    no_proxy: String,
}

impl Proxy {
    /// What HTTPS_PROXY and NO_PROXY say; the variable itself is not in the error, since it may hold a password.
    pub(super) fn from_env() -> Result<Option<Self>, String> {
        let of = |name: &str| std::env::var(name).or_else(|_| std::env::var(name.to_ascii_lowercase())).unwrap_or_default();
        Self::of(&of(VARIABLE), &of("NO_PROXY"))
    }

    /// What to think of where something was not reached over HTTPS; nothing without a proxy.
    pub(super) fn hint() -> String {
        Self::from_env().ok().flatten().map(|proxy| proxy.told()).unwrap_or_default()
    }

    /// Without what it wants to know of us.
    fn told(&self) -> String {
        let host = self.url.host().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("; HTTPS goes through the proxy {host}{port}, which {VARIABLE} names")
    }

    fn of(url: &str, no_proxy: &str) -> Result<Option<Self>, String> {
        if url.is_empty() {
            return Ok(None);
        }
        // As curl reads it.
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let url: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        match url.scheme_str() {
            Some("http" | "https") if url.host().is_some_and(|host| !host.is_empty()) => {}
            Some("http" | "https") => return Err("it names no host".to_owned()),
            scheme => return Err(format!("{} is not spoken", scheme.unwrap_or("its scheme"))),
        }
        Ok(Some(Self { url, no_proxy: format!("{NEAR},{no_proxy}") }))
    }

    /// For the AWS client.
    pub(super) fn of_aws(&self) -> ProxyConfig {
        let config = ProxyConfig::https(self.url.to_string()).map(|config| config.no_proxy(&self.no_proxy));
        // Its scheme and host have been looked at.
        config.unwrap_or_else(|_| ProxyConfig::disabled())
    }

    /// For the cluster's client, where this address is not to be reached directly.
    pub(super) fn on_the_way_to(&self, to: &Uri) -> Option<Via> {
        let rules = Matcher::builder().https(self.url.to_string()).no(self.no_proxy.as_str()).build();
        rules.intercept(to).map(|found| Via { url: self.url.clone(), auth: found.basic_auth().cloned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_through_the_proxy_but_where_none_is_wanted_and_near_addresses_never_do() {
        let proxy = Proxy::of("http://me:pa%40ss@proxy.example:3128", "10.0.0.0/8,.internal").unwrap().unwrap();
        let of = |to: &'static str| proxy.on_the_way_to(&Uri::from_static(to)).map(|via| via.url.to_string());
        let told = of("https://0a1b.gr7.us-east-1.eks.amazonaws.com").unwrap();
        assert_eq!(told.trim_end_matches('/'), "http://me:pa%40ss@proxy.example:3128");
        assert_eq!(proxy.told(), "; HTTPS goes through the proxy proxy.example:3128, which HTTPS_PROXY names");
        let via = proxy.on_the_way_to(&Uri::from_static("https://eks.example")).unwrap();
        assert_eq!(via.auth.unwrap(), "Basic bWU6cGFAc3M=");
        for direct in
            ["https://10.1.2.3", "https://api.internal", "https://127.0.0.1:6443", "https://localhost", "http://169.254.170.2"]
        {
            assert_eq!(of(direct), None, "{direct}");
        }
        assert!(!proxy.of_aws().is_disabled());
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
        assert_eq!(Proxy::of("", "x"), Ok(None));
        assert!(Proxy::of("proxy.example:3128", "").unwrap().is_some());
        for url in ["socks5://me:secret@proxy.example:1080", "http://", "http://me:secret@", "http://me:secret@pro xy"] {
            let why = Proxy::of(url, "").unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
