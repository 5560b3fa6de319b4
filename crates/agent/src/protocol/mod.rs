//! What a build's agent and the server say to each other over `/landfall/agent.sock`.
//!
//! # Frames
//! `u32 length · u32 head length · head (JSON) · payload (raw bytes)`, big endian, at most
//! [`MAX_FRAME`] bytes. Bulk data (logs, sources, artifacts) travels as payload, never as JSON.
//!
//! # Conversation
//! 1. The agent connects and sends [`Hello`]; the server answers [`ToAgent::Welcome`] with the number
//!    of the last report it has recorded durably.
//! 2. The server streams each source ([`ToAgent::SourceChunk`]); the agent answers
//!    [`FromAgent::SourceUnpacked`] for each. It may ask for a file's text ([`ToAgent::FileRequest`]), for
//!    the buildspec lies in the source.
//! 3. The server sends [`ToAgent::Job`]; the phases start at once. The agent *reports* log lines and
//!    phases, then exported variables, then [`Report::Done`].
//! 4. The server asks for artifacts ([`ToAgent::ArtifactRequest`]), and at last sends
//!    [`ToAgent::Finish`]: the agent exits.
//!
//! # Restart of the server
//! [`Report`]s are numbered from 1 and kept by the agent until acknowledged ([`ToAgent::Ack`], cumulative).
//! After a lost connection the agent connects again (a new socket inode in the same folder), says in its
//! Hello what it holds already, and sends the unacknowledged reports again; [`server::Inbox`] drops the ones
//! recorded before. Everything else is an answer to a question and is simply asked again: a source that was
//! cut off starts anew, so does an artifact.
//!
//! The server treats what it reads as hostile: bounded, numbered without gaps, phases only forward.

pub mod client;
mod frame;
mod job;
mod message;
pub mod server;

pub use frame::{FrameError, FrameReader, FrameWriter, MAX_FRAME, Message};
pub use job::{Environment, Job, OnFailure, Phase, PhaseJob, Secret, Shell};
pub use message::{
    ArchiveFormat, ArtifactRequest, Context, FromAgent, Hello, PhaseStatus, Report, SourceTarget, StopReason, ToAgent,
};

/// Version of the protocol; both ends refuse another one.
pub const VERSION: u16 = 1;

/// Size of one piece of bulk data, in bytes.
pub const CHUNK: usize = 256 * 1024;
