//! What whoever runs the server asks of it: `POST /_landfall/operator/OPERATION`, signed for the service `landfall`.
//!
//! The bodies are JSON. One file per operation; each passes the guard as `landfall:OPERATION`. Only a root key may ask:
//! what is asked here concerns the whole server, not one account's things.

mod collect_garbage;
mod create_console_link;
mod describe_server;

use crate::serve::Services;
use aws::Error;
use kernel::{Caller, Principal};
use serde_json::Value;
use std::time::Duration;

/// The signing name of these calls.
pub(crate) const SERVICE: &str = "landfall";

/// Where these calls go.
pub(crate) const PATH: &str = "/_landfall/operator/";

/// None of them takes longer to answer.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// Authorizes and calls one operation.
///
/// # Errors
/// Unknown operation, unreadable input, access denied, or what the operation itself refuses.
pub(crate) async fn call(services: &Services, caller: &Caller, operation: &str, body: &[u8]) -> Result<Value, Error> {
    let action = format!("{SERVICE}:{operation}");
    if caller.principal != Principal::Root {
        let sentence = format!("{} may not ask this: {action} is for the root key of an account.", caller.arn());
        return Err(Error::modelled("AccessDeniedException", 403, sentence));
    }
    let input = read(body)?;
    services.guard.pass(caller, SERVICE, operation, &action, &[]).await?;
    match operation {
        "CollectGarbage" => collect_garbage::collect(services, &input).await,
        "CreateConsoleLink" => create_console_link::create(services, caller).await,
        "DescribeServer" => Ok(describe_server::describe(services, &input)),
        _ => Err(Error::modelled("UnknownOperationException", 404, format!("Landfall knows no {action}."))),
    }
}

fn read(body: &[u8]) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Error::new("SerializationException", "The body must be a JSON object."))
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert_eq!(read(b"").expect("nothing"), serde_json::json!({}));
        assert_eq!(read(b"{\"dryRun\":true}").expect("an object"), serde_json::json!({"dryRun": true}));
        for body in [&b"[]"[..], b"1", b"{", b"\xff"] {
            assert_eq!(read(body).expect_err("no object").code, "SerializationException");
        }
    }
}
