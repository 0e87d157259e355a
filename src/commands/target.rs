//! A WebSocket's address, as `--url` names it.

use http::Uri;

use crate::error::Error;

/// A WebSocket's address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Target {
    /// As WebSocket clients want it.
    pub(in crate::commands) url: String,
    /// A name, or an address without brackets.
    pub(in crate::commands) host: String,
    /// Of the WebSocket.
    pub(in crate::commands) port: u16,
    /// `wss://`.
    pub(in crate::commands) tls: bool,
}

impl Target {
    /// # Errors
    /// When it is no `ws://` or `wss://` address.
    pub(in crate::commands) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str, next: String| Err(Error::usage(format!("--url {url}: {why}"), next));
        let example = || "write it as ws://HOST:8080/".to_owned();
        let Some((scheme, rest)) = url.split_once("://") else {
            return wrong("no ws:// or wss:// address", format!("did you mean ws://{url}?"));
        };
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            "http" => return wrong("the address of a WebSocket is asked for", format!("did you mean ws://{rest}?")),
            "https" => return wrong("the address of a WebSocket is asked for", format!("did you mean wss://{rest}?")),
            _ => return wrong("only ws:// and wss:// are WebSockets", example()),
        };
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(why) => return wrong(&format!("no address: {why}"), example()),
        };
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if authority.contains('@') {
            return wrong("it must not contain a user name: servers take none", example());
        }
        // The URI's parser takes any digits for a port.
        let bare = authority.len() == uri.host().unwrap_or_default().len();
        match uri.port_u16() {
            _ if host.is_empty() => wrong("it names no host", example()),
            None | Some(0) if !bare => wrong("the port must be a number from 1 to 65535", example()),
            port => {
                let port = port.unwrap_or(if tls { 443 } else { 80 });
                Ok(Self { url: url.to_owned(), host, port, tls })
            }
        }
    }

    /// As the header `Host` says it.
    pub(in crate::commands) fn authority(&self, port: u16) -> String {
        if self.host.contains(':') { format!("[{}]:{port}", self.host) } else { format!("{}:{port}", self.host) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let parse = |url| Target::parse(url).map(|it| (it.authority(it.port), it.host, it.tls)).map_err(|e| e.to_string());
        let told = |authority: &str, host: &str, tls| Ok((authority.to_owned(), host.to_owned(), tls));
        assert_eq!(parse("ws://localhost:8080/"), told("localhost:8080", "localhost", false));
        assert_eq!(parse("WSS://a.b/x?y"), told("a.b:443", "a.b", true));
        assert_eq!(parse("ws://[::1]:81"), told("[::1]:81", "::1", false));
        assert_eq!(parse("ws://a"), told("a:80", "a", false));
    }

    #[test]
    fn what_is_no_websocket_is_told_with_what_was_meant() {
        let next = |url| match Target::parse(url) {
            Err(why) => why.next().to_owned(),
            Ok(target) => panic!("{target:?}"),
        };
        assert_eq!(next("http://a:8080/"), "did you mean ws://a:8080/?");
        assert_eq!(next("https://a"), "did you mean wss://a?");
        assert_eq!(next("a:8080"), "did you mean ws://a:8080?");
        for url in [
            "",
            "ftp://a",
            "ws://",
            "ws://:80",
            "ws://u:p@a/",
            "ws://a:0/",
            "ws://a:99999/",
            "ws://a:x/",
            "ws://a b/",
            "ws://a:/",
        ] {
            next(url);
        }
    }
}
