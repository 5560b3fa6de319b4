//! One stream, from a time on and on as it grows.

use super::event::Event;
use crate::client::{CallError, Patient};
use aws::logs::MODEL;
use kernel::Timestamp;
use serde_json::{Value, json};

/// Where a reader is in a stream.
#[derive(Debug)]
pub(super) struct Tail {
    input: Value,
    stream: String,
}

impl Tail {
    /// A reader of the events from `since` on.
    pub(super) fn new(group: &str, stream: &str, since: Timestamp) -> Self {
        let input = json!({
            "logGroupName": group,
            "logStreamName": stream,
            "startFromHead": true,
            "startTime": since.millis().max(0),
        });
        Self { input, stream: stream.to_owned() }
    }

    /// The next page, in the order of arrival; none at the end.
    pub(super) async fn next(&mut self, client: &mut Patient) -> Result<Option<Vec<Event>>, CallError> {
        let page = client.call(&MODEL, "GetLogEvents", &self.input).await?;
        let token = &page["nextForwardToken"];
        let ended = *token == self.input["nextToken"];
        self.input["nextToken"] = token.clone();
        let events = page["events"].as_array().into_iter().flatten();
        let events: Vec<_> = events.map(|event| Event::read(event, &self.stream)).collect();
        Ok(if ended && events.is_empty() { None } else { Some(events) })
    }
}
