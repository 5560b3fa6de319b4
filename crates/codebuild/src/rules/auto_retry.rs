//! Whether a build that failed is tried again.
//!
//! Source: CodeBuild user guide, "Retry a build automatically" (`autoRetryLimit`) and "phases/on-failure"
//! (`RETRY`): the whole build again, up to so many further times. Builds that a pipeline started are the pipeline's.

use regex::RegexBuilder;

use crate::model::{Build, Phase, Status};
use crate::rules::buildspec::{Buildspec, OnFailure, PhaseName};

/// The largest compiled expression of an `on-failure`, in bytes.
const LARGEST_PATTERN: usize = 64 * 1024;

/// Whether the build, which is about to be complete, could be followed by another try: its buildspec decides.
#[must_use]
pub fn is_possible(build: &Build) -> bool {
    let failed = matches!(build.life.verdict, Some(Status::Failed | Status::Fault));
    failed && build.pipeline.is_none() && !build.stop_requested
}

/// Whether it is followed by another try. `buildspec` is the one that ran, if it came that far.
#[must_use]
pub fn is_due(build: &Build, buildspec: Option<&Buildspec>) -> bool {
    if !is_possible(build) {
        return false;
    }
    let of_project = build.plan.auto_retry_limit.unwrap_or_default();
    let of_phase = buildspec.map_or(0, |buildspec| of_failed_phase(build, buildspec));
    build.tries.number < of_project.max(of_phase)
}

/// How often the first phase that failed asks for another try.
fn of_failed_phase(build: &Build, buildspec: &Buildspec) -> i32 {
    let failed = |phase: &&Phase| phase.phase.is_command_phase() && phase.status == Some(Status::Failed);
    let Some(phase) = build.life.phases.iter().find(failed) else { return 0 };
    let name = PhaseName::ALL.into_iter().find(|name| name.key().eq_ignore_ascii_case(phase.phase.as_str()));
    let spec = buildspec.phases.iter().find(|spec| Some(spec.name) == name);
    match spec.and_then(|spec| spec.on_failure.as_ref()) {
        Some(OnFailure::Retry { times, pattern }) if matches(pattern, phase) => i32::from(*times),
        _ => 0,
    }
}

/// An expression that is none matches nothing.
fn matches(pattern: &str, phase: &Phase) -> bool {
    let message = phase.context.as_ref().map_or("", |context| context.message.as_str());
    let expression = RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build();
    expression.is_ok_and(|expression| expression.is_match(message))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kernel::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::build::tests::build;
    use crate::model::{Context, PhaseType};

    /// A build whose BUILD phase ended with this state and message.
    fn ended(status: Status, message: &str) -> Build {
        let (mut build, now) = (build(1), Timestamp::from_seconds(2));
        for _ in 0..2 {
            build.life.advance(Status::Succeeded, Context::default(), now);
        }
        build.life.end(Status::Succeeded, Context::default(), now);
        build.life.begin(PhaseType::Build, now);
        build.life.end(status, Context::new("COMMAND_EXECUTION_ERROR", message), now);
        build.life.begin(PhaseType::Finalizing, now);
        build
    }

    fn spec(on_failure: &str) -> Buildspec {
        let text = format!("version: 0.2\nphases:\n  build: {{commands: [x], on-failure: {on_failure}}}\n");
        Buildspec::parse(&text).unwrap()
    }

    #[test]
    fn on_failure_retry_looks_at_the_message_and_counts() {
        for (on_failure, tries, due) in [
            ("RETRY", 0, true),
            ("RETRY", 2, true),
            ("RETRY", 3, false),
            ("RETRY-1", 1, false),
            ("RETRY-0", 0, false),
            ("'RETRY-exit status 7'", 0, true),
            ("'retry-5-exit status [78]$'", 4, true),
            ("RETRY-timeout", 0, false),
            ("'RETRY-2-(unclosed'", 0, false),
            ("ABORT", 0, false),
            ("CONTINUE", 0, false),
        ] {
            let mut build = ended(Status::Failed, "Error while executing command: x. Reason: exit status 7");
            build.tries.number = tries;
            assert_eq!(is_due(&build, Some(&spec(on_failure))), due, "{on_failure} after {tries}");
        }
    }

    #[test]
    fn the_project_s_limit_counts_for_every_failure_and_the_larger_one_wins() {
        let mut build = ended(Status::Failed, "");
        assert!(!is_due(&build, None));
        build.plan.auto_retry_limit = Some(2);
        assert!(is_due(&build, None) && is_due(&build, Some(&spec("ABORT"))));
        build.tries.number = 2;
        assert!(!is_due(&build, None) && is_due(&build, Some(&spec("RETRY-3"))));
    }

    #[test]
    fn what_succeeded_or_was_stopped_or_is_a_pipeline_s_is_not_tried_again() {
        let retried = |status| {
            let mut build = ended(status, "");
            build.plan.auto_retry_limit = Some(5);
            build
        };
        let results =
            [Status::Succeeded, Status::Stopped, Status::TimedOut].map(|status| is_due(&retried(status), None));
        assert_eq!(results, [false; 3]);
        assert!(is_due(&retried(Status::Fault), None));
        let mut build = retried(Status::Failed);
        build.stop_requested = true;
        assert!(!is_due(&build, None));
        build.stop_requested = false;
        build.pipeline = Some(Default::default());
        assert!(!is_due(&build, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn however_it_is_set_the_tries_come_to_an_end(limit in 0..=10i32, times in 0..=100u8) {
            let mut build = ended(Status::Failed, "x");
            build.plan.auto_retry_limit = Some(limit);
            let spec = spec(&format!("RETRY-{times}"));
            let mut tries = 0;
            while is_due(&build, Some(&spec)) {
                build.tries.number += 1;
                tries += 1;
            }
            prop_assert_eq!(tries, limit.max(i32::from(times)));
        }
    }
}
