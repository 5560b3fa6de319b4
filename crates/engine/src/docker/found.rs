//! What there is of a container: the record's word and the daemon's, put together.

use bollard::models::{ContainerState, ContainerStateStatusEnum as Status};

use super::Docker;
use super::records::Record;
use crate::blocking::blocking;
use crate::{Ending, EngineError, Exit};

/// What there is of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Its program never ran: its making or starting was interrupted.
    HalfMade,
    Running,
    /// It was started, but the daemon knows nothing of its end.
    Lost,
    Ended(Exit),
}

impl Docker {
    /// Looks at a container. An end that the daemon tells is kept.
    pub(super) async fn look(&self, id: &str) -> Result<(Record, Found), EngineError> {
        let record = self.0.records.record(id)?;
        if !self.knows(id).await? {
            return Ok((record, Found::Nothing));
        }
        if let Some(exit) = record.exit()? {
            return Ok((record, Found::Ended(exit)));
        }
        let state = self.0.daemon.state(&self.0.records.name(id)).await?;
        let found = judge(record.was_launched(), state.as_ref());
        if let Found::Ended(exit) = found {
            let record = record.clone();
            blocking(move || record.write_exit(&exit)).await?;
        }
        Ok((record, found))
    }
}

/// Of a container that was made here.
fn judge(launched: bool, state: Option<&ContainerState>) -> Found {
    let Some(state) = state else {
        return if launched { Found::Lost } else { Found::HalfMade };
    };
    match state.status {
        Some(Status::CREATED) if !was_started(state) => Found::HalfMade,
        // As Podman has it after the machine was restarted; or it is being removed by somebody else.
        Some(Status::CREATED | Status::REMOVING) => Found::Lost,
        Some(Status::EXITED | Status::DEAD) => Found::Ended(exit(state)),
        Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::STOPPING) => Found::Running,
        Some(Status::EMPTY) | None if state.running == Some(true) => Found::Running,
        Some(Status::EMPTY) | None => Found::Ended(exit(state)),
    }
}

/// One that never was has Go's zero time there.
fn was_started(state: &ContainerState) -> bool {
    state.started_at.as_deref().is_some_and(|time| !time.is_empty() && !time.starts_with("0001-"))
}

/// The daemon tells a death by signal as shells do, by 128 and its number.
fn exit(state: &ContainerState) -> Exit {
    let ending = match state.exit_code.and_then(|code| i32::try_from(code).ok()) {
        Some(code @ 129..=192) => Ending::Signal(code - 128),
        Some(code @ 0..=255) => Ending::Code(code),
        _ => Ending::Vanished,
    };
    Exit { ending, oom: state.oom_killed == Some(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: Status, code: i64) -> ContainerState {
        ContainerState { status: Some(status), exit_code: Some(code), ..ContainerState::default() }
    }

    #[test]
    fn what_was_never_started_is_half_made() {
        assert_eq!(judge(false, None), Found::HalfMade);
        let zero = Some("0001-01-01T00:00:00Z".to_owned());
        let made = ContainerState { started_at: zero, ..state(Status::CREATED, 0) };
        assert_eq!(judge(true, Some(&made)), Found::HalfMade);
    }

    #[test]
    fn an_end_that_the_daemon_does_not_know_is_a_loss() {
        assert_eq!(judge(true, None), Found::Lost);
        let started = Some("2026-11-01T00:00:00Z".to_owned());
        let forgotten = ContainerState { started_at: started, ..state(Status::CREATED, 0) };
        assert_eq!(judge(true, Some(&forgotten)), Found::Lost);
        assert_eq!(judge(true, Some(&state(Status::RUNNING, 0))), Found::Running);
    }

    #[test]
    fn reads_ends_as_the_daemon_tells_them() {
        for (code, ending) in [
            (0, Ending::Code(0)),
            (3, Ending::Code(3)),
            (128, Ending::Code(128)),
            (137, Ending::Signal(9)),
            (143, Ending::Signal(15)),
            (255, Ending::Code(255)),
            (-1, Ending::Vanished),
        ] {
            assert_eq!(judge(true, Some(&state(Status::EXITED, code))), Found::Ended(Exit { ending, oom: false }));
        }
        let oom = ContainerState { oom_killed: Some(true), ..state(Status::EXITED, 137) };
        assert!(matches!(judge(true, Some(&oom)), Found::Ended(Exit { oom: true, .. })));
    }
}
