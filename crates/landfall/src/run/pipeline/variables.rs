//! The variables that source actions have on AWS, of the folders that stand in for them.

use super::super::tree::Checkout;
use super::definition::SourceAction;
use codepipeline::rules::variables::{Escaping, Reference, references, resolve};
use std::collections::BTreeMap;

/// The variables of one source action.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) name: String,
    /// What it has; absent what a folder without history cannot tell.
    pub(super) values: BTreeMap<&'static str, String>,
}

/// The variables of a source action, if it has a namespace.
pub(super) fn namespace(source: &SourceAction, checkout: Option<&Checkout>) -> Option<Namespace> {
    let name = source.declared.namespace.clone()?;
    let setting = |key: &str| source.setting(key).map(str::to_owned);
    let repository = setting("RepositoryName").or_else(|| setting("Repo"));
    let full = setting("FullRepositoryId");
    let short = || full.as_deref().and_then(|full| full.rsplit('/').next()).map(str::to_owned);
    let of_commit = |part: fn(&Checkout) -> &String| checkout.map(|checkout| part(checkout).clone());
    let values = [
        ("CommitId", of_commit(|checkout| &checkout.commit)),
        ("CommitMessage", of_commit(|checkout| &checkout.message)),
        ("AuthorDate", of_commit(|checkout| &checkout.author_date)),
        ("CommitterDate", of_commit(|checkout| &checkout.committer_date)),
        ("BranchName", of_commit(|checkout| &checkout.branch).filter(|branch| !branch.is_empty())),
        ("RepositoryName", repository.or_else(short)),
        ("FullRepositoryName", full.clone()),
        ("ConnectionArn", setting("ConnectionArn")),
        ("BucketName", setting("S3Bucket")),
        ("ObjectKey", setting("S3ObjectKey")),
    ];
    let branch = setting("BranchName").or_else(|| setting("Branch"));
    let values = values.map(|(key, value)| (key, value.or_else(|| branch.clone().filter(|_| key == "BranchName"))));
    Some(Namespace { name, values: values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect() })
}

/// An action's settings with the sources' variables put in; other references stay for the pipeline itself.
///
/// # Errors
/// A sentence about the first variable that no folder has.
pub(super) fn put_in(
    settings: &BTreeMap<String, String>,
    namespaces: &[Namespace],
) -> Result<BTreeMap<String, String>, String> {
    let put = |(key, text): (&String, &String)| {
        let value = resolve(text, Escaping::of_setting(key), |reference| value(reference, namespaces));
        value.map(|value| (key.clone(), value)).map_err(|reference| {
            format!("{reference} in {key}: the folder has no Git history that tells it; `git init` and a commit would")
        })
    };
    let has_any = |text: &String| !references(text).is_empty();
    settings
        .iter()
        .map(|entry| if has_any(entry.1) { put(entry) } else { Ok((entry.0.clone(), entry.1.clone())) })
        .collect()
}

/// What only Git tells of a folder.
const OF_COMMITS: [&str; 5] = ["CommitId", "CommitMessage", "AuthorDate", "CommitterDate", "BranchName"];

fn value(reference: &Reference, namespaces: &[Namespace]) -> Option<String> {
    let found = namespaces.iter().find(|namespace| namespace.name == reference.namespace);
    match found.map(|namespace| namespace.values.get(reference.key.as_str())) {
        Some(Some(value)) => Some(value.clone()),
        Some(None) if OF_COMMITS.contains(&reference.key.as_str()) => None,
        _ => Some(reference.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(settings: serde_json::Value) -> SourceAction {
        let declared = json!({"name": "App", "namespace": "Src", "configuration": settings});
        SourceAction { stage: "Source".into(), declared: serde_json::from_value(declared).unwrap() }
    }

    fn put(text: &str, checkout: Option<&Checkout>) -> Result<String, String> {
        let source = source(json!({"FullRepositoryId": "team/app", "BranchName": "main"}));
        let namespaces = [namespace(&source, checkout).unwrap()];
        let settings = BTreeMap::from([("EnvironmentVariables".to_owned(), text.to_owned())]);
        put_in(&settings, &namespaces).map(|mut settings| settings.remove("EnvironmentVariables").unwrap())
    }

    #[test]
    fn a_folders_commit_takes_the_place_of_the_sources() {
        let checkout = Checkout {
            commit: "abc".into(),
            message: "say \"hi\"".into(),
            branch: "topic".into(),
            ..Checkout::default()
        };
        for (text, expected) in [
            ("#{Src.CommitId}", "abc"),
            ("#{Src.CommitMessage}", "say \\\"hi\\\""),
            ("#{Src.BranchName} #{Src.RepositoryName} #{Src.FullRepositoryName}", "topic app team/app"),
            ("#{Src.VersionId} #{Build.X} #{variables.Y}", "#{Src.VersionId} #{Build.X} #{variables.Y}"),
        ] {
            assert_eq!(put(text, Some(&checkout)).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_folder_without_history_says_so() {
        assert!(put("#{Src.CommitId}", None).unwrap_err().contains("git init"));
        assert_eq!(put("#{Src.BranchName}", None).as_deref(), Ok("main"));
    }
}
