//! The hosts that are deployed to: real agents, each with a `/srv` of its own, killed and started again.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// The name of a host in Landfall.
pub(super) fn name(number: usize) -> String {
    format!("host{number}")
}

/// One host.
pub(super) struct Host {
    agent: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
}

impl Host {
    /// A host whose agent does not run yet; `key` is its IAM user's.
    pub(super) fn new(
        agent: &Path,
        folder: PathBuf,
        authority: &str,
        arn: &str,
        key: (&str, &str),
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("srv"))?;
        let text = format!(
            "---\nregion: us-east-1\niam_user_arn: {arn}\naws_access_key_id: {}\naws_secret_access_key: {}\n\
             endpoint: http://{authority}\nroot_dir: {}\n",
            key.0,
            key.1,
            folder.join("agent").display()
        );
        fs::write(folder.join("host.yml"), text)?;
        Ok(Self { agent: agent.to_owned(), folder, child: None })
    }

    /// Starts its agent. The shell and what it becomes have one process id, so that a signal meets the agent itself.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("agent.log"))?;
        let script = "mount --bind \"$1/srv\" /srv && exec \"$2\" host --config \"$1/host.yml\"";
        let mut command = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", script, "host"]).arg(&self.folder).arg(&self.agent);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        self.child = Some(command.spawn().context("unshare")?);
        Ok(())
    }

    /// SIGKILL for its agent; what that has started goes on, as on a machine.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// What its hooks have written: deployment and event, line by line.
    pub(super) fn diary(&self) -> anyhow::Result<Vec<(String, String)>> {
        let text = match fs::read_to_string(self.folder.join("srv/diary")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        Ok(lines.map(|(deployment, event)| (deployment.to_owned(), event.to_owned())).collect())
    }

    /// The text of the revision that a pipeline has installed there.
    pub(super) fn installed(&self, pipeline: &str) -> Option<String> {
        fs::read_to_string(self.folder.join("srv").join(pipeline).join(super::revision::TEXT)).ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
