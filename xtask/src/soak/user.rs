//! A user of one pipeline: wishes by the seed, granted as far as there is something to grant.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::api::{Api, PIPELINE, Trouble};
use super::ledger::{Fact, Ledger};
use super::plan::{Plan, Stage};
use super::push::Desk;
use super::revision::Revision;
use super::schedule::{Intent, Wish, Wishes};

/// So many executions of a pipeline at once are enough.
const ENOUGH: usize = 4;

/// One user.
pub(super) struct User {
    pub(super) plan: Plan,
    pub(super) api: Api,
    pub(super) ledger: Arc<Ledger>,
    desk: Desk,
    seed: u64,
    pushed: u32,
    started: u32,
    /// The stage whose inbound transition is closed.
    closed: Option<&'static str>,
}

impl User {
    /// A user with a working copy in `folder`.
    pub(super) async fn new(
        plan: Plan,
        api: Api,
        ledger: Arc<Ledger>,
        folder: &Path,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let desk = Desk::make(&folder.join("desks").join(plan.name)).await?;
        Ok(Self { plan, api, ledger, desk, seed, pushed: 0, started: 0, closed: None })
    }

    /// Lives until `stop`, and finishes what was begun.
    ///
    /// # Errors
    /// The server refused what it may not refuse, or does not answer any more.
    pub(super) async fn live(&mut self, wishes: Wishes, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        for intent in wishes {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(intent.after) => {}
            }
            self.act(intent).await?;
        }
        Ok(())
    }

    async fn act(&mut self, intent: Intent) -> anyhow::Result<()> {
        match intent.wish {
            Wish::Push if self.active().await?.len() < ENOUGH => self.push().await,
            Wish::Start if self.active().await?.len() < ENOUGH => self.start().await,
            Wish::Push | Wish::Start => Ok(()),
            Wish::Stop { abandon } => self.stop(intent.pick, abandon).await,
            Wish::Answer { approve } => self.answer(approve).await,
            Wish::Retry { all } => self.retry(intent.pick, all).await,
            Wish::RollBack => self.roll_back(intent.pick).await,
            Wish::Close => self.close(intent.pick).await,
            Wish::Open => self.open().await,
        }
    }

    /// Pushes the next revision until that is acknowledged.
    pub(super) async fn push(&mut self) -> anyhow::Result<()> {
        let (pipeline, number) = (self.plan.name, self.pushed);
        let revision = Revision { pipeline, number, seed: self.seed };
        let id = self.desk.send(&mut self.api, &self.plan, &revision).await?;
        self.pushed += 1;
        self.ledger.note(Fact::Pushed { pipeline, number, revision: id });
        Ok(())
    }

    /// Starts an execution, with one token until that is acknowledged.
    async fn start(&mut self) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let token = format!("soak-{pipeline}-{}", self.started);
        self.started += 1;
        let input = json!({"name": pipeline, "clientRequestToken": token});
        let answer = self.api.insist(PIPELINE, "StartPipelineExecution", &input).await?;
        let execution = text(&answer["pipelineExecutionId"]);
        self.ledger.note(Fact::Started { pipeline, token, execution });
        Ok(())
    }

    async fn stop(&mut self, pick: usize, abandon: bool) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let Some(execution) = picked(pick, &self.active().await?) else { return Ok(()) };
        self.ledger.note(Fact::StopAsked { pipeline, execution: execution.clone() });
        let input =
            json!({"pipelineName": pipeline, "pipelineExecutionId": execution, "abandon": abandon, "reason": "soak"});
        if self.api.ask(PIPELINE, "StopPipelineExecution", &input).await.is_ok() {
            self.ledger.note(Fact::Stopped { pipeline, execution, abandon });
        }
        Ok(())
    }

    /// Answers the approval that waits, if one does.
    pub(super) async fn answer(&mut self, approved: bool) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let Some(token) = self.approval().await? else { return Ok(()) };
        let summary = format!("answer {} of {pipeline}", self.ledger.count(|_| true));
        let status = if approved { "Approved" } else { "Rejected" };
        let input = json!({
            "pipelineName": pipeline, "stageName": "Approve", "actionName": "Approve", "token": token,
            "result": {"status": status, "summary": summary},
        });
        self.ledger.note(Fact::AnswerAsked { pipeline, summary: summary.clone() });
        loop {
            match self.api.ask(PIPELINE, "PutApprovalResult", &input).await {
                Ok(_) => self.ledger.note(Fact::Answered { pipeline, approved, summary }),
                // The answer before was lost on its way back, or the approval is no more.
                Err(Trouble::Refused(_)) => {}
                Err(Trouble::Lost(text)) => {
                    self.api.breathe(&text).await?;
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// The token of the approval that waits. In PARALLEL mode the state shows the latest execution's alone.
    async fn approval(&mut self) -> anyhow::Result<Option<String>> {
        if !self.plan.has(|stage| *stage == Stage::Approve) {
            return Ok(None);
        }
        for execution in self.active().await? {
            let input = json!({"pipelineName": self.plan.name, "filter": {"pipelineExecutionId": execution}});
            let actions = self.api.insist(PIPELINE, "ListActionExecutions", &input).await?;
            let actions = actions["actionExecutionDetails"].as_array().cloned().unwrap_or_default();
            let waits = |action: &&Value| action["actionName"] == "Approve" && action["status"] == "InProgress";
            let token = |action: &Value| text(&action["output"]["executionResult"]["externalExecutionId"]);
            if let Some(token) = actions.iter().find(waits).map(token).filter(|token| !token.is_empty()) {
                return Ok(Some(token));
            }
        }
        Ok(None)
    }

    /// Takes a failed stage up again.
    async fn retry(&mut self, pick: usize, all: bool) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let Some(execution) = picked(pick, &self.ids(|status| matches!(status, "Failed" | "Stopped")).await?) else {
            return Ok(());
        };
        let stage = self.plan.stages[pick % self.plan.stages.len()].name().to_owned();
        let mode = if all { "ALL_ACTIONS" } else { "FAILED_ACTIONS" };
        self.ledger.note(Fact::RetryAsked { pipeline, execution: execution.clone(), stage: stage.clone() });
        let input = json!({
            "pipelineName": pipeline, "pipelineExecutionId": execution, "stageName": stage, "retryMode": mode});
        if self.api.ask(PIPELINE, "RetryStageExecution", &input).await.is_ok() {
            self.ledger.note(Fact::Retried { pipeline, execution, stage });
        }
        Ok(())
    }

    async fn roll_back(&mut self, pick: usize) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let Some(target) = picked(pick, &self.ids(|status| status == "Succeeded").await?) else { return Ok(()) };
        let stage = self.plan.stages[pick % self.plan.stages.len()].name();
        self.ledger.note(Fact::RollbackAsked { pipeline });
        let input = json!({"pipelineName": pipeline, "stageName": stage, "targetPipelineExecutionId": target});
        if let Ok(answer) = self.api.ask(PIPELINE, "RollbackStage", &input).await {
            self.ledger.note(Fact::RolledBack { pipeline, execution: text(&answer["pipelineExecutionId"]) });
        }
        Ok(())
    }

    async fn close(&mut self, pick: usize) -> anyhow::Result<()> {
        let stage = self.plan.stages[pick % self.plan.stages.len()].name();
        if self.closed.is_none() {
            self.turn(stage, false).await?;
            self.closed = Some(stage);
        }
        Ok(())
    }

    /// Opens the transition that is closed; before, it must still be so.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        let Some(stage) = self.closed else { return Ok(()) };
        anyhow::ensure!(
            !self.is_open(stage).await?,
            "acknowledged, then lost: {} is closed before {stage}",
            self.plan.name
        );
        self.turn(stage, true).await?;
        self.closed = None;
        anyhow::ensure!(
            self.is_open(stage).await?,
            "acknowledged, then lost: {} is open before {stage}",
            self.plan.name
        );
        Ok(())
    }

    async fn turn(&mut self, stage: &'static str, open: bool) -> anyhow::Result<()> {
        let pipeline = self.plan.name;
        let mut input = json!({"pipelineName": pipeline, "stageName": stage, "transitionType": "Inbound"});
        let operation = if open { "EnableStageTransition" } else { "DisableStageTransition" };
        if !open {
            input["reason"] = json!("soak");
        }
        self.api.insist(PIPELINE, operation, &input).await?;
        self.ledger.note(Fact::Transition { pipeline, stage, open });
        Ok(())
    }

    async fn is_open(&mut self, stage: &str) -> anyhow::Result<bool> {
        let state = self.api.insist(PIPELINE, "GetPipelineState", &json!({"name": self.plan.name})).await?;
        let stages = state["stageStates"].as_array().cloned().unwrap_or_default();
        let found = stages.iter().find(|state| state["stageName"] == stage);
        Ok(found.is_some_and(|state| state["inboundTransitionState"]["enabled"] == json!(true)))
    }

    /// The executions that go on.
    pub(super) async fn active(&mut self) -> anyhow::Result<Vec<String>> {
        self.ids(|status| matches!(status, "InProgress" | "Stopping")).await
    }

    /// Of the latest executions those with such a status.
    async fn ids(&mut self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
        let input = json!({"pipelineName": self.plan.name, "maxResults": 40});
        let answer = self.api.insist(PIPELINE, "ListPipelineExecutions", &input).await?;
        let all = answer["pipelineExecutionSummaries"].as_array().cloned().unwrap_or_default();
        let wanted = all.iter().filter(|execution| wanted(execution["status"].as_str().unwrap_or_default()));
        Ok(wanted.map(|execution| text(&execution["pipelineExecutionId"])).collect())
    }

    /// After the kills: opens and approves until nothing goes on.
    ///
    /// # Errors
    /// Something still goes on at `deadline`.
    pub(super) async fn come_to_rest(&mut self, deadline: Instant) -> anyhow::Result<()> {
        self.open().await?;
        loop {
            let active = self.active().await?;
            if active.is_empty() {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "executions of {} do not end: {active:?}", self.plan.name);
            self.answer(true).await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

/// The text of a JSON value, empty if it is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn picked(number: usize, of: &[String]) -> Option<String> {
    of.get(number.checked_rem(of.len())?).cloned()
}
