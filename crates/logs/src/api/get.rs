//! `GetLogEvents`: one stream, page by page, from its head or its tail, and on as it grows.

use crate::api::errors::{invalid, invalid_token};
use crate::rules::place::{parse_token, token};
use crate::segments::{Direction, Window, page};
use crate::service::Service;
use aws::Error;
use aws::logs::{GetLogEventsInput, GetLogEventsOutput, OutputLogEvent};
use kernel::Caller;

/// Most events of a page.
pub(super) const PAGE_EVENTS: i32 = 10_000;
/// Most bytes of a page.
pub(super) const PAGE_BYTES: usize = 1_048_576;

/// Reads a page. Pages go by place in the stream, the order of arrival; within a page events are sorted by time. At either
/// end the token that comes back is the one that was sent.
pub(super) async fn get(
    service: &Service,
    caller: &Caller,
    input: GetLogEventsInput,
) -> Result<GetLogEventsOutput, Error> {
    let group = service.identified_group(caller, input.log_group_name, input.log_group_identifier).await?;
    let stream = service.stream(caller, &group, input.log_stream_name.as_deref()).await?;
    let mut window = window(input.start_time, input.end_time, input.limit)?;
    window.from = window.from.max(group.oldest(service.clock.now()));
    let log = service.shelf.log(&caller.scope(), &stream).await.map_err(Error::internal)?;
    let (direction, place) = match (input.next_token, input.start_from_head) {
        (Some(token), _) => {
            parse_token(&stream.id, &token).filter(|(_, place)| *place <= log.end()).ok_or_else(invalid_token)?
        }
        (None, Some(true)) => (Direction::Forward, 0),
        (None, _) => (Direction::Backward, log.end()),
    };
    let read = tokio::task::spawn_blocking(move || page(&log, place, direction, window)).await;
    let mut read = read.map_err(Error::internal)?.map_err(Error::internal)?;
    read.events.sort_by_key(|event| event.timestamp);
    let events = read.events.into_iter().map(|event| OutputLogEvent {
        timestamp: Some(event.timestamp),
        ingestion_time: Some(event.ingested),
        message: Some(event.message),
    });
    Ok(GetLogEventsOutput {
        events: Some(events.collect()),
        next_forward_token: Some(token(&stream.id, Direction::Forward, read.end)),
        next_backward_token: Some(token(&stream.id, Direction::Backward, read.start)),
    })
}

/// `endTime` is exclusive here, unlike in `FilterLogEvents`.
fn window(start: Option<i64>, end: Option<i64>, limit: Option<i32>) -> Result<Window, Error> {
    let (from, end) = (start.unwrap_or(0), end.unwrap_or(i64::MAX));
    if end < from {
        return Err(invalid("startTime must not be later than endTime."));
    }
    let events = usize::try_from(limit.unwrap_or(PAGE_EVENTS)).unwrap_or(1);
    let to = if end == i64::MAX { end } else { end - 1 };
    Ok(Window { from, to, events, bytes: PAGE_BYTES })
}
