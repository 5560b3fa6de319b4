//! Amazon Resource Names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `arn:partition:service:region:account:resource`; region and account are empty for some services.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The service's name in ARNs, for example `codebuild`.
    pub service: String,
    /// Region, empty for IAM and S3.
    pub region: String,
    /// Account, empty for S3.
    pub account: String,
    /// All behind the fifth colon, for example `project/demo`; may hold colons itself.
    pub resource: String,
}

/// A text that is no ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an ARN of the form arn:partition:service:region:account:resource")]
pub struct ArnError(String);

impl Arn {
    /// The ARN of `resource` of `service` in `scope`, in the partition `aws`.
    pub fn new(service: &str, scope: &crate::Scope, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: scope.region.clone(),
            account: scope.account.clone(),
            resource: resource.into(),
        }
    }

    /// The account and region named by the ARN.
    #[must_use]
    pub fn scope(&self) -> crate::Scope {
        crate::Scope::new(&self.account, &self.region)
    }

    /// What follows `prefix` in the resource: `resource_after("project/")` of a project's ARN is its name.
    #[must_use]
    pub fn resource_after(&self, prefix: &str) -> Option<&str> {
        self.resource.strip_prefix(prefix)
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, region, account, resource]
                if !partition.is_empty() && !service.is_empty() && !resource.is_empty() && text.len() <= 2_048 =>
            {
                Ok(Self {
                    partition: (*partition).to_owned(),
                    service: (*service).to_owned(),
                    region: (*region).to_owned(),
                    account: (*account).to_owned(),
                    resource: (*resource).to_owned(),
                })
            }
            _ => Err(ArnError(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl TryFrom<String> for Arn {
    type Error = ArnError;
    fn try_from(text: String) -> Result<Self, ArnError> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.to_string()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_and_written_alike() {
        let table = [
            ("arn:aws:codebuild:us-east-1:123456789012:build/demo:8c4e", "build/demo:8c4e"),
            ("arn:aws:s3:::bucket/key", "bucket/key"),
            ("arn:aws-cn:iam::123456789012:role/path/name", "role/path/name"),
        ];
        for (text, resource) in table {
            let arn: Arn = text.parse().unwrap();
            assert_eq!((arn.to_string().as_str(), arn.resource.as_str()), (text, resource));
        }
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in ["", "arn", "arn:aws:s3::bucket", "urn:aws:s3:::x", "arn:aws:s3:::", "arn::s3:::x"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_resource_is_named_behind_its_prefix() {
        let arn = Arn::new("codebuild", &crate::Scope::new("123456789012", "eu-west-1"), "project/demo");
        assert_eq!(arn.to_string(), "arn:aws:codebuild:eu-west-1:123456789012:project/demo");
        assert_eq!(arn.resource_after("project/"), Some("demo"));
        assert_eq!(arn.scope().region, "eu-west-1");
    }
}
