//! An open page follows the bus: what changed is read again through the gated traits, rendered again, and sent where it
//! differs from what the page has.
//!
//! An event is only a hint. Bursts of them are one reading. Nothing here outlives the connection, and the connection
//! outlives neither the session nor the server.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use kernel::{Event, Scope, Tail};

use crate::pages::{Failure, Growth, Part, Subject};
use crate::service::{Service, Visit};

/// The content type of a page that is followed.
pub const FOLLOWS: &str = "text/event-stream";

/// What belongs to one change comes within this time.
const BURST: Duration = Duration::from_millis(150);
/// Proxies and browsers drop a connection that says nothing for long. In this rhythm it is also asked whether the visitor
/// is still signed in.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events taken at once.
const BATCH: usize = 256;

/// Open pages of one session; browsers allow six connections to a server, HTTP/2 more.
const SEATS_OF_SESSION: usize = 16;
/// Open pages of all.
const SEATS: usize = 256;

/// How many pages are open, by session.
#[derive(Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<BTreeMap<String, usize>>>);

/// One open page; gives its place back when dropped.
pub(crate) struct Seat {
    seats: Seats,
    session: String,
}

impl Seats {
    /// A place for a page of this session, if there is one.
    pub(crate) fn take(&self, session: &str) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(session).copied().unwrap_or(0);
        if own >= SEATS_OF_SESSION || taken.values().sum::<usize>() >= SEATS {
            return None;
        }
        taken.insert(session.to_owned(), own + 1);
        Some(Seat { seats: self.clone(), session: session.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.session) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.session)),
        }
    }
}

/// One open page.
struct Feed {
    service: Arc<Service>,
    visit: Visit,
    subject: Box<dyn Subject>,
    tail: Tail,
    /// Heard, and not read yet.
    news: Vec<Event>,
    /// What the page has, by part.
    sent: BTreeMap<String, String>,
    /// Written, to be sent.
    ready: VecDeque<String>,
    begun: bool,
    over: bool,
    _seat: Seat,
}

/// The server-sent events of a page.
pub(crate) fn follow(
    service: Arc<Service>,
    visit: Visit,
    subject: Box<dyn Subject>,
    seat: Seat,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    // From before the first reading on: what changes in between is seen.
    let tail = service.documents.bus().tail();
    let feed = Feed {
        service,
        visit,
        subject,
        tail,
        news: Vec::new(),
        sent: BTreeMap::new(),
        ready: VecDeque::new(),
        begun: false,
        over: false,
        _seat: seat,
    };
    futures::stream::unfold(Some(feed), |feed| async move {
        let mut feed = feed?;
        feed.next().await.map(|text| (Ok(Bytes::from(text)), Some(feed)))
    })
}

impl Feed {
    /// The next message, when there is one.
    async fn next(&mut self) -> Option<String> {
        if !self.begun {
            self.begun = true;
            self.ready.push_back("retry: 2000\n\n".to_owned());
            self.read(&[]).await;
        }
        while self.ready.is_empty() {
            if self.over {
                return None;
            }
            self.wait().await?;
        }
        self.ready.pop_front()
    }

    /// Waits for something that concerns the page and reads it.
    async fn wait(&mut self) -> Option<()> {
        let (stop, clock) = (self.service.stop.clone(), Arc::clone(&self.service.clock));
        let beat = clock.now() + HEARTBEAT;
        let mut changed = false;
        tokio::select! {
            () = stop.stopped() => return None,
            () = news(&mut self.tail, &*self.subject, &self.visit, &mut self.news) => changed = true,
            growth = self.subject.grows(&self.service, &self.visit) => changed = growth == Growth::Changed,
            () = clock.sleep_until(beat) => self.ready.push_back(": still here\n\n".to_owned()),
        }
        let news = std::mem::take(&mut self.news);
        if !self.service.is_signed_in(&self.visit).await {
            self.end("gone");
            return Some(());
        }
        if changed || !news.is_empty() {
            self.read(&news).await;
        } else if let Err(failure) = self.grow().await {
            self.fail(&failure);
        }
        Some(())
    }

