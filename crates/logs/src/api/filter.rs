//! `FilterLogEvents`: the streams of a group together, in the order of time.

use crate::api::errors::{invalid, invalid_token};
use crate::api::find::stream_not_found;
use crate::api::get::{PAGE_BYTES, PAGE_EVENTS};
use crate::model::{Group, Stream};
use crate::rules::cursor::Cursor;
use crate::rules::merge::{First, Found, Order};
use crate::rules::pattern::Pattern;
use crate::rules::place::Place;
use crate::segments::{Event, Sink, StreamLog, each};
use crate::service::Service;
use aws::Error;
use aws::logs::{FilterLogEventsInput, FilterLogEventsOutput, FilteredLogEvent};
use kernel::paging::{self, Token};
use kernel::{Caller, Page, Stored};
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// `startFromHead` may be false from this time on: 2024-01-01T00:00:00Z, in milliseconds.
const LATEST_FIRST_SINCE: i64 = 1_704_067_200_000;

/// What is searched for, and where.
struct Search {
    from: i64,
    to: i64,
    pattern: Pattern,
    order: Order,
    /// Id and log of each stream.
    logs: Vec<(String, Arc<StreamLog>)>,
}

/// Reads a page. Pages are of what had arrived when the first was read, sorted by time, stream and place: of that no event
/// is lost or comes twice, however much is written meanwhile. The last page goes on with what has arrived since.
pub(super) async fn filter(
    service: &Service,
    caller: &Caller,
    mut input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput, Error> {
    let names = (input.log_group_name.take(), input.log_group_identifier.take());
    let group = service.identified_group(caller, names.0, names.1).await?;
    let query = query(&group, &input);
    let cursor = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let cursor = cursor.map(|text| Cursor::parse(&text).ok_or_else(invalid_token)).transpose()?;
    let limit = usize::try_from(input.limit.unwrap_or(PAGE_EVENTS)).unwrap_or(1);
    let mut search = search(&input, cursor.as_ref())?;
    search.from = search.from.max(group.oldest(service.clock.now()));
    let streams = streams(service, caller, &group, input).await?;
    for stream in &streams {
        let log = service.shelf.log(&caller.scope(), stream).await.map_err(Error::internal)?;
        search.logs.push((stream.id.clone(), log));
    }
    let (page, next) = page(service, Arc::new(search), cursor, limit).await?;
    let names: HashMap<&str, &str> = streams.iter().map(|stream| (stream.id.as_str(), stream.name.as_str())).collect();
    let events = page.into_iter().map(|found| shape(found, &names)).collect();
    let next_token = next.map(|cursor| Token::new(cursor.text()).encode(&query));
    Ok(FilterLogEventsOutput { events: Some(events), next_token, searched_log_streams: Some(Vec::new()) })
}

/// Names the search, so that a token of another is refused.
fn query(group: &Group, input: &FilterLogEventsInput) -> String {
    let FilterLogEventsInput { filter_pattern, log_stream_names, log_stream_name_prefix, start_time, end_time, .. } =
        input;
    let streams = (log_stream_names, log_stream_name_prefix);
    format!("FilterLogEvents/{}/{streams:?}/{start_time:?}/{end_time:?}/{filter_pattern:?}", group.id)
}

fn search(input: &FilterLogEventsInput, cursor: Option<&Cursor>) -> Result<Search, Error> {
    let (from, to) = (input.start_time.unwrap_or(0), input.end_time.unwrap_or(i64::MAX));
    if to < from {
        return Err(invalid("startTime must not be later than endTime."));
    }
    let order = match (cursor, input.start_from_head) {
        (Some(cursor), _) => cursor.order,
        (None, Some(false)) if from < LATEST_FIRST_SINCE => {
            return Err(invalid("startFromHead can be false only with a startTime of 2024-01-01T00:00:00Z or later."));
        }
        (None, Some(false)) => Order::LatestFirst,
        (None, _) => Order::EarliestFirst,
    };
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?;
    Ok(Search { from, to, pattern, order, logs: Vec::new() })
}

/// The streams to search: the named ones, those of a prefix, or all of the group.
async fn streams(
    service: &Service,
    caller: &Caller,
    group: &Group,
    input: FilterLogEventsInput,
) -> Result<Vec<Stored<Stream>>, Error> {
    let scope = caller.scope();
    let prefix = match (input.log_stream_names, input.log_stream_name_prefix) {
        (Some(_), Some(_)) => return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive.")),
        (Some(mut names), None) => {
            names.sort_unstable();
            names.dedup();
            let keys: Vec<String> = names.iter().map(|name| Stream::key_of(&group.id, name)).collect();
            let found = service.documents.get_many::<Stream>(&scope, &keys).await?;
            return found.into_iter().map(|stream| stream.ok_or_else(stream_not_found)).collect();
        }
        (None, prefix) => Stream::key_of(&group.id, &prefix.unwrap_or_default()),
    };
    let mut streams: Vec<Stored<Stream>> = Vec::new();
    loop {
        let after = streams.last().map(|last| last.position().to_owned());
        let read = service.documents.list::<Stream>(&scope, Page::default().prefix(&*prefix).after(after)).await?;
        let more = read.len() == Page::MOST;
        streams.extend(read);
        if !more {
            return Ok(streams);
        }
    }
}

/// One page, and where the next one goes on.
async fn page(
    service: &Service,
    search: Arc<Search>,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Found>, Option<Cursor>), Error> {
    let seal = || service.arrivals.seal(service.clock.now().millis());
    let (first_page, order) = (cursor.is_none(), search.order);
    let cursor = match cursor {
        Some(cursor) => cursor,
        None => Cursor::first(order, seal().await),
    };
    let (mut page, next) = read(&search, &cursor, limit, PAGE_BYTES).await?;
    let room = limit.saturating_sub(page.len());
    let bytes = PAGE_BYTES.saturating_sub(page.iter().map(|found| found.event.size()).sum());
    if next.is_some() || first_page || room == 0 || bytes == 0 || order == Order::LatestFirst {
        return Ok((page, next));
    }
    let (late, next) = read(&search, &cursor.since(seal().await), room, bytes).await?;
    page.extend(late);
    page.sort_unstable_by(|one, other| one.place.cmp(&other.place));
    Ok((page, next))
}

/// The events from a cursor on that find room, and the cursor behind them if there are more.
async fn read(
    search: &Arc<Search>,
    cursor: &Cursor,
    limit: usize,
    bytes: usize,
) -> Result<(Vec<Found>, Option<Cursor>), Error> {
    let (search, at) = (Arc::clone(search), cursor.clone());
    let read = tokio::task::spawn_blocking(move || scan(&search, &at, First::new(at.order, limit, bytes))).await;
    let (page, last) = read.map_err(Error::internal)?.map_err(Error::internal)?.finish();
    Ok((page, last.map(|place| cursor.behind(place))))
}

fn scan(search: &Search, cursor: &Cursor, mut page: First) -> io::Result<First> {
    let (mut from, mut to) = (search.from, search.to);
    match (&cursor.after, cursor.order) {
        (Some(after), Order::EarliestFirst) => from = from.max(after.timestamp),
        (Some(after), Order::LatestFirst) => to = to.min(after.timestamp),
        (None, _) => {}
    }
    for (stream, log) in &search.logs {
        let mut sink = OfStream { pattern: &search.pattern, cursor, stream, page: &mut page };
        each(log, &(0..u64::MAX), (from, to), &mut sink)?;
    }
    Ok(page)
}

/// Puts one stream's matching events that no earlier page had into the page.
struct OfStream<'a> {
    pattern: &'a Pattern,
    cursor: &'a Cursor,
    stream: &'a str,
    page: &'a mut First,
}

impl Sink for OfStream<'_> {
    fn wants(&self, earliest: i64, latest: i64) -> bool {
        self.page.wants(earliest, latest)
    }

    fn take(&mut self, number: u64, event: Event) -> ControlFlow<()> {
        if self.cursor.arrived(event.ingested) {
            let place = Place { timestamp: event.timestamp, stream: self.stream.to_owned(), number };
            if self.cursor.is_new(&place) && self.pattern.matches(&event.message) {
                self.page.offer(Found { place, event });
            }
        }
        ControlFlow::Continue(())
    }
}

fn shape(found: Found, names: &HashMap<&str, &str>) -> FilteredLogEvent {
    FilteredLogEvent {
        event_id: Some(found.place.event_id()),
        log_stream_name: names.get(found.place.stream.as_str()).map(|name| (*name).to_owned()),
        timestamp: Some(found.event.timestamp),
        ingestion_time: Some(found.event.ingested),
        message: Some(found.event.message),
    }
}
