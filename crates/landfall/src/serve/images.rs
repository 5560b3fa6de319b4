//! Where builds' images come from, as the command line says it.

use super::options::Options;
use crate::exit::user_error;
use engine::{ImageLimits, ImageOptions, Registries};
use std::path::Path;

impl Options {
    /// How the sandbox keeps and pulls images: in `cache`, where there is one, else in the data folder.
    ///
    /// # Errors
    /// A sentence for who started the server.
    pub(super) fn images(&self, cache: Option<&Path>) -> anyhow::Result<ImageOptions> {
        let mut registries = Registries::default();
        for (host, url) in &self.registry_mirror {
            registries = registries.mirror(host, url).map_err(|error| user_error(error.to_string()))?;
        }
        for file in &self.registry_ca {
            registries = registries.trusting(file);
        }
        let limits = ImageLimits { image_bytes: self.image_limit.0.unwrap_or(u64::MAX), ..ImageLimits::default() };
        Ok(ImageOptions { folder: cache.map(|cache| cache.join("images")), registries, limits })
    }
}

/// Reads `HOST=URL`.
///
/// # Errors
/// A sentence that says how one looks.
pub(super) fn mirror(text: &str) -> Result<(String, String), String> {
    let wrong = || "must be HOST=URL, for example docker.io=http://mirror.lan:5000".to_owned();
    let (host, url) = text.split_once('=').ok_or_else(wrong)?;
    match Registries::default().mirror(host, url) {
        Ok(_) => Ok((host.to_owned(), url.to_owned())),
        Err(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_a_host_and_an_address() {
        let good = "docker.io=http://mirror.lan:5000";
        assert_eq!(mirror(good), Ok(("docker.io".to_owned(), "http://mirror.lan:5000".to_owned())));
        for wrong in ["docker.io", "=http://mirror.lan", "docker.io=mirror.lan", "docker.io=https://mirror.lan/path"] {
            assert!(mirror(wrong).is_err_and(|text| text.contains("HOST=URL")), "{wrong}");
        }
    }
}
