//! `PutLogEvents`.

use crate::api::errors::invalid;
use crate::model::Stream;
use crate::rules::batch::judge;
use crate::segments::Event;
use crate::service::Service;
use aws::Error;
use aws::logs::{PutLogEventsInput, PutLogEventsOutput};
use kernel::{Caller, CommitError, Stored, Timestamp};
use std::time::Duration;

/// How far a stream's document may be behind its last event.
const BEHIND: Duration = Duration::from_secs(60);

/// Stores the events that are neither too old nor too new; they are on disk when this answers. Sequence tokens are given
/// but, as in AWS since 2023, not asked for.
pub(super) async fn put(
    service: &Service,
    caller: &Caller,
    input: PutLogEventsInput,
) -> Result<PutLogEventsOutput, Error> {
    let group = service.group(caller, input.log_group_name.as_deref()).await?;
    let stream = service.stream(caller, &group, input.log_stream_name.as_deref()).await?;
    let mut events = input.log_events.unwrap_or_default();
    let now = service.clock.now();
    let accepted = judge(&events, now.millis(), group.oldest(now)).map_err(invalid)?;
    let log = service.shelf.log(&caller.scope(), &stream).await.map_err(Error::internal)?;
    let arrival = service.arrivals.begin(now.millis());
    let taken: Vec<Event> = events
        .drain(accepted.range)
        .map(|event| Event {
            timestamp: event.timestamp.unwrap_or_default(),
            ingested: arrival.time,
            message: event.message.unwrap_or_default(),
        })
        .collect();
    if let Some(last) = taken.last().map(|event| Timestamp::from_millis(event.timestamp)) {
        log.append(taken, Some(arrival)).await.map_err(Error::internal)?;
        remember_last(service, caller, stream, last).await?;
    }
    Ok(PutLogEventsOutput {
        next_sequence_token: Some(sequence_token(log.end())),
        rejected_log_events_info: accepted.rejected,
        rejected_entity_info: None,
    })
}

/// Writes the time of the last event into the stream's document once it is a minute behind.
async fn remember_last(
    service: &Service,
    caller: &Caller,
    mut stream: Stored<Stream>,
    last: Timestamp,
) -> Result<(), Error> {
    if stream.last_event.is_some_and(|known| last < known + BEHIND) {
        return Ok(());
    }
    stream.last_event = Some(last);
    match service.documents.replace(&caller.scope(), stream).await {
        // Somebody else just did, or deleted the stream.
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// A token in the form of AWS's.
pub(super) fn sequence_token(end: u64) -> String {
    format!("{end:056}")
}
