//! A build's log stream in CloudWatch Logs, written as its service role.

use std::sync::Arc;

use aws::Error;
use aws::logs::{CreateLogGroupInput, CreateLogStreamInput, InputLogEvent, Logs, PutLogEventsInput};
use kernel::{Caller, Timestamp};

use crate::model::{Build, LogPlace};
use crate::rules::log_batches::{Batches, Line, Piece};
use crate::rules::log_lines::container_line;

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
    last: Timestamp,
    held: Vec<Line>,
}

impl BuildLog {
    pub(crate) fn new(logs: Arc<dyn Logs>, role: Caller, place: Option<LogPlace>) -> Self {
        Self { logs, role, place, last: Timestamp::default(), held: vec![] }
    }

    /// Makes group and stream where they are missing.
    pub(crate) async fn create(&self) -> Result<(), Error> {
        let Some(place) = &self.place else { return Ok(()) };
        if self.create_stream(place).await? {
            return Ok(());
        }
        let group = CreateLogGroupInput { log_group_name: Some(place.group.clone()), ..CreateLogGroupInput::default() };
        existing(self.logs.create_log_group(&self.role, group).await.map(drop))?;
        self.create_stream(place).await.map(drop)
    }

    /// `false` where the group is missing.
    async fn create_stream(&self, place: &LogPlace) -> Result<bool, Error> {
        let stream = CreateLogStreamInput {
            log_group_name: Some(place.group.clone()),
            log_stream_name: Some(place.stream.clone()),
        };
        match existing(self.logs.create_log_stream(&self.role, stream).await.map(drop)) {
            Ok(()) => Ok(true),
            Err(error) if error.is("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Holds lines of the server's own, with the agent's prefix, for the next write: one write for a whole phase.
    pub(crate) fn hold(&mut self, now: Timestamp, texts: &[impl AsRef<str>]) {
        let line = |text: &str| Line { time: now, text: format!("{}\n", container_line(now, text)) };
        self.held.extend(texts.iter().map(|text| line(text.as_ref())));
    }

    /// Writes the lines of this output behind those that are held; they are durable when this resolves. Group and stream are made
    /// anew if somebody deleted them.
    pub(crate) async fn append(&mut self, pieces: Vec<Piece>, now: Timestamp) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        if self.place.is_none() {
            return Ok(());
        }
        for batch in Batches::new(held, pieces, self.last, now) {
            self.last = batch.last().map_or(self.last, |line| line.time);
            match self.put(&batch).await {
                Err(error) if error.is("ResourceNotFoundException") => {
                    self.create().await?;
                    self.put(&batch).await?;
                }
                other => other?,
            }
        }
        Ok(())
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
