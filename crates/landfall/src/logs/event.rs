//! An event, and how it is printed.

use kernel::Timestamp;
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// One logged line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) time: Timestamp,
    pub(super) stream: String,
    /// Without the newline that builds leave at its end.
    message: String,
}

impl Event {
    /// Reads an event of `GetLogEvents` or `FilterLogEvents`; the former's do not name their stream.
    pub(super) fn read(event: &Value, stream: &str) -> Self {
        let message = event["message"].as_str().unwrap_or_default();
        Self {
            time: Timestamp::from_millis(event["timestamp"].as_i64().unwrap_or_default()),
            stream: event["logStreamName"].as_str().unwrap_or(stream).to_owned(),
            message: message.trim_end_matches(['\n', '\r']).to_owned(),
        }
    }
}

/// Prints events on stdout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    pub(super) json: bool,
}

impl Printer {
    /// Prints events; `plain` leaves out when and where.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub(super) fn print(self, events: &[Event], plain: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for event in events {
            writeln!(out, "{}", self.line(event, plain))?;
        }
        out.flush()
    }

    fn line(self, event: &Event, plain: bool) -> String {
        if self.json {
            json!({"timestamp": event.time.iso8601(), "stream": event.stream, "message": event.message}).to_string()
        } else if plain {
            event.message.clone()
        } else {
            format!("{}  {}  {}", event.time.iso8601(), event.stream, event.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = Event::read(&json!({"timestamp": 61_000, "message": "tested\r\n"}), "build-1");
        for (json, plain, line) in [
            (false, true, "tested"),
            (false, false, "1970-01-01T00:01:01Z  build-1  tested"),
            (true, false, r#"{"message":"tested","stream":"build-1","timestamp":"1970-01-01T00:01:01Z"}"#),
        ] {
            assert_eq!(Printer { json }.line(&event, plain), line);
        }
        let filtered = Event::read(&json!({"timestamp": 1, "message": "", "logStreamName": "other"}), "x");
        assert_eq!(filtered.stream, "other");
    }
}
