//! Revisions as people know them: a short id and the first line of what was said.

use aws::codepipeline::{ArtifactRevision, SourceRevision};

use super::link;

/// The longest text that is shown of a message, in characters.
const LONGEST: usize = 120;

/// A source revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Seven letters of a commit id; other ids up to twelve.
    pub short: String,
    /// In full.
    pub id: String,
    /// The first line of its message.
    pub message: String,
    /// Where it can be seen.
    pub url: Option<String>,
}

impl Revision {
    /// Of an id with what is known of it.
    pub(crate) fn new(id: &str, summary: Option<&str>, url: Option<&str>) -> Self {
        let message = summary.map(message).unwrap_or_default();
        Self { short: short(id), id: id.to_owned(), message, url: url.and_then(link::web) }
    }

    /// Those of an execution in a list.
    pub(crate) fn of_sources(revisions: Option<&Vec<SourceRevision>>) -> Vec<Self> {
        let all = revisions.into_iter().flatten();
        all.filter_map(|revision| {
            let (id, summary) = (revision.revision_id.as_deref()?, revision.revision_summary.as_deref());
            Some(Self::new(id, summary, revision.revision_url.as_deref()))
        })
        .collect()
    }

    /// Those of an execution's artifacts.
    pub(crate) fn of_artifacts(revisions: Option<&Vec<ArtifactRevision>>) -> Vec<Self> {
        let all = revisions.into_iter().flatten();
        all.filter_map(|revision| {
            let (id, summary) = (revision.revision_id.as_deref()?, revision.revision_summary.as_deref());
            Some(Self::new(id, summary, revision.revision_url.as_deref()))
        })
        .collect()
    }
}

fn short(id: &str) -> String {
    let is_commit = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.chars().take(if is_commit { 7 } else { 12 }).collect()
}

/// The first line. A connection's summary is JSON with the message in it.
fn message(summary: &str) -> String {
    let said = Some(summary).filter(|text| text.starts_with('{')).and_then(commit_message);
    let text = said.as_deref().unwrap_or(summary);
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn commit_message(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Summary {
        #[serde(rename = "CommitMessage")]
        commit_message: String,
    }
    serde_json::from_str::<Summary>(json).ok().map(|summary| summary.commit_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_and_messages_are_their_first_line() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let long = "x".repeat(LONGEST + 1);
        for (id, summary, short, message) in [
            (commit, "Fix it\n\nBecause.", "0123456", "Fix it".to_owned()),
            (commit, r#"{"ProviderType":"GitHub","CommitMessage":"Add\nmore"}"#, "0123456", "Add".to_owned()),
            (commit, "{not json", "0123456", "{not json".to_owned()),
            (
                "ZTxpOpRz9QeWLSrPp.KjiS5uZF",
                "Amazon S3 version id: Z",
                "ZTxpOpRz9QeW",
                "Amazon S3 version id: Z".to_owned(),
            ),
            ("v1", long.as_str(), "v1", format!("{}…", "x".repeat(LONGEST))),
            ("", "", "", String::new()),
        ] {
            let revision = Revision::new(id, Some(summary), Some("javascript:x"));
            assert_eq!((revision.short.as_str(), revision.message, revision.url), (short, message, None));
        }
    }
}
