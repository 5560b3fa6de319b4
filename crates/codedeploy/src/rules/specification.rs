//! The deployment specification: the document that tells a host what to install.
//!
//! Source: aws-codedeploy-agent, `DeploymentSpecification.parse`. `AllPossibleLifecycleEvents` is left out on
//! purpose: it breaks Install in agent 1.8.

use serde_json::{Value, json};

/// The revision's place in S3.
#[derive(Debug, Clone, Copy)]
pub struct Bundle<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// `zip`, `tar` or `tgz`.
    pub bundle_type: &'a str,
    /// The object's version, if the revision names one.
    pub version: Option<&'a str>,
    /// The entity tag that the host must find, if the revision names one.
    pub e_tag: Option<&'a str>,
}

/// What goes into a specification.
#[derive(Debug, Clone, Copy)]
pub struct Specification<'a> {
    /// The deployment's ARN.
    pub deployment_arn: &'a str,
    /// The group's id, which names the host's folders.
    pub group_id: &'a str,
    /// The group's name.
    pub group: &'a str,
    /// The application's name.
    pub application: &'a str,
    /// `user` or `codeDeployRollback`.
    pub creator: &'a str,
    /// `DISALLOW`, `OVERWRITE` or `RETAIN`.
    pub file_exists_behavior: &'a str,
    /// The revision.
    pub bundle: Bundle<'a>,
}

impl Specification<'_> {
    /// The document that is signed.
    pub fn document(&self) -> Value {
        let Bundle { bucket, key, bundle_type, version, e_tag } = self.bundle;
        let mut s3 = json!({ "Bucket": bucket, "Key": key, "BundleType": bundle_type });
        for (name, value) in [("Version", version), ("ETag", e_tag)] {
            if let Some(value) = value {
                s3[name] = value.into();
            }
        }
        json!({
            "DeploymentId": self.deployment_arn,
            "DeploymentGroupId": self.group_id,
            "DeploymentGroupName": self.group,
            "ApplicationName": self.application,
            "DeploymentCreator": self.creator,
            "DeploymentType": "IN_PLACE",
            "AppSpecFilename": "appspec.yml",
            "AgentActionOverrides": { "AgentOverrides": { "FileExistsBehavior": self.file_exists_behavior } },
            "Revision": { "RevisionType": "S3", "S3Revision": s3 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specification(version: Option<&'static str>) -> Specification<'static> {
        Specification {
            deployment_arn: "arn:aws:codedeploy:us-east-1:123456789012:deployment/d-ABCDEFGHI",
            group_id: "group-id",
            group: "hosts",
            application: "hello",
            creator: "user",
            file_exists_behavior: "DISALLOW",
            bundle: Bundle { bucket: "b", key: "k.zip", bundle_type: "zip", version, e_tag: None },
        }
    }

    #[test]
    fn a_specification_has_the_members_that_agents_read() {
        let document = specification(Some("v1")).document();
        for (path, value) in [
            ("/DeploymentId", "arn:aws:codedeploy:us-east-1:123456789012:deployment/d-ABCDEFGHI"),
            ("/DeploymentGroupId", "group-id"),
            ("/DeploymentType", "IN_PLACE"),
            ("/AgentActionOverrides/AgentOverrides/FileExistsBehavior", "DISALLOW"),
            ("/Revision/RevisionType", "S3"),
            ("/Revision/S3Revision/BundleType", "zip"),
            ("/Revision/S3Revision/Version", "v1"),
        ] {
            assert_eq!(document.pointer(path).and_then(Value::as_str), Some(value), "{path}");
        }
    }

    #[test]
    fn what_the_revision_does_not_name_is_absent() {
        let document = specification(None).document();
        let s3 = document
            .pointer("/Revision/S3Revision")
            .and_then(Value::as_object)
            .map(|s3| s3.keys().cloned().collect::<Vec<_>>());
        assert_eq!(s3, Some(vec!["Bucket".to_owned(), "BundleType".to_owned(), "Key".to_owned()]));
        assert!(document.get("AllPossibleLifecycleEvents").is_none());
    }
}
