//! What a build came to: on the screen, and as JSON.

use super::artifacts::Unpacked;
use super::build::Ended;
use super::buildspec::Buildspec;
use super::screen::{Paint, Screen};
use crate::terminal::{bytes, mark, printable};
use aws::codebuild::{Build, BuildPhase};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How many artifacts are listed on the screen.
const LISTED: usize = 20;
/// Phases in which nothing happens that a user would look for.
const UNSEEN: [&str; 3] = ["SUBMITTED", "QUEUED", "COMPLETED"];

/// A phase that went wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) phase: String,
    pub(super) message: String,
    /// The command, where it was one that failed.
    pub(super) command: Option<String>,
    /// Its exit status.
    pub(super) exit_status: Option<i32>,
    /// Its line in the buildspec.
    pub(super) line: Option<usize>,
}

/// The first phase that did not succeed.
pub(super) fn failure(build: &Build, buildspec: Option<&Buildspec>) -> Option<Failure> {
    let phase = build.phases.iter().flatten().find(|phase| went_wrong(phase))?;
    let context = phase.contexts.iter().flatten().next();
    let message = context.and_then(|context| context.message.clone()).unwrap_or_default();
    let failed = command(&message);
    let line = failed.as_ref().and_then(|(command, _)| buildspec.and_then(|buildspec| buildspec.line_of(command)));
    Some(Failure {
        phase: phase.phase_type.clone().unwrap_or_default(),
        exit_status: failed.as_ref().map(|(_, status)| *status),
        command: failed.map(|(command, _)| command),
        message,
        line,
    })
}

fn went_wrong(phase: &BuildPhase) -> bool {
    !matches!(phase.phase_status.as_deref(), None | Some("SUCCEEDED"))
}

/// The command and its exit status out of the phase's message.
fn command(message: &str) -> Option<(String, i32)> {
    let rest = message.strip_prefix("Error while executing command: ")?;
    let (command, status) = rest.rsplit_once(". Reason: exit status ")?;
    Some((command.to_owned(), status.parse().ok()?))
}

/// The build's status; that of a run's own time limit is CodeBuild's word for it.
pub(super) fn status(ended: &Ended) -> &str {
    match ended.build.build_status.as_deref().unwrap_or("FAULT") {
        "STOPPED" if ended.timed_out => "TIMED_OUT",
        status => status,
    }
}

/// Shows phases with their times, artifacts, exported variables, and the end.
///
/// # Errors
/// Nobody reads our output any more.
pub(super) fn show(
    screen: &mut Screen,
    ended: &Ended,
    buildspec: &Buildspec,
    out: &Path,
    unpacked: &Unpacked,
    quiet: bool,
) -> io::Result<()> {
    if !quiet {
        screen.line("")?;
        phases(screen, &ended.build)?;
        artifacts(screen, out, unpacked)?;
        exported(screen, &ended.build)?;
        screen.line("")?;
    }
    end(screen, ended, buildspec)
}

fn phases(screen: &mut Screen, build: &Build) -> io::Result<()> {
    let seen = |phase: &&BuildPhase| {
        phase.phase_status.is_some() && !UNSEEN.contains(&phase.phase_type.as_deref().unwrap_or_default())
    };
    for phase in build.phases.iter().flatten().filter(seen) {
        let (name, status) = (phase.phase_type.as_deref().unwrap_or_default(), phase.phase_status.as_deref());
        let paint = if went_wrong(phase) { Paint::Bad } else { Paint::Good };
        let mark = screen.paint(paint, &mark(status).to_string());
        let time = said(elapsed(phase));
        screen.line(&format!("{mark} {name:<16} {:<10} {time:>11}", status.unwrap_or_default()))?;
    }
    Ok(())
}

fn artifacts(screen: &mut Screen, out: &Path, unpacked: &Unpacked) -> io::Result<()> {
    if unpacked.kept.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = unpacked.kept.iter().filter_map(|kept| kept.name.as_deref()).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    screen.line(&format!("\nartifacts in {}{}", out.display(), printable(&names)))?;
    for file in unpacked.files.iter().take(LISTED) {
        screen.line(&format!("{:>10}  {}", bytes(file.bytes), printable(&file.path.display().to_string())))?;
    }
    match unpacked.files.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => screen.line(&format!("{:>10}  and {more} more", "")),
    }
}

fn exported(screen: &mut Screen, build: &Build) -> io::Result<()> {
    for (index, variable) in build.exported_environment_variables.iter().flatten().enumerate() {
        let label = if index == 0 { "\nexported " } else { "         " };
        let name = variable.name.as_deref().unwrap_or_default();
        let value = printable(variable.value.as_deref().unwrap_or_default());
        screen.line(&format!("{label} {name}={value}"))?;
    }
    Ok(())
}

fn end(screen: &mut Screen, ended: &Ended, buildspec: &Buildspec) -> io::Result<()> {
    let status = status(ended);
    let time = said(Some(total(&ended.build)));
    if status == "SUCCEEDED" {
        let end = screen.paint(Paint::Good, &format!("✓ SUCCEEDED in {time}"));
        return screen.line(&end);
    }
    let failure = failure(&ended.build, Some(buildspec));
    let image = ended.build.environment.as_ref().and_then(|environment| environment.image.as_deref());
    let reason = failure.map(|failure| {
        let hint = hint(&failure, image.unwrap_or_default()).map(|hint| format!("\n  {hint}")).unwrap_or_default();
        format!(": {}{hint}", reason(&failure, &buildspec.place))
    });
    let reason = reason.unwrap_or_default();
    let reason = if ended.timed_out { ": it took longer than --timeout allows".to_owned() } else { reason };
    let end = screen.paint(Paint::Bad, &format!("✗ {status} in {time}{reason}"));
    screen.line(&end)
}

