//! What the server's certificate is good for: a rule over the address that it listens on and the URL that others use.

use std::net::IpAddr;

/// Names and addresses of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// The names of a server that listens on `address`; `public_url` and `host_name` are other ways to reach it.
    ///
    /// Virtual-host buckets (`BUCKET.s3.HOST`) and the host prefixes of some operations (`stream-HOST`) are of each name.
    pub(crate) fn new(address: IpAddr, public_url: Option<&str>, host_name: Option<&str>) -> Self {
        let mut names = Self(Vec::new());
        for name in ["localhost", "127.0.0.1", "::1", "*.localhost", "*.s3.localhost"] {
            names.add(name);
        }
        if !address.is_unspecified() {
            names.add(&address.to_string());
        }
        if let Some(host) = public_url.and_then(host_of) {
            names.add_host(&host);
        }
        if let Some(host) = host_name.filter(|_| !address.is_loopback()) {
            names.add_host(host);
        }
        names
    }

    /// All of them, as a certificate's alternative names.
    pub(super) fn all(&self) -> &[String] {
        &self.0
    }

    /// Adds an address of this machine by which a client came; answers whether it is new.
    pub(super) fn add(&mut self, name: &str) -> bool {
        let name = name.to_lowercase();
        let new = is_name(&name) && !self.0.contains(&name);
        if new {
            self.0.push(name);
        }
        new
    }

    fn add_host(&mut self, host: &str) {
        self.add(host);
        if host.parse::<IpAddr>().is_err() {
            for name in [format!("*.{host}"), format!("*.s3.{host}"), format!("stream-{host}")] {
                self.add(&name);
            }
        }
    }
}

/// Whether a client that asks for `name` gets a certificate of its own: any name under `localhost`, which always leads to
/// the client's own machine. TLS libraries do not take `*.localhost` for one, nor a `*` for two labels.
pub(super) fn is_local(name: &str) -> bool {
    name.len() <= 253 && is_name(name) && !name.starts_with('*') && name.ends_with(".localhost")
}

/// The host of a URL, without port and brackets.
fn host_of(url: &str) -> Option<String> {
    let authority = url.parse::<http::Uri>().ok()?.authority()?.host().to_owned();
    Some(authority.trim_matches(['[', ']']).to_owned())
}

/// Addresses, and names of letters, digits, hyphens and dots; the first label may be `*`.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.parse::<IpAddr>().is_ok() || name.strip_prefix("*.").unwrap_or(name).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(address: &str, public_url: Option<&str>, host_name: Option<&str>) -> String {
        let address = address.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        Names::new(address, public_url, host_name).0.split_off(5).join(" ")
    }

    #[test]
    fn every_way_to_the_server_is_named() {
        let all = Names::new(IpAddr::from([127, 0, 0, 1]), None, Some("build1"));
        assert_eq!(all.0.join(" "), "localhost 127.0.0.1 ::1 *.localhost *.s3.localhost");
        for (address, public_url, host_name, more) in [
            ("0.0.0.0", None, None, ""),
            ("10.1.2.3", None, None, "10.1.2.3"),
            ("127.0.0.1", Some("https://10.9.9.9:4566/x"), None, "10.9.9.9"),
            ("127.0.0.1", Some("https://[fd00::1]:4566"), None, "fd00::1"),
            (
                "127.0.0.1",
                Some("https://CI.example:1"),
                None,
                "ci.example *.ci.example *.s3.ci.example stream-ci.example",
            ),
            ("::", None, Some("build1"), "build1 *.build1 *.s3.build1 stream-build1"),
            ("::", None, Some("not a name"), ""),
            ("::", Some("nonsense"), None, "nonsense *.nonsense *.s3.nonsense stream-nonsense"),
        ] {
            assert_eq!(names(address, public_url, host_name), more, "{address} {public_url:?} {host_name:?}");
        }
    }

    #[test]
    fn only_names_under_localhost_are_certified_on_demand() {
        for (name, local) in [
            ("bucket.localhost", true),
            ("b.s3.us-east-1.localhost", true),
            ("localhost", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("*.localhost", false),
            ("..localhost", false),
            ("a b.localhost", false),
        ] {
            assert_eq!(is_local(name), local, "{name}");
        }
    }
}
