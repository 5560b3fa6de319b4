//! The variables that a build's commands see (CodeBuild user guide, "Environment variables in build environments").

use std::collections::BTreeMap;

use aws::codebuild::EnvironmentVariable;

use super::buildspec::Env;

/// What CodeBuild itself tells a build.
#[derive(Debug, Clone, Default)]
pub struct Provided {
    /// `project:uuid`.
    pub build_id: String,
    /// The build's ARN.
    pub build_arn: String,
    /// The project's ARN.
    pub project_arn: String,
    /// The build's number in its project.
    pub number: i64,
    /// The image that the project names.
    pub image: String,
    /// Who started the build.
    pub initiator: String,
    /// The key that artifacts are encrypted with.
    pub kms_key: String,
    /// The log stream's name.
    pub log_path: String,
    /// The region.
    pub region: String,
    /// When the build started, in milliseconds since the epoch.
    pub start_millis: i64,
    /// The build's page.
    pub url: String,
    /// The commit that the source is at, where it has one.
    pub resolved_source_version: Option<String>,
    /// The sources, the primary one first, which has no identifier.
    pub sources: Vec<SourceVariables>,
    /// Where this server answers AWS's API inside of the build.
    pub endpoint: String,
}

/// What a build is told of one of its sources.
#[derive(Debug, Clone, Default)]
pub struct SourceVariables {
    /// The identifier of a secondary source.
    pub identifier: Option<String>,
    /// Its folder.
    pub directory: String,
    /// Its version, as asked for.
    pub version: Option<String>,
    /// Its URL, of a Git source.
    pub url: Option<String>,
}

/// All variables: the buildspec's below the project's (with the start's already laid over them), CodeBuild's own above
/// both, but what is not CodeBuild's to name (`HOME`, `AWS_REGION`, …) may be set by either.
#[must_use]
pub fn environment(env: &Env, project: &[EnvironmentVariable], provided: &Provided) -> BTreeMap<String, String> {
    let mut variables = defaults(provided);
    variables.extend(env.variables.iter().cloned());
    let plain = project.iter().filter(|variable| kind(variable) == "PLAINTEXT");
    variables.extend(
        plain.map(|variable| (variable.name.clone().unwrap_or_default(), variable.value.clone().unwrap_or_default())),
    );
    variables.retain(|name, _| !name.starts_with("CODEBUILD_"));
    variables.extend(own(provided));
    variables
}

/// The variables whose values lie elsewhere, which this version cannot fetch: their names. What the project or the start
/// gives outweighs the buildspec's, which is not looked up then.
#[must_use]
pub fn unsupported(env: &Env, project: &[EnvironmentVariable]) -> Vec<String> {
    let of = |what: &str, name: &str| format!("{what} value of {name}");
    let open = |(name, _): &&(String, String)| !project.iter().any(|given| given.name.as_ref() == Some(name));
    let stored = env.parameter_store.iter().filter(open).map(|(name, _)| of("Parameter Store", name));
    let secrets = env.secrets_manager.iter().filter(open).map(|(name, _)| of("Secrets Manager", name));
    let project = project.iter().filter(|variable| kind(variable) != "PLAINTEXT").map(|variable| {
        let what = if kind(variable) == "PARAMETER_STORE" { "Parameter Store" } else { "Secrets Manager" };
        of(what, variable.name.as_deref().unwrap_or_default())
    });
    stored.chain(secrets).chain(project).collect()
}

/// Names that may be exported: never credentials, nor values that the project keeps elsewhere.
#[must_use]
pub fn exportable(env: &Env, project: &[EnvironmentVariable]) -> Vec<String> {
    let secret = |name: &str| {
        project.iter().any(|variable| variable.name.as_deref() == Some(name) && kind(variable) != "PLAINTEXT")
    };
    env.exported_variables.iter().filter(|name| !name.starts_with("AWS_") && !secret(name)).cloned().collect()
}

fn kind(variable: &EnvironmentVariable) -> &str {
    variable.type_.as_deref().unwrap_or("PLAINTEXT")
}

