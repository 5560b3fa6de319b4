//! Which change in a repository or bucket starts which pipeline.
//!
//! A CodeCommit or S3 source whose `PollForSourceChanges` is absent or `true` is started by the change itself (user guide, "Start
//! a pipeline": AWS polls here, Landfall listens); `false` leaves it to rules and calls.

use serde_json::Value;

use super::definition::{Action, Definition};

/// A place that a pipeline watches: the value of its index row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedSource(pub String);

impl WatchedSource {
    fn branch(repository: &str, branch: &str) -> Self {
        Self(format!("codecommit:{repository}:{branch}"))
    }

    fn object(bucket: &str, key: &str) -> Self {
        Self(format!("s3:{bucket}:{key}"))
    }
}

/// What the pipeline watches, each place once.
#[must_use]
pub fn watched_sources(definition: &Definition) -> Vec<WatchedSource> {
    let mut watched: Vec<WatchedSource> = definition.actions().filter_map(|(_, _, action)| watched(action)).collect();
    watched.sort();
    watched.dedup();
    watched
}

fn watched(action: &Action) -> Option<WatchedSource> {
    let polls = action.setting("PollForSourceChanges").is_none_or(|value| !value.eq_ignore_ascii_case("false"));
    if !polls {
        return None;
    }
    if action.kind.is_aws("Source", "CodeCommit") {
        Some(WatchedSource::branch(action.setting("RepositoryName")?, action.setting("BranchName")?))
    } else if action.kind.is_aws("Source", "S3") {
        Some(WatchedSource::object(action.setting("S3Bucket")?, action.setting("S3ObjectKey")?))
    } else {
        None
    }
}

/// The place that an event tells a change of: a push to a branch ("CodeCommit Repository State Change") or a new object
/// ("Object Created"). Deleting either starts nothing.
#[must_use]
pub fn changed_source(source: &str, detail_type: &str, detail: &Value) -> Option<WatchedSource> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (source, detail_type) {
        ("aws.codecommit", "CodeCommit Repository State Change") => {
            let moved = matches!(detail["event"].as_str(), Some("referenceCreated" | "referenceUpdated"));
            let branch = detail["referenceType"].as_str() == Some("branch");
            let place = WatchedSource::branch(&text(&detail["repositoryName"])?, &text(&detail["referenceName"])?);
            (moved && branch).then_some(place)
        }
        // The second is the same event of a bucket that does not send its events to EventBridge.
        ("aws.s3" | "landfall.s3", "Object Created") => {
            Some(WatchedSource::object(&text(&detail["bucket"]["name"])?, &text(&detail["object"]["key"])?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::definition::{ActionKind, Stage};
    use super::*;

    fn source(provider: &str, settings: &[(&str, &str)]) -> Action {
        Action {
            kind: ActionKind {
                category: "Source".into(),
                owner: "AWS".into(),
                provider: provider.into(),
                version: "1".into(),
            },
            configuration: settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..Action::default()
        }
    }

    fn watching(actions: Vec<Action>) -> Vec<String> {
        let stage = Stage { name: "Source".into(), actions, ..Stage::default() };
        let definition = Definition { stages: vec![stage], ..Definition::default() };
        watched_sources(&definition).into_iter().map(|source| source.0).collect()
    }

    #[test]
    fn a_source_is_watched_unless_polling_is_off() {
        let repository = ("RepositoryName", "app");
        let branch = ("BranchName", "main");
        assert_eq!(watching(vec![source("CodeCommit", &[repository, branch])]), ["codecommit:app:main"]);
        for (value, expected) in [("true", 1), ("True", 1), ("false", 0), ("False", 0)] {
            let action = source("CodeCommit", &[repository, branch, ("PollForSourceChanges", value)]);
            assert_eq!(watching(vec![action]).len(), expected, "{value}");
        }
    }

    #[test]
    fn one_place_watched_twice_is_one_place() {
        let bucket = source("S3", &[("S3Bucket", "b"), ("S3ObjectKey", "k/app.zip")]);
        assert_eq!(watching(vec![bucket.clone(), bucket]), ["s3:b:k/app.zip"]);
    }

    #[test]
    fn pushes_to_branches_are_changes_and_deletions_are_not() {
        let push = |event: &str, kind: &str| {
            let detail =
                json!({"event": event, "referenceType": kind, "referenceName": "main", "repositoryName": "app"});
            changed_source("aws.codecommit", "CodeCommit Repository State Change", &detail).map(|source| source.0)
        };
        assert_eq!(push("referenceUpdated", "branch").as_deref(), Some("codecommit:app:main"));
        assert_eq!(push("referenceCreated", "branch").as_deref(), Some("codecommit:app:main"));
        assert_eq!(push("referenceDeleted", "branch"), None);
        assert_eq!(push("referenceCreated", "tag"), None);
    }

    #[test]
    fn a_new_object_is_a_change() {
        let detail = json!({"bucket": {"name": "b"}, "object": {"key": "k/app.zip"}});
        for source in ["aws.s3", "landfall.s3"] {
            assert_eq!(changed_source(source, "Object Created", &detail).unwrap().0, "s3:b:k/app.zip");
        }
        assert_eq!(changed_source("aws.s3", "Object Deleted", &detail), None);
        assert_eq!(changed_source("aws.s3", "Object Created", &json!({})), None);
        assert_eq!(changed_source("my.app", "Object Created", &detail), None);
    }
}
