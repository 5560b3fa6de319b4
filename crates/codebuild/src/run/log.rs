//! A build's log stream in CloudWatch Logs, written as its service role.

use std::sync::Arc;

use aws::Error;
use aws::logs::{
    CreateLogGroupInput, CreateLogStreamInput, GetLogEventsInput, InputLogEvent, Logs, OutputLogEvent,
    PutLogEventsInput,
};
use kernel::{Caller, Timestamp};

use crate::model::{Build, LogPlace, Logged};
use crate::rules::log_batches::{Batches, Line, Piece};
use crate::rules::log_lines::container_line;
use crate::rules::log_tail::Tail;

const SERVICE: &str = "codebuild.amazonaws.com";

/// Where a build's log goes; nowhere, if its project says so.
pub(crate) fn place(build: &Build) -> Option<LogPlace> {
    let settings = build.plan.logs_config.as_ref().and_then(|logs| logs.cloud_watch_logs.clone()).unwrap_or_default();
    if settings.status.as_deref() == Some("DISABLED") {
        return None;
    }
    let group = settings.group_name.filter(|name| !name.is_empty());
    let stream = match settings.stream_name.filter(|name| !name.is_empty()) {
        Some(prefix) => format!("{prefix}/{}", build.uuid()),
        None => build.uuid().to_owned(),
    };
    Some(LogPlace { group: group.unwrap_or_else(|| format!("/aws/codebuild/{}", build.project)), stream })
}

/// The log of one build.
pub(crate) struct BuildLog {
    logs: Arc<dyn Logs>,
    role: Caller,
    place: Option<LogPlace>,
    logged: Logged,
    /// What is in the stream that the build's document does not know of; read before the first write into a stream that was
    /// there already.
    tail: Option<Tail>,
    held: Vec<Line>,
}

impl BuildLog {
    /// The log of a build whose document says that so much is logged.
    pub(crate) fn new(logs: Arc<dyn Logs>, role: Caller, place: Option<LogPlace>, logged: Logged) -> Self {
        Self { logs, role, place, logged, tail: None, held: vec![] }
    }

    /// How far the stream is, for the commit that also records what was written.
    pub(crate) fn logged(&self) -> Logged {
        self.logged
    }

    /// Makes group and stream where they are missing.
    pub(crate) async fn create(&mut self) -> Result<(), Error> {
        let Some(place) = self.place.clone() else { return Ok(()) };
        if self.create_stream(&place).await? {
            return Ok(());
        }
        let group = CreateLogGroupInput { log_group_name: Some(place.group.clone()), ..CreateLogGroupInput::default() };
        existing(self.logs.create_log_group(&self.role, group).await.map(drop))?;
        self.create_stream(&place).await.map(drop)
    }