fn defaults(provided: &Provided) -> BTreeMap<String, String> {
    [
        ("HOME", "/root"),
        ("AWS_DEFAULT_REGION", &provided.region),
        ("AWS_REGION", &provided.region),
        ("AWS_ENDPOINT_URL", &provided.endpoint),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn own(provided: &Provided) -> BTreeMap<String, String> {
    let mut own = BTreeMap::from([
        ("CODEBUILD_CI".to_owned(), "true".to_owned()),
        ("CODEBUILD_BUILD_ID".to_owned(), provided.build_id.clone()),
        ("CODEBUILD_BUILD_ARN".to_owned(), provided.build_arn.clone()),
        ("CODEBUILD_PROJECT_ARN".to_owned(), provided.project_arn.clone()),
        ("CODEBUILD_BUILD_NUMBER".to_owned(), provided.number.to_string()),
        ("CODEBUILD_BUILD_IMAGE".to_owned(), provided.image.clone()),
        ("CODEBUILD_BUILD_SUCCEEDING".to_owned(), "1".to_owned()),
        ("CODEBUILD_BUILD_URL".to_owned(), provided.url.clone()),
        ("CODEBUILD_INITIATOR".to_owned(), provided.initiator.clone()),
        ("CODEBUILD_KMS_KEY_ID".to_owned(), provided.kms_key.clone()),
        ("CODEBUILD_LOG_PATH".to_owned(), provided.log_path.clone()),
        ("CODEBUILD_START_TIME".to_owned(), provided.start_millis.to_string()),
    ]);
    if let Some(version) = &provided.resolved_source_version {
        own.insert("CODEBUILD_RESOLVED_SOURCE_VERSION".to_owned(), version.clone());
    }
    own.extend(provided.sources.iter().flat_map(source));
    own
}

fn source(source: &SourceVariables) -> Vec<(String, String)> {
    let suffix = source.identifier.as_ref().map(|identifier| format!("_{identifier}")).unwrap_or_default();
    let mut variables = vec![(format!("CODEBUILD_SRC_DIR{suffix}"), source.directory.clone())];
    let given = [("CODEBUILD_SOURCE_VERSION", &source.version), ("CODEBUILD_SOURCE_REPO_URL", &source.url)];
    variables.extend(given.into_iter().filter_map(|(name, value)| Some((format!("{name}{suffix}"), value.clone()?))));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str, kind: &str) -> EnvironmentVariable {
        EnvironmentVariable { name: Some(name.into()), value: Some(value.into()), type_: Some(kind.into()) }
    }

    fn env(variables: &[(&str, &str)]) -> Env {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Env { variables, ..Env::default() }
    }

    #[test]
    fn the_project_wins_over_the_buildspec_and_codebuild_over_both() {
        let provided = Provided {
            build_id: "demo:1".into(),
            region: "eu-west-1".into(),
            endpoint: "http://127.0.0.1:4566".into(),
            ..Provided::default()
        };
        let env = env(&[
            ("A", "spec"),
            ("B", "spec"),
            ("CODEBUILD_BUILD_ID", "mine"),
            ("CODEBUILD_OTHER", "x"),
            ("AWS_REGION", "own"),
        ]);
        let all = environment(
            &env,
            &[variable("B", "project", "PLAINTEXT"), variable("P", "/p", "PARAMETER_STORE")],
            &provided,
        );
        let value = |name: &str| all.get(name).map(String::as_str);
        assert_eq!((value("A"), value("B")), (Some("spec"), Some("project")));
        assert_eq!((value("CODEBUILD_BUILD_ID"), value("CODEBUILD_OTHER")), (Some("demo:1"), None));
        assert_eq!((value("AWS_REGION"), value("AWS_DEFAULT_REGION")), (Some("own"), Some("eu-west-1")));
        assert_eq!((value("HOME"), value("AWS_ENDPOINT_URL")), (Some("/root"), Some("http://127.0.0.1:4566")));
        assert_eq!((value("P"), value("CODEBUILD_RESOLVED_SOURCE_VERSION"), value("CI")), (None, None, None));
    }

    #[test]
    fn each_source_has_its_variables() {
        let provided = Provided {
            sources: vec![
                SourceVariables {
                    identifier: None,
                    directory: "/s".into(),
                    version: Some("main".into()),
                    url: Some("https://r".into()),
                },
                SourceVariables { identifier: Some("Two".into()), directory: "/t".into(), version: None, url: None },
            ],
            resolved_source_version: Some("abc".into()),
            ..Provided::default()
        };
        let all = environment(&Env::default(), &[], &provided);
        for (name, value) in [
            ("CODEBUILD_SRC_DIR", "/s"),
            ("CODEBUILD_SOURCE_VERSION", "main"),
            ("CODEBUILD_SOURCE_REPO_URL", "https://r"),
            ("CODEBUILD_SRC_DIR_Two", "/t"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", "abc"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!all.contains_key("CODEBUILD_SOURCE_VERSION_Two"));
    }

    #[test]
    fn what_lies_elsewhere_is_named() {
        let mut env = env(&[]);
        env.parameter_store = vec![("P".into(), "/p".into())];
        let project = [variable("S", "id:key", "SECRETS_MANAGER"), variable("A", "b", "PLAINTEXT")];
        assert_eq!(unsupported(&env, &project), ["Parameter Store value of P", "Secrets Manager value of S"]);
        let given = [variable("P", "1", "PLAINTEXT")];
        assert!(!unsupported(&env, &given).contains(&"Parameter Store value of P".to_owned()));
    }

    #[test]
    fn credentials_and_secrets_are_not_exported() {
        let mut env = env(&[]);
        env.exported_variables = vec!["A".into(), "AWS_SECRET_ACCESS_KEY".into(), "S".into()];
        assert_eq!(exportable(&env, &[variable("S", "id", "SECRETS_MANAGER")]), ["A"]);
    }
}
