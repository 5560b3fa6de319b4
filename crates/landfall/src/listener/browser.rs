//! In open mode anybody who reaches the port is let in, so no web page may reach it:
//! a foreign `Origin`, a cross-site fetch and an unknown `Host` (DNS rebinding) are
//! refused.

use http::HeaderMap;
use std::net::IpAddr;

/// The rule, with the hosts that a user named.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    active: bool,
    public_host: Option<String>,
}

impl Guard {
    /// A guard; `active` in open mode. `public_url` is the `--public-url`.
    pub(crate) fn new(active: bool, public_url: Option<&str>) -> Self {
        let public_host = public_url
            .and_then(|url| url.split("://").nth(1))
            .map(|rest| host_name(rest.split('/').next().unwrap_or_default()).to_lowercase());
        Self { active, public_host }
    }

    /// Refuses what only a browser on a foreign page would send.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        if !self.active {
            return Ok(());
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if header("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            return Err("a web page of another site made this request; with --auth open that is refused\n");
        }
        if header("origin").is_some_and(|origin| !self.is_ours(origin.split("://").nth(1).unwrap_or_default())) {
            return Err("the Origin of this request is another site; with --auth open that is refused\n");
        }
        // Names of AWS's lead here only by somebody's own proxy or hosts file; its pages are still anybody's.
        if header("host").is_some_and(|host| !self.is_ours(host) && !self.is_bucket(host) && !is_aws(host)) {
            return Err(
                "the Host of this request is none of this server's; with --auth open use 127.0.0.1, localhost or the --public-url\n",
            );
        }
        Ok(())
    }

    /// Virtual-host buckets of the public host. Good as a Host; as an Origin their pages are whoever's wrote the objects.
    fn is_bucket(&self, authority: &str) -> bool {
        let host = host_name(authority).to_lowercase();
        let public = self.public_host.as_deref();
        public.is_some_and(|public| host.strip_suffix(public).is_some_and(|bucket| bucket.ends_with('.')))
    }

    fn is_ours(&self, authority: &str) -> bool {
        let host = host_name(authority).to_lowercase();
        // Clients of logs:StartLiveTail put it before the name that they were given.
        let host = host.strip_prefix("stream-").unwrap_or(&host);
        host == "localhost"
            || host.ends_with(".localhost")
            || self.public_host.as_deref() == Some(host)
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

fn is_aws(authority: &str) -> bool {
    let host = host_name(authority).to_lowercase();
    agent::names::DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// `[::1]:80` → `[::1]`, `localhost:80` → `localhost`.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_local_passes() {
        let guard = Guard::new(true, Some("https://ci.example.org:8443/x"));
        for (name, value, passes) in [
            ("host", "127.0.0.1:4566", true),
            ("host", "[::1]:4566", true),
            ("host", "localhost", true),
            ("host", "bucket.s3.localhost:4566", true),
            ("host", "CI.example.org:8443", true),
            ("host", "git-codecommit.us-east-1.amazonaws.com", true),
            ("host", "123456789012.dkr-ecr.eu-west-1.on.aws", true),
            ("host", "evilamazonaws.com", false),
            ("host", "stream-127.0.0.1:4566", true),
            ("host", "stream-localhost", true),
            ("host", "stream-ci.example.org:8443", true),
            ("host", "stream-evil.example", false),
            ("host", "bucket.s3.eu-west-1.amazonaws.com", true),
            ("host", "bucket.ci.example.org:8443", true),
            ("host", "bucket.s3.CI.example.org", true),
            ("host", "evilci.example.org", false),
            ("origin", "https://bucket.ci.example.org:8443", false),
            ("host", "evil.example", false),
            ("host", "10.0.0.1:4566", false),
            ("origin", "http://localhost:3000", true),
            ("origin", "https://evil.example", false),
            ("origin", "https://anybody.s3.amazonaws.com", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header value"));
            assert_eq!(guard.check(&headers).is_ok(), passes, "{name}: {value}");
            assert!(Guard::new(false, None).check(&headers).is_ok());
        }
    }
}
