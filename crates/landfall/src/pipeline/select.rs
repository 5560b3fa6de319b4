//! Which execution is meant: the named one, that of a commit, or the newest.

use serde_json::Value;

/// What the user said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'w> {
    Execution(&'w str),
    /// A commit, or its first digits.
    Commit(&'w str),
    Newest,
}

/// The wanted one of the executions, newest first; none while it has not begun, or its source is not yet read.
pub(super) fn select(summaries: &[Value], wanted: Wanted<'_>) -> Option<String> {
    let found = match wanted {
        Wanted::Execution(id) => return Some(id.to_owned()),
        Wanted::Newest => summaries.first(),
        Wanted::Commit(commit) => summaries.iter().find(|summary| {
            let mut revisions = summary["sourceRevisions"].as_array().into_iter().flatten();
            revisions.any(|revision| revision["revisionId"].as_str().is_some_and(|id| id.starts_with(commit)))
        }),
    };
    found.and_then(|summary| summary["pipelineExecutionId"].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_wanted_execution_is_found() {
        let summaries = [
            json!({"pipelineExecutionId": "three"}),
            json!({"pipelineExecutionId": "two", "sourceRevisions": [{"revisionId": "abc123"}]}),
            json!({"pipelineExecutionId": "one", "sourceRevisions": [{"revisionId": "abc123"}, {"revisionId": "def"}]}),
        ];
        for (wanted, found) in [
            (Wanted::Newest, Some("three")),
            (Wanted::Commit("abc"), Some("two")),
            (Wanted::Commit("def"), Some("one")),
            (Wanted::Commit("9"), None),
            (Wanted::Execution("other"), Some("other")),
        ] {
            assert_eq!(select(&summaries, wanted).as_deref(), found, "{wanted:?}");
        }
        assert_eq!(select(&[], Wanted::Newest), None);
    }
}
