//! A logs service on a folder of its own, with a clock that stands still.

use aws::Error;
use aws::logs::*;
use kernel::{Caller, ManualClock, Scope, SequentialIds, Store, Timestamp};
use logs::{Dependencies, Service};
use std::sync::Arc;

/// The time of the tests, in milliseconds.
pub(crate) const NOW: i64 = 1_800_000_000_000;

pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) service: Arc<Service>,
    _store: Arc<Store>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), 0)
    }

    /// A server's start on a data folder; `seed` keeps ids apart from an earlier one's.
    pub(crate) fn in_folder(folder: tempfile::TempDir, seed: u64) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(NOW));
        let store = Store::open(folder.path(), Arc::new(clock.clone())).unwrap();
        let service = Service::new(Dependencies {
            documents: store.service("logs"),
            clock: Arc::new(clock.clone()),
            ids: Arc::new(SequentialIds::new(seed)),
            data_dir: folder.path().to_owned(),
        });
        Self { folder, clock, service, _store: store }
    }

    /// A ground with a group `g` and these streams in it.
    pub(crate) async fn with_streams(names: &[&str]) -> Self {
        let ground = Self::new();
        ground.group("g").await.unwrap();
        for name in names {
            ground.stream(name).await.unwrap();
        }
        ground
    }

    /// The server stopped and started again.
    pub(crate) fn restart(self) -> Self {
        let Self { folder, service, _store, .. } = self;
        drop((service, _store));
        Self::in_folder(folder, 1_000)
    }

    pub(crate) async fn group(&self, name: &str) -> Result<CreateLogGroupOutput, Error> {
        let input = CreateLogGroupInput { log_group_name: Some(name.into()), ..Default::default() };
        self.service.create_log_group(&caller(), input).await
    }

    /// Makes a stream in `g`.
    pub(crate) async fn stream(&self, name: &str) -> Result<CreateLogStreamOutput, Error> {
        let input = CreateLogStreamInput { log_group_name: Some("g".into()), log_stream_name: Some(name.into()) };
        self.service.create_log_stream(&caller(), input).await
    }

    /// Puts events (offset from now in milliseconds, message).
    pub(crate) async fn put(&self, stream: &str, events: &[(i64, &str)]) -> Result<PutLogEventsOutput, Error> {
        let event = |(offset, message): &(i64, &str)| InputLogEvent {
            timestamp: Some(NOW + offset),
            message: Some((*message).to_owned()),
        };
        let input = PutLogEventsInput {
            log_group_name: Some("g".into()),
            log_stream_name: Some(stream.into()),
            log_events: Some(events.iter().map(event).collect()),
            ..Default::default()
        };
        self.service.put_log_events(&caller(), input).await
    }

    /// Messages and tokens of a page of a stream in `g`.
    pub(crate) async fn get(
        &self,
        stream: &str,
        input: GetLogEventsInput,
    ) -> Result<(Vec<String>, String, String), Error> {
        let input =
            GetLogEventsInput { log_group_name: Some("g".into()), log_stream_name: Some(stream.into()), ..input };
        let output = self.service.get_log_events(&caller(), input).await?;
        let messages = output.events.unwrap().into_iter().map(|event| event.message.unwrap()).collect();
        Ok((messages, output.next_forward_token.unwrap(), output.next_backward_token.unwrap()))
    }

    /// Messages of `g` and the token of the next page.
    pub(crate) async fn filter(&self, input: FilterLogEventsInput) -> Result<(Vec<String>, Option<String>), Error> {
        let input = FilterLogEventsInput { log_group_name: Some("g".into()), ..input };
        let output = self.service.filter_log_events(&caller(), input).await?;
        let messages = output.events.unwrap().into_iter().map(|event| event.message.unwrap()).collect();
        Ok((messages, output.next_token))
    }
}

pub(crate) fn caller() -> Caller {
    Caller::root(&Scope::new("111111111111", "eu-west-1"), "test")
}
