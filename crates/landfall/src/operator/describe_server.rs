//! `DescribeServer`: how this server runs.

use crate::serve::Services;
use serde_json::{Value, json};

/// Version, start, data folder, engine and mode.
pub(super) fn describe(services: &Services, _: &Value) -> Value {
    let about = &services.about;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "startedAt": about.started_at.iso8601(),
        "url": about.url,
        "auth": about.auth,
        "engine": about.engine,
        "dataDir": about.data_dir,
        "account": about.account,
        "region": about.region,
    })
}
