//! The log: on stderr, by `LANDFALL_LOG` (e.g. `debug`, `codebuild=debug`).
//! s3s calls every refused request an error, so it is left out.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("LANDFALL_LOG").unwrap_or_else(|_| EnvFilter::new("info,s3s=off"));
    // A second start, in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
