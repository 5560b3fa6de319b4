//! Revisions on their way: `git push`, or an object.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::api::Api;
use super::plan::{Plan, Source};
use super::revision::Revision;

/// The longest that a push may take before it is tried again.
const LONGEST: Duration = Duration::from_secs(30);

/// Where a user keeps what is to be pushed.
pub(super) struct Desk {
    folder: PathBuf,
}

impl Desk {
    /// A working copy in `folder`.
    pub(super) async fn make(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let desk = Self { folder: folder.to_owned() };
        desk.git(&["init", "--quiet", "--initial-branch=main"]).await?.context("git init")?;
        Ok(desk)
    }

    /// Sends a revision until that is acknowledged; answers the commit or the object's version.
    pub(super) async fn send(&self, api: &mut Api, plan: &Plan, revision: &Revision) -> anyhow::Result<String> {
        if plan.source == Source::S3 {
            let version = api.put(&format!("/{}/source.zip", plan.inbox()), &revision.zip()?).await?;
            return version.context("the inbox has no versions");
        }
        for (path, text) in revision.files() {
            let file = self.folder.join(path);
            fs::create_dir_all(file.parent().context("no folder")?)?;
            fs::write(file, text)?;
        }
        self.git(&["add", "--all"]).await?.context("git add")?;
        self.git(&["commit", "--quiet", "--message", revision.text().trim()]).await?.context("git commit")?;
        let commit = self.git(&["rev-parse", "HEAD"]).await?.context("git rev-parse")?;
        loop {
            let url = api.client().git_url(&plan.inbox())?;
            // A push that its answer was lost for is done again, and finds everything up to date.
            if timeout(LONGEST, self.git(&["push", "--quiet", &url, "main"]))
                .await
                .is_ok_and(|done| done.is_ok_and(|it| it.is_some()))
            {
                return Ok(commit);
            }
            api.breathe("git push").await?;
        }
    }

    /// What it printed, if it succeeded.
    async fn git(&self, arguments: &[&str]) -> anyhow::Result<Option<String>> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=soak", "-c", "user.email=soak@example.org", "-c", "gc.auto=0"]);
        command.arg("-C").arg(&self.folder).args(arguments).kill_on_drop(true);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        let output = command.output().await.context("git")?;
        if arguments.first() != Some(&"push") && !output.status.success() {
            bail!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }
}
