//! `FilterLogEvents`: the streams of a group together, in the order of time.

use crate::api::errors::{invalid, invalid_token};
use crate::api::find::stream_not_found;
use crate::api::get::{PAGE_BYTES, PAGE_EVENTS};
use crate::model::{Group, Stream};
use crate::rules::merge::{Earliest, Found};
use crate::rules::pattern::Pattern;
use crate::rules::place::Place;
use crate::segments::{Event, Sink, StreamLog, scan};
use crate::service::Service;
use aws::Error;
use aws::logs::{FilterLogEventsInput, FilterLogEventsOutput, FilteredLogEvent};
use kernel::paging::{self, Token};
use kernel::{Caller, Page, Stored};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// What one page asks for.
struct Search {
    from: i64,
    to: i64,
    pattern: Pattern,
    after: Option<Place>,
    limit: usize,
}

/// Reads a page. The token names the place behind its last event in the order of time, stream and place; of what is there
/// when the first page is read, no event is lost or comes twice.
pub(super) async fn filter(
    service: &Service,
    caller: &Caller,
    mut input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput, Error> {
    let names = (input.log_group_name.take(), input.log_group_identifier.take());
    let group = service.identified_group(caller, names.0, names.1).await?;
    let query = query(&group, &input);
    let search = search(&query, &input)?;
    let streams = streams(service, caller, &group, input).await?;
    let mut logs = Vec::with_capacity(streams.len());
    for stream in &streams {
        let log = service.shelf.log(&caller.scope(), stream).await.map_err(Error::internal)?;
        logs.push((stream.id.clone(), log));
    }
    let read = tokio::task::spawn_blocking(move || read(&search, &logs)).await;
    let (page, last) = read.map_err(Error::internal)?.map_err(Error::internal)?.finish();
    let names: HashMap<&str, &str> = streams.iter().map(|stream| (stream.id.as_str(), stream.name.as_str())).collect();
    let events = page.into_iter().map(|found| shape(found, &names)).collect();
    let next_token = last.map(|place| Token::new(place.text()).encode(&query));
    Ok(FilterLogEventsOutput { events: Some(events), next_token, searched_log_streams: Some(Vec::new()) })
}

/// Names the search, so that a token of another is refused.
fn query(group: &Group, input: &FilterLogEventsInput) -> String {
    let FilterLogEventsInput { filter_pattern, log_stream_names, log_stream_name_prefix, start_time, end_time, .. } =
        input;
    let streams = (log_stream_names, log_stream_name_prefix);
    format!("FilterLogEvents/{}/{streams:?}/{start_time:?}/{end_time:?}/{filter_pattern:?}", group.id)
}

fn search(query: &str, input: &FilterLogEventsInput) -> Result<Search, Error> {
    let (from, to) = (input.start_time.unwrap_or(0), input.end_time.unwrap_or(i64::MAX));
    if to < from {
        return Err(invalid("startTime must not be later than endTime."));
    }
    let after = paging::start(query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let after = after.map(|text| Place::parse(&text).ok_or_else(invalid_token)).transpose()?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?;
    let limit = usize::try_from(input.limit.unwrap_or(PAGE_EVENTS)).unwrap_or(1);
    Ok(Search { from, to, pattern, after, limit })
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
        (Some(names), None) => {
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

fn read(search: &Search, logs: &[(String, Arc<StreamLog>)]) -> io::Result<Earliest> {
    let mut page = Earliest::new(search.limit, PAGE_BYTES);
    let from = search.after.as_ref().map_or(search.from, |after| after.timestamp.max(search.from));
    for (stream, log) in logs {
        scan(log, from, search.to, &mut OfStream { search, stream, page: &mut page })?;
    }
    Ok(page)
}

/// Puts one stream's matching events that no earlier page had into the page.
struct OfStream<'a> {
    search: &'a Search,
    stream: &'a str,
    page: &'a mut Earliest,
}

impl Sink for OfStream<'_> {
    fn wants(&self, timestamp: i64) -> bool {
        self.page.wants(timestamp)
    }

    fn take(&mut self, number: u64, event: Event) {
        let place = Place { timestamp: event.timestamp, stream: self.stream.to_owned(), number };
        let new = self.search.after.as_ref().is_none_or(|after| place > *after);
        if new && self.search.pattern.matches(&event.message) {
            self.page.offer(Found { place, event });
        }
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
