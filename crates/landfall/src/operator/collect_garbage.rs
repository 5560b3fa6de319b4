//! `CollectGarbage`: removes what is past its time now, or says what it would.

use crate::serve::Services;
use aws::Error;
use serde_json::{Value, json};

/// Removes, or with `dryRun` counts.
///
/// # Errors
/// `dryRun` is no truth value; or the store failed.
pub(super) async fn collect(services: &Services, input: &Value) -> Result<Value, Error> {
    let dry_run = match &input["dryRun"] {
        Value::Null => false,
        Value::Bool(dry_run) => *dry_run,
        other => return Err(Error::new("ValidationException", format!("dryRun must be true or false, not {other}."))),
    };
    let collected = services.collection.collect(dry_run).await?;
    let row = |(what, removed): (&&str, &kernel::Removed)| json!({"what": what, "count": removed.count, "bytes": removed.bytes});
    let removed: Vec<Value> = collected.iter().map(row).collect();
    Ok(json!({"dryRun": dry_run, "kept": services.collection.kept(), "removed": removed}))
}
