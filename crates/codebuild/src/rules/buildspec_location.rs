//! Where a build's buildspec is: in the project itself, in the source, or in S3.

use super::source_location::S3Location;

/// What `source.buildspec` (or `buildspecOverride`) means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildspecLocation {
    /// The text itself.
    Inline(String),
    /// A path relative to the primary source.
    File(String),
    /// An object.
    Object(S3Location),
}

impl BuildspecLocation {
    /// Reads the member: several lines, JSON or `version:` at its start is the text itself, an S3 ARN an object, anything
    /// else a path; nothing is `buildspec.yml`.
    #[must_use]
    pub fn of(member: Option<&str>) -> Self {
        let text = member.unwrap_or_default();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Self::File("buildspec.yml".to_owned());
        }
        if trimmed.contains('\n') || trimmed.starts_with('{') || trimmed.starts_with("version:") {
            return Self::Inline(text.to_owned());
        }
        match trimmed.split_once(":s3:::") {
            Some((partition, rest)) if partition.starts_with("arn:") => match S3Location::parse(rest) {
                Some(object) => Self::Object(object),
                None => Self::File(trimmed.to_owned()),
            },
            _ => Self::File(trimmed.trim_start_matches("./").to_owned()),
        }
    }

    /// Whether the text is there without any source.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let file = |path: &str| BuildspecLocation::File(path.to_owned());
        let inline = |text: &str| BuildspecLocation::Inline(text.to_owned());
        for (member, expected) in [
            (None, file("buildspec.yml")),
            (Some("  "), file("buildspec.yml")),
            (Some("ci/build.yml"), file("ci/build.yml")),
            (Some("./ci/build.yml"), file("ci/build.yml")),
            (Some("version: 0.2"), inline("version: 0.2")),
            (Some("{\"version\":\"0.2\"}"), inline("{\"version\":\"0.2\"}")),
            (Some("# mine\nversion: 0.2\n"), inline("# mine\nversion: 0.2\n")),
            (
                Some("arn:aws:s3:::specs/a/b.yml"),
                BuildspecLocation::Object(S3Location { bucket: "specs".into(), key: "a/b.yml".into() }),
            ),
        ] {
            assert_eq!(BuildspecLocation::of(member), expected, "{member:?}");
        }
    }
}
