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
        .try_init();
    Ok(())
}
