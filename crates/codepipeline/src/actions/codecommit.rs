//! Source/CodeCommit: the head of a branch, as a zip in the artifact store.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws::codecommit::{Commit, GetBranchInput, GetCommitInput, UserInfo};
use aws::s3::PutObject;
use kernel::Timestamp;

use super::{Completion, Course, Job, Provider, Trouble};
use crate::model::{External, Revision};
use crate::service::Service;

/// The longest revision summary, in characters.
const LONGEST_SUMMARY: usize = 2_048;
/// The longest `CommitMessage` variable, in bytes.
const LONGEST_MESSAGE: usize = 100 * 1024;

pub(super) struct CodeCommitSource;

#[async_trait]
impl Provider for CodeCommitSource {
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        if job.setting("OutputArtifactFormat") == "CODEBUILD_CLONE_REF" {
            let text = "OutputArtifactFormat CODEBUILD_CLONE_REF is not supported by this server yet. Use CODE_ZIP";
            return Err(Trouble::configuration(text));
        }
        let repository = job.setting("RepositoryName");
        let commit = self.commit(service, job, repository).await?;
        let id = commit.commit_id.clone().unwrap_or_default();
        let archive = service.sources.archive(&job.caller, repository, &id).await?;
        let Some(output) = job.outputs.first() else {
            return Err(Trouble::configuration("the action has no output artifact"));
        };
        service.s3.put_object(&job.caller, PutObject::new(&output.bucket, &output.key, archive)).await?;
        Ok(Course::done(completion(job, &commit)))
    }

    async fn look(&self, service: &Service, job: &Job, _: &External) -> Result<Course, Trouble> {
        self.start(service, job).await
    }
}

impl CodeCommitSource {
    /// The commit that an earlier attempt took, or that was asked for at the start of the execution, else the branch's head.
    async fn commit(&self, service: &Service, job: &Job, repository: &str) -> Result<Commit, Trouble> {
        let asked = job.found_before.as_ref().or(job.wanted.as_ref().map(|wanted| &wanted.value));
        let id = match asked {
            Some(id) => id.clone(),
            None => head(service, job, repository).await?,
        };
        let input = GetCommitInput { repository_name: Some(repository.to_owned()), commit_id: Some(id.clone()) };
        let found = service.codecommit.get_commit(&job.caller, input).await?.commit;
        Ok(Commit { commit_id: Some(id), ..found.unwrap_or_default() })
    }
}

async fn head(service: &Service, job: &Job, repository: &str) -> Result<String, Trouble> {
    let branch = job.setting("BranchName");
    let input = GetBranchInput { repository_name: Some(repository.to_owned()), branch_name: Some(branch.to_owned()) };
    let found = service.codecommit.get_branch(&job.caller, input).await?;
    let id = found.branch.and_then(|branch| branch.commit_id);
    id.ok_or_else(|| Trouble::configuration(format!("The branch {branch} of repository {repository} has no commit")))
}

fn completion(job: &Job, commit: &Commit) -> Completion {
    let id = commit.commit_id.clone().unwrap_or_default();
    let message = commit.message.clone().unwrap_or_default();
    let date = |user: &Option<UserInfo>| user.as_ref().and_then(|user| user.date.as_deref()).and_then(commit_time);
    let text = |time: Option<Timestamp>| time.map(Timestamp::iso8601).unwrap_or_default();
    let committed = date(&commit.committer);
    let variables = BTreeMap::from([
        ("AuthorDate".to_owned(), text(date(&commit.author))),
        ("BranchName".to_owned(), job.setting("BranchName").to_owned()),
        ("CommitId".to_owned(), id.clone()),
        ("CommitMessage".to_owned(), cut_bytes(&message, LONGEST_MESSAGE)),
        ("CommitterDate".to_owned(), text(committed)),
        ("RepositoryName".to_owned(), job.setting("RepositoryName").to_owned()),
    ]);
    let summary: String = message.chars().take(LONGEST_SUMMARY).collect();
    let revision = Revision { id, summary: summary.clone(), created: committed.unwrap_or_default() };
    Completion { summary: Some(summary).filter(|summary| !summary.is_empty()), variables, revision: Some(revision) }
}

/// CodeCommit's dates are Git's: seconds since the epoch and an offset, `1484167798 -0800`.
fn commit_time(date: &str) -> Option<Timestamp> {
    let seconds = date.split_whitespace().next()?.parse().ok()?;
    Some(Timestamp::from_seconds(seconds))
}

fn cut_bytes(text: &str, length: usize) -> String {
    text[..text.floor_char_boundary(length)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_git_writes_them() {
        assert_eq!(commit_time("1484167798 -0800").unwrap().iso8601(), "2017-01-11T20:49:58Z");
        assert_eq!(commit_time("yesterday"), None);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut_bytes("aéé", 4), "aé");
        assert_eq!(cut_bytes("aé", 100), "aé");
    }
}
