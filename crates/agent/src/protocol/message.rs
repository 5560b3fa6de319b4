//! The messages of both directions.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Job;
use super::frame::Message;
use super::job::Phase;

/// Server to agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToAgent {
    /// Answer to [`Hello`].
    Welcome {
        /// The protocol's version.
        version: u16,
        /// Number of the last report recorded durably; 0 for none.
        recorded: u64,
    },
    /// A piece of a source's archive.
    SourceChunk {
        /// Which source, and where it goes.
        target: SourceTarget,
        /// Where this piece starts, in bytes. 0 starts the source anew.
        offset: u64,
        /// True for the last piece, which may be empty.
        last: bool,
        /// The bytes.
        #[serde(skip)]
        data: Bytes,
    },
    /// Asks for a regular file's content, answered by [`FromAgent::File`].
    FileRequest {
        /// Chosen by the server, echoed in the answer.
        request: u64,
        /// Absolute path.
        path: String,
        /// A longer file is refused, in bytes; at most [`super::CHUNK`] × 3.
        limit: u64,
    },
    /// Run these phases. A second one is ignored.
    Job(Box<Job>),
    /// End the running commands; no later phase runs.
    Stop {
        /// Becomes the status of the running phase.
        reason: StopReason,
    },
    /// All reports up to this number are recorded durably.
    Ack {
        /// The number.
        sequence: u64,
    },
    /// Asks for files as one zip, answered by [`FromAgent::ArtifactChunk`]s and [`FromAgent::ArtifactEnd`].
    ArtifactRequest(ArtifactRequest),
    /// Everything is done: the agent exits.
    Finish,
}

/// Agent to server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromAgent {
    /// First message of each connection.
    Hello(Hello),
    /// A numbered message that is sent again until acknowledged.
    Report {
        /// Counts from 1, without gaps.
        sequence: u64,
        /// What happened.
        report: Report,
    },
    /// A source is in its place, or could not be put there.
    SourceUnpacked {
        /// [`SourceTarget::index`].
        index: u32,
        /// What was wrong with it.
        error: Option<String>,
    },
    /// Answer to [`ToAgent::FileRequest`].
    File {
        /// The request's number.
        request: u64,
        /// Why there is no content, for example `stat /a/buildspec.yml: no such file or directory`.
        error: Option<String>,
        /// The content.
        #[serde(skip)]
        data: Bytes,
    },
    /// A piece of an artifact's zip.
    ArtifactChunk {
        /// The request's number.
        request: u64,
        /// Where this piece starts, in bytes; 0 starts anew.
        offset: u64,
        /// The bytes.
        #[serde(skip)]
        data: Bytes,
    },
    /// The artifact is complete, or failed.
    ArtifactEnd {
        /// The request's number.
        request: u64,
        /// Number of files in it.
        files: u64,
        /// Size of the zip in bytes.
        size: u64,
        /// What is wrong, for example `no matching artifact paths found`.
        error: Option<Context>,
    },
}

/// Who the agent is and what it holds already.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol's version.
    pub version: u16,
    /// The agent's own version, for logs.
    pub agent: String,
    /// Indexes of the sources that are completely unpacked.
    pub sources: Vec<u32>,
    /// Id of the build whose job it has.
    pub build: Option<String>,
    /// Number of the last report that the agent made.
    pub reported: u64,
}

/// What a build did. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Output of commands and the agent's own `[Container]` lines: whole lines, except where a line is too
    /// long or its command paused in the middle of it.
    LogLines {
        /// When the last byte was read.
        time: u64,
        /// The bytes, secrets masked.
        #[serde(skip)]
        data: Bytes,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: Phase,
        /// When.
        time: u64,
    },
    /// The phase that began last has ended.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// When.
        time: u64,
        /// How.
        status: PhaseStatus,
        /// Code and message as `BatchGetBuilds` shows them; both empty for a success.
        context: Context,
        /// Exit status of the failed command, 128 + N where a signal ended it.
        exit_code: Option<i32>,
    },
    /// The `exported-variables` that were set at the end.
    ExportedVariables {
        /// Name to value.
        variables: BTreeMap<String, String>,
    },
    /// The values of [`Job::expressions`], in their order; `None` where the shell could not expand one.
    Expressions {
        /// The values.
        values: Vec<Option<String>>,
    },
    /// No phase runs any more.
    Done {
        /// When.
        time: u64,
        /// [`PhaseStatus::Succeeded`] if every phase that ran did succeed, else the first other status.
        status: PhaseStatus,
    },
}

/// How a phase ended, in AWS's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "AWS's own names say it")]
pub enum PhaseStatus {
    Succeeded,
    Failed,
    Fault,
    TimedOut,
    Stopped,
}

impl PhaseStatus {
    /// AWS's name of it, for example `TIMED_OUT`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A phase context: `COMMAND_EXECUTION_ERROR` and its like, and the text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Context {
    /// AWS's status code; empty for a success.
    pub code: String,
    /// AWS's text; empty for a success.
    pub message: String,
}

impl Context {
    /// A context with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// Where a source goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTarget {
    /// 0 for the primary source, then the secondary ones.
    pub index: u32,
    /// Absolute folder, made where it does not exist.
    pub path: String,
    /// How it is packed.
    pub format: ArchiveFormat,
}

/// Packing of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveFormat {
    /// Plain tar.
    Tar,
    /// Gzip-compressed tar.
    TarGz,
    /// Zip.
    Zip,
}

/// The buildspec's `artifacts` section (one artifact of it).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArtifactRequest {
    /// Chosen by the server, echoed in the answers.
    pub request: u64,
    /// Absolute folder to which `base_directory` is relative (`CODEBUILD_SRC_DIR`).
    pub directory: String,
    /// `base-directory`: a folder, or a glob of folders.
    pub base_directory: Option<String>,
    /// `files`: globs, relative to the base directory.
    pub files: Vec<String>,
    /// `exclude-paths`: globs, relative to the base directory.
    pub exclude_paths: Vec<String>,
    /// `discard-paths`: file names alone are kept.
    pub discard_paths: bool,
    /// `enable-symlinks`: links within the base directory stay links.
    #[serde(default)]
    pub enable_symlinks: bool,
}

/// Why a build is to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// StopBuild: the running phase is STOPPED.
    Stopped,
    /// The build's time is over: the running phase is TIMED_OUT.
    TimedOut,
}

impl Message for ToAgent {
    fn payload(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::SourceChunk { data, .. } => Some(data),
            _ => None,
        }
    }
}

impl Message for FromAgent {
    fn payload(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Report { report: Report::LogLines { data, .. }, .. }
            | Self::File { data, .. }
            | Self::ArtifactChunk { data, .. } => Some(data),
            _ => None,
        }
    }
}