    /// `false` where the group is missing.
    async fn create_stream(&mut self, place: &LogPlace) -> Result<bool, Error> {
        let stream = CreateLogStreamInput {
            log_group_name: Some(place.group.clone()),
            log_stream_name: Some(place.stream.clone()),
        };
        match self.logs.create_log_stream(&self.role, stream).await {
            Ok(_) => {
                self.tail = Some(Tail::default());
                Ok(true)
            }
            Err(error) if error.is("ResourceAlreadyExistsException") => Ok(true),
            Err(error) if error.is("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Holds lines of the server's own, with the agent's prefix, for the next write: one write for a whole phase.
    pub(crate) fn hold(&mut self, now: Timestamp, texts: &[impl AsRef<str>]) {
        let line = |text: &str| Line { time: now, text: format!("{}\n", container_line(now, text)) };
        self.held.extend(texts.iter().map(|text| line(text.as_ref())));
    }

    /// Writes the lines of this output behind those that are held; they are durable when this resolves. What a process before
    /// wrote and died before it could record it is not written again. Group and stream are made anew if somebody deleted
    /// them.
    pub(crate) async fn append(&mut self, pieces: Vec<Piece>, now: Timestamp) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        if self.place.is_none() {
            return Ok(());
        }
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => self.read_tail().await?,
        };
        for mut batch in Batches::new(held, pieces, self.logged.last, now) {
            batch.retain(|line| !tail.has(&line.text));
            if batch.is_empty() {
                continue;
            }
            match self.put(&batch).await {
                Err(error) if error.is("ResourceNotFoundException") => {
                    self.create().await?;
                    self.put(&batch).await?;
                }
                other => other?,
            }
            batch.iter().for_each(|line| self.logged.count(line.time));
        }
        self.tail = Some(tail);
        Ok(())
    }

    /// The events behind those that the document knows of, which are then counted, too. CodeBuild reads them for itself: the
    /// grants that a service role has are for writing.
    async fn read_tail(&mut self) -> Result<Tail, Error> {
        let Some(place) = self.place.clone() else { return Ok(Tail::default()) };
        let itself =
            Caller { request_id: self.role.request_id.clone(), ..Caller::service(&self.role.scope(), SERVICE) };
        let (mut events, mut token) = (Vec::new(), None);
        loop {
            let input = GetLogEventsInput {
                log_group_name: Some(place.group.clone()),
                log_stream_name: Some(place.stream.clone()),
                start_time: Some(self.logged.last.millis()),
                start_from_head: Some(true),
                next_token: token.clone(),
                ..GetLogEventsInput::default()
            };
            let page = match self.logs.get_log_events(&itself, input).await {
                Err(error) if error.is("ResourceNotFoundException") => return Ok(Tail::default()),
                page => page?,
            };
            events.extend(page.events.unwrap_or_default());
            if page.next_forward_token == token {
                return Ok(self.tail_of(events));
            }
            token = page.next_forward_token;
        }
    }

    /// `events` are all of the last known time and later.
    fn tail_of(&mut self, events: Vec<OutputLogEvent>) -> Tail {
        let mut known = self.logged.at_last;
        let mut tail = Vec::new();
        for event in events {
            let time = Timestamp::from_millis(event.timestamp.unwrap_or_default());
            if time == self.logged.last && known > 0 {
                known -= 1;
                continue;
            }
            tail.push((time, event.message.unwrap_or_default()));
        }
        tail.iter().for_each(|(time, _)| self.logged.count(*time));
        Tail::new(tail.into_iter().map(|(_, text)| text))
    }

    async fn put(&self, batch: &[Line]) -> Result<(), Error> {
        let Some(place) = &self.place else { return Ok(()) };
        let events = batch.iter();
        let events =
            events.map(|line| InputLogEvent { message: Some(line.text.clone()), timestamp: Some(line.time.millis()) });
        let input = PutLogEventsInput {
            log_group_name: Some(place.group.clone()),
            log_stream_name: Some(place.stream.clone()),
            log_events: Some(events.collect()),
            ..PutLogEventsInput::default()
        };
        self.logs.put_log_events(&self.role, input).await.map(drop)
    }
}

/// What is there already is as good as made.
fn existing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is("ResourceAlreadyExistsException") => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::tests::build;

    #[test]
    fn where_logs_go() {
        let mut build = build(0);
        let uuid = build.uuid().to_owned();
        assert_eq!(place(&build), Some(LogPlace { group: "/aws/codebuild/demo".into(), stream: uuid.clone() }));
        let mut with = |settings: serde_json::Value| {
            build.plan.logs_config = serde_json::from_value(serde_json::json!({"cloudWatchLogs": settings})).ok();
            place(&build)
        };
        let named = with(serde_json::json!({"status": "ENABLED", "groupName": "g", "streamName": "s"}));
        assert_eq!(named, Some(LogPlace { group: "g".into(), stream: format!("s/{uuid}") }));
        assert_eq!(with(serde_json::json!({"status": "DISABLED"})), None);
    }
}
