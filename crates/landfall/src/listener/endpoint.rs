//! How a client reached us, for the URLs in replies.

use http::HeaderMap;
use http::uri::Authority;

/// The rule, with the `--public-url`: who came by its host came by its scheme, whatever a proxy speaks to us.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Scheme and authority.
    public: Option<(String, Authority)>,
}

impl Endpoints {
    pub(crate) fn new(public_url: Option<&str>) -> Self {
        let public = public_url.and_then(|url| {
            let parts = url.parse::<http::Uri>().ok()?.into_parts();
            Some((parts.scheme?.to_string(), parts.authority?))
        });
        Self { public }
    }

    /// `scheme://Host` of a request that came by `scheme`.
    pub(super) fn of(&self, headers: &HeaderMap, scheme: &str) -> Option<String> {
        let host = headers.get("host")?.to_str().ok()?;
        match &self.public {
            Some((scheme, authority)) if authority.as_str().eq_ignore_ascii_case(host) => {
                Some(format!("{scheme}://{host}"))
            }
            _ => Some(format!("{scheme}://{host}")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn urls_follow_the_way_the_client_came() {
        for (public_url, scheme, host, endpoint) in [
            (None, "http", "127.0.0.1:4566", "http://127.0.0.1:4566"),
            (None, "https", "localhost:4566", "https://localhost:4566"),
            (Some("https://ci.example"), "http", "CI.example", "https://CI.example"),
            (Some("https://ci.example"), "http", "127.0.0.1:4566", "http://127.0.0.1:4566"),
            (Some("https://ci.example/"), "https", "ci.example:4566", "https://ci.example:4566"),
            (Some("no url"), "http", "localhost", "http://localhost"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().expect("a header value"));
            assert_eq!(Endpoints::new(public_url).of(&headers, scheme).as_deref(), Some(endpoint), "{public_url:?}");
        }
        assert_eq!(Endpoints::new(None).of(&HeaderMap::new(), "http"), None);
    }
}
