//! `StartLiveTail`: new events of up to ten groups as they come.
//!
//! A session holds no events: it is told which streams have grown, and reads them when its client asks for the next
//! update. A client that is slow or gone therefore costs nothing; one that was away for long gets what is within its
//! allowance, and is told that there was more. Events are read in the order of their stream, each once.

use crate::api::errors::invalid;
use crate::api::find::own_group_name;
use crate::model::Group;
use crate::rules::pattern::Pattern;
use crate::rules::sampling::Allowance;
use crate::segments::{Event, Follower, Shelf, Sink, Source, Streams, each};
use crate::service::Service;
use aws::logs::error::{limit_exceeded_exception, session_streaming_exception, session_timeout_exception};
use aws::logs::{
    LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart, LiveTailSessionUpdate, StartLiveTailInput,
    StartLiveTailResponseStream,
};
use aws::{Error, EventStream};
use futures::stream;
use kernel::{Caller, Clock, Timestamp};
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(3 * 3600);
/// An update comes at least this often, so that the end of a client is seen.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// And no two come closer together.
const GAP: Duration = Duration::from_millis(50);
/// Most bytes of an update; one event is always given.
const UPDATE_BYTES: usize = 1_048_576;
/// Sessions of one account in one region. AWS allows 15; here they cost little.
const MOST_SESSIONS: usize = 100;

