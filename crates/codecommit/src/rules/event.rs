//! The event of a changed reference, as EventBridge receives it from CodeCommit.

use kernel::{Event, Scope, Timestamp};
use serde_json::{Map, Value, json};

use crate::model::{HEADS, Repository, TAGS};
use crate::rules::changes::Change;

/// What the events are found by.
pub(crate) const SOURCE: &str = "aws.codecommit";
const DETAIL_TYPE: &str = "CodeCommit Repository State Change";

/// The event of `change`; none for references that are neither branches nor tags.
pub(crate) fn event(
    scope: &Scope,
    repository: &Repository,
    change: &Change,
    id: String,
    time: Timestamp,
) -> Option<Event> {
    let branch = change.name.strip_prefix(HEADS).map(|name| ("branch", name));
    let (kind, name) = branch.or_else(|| change.name.strip_prefix(TAGS).map(|name| ("tag", name)))?;
    Some(Event {
        id,
        source: SOURCE.to_owned(),
        detail_type: DETAIL_TYPE.to_owned(),
        account: scope.account.clone(),
        region: scope.region.clone(),
        time,
        resources: vec![repository.arn(scope)],
        detail: Value::Object(detail(repository, change, kind, name)),
    })
}

fn detail(repository: &Repository, change: &Change, kind: &str, name: &str) -> Map<String, Value> {
    let what = match (&change.old, &change.new) {
        (None, _) => "referenceCreated",
        (_, None) => "referenceDeleted",
        _ => "referenceUpdated",
    };
    let members = [
        ("event", Some(json!(what))),
        ("repositoryName", Some(json!(repository.name))),
        ("repositoryId", Some(json!(repository.id))),
        ("referenceType", Some(json!(kind))),
        ("referenceName", Some(json!(name))),
        ("referenceFullName", Some(json!(change.name))),
        ("commitId", change.new.as_ref().map(|id| json!(id))),
        ("oldCommitId", change.old.as_ref().map(|id| json!(id))),
        ("callerUserArn", change.caller_arn.as_ref().map(|arn| json!(arn))),
    ];
    members.into_iter().filter_map(|(member, value)| Some((member.to_owned(), value?))).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn repository() -> Repository {
        Repository {
            name: "demo".to_owned(),
            id: "id-1".to_owned(),
            description: None,
            default_branch: None,
            kms_key_id: None,
            tags: kernel::tags::Tags::new(),
            created: Timestamp::default(),
            modified: Timestamp::default(),
        }
    }

    fn made(name: &str, old: Option<&str>, new: Option<&str>) -> Option<Value> {
        let (old, new) = (old.map(str::to_owned), new.map(str::to_owned));
        let change = Change { name: name.to_owned(), old, new, caller_arn: Some("arn:jane".to_owned()) };
        let scope = Scope::new("123456789012", "us-east-1");
        let event = event(&scope, &repository(), &change, "e".to_owned(), Timestamp::default())?;
        assert_eq!(event.resources, ["arn:aws:codecommit:us-east-1:123456789012:demo"]);
        Some(event.detail)
    }

    #[test]
    fn a_created_branch_is_told_with_all_members() {
        let expected = json!({
            "event": "referenceCreated", "repositoryName": "demo", "repositoryId": "id-1", "referenceType": "branch",
            "referenceName": "feature/x", "referenceFullName": "refs/heads/feature/x", "commitId": "b",
            "callerUserArn": "arn:jane",
        });
        assert_eq!(made("refs/heads/feature/x", None, Some("b")).unwrap(), expected);
    }

    #[test]
    fn the_kind_of_change_follows_from_its_sides() {
        let table = [
            ("refs/heads/m", Some("a"), Some("b"), Some("referenceUpdated")),
            ("refs/tags/v", Some("a"), None, Some("referenceDeleted")),
            ("refs/notes/n", None, Some("a"), None),
        ];
        for (name, old, new, what) in table {
            let made = made(name, old, new);
            assert_eq!(made.as_ref().map(|detail| detail["event"].as_str().unwrap()), what, "{name}");
            assert_eq!(made.map(|detail| detail.get("oldCommitId").is_some()), what.map(|_| old.is_some()));
        }
    }
}
