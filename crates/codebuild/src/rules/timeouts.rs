//! When a build's time is over.

use std::time::Duration;

use kernel::Timestamp;

use crate::model::{Build, PhaseType, Status};

/// The time at which the build's present phase ends as TIMED_OUT: the queued timeout counts from its acceptance, the
/// build timeout from the end of QUEUED. FINALIZING and COMPLETED have no end set.
#[must_use]
pub fn deadline(build: &Build) -> Option<Timestamp> {
    let minutes = |minutes: i32| Duration::from_secs(60 * u64::try_from(minutes).unwrap_or(0));
    match build.life.current() {
        PhaseType::Submitted | PhaseType::Queued => {
            let queued = build.life.began(PhaseType::Queued).unwrap_or_default();
            Some(queued + minutes(build.plan.queued_timeout_in_minutes))
        }
        PhaseType::Finalizing | PhaseType::Completed => None,
        _ => {
            let provisioned = build.life.began(PhaseType::Provisioning).unwrap_or_default();
            Some(provisioned + minutes(build.plan.timeout_in_minutes))
        }
    }
}

/// How the present phase must end now whatever comes of it: STOPPED by StopBuild, TIMED_OUT at its deadline. Nothing
/// while it may go on, and in FINALIZING, which always has to come to its end.
#[must_use]
pub fn overdue(build: &Build, now: Timestamp) -> Option<Status> {
    if build.life.current() >= PhaseType::Finalizing {
        None
    } else if build.stop_requested {
        Some(Status::Stopped)
    } else {
        deadline(build).filter(|deadline| *deadline <= now).map(|_| Status::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Context;
    use crate::model::build::tests::build;

    #[test]
    fn each_phase_has_its_deadline() {
        let at = Timestamp::from_seconds;
        let mut build = build(100);
        build.plan.queued_timeout_in_minutes = 5;
        build.plan.timeout_in_minutes = 10;
        assert_eq!(deadline(&build), Some(at(100 + 300)));
        build.life.advance(Status::Succeeded, Context::default(), at(200));
        assert_eq!(deadline(&build), Some(at(200 + 600)));
        build.life.advance(Status::Succeeded, Context::default(), at(210));
        assert_eq!(deadline(&build), Some(at(200 + 600)));
        build.life.advance(Status::Failed, Context::default(), at(220));
        assert_eq!((build.life.current(), deadline(&build)), (PhaseType::Finalizing, None));
    }

    #[test]
    fn a_build_must_end_when_it_is_stopped_or_out_of_time_but_always_finalizes() {
        let at = Timestamp::from_seconds;
        let mut build = build(100);
        build.plan.queued_timeout_in_minutes = 5;
        assert_eq!(overdue(&build, at(399)), None);
        assert_eq!(overdue(&build, at(400)), Some(Status::TimedOut));
        build.stop_requested = true;
        assert_eq!(overdue(&build, at(100)), Some(Status::Stopped));
        build.life.advance(Status::Succeeded, Context::default(), at(200));
        build.life.advance(Status::Failed, Context::default(), at(210));
        assert_eq!(overdue(&build, at(100_000)), None);
    }
}
