//! Artifacts on their way: into a bucket of the run's own S3, and out of it into the user's folder.

use super::out::{Out, Placed};
use super::session::Session;
use super::{call, home::Home};
use agent::archive::unpack_file;
use agent::protocol::ArchiveFormat;
use aws::codebuild::Build;
use aws::s3::GetObject;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The bucket.
pub(super) const BUCKET: &str = "artifacts";

/// The settings of the primary artifact: a zip keeps permissions, which plain objects do not.
pub(super) fn primary() -> Value {
    settings("primary")
}

/// The settings of a secondary artifact.
pub(super) fn secondary(identifier: &str) -> Value {
    let mut settings = settings(&format!("secondary/{identifier}"));
    settings["artifactIdentifier"] = identifier.into();
    settings
}

fn settings(path: &str) -> Value {
    json!({
        "type": "S3",
        "location": BUCKET,
        "path": path,
        "name": "artifacts",
        "packaging": "ZIP",
        "overrideArtifactName": true,
    })
}

/// An artifact, unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    /// The name that the buildspec gives it.
    pub(super) name: Option<String>,
    /// The identifier of a secondary artifact.
    pub(super) identifier: Option<String>,
}

/// What a build has made, in the user's folder.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    pub(super) kept: Vec<Kept>,
    pub(super) files: Vec<Placed>,
}

/// Unpacks a build's artifacts into the user's folder: the primary one there, each secondary one in a folder of its
/// identifier.
///
/// # Errors
/// The user's: something is in the way there.
pub(super) async fn unpack(session: &Session, home: &Home, build: &Build, out: &Out) -> anyhow::Result<Unpacked> {
    let found = found(build);
    if found.is_empty() {
        return Ok(Unpacked::default());
    }
    let fresh = home.path().join("fresh");
    tokio::fs::create_dir_all(&fresh).await?;
    let mut kept = Vec::new();
    for Found { key, kept: one } in found {
        let folder = one.identifier.as_ref().map_or_else(|| fresh.clone(), |identifier| fresh.join(identifier));
        fetch(session, home, &key, folder).await?;
        kept.push(one);
    }
    let (out, fresh) = (Out::new(out.folder())?, fresh);
    let files = tokio::task::spawn_blocking(move || out.replace(&fresh)).await??;
    Ok(Unpacked { kept, files })
}

async fn fetch(session: &Session, home: &Home, key: &str, folder: PathBuf) -> anyhow::Result<()> {
    let object = call(session.services().s3.get_object(&session.caller(), GetObject::new(BUCKET, key)).await)?;
    let zip = home.path().join("artifact.zip");
    object.body.save(&zip).await?;
    let file = std::fs::File::open(&zip)?;
    tokio::task::spawn_blocking(move || unpack_file(file, ArchiveFormat::Zip, &folder)).await??;
    Ok(tokio::fs::remove_file(&zip).await?)
}

/// An artifact in the bucket.
struct Found {
    key: String,
    kept: Kept,
}

fn found(build: &Build) -> Vec<Found> {
    let all = build.artifacts.iter().chain(build.secondary_artifacts.iter().flatten());
    all.filter_map(|artifact| {
        let (_, key) = artifact.location.as_deref()?.split_once(&format!(":::{BUCKET}/"))?;
        let identifier = artifact.artifact_identifier.clone().filter(|identifier| !identifier.is_empty());
        let name = Path::new(key).file_name()?.to_string_lossy().into_owned();
        let name = Some(name).filter(|name| name != "artifacts");
        Some(Found { key: key.to_owned(), kept: Kept { name, identifier } })
    })
    .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_found_where_the_build_says() {
        let build: Build = serde_json::from_value(json!({
            "artifacts": {"location": "arn:aws:s3:::artifacts/primary/app-1.zip"},
            "secondaryArtifacts": [
                {"location": "arn:aws:s3:::artifacts/secondary/Docs/artifacts", "artifactIdentifier": "Docs"},
            ],
        }))
        .unwrap();
        let found = found(&build);
        assert_eq!(found[0].key, "primary/app-1.zip");
        assert_eq!(found[0].kept, Kept { name: Some("app-1.zip".into()), identifier: None });
        assert_eq!(found[1].kept, Kept { name: None, identifier: Some("Docs".into()) });
        assert!(super::found(&Build::default()).is_empty());
    }
}
