//! The session's cookie.
//!
//! Cookies do not know ports, so the name does: two servers on one machine keep apart. Over HTTPS the name's prefix
//! makes browsers refuse it from anybody but this host (RFC 6265bis, 4.1.3); that prefix wants the path `/`.

use super::route::PATH;

/// The cookie's name for requests that came by `endpoint` (`scheme://host[:port]`).
fn name(endpoint: &str) -> String {
    let (scheme, host) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let port =
        host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let prefix = if scheme == "https" { "__Host-" } else { "" };
    match port {
        Some(port) => format!("{prefix}landfall-console-{port}"),
        None => format!("{prefix}landfall-console"),
    }
}

/// The session's token in a `Cookie` header.
pub(crate) fn read<'h>(endpoint: &str, header: &'h str) -> Option<&'h str> {
    let name = name(endpoint);
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// `Set-Cookie` that signs in; without a token the one that signs out.
pub(crate) fn write(endpoint: &str, token: Option<&str>) -> String {
    let (path, secure) = if endpoint.starts_with("https://") { ("/", "; Secure") } else { (PATH, "") };
    let life = if token.is_some() { "" } else { "; Max-Age=0" };
    format!("{}={}; Path={path}; HttpOnly; SameSite=Strict{secure}{life}", name(endpoint), token.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes_follow_the_endpoint() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4566", "landfall-console-4566=t; Path=/_landfall/console; HttpOnly; SameSite=Strict"),
            ("https://ci.example.org", "__Host-landfall-console=t; Path=/; HttpOnly; SameSite=Strict; Secure"),
            ("https://[::1]:8443", "__Host-landfall-console-8443=t; Path=/; HttpOnly; SameSite=Strict; Secure"),
            ("http://[::1]", "landfall-console=t; Path=/_landfall/console; HttpOnly; SameSite=Strict"),
        ] {
            assert_eq!(write(endpoint, Some("t")), expected);
        }
        assert!(write("http://localhost", None).starts_with("landfall-console=; "));
        assert!(write("http://localhost", None).ends_with("; Max-Age=0"));
    }

    #[test]
    fn only_the_own_cookie_is_read() {
        let header = "a=b; landfall-console-4566=one;landfall-console-4567=two; landfall-console=three";
        for (endpoint, token) in [
            ("http://localhost:4566", Some("one")),
            ("http://localhost:4567", Some("two")),
            ("http://localhost", Some("three")),
            ("https://localhost:4566", None),
            ("http://localhost:4568", None),
        ] {
            assert_eq!(read(endpoint, header), token, "{endpoint}");
        }
        assert_eq!(read("http://localhost", "landfall-console"), None);
    }
}
