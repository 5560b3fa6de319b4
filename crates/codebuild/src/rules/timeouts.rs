//! When a build's time is over.

use std::time::Duration;

use kernel::Timestamp;

use crate::model::{Build, PhaseType, Status};

/// The time at which the build's present phase ends as TIMED_OUT: the queued timeout counts from its acceptance, the
/// build timeout from the end of QUEUED. FINALIZING and COMPLETED have no end set. `carried` is [`kernel::Clock::carried`].
#[must_use]
pub fn deadline(build: &Build, carried: impl Fn(Timestamp) -> Timestamp) -> Option<Timestamp> {
    let minutes = |minutes: i32| Duration::from_secs(60 * u64::try_from(minutes).unwrap_or(0));
    match build.life.current() {
        PhaseType::Submitted | PhaseType::Queued => {
            let queued = build.life.began(PhaseType::Queued).unwrap_or_default();
            Some(carried(queued) + minutes(build.plan.queued_timeout_in_minutes))
        }
        PhaseType::Finalizing | PhaseType::Completed => None,
        _ => {
            let provisioned = build.life.began(PhaseType::Provisioning).unwrap_or_default();
            Some(carried(provisioned) + minutes(build.plan.timeout_in_minutes))
        }
    }
}

/// How the present phase must end now whatever comes of it: STOPPED by StopBuild, TIMED_OUT at its deadline. Nothing
/// while it may go on, and in FINALIZING, which always has to come to its end.
#[must_use]
pub fn overdue(build: &Build, now: Timestamp, carried: impl Fn(Timestamp) -> Timestamp) -> Option<Status> {
    if build.life.current() >= PhaseType::Finalizing {
        None
    } else if build.stop_requested {
        Some(Status::Stopped)
    } else {
        deadline(build, carried).filter(|deadline| *deadline <= now).map(|_| Status::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Context;
    use crate::model::build::tests::build;

    /// A clock that nobody has set.
    fn as_read(read: Timestamp) -> Timestamp {
        read
    }

    #[test]
    fn each_phase_has_its_deadline() {
        let at = Timestamp::from_seconds;
        let mut build = build(100);
        build.plan.queued_timeout_in_minutes = 5;
        build.plan.timeout_in_minutes = 10;
        assert_eq!(deadline(&build, as_read), Some(at(100 + 300)));
        build.life.advance(Status::Succeeded, Context::default(), at(200));
        assert_eq!(deadline(&build, as_read), Some(at(200 + 600)));
        assert_eq!(deadline(&build, |read| read + Duration::from_secs(1_000)), Some(at(1_200 + 600)));
        build.life.advance(Status::Succeeded, Context::default(), at(210));
        assert_eq!(deadline(&build, as_read), Some(at(200 + 600)));
        build.life.advance(Status::Failed, Context::default(), at(220));
        assert_eq!((build.life.current(), deadline(&build, as_read)), (PhaseType::Finalizing, None));
    }

    #[test]
    fn a_build_must_end_when_it_is_stopped_or_out_of_time_but_always_finalizes() {
        let at = Timestamp::from_seconds;
        let mut build = build(100);
        build.plan.queued_timeout_in_minutes = 5;
        assert_eq!(overdue(&build, at(399), as_read), None);
        assert_eq!(overdue(&build, at(400), as_read), Some(Status::TimedOut));
        build.stop_requested = true;
        assert_eq!(overdue(&build, at(100), as_read), Some(Status::Stopped));
        build.life.advance(Status::Succeeded, Context::default(), at(200));
        build.life.advance(Status::Failed, Context::default(), at(210));
        assert_eq!(overdue(&build, at(100_000), as_read), None);
    }
}
