//! What an agent's report changes in its build. The agent is not trusted: times stay between their neighbours, and what
//! it says is bounded.

use std::collections::BTreeMap;

use agent::protocol::Report;
use agent::protocol::server::{OrderError, Verdict};
use kernel::Timestamp;

use crate::model::{Build, Context, Status};

/// The most bytes of names and values that a build exports.
const MOST_EXPORTED: usize = 16 * 1024;
/// The longest evaluated artifact name, in bytes.
const LONGEST_NAME: usize = 1_024;

/// Takes a report in. `exportable` are the names that the buildspec exports.
///
/// # Errors
/// A report that an honest agent would not make now.
pub fn apply(
    build: &mut Build,
    sequence: u64,
    report: &Report,
    exportable: &[String],
    now: Timestamp,
) -> Result<Verdict, OrderError> {
    let verdict = build.inbox.accept(sequence, report)?;
    if verdict == Verdict::New {
        advance(build, report, exportable, now);
    }
    Ok(verdict)
}

fn advance(build: &mut Build, report: &Report, exportable: &[String], now: Timestamp) {
    match report {
        Report::LogLines { .. } => {}
        Report::PhaseStarted { phase, time } => {
            let time = between(build, *time, now);
            build.life.begin((*phase).into(), time);
        }
        Report::PhaseEnded { time, status, context, .. } => {
            let time = between(build, *time, now);
            build.life.end((*status).into(), Context::new(&context.code, &context.message), time);
        }
        Report::ExportedVariables { variables } => build.exported = bounded(variables, exportable),
        Report::Expressions { values } => {
            let short = |value: &Option<String>| value.clone().filter(|value| value.len() <= LONGEST_NAME);
            build.artifact_names = values.iter().take(16).map(short).collect();
        }
        Report::Done { status, .. } => done(build, (*status).into(), now),
    }
}

fn done(build: &mut Build, status: Status, now: Timestamp) {
    if status != Status::Succeeded && build.life.verdict.is_none() {
        build.life.verdict = Some(status);
    }
    build.life.after_commands(now);
}

/// The agent's time, held between the last phase change and now.
fn between(build: &Build, millis: u64, now: Timestamp) -> Timestamp {
    let last = build.life.phases.last().map(|phase| phase.end.unwrap_or(phase.start)).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).min(now).max(last)
}

fn bounded(variables: &BTreeMap<String, String>, exportable: &[String]) -> BTreeMap<String, String> {
    let mut room = MOST_EXPORTED;
    let fits = |(name, value): &(&String, &String)| match room.checked_sub(name.len() + value.len()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    let named = variables.iter().filter(|(name, _)| exportable.contains(name));
    named.filter(fits).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use agent::protocol::{Context as AgentContext, Phase, PhaseStatus};

    use super::*;
    use crate::model::PhaseType;
    use crate::model::build::tests::build;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// A build whose sources are there, at 10 seconds.
    fn downloaded() -> Build {
        let mut build = build(0);
        build.life.advance(Status::Succeeded, Context::default(), at(1));
        build.life.advance(Status::Succeeded, Context::default(), at(2));
        build.life.end(Status::Succeeded, Context::default(), at(10));
        build
    }

    fn ended(phase: Phase, status: PhaseStatus, context: AgentContext) -> Report {
        Report::PhaseEnded { phase, time: 12_000, status, context, exit_code: None }
    }

    #[test]
    fn phases_are_recorded_once() {
        let mut build = downloaded();
        let started = Report::PhaseStarted { phase: Phase::Build, time: 11_000 };
        assert_eq!(apply(&mut build, 1, &started, &[], at(20)), Ok(Verdict::New));
        assert_eq!(apply(&mut build, 1, &started, &[], at(20)), Ok(Verdict::Repeated));
        let context =
            AgentContext::new("COMMAND_EXECUTION_ERROR", "Error while executing command: false. Reason: exit status 1");
        apply(&mut build, 2, &ended(Phase::Build, PhaseStatus::Failed, context), &[], at(20)).unwrap();
        let phase = build.life.phases.last().unwrap();
        assert_eq!((phase.phase, phase.status, phase.seconds()), (PhaseType::Build, Some(Status::Failed), Some(1)));
        assert_eq!(phase.context.as_ref().unwrap().code, "COMMAND_EXECUTION_ERROR");
        apply(&mut build, 3, &Report::Done { time: 0, status: PhaseStatus::Failed }, &[], at(20)).unwrap();
        assert_eq!(build.life.current(), PhaseType::UploadArtifacts);
    }

    #[test]
    fn times_are_held_between_their_neighbours() {
        let mut build = downloaded();
        apply(&mut build, 1, &Report::PhaseStarted { phase: Phase::Install, time: 1 }, &[], at(20)).unwrap();
        assert_eq!(build.life.phases.last().unwrap().start, at(10));
        let late = Report::PhaseEnded {
            phase: Phase::Install,
            time: u64::MAX,
            status: PhaseStatus::Succeeded,
            context: AgentContext::default(),
            exit_code: None,
        };
        apply(&mut build, 2, &late, &[], at(20)).unwrap();
        assert_eq!(build.life.phases.last().unwrap().end, Some(at(20)));
    }

    #[test]
    fn only_declared_variables_of_bounded_size_are_exported() {
        let mut build = downloaded();
        let variables =
            [("A", "1".to_owned()), ("B", "x".repeat(MOST_EXPORTED)), ("C", "3".to_owned()), ("Z", "9".to_owned())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let exportable = ["A", "B", "C"].map(str::to_owned);
        apply(&mut build, 1, &Report::ExportedVariables { variables }, &exportable, at(20)).unwrap();
        assert_eq!(build.exported.keys().collect::<Vec<_>>(), ["A", "C"]);
    }

    #[test]
    fn a_build_that_was_stopped_before_its_first_phase() {
        let mut build = downloaded();
        apply(&mut build, 1, &Report::Done { time: 0, status: PhaseStatus::Stopped }, &[], at(20)).unwrap();
        assert_eq!((build.life.current(), build.life.verdict), (PhaseType::Finalizing, Some(Status::Stopped)));
    }

    #[test]
    fn dishonest_reports_are_refused() {
        let mut build = downloaded();
        assert!(apply(&mut build, 2, &Report::PhaseStarted { phase: Phase::Build, time: 0 }, &[], at(20)).is_err());
        assert!(
            apply(&mut build, 1, &ended(Phase::Build, PhaseStatus::Succeeded, AgentContext::default()), &[], at(20))
                .is_err()
        );
    }
}
