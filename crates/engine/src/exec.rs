use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::{EngineError, Exit};

/// A further command for a running container. It gets no standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments; the program is looked up on the container's PATH.
    pub argv: Vec<String>,
    /// Put over the environment of the container's first process.
    pub environment: BTreeMap<String, String>,
    /// Where it starts; the container's own working folder where absent.
    pub workdir: Option<PathBuf>,
}

impl Exec {
    /// A command in the container's own working folder and environment.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self { argv, environment: BTreeMap::new(), workdir: None }
    }
}

/// A piece of what a command wrote, or its end, which comes last and once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecChunk {
    /// Written to its standard output.
    Stdout(Bytes),
    /// Written to its standard error.
    Stderr(Bytes),
    /// It ended.
    Exit(Exit),
}

/// A running command: a stream of its [`ExecChunk`]s. Dropped before its end, the command is killed.
pub struct Execution {
    chunks: Pin<Box<dyn Stream<Item = Result<ExecChunk, EngineError>> + Send>>,
}

impl Execution {
    /// Wraps an engine's stream, which ends after [`ExecChunk::Exit`] or an error.
    pub fn new(chunks: impl Stream<Item = Result<ExecChunk, EngineError>> + Send + 'static) -> Self {
        Self { chunks: Box::pin(chunks) }
    }

    /// The next piece; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<ExecChunk, EngineError>> {
        self.chunks.next().await
    }

    /// Reads to the end and keeps at most `limit` bytes of each stream.
    pub async fn collect(mut self, limit: usize) -> Result<ExecOutput, EngineError> {
        let mut output =
            ExecOutput { exit: Exit::vanished(), stdout: Vec::new(), stderr: Vec::new(), truncated: false };
        while let Some(chunk) = self.next().await {
            match chunk? {
                ExecChunk::Stdout(bytes) => output.truncated |= !keep(&mut output.stdout, &bytes, limit),
                ExecChunk::Stderr(bytes) => output.truncated |= !keep(&mut output.stderr, &bytes, limit),
                ExecChunk::Exit(exit) => output.exit = exit,
            }
        }
        Ok(output)
    }
}

/// What a command wrote and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// How it ended.
    pub exit: Exit,
    /// The first bytes of its standard output.
    pub stdout: Vec<u8>,
    /// The first bytes of its standard error.
    pub stderr: Vec<u8>,
    /// It wrote more than was kept.
    pub truncated: bool,
}

impl ExecOutput {
    /// The command ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.exit.success()
    }
}

/// Appends what fits below `limit`; false if something did not.
fn keep(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) -> bool {
    let room = limit.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
    room == bytes.len()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn collects_up_to_the_limit_of_each_stream() {
        let chunks = [
            ExecChunk::Stdout(Bytes::from_static(b"abc")),
            ExecChunk::Stderr(Bytes::from_static(b"x")),
            ExecChunk::Stdout(Bytes::from_static(b"def")),
            ExecChunk::Exit(Exit::code(7)),
        ];
        let execution = Execution::new(futures::stream::iter(chunks.map(Ok)));
        let output = execution.collect(4).await.unwrap();
        assert_eq!(output.stdout, b"abcd");
        assert_eq!(output.stderr, b"x");
        assert_eq!(output.exit, Exit::code(7));
        assert!(output.truncated && !output.succeeded());
    }
}
