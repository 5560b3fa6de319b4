use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agent::shim::Bundle;
use bytes::{Bytes, BytesMut};
use nix::sys::signal::{Signal as UnixSignal, kill};
use nix::unistd::Pid;
use oci_spec::runtime::{Process, Spec};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::runtime::Runtime;
use crate::{EngineError, Exec, ExecChunk, Execution, Exit};

/// How long output is still read after the command's end, when something that it left running holds it open.
const AFTER_END: Duration = Duration::from_millis(100);
const CHUNK: usize = 32 * 1024;

/// Starts a command in the container of `bundle`, which the runtime knows as `name`.
pub(super) async fn start(
    runtime: &Runtime,
    bundle: Bundle,
    id: &str,
    name: &str,
    exec: &Exec,
) -> Result<Execution, EngineError> {
    let files = Files::make(&bundle, exec)?;
    let mut command = runtime.command(&bundle, &files.log());
    command.arg("exec").arg("--process").arg(files.process()).arg("--pid-file").arg(files.pid()).arg(name);
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(EngineError::io("cannot run", runtime.program()))?;
    let running = Running {
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
        child,
        ended: None,
        told: false,
        files,
        id: id.to_owned(),
    };
    Ok(Execution::new(futures::stream::unfold(running, |mut running| async {
        let chunk = running.next().await.transpose()?;
        running.told |= chunk.is_err();
        Some((chunk, running))
    })))
}

/// A command that runs, or whose end has not been told yet.
struct Running {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    ended: Option<Exit>,
    told: bool,
    files: Files,
    id: String,
}

impl Running {
    async fn next(&mut self) -> Result<Option<ExecChunk>, EngineError> {
        loop {
            if self.told {
                return Ok(None);
            }
            let Some(exit) = self.ended else {
                if let Some(chunk) = self.read_or_end().await? {
                    return Ok(Some(chunk));
                }
                continue;
            };
            let rest = tokio::time::timeout(AFTER_END, read_either(&mut self.stdout, &mut self.stderr));
            if let Ok(Some(chunk)) = rest.await {
                return Ok(Some(chunk));
            }
            self.told = true;
            return Ok(Some(ExecChunk::Exit(exit)));
        }
    }

    /// The next output, or nothing when instead the command has ended.
    async fn read_or_end(&mut self) -> Result<Option<ExecChunk>, EngineError> {
        let status = tokio::select! {
            Some(chunk) = read_either(&mut self.stdout, &mut self.stderr) => return Ok(Some(chunk)),
            status = self.child.wait() => status.map_err(EngineError::io("cannot wait for", &self.files.0))?,
        };
        if !self.files.pid().exists() {
            // the runtime ended without having started anything.
            let reason = self.files.runtime_error().unwrap_or_else(|| status.to_string());
            return Err(EngineError::Start { id: self.id.clone(), reason });
        }
        // The runtime ends as its command did; of a command that a signal killed with 128 and its number, as a shell does.
        self.ended = Some(status.code().map_or_else(Exit::vanished, Exit::code));
        Ok(None)
    }
}

/// A command whose output nobody wants any more is killed; the runtime then ends by itself.
impl Drop for Running {
    fn drop(&mut self) {
        let unfinished = self.ended.is_none() && matches!(self.child.try_wait(), Ok(None));
        let pid = std::fs::read_to_string(self.files.pid()).ok().and_then(|pid| pid.trim().parse().ok());
        if let (true, Some(pid)) = (unfinished, pid) {
            // It may have ended just now. Its number is not another's yet: the runtime has not been waited for.
            let _ = kill(Pid::from_raw(pid), UnixSignal::SIGKILL);
        } else if unfinished {
            let _ = self.child.start_kill();
        }
    }
}

/// The next piece of either stream; `None` when both have ended.
async fn read_either(stdout: &mut Option<ChildStdout>, stderr: &mut Option<ChildStderr>) -> Option<ExecChunk> {
    loop {
        let chunk = tokio::select! {
            Some(bytes) = read(stdout), if stdout.is_some() => ExecChunk::Stdout(bytes),
            Some(bytes) = read(stderr), if stderr.is_some() => ExecChunk::Stderr(bytes),
            else => return None,
        };
        match &chunk {
            ExecChunk::Stdout(bytes) if bytes.is_empty() => *stdout = None,
            ExecChunk::Stderr(bytes) if bytes.is_empty() => *stderr = None,
            _ => return Some(chunk),
        }
    }
}

/// The next bytes of a stream; no bytes at its end, nothing if it has none.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(CHUNK);
    // A pipe whose other end is gone reads as ended; no other error can come from it.
    stream.as_mut()?.read_buf(&mut bytes).await.ok();
    Some(bytes.freeze())
}

/// The files of one command: what the runtime reads and writes. Removed with it.
struct Files(PathBuf);

impl Files {
    fn make(bundle: &Bundle, exec: &Exec) -> Result<Self, EngineError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = bundle.path().join(format!("exec-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).map_err(EngineError::io("cannot make", &path))?;
        let files = Self(path);
        let config = bundle.path().join("config.json");
        let process = process(&Spec::load(&config)?, exec);
        // A file, because arguments of processes are for all to see and its environment may hold secrets.
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(files.process())
            .and_then(|mut file| file.write_all(&serde_json::to_vec(&process)?));
        written.map_err(EngineError::io("cannot write", &files.0))?;
        Ok(files)
    }

    fn process(&self) -> PathBuf {
        self.0.join("process.json")
    }

    fn pid(&self) -> PathBuf {
        self.0.join("pid")
    }

    fn log(&self) -> PathBuf {
        Bundle::new(self.0.clone()).runtime_log()
    }

    fn runtime_error(&self) -> Option<String> {
        Bundle::new(self.0.clone()).runtime_error()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // They go with the container at the latest.
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

/// The container's first process with another command, working folder and further environment.
fn process(config: &Spec, exec: &Exec) -> Process {
    let mut process = config.process().clone().unwrap_or_default();
    process.set_args(Some(exec.argv.clone()));
    if let Some(workdir) = &exec.workdir {
        process.set_cwd(workdir.clone());
    }
    let mut environment = process.env().clone().unwrap_or_default();
    environment.retain(|entry| entry.split('=').next().is_none_or(|name| !exec.environment.contains_key(name)));
    environment.extend(exec.environment.iter().map(|(name, value)| format!("{name}={value}")));
    process.set_env(Some(environment));
    process
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use oci_spec::runtime::{ProcessBuilder, SpecBuilder};

    use super::*;

    #[test]
    fn a_command_has_the_containers_environment_under_its_own() {
        let first = ProcessBuilder::default().env(["A=1".to_owned(), "B=2".to_owned()]).cwd("/w").build().unwrap();
        let config = SpecBuilder::default().process(first).build().unwrap();
        let mut exec = Exec::new(["ls"]);
        exec.environment.insert("B".into(), "3".into());
        let second = process(&config, &exec);
        assert_eq!(second.env().as_ref().unwrap(), &["A=1", "B=3"]);
        assert_eq!(second.args().as_ref().unwrap(), &["ls"]);
        assert_eq!(second.cwd(), Path::new("/w"));
        exec.workdir = Some("/else".into());
        assert_eq!(process(&config, &exec).cwd(), Path::new("/else"));
    }
}
