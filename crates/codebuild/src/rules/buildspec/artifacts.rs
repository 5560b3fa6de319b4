//! The `artifacts` section.

use std::collections::BTreeMap;

use crate::rules::yaml::{Located, YamlError};

/// The primary artifact and the secondary ones by identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// The artifact of the section itself.
    pub primary: ArtifactSet,
    /// `secondary-artifacts`.
    pub secondary: BTreeMap<String, ArtifactSet>,
}

/// Which files are kept, and how they are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactSet {
    /// Globs relative to the base directory.
    pub files: Vec<String>,
    /// Name, used where the project says `overrideArtifactName`; the build's shell evaluates it.
    pub name: Option<String>,
    /// Folder (or glob of folders) that `files` are relative to.
    pub base_directory: Option<String>,
    /// Globs of what is left out.
    pub exclude_paths: Vec<String>,
    /// File names alone are kept.
    pub discard_paths: bool,
    /// Symlinks stay symlinks.
    pub enable_symlinks: bool,
    /// Goes before the build id in the object key.
    pub s3_prefix: Option<String>,
}

impl Artifacts {
    pub(super) fn parse(node: &Located) -> Result<Self, YamlError> {
        node.map("artifacts")?;
        let secondary = match node.get("secondary-artifacts") {
            Some(section) => section.map("secondary-artifacts")?,
            None => &[],
        };
        let secondary = secondary.iter().map(|(identifier, set)| Ok((identifier.clone(), ArtifactSet::parse(set)?)));
        let secondary = secondary.collect::<Result<BTreeMap<_, _>, YamlError>>()?;
        if secondary.is_empty() && node.get("files").is_none() {
            return Err(node.error("Missing required key: files of artifacts"));
        }
        Ok(Self { primary: ArtifactSet::parse(node)?, secondary })
    }
}

impl ArtifactSet {
    fn parse(node: &Located) -> Result<Self, YamlError> {
        node.map("artifacts")?;
        let text = |key: &str| node.get(key).map(|value| value.text(key)).transpose();
        let texts = |key: &str| node.get(key).map_or(Ok(vec![]), |value| value.texts(key));
        let flag = |key: &str| node.get(key).map_or(Ok(false), |value| value.flag(key));
        Ok(Self {
            files: texts("files")?,
            name: text("name")?,
            base_directory: text("base-directory")?,
            exclude_paths: texts("exclude-paths")?,
            discard_paths: flag("discard-paths")?,
            enable_symlinks: flag("enable-symlinks")?,
            s3_prefix: text("s3-prefix")?,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::yaml;

    fn parse(text: &str) -> Result<Artifacts, YamlError> {
        Artifacts::parse(&yaml::parse(text).unwrap())
    }

    #[test]
    fn files_may_be_text_or_list() {
        assert_eq!(parse("files: imagedefinitions.json").unwrap().primary.files, ["imagedefinitions.json"]);
        assert_eq!(parse("files: ['**/*', a.txt]\ntype: zip\n").unwrap().primary.files, ["**/*", "a.txt"]);
    }

    #[test]
    fn every_key() {
        let set = parse("files: a\nname: n-$(date)\nbase-directory: out*\nexclude-paths: ['**/.*']\ndiscard-paths: yes\nenable-symlinks: yes\ns3-prefix: p\n").unwrap().primary;
        assert_eq!(set.name.as_deref(), Some("n-$(date)"));
        assert_eq!(set.base_directory.as_deref(), Some("out*"));
        assert_eq!(set.exclude_paths, ["**/.*"]);
        assert_eq!(set.s3_prefix.as_deref(), Some("p"));
        assert!(set.discard_paths && set.enable_symlinks);
    }

    #[test]
    fn secondary_artifacts_alone_are_enough() {
        let artifacts =
            parse("secondary-artifacts:\n  one: {files: [a]}\n  two: {files: b, base-directory: d}\n").unwrap();
        assert_eq!(artifacts.secondary.keys().collect::<Vec<_>>(), ["one", "two"]);
        assert!(artifacts.primary.files.is_empty());
    }

    #[test]
    fn files_are_required() {
        assert_eq!(
            parse("name: x").unwrap_err().to_string(),
            "Missing required key: files of artifacts at line 1, column 1"
        );
    }
}
