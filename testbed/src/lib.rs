//! What a program needs that drives Landfall from outside: [`process`] starts servers and looks at them through
//! `/proc`, [`client`] asks them by signed requests that cost little. The benchmarks (`benches`) and the soak
//! (`cargo xtask soak`) stand on it; nothing of the product does.
#![forbid(unsafe_code)]

pub mod census;
pub mod client;
pub mod kept;
pub mod process;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The machine's time since the epoch.
///
/// # Errors
/// The machine's clock stands before 1970.
#[expect(clippy::disallowed_methods, reason = "what is driven from outside runs by the machine's clock")]
pub fn now() -> anyhow::Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}
