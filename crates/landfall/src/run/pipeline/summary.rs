//! What a pipeline came to: on the screen, and as JSON.

use super::super::out::Placed;
use super::super::screen::{Paint, Screen};
use super::super::summary::{document_phases, exported_variables, failure, reason};
use super::follow::{Ended, build_id, elapsed, title};
use crate::terminal::{bytes, mark, printable};
use aws::codepipeline::ActionExecutionDetail;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How many deployed files are listed on the screen.
const LISTED: usize = 20;

/// The execution's status; a stop of the run's own time limit is a time-out.
pub(super) fn status(ended: &Ended) -> &str {
    if ended.timed_out { "TimedOut" } else { &ended.status }
}

/// Shows the actions with their times, what was deployed, and the end.
///
/// # Errors
/// Nobody reads our output any more.
pub(super) fn show(
    screen: &mut Screen,
    ended: &Ended,
    out: &Path,
    files: &[Placed],
    total: Duration,
    quiet: bool,
) -> io::Result<()> {
    if !quiet {
        screen.line("")?;
        let width = ended.actions.iter().map(|action| title(action).chars().count()).max().unwrap_or_default();
        for action in &ended.actions {
            let status = action.status.as_deref();
            let paint = if status == Some("Succeeded") { Paint::Good } else { Paint::Bad };
            let mark = screen.paint(paint, &mark(status).to_string());
            let time = elapsed(action).map(crate::span::said).unwrap_or_default();
            screen.line(&format!("{mark} {:<width$}  {:<10} {time:>11}", title(action), status.unwrap_or_default()))?;
        }
        deployed(screen, out, files)?;
        screen.line("")?;
    }
    end(screen, ended, total)
}

fn deployed(screen: &mut Screen, out: &Path, files: &[Placed]) -> io::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    screen.line(&format!("\ndeployed to {}", out.display()))?;
    for file in files.iter().take(LISTED) {
        screen.line(&format!("{:>10}  {}", bytes(file.bytes), printable(&file.path.display().to_string())))?;
    }
    match files.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => screen.line(&format!("{:>10}  and {more} more", "")),
    }
}

fn end(screen: &mut Screen, ended: &Ended, total: Duration) -> io::Result<()> {
    let status = status(ended);
    let time = crate::span::said(total);
    if status == "Succeeded" {
        return screen.line(&screen.paint(Paint::Good, &format!("✓ Succeeded in {time}")));
    }
    let why = ended.actions.iter().filter(|action| action.status.as_deref() == Some("Failed"));
    let why: Vec<_> = why.map(|action| format!("\n  {}: {}", title(action), trouble(action, ended))).collect();
    let why = if why.is_empty() { summary(ended) } else { why.concat() };
    screen.line(&screen.paint(Paint::Bad, &format!("✗ {status} in {time}{why}")))
}

fn summary(ended: &Ended) -> String {
    ended.summary.as_ref().map(|summary| format!(": {}", printable(summary))).unwrap_or_default()
}

/// Why an action failed: of a build the command, else what the pipeline says.
fn trouble(action: &ActionExecutionDetail, ended: &Ended) -> String {
    let build = build_id(action).and_then(|id| ended.builds.get(&id));
    if let Some(failure) = build.and_then(|build| failure(build, None)) {
        return reason(&failure, "");
    }
    let result = action.output.as_ref().and_then(|output| output.execution_result.as_ref());
    let error = result.and_then(|result| result.error_details.as_ref()).and_then(|error| error.message.as_deref());
    let summary = result.and_then(|result| result.external_execution_summary.as_deref());
    printable(error.or(summary).unwrap_or("it failed"))
}

/// The whole of it as JSON.
pub(super) fn document(ended: &Ended, out: &Path, files: &[Placed], total: Duration) -> Value {
    let actions = ended.actions.iter().map(|action| {
        let build = build_id(action).and_then(|id| ended.builds.get(&id));
        json!({
            "stage": action.stage_name,
            "action": action.action_name,
            "status": action.status,
            "seconds": elapsed(action).unwrap_or_default().as_secs_f64(),
            "message": (action.status.as_deref() == Some("Failed")).then(|| trouble(action, ended)),
            "phases": build.map(document_phases),
            "exportedVariables": build.map(exported_variables),
        })
    });
    json!({
        "status": status(ended),
        "seconds": total.as_secs_f64(),
        "actions": actions.collect::<Vec<_>>(),
        "deployed": {"directory": out, "files": files},
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ended(action: Value) -> Ended {
        Ended {
            status: "Failed".into(),
            summary: None,
            actions: vec![serde_json::from_value(action).unwrap()],
            builds: BTreeMap::from([(
                "app:1".to_owned(),
                serde_json::from_value(json!({"phases": [{
                    "phaseType": "BUILD",
                    "phaseStatus": "FAILED",
                    "contexts": [{"message": "Error while executing command: make. Reason: exit status 2"}],
                }]}))
                .unwrap(),
            )]),
            timed_out: false,
        }
    }

    #[test]
    fn a_failed_build_says_which_command_it_was() {
        let build = json!({
            "stageName": "Build", "actionName": "App", "status": "Failed",
            "input": {"actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}},
            "output": {"executionResult": {"externalExecutionId": "app:1"}},
        });
        let ended = ended(build);
        assert_eq!(trouble(&ended.actions[0], &ended), "BUILD: `make` ended with exit status 2");
        let document = document(&ended, Path::new("out"), &[], Duration::from_secs(2));
        assert_eq!(document["actions"][0]["phases"][0]["phase"], "BUILD");
        assert_eq!((&document["status"], &document["seconds"]), (&json!("Failed"), &json!(2.0)));
    }

    #[test]
    fn what_is_no_build_says_what_the_pipeline_says() {
        let other = json!({
            "stageName": "Release", "actionName": "Go", "status": "Failed",
            "output": {"executionResult": {"errorDetails": {"code": "X", "message": "Rejected"}}},
        });
        let mut ended = ended(other);
        assert_eq!(trouble(&ended.actions[0], &ended), "Rejected");
        ended.timed_out = true;
        assert_eq!(status(&ended), "TimedOut");
    }
}
