//! Names of builds and projects: `project:uuid`, ARNs, and what is derived from a build's id.

use kernel::Scope;

use super::arns;

/// A build id's two halves: `demo:1f0c…` or the ARN of it in this scope.
///
/// # Errors
/// AWS's text for what is neither.
pub fn parse_build_id<'t>(scope: &Scope, text: &'t str) -> Result<(&'t str, &'t str), &'static str> {
    const INVALID: &str = "Invalid build ID provided";
    let id = match text.strip_prefix("arn:") {
        Some(_) => text.strip_prefix(arns::build(scope, "").as_str()).ok_or(INVALID)?,
        None => text,
    };
    let (project, uuid) = id.rsplit_once(':').ok_or(INVALID)?;
    let uuid_shaped = uuid.len() == 36 && uuid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_project_name(project) && uuid_shaped { Ok((project, uuid)) } else { Err(INVALID) }
}

/// The plain form of a build id.
///
/// # Errors
/// As [`parse_build_id`].
pub fn build_id(scope: &Scope, text: &str) -> Result<String, &'static str> {
    parse_build_id(scope, text).map(|(project, uuid)| format!("{project}:{uuid}"))
}

/// Whether a project may be called so: `[A-Za-z0-9][A-Za-z0-9\-_]{1,149}`.
#[must_use]
pub fn is_project_name(name: &str) -> bool {
    (2..=150).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The project's name, where its ARN may be given. An ARN of another account, region or sort is given back whole: no
/// project is called so.
#[must_use]
pub fn project_name<'t>(scope: &Scope, name_or_arn: &'t str) -> &'t str {
    name_or_arn.strip_prefix(arns::project(scope, "").as_str()).unwrap_or(name_or_arn)
}

/// The container's id and the name of its socket folder.
#[must_use]
pub fn container_id(uuid: &str) -> String {
    let hex: Vec<char> = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let tail: String = hex[hex.len().saturating_sub(16)..].iter().collect();
    format!("b-{tail}")
}

/// The folder of a build's sources, `/codebuild/output/src<digits>/src`; the digits come from the build's uuid.
#[must_use]
pub fn output_directory(uuid: &str) -> String {
    let sum = uuid.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    format!("/codebuild/output/src{:09}", sum % 1_000_000_000)
}

/// Whether a secondary source or artifact may be called so.
///
/// # Errors
/// AWS's text.
pub fn check_identifier(identifier: &str) -> Result<(), &'static str> {
    let legal = identifier.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if legal && (1..128).contains(&identifier.len()) {
        return Ok(());
    }
    Err(
        "Invalid input: identifier must contain only alphanumeric characters and underscores and be less than 128 characters in length",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("123456789012", "us-east-1")
    }

    const UUID: &str = "01234567-89ab-4cde-8f01-23456789abcd";

    #[test]
    fn ids_and_arns_name_builds() {
        let id = format!("demo:{UUID}");
        assert_eq!(parse_build_id(&scope(), &id), Ok(("demo", UUID)));
        assert_eq!(build_id(&scope(), &format!("arn:aws:codebuild:us-east-1:123456789012:build/{id}")), Ok(id));
        for bad in [
            "",
            "demo",
            ":",
            "demo:1",
            "arn:aws:codebuild:us-east-1:123456789012:project/demo",
            &format!("arn:aws:codebuild:us-east-1:999999999999:build/demo:{UUID}"),
            &format!("arn:aws:codebuild:eu-west-1:123456789012:build/demo:{UUID}"),
            &format!("arn:aws:s3:us-east-1:123456789012:build/demo:{UUID}"),
            &format!("a b:{UUID}"),
            &format!("d:{UUID}"),
        ] {
            assert!(parse_build_id(&scope(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn project_names() {
        for (name, good) in
            [("ab", true), ("a", false), ("-ab", false), ("a b", false), ("a_b-C9", true), ("é1", false)]
        {
            assert_eq!(is_project_name(name), good, "{name}");
        }
        assert_eq!(project_name(&scope(), "arn:aws:codebuild:us-east-1:123456789012:project/demo"), "demo");
        assert_eq!(project_name(&scope(), "demo"), "demo");
        let foreign = "arn:aws:codebuild:us-east-1:999999999999:project/demo";
        assert_eq!(project_name(&scope(), foreign), foreign);
    }

    #[test]
    fn derived_names_are_stable_and_short() {
        assert_eq!(container_id(UUID), "b-8f0123456789abcd");
        assert_eq!(output_directory(UUID), output_directory(UUID));
        assert!(output_directory(UUID).starts_with("/codebuild/output/src") && output_directory(UUID).len() == 30);
    }

    #[test]
    fn identifiers() {
        assert!(check_identifier("Source_1").is_ok());
        for bad in ["", "a-b", "a.b", &"x".repeat(128)] {
            assert!(check_identifier(bad).is_err(), "{bad}");
        }
    }
}
