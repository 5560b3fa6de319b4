//! The events of a group, or of one of its streams.

use super::POLL;
use super::event::{Event, Printer};
use super::tail::Tail;
use crate::client::{CallError, Patient};
use aws::logs::MODEL;
use kernel::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// `DescribeLogStreams` sorts by an index that is at most this far behind the events.
const INDEX_LAG: Duration = Duration::from_secs(120);

/// What the user wants to see.
pub(super) struct Wanted<'w> {
    pub(super) group: &'w str,
    pub(super) stream: Option<&'w str>,
    pub(super) since: Timestamp,
}

/// Prints what there is, sorted by time.
pub(super) async fn print(client: &mut Patient, wanted: &Wanted<'_>, out: Printer) -> anyhow::Result<()> {
    let mut input = json!({"logGroupName": wanted.group, "startTime": wanted.since.millis().max(0)});
    if let Some(stream) = wanted.stream {
        input["logStreamNames"] = json!([stream]);
    }
    loop {
        let page = client.call(&MODEL, "FilterLogEvents", &input).await?;
        let events = page["events"].as_array().into_iter().flatten();
        let events: Vec<_> = events.map(|event| Event::read(event, "")).collect();
        out.print(&events, wanted.stream.is_some())?;
        match &page["nextToken"] {
            Value::String(token) => input["nextToken"] = token.clone().into(),
            _ => return Ok(()),
        }
    }
}

/// Prints what there is and what comes, for ever.
pub(super) async fn follow(client: &mut Patient, wanted: &Wanted<'_>, out: Printer) -> anyhow::Result<()> {
    let mut followed: HashMap<String, Followed> = HashMap::new();
    loop {
        let mut events = Vec::new();
        for (stream, ingested) in streams(client, wanted).await? {
            let tail = || Followed { tail: Tail::new(wanted.group, &stream, wanted.since), seen: Seen::default() };
            let known = followed.entry(stream.clone()).or_insert_with(tail);
            if !known.seen.look(ingested) {
                continue;
            }
            while let Some(more) = known.tail.next(client).await? {
                events.extend(more);
            }
        }
        events.sort_by_key(|event: &Event| event.time);
        out.print(&events, wanted.stream.is_some())?;
        tokio::time::sleep(POLL).await;
    }
}

/// A stream of the followed group.
struct Followed {
    tail: Tail,
    seen: Seen,
}

/// What is known of a stream's last ingestion.
#[derive(Debug, Default)]
struct Seen {
    ingested: Option<i64>,
    settled: bool,
}

impl Seen {
    /// Whether to read a stream that was last written at `ingested`. Two writes may come in one millisecond, one before
    /// and one after a reading: it is settled only when the time is the same a look later.
    fn look(&mut self, ingested: Option<i64>) -> bool {
        if self.ingested != ingested {
            *self = Self { ingested, settled: false };
            return true;
        }
        !std::mem::replace(&mut self.settled, true) && ingested.is_some()
    }
}

/// The streams that may have events since the wanted time, each with its last ingestion.
async fn streams(client: &mut Patient, wanted: &Wanted<'_>) -> Result<Vec<(String, Option<i64>)>, CallError> {
    let mut input = json!({"logGroupName": wanted.group});
    match wanted.stream {
        Some(stream) => input["logStreamNamePrefix"] = stream.into(),
        None => {
            input["orderBy"] = "LastEventTime".into();
            input["descending"] = true.into();
        }
    }
    let mut found = Vec::new();
    loop {
        let page = client.call(&MODEL, "DescribeLogStreams", &input).await?;
        let streams: Vec<_> = page["logStreams"].as_array().into_iter().flatten().collect();
        let named = streams.iter().filter_map(|stream| Some((stream["logStreamName"].as_str()?, *stream)));
        let named = named.filter(|(name, _)| wanted.stream.is_none_or(|stream| stream == *name));
        found.extend(named.map(|(name, stream)| (name.to_owned(), stream["lastIngestionTime"].as_i64())));
        let older = wanted.stream.is_none() && streams.last().is_some_and(|last| is_before(last, wanted.since));
        match &page["nextToken"] {
            Value::String(token) if !older => input["nextToken"] = token.clone().into(),
            _ => break,
        }
    }
    match wanted.stream {
        Some(stream) if found.is_empty() => Err(missing(stream)),
        _ => Ok(found),
    }
}

/// Whether a stream, and all that come after it in the index, had its last event before `since`.
fn is_before(stream: &Value, since: Timestamp) -> bool {
    let last = stream["lastEventTimestamp"].as_i64().or_else(|| stream["creationTime"].as_i64());
    last.is_some_and(|last| Timestamp::from_millis(last) < since - INDEX_LAG)
}

fn missing(stream: &str) -> CallError {
    CallError::Refused {
        operation: "logs:DescribeLogStreams".to_owned(),
        status: 400,
        code: "ResourceNotFoundException".to_owned(),
        message: format!("there is no stream '{stream}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_until_it_has_been_still_for_a_look() {
        let mut seen = Seen::default();
        let looks: Vec<_> = [None, None, Some(1), Some(1), Some(1), Some(2), Some(2), Some(2)]
            .map(|ingested| seen.look(ingested))
            .to_vec();
        assert_eq!(looks, [false, false, true, true, false, true, true, false]);
    }

    #[test]
    fn paging_ends_where_nothing_can_be_recent() {
        let since = Timestamp::from_seconds(1_000);
        for (stream, before) in [
            (json!({"lastEventTimestamp": 1_000_000}), false),
            (json!({"lastEventTimestamp": 900_000}), false),
            (json!({"lastEventTimestamp": 800_000}), true),
            (json!({"creationTime": 800_000}), true),
            (json!({}), false),
        ] {
            assert_eq!(is_before(&stream, since), before, "{stream}");
        }
    }
}
