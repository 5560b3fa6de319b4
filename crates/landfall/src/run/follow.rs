//! A log stream of this process's own services, as it grows.

use super::call;
use aws::logs::{GetLogEventsInput, Logs};
use kernel::Caller;
use std::io;

/// Where a reader is in a stream.
#[derive(Debug)]
pub(crate) struct Tail {
    group: String,
    stream: String,
    token: Option<String>,
}

impl Tail {
    /// A reader from the stream's beginning.
    pub(crate) fn new(group: &str, stream: &str) -> Self {
        Self { group: group.to_owned(), stream: stream.to_owned(), token: None }
    }

    /// Gives all that is new to `each`.
    ///
    /// # Errors
    /// The service's, or that of `each`.
    pub(crate) async fn drain(
        &mut self,
        logs: &dyn Logs,
        caller: &Caller,
        mut each: impl FnMut(&str) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let input = GetLogEventsInput {
                log_group_name: Some(self.group.clone()),
                log_stream_name: Some(self.stream.clone()),
                start_from_head: Some(true),
                next_token: self.token.clone(),
                ..GetLogEventsInput::default()
            };
            let page = match logs.get_log_events(caller, input).await {
                // The stream is made with its first line.
                Err(error) if error.is("ResourceNotFoundException") => return Ok(()),
                other => call(other)?,
            };
            let events = page.events.unwrap_or_default();
            for event in &events {
                each(event.message.as_deref().unwrap_or_default())?;
            }
            let ended = page.next_forward_token == self.token;
            self.token = page.next_forward_token;
            if ended && events.is_empty() {
                return Ok(());
            }
        }
    }
}
