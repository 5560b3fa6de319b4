use std::collections::BTreeMap;
use std::path::PathBuf;

use http::Uri;

use crate::ImageError;
use crate::reference::DOCKER_HUB;

/// Where registries are reached, and whom to trust.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    mirrors: BTreeMap<String, Vec<Uri>>,
    certificates: Vec<PathBuf>,
}

impl Registries {
    /// Asks `url` (`https://host[:port]`, or `http://` to say that it may be in clear) for what `host` has, before `host`
    /// itself and after mirrors that were named earlier.
    ///
    /// # Errors
    /// The URL has no scheme or host, or a path.
    pub fn mirror(mut self, host: &str, url: &str) -> Result<Self, ImageError> {
        let wrong =
            || ImageError::Setting(format!("mirror {url:?} of {host}: must be like https://mirror.example.com:5000"));
        let url: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let whole = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some() && url.path() == "/";
        if !whole || url.query().is_some() || host.is_empty() {
            return Err(wrong());
        }
        self.mirrors.entry(host.to_lowercase()).or_default().push(url);
        Ok(self)
    }

    /// Trusts the certificates in this file (PEM) too, besides the machine's.
    #[must_use]
    pub fn trusting(mut self, file: impl Into<PathBuf>) -> Self {
        self.certificates.push(file.into());
        self
    }

    /// Further certificates to trust.
    pub(crate) fn certificates(&self) -> &[PathBuf] {
        &self.certificates
    }

    /// Whether this is the address of a mirror.
    pub(crate) fn is_mirror(&self, endpoint: &Uri) -> bool {
        self.mirrors.values().flatten().any(|mirror| mirror == endpoint)
    }

    /// The addresses to ask for what `registry` has, in their order: its mirrors, then itself. Plain HTTP is spoken to
    /// this machine's loopback, as Docker does, and where a mirror's URL says so.
    pub(crate) fn endpoints(&self, registry: &str) -> Result<Vec<Uri>, ImageError> {
        let host = if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry };
        let schemes: &[&str] = if is_loopback(registry) { &["https", "http"] } else { &["https"] };
        let mut endpoints = self.mirrors.get(&registry.to_lowercase()).cloned().unwrap_or_default();
        for scheme in schemes {
            let url: Result<Uri, _> = format!("{scheme}://{host}").parse();
            endpoints.push(url.map_err(|error| ImageError::Setting(format!("registry {registry}: {error}")))?);
        }
        Ok(endpoints)
    }
}

/// Whether a registry is on this machine itself.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => registry.split_once(':').map_or(registry, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_before_the_registry_itself() {
        let registries = Registries::default()
            .mirror("docker.io", "http://mirror.lan:5000/")
            .and_then(|registries| registries.mirror("docker.io", "https://second.lan"))
            .unwrap();
        let asked = |registry: &str| {
            let endpoints = registries.endpoints(registry).unwrap();
            endpoints.iter().map(|url| url.to_string().trim_end_matches('/').to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            asked("docker.io"),
            ["http://mirror.lan:5000", "https://second.lan", "https://registry-1.docker.io"]
        );
        assert_eq!(asked("ghcr.io"), ["https://ghcr.io"]);
        for local in ["127.0.0.1:5000", "localhost:5000", "[::1]:5000", "127.8.8.8"] {
            assert_eq!(asked(local), [format!("https://{local}"), format!("http://{local}")]);
        }
    }

    #[test]
    fn mirrors_are_whole_addresses() {
        for wrong in ["mirror.lan", "ftp://mirror.lan", "https://mirror.lan/path", "https://", "http://a b"] {
            assert!(Registries::default().mirror("docker.io", wrong).is_err(), "{wrong}");
        }
    }
}
