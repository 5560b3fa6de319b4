//! Changes of sources start pipelines: once per event, since the new execution and the consumer's cursor are one commit.

use std::sync::Arc;

use kernel::{Batch, BlobError, CommitError, Delivered, Event, Page, Scope, Stop, StoreError, Stored, Subscription};

use super::flow::ATTEMPTS;
use super::start::{Start, is_news};
use super::transition::Transition;
use crate::error::Failed;
use crate::model::{Pipeline, Trigger};
use crate::rules::sources::changed_source;
use crate::service::Service;

/// How many events are read at once.
const EVENTS: usize = 100;

/// Starts pipelines by the events of `source` until `stop`.
pub(super) async fn listen(service: Arc<Service>, source: &'static str, stop: Stop) {
    while !stop.is_stopped() {
        let listening = async {
            let name = format!("codepipeline.sources.{source}");
            let subscription = service.documents.bus().subscribe_from_start(&name).await?;
            service.follow(subscription.only(source)).await
        };
        tokio::select! {
            () = stop.stopped() => return,
            ended = listening => {
                if let Err(error) = ended {
                    tracing::error!(%error, source, "cannot start pipelines by events; trying again");
                }
            }
        }
        tokio::select! {
            () = stop.stopped() => return,
            () = service.clock.sleep_until(service.clock.now() + super::wakes::PAUSE) => {}
        }
    }
}

impl Service {
    async fn follow(&self, mut subscription: Subscription) -> Result<(), Failed> {
        loop {
            let events = subscription.next_batch(EVENTS).await?;
            let mut behind = None;
            for delivered in &events {
                let acted = self.on_source_event(delivered).await?;
                behind = if acted { None } else { Some(&delivered.cursor) };
            }
            // Events that started nothing are passed over together.
            if let Some(cursor) = behind {
                subscription.acknowledge(cursor).await?;
            }
        }
    }

    /// Starts all pipelines that watch what changed; says whether the cursor was moved with it.
    async fn on_source_event(&self, delivered: &Delivered) -> Result<bool, Failed> {
        let event = &delivered.event;
        let Some(place) = changed_source(&event.source, &event.detail_type, &event.detail) else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            let Some(batch) = self.starts(delivered, &place.0).await? else { return Ok(false) };
            kernel::crash_point!("codepipeline_before_triggered_start");
            match self.documents.commit(batch.advance(&delivered.cursor)).await {
                Ok(()) => {
                    kernel::crash_point!("codepipeline_after_triggered_start");
                    return Ok(true);
                }
                // The cursor is behind this event: it was done before.
                Err(CommitError::Conflict { kind, .. }) if kind == "consumer" => return Ok(true),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The executions that an event starts, as one batch; nothing if it starts none.
    async fn starts(&self, delivered: &Delivered, place: &str) -> Result<Option<Batch>, Failed> {
        let event = &delivered.event;
        let scope = event.scope();
        let watching = self.documents.find::<Pipeline>(&scope, Pipeline::WATCHES, place, Page::default()).await?;
        let mut batch = Batch::new(&scope);
        let mut any = false;
        for pipeline in watching.into_iter().filter(|pipeline| is_news(event.time, pipeline.created)) {
            let name = pipeline.name.clone();
            match self.started_by(&scope, pipeline, event).await {
                Ok(transition) => {
                    batch = transition.add_to(batch, Vec::new());
                    any = true;
                }
                Err(fault) if is_ours_and_passes(&fault) => return Err(fault),
                // What is wrong with one pipeline must not keep the others waiting.
                Err(refusal) => {
                    tracing::warn!(pipeline = name, %refusal, "a change of its source started nothing");
                }
            }
        }
        Ok(any.then_some(batch))
    }
    async fn started_by(&self, scope: &Scope, pipeline: Stored<Pipeline>, event: &Event) -> Result<Transition, Failed> {
        let mut transition = self.transition(scope, pipeline).await?;
        let detail = event.resources.first().cloned().unwrap_or_default();
        let trigger = Trigger { kind: "PollForSourceChanges".to_owned(), detail };
        self.start(&mut transition, Start { trigger, ..Start::default() }).await?;
        Ok(transition)
    }
}

/// Whether the event can be tried again later: a disk that is full may have room then, but what is lost or damaged of
/// one pipeline stays so.
fn is_ours_and_passes(fault: &Failed) -> bool {
    matches!(
        fault,
        Failed::Store(StoreError::Database(_) | StoreError::Closed) | Failed::Blob(BlobError::Io(_)) | Failed::Busy
    )
}
