//! The order of lifecycle events on a host and what follows when one ends.
//!
//! Source: CodeDeploy user guide, "AppSpec hooks section for an EC2/On-Premises deployment". The
//! agent holds no order: the server sends one event at a time.

use serde::{Deserialize, Serialize};

/// The events of an in-place deployment without a load balancer, in order.
pub const IN_PLACE: [&str; 7] = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
];

/// Events that run scripts of the revision before; `ignoreApplicationStopFailures` lets the flow
/// go on after one of them failed.
const OF_THE_REVISION_BEFORE: [&str; 3] = ["ApplicationStop", "BeforeBlockTraffic", "AfterBlockTraffic"];

/// The state of one event on one host, under its name in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventStatus {
    /// Not begun.
    Pending,
    /// Handed to the host.
    InProgress,
    /// Ended well.
    Succeeded,
    /// Ended badly or timed out.
    Failed,
    /// Never run, because an event before it failed or the deployment was stopped.
    Skipped,
}

impl EventStatus {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

/// What a host does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Hand out the event at this position.
    Run(usize),
    /// An event is running.
    Await,
    /// All events ended well, or with failures that are ignored.
    Succeeded,
    /// An event failed: what is still pending is skipped.
    Failed,
    /// The deployment was stopped before the end: what is still pending is skipped.
    Skipped,
}

/// Whether the deployment goes on after `event` failed.
pub fn failure_is_ignored(event: &str, ignore_application_stop_failures: bool) -> bool {
    ignore_application_stop_failures && OF_THE_REVISION_BEFORE.contains(&event)
}

/// Decides what follows on a host from the state of its events, in their order.
///
/// `stopping` says that the deployment takes up no new event; one that runs is awaited.
pub fn next(events: &[(&str, EventStatus)], ignore_application_stop_failures: bool, stopping: bool) -> Next {
    for (position, (name, status)) in events.iter().enumerate() {
        match status {
            EventStatus::Succeeded => {}
            EventStatus::Failed if failure_is_ignored(name, ignore_application_stop_failures) => {}
            EventStatus::Failed => return Next::Failed,
            EventStatus::InProgress => return Next::Await,
            EventStatus::Pending if !stopping => return Next::Run(position),
            EventStatus::Pending | EventStatus::Skipped => return Next::Skipped,
        }
    }
    Next::Succeeded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events written as one letter each: `.` pending, `>` in progress, `+` succeeded, `x` failed, `-` skipped.
    fn events(letters: &str) -> Vec<(&'static str, EventStatus)> {
        let status = |letter| match letter {
            '.' => EventStatus::Pending,
            '>' => EventStatus::InProgress,
            '+' => EventStatus::Succeeded,
            'x' => EventStatus::Failed,
            _ => EventStatus::Skipped,
        };
        IN_PLACE.into_iter().zip(letters.chars().map(status)).collect()
    }

    #[test]
    fn events_run_in_order_until_one_fails() {
        for (letters, expected) in [
            (".......", Next::Run(0)),
            (">......", Next::Await),
            ("+......", Next::Run(1)),
            ("++++...", Next::Run(4)),
            ("++++++>", Next::Await),
            ("+++++++", Next::Succeeded),
            ("x......", Next::Failed),
            ("+++x---", Next::Failed),
        ] {
            assert_eq!(next(&events(letters), false, false), expected, "{letters}");
        }
    }

    #[test]
    fn only_failures_of_the_revision_before_can_be_ignored() {
        assert_eq!(next(&events("x......"), true, false), Next::Run(1));
        assert_eq!(next(&events("x++++++"), true, false), Next::Succeeded);
        assert_eq!(next(&events("++x----"), true, false), Next::Failed);
        assert!(!failure_is_ignored("ApplicationStart", true));
    }

    #[test]
    fn a_stopped_deployment_ends_a_host_after_its_running_event() {
        for (letters, expected) in [
            ("+>.....", Next::Await),
            ("++.....", Next::Skipped),
            ("+++++++", Next::Succeeded),
            ("+x.....", Next::Failed),
            ("++-----", Next::Skipped),
        ] {
            assert_eq!(next(&events(letters), false, true), expected, "{letters}");
        }
    }
}
