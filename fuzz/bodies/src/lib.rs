//! What is held of each parser of outside input, whatever bytes it gets: one module, and one fuzz target, each.
//!
//! A body panics where a property does not hold. `../fuzz_targets` hands bodies to libFuzzer, `tests/replay.rs` runs
//! them over `../corpus`, which has every input that once broke one.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a body panics where a property fails")]

mod input;
mod scratch;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its body's module, its file in `fuzz_targets` and its folder in `corpus`.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub body: fn(&[u8]),
}

/// Declares the modules of the bodies and the table of them.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// All targets, by name.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), body: $name::body }),*];
    };
}

targets! {
    agent_frames,
    appspec,
    archive_tar,
    archive_zip,
    arns_and_names,
    buildspec,
    deployment_specification,
    dns,
    git_push,
    git_request,
    image_documents,
    image_layer,
    log_patterns,
    pipeline_definition,
    pipeline_variables,
    policies,
    protocol_json,
    protocol_query,
    runtimes,
    s3_wire,
    shim_records,
    sigv4_git,
    sigv4_header,
    sigv4_presigned,
}
