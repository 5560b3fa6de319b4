//! A target: one host within one deployment.

use crate::rules::command::CommandId;
use crate::rules::deadlines::Deadlines;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::lifecycle::{self, EventStatus, IN_PLACE, Next};
use crate::rules::wave::{Host, Progress, Standing};
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Deployment, OnPremisesInstance, revision_id, sort_key};

/// One lifecycle event of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleEvent {
    /// For example `Install`.
    pub name: String,
    /// Where it is.
    pub status: EventStatus,
    /// When it was handed out.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What the host said of its end.
    pub diagnostics: Option<Diagnostics>,
}

impl LifecycleEvent {
    fn pending(name: &str) -> Self {
        Self { name: name.to_owned(), status: EventStatus::Pending, started: None, ended: None, diagnostics: None }
    }

    /// Ends the event.
    pub fn end(&mut self, status: EventStatus, now: Timestamp, diagnostics: Diagnostics) {
        self.status = status;
        self.ended = Some(now);
        self.diagnostics = Some(diagnostics);
    }
}

/// The command that a host is to run or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The position of its event.
    pub event: usize,
    /// Since when it waits.
    pub queued: Timestamp,
    /// Until when the host that last got it may acknowledge it; later it is given out again.
    pub leased_until: Option<Timestamp>,
    /// When the host took it over.
    pub acknowledged: Option<Timestamp>,
}

impl Command {
    /// When the host has had enough time.
    pub fn deadline(&self, deadlines: &Deadlines) -> Timestamp {
        match self.acknowledged {
            Some(acknowledged) => acknowledged + deadlines.event,
            None => self.queued + deadlines.take_up,
        }
    }

    /// Until when it is given to no other poll. Whether the answer of a server that died arrived, nobody knows: who got it
    /// says so soon after `opened`, the start of this one.
    pub fn leased_until(&self, opened: Timestamp, deadlines: &Deadlines) -> Option<Timestamp> {
        let until = self.leased_until?;
        let of_a_server_before = until < opened + deadlines.lease;
        Some(if of_a_server_before { until.min(opened + deadlines.answer_lost) } else { until })
    }
}

/// One host within one deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentTarget {
    /// The deployment's id.
    pub deployment: String,
    /// The instance's name.
    pub id: String,
    /// The instance's ARN.
    pub arn: String,
    /// Who its agent signs as.
    pub identity: String,
    /// The application's name.
    pub application: String,
    /// The group's name.
    pub group: String,
    /// The group's id.
    pub group_id: String,
    /// Names the revision that is deployed.
    pub revision_id: String,
    /// What was known of the host before.
    pub standing: Standing,
    /// Where it is.
    pub progress: Progress,
    /// When that last changed.
    pub updated: Timestamp,
    /// When the deployment chose it.
    pub chosen: Timestamp,
    /// Its events, in order.
    pub events: Vec<LifecycleEvent>,
    /// What the host is to do now.
    pub command: Option<Command>,
    /// Whether the deployment went on without it: no further event is begun.
    pub stopping: bool,
    /// Whether a failing ApplicationStop is ignored.
    pub ignore_application_stop_failures: bool,
    /// When it is looked at next.
    pub due: Option<Timestamp>,
}

impl DeploymentTarget {
    /// The target that `instance` becomes in `deployment`.
    pub fn new(deployment: &Deployment, instance: &OnPremisesInstance, standing: Standing, now: Timestamp) -> Self {
        Self {
            deployment: deployment.id.clone(),
            id: instance.name.clone(),
            arn: instance.arn.clone(),
            identity: instance.identity.arn().to_owned(),
            application: deployment.application.clone(),
            group: deployment.group.clone(),
            group_id: deployment.group_id.clone(),
            revision_id: revision_id(&deployment.revision),
            standing,
            progress: Progress::Pending,
            updated: now,
            chosen: now,
            events: IN_PLACE.iter().map(|name| LifecycleEvent::pending(name)).collect(),
            command: None,
            stopping: false,
            ignore_application_stop_failures: deployment.ignore_application_stop_failures,
            due: None,
        }
    }

    /// The key of a deployment's target.
    pub fn key_of(deployment: &str, id: &str) -> String {
        format!("{deployment}/{id}")
    }