/// Why a build failed, and where to look.
pub(super) fn reason(failure: &Failure, place: &str) -> String {
    let Failure { phase, message, command, exit_status, line } = failure;
    let Some(command) = command else {
        let message = message.trim();
        return if message.is_empty() { phase.clone() } else { format!("{phase}: {}", printable(message)) };
    };
    let first = printable(command.lines().next().unwrap_or_default());
    let at = line.map(|line| format!("\n  {place}:{line}: {first}")).unwrap_or_default();
    format!("{phase}: `{first}` ended with exit status {}{at}", exit_status.unwrap_or_default())
}

/// What to do about a program that was not found, or a value.
fn hint(failure: &Failure, image: &str) -> Option<&'static str> {
    if failure.message.contains("cannot fetch the ") {
        return Some("there is no store of parameters or secrets here: give such values with --env NAME=VALUE");
    }
    match (failure.exit_status?, image) {
        (127, super::image::HOST) => Some(
            "a program is missing: image host shows this machine's own, but none of your home; --share gives it a toolchain's \
             folder",
        ),
        (127, _) => {
            Some("the image lacks a program: install it in the phase `install`, or choose another with --image")
        }
        _ => None,
    }
}

/// The whole of it as JSON.
pub(super) fn document(ended: &Ended, buildspec: &Buildspec, out: &Path, unpacked: &Unpacked) -> Value {
    let build = &ended.build;
    let failure = failure(build, Some(buildspec)).map(|failure| {
        json!({
            "phase": failure.phase,
            "message": failure.message,
            "command": failure.command,
            "exitStatus": failure.exit_status,
            "line": failure.line,
        })
    });
    json!({
        "status": status(ended),
        "seconds": total(build).as_secs_f64(),
        "buildspec": buildspec.place,
        "image": build.environment.as_ref().and_then(|environment| environment.image.as_ref()),
        "sourceVersion": build.resolved_source_version,
        "phases": document_phases(build),
        "failure": failure,
        "exportedVariables": exported_variables(build),
        "artifacts": {
            "directory": out,
            "files": unpacked.files,
            "sets": unpacked.kept,
        },
    })
}

/// The phases with their times, as JSON.
pub(super) fn document_phases(build: &Build) -> Vec<Value> {
    let ended = build.phases.iter().flatten().filter(|phase| phase.phase_status.is_some());
    ended
        .map(|phase| {
            let contexts = phase.contexts.iter().flatten().filter_map(|context| context.message.as_deref());
            json!({
                "phase": phase.phase_type,
                "status": phase.phase_status,
                "seconds": elapsed(phase).unwrap_or_default().as_secs_f64(),
                "message": contexts.filter(|message| !message.is_empty()).collect::<Vec<_>>().join("\n"),
            })
        })
        .collect()
}

/// The exported variables, as JSON.
pub(super) fn exported_variables(build: &Build) -> Value {
    let variables = build.exported_environment_variables.iter().flatten();
    variables.filter_map(|variable| Some((variable.name.clone()?, Value::from(variable.value.clone()?)))).collect()
}

fn elapsed(phase: &BuildPhase) -> Option<Duration> {
    Some(phase.end_time?.since(phase.start_time?))
}

/// From the start to the end.
pub(super) fn total(build: &Build) -> Duration {
    build.end_time.zip(build.start_time).map(|(end, start)| end.since(start)).unwrap_or_default()
}

fn said(time: Option<Duration>) -> String {
    time.map(crate::span::said).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn build(message: &str) -> Build {
        serde_json::from_value(json!({
            "buildStatus": "FAILED",
            "phases": [
                {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED", "startTime": 1.0, "endTime": 2.5},
                {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"statusCode": "X", "message": message}]},
                {"phaseType": "COMPLETED"},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_failed_command_is_named_with_its_status() {
        let failure = failure(&build("Error while executing command: exit 3. Reason: exit status 3"), None).unwrap();
        assert_eq!((failure.phase.as_str(), failure.command.as_deref()), ("BUILD", Some("exit 3")));
        assert_eq!(reason(&failure, "buildspec.yml"), "BUILD: `exit 3` ended with exit status 3");
        assert_eq!(hint(&failure, "host"), None);
        let fetch = Failure { message: "this version of the server cannot fetch the …".into(), ..failure.clone() };
        assert!(hint(&fetch, "host").unwrap().contains("--env"));
        let missing = Failure { exit_status: Some(127), ..failure.clone() };
        assert!(hint(&missing, "host").unwrap().contains("--share"));
        assert!(hint(&missing, "debian:12").unwrap().contains("--image"));
        let with_line = Failure { line: Some(7), ..failure };
        assert!(reason(&with_line, "buildspec.yml").ends_with("\n  buildspec.yml:7: exit 3"));
    }

    #[test]
    fn other_faults_are_said_in_their_own_words() {
        let failure = failure(&build("no matching artifact paths found"), None).unwrap();
        assert_eq!(reason(&failure, "b"), "BUILD: no matching artifact paths found");
        assert_eq!(super::failure(&Build::default(), None), None);
    }

    #[test]
    fn a_time_limit_of_the_runs_own_is_a_time_out() {
        let stopped = Build { build_status: Some("STOPPED".into()), ..Build::default() };
        for (timed_out, expected) in [(true, "TIMED_OUT"), (false, "STOPPED")] {
            assert_eq!(status(&Ended { build: stopped.clone(), timed_out }), expected);
        }
    }

    #[test]
    fn phases_have_their_times_in_the_document() {
        let phases = document_phases(&build("m"));
        assert_eq!(phases[0], json!({"phase": "INSTALL", "status": "SUCCEEDED", "seconds": 1.5, "message": ""}));
        assert_eq!(phases.len(), 2);
    }
}
