//! The life of a build: which phase follows, and what a build's state is in the end.
//!
//! Source: the CodeBuild user guide, "Build phase transitions", and the phase list of `BatchGetBuilds`.

use kernel::Timestamp;

use crate::model::{Context, Phase, PhaseType, Status};

/// A build's phases and the first thing that went wrong.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Life {
    /// In the order in which they began. The last one runs, unless it is COMPLETED.
    pub phases: Vec<Phase>,
    /// The state that the build will end in, once it is not SUCCEEDED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Status>,
}

impl Life {
    /// A build that was accepted now and waits for its turn.
    #[must_use]
    pub fn submitted(now: Timestamp) -> Self {
        let mut life = Self { phases: vec![Phase::begun(PhaseType::Submitted, now)], verdict: None };
        life.end(Status::Succeeded, Context::default(), now);
        life.begin(PhaseType::Queued, now);
        life
    }

    /// The phase that runs; COMPLETED in the end.
    #[must_use]
    pub fn current(&self) -> PhaseType {
        self.phases.last().map_or(PhaseType::Submitted, |phase| phase.phase)
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.current() == PhaseType::Completed
    }

    /// The build's state: IN_PROGRESS until it is complete.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.is_complete() { self.verdict.unwrap_or(Status::Succeeded) } else { Status::InProgress }
    }

    /// What `CODEBUILD_BUILD_SUCCEEDING` says.
    #[must_use]
    pub fn is_succeeding(&self) -> bool {
        self.verdict.is_none()
    }

    /// When the phase began, if it did.
    #[must_use]
    pub fn began(&self, phase: PhaseType) -> Option<Timestamp> {
        self.phases.iter().find(|entry| entry.phase == phase).map(|entry| entry.start)
    }

    /// Begins a phase, which must come after all others; the running one must have ended.
    pub fn begin(&mut self, phase: PhaseType, now: Timestamp) {
        debug_assert!(self.phases.last().is_none_or(|last| last.phase < phase && last.status.is_some()));
        self.phases.push(Phase::begun(phase, now));
    }

    /// Ends the running phase. The first state that is not SUCCEEDED becomes the build's.
    pub fn end(&mut self, status: Status, context: Context, now: Timestamp) {
        if status != Status::Succeeded && self.verdict.is_none() {
            self.verdict = Some(status);
        }
        let Some(phase) = self.phases.last_mut() else { return };
        if phase.status.is_none() {
            phase.end = Some(now.max(phase.start));
        } else if status == Status::Succeeded || phase.status != Some(Status::Succeeded) {
            return;
        }
        // A build that ends between two phases: the last one tells why there is no other.
        phase.status = Some(status);
        phase.context = Some(context);
    }

    /// Ends the running phase and begins the next one that the server decides on.
    pub fn advance(&mut self, status: Status, context: Context, now: Timestamp) {
        let next = after(self.current(), status);
        self.end(status, context, now);
        self.begin(next, now);
    }

    /// What follows once no command phase runs any more: artifacts are attempted also of a build whose BUILD or
    /// POST_BUILD failed, but not where the build never came that far, was stopped or ran out of time.
    pub fn after_commands(&mut self, now: Timestamp) {
        let reached = self.began(PhaseType::Build).or(self.began(PhaseType::PostBuild)).is_some();
        let ended = matches!(self.verdict, None | Some(Status::Failed));
        let upload = ended && (reached || self.is_succeeding());
        self.begin(if upload { PhaseType::UploadArtifacts } else { PhaseType::Finalizing }, now);
    }
}

