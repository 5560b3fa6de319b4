//! The log, on stderr.

use crate::exit::user_error;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// What is logged, unless the user says else. s3s calls every refused request an error, so it is left out.
pub(crate) const USUAL: &str = "info,s3s=off";

/// Starts logging what `filter` says, e.g. `debug` or `info,codebuild=debug`.
///
/// # Errors
/// The filter cannot be read.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        user_error(format!("--log {filter}: {error}; it must be like info or info,codebuild=debug"))
    })?;
    // At `debug` it writes whole requests, and the environments of containers may hold secrets.
    let filter = filter.add_directive("bollard=warn".parse()?);
    // A second start, in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // Told on stderr, where it would fail again, with a panic: whoever reads the log may be gone before the server.
        .log_internal_errors(false)
        .try_init();
    Ok(())
}
