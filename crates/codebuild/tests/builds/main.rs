//! CodeBuild's service as a whole: over the dummy engine, and with real agents in the sandbox, which needs root and runc.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod life;
mod lying_agent;
mod operations;
mod pool;
mod properties;
mod retention;
mod sandbox;
mod sources_and_artifacts;
mod world;
