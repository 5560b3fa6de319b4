//! Which resource an ARN names, where an operation takes ARNs.

use aws::Error;
use aws::codedeploy::error;
use kernel::{Arn, Scope};

/// A resource that has tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// An application by name.
    Application(String),
    /// A deployment group by application and name.
    Group(String, String),
    /// A deployment configuration by name.
    Config(String),
}

impl Resource {
    /// Reads an ARN of this scope. `InvalidArnException` for what is no ARN or another account's or region's;
    /// `ArnNotSupportedException` for a resource without tags.
    pub fn of_arn(scope: &Scope, text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(error::resource_arn_required_exception("The ResourceArn is missing."));
        }
        let shown: String = text.chars().take(200).collect();
        let arn = text.parse::<Arn>().ok().filter(|arn| arn.service == "codedeploy" && arn.scope() == *scope);
        let invalid = || error::invalid_arn_exception(format!("'{shown}' is no ARN of CodeDeploy in {scope}."));
        let arn = arn.ok_or_else(invalid)?;
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned()).ok_or_else(invalid);
        match arn.resource.split_once(':') {
            Some(("application", name)) => Ok(Self::Application(named(name)?)),
            Some(("deploymentconfig", name)) => Ok(Self::Config(named(name)?)),
            Some(("deploymentgroup", path)) => {
                let (application, group) = path.split_once('/').ok_or_else(invalid)?;
                Ok(Self::Group(named(application)?, named(group)?))
            }
            _ => Err(error::arn_not_supported_exception(format!(
                "'{shown}' has no tags: applications, deployment groups and deployment configurations have."
            ))),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_resource_of_its_own_scope_or_is_refused() {
        let scope = Scope::new("123456789012", "us-east-1");
        let of = |resource: &str| Resource::of_arn(&scope, &format!("arn:aws:codedeploy:us-east-1:{resource}"));
        let name = || "a".to_owned();
        assert_eq!(of("123456789012:application:a").unwrap(), Resource::Application(name()));
        assert_eq!(of("123456789012:deploymentconfig:a").unwrap(), Resource::Config(name()));
        assert_eq!(of("123456789012:deploymentgroup:a/b").unwrap(), Resource::Group(name(), "b".to_owned()));
        for (resource, code) in [
            ("123456789012:application:", "InvalidArnException"),
            ("123456789012:deploymentgroup:a", "InvalidArnException"),
            ("999999999999:application:a", "InvalidArnException"),
            ("123456789012:instance:a", "ArnNotSupportedException"),
            ("123456789012:nothing", "ArnNotSupportedException"),
        ] {
            assert_eq!(of(resource).unwrap_err().code, code, "{resource}");
        }
        for (text, code) in [
            ("", "ResourceArnRequiredException"),
            ("application:a", "InvalidArnException"),
            ("arn:aws:s3:us-east-1:123456789012:application:a", "InvalidArnException"),
            ("arn:aws:codedeploy:eu-west-1:123456789012:application:a", "InvalidArnException"),
        ] {
            assert_eq!(Resource::of_arn(&scope, text).unwrap_err().code, code, "{text}");
        }
    }
}