    /// As the wave rule sees it.
    pub fn host(&self) -> Host {
        Host { id: self.id.clone(), standing: self.standing, progress: self.progress }
    }

    /// The wire name of its current command.
    pub fn command_id(&self, event: usize) -> CommandId {
        CommandId { deployment: self.deployment.clone(), target: self.id.clone(), event }
    }

    /// Moves on to what follows from the state of the events: the next command, or the end.
    pub fn advance(&mut self, now: Timestamp, deadlines: &Deadlines) {
        let events: Vec<(&str, EventStatus)> =
            self.events.iter().map(|event| (event.name.as_str(), event.status)).collect();
        self.updated = now;
        match lifecycle::next(&events, self.ignore_application_stop_failures, self.stopping) {
            Next::Run(position) => self.queue(position, now),
            Next::Await => {}
            Next::Succeeded => self.end(Progress::Succeeded),
            Next::Failed => self.end(Progress::Failed),
            Next::Skipped => self.end(Progress::Skipped),
        }
        // An ended target is due once more, to tell its deployment.
        self.due = Some(self.command.as_ref().map_or(now, |command| command.deadline(deadlines)));
    }

    fn queue(&mut self, position: usize, now: Timestamp) {
        self.progress = Progress::InProgress;
        self.events[position].status = EventStatus::InProgress;
        self.events[position].started = Some(now);
        self.command = Some(Command { event: position, queued: now, leased_until: None, acknowledged: None });
    }

    /// Ends the target: events not begun are skipped.
    fn end(&mut self, progress: Progress) {
        self.progress = progress;
        self.command = None;
        for event in self.events.iter_mut().filter(|event| event.status == EventStatus::Pending) {
            event.status = EventStatus::Skipped;
        }
    }

    /// Ends the running event and moves on.
    pub fn end_event(&mut self, status: EventStatus, diagnostics: Diagnostics, now: Timestamp, deadlines: &Deadlines) {
        if let Some(command) = self.command.take() {
            self.events[command.event].end(status, now, diagnostics);
        }
        self.advance(now, deadlines);
    }

    /// Takes the running command over for the host. Again is the same as once.
    pub fn acknowledge(&mut self, now: Timestamp, deadlines: &Deadlines) {
        if let Some(command) = &mut self.command {
            command.acknowledged.get_or_insert(now);
            self.due = Some(command.deadline(deadlines));
        }
    }

    /// Begins no further event: a command that no host took over is withdrawn, one that runs is awaited.
    pub fn stop(&mut self, now: Timestamp, deadlines: &Deadlines) {
        self.stopping = true;
        if let Some(command) = self.command.take_if(|command| command.acknowledged.is_none()) {
            let diagnostics = Diagnostics::by_server(
                "UnknownError",
                "The deployment was stopped before the host took up this event.",
            );
            self.events[command.event].end(EventStatus::Skipped, now, diagnostics);
        }
        self.advance(now, deadlines);
    }

    /// Whether its host is running an event.
    pub fn runs(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.acknowledged.is_some())
    }

    /// Whether nothing more will happen to it.
    pub fn ended(&self) -> bool {
        matches!(self.progress, Progress::Succeeded | Progress::Failed | Progress::Skipped)
    }
}

impl Document for DeploymentTarget {
    const KIND: &'static str = "codedeploy.target";

    fn key(&self) -> String {
        Self::key_of(&self.deployment, &self.id)
    }

