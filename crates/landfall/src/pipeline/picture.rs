//! What a watcher sees of an execution: pure, from the answers of the API.

use crate::span;
use crate::terminal::{mark, printable};
use kernel::Timestamp;
use serde_json::{Value, json};

/// An execution with the stages of its pipeline, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pipeline: String,
    execution: String,
    pub(super) status: String,
    /// What the status does not say, e.g. why it stopped.
    summary: String,
    trigger: String,
    actions: Vec<Action>,
}

/// One action of a stage. The newest attempt counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Action {
    stage: String,
    name: String,
    /// None before its start.
    status: Option<String>,
    is_approval: bool,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// One line: the error, or what the provider says.
    note: String,
}

impl Picture {
    /// Reads `GetPipeline`'s `pipeline`, `GetPipelineExecution`'s `pipelineExecution` and `ListActionExecutions`'
    /// details, newest first.
    pub(super) fn of(structure: &Value, execution: &Value, details: &[Value]) -> Self {
        let declared = structure["stages"].as_array().into_iter().flatten().flat_map(|stage| {
            stage["actions"].as_array().into_iter().flatten().map(move |action| (text(&stage["name"]), action))
        });
        let actions = declared.map(|(stage, declared)| {
            let same = |detail: &&Value| detail["stageName"] == stage && detail["actionName"] == declared["name"];
            let newest = details.iter().find(same);
            Action::of(stage, declared, newest)
        });
        Self {
            actions: actions.collect(),
            pipeline: text(&execution["pipelineName"]),
            execution: text(&execution["pipelineExecutionId"]),
            status: text(&execution["status"]),
            summary: line(&execution["statusSummary"]),
            trigger: text(&execution["trigger"]["triggerType"]),
        }
    }

