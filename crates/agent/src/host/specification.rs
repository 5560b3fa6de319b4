//! The deployment specification: what the server signed about one deployment on this host.

use serde::Deserialize;

use super::appspec::FileExistsBehavior;

/// A specification whose fields were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Specification {
    /// `d-…`, without the ARN around it.
    pub(super) deployment_id: String,
    pub(super) group_id: String,
    pub(super) group_name: String,
    pub(super) application_name: String,
    /// True for the rollback of a blue/green deployment.
    pub(super) is_blue_green_rollback: bool,
    /// Name of the appspec file in the bundle.
    pub(super) appspec_filename: String,
    /// The API's `fileExistsBehavior`; the appspec's own wins.
    pub(super) file_exists_behavior: Option<FileExistsBehavior>,
    pub(super) revision: S3Revision,
}

/// A bundle in S3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct S3Revision {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) bundle_type: BundleType,
    pub(super) version: Option<String>,
    #[serde(rename = "ETag")]
    pub(super) etag: Option<String>,
}

/// How a bundle is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BundleType {
    Zip,
    Tar,
    Tgz,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    deployment_id: String,
    deployment_group_id: String,
    deployment_group_name: String,
    application_name: String,
    deployment_creator: Option<String>,
    deployment_type: Option<String>,
    #[serde(rename = "AppSpecFilename")]
    appspec_filename: Option<String>,
    agent_action_overrides: Option<ActionOverrides>,
    revision: Revision,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActionOverrides {
    agent_overrides: Option<AgentOverrides>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentOverrides {
    file_exists_behavior: Option<FileExistsBehavior>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Revision {
    revision_type: String,
    #[serde(rename = "S3Revision")]
    s3: Option<S3Revision>,
}

impl Specification {
    /// Reads a specification.
    ///
    /// # Errors
    /// A sentence about the field that is missing or wrong.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| format!("the deployment specification is wrong: {error}"))?;
        let revision = match (document.revision.revision_type.as_str(), document.revision.s3) {
            ("S3", Some(revision)) => revision,
            ("S3", None) => return Err("the deployment specification has no S3Revision".into()),
            (other, _) => return Err(format!("revisions of type {other} are not supported by this agent")),
        };
        let overrides = document.agent_action_overrides.and_then(|actions| actions.agent_overrides);
        let blue_green = document.deployment_type.as_deref() == Some("BLUE_GREEN");
        let rollback = document.deployment_creator.as_deref() == Some("codeDeployRollback");
        let id = document.deployment_id.rsplit("deployment/").next().unwrap_or_default();
        Ok(Self {
            deployment_id: folder_name("DeploymentId", id)?,
            group_id: folder_name("DeploymentGroupId", &document.deployment_group_id)?,
            group_name: document.deployment_group_name,
            application_name: document.application_name,
            is_blue_green_rollback: blue_green && rollback,
            appspec_filename: document.appspec_filename.unwrap_or_else(|| "appspec.yml".into()),
            file_exists_behavior: overrides.and_then(|overrides| overrides.file_exists_behavior),
            revision,
        })
    }
}

/// Ids become names of folders.
fn folder_name(field: &str, id: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
        return Err(format!("the deployment specification's {field} {id:?} cannot name a folder"));
    }
    Ok(id.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "DeploymentId": "arn:aws:codedeploy:us-east-1:000000000000:deployment/d-ABC123",
            "DeploymentGroupId": "11111111-2222",
            "DeploymentGroupName": "group",
            "ApplicationName": "app",
            "DeploymentCreator": "user",
            "DeploymentType": "IN_PLACE",
            "AgentActionOverrides": {"AgentOverrides": {"FileExistsBehavior": "OVERWRITE"}},
            "Revision": {"RevisionType": "S3", "S3Revision": {"Bucket": "b", "Key": "k", "BundleType": "tgz"}},
        })
    }

    fn parse(document: &Value) -> Result<Specification, String> {
        Specification::parse(document.to_string().as_bytes())
    }

    #[test]
    fn a_specification_is_read() {
        let specification = parse(&document()).unwrap();
        assert_eq!(specification.deployment_id, "d-ABC123");
        assert_eq!(specification.appspec_filename, "appspec.yml");
        assert_eq!(specification.file_exists_behavior, Some(FileExistsBehavior::Overwrite));
        assert_eq!((specification.revision.bundle_type, specification.revision.etag), (BundleType::Tgz, None));
        assert!(!specification.is_blue_green_rollback);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let table = [
            ("/DeploymentId", json!("../../etc"), "DeploymentId"),
            ("/DeploymentGroupId", json!(""), "DeploymentGroupId"),
            ("/Revision/RevisionType", json!("GitHub"), "GitHub"),
            ("/Revision/S3Revision/BundleType", json!("rar"), "rar"),
            ("/ApplicationName", Value::Null, "null"),
        ];
        for (place, value, text) in table {
            let mut document = document();
            *document.pointer_mut(place).unwrap() = value;
            let message = parse(&document).unwrap_err();
            assert!(message.contains(text), "{message} should say {text}");
        }
    }
}
