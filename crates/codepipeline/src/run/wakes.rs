//! Ends of builds and deployments wake the actions that wait for them. The event is only a hint: the action then looks for
//! itself, and it would have looked without the event, later.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Event, Page, Stop, Subscription};
use serde_json::Value;

use crate::error::Failed;
use crate::model::ActionExecution;
use crate::service::Service;

/// How many events are read at once.
const EVENTS: usize = 100;

/// How long a listener rests after the store failed it.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Wakes actions by the events of `source` until `stop`.
pub(super) async fn listen(service: Arc<Service>, source: &'static str, stop: Stop) {
    while !stop.is_stopped() {
        let listening = async {
            let name = format!("codepipeline.wakes.{source}");
            let subscription = service.documents.bus().subscribe_from_start(&name).await?;
            service.wake_by(subscription.only(source)).await
        };
        tokio::select! {
            () = stop.stopped() => return,
            ended = listening => {
                if let Err(error) = ended {
                    tracing::error!(%error, source, "cannot wake waiting actions by events; trying again");
                }
            }
        }
        tokio::select! {
            () = stop.stopped() => return,
            () = service.clock.sleep_until(service.clock.now() + PAUSE) => {}
        }
    }
}

impl Service {
    async fn wake_by(&self, mut subscription: Subscription) -> Result<(), Failed> {
        loop {
            let events = subscription.next_batch(EVENTS).await?;
            for delivered in &events {
                if let Some(id) = ended(&delivered.event) {
                    self.wake(&delivered.event, &id).await?;
                }
            }
            if let Some(last) = events.last() {
                subscription.acknowledge(&last.cursor).await?;
            }
        }
    }

    async fn wake(&self, event: &Event, external: &str) -> Result<(), Failed> {
        let scope = event.scope();
        let waiting = self
            .documents
            .find::<ActionExecution>(&scope, ActionExecution::EXTERNAL, external, Page::default())
            .await?;
        let now = self.clock.now();
        for action in waiting {
            let key = kernel::Document::key(&action.value);
            let wake = |action: &mut ActionExecution| {
                // One that has ended meanwhile sleeps on.
                action.due = action.due.map(|due| due.min(now));
            };
            self.documents.update::<ActionExecution>(&scope, &key, wake).await?;
        }
        Ok(())
    }
}

/// The id of the build or deployment whose state an event tells of.
fn ended(event: &Event) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match event.detail_type.as_str() {
        "CodeBuild Build State Change" => {
            let arn = text(&event.detail["build-id"])?;
            Some(arn.rsplit_once("build/").map_or(arn.clone(), |(_, id)| id.to_owned()))
        }
        "CodeDeploy Deployment State-change Notification" => text(&event.detail["deploymentId"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;
    use serde_json::json;

    use super::*;

    fn event(detail_type: &str, detail: Value) -> Event {
        Event {
            id: "1".into(),
            source: "aws.x".into(),
            detail_type: detail_type.into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            time: Timestamp::from_millis(0),
            resources: vec![],
            detail,
        }
    }

    #[test]
    fn events_name_what_is_waited_for() {
        let build = json!({"build-id": "arn:aws:codebuild:us-east-1:000000000000:build/app:1-2"});
        assert_eq!(ended(&event("CodeBuild Build State Change", build)).as_deref(), Some("app:1-2"));
        let deployment = json!({"deploymentId": "d-1"});
        assert_eq!(
            ended(&event("CodeDeploy Deployment State-change Notification", deployment)).as_deref(),
            Some("d-1")
        );
        assert_eq!(ended(&event("CodeBuild Build Phase Change", json!({}))), None);
    }
}