    /// Whether nothing will change any more.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.status.as_str(), "InProgress" | "Stopping")
    }

    /// The whole, for a terminal.
    pub(super) fn lines(&self, now: Timestamp) -> Vec<String> {
        let width = |of: fn(&Action) -> &String| {
            self.actions.iter().map(|action| of(action).chars().count()).max().unwrap_or_default()
        };
        let (stages, names) = (width(|action| &action.stage), width(|action| &action.name));
        let mut lines = vec![self.headline(), String::new()];
        let mut last = "";
        for action in &self.actions {
            let stage = if action.stage == last { "" } else { &action.stage };
            last = &action.stage;
            let time = action.time(now).map(span::said).unwrap_or_default();
            let mark = mark(action.status.as_deref());
            let line = format!("  {mark} {stage:stages$}  {:names$}  {time:>12}  {}", action.name, action.words());
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// A line for each thing that is not as it was, for logs and pipes.
    pub(super) fn changes(&self, before: Option<&Self>, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if before.is_none() {
            lines.push(self.headline());
        }
        for (place, action) in self.actions.iter().enumerate() {
            let known = before.and_then(|before| before.actions.get(place));
            let same = known.is_some_and(|known| known.status == action.status && known.started == action.started);
            let Some(status) = action.status.as_deref().filter(|_| !same) else { continue };
            let time = action.ended.and_then(|_| action.time(now)).map(span::said).unwrap_or_default();
            let words = if action.is_waiting() { "waits for approval" } else { action.note.as_str() };
            let line = format!("{} {} {} {status}  {time}  {words}", mark(Some(status)), action.stage, action.name);
            lines.push(line.trim_end().to_owned());
        }
        if before.is_some_and(|before| before.status != self.status) || (before.is_none() && self.has_ended()) {
            lines.push(format!("{} {} {}", mark(Some(&self.status)), self.pipeline, self.state()));
        }
        lines
    }

    /// The whole, for programs.
    pub(super) fn json(&self) -> Value {
        let actions = self.actions.iter().map(|action| {
            json!({
                "stage": action.stage,
                "action": action.name,
                "status": action.status,
                "startedAt": action.started.map(Timestamp::iso8601),
                "endedAt": action.ended.map(Timestamp::iso8601),
            })
        });
        json!({
            "pipeline": self.pipeline,
            "execution": self.execution,
            "status": self.status,
            "trigger": self.trigger,
            "actions": actions.collect::<Vec<_>>(),
        })
    }

    fn headline(&self) -> String {
        let trigger = if self.trigger.is_empty() { String::new() } else { format!("  by {}", self.trigger) };
        format!("{}  {}  {}{trigger}", self.pipeline, self.execution, self.state())
    }

    fn state(&self) -> String {
        if self.summary.is_empty() { self.status.clone() } else { format!("{}: {}", self.status, self.summary) }
    }
}

impl Action {
    fn of(stage: String, declared: &Value, detail: Option<&Value>) -> Self {
        let detail = detail.unwrap_or(&Value::Null);
        let time = |member: &str| detail[member].as_f64().map(Timestamp::from_epoch_seconds);
        let status = detail["status"].as_str().map(str::to_owned);
        let running = status.as_deref() == Some("InProgress");
        let result = &detail["output"]["executionResult"];
        let error = line(&result["errorDetails"]["message"]);
        Self {
            stage,
            name: text(&declared["name"]),
            is_approval: declared["actionTypeId"]["category"] == "Approval",
            started: time("startTime"),
            ended: time("lastUpdateTime").filter(|_| !running),
            note: if error.is_empty() { line(&result["externalExecutionSummary"]) } else { error },
            status,
        }
    }

    fn time(&self, now: Timestamp) -> Option<std::time::Duration> {
        Some(self.ended.unwrap_or(now).since(self.started?))
    }

    fn is_waiting(&self) -> bool {
        self.is_approval && self.status.as_deref() == Some("InProgress")
    }

    /// What is to be said besides the mark.
    fn words(&self) -> String {
        match self.status.as_deref() {
            _ if self.is_waiting() => "waits for approval".to_owned(),
            None | Some("Succeeded" | "InProgress") => self.note.clone(),
            Some(status) if self.note.is_empty() => status.to_owned(),
            Some(status) => format!("{status}: {}", self.note),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The first line, without what would move the cursor.
fn line(value: &Value) -> String {
    printable(value.as_str().unwrap_or_default().trim().lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure() -> Value {
        let action = |name: &str, category: &str| json!({"name": name, "actionTypeId": {"category": category}});
        json!({"stages": [
            {"name": "Source", "actions": [action("Git", "Source")]},
            {"name": "Build", "actions": [action("Compile", "Build"), action("Lint", "Test")]},
            {"name": "Release", "actions": [action("Ask", "Approval"), action("Roll", "Deploy")]},
        ]})
    }

    fn execution(status: &str) -> Value {
        json!({"pipelineName": "app", "pipelineExecutionId": "e-1", "status": status,
               "trigger": {"triggerType": "PollForSourceChanges"}})
    }

    fn detail(stage: &str, action: &str, status: &str, start: f64, end: f64) -> Value {
        json!({"stageName": stage, "actionName": action, "status": status, "startTime": start, "lastUpdateTime": end})
    }

    fn midway() -> Picture {
        let mut failed = detail("Build", "Lint", "Failed", 101.0, 101.5);
        failed["output"]["executionResult"] = json!({"errorDetails": {"message": "exit status 1\nmore"}});
        let details = [
            detail("Release", "Ask", "InProgress", 110.0, 110.0),
            detail("Build", "Compile", "Succeeded", 102.0, 109.0),
            failed,
            detail("Build", "Compile", "Failed", 101.0, 101.2),
            detail("Source", "Git", "Succeeded", 100.0, 100.1),
        ];
        Picture::of(&structure(), &execution("InProgress"), &details)
    }

    #[test]
    fn the_picture_shows_stages_in_order_with_the_newest_attempt_of_each_action() {
        let lines = midway().lines(Timestamp::from_seconds(115));
        assert_eq!(
            lines,
            [
                "app  e-1  InProgress  by PollForSourceChanges",
                "",
                "  ✓ Source   Git             0.1 s",
                "  ✓ Build    Compile         7.0 s",
                "  ✗          Lint            0.5 s  Failed: exit status 1",
                "  ▸ Release  Ask             5.0 s  waits for approval",
                "  ·          Roll",
            ]
        );
    }

    #[test]
    fn only_what_changed_is_told() {
        let now = Timestamp::from_seconds(115);
        let (before, mut after) = (Picture::of(&structure(), &execution("InProgress"), &[]), midway());
        assert_eq!(before.changes(None, now), ["app  e-1  InProgress  by PollForSourceChanges"]);
        assert_eq!(
            after.changes(Some(&before), now),
            [
                "✓ Source Git Succeeded  0.1 s",
                "✓ Build Compile Succeeded  7.0 s",
                "✗ Build Lint Failed  0.5 s  exit status 1",
                "▸ Release Ask InProgress    waits for approval",
            ]
        );
        let same = after.clone();
        assert_eq!(after.changes(Some(&same), now), [""; 0]);
        after.status = "Failed".to_owned();
        assert_eq!(after.changes(Some(&same), now), ["✗ app Failed"]);
        assert_eq!(after.changes(None, now).last().map(String::as_str), Some("✗ app Failed"));
    }

    #[test]
    fn an_execution_has_ended_when_nothing_can_change() {
        for (status, ended) in
            [("InProgress", false), ("Stopping", false), ("Stopped", true), ("Succeeded", true), ("Superseded", true)]
        {
            assert_eq!(Picture::of(&structure(), &execution(status), &[]).has_ended(), ended, "{status}");
        }
    }

    #[test]
    fn programs_get_it_as_json() {
        let json = midway().json();
        assert_eq!(
            (&json["status"], &json["actions"][0]["endedAt"]),
            (&json!("InProgress"), &json!("1970-01-01T00:01:40.100Z"))
        );
        assert_eq!(
            json["actions"][4],
            json!({"stage": "Release", "action": "Roll", "status": null, "startedAt": null, "endedAt": null})
        );
    }
}
