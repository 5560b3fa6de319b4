//! What a phase's result means: pure functions. Source: "Build phase transitions" and `on-failure` of the
//! CodeBuild User Guide.

use crate::protocol::{Context, OnFailure, Phase, PhaseStatus, StopReason};

/// Whether the next phase runs after this one failed.
pub(super) fn goes_on_after_failure(phase: Phase, on_failure: OnFailure) -> bool {
    match on_failure {
        // POST_BUILD still runs after a failed BUILD; nothing does after INSTALL or PRE_BUILD.
        OnFailure::Standard => phase == Phase::Build,
        OnFailure::Abort => false,
        OnFailure::Continue => true,
    }
}

/// The context of a phase whose command failed.
pub(super) fn failed_command(command: &str, exit_code: i32) -> Context {
    let message = format!("Error while executing command: {command}. Reason: exit status {exit_code}");
    Context::new("COMMAND_EXECUTION_ERROR", message)
}

/// Status and context of a phase that was interrupted.
pub(super) fn interrupted(reason: StopReason) -> (PhaseStatus, Context) {
    match reason {
        StopReason::Stopped => (PhaseStatus::Stopped, Context::default()),
        // The space at the end is AWS's.
        StopReason::TimedOut => (PhaseStatus::TimedOut, Context::new("BUILD_TIMED_OUT", "Build has timed out. ")),
    }
}

/// The status of all phases together: the first one that is not a success.
pub(super) fn overall(so_far: PhaseStatus, next: PhaseStatus) -> PhaseStatus {
    if so_far == PhaseStatus::Succeeded { next } else { so_far }
}

/// `text` as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_build_goes_on_by_itself() {
        use OnFailure::{Abort, Continue, Standard};
        for phase in Phase::ALL {
            assert_eq!(goes_on_after_failure(phase, Standard), phase == Phase::Build);
            assert!(!goes_on_after_failure(phase, Abort));
            assert!(goes_on_after_failure(phase, Continue));
        }
    }

    #[test]
    fn texts_are_those_of_aws() {
        let context = failed_command("exit 3", 3);
        assert_eq!(context.message, "Error while executing command: exit 3. Reason: exit status 3");
        assert_eq!(interrupted(StopReason::TimedOut).1.message, "Build has timed out. ");
    }

    #[test]
    fn the_first_failure_decides() {
        use PhaseStatus::{Failed, Stopped, Succeeded};
        assert_eq!(overall(Succeeded, Succeeded), Succeeded);
        assert_eq!(overall(Succeeded, Failed), Failed);
        assert_eq!(overall(Failed, Succeeded), Failed);
        assert_eq!(overall(Failed, Stopped), Failed);
    }

    #[test]
    fn quotes_survive_quoting() {
        assert_eq!(quoted("echo 'a b'"), r"'echo '\''a b'\'''");
    }
}
