//! Locations of sources: `bucket/key` of S3, the clone URL of a CodeCommit repository.

/// An object, or a folder of objects where the key ends with a slash or is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl S3Location {
    /// Reads `bucket/key`, `arn:aws:s3:::bucket/key` or `s3://bucket/key`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("s3://").unwrap_or(text);
        let text = match text.split_once(":s3:::") {
            Some((partition, rest)) if partition.starts_with("arn:") => rest,
            _ => text,
        };
        let (bucket, key) = text.split_once('/').unwrap_or((text, ""));
        (!bucket.is_empty()).then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Whether it names all objects below it rather than one.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// `arn:aws:s3:::bucket/key`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
    }
}

/// The repository that a CodeCommit clone URL names: `…/v1/repos/NAME`, also over `codecommit::region://NAME`
/// (GRC), or the bare name.
#[must_use]
pub fn codecommit_repository(location: &str) -> Option<String> {
    let location = location.trim_end_matches('/');
    let name = match location.split_once("/v1/repos/") {
        Some((_, name)) => name,
        None if location.starts_with("codecommit:") => {
            let name = location.rsplit_once("//")?.1;
            name.rsplit_once('@').map_or(name, |(_, name)| name)
        }
        None => location,
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!name.is_empty() && name.len() <= 100 && name.chars().all(legal)).then(|| name.to_owned())
}

/// What a `sourceVersion` of a Git source asks for: a commit, or a branch or tag by name.
///
/// `refs/heads/x^{sha}` pins a branch to a commit.
#[must_use]
pub fn git_version(version: Option<&str>) -> Option<String> {
    let version = version.map(str::trim).filter(|version| !version.is_empty())?;
    if let Some((_, pinned)) = version.split_once("^{") {
        return Some(pinned.trim_end_matches('}').to_owned());
    }
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_locations() {
        for (text, expected) in [
            ("b/k.zip", Some(("b", "k.zip", false))),
            ("b/dir/", Some(("b", "dir/", true))),
            ("b", Some(("b", "", true))),
            ("arn:aws:s3:::b/k/l", Some(("b", "k/l", false))),
            ("s3://b/k", Some(("b", "k", false))),
            ("", None),
            ("/k", None),
        ] {
            let location = S3Location::parse(text);
            let found = location.as_ref().map(|at| (at.bucket.as_str(), at.key.as_str(), at.is_folder()));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(S3Location { bucket: "b".into(), key: "k".into() }.arn(), "arn:aws:s3:::b/k");
    }

    #[test]
    fn repositories() {
        for (location, expected) in [
            ("https://git-codecommit.us-east-1.amazonaws.com/v1/repos/demo", Some("demo")),
            ("http://127.0.0.1:4566/v1/repos/my.repo_1-x/", Some("my.repo_1-x")),
            ("codecommit::us-east-1://demo", Some("demo")),
            ("codecommit://profile@demo", Some("demo")),
            ("demo", Some("demo")),
            ("https://github.com/o/r", None),
            ("", None),
        ] {
            assert_eq!(codecommit_repository(location).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn versions() {
        let sha = "0123456789012345678901234567890123456789";
        assert_eq!(git_version(Some(&format!("refs/heads/main^{{{sha}}}"))).as_deref(), Some(sha));
        assert_eq!(git_version(Some("main")).as_deref(), Some("main"));
        assert_eq!(git_version(Some(" ")), None);
        assert_eq!(git_version(None), None);
    }
}
