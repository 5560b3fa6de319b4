//! Logs of builds: a page of lines at a time, however long they are.

use std::io;
use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::codebuild::{BatchGetBuildsInput, Build};
use aws::logs::{GetLogEventsInput, OutputLogEvent};
use bytes::Bytes;
use futures::Stream;
use http::Response;
use kernel::Timestamp;

use super::{Failure, Part, Section, Subject};
use crate::reply::{self, Body};
use crate::rules::ansi::{self, Style};
use crate::rules::link;
use crate::rules::moment::clock;
use crate::service::{Service, Visit};

/// Lines of a page, and of one message to an open page.
const PAGE: i32 = 500;
/// Lines of one event that are shown: builds write an event per line, and markup is much longer than an empty line.
const LINES_OF_AN_EVENT: usize = 1_000;
/// Events of the raw log that are in memory at once.
const RAW_PAGE: i32 = 10_000;

/// Where a build's log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogPlace {
    pub(super) group: String,
    pub(super) stream: String,
}

impl LogPlace {
    /// The place, once the build has one.
    pub(super) fn of(build: &Build) -> Option<Self> {
        let logs = build.logs.as_ref()?;
        Some(Self { group: logs.group_name.clone()?, stream: logs.stream_name.clone()? })
    }
}

/// Where reading goes on.
pub(super) enum From<'t> {
    /// At the first line.
    Head,
    /// The newest lines.
    Tail,
    /// At a token of an earlier page.
    Token(&'t str),
}

/// Some lines.
pub(super) struct Lines {
    pub(super) events: Vec<OutputLogEvent>,
    pub(super) forward: Option<String>,
    pub(super) backward: Option<String>,
}

/// Reads some lines; a log that was deleted has none.
pub(super) async fn read(
    service: &Service,
    visit: &Visit,
    place: &LogPlace,
    from: From<'_>,
    limit: i32,
) -> Result<Lines, Error> {
    let input = GetLogEventsInput {
        log_group_name: Some(place.group.clone()),
        log_stream_name: Some(place.stream.clone()),
        start_from_head: Some(!matches!(from, From::Tail)),
        next_token: if let From::Token(token) = from { Some(token.to_owned()) } else { None },
        limit: Some(limit),
        ..GetLogEventsInput::default()
    };
    match service.logs.get_log_events(&visit.caller, input).await {
        Ok(page) => Ok(Lines {
            events: page.events.unwrap_or_default(),
            forward: page.next_forward_token,
            backward: page.next_backward_token,
        }),
        Err(error) if error.is("ResourceNotFoundException") => {
            Ok(Lines { events: Vec::new(), forward: None, backward: None })
        }
        Err(error) => Err(error),
    }
}

/// The token, if there is a line behind it: at either end of a log there is one all the same.
async fn leading_on(
    service: &Service,
    visit: &Visit,
    place: &LogPlace,
    token: Option<String>,
) -> Result<Option<String>, Error> {
    let Some(token) = token else { return Ok(None) };
    let next = read(service, visit, place, From::Token(&token), 1).await?;
    Ok(Some(token).filter(|_| !next.events.is_empty()))
}

/// The lines as HTML; `style` is what is in force before and after them.
pub(super) fn html(style: &mut Style, events: &[OutputLogEvent]) -> String {
    let mut html = String::new();
    for event in events {
        let message = event.message.as_deref().unwrap_or_default();
        let time = clock(Timestamp::from_millis(event.timestamp.unwrap_or_default()));
        let mut lines = message.strip_suffix('\n').unwrap_or(message).split('\n');
        for line in lines.by_ref().take(LINES_OF_AN_EVENT) {
            match own(line) {
                Some((stamp, said)) => {
                    let (stamp, said) = (ansi::line(style, stamp), ansi::line(style, said));
                    let shown = format!("<span><i>{stamp}</i>{said}</span>");
                    html.push_str(&format!("<div class=\"l own\"><time>{time}</time>{shown}</div>\n"));
                }
                None => {
                    let shown = ansi::line(style, line);
                    html.push_str(&format!("<div class=\"l\"><time>{time}</time><span>{shown}</span></div>\n"));
                }
            }
        }
        let more = lines.count();
        if more > 0 {
            html.push_str(&format!(
                "<div class=\"l\"><time></time><span>… {more} more lines, in the raw log</span></div>\n"
            ));
        }
    }
    html
}

/// A line of the agent's own, split behind its `[Container] DATE TIME `.
fn own(line: &str) -> Option<(&str, &str)> {
    const STAMP: usize = "[Container] 2026/11/23 00:43:48.947000 ".len();
    let stamped = line.starts_with("[Container] ") && line.get(STAMP - 1..STAMP) == Some(" ");
    line.split_at_checked(STAMP).filter(|_| stamped)
}