/// The phase after one that the server itself ends.
fn after(phase: PhaseType, status: Status) -> PhaseType {
    match (phase, status) {
        (PhaseType::Submitted, _) => PhaseType::Queued,
        (PhaseType::Queued, Status::Succeeded) => PhaseType::Provisioning,
        (PhaseType::Queued | PhaseType::Finalizing | PhaseType::Completed, _) => PhaseType::Completed,
        (PhaseType::Provisioning, Status::Succeeded) => PhaseType::DownloadSource,
        _ => PhaseType::Finalizing,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use PhaseType::*;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000 * seconds)
    }

    fn names(life: &Life) -> Vec<PhaseType> {
        life.phases.iter().map(|phase| phase.phase).collect()
    }

    #[test]
    fn an_end_between_two_phases_is_told_by_the_last_one() {
        let mut life = play(&[(Queued, Status::Succeeded), (Provisioning, Status::Succeeded)]);
        life.end(Status::Succeeded, Context::default(), at(8));
        life.advance(Status::Fault, Context::internal("died"), at(9));
        let download = &life.phases[3];
        assert_eq!((download.phase, download.status, download.end), (DownloadSource, Some(Status::Fault), Some(at(8))));
        assert_eq!(download.context, Some(Context::internal("died")));
        assert_eq!(life.current(), Finalizing);
    }

    /// A build whose phases end so: the golden table of the reference's §5.
    fn play(ends: &[(PhaseType, Status)]) -> Life {
        let mut life = Life::submitted(at(0));
        let context = || Context::new("CODE", "text");
        for (phase, status) in ends {
            match phase {
                Install | PreBuild | Build | PostBuild => {
                    if life.current() == DownloadSource {
                        life.end(Status::Succeeded, Context::default(), at(3));
                    }
                    life.begin(*phase, at(4));
                    life.end(*status, context(), at(5));
                }
                _ => {
                    if life.current().is_command_phase() {
                        life.after_commands(at(6));
                    }
                    assert_eq!(life.current(), *phase);
                    life.advance(*status, context(), at(7));
                }
            }
        }
        if life.current().is_command_phase() {
            life.after_commands(at(8));
        }
        life
    }

    #[test]
    fn a_build_that_succeeds() {
        let ok = Status::Succeeded;
        let phases = [Queued, Provisioning, Install, PreBuild, Build, PostBuild, UploadArtifacts, Finalizing];
        let life = play(&phases.map(|phase| (phase, ok)));
        assert_eq!(
            names(&life),
            [
                Submitted,
                Queued,
                Provisioning,
                DownloadSource,
                Install,
                PreBuild,
                Build,
                PostBuild,
                UploadArtifacts,
                Finalizing,
                Completed
            ]
        );
        assert_eq!((life.status(), life.phases[0].seconds(), life.phases.last().unwrap().status), (ok, Some(0), None));
    }

    #[test]
    fn what_follows_a_failure() {
        let (ok, failed) = (Status::Succeeded, Status::Failed);
        for (ends, current, verdict) in [
            (vec![(Queued, Status::TimedOut)], Completed, Status::TimedOut),
            (vec![(Queued, Status::Stopped)], Completed, Status::Stopped),
            (vec![(Queued, ok), (Provisioning, failed)], Finalizing, failed),
            (vec![(Queued, ok), (Provisioning, ok), (DownloadSource, failed)], Finalizing, failed),
            (vec![(Queued, ok), (Provisioning, ok), (Install, failed)], Finalizing, failed),
            (vec![(Queued, ok), (Provisioning, ok), (Install, ok), (PreBuild, failed)], Finalizing, failed),
            (vec![(Queued, ok), (Provisioning, ok), (Build, failed), (PostBuild, ok)], UploadArtifacts, failed),
            (vec![(Queued, ok), (Provisioning, ok), (Build, ok), (PostBuild, failed)], UploadArtifacts, failed),
            (vec![(Queued, ok), (Provisioning, ok), (Build, Status::TimedOut)], Finalizing, Status::TimedOut),
            (vec![(Queued, ok), (Provisioning, ok), (Build, Status::Stopped)], Finalizing, Status::Stopped),
            (vec![(Queued, ok), (Provisioning, ok), (Install, failed), (Build, ok)], UploadArtifacts, failed),
            (
                vec![(Queued, ok), (Provisioning, ok), (Build, failed), (UploadArtifacts, failed), (Finalizing, ok)],
                Completed,
                failed,
            ),
        ] {
            let life = play(&ends);
            assert_eq!((life.current(), life.verdict), (current, Some(verdict)), "{ends:?}");
        }
    }

    #[test]
    fn the_first_failure_is_the_builds_state() {
        let life = play(&[
            (Queued, Status::Succeeded),
            (Provisioning, Status::Succeeded),
            (Build, Status::Failed),
            (UploadArtifacts, Status::Fault),
            (Finalizing, Status::Succeeded),
        ]);
        assert_eq!(life.status(), Status::Failed);
    }

    #[test]
    fn times_never_run_backwards() {
        let mut life = Life::submitted(at(10));
        life.end(Status::Succeeded, Context::default(), at(3));
        assert_eq!(life.phases[1].seconds(), Some(0));
    }

    proptest! {
        #[test]
        fn phases_only_go_forward(ends in prop::collection::vec(0usize..6, 0..12)) {
            let mut life = Life::submitted(at(0));
            let statuses = [Status::Succeeded, Status::Succeeded, Status::Failed, Status::Fault, Status::TimedOut, Status::Stopped];
            for end in ends {
                if life.is_complete() { break; }
                life.advance(statuses[end], Context::default(), at(1));
            }
            prop_assert!(names(&life).windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(life.status() == Status::Succeeded, life.is_complete() && life.verdict.is_none());
        }
    }
}
