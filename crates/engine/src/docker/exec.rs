//! Further commands in a running container.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};

use super::daemon::Daemon;
use crate::{AGENT_IN_CONTAINER, EngineError, Exec, ExecChunk, Execution, Exit};

/// How often, and how long after its last output, a command's end is asked for.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 250;
/// No word of the agent's is longer.
const COMPLAINT: usize = 4096;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// Starts a command in the container that the daemon knows as `name`; one in a privileged container keeps its powers.
pub(super) async fn start(
    daemon: &Daemon,
    id: &str,
    name: &str,
    exec: &Exec,
    privileged: bool,
) -> Result<Execution, EngineError> {
    let entry: &[&str] = if privileged { &["next", "--privileged"] } else { &["next"] };
    let command = through_agent(entry.iter().map(|&word| word.to_owned()).chain(exec.argv.iter().cloned()));
    let environment = exec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let options = CreateExecOptions {
        cmd: Some(command),
        env: Some(environment),
        working_dir: exec.workdir.as_ref().map(|folder| folder.display().to_string()),
        ..attached()
    };
    let (exec, output) = run(daemon, name, options).await?;
    let running = Running {
        daemon: daemon.clone(),
        id: id.to_owned(),
        name: name.to_owned(),
        exec,
        output,
        head: None,
        complaint: BytesMut::new(),
        told: false,
    };
    Ok(Execution::new(futures::stream::unfold(running, |mut running| async {
        let chunk = running.next().await.transpose()?;
        running.told |= chunk.is_err();
        Some((chunk, running))
    })))
}

/// The agent, which becomes the command: see [`agent::enter`].
fn through_agent(words: impl IntoIterator<Item = String>) -> Vec<String> {
    [AGENT_IN_CONTAINER, "enter"].map(str::to_owned).into_iter().chain(words).collect()
}

fn attached() -> CreateExecOptions<String> {
    CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        user: Some("0:0".to_owned()),
        ..CreateExecOptions::default()
    }
}

/// Starts it; answers its id and what it writes.
async fn run(daemon: &Daemon, name: &str, options: CreateExecOptions<String>) -> Result<(String, Output), EngineError> {
    let failed = |error: Error| daemon.failed("run a command in a container", &error);
    let exec = daemon.client.create_exec(name, options).await.map_err(failed)?.id;
    match daemon.client.start_exec(&exec, None).await.map_err(failed)? {
        StartExecResults::Attached { output, .. } => Ok((exec, output)),
        StartExecResults::Detached => Ok((exec, futures::stream::empty().boxed())),
    }
}

/// How a command whose output has ended ended itself.
async fn exit(daemon: &Daemon, exec: &str) -> Result<Exit, EngineError> {
    for _ in 0..LOOKS {
        let found = daemon.client.inspect_exec(exec).await;
        let found = found.map_err(|error| daemon.failed("tell a command's end", &error))?;
        if let (Some(false), Some(code)) = (found.running, found.exit_code) {
            return Ok(i32::try_from(code).map_or_else(|_| Exit::vanished(), Exit::code));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(Exit::vanished())
}

/// A command that runs, or whose end has not been told yet.
struct Running {
    daemon: Daemon,
    id: String,
    name: String,
    exec: String,
    output: Output,
    head: Option<Head>,
    /// What the agent says where it cannot become the command.
    complaint: BytesMut,
    told: bool,
}

/// The command's number in its container, from the first line of its output.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    /// Not all of the line is there.
    Part(BytesMut),
    /// All of it.
    Number(u32),
}

impl Running {
    async fn next(&mut self) -> Result<Option<ExecChunk>, EngineError> {
        if self.told {
            return Ok(None);
        }
        while let Some(piece) = self.output.next().await {
            let piece = piece.map_err(|error| self.daemon.failed("follow a command", &error))?;
            let chunk = match piece {
                LogOutput::StdErr { message } if !matches!(self.head, Some(Head::Number(_))) => {
                    self.complaint.extend_from_slice(&message[..message.len().min(COMPLAINT)]);
                    continue;
                }
                LogOutput::StdErr { message } => ExecChunk::Stderr(message),
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    ExecChunk::Stdout(self.after_head(message)?)
                }
            };
            if !matches!(&chunk, ExecChunk::Stdout(bytes) | ExecChunk::Stderr(bytes) if bytes.is_empty()) {
                return Ok(Some(chunk));
            }
        }
        let exit = exit(&self.daemon, &self.exec).await?;
        self.told = true;
        match &self.head {
            Some(Head::Number(_)) => Ok(Some(ExecChunk::Exit(exit))),
            _ => Err(self.unstarted(String::from_utf8_lossy(&self.complaint).trim().to_owned())),
        }
    }

    /// What of a piece of standard output is the command's own.
    fn after_head(&mut self, piece: Bytes) -> Result<Bytes, EngineError> {
        let head = match self.head.take() {
            Some(Head::Number(number)) => {
                self.head = Some(Head::Number(number));
                return Ok(piece);
            }
            Some(Head::Part(part)) => part,
            None => BytesMut::new(),
        };
        let (head, rest) = read_head(head, piece).map_err(|line| self.unstarted(line))?;
        self.head = Some(head);
        Ok(rest)
    }

    fn unstarted(&self, reason: String) -> EngineError {
        EngineError::Start { id: self.id.clone(), reason }
    }
}

/// Takes the first line, the number, off the front of the output.
fn read_head(mut part: BytesMut, mut piece: Bytes) -> Result<(Head, Bytes), String> {
    let Some(end) = piece.iter().position(|byte| *byte == b'\n') else {
        part.extend_from_slice(&piece);
        return Ok((Head::Part(part), Bytes::new()));
    };
    part.extend_from_slice(&piece.split_to(end));
    piece.advance(1);
    let line = String::from_utf8_lossy(&part).into_owned();
    line.parse().map(|number| (Head::Number(number), piece)).map_err(|_| line)
}

/// A command whose output nobody wants any more is killed.
impl Drop for Running {
    fn drop(&mut self) {
        let (Some(Head::Number(number)), false) = (&self.head, self.told) else { return };
        let (daemon, name) = (self.daemon.clone(), self.name.clone());
        let command = through_agent(["kill".to_owned(), number.to_string()]);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let killed = run(&daemon, &name, CreateExecOptions { cmd: Some(command), ..attached() }).await;
                // The container may have ended just now, and the command with it.
                if let Ok((_, mut output)) = killed {
                    while output.next().await.is_some() {}
                }
            });
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_off_the_front_however_it_is_cut() {
        let (head, rest) = read_head(BytesMut::new(), "17\nout\nput".into()).unwrap();
        assert_eq!((head, rest), (Head::Number(17), "out\nput".into()));
        let (head, rest) = read_head(BytesMut::new(), "1".into()).unwrap();
        assert!(rest.is_empty());
        let Head::Part(part) = head else { unreachable!() };
        assert_eq!(read_head(part, "7\n".into()).unwrap(), (Head::Number(17), Bytes::new()));
        assert_eq!(read_head(BytesMut::new(), "sh: no\n".into()).unwrap_err(), "sh: no");
    }
}