/// The build itself, or that there is none.
pub(super) async fn build(service: &Service, visit: &Visit, id: &str) -> Result<Build, Error> {
    let input = BatchGetBuildsInput { ids: Some(vec![id.to_owned()]) };
    let found = service.codebuild.batch_get_builds(&visit.caller, input).await?.builds.unwrap_or_default();
    let missing =
        || Error::modelled("ResourceNotFoundException", 404, format!("There is no build {id} in {}.", visit.region));
    found.into_iter().next().ok_or_else(missing)
}

/// A log, page by page.
pub(super) struct Log {
    pub(super) build: String,
}

#[derive(Template)]
#[template(path = "log.html")]
struct Whole {
    build: String,
    build_address: String,
    address: String,
    lines: String,
    earlier: Option<String>,
    later: Option<String>,
}

#[async_trait]
impl Subject for Log {
    fn title(&self) -> String {
        format!("Log of {}", self.build)
    }

    fn section(&self) -> Section {
        Section::Builds
    }

    fn is_live(&self) -> bool {
        false
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[kernel::Event]) -> Result<Vec<Part>, Failure> {
        let build_address = link::build(&visit.region, &self.build);
        let address = format!("{build_address}/log");
        let at = visit.query.get("at");
        let page = match LogPlace::of(&build(service, visit, &self.build).await?) {
            Some(place) => {
                let from = at.as_deref().map_or(From::Head, From::Token);
                let mut page = read(service, visit, &place, from, PAGE).await?;
                page.forward = leading_on(service, visit, &place, page.forward).await?;
                page.backward = leading_on(service, visit, &place, page.backward).await?;
                page
            }
            None => Lines { events: Vec::new(), forward: None, backward: None },
        };
        let at = |token: Option<String>| token.map(|token| format!("{address}?at={}", link::encode(&token)));
        let whole = Whole {
            build: self.build.clone(),
            lines: html(&mut Style::default(), &page.events),
            earlier: at(page.backward),
            later: at(page.forward),
            build_address,
            address: address.clone(),
        };
        Ok(vec![Part::new("log-page", &whole)?])
    }
}

/// The log as text, from its first line to its last as of now; never whole in memory.
pub(super) async fn raw(service: &Arc<Service>, visit: Visit, id: &str) -> Result<Response<Body>, Failure> {
    let place = LogPlace::of(&build(service, &visit, id).await?);
    let reading = place.map(|place| Reading { service: Arc::clone(service), visit, place, token: None });
    Ok(reply::stream("text/plain; charset=utf-8", reading.map(texts).map_or_else(none, futures::StreamExt::boxed)))
}

fn none() -> futures::stream::BoxStream<'static, io::Result<Bytes>> {
    futures::StreamExt::boxed(futures::stream::empty())
}

struct Reading {
    service: Arc<Service>,
    visit: Visit,
    place: LogPlace,
    token: Option<String>,
}

fn texts(reading: Reading) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        let from = reading.token.as_deref().map_or(From::Head, From::Token);
        match read(&reading.service, &reading.visit, &reading.place, from, RAW_PAGE).await {
            Ok(page) if page.events.is_empty() => None,
            Ok(page) => {
                let text: String = page.events.into_iter().filter_map(|event| event.message).collect();
                reading.token = page.forward;
                Some((Ok(text.into()), Some(reading)))
            }
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_time_and_keep_the_style_in_force() {
        let event = |message: &str| OutputLogEvent {
            timestamp: Some(1_709_164_803_250),
            message: Some(message.to_owned()),
            ..OutputLogEvent::default()
        };
        let mut style = Style::default();
        let events =
            [event("[Container] 2026/11/23 00:43:48.947000 go\n"), event("\u{1b}[31m<a>\nb\u{1b}[0m\n"), event("")];
        let time = "<time>00:00:03</time>";
        let expected = [
            format!("<div class=\"l own\">{time}<span><i>[Container] 2026/11/23 00:43:48.947000 </i>go</span></div>"),
            format!("<div class=\"l\">{time}<span><span class=\"f1\">&lt;a&gt;</span></span></div>"),
            format!("<div class=\"l\">{time}<span><span class=\"f1\">b</span></span></div>"),
            format!("<div class=\"l\">{time}<span></span></div>"),
        ];
        assert_eq!(html(&mut style, &events).lines().collect::<Vec<_>>(), expected);
        assert_eq!(style, Style::default());
    }

    #[test]
    fn an_event_of_nothing_but_newlines_is_cut_off() {
        let message = Some("\n".repeat(100_000));
        let shown = html(&mut Style::default(), &[OutputLogEvent { message, ..OutputLogEvent::default() }]);
        assert_eq!(shown.lines().count(), LINES_OF_AN_EVENT + 1);
        assert!(shown.contains("… 99000 more lines"), "{}", &shown[shown.len() - 200..]);
    }
}
