//! Log streams.

use crate::api::errors::{changed, commit, invalid, invalid_token};
use crate::api::groups::{DEFAULT_LIMIT, garbage};
use crate::model::{Group, Stream};
use crate::segments::{StreamLog, earliest};
use crate::service::Service;
use aws::Error;
use aws::logs::error::resource_already_exists_exception;
use aws::logs::{
    CreateLogStreamInput, CreateLogStreamOutput, DeleteLogStreamInput, DeleteLogStreamOutput, DescribeLogStreamsInput,
    DescribeLogStreamsOutput, LogStream, order_by,
};
use kernel::{Batch, Caller, Order, Page, Stored, paging};
use std::cmp::Reverse;
use std::sync::Arc;

/// `CreateLogStream`.
pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateLogStreamInput,
) -> Result<CreateLogStreamOutput, Error> {
    let group = service.group(caller, input.log_group_name.as_deref()).await?;
    let stream = Stream {
        group: group.id.clone(),
        name: input.log_stream_name.unwrap_or_default(),
        id: service.ids.time_ordered(),
        created: service.clock.now(),
        last_event: None,
    };
    let exists = resource_already_exists_exception("The specified log stream already exists");
    // Only while the group is there: its deletion sweeps the streams that it has.
    let batch = Batch::new(&caller.scope()).require(&group).insert(&stream);
    service.documents.commit(batch).await.map_err(|error| commit(error, exists))?;
    Ok(CreateLogStreamOutput {})
}

/// `DeleteLogStream`: its events are gone at once; their files go later.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteLogStreamInput,
) -> Result<DeleteLogStreamOutput, Error> {
    let group = service.group(caller, input.log_group_name.as_deref()).await?;
    let scope = caller.scope();
    // Puts write the document now and then, so this may have to look twice.
    for _ in 0..ATTEMPTS {
        let stream = service.stream(caller, &group, input.log_stream_name.as_deref()).await?;
        let garbage = garbage(service.clock.now(), &group.id, Some(&stream.id));
        let batch = Batch::new(&scope).remove(&stream).insert(&garbage);
        match service.documents.commit(batch).await {
            Err(kernel::CommitError::Conflict { .. }) => {}
            committed => {
                committed.map_err(|error| commit(error, changed()))?;
                return Ok(DeleteLogStreamOutput {});
            }
        }
    }
    Err(changed())
}

/// How often a deletion looks again when somebody else wrote.
const ATTEMPTS: usize = 8;

/// `DescribeLogStreams`: by name or by last event, which is known to the minute.
pub(super) async fn describe(
    service: &Service,
    caller: &Caller,
    input: DescribeLogStreamsInput,
) -> Result<DescribeLogStreamsOutput, Error> {
    let group = service.identified_group(caller, input.log_group_name, input.log_group_identifier).await?;
    let by_time = input.order_by.as_deref() == Some(order_by::LAST_EVENT_TIME);
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    if by_time && !prefix.is_empty() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let descending = input.descending == Some(true);
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1);
    let query = format!("DescribeLogStreams/{}/{prefix}/{by_time}/{descending}", group.id);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let order = if descending { Order::Descending } else { Order::Ascending };
    let page = Page { order, ..Page::first(limit + 1).after(after) };
    let read = read(service, caller, &group, by_time, page, &prefix).await?;
    let (streams, next_token) = paging::cut(read, limit, &query);
    let mut log_streams = Vec::with_capacity(streams.len());
    for stream in &streams {
        log_streams.push(shape(service, caller, &group, stream).await?);
    }
    if by_time {
        sort_by_time(&mut log_streams, descending);
    }
    Ok(DescribeLogStreamsOutput { log_streams: Some(log_streams), next_token })
}

async fn read(
    service: &Service,
    caller: &Caller,
    group: &Group,
    by_time: bool,
    page: Page,
    prefix: &str,
) -> Result<Vec<Stored<Stream>>, Error> {
    let (documents, scope) = (&service.documents, caller.scope());
    Ok(match by_time {
        true => documents.find::<Stream>(&scope, "recent", &group.id, page).await?,
        false => documents.list::<Stream>(&scope, page.prefix(format!("{}/{prefix}", group.id))).await?,
    })
}

/// The index is up to a minute behind: within a page, what the files say counts.
fn sort_by_time(streams: &mut [LogStream], descending: bool) {
    let time = |stream: &LogStream| stream.last_event_timestamp.or(stream.creation_time);
    match descending {
        true => streams.sort_by_key(|stream| Reverse(time(stream))),
        false => streams.sort_by_key(time),
    }
}

async fn shape(service: &Service, caller: &Caller, group: &Group, stream: &Stream) -> Result<LogStream, Error> {
    let scope = caller.scope();
    let log = service.shelf.log(&scope, stream).await.map_err(Error::internal)?;
    let segments = log.segments();
    let oldest = group.oldest(service.clock.now());
    let alive = || segments.iter().filter(|segment| segment.count > 0 && segment.latest >= oldest);
    let partly_expired = alive().any(|segment| segment.earliest < oldest);
    let first_event_timestamp = match partly_expired {
        true => first_alive(Arc::clone(&log), oldest).await?,
        false => alive().map(|segment| segment.earliest).min(),
    };
    Ok(LogStream {
        arn: Some(format!("{}:log-stream:{}", group.arn(&scope), stream.name)),
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created.millis()),
        first_event_timestamp,
        last_event_timestamp: alive().map(|segment| segment.latest).max(),
        last_ingestion_time: segments.iter().rev().find(|segment| segment.count > 0).map(|segment| segment.ingested),
        upload_sequence_token: Some(super::put::sequence_token(log.end())),
        // AWS answers zero for streams since 2019.
        stored_bytes: Some(0),
    })
}

/// Where a part of a segment has expired its summary does not tell: the events do.
async fn first_alive(log: Arc<StreamLog>, oldest: i64) -> Result<Option<i64>, Error> {
    let read = tokio::task::spawn_blocking(move || earliest(&log, oldest)).await;
    read.map_err(Error::internal)?.map_err(Error::internal)
}
