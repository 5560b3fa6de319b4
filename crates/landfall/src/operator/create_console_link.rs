//! `CreateConsoleLink`: a link that signs one browser in to the web pages, once, as the caller.

use crate::serve::Services;
use aws::Error;
use kernel::Caller;
use serde_json::{Value, json};

/// The link, on the way by which the caller came, and till when it can be used.
pub(super) async fn create(services: &Services, caller: &Caller) -> Result<Value, Error> {
    let made = services.console.make_link(caller).await?;
    let endpoint = caller.endpoint.as_deref().unwrap_or(&services.about.url);
    Ok(json!({ "url": format!("{endpoint}{}", made.path), "expiresAt": made.expires.iso8601() }))
}