    async fn read(&mut self, news: &[Event]) {
        self.visit.now = self.service.clock.now();
        let read = match self.subject.parts(&self.service, &self.visit, news).await {
            Ok(parts) => {
                parts.into_iter().for_each(|part| self.offer(part));
                self.grow().await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = read {
            self.fail(&failure);
        }
    }

    /// Puts a part where the page has another.
    fn offer(&mut self, part: Part) {
        if self.sent.get(&part.id) == Some(&part.html) {
            return;
        }
        self.ready.push_back(message("part", None, &part.html));
        // Of parts within each other what was sent last counts.
        let own = format!("id=\"{}\"", part.id);
        self.sent.retain(|id, html| !html.contains(&own) && !part.html.contains(&format!("id=\"{id}\"")));
        self.sent.insert(part.id, part.html);
    }

    /// What is only ever added to: the lines of a log.
    async fn grow(&mut self) -> Result<(), Failure> {
        if let Some(added) = self.subject.added(&self.service, &self.visit).await? {
            self.ready.push_back(message("lines", Some(&added.position), &added.html));
        }
        Ok(())
    }

    /// What cannot be read now may be later, or be gone: the page is to find out.
    fn fail(&mut self, failure: &Failure) {
        tracing::debug!(?failure, "an open page could not be read again");
        self.end("stale");
    }

    fn end(&mut self, name: &str) {
        self.over = true;
        self.ready.push_back(message(name, None, ""));
    }
}

/// Waits for events that concern the page, and for the rest of their burst. What was found stays found when the wait is
/// given up.
async fn news(tail: &mut Tail, subject: &dyn Subject, visit: &Visit, found: &mut Vec<Event>) {
    let scope = visit.scope();
    while found.is_empty() {
        hear(tail, subject, &scope, found).await;
    }
    let burst = async {
        loop {
            hear(tail, subject, &scope, found).await;
        }
    };
    let _: Result<Infallible, _> = tokio::time::timeout(BURST, burst).await;
}

async fn hear(tail: &mut Tail, subject: &dyn Subject, scope: &Scope, found: &mut Vec<Event>) {
    match tail.next_batch(BATCH).await {
        Ok(batch) => found.extend(batch.into_iter().filter(|event| event.scope() == *scope && subject.concerns(event))),
        // The store is closed: the server is about to stop.
        Err(_) => std::future::pending().await,
    }
}

/// A server-sent event (HTML Living Standard, 9.2.6). A carriage return would end a line there, too.
fn message(name: &str, id: Option<&str>, html: &str) -> String {
    let mut text = format!("event: {name}\n");
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    for line in html.replace('\r', "").split('\n') {
        text.push_str(&format!("data: {line}\n"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed_line_by_line() {
        assert_eq!(message("part", None, "<p>a\nb</p>"), "event: part\ndata: <p>a\ndata: b</p>\n\n");
        assert_eq!(message("lines", Some("f/1"), "a\r\nb"), "event: lines\nid: f/1\ndata: a\ndata: b\n\n");
        assert_eq!(message("gone", None, ""), "event: gone\ndata: \n\n");
    }

    #[test]
    fn seats_are_bounded_and_given_back() {
        let seats = Seats::default();
        let mut taken: Vec<_> = (0..SEATS_OF_SESSION).filter_map(|_| seats.take("one")).collect();
        assert_eq!(taken.len(), SEATS_OF_SESSION);
        assert!(seats.take("one").is_none());
        taken.pop();
        assert!(seats.take("one").is_some());
        taken.clear();
        assert!(seats.0.lock().is_ok_and(|taken| taken.is_empty()));
        let all: Vec<_> = (0..2 * SEATS).filter_map(|number| seats.take(&(number / 2).to_string())).collect();
        assert_eq!(all.len(), SEATS);
    }
}
