use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use serde::Deserialize;

use super::{ExitRecord, Groups, ShimConfig};

/// The folder of one container: what the engine and the shim write there, by name.
#[derive(Debug, Clone)]
pub struct Bundle(PathBuf);

impl Bundle {
    /// The bundle in `folder`, which must be an absolute path for the runtime to find it.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder itself; the runtime reads `config.json` in it.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The engine's orders to the shim ([`ShimConfig`](super::ShimConfig)).
    pub fn shim_config(&self) -> PathBuf {
        self.0.join("shim.json")
    }

    /// The container as the engine was asked for it: the last file of the engine's to be written.
    pub fn description(&self) -> PathBuf {
        self.0.join("container.json")
    }

    /// The pipe whose write end the shim holds while it lives.
    pub fn alive(&self) -> PathBuf {
        self.0.join("alive")
    }

    /// What the container wrote to its standard output and error.
    pub fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// How the container ended; whole or not there.
    pub fn exit(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    /// The container's writable space: its layers and its root. Where it is a file system of its own, only the shim and
    /// the container see what is in it.
    pub fn space(&self) -> PathBuf {
        self.0.join("disk")
    }

    /// The container's root folder in its space.
    pub const ROOT: &str = "rootfs";

    /// The file with the space's own file system, if it has one.
    pub fn disk_image(&self) -> PathBuf {
        self.0.join("disk.ext4")
    }

    /// Where the runtime keeps its state of this container, for its `--root`.
    pub fn runtime_state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// What the runtime had to say, as JSON lines.
    pub fn runtime_log(&self) -> PathBuf {
        self.0.join("runtime.log")
    }

    /// What the shim itself had to say, if anything.
    pub fn shim_log(&self) -> PathBuf {
        self.0.join("shim.log")
    }

    /// Where the runtime writes the process id of the container's first process.
    pub fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }

    /// Where the shim writes its own process id.
    pub fn shim_pid(&self) -> PathBuf {
        self.0.join("shim.pid")
    }

    /// The engine's orders to the shim.
    pub fn read_config(&self) -> io::Result<ShimConfig> {
        Ok(serde_json::from_slice(&fs::read(self.shim_config())?)?)
    }

    /// The container's first process, if it lives: by its overlays it is known to be this container's, and no other that got
    /// its number.
    pub fn first_process(&self) -> Option<Pid> {
        let pid: i32 = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
        mounts.contains(&self.mark()).then(|| Pid::from_raw(pid))
    }

    /// What stands in the list of mounts of each process in this container, and of no other.
    pub fn mark(&self) -> String {
        // Blanks stand there as octal numbers.
        format!("upperdir={}/", self.space().display()).replace(' ', "\\040")
    }

    /// Kills all that runs in the container, whoever still watches over it; false if something remains after a second.
    pub fn kill(&self, groups: &Groups) -> bool {
        if let Some(pid) = self.first_process() {
            // With the first process of a pid namespace all others in it end.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        groups.kill()
    }

    fn launched(&self) -> PathBuf {
        self.0.join("launched")
    }

    /// Records, before anything runs, that the container may have run from now on: durably, with its description and its
    /// folder, for otherwise a machine that lost power would run it a second time. Journals take all that at the first sync.
    pub fn mark_launched(&self) -> io::Result<()> {
        File::create(self.launched())?;
        match File::open(self.description()) {
            Ok(description) => description.sync_all()?,
            // One that is not kept has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.sync()?;
        self.0.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }

    /// Takes the mark back: nothing ran.
    pub fn unmark_launched(&self) -> io::Result<()> {
        match fs::remove_file(self.launched()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync()),
        }
    }

    /// Whether the container may have run. Without this mark it certainly did not.
    pub fn was_launched(&self) -> bool {
        self.launched().exists()
    }

    /// Makes the output durable, then the exit record.
    pub fn write_exit(&self, record: &ExitRecord) -> io::Result<()> {
        match File::open(self.output()) {
            Ok(output) if output.metadata()?.len() > 0 => output.sync_data()?,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let temporary = self.0.join("exit.json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(temporary, self.exit())?;
        self.sync()
    }

    /// The exit record, if the end was seen.
    pub fn read_exit(&self) -> io::Result<Option<ExitRecord>> {
        match fs::read(self.exit()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last error in the runtime's log.
    pub fn runtime_error(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Line {
            level: String,
            msg: String,
        }
        let log = fs::read_to_string(self.runtime_log()).ok()?;
        let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        lines.filter(|line| matches!(line.level.as_str(), "error" | "fatal")).map(|line| line.msg).next()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn bundle() -> (tempfile::TempDir, Bundle) {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        (folder, bundle)
    }

    #[test]
    fn keeps_the_exit_record() {
        let (_folder, bundle) = bundle();
        fs::write(bundle.output(), "hello").unwrap();
        assert_eq!(bundle.read_exit().unwrap(), None);
        let record = ExitRecord { code: Some(3), signal: None, oom: false };
        bundle.write_exit(&record).unwrap();
        assert_eq!(bundle.read_exit().unwrap(), Some(record));
    }

    #[test]
    fn the_launch_mark_can_be_taken_back() {
        let (_folder, bundle) = bundle();
        assert!(!bundle.was_launched());
        bundle.mark_launched().unwrap();
        assert!(bundle.was_launched());
        bundle.unmark_launched().unwrap();
        assert!(!bundle.was_launched());
    }

    #[test]
    fn finds_the_last_error_of_the_runtime() {
        let (_folder, bundle) = bundle();
        assert_eq!(bundle.runtime_error(), None);
        let lines = [
            r#"{"level":"warning","msg":"meh","time":"t"}"#,
            r#"{"level":"error","msg":"exec: \"x\": not found","time":"t"}"#,
            "not json",
        ];
        fs::write(bundle.runtime_log(), lines.join("\n")).unwrap();
        assert_eq!(bundle.runtime_error().as_deref(), Some("exec: \"x\": not found"));
    }
}
