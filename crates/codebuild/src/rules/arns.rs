//! ARNs of CodeBuild's resources.

use kernel::{Arn, Scope};

/// `arn:aws:codebuild:R:A:project/NAME`.
#[must_use]
pub fn project(scope: &Scope, name: &str) -> String {
    Arn::new("codebuild", scope, format!("project/{name}")).to_string()
}

/// The ARN of what a caller named: of a project of this scope, or the foreign ARN itself.
#[must_use]
pub fn named_project(scope: &Scope, name_or_arn: &str) -> String {
    if name_or_arn.starts_with("arn:") { name_or_arn.to_owned() } else { project(scope, name_or_arn) }
}

/// `arn:aws:codebuild:R:A:build/PROJECT:UUID`.
#[must_use]
pub fn build(scope: &Scope, id: &str) -> String {
    Arn::new("codebuild", scope, format!("build/{id}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let scope = Scope::new("123456789012", "eu-west-1");
        assert_eq!(project(&scope, "demo"), "arn:aws:codebuild:eu-west-1:123456789012:project/demo");
        assert_eq!(build(&scope, "demo:1"), "arn:aws:codebuild:eu-west-1:123456789012:build/demo:1");
    }
}
