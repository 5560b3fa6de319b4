//! Where an artifact goes in its bucket: `path/` + (`build-id/`) + `name`.

use aws::codebuild::ProjectArtifacts;

/// Key of a zip, or prefix (with a slash at its end, or empty) of plain files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactKey {
    /// One zip object.
    Zip(String),
    /// Files below this prefix.
    Folder(String),
}

impl ArtifactKey {
    /// The key or prefix itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Zip(key) | Self::Folder(key) => key,
        }
    }
}

/// The place of an artifact. `name` is the buildspec's evaluated name, which counts only under
/// `overrideArtifactName`; `uuid` is the build's, used under `namespaceType` BUILD_ID.
#[must_use]
pub fn artifact_key(
    artifacts: &ProjectArtifacts,
    project: &str,
    uuid: &str,
    name: Option<&str>,
    s3_prefix: Option<&str>,
) -> ArtifactKey {
    let overridden = name.filter(|name| artifacts.override_artifact_name == Some(true) && !name.is_empty());
    let own = artifacts.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(project);
    let name = overridden.unwrap_or(own);
    let by_build = artifacts.namespace_type.as_deref() == Some("BUILD_ID");
    let mut parts = vec![artifacts.path.as_deref().unwrap_or_default()];
    if by_build {
        parts.extend([s3_prefix.unwrap_or_default(), uuid]);
    }
    parts.push(name);
    let key =
        parts.iter().map(|part| part.trim_matches('/')).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    match artifacts.packaging.as_deref() {
        Some("ZIP") => ArtifactKey::Zip(key),
        _ if key.is_empty() => ArtifactKey::Folder(key),
        _ => ArtifactKey::Folder(format!("{key}/")),
    }
}

/// The bucket: `location` is its name, or its ARN.
#[must_use]
pub fn bucket(artifacts: &ProjectArtifacts) -> Option<&str> {
    let location = artifacts.location.as_deref()?;
    Some(location.rsplit_once(":::").map_or(location, |(_, bucket)| bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts(path: &str, namespace: &str, name: &str, packaging: &str) -> ProjectArtifacts {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ProjectArtifacts {
            path: some(path),
            namespace_type: some(namespace),
            name: some(name),
            packaging: some(packaging),
            ..ProjectArtifacts::default()
        }
    }

    #[test]
    fn keys() {
        for (path, namespace, name, packaging, expected) in [
            ("", "", "", "ZIP", ArtifactKey::Zip("demo".into())),
            ("", "", "out.zip", "ZIP", ArtifactKey::Zip("out.zip".into())),
            ("a/b/", "NONE", "out.zip", "ZIP", ArtifactKey::Zip("a/b/out.zip".into())),
            ("a", "BUILD_ID", "out.zip", "ZIP", ArtifactKey::Zip("a/uuid/out.zip".into())),
            ("", "", "out", "NONE", ArtifactKey::Folder("out/".into())),
            ("", "", "/", "", ArtifactKey::Folder("".into())),
            ("/p/", "BUILD_ID", "/", "", ArtifactKey::Folder("p/uuid/".into())),
        ] {
            let artifacts = artifacts(path, namespace, name, packaging);
            assert_eq!(artifact_key(&artifacts, "demo", "uuid", Some("ignored"), None), expected, "{artifacts:?}");
        }
    }

    #[test]
    fn the_buildspecs_name_counts_where_the_project_says_so() {
        let mut artifacts = artifacts("p", "BUILD_ID", "out", "ZIP");
        artifacts.override_artifact_name = Some(true);
        assert_eq!(artifact_key(&artifacts, "demo", "uuid", Some("n-1"), Some("pre")).as_str(), "p/pre/uuid/n-1");
        assert_eq!(artifact_key(&artifacts, "demo", "uuid", None, None).as_str(), "p/uuid/out");
    }

    #[test]
    fn buckets() {
        let with = |location: &str| ProjectArtifacts { location: Some(location.into()), ..ProjectArtifacts::default() };
        assert_eq!(bucket(&with("b")), Some("b"));
        assert_eq!(bucket(&with("arn:aws:s3:::b")), Some("b"));
        assert_eq!(bucket(&ProjectArtifacts::default()), None);
    }
}