    fn indexes(&self) -> Vec<Index> {
        let of_instance = format!("{}/{}", self.group_id, self.id);
        let mut indexes = vec![Index::new("instance", of_instance).sorted(sort_key(self.chosen))];
        if !self.ended() {
            indexes.push(Index::new("active", &self.identity));
        }
        if let Some(command) = self.command.as_ref().filter(|command| command.acknowledged.is_none()) {
            indexes.push(Index::new("queue", &self.identity).sorted(sort_key(command.queued)));
        }
        indexes
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const DEADLINES: fn() -> Deadlines = Deadlines::default;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn target() -> DeploymentTarget {
        DeploymentTarget {
            deployment: "d-1".to_owned(),
            id: "web-1".to_owned(),
            arn: "arn".to_owned(),
            identity: "user".to_owned(),
            application: "app".to_owned(),
            group: "group".to_owned(),
            group_id: "g".to_owned(),
            revision_id: "r".to_owned(),
            standing: Standing::Unhealthy,
            progress: Progress::Pending,
            updated: at(0),
            chosen: at(0),
            events: IN_PLACE.iter().map(|name| LifecycleEvent::pending(name)).collect(),
            command: None,
            stopping: false,
            ignore_application_stop_failures: false,
            due: None,
        }
    }

    fn indexed(target: &DeploymentTarget, name: &str) -> bool {
        target.indexes().iter().any(|index| format!("{index:?}").contains(&format!("name: \"{name}\"")))
    }

    #[test]
    fn a_target_hands_out_one_command_after_the_other_and_ends() {
        let mut target = target();
        target.advance(at(1), &DEADLINES());
        for position in 0..IN_PLACE.len() {
            assert_eq!(target.progress, Progress::InProgress);
            assert_eq!(target.command.as_ref().unwrap().event, position);
            target.end_event(EventStatus::Succeeded, Diagnostics::default(), at(2), &DEADLINES());
        }
        assert_eq!((target.progress, target.command.is_none(), target.due), (Progress::Succeeded, true, Some(at(2))));
        assert!(!indexed(&target, "queue") && !indexed(&target, "active"));
    }

    #[test]
    fn a_failed_event_skips_the_rest() {
        let mut target = target();
        target.advance(at(1), &DEADLINES());
        target.end_event(EventStatus::Failed, Diagnostics::default(), at(2), &DEADLINES());
        assert_eq!(target.progress, Progress::Failed);
        assert!(target.events[1..].iter().all(|event| event.status == EventStatus::Skipped));
    }

    #[test]
    fn a_command_waits_in_the_queue_until_it_is_acknowledged_and_has_two_deadlines() {
        let mut target = target();
        target.advance(at(1), &DEADLINES());
        assert!(indexed(&target, "queue"));
        assert_eq!(target.due, Some(at(1) + DEADLINES().take_up));
        target.acknowledge(at(5), &DEADLINES());
        target.acknowledge(at(9), &DEADLINES());
        assert!(!indexed(&target, "queue") && indexed(&target, "active"));
        assert_eq!(target.due, Some(at(5) + DEADLINES().event));
    }

    #[test]
    fn a_command_whose_answer_may_have_died_with_the_server_is_given_out_again_soon() {
        let mut command = Command { event: 0, queued: at(0), leased_until: None, acknowledged: None };
        assert_eq!(command.leased_until(at(0), &DEADLINES()), None);
        command.leased_until = Some(at(100));
        for (opened, until) in [(at(10), at(100)), (at(40), at(100)), (at(41), at(46)), (at(98), at(100))] {
            assert_eq!(command.leased_until(opened, &DEADLINES()), Some(until), "{opened}");
        }
    }

    #[test]
    fn stopping_withdraws_a_waiting_command_and_awaits_a_running_one() {
        let mut waiting = target();
        waiting.advance(at(1), &DEADLINES());
        waiting.stop(at(2), &DEADLINES());
        assert_eq!((waiting.progress, waiting.events[0].status), (Progress::Skipped, EventStatus::Skipped));

        let mut running = target();
        running.advance(at(1), &DEADLINES());
        running.acknowledge(at(1), &DEADLINES());
        running.stop(at(2), &DEADLINES());
        assert_eq!(running.progress, Progress::InProgress);
        running.end_event(EventStatus::Succeeded, Diagnostics::default(), at(3), &DEADLINES());
        assert_eq!((running.progress, running.events[1].status), (Progress::Skipped, EventStatus::Skipped));
    }

    #[test]
    fn a_target_whose_host_reports_at_length_fits_a_document() {
        let mut target = target();
        let text = "\"".repeat(9_000);
        let report =
            serde_json::json!({"error_code": 4, "script_name": text, "message": text, "log": text}).to_string();
        for (position, event) in target.events.iter_mut().enumerate() {
            // A failed ApplicationStop that is ignored, and the last event failed.
            let failed = position == 0 || position == 6;
            let status = if failed { EventStatus::Failed } else { EventStatus::Succeeded };
            event.end(status, at(1), Diagnostics::of_host(&report, !failed));
        }
        assert!(serde_json::to_string(&target).unwrap().len() < kernel::store::LARGEST_DOCUMENT);
    }
}
