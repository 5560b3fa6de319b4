use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, ImageError};

/// The registry of references that name none.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// The longest name that registries take, with the host.
const LONGEST_NAME: usize = 255;

/// The longest tag.
const LONGEST_TAG: usize = 128;

/// A name of an image, read as Docker reads it (`distribution/reference`): a registry, a repository there, and a tag or a
/// digest or both, where the digest decides.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry: `docker.io`, `127.0.0.1:5000`, `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
    pub registry: String,
    /// The repository: `library/debian`.
    pub repository: String,
    /// The tag; `latest` where neither tag nor digest is written.
    pub tag: Option<String>,
    /// The manifest's digest.
    pub digest: Option<Digest>,
}

impl Reference {
    /// What a registry is asked for: the digest, else the tag.
    #[must_use]
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// As people write it: without `docker.io/library/` or `docker.io/`, where that still means the same.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let shorter = ["docker.io/library/", "docker.io/"].into_iter().filter_map(|start| full.strip_prefix(start));
        let same = shorter.into_iter().find(|text| read_reference(text).as_ref() == Ok(self));
        same.map_or_else(|| full.clone(), str::to_owned)
    }

    /// Whether no registry is ever asked for it: `landfall/…` is made here, and on Docker Hub that name may be
    /// anybody's.
    #[must_use]
    pub fn is_local_only(&self) -> bool {
        self.registry == DOCKER_HUB && self.repository.starts_with("landfall/")
    }
}

/// # Errors
/// [`ImageError::Reference`] with what is wrong.
impl FromStr for Reference {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        read_reference(text).map_err(|reason| ImageError::Reference { text: text.to_owned(), reason })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a reference; the error says what is wrong with it.
pub fn read_reference(text: &str) -> Result<Reference, String> {
    if text.len() > LONGEST_NAME + 1 + LONGEST_TAG + 72 {
        return Err("it is too long".to_owned());
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
        None => (text, None),
    };
    let (name, tag) = split_tag(rest);
    if tag.is_none() && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("64 hexadecimal digits are an image's id, not its name".to_owned());
    }
    let (registry, repository) = split_registry(name);
    check_registry(&registry)?;
    check_repository(&repository)?;
    if registry.len() + 1 + repository.len() > LONGEST_NAME {
        return Err(format!("its name is longer than {LONGEST_NAME} characters"));
    }
    let tag = tag.map(check_tag).transpose()?;
    let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
    Ok(Reference { registry, repository, tag, digest })
}

/// A colon begins a tag where no slash comes after it: else it is the port's.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rfind(':') {
        Some(colon) if !text[colon..].contains('/') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    }
}

/// What stands before the first slash is a registry if it looks like a host: a dot, a port, `localhost`, capitals.
fn split_registry(name: &str) -> (String, String) {
    let looks_like_host =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase());
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => (first.to_owned(), rest),
        _ => (DOCKER_HUB.to_owned(), name),
    };
    let registry = if registry == "index.docker.io" { DOCKER_HUB.to_owned() } else { registry };
    if registry == DOCKER_HUB && !repository.contains('/') {
        return (registry, format!("library/{repository}"));
    }
    (registry, repository.to_owned())
}

fn check_registry(registry: &str) -> Result<(), String> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("ipv6", port.strip_prefix(':')),
        Some(_) => return Err(format!("the registry {registry:?} is no address")),
        None => registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if !host.split('.').all(label) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(format!("the registry {registry:?} is no host name with or without a port"));
    }
    Ok(())
}

/// Components of lower-case letters and digits, parted inside by one dot, one or two underscores, or dashes.
fn check_repository(repository: &str) -> Result<(), String> {
    if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("the repository {repository:?} must be in lower case"));
    }
    if !repository.split('/').all(is_component) {
        return Err(format!(
            "the repository {repository:?} must be letters, digits and single `.`, `_` or `-` between"
        ));
    }
    Ok(())
}

fn is_component(component: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between = |text: &str| matches!(text, "." | "_" | "__") || (!text.is_empty() && text.chars().all(|c| c == '-'));
    let separators = component.split(plain).filter(|text| !text.is_empty());
    component.starts_with(plain) && component.ends_with(plain) && separators.into_iter().all(between)
}

fn check_tag(tag: &str) -> Result<String, String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.starts_with(word) && tag.len() <= LONGEST_TAG && tag.chars().all(|c| word(c) || c == '.' || c == '-') {
        return Ok(tag.to_owned());
    }
    Err(format!("the tag {tag:?} must be up to {LONGEST_TAG} letters, digits, `_`, `.` or `-`, first no `.` or `-`"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, full, familiar) in [
            ("debian", "docker.io/library/debian:latest", "debian:latest"),
            ("debian:12", "docker.io/library/debian:12", "debian:12"),
            ("team/app", "docker.io/team/app:latest", "team/app:latest"),
            ("docker.io/debian:12", "docker.io/library/debian:12", "debian:12"),
            ("index.docker.io/team/app:1", "docker.io/team/app:1", "team/app:1"),
            // Shorter, these would be others' images.
            ("docker.io/ocker.io/app", "docker.io/ocker.io/app:latest", "docker.io/ocker.io/app:latest"),
            ("library/team/app", "docker.io/library/team/app:latest", "library/team/app:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
            ("127.0.0.1:5000/a/b/c:v1.2_3-x", "127.0.0.1:5000/a/b/c:v1.2_3-x", "127.0.0.1:5000/a/b/c:v1.2_3-x"),
            ("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"),
            ("Registry/app", "Registry/app:latest", "Registry/app:latest"),
            ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/node:20",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/node:20",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/node:20",
            ),
            ("aws/codebuild/standard:7.0", "docker.io/aws/codebuild/standard:7.0", "aws/codebuild/standard:7.0"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (full, familiar), "{text}");
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn a_digest_decides_and_takes_no_tag() {
        let both: Reference = format!("debian:12@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag.as_deref(), both.wanted().as_str()), (Some("12"), DIGEST));
        let alone: Reference = format!("debian@{DIGEST}").parse().unwrap();
        assert_eq!((alone.tag.as_deref(), alone.wanted().as_str()), (None, DIGEST));
        assert_eq!("debian".parse::<Reference>().unwrap().wanted(), "latest");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("a/{}", "b".repeat(300));
        for (text, part) in [
            ("", "repository"),
            ("Debian", "lower case"),
            ("a//b", "repository"),
            ("a/../b", "repository"),
            ("-a", "repository"),
            ("a___b", "repository"),
            ("a..b/c", "no host name"),
            ("debian:", "tag"),
            ("debian:-x", "tag"),
            ("debian:a b", "tag"),
            ("debian@sha256:12", "digest"),
            ("debian@sha512:12", "only sha256"),
            ("host:99999/x", "port"),
            ("[::z]:1/x", "no address"),
            ("-bad.host/x", "no host name"),
            ("http://x/y", "no host name"),
            (&DIGEST[7..], "id"),
            (&long, "longer"),
        ] {
            let error = read_reference(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_landfall_makes_is_never_asked_of_docker_hub() {
        for (text, local) in [("landfall/standard:1", true), ("landfall", false), ("example.com/landfall/x", false)] {
            assert_eq!(text.parse::<Reference>().unwrap().is_local_only(), local, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_what_is_read_reads_the_same_again(text in "[ -~]{0,80}") {
            if let Ok(reference) = read_reference(&text) {
                proptest::prop_assert_eq!(read_reference(&reference.to_string()), Ok(reference.clone()));
                proptest::prop_assert_eq!(read_reference(&reference.familiar()), Ok(reference));
            }
        }
    }
}