/// Begins a session. Every event that is acknowledged after this resolves is in it.
pub(super) async fn start(
    service: &Service,
    caller: &Caller,
    input: StartLiveTailInput,
) -> Result<EventStream<StartLiveTailResponseStream>, Error> {
    let pattern = Pattern::parse(input.log_event_filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?;
    let streams = streams(&input)?;
    let groups = groups(service, caller, &input).await?;
    let ids = groups.keys().cloned().collect();
    let follower = service.shelf.followers().follow(caller.scope(), ids, streams, MOST_SESSIONS);
    let follower = follower.ok_or_else(|| {
        limit_exceeded_exception(format!("At most {MOST_SESSIONS} Live Tail sessions may run at once."))
    })?;
    let now = service.clock.now();
    let session = Session {
        follower,
        shelf: Arc::clone(&service.shelf),
        clock: Arc::clone(&service.clock),
        groups,
        pattern: Arc::new(pattern),
        allowance: Allowance::new(now.millis()),
        ends: now + SESSION,
        last: now - HEARTBEAT,
    };
    let begun = begun(&input, caller, service.ids.uuid());
    let first = stream::once(std::future::ready(Ok(begun)));
    let updates = stream::unfold(Some(session), |session| async move { session?.next().await });
    Ok(Box::pin(stream::StreamExt::chain(first, updates)))
}

fn begun(input: &StartLiveTailInput, caller: &Caller, session: String) -> StartLiveTailResponseStream {
    let input = input.clone();
    StartLiveTailResponseStream {
        session_start: Some(LiveTailSessionStart {
            request_id: Some(caller.request_id.clone()),
            session_id: Some(session),
            log_group_identifiers: input.log_group_identifiers,
            log_stream_names: input.log_stream_names,
            log_stream_name_prefixes: input.log_stream_name_prefixes,
            log_event_filter_pattern: input.log_event_filter_pattern,
        }),
        session_update: None,
    }
}

/// The ARNs of the groups, by their ids.
async fn groups(
    service: &Service,
    caller: &Caller,
    input: &StartLiveTailInput,
) -> Result<HashMap<String, String>, Error> {
    let mut groups = HashMap::new();
    for identifier in input.log_group_identifiers.iter().flatten() {
        let name = own_group_name(caller, identifier)?;
        let group = service.group(caller, Some(name)).await?;
        groups.insert(group.id.clone(), Group::arn(&group, &caller.scope()));
    }
    Ok(groups)
}

fn streams(input: &StartLiveTailInput) -> Result<Streams, Error> {
    let streams = match (&input.log_stream_names, &input.log_stream_name_prefixes) {
        (None, None) => return Ok(Streams::All),
        (Some(_), Some(_)) => {
            return Err(invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive."));
        }
        (Some(names), None) => Streams::Named(names.clone()),
        (None, Some(prefixes)) => Streams::Prefixed(prefixes.clone()),
    };
    match input.log_group_identifiers.as_deref() {
        Some([_]) => Ok(streams),
        _ => Err(invalid("Log streams can be chosen only if exactly one log group is.")),
    }
}

/// One client's tail.
struct Session {
    follower: Arc<Follower>,
    shelf: Arc<Shelf>,
    clock: Arc<dyn Clock>,
    /// ARNs by ids.
    groups: HashMap<String, String>,
    pattern: Arc<Pattern>,
    allowance: Allowance,
    ends: Timestamp,
    /// When the last update was given.
    last: Timestamp,
}

type Next = (Result<StartLiveTailResponseStream, Error>, Option<Session>);

impl Session {
    /// The next update, or the error that ends the session.
    async fn next(mut self) -> Option<Next> {
        self.clock.sleep_until(self.last + GAP).await;
        tokio::select! {
            biased;
            () = self.follower.grown() => {}
            () = self.clock.sleep_until((self.last + HEARTBEAT).min(self.ends)) => {}
        }
        if self.clock.now() >= self.ends {
            return Some((Err(session_timeout_exception("The session has lasted for three hours and is over.")), None));
        }
        let mut left = self.allowance.left(self.clock.now().millis());
        if left == 0 {
            self.clock.sleep_until(Timestamp::from_millis(self.allowance.renewed())).await;
            left = self.allowance.left(self.clock.now().millis());
        }
        match self.collect(left).await {
            Ok(collected) => {
                self.last = self.clock.now();
                self.allowance.give(collected.events.len());
                let update = self.update(collected);
                Some((Ok(update), Some(self)))
            }
            Err(error) => {
                tracing::error!(%error, "a live tail cannot read");
                Some((Err(session_streaming_exception("The log streams could not be read.")), None))
            }
        }
    }

    /// Reads what has grown, up to `left` events; what has no room in the update comes with the next one.
    async fn collect(&self, left: usize) -> io::Result<Collected> {
        let mut collected = Collected { left, room: UPDATE_BYTES, ..Collected::new(Arc::clone(&self.pattern)) };
        let mut grown = self.follower.take();
        while let Some((id, (source, places))) = grown.pop_first() {
            let log = self.shelf.log_of(&source).await?;
            let (read, rest) = tokio::task::spawn_blocking(move || {
                collected.source = Some(Arc::clone(&source));
                let read = each(&log, &places, (0, i64::MAX), &mut collected);
                let rest = collected.full_at.take().map(|place| (source, place..places.end));
                read.map(|()| (collected, rest))
            })
            .await
            .map_err(io::Error::other)??;
            collected = read;
            if let Some(rest) = rest {
                grown.insert(id, rest);
                break;
            }
            if collected.sampled {
                // Nobody can keep up with this: what is left is passed over.
                grown.clear();
            }
        }
        self.follower.give_back(&grown);
        // Streams in the order of arrival; each stream's own order stays.
        collected.events.sort_by_key(|(_, event)| event.ingested);
        Ok(collected)
    }

    fn update(&self, collected: Collected) -> StartLiveTailResponseStream {
        let result = |(source, event): (Arc<Source>, Event)| LiveTailSessionLogEvent {
            log_stream_name: Some(source.name.clone()),
            log_group_identifier: self.groups.get(&source.group).cloned(),
            message: Some(event.message),
            timestamp: Some(event.timestamp),
            ingestion_time: Some(event.ingested),
        };
        StartLiveTailResponseStream {
            session_start: None,
            session_update: Some(LiveTailSessionUpdate {
                session_metadata: Some(LiveTailSessionMetadata { sampled: Some(collected.sampled) }),
                session_results: Some(collected.events.into_iter().map(result).collect()),
            }),
        }
    }
}

/// The events of one update.
struct Collected {
    pattern: Arc<Pattern>,
    source: Option<Arc<Source>>,
    events: Vec<(Arc<Source>, Event)>,
    /// Events that may still be given.
    left: usize,
    /// Bytes that have room.
    room: usize,
    /// Whether an event was passed over.
    sampled: bool,
    /// The place of an event that waits for the next update.
    full_at: Option<u64>,
}

impl Collected {
    fn new(pattern: Arc<Pattern>) -> Self {
        Self { pattern, source: None, events: Vec::new(), left: 0, room: 0, sampled: false, full_at: None }
    }
}

impl Sink for Collected {
    fn wants(&self, _: i64, _: i64) -> bool {
        true
    }

    fn take(&mut self, place: u64, event: Event) -> ControlFlow<()> {
        if !self.pattern.matches(&event.message) {
            return ControlFlow::Continue(());
        }
        if self.left == 0 {
            self.sampled = true;
            return ControlFlow::Break(());
        }
        let size = event.size();
        if size > self.room && !self.events.is_empty() {
            self.full_at = Some(place);
            return ControlFlow::Break(());
        }
        self.left -= 1;
        self.room = self.room.saturating_sub(size);
        self.events.extend(self.source.clone().map(|source| (source, event)));
        ControlFlow::Continue(())
    }
}
