//! A pipeline's execution on its way: actions begin and end, builds log, approvals are asked for.

use super::super::call;
use super::super::follow::Tail;
use super::super::interrupts::{Interrupts, reached};
use super::super::screen::{Paint, Screen};
use super::super::session::Session;
use super::approvals::{Answer, Approvals, Question};
use crate::exit::{Interrupted, user_error};
use crate::terminal::mark;
use aws::codebuild::{BatchGetBuildsInput, Build, StopBuildInput};
use aws::codepipeline::{
    ActionExecutionDetail, ActionExecutionFilter, ApprovalResult, GetPipelineExecutionInput, GetPipelineStateInput,
    ListActionExecutionsInput, PutApprovalResultInput, StopPipelineExecutionInput,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often it is looked at: everything is in this process.
const LOOK: Duration = Duration::from_millis(50);
/// What is to stop has this long for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An execution after its end.
pub(super) struct Ended {
    pub(super) status: String,
    /// Its summary, where it says why.
    pub(super) summary: Option<String>,
    /// In the order of their start.
    pub(super) actions: Vec<ActionExecutionDetail>,
    /// The builds by their ids.
    pub(super) builds: BTreeMap<String, Build>,
    pub(super) timed_out: bool,
}

/// An execution that is watched.
pub(super) struct Execution<'e> {
    pub(super) pipeline: String,
    pub(super) id: String,
    pub(super) approvals: &'e Approvals<'e>,
    seen: BTreeMap<String, Seen>,
    asked: BTreeMap<String, oneshot::Receiver<Answer>>,
    deadline: Option<Instant>,
    stopping: Option<Stopping>,
}

/// Why it is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    Interrupted,
    TimedOut,
}

/// What was shown of an action execution.
#[derive(Default)]
struct Seen {
    build: Option<String>,
    tail: Option<Tail>,
    ended: bool,
}

impl<'e> Execution<'e> {
    pub(super) fn new(pipeline: String, id: String, approvals: &'e Approvals<'e>, timeout: Option<Duration>) -> Self {
        Self {
            pipeline,
            id,
            approvals,
            seen: BTreeMap::new(),
            asked: BTreeMap::new(),
            deadline: timeout.map(|time| Instant::now() + time),
            stopping: None,
        }
    }

    /// Follows it to its end.
    ///
    /// # Errors
    /// [`Interrupted`], or ours.
    pub(super) async fn follow(
        &mut self,
        session: &mut Session,
        screen: &mut Screen,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Ended> {
        loop {
            // The status first: what is read after its end is all there is.
            let (status, summary) = self.status(session).await?;
            let actions = self.actions(session).await?;
            for action in &actions {
                self.show(session, action, screen).await?;
            }
            self.give_answers(session, &actions).await?;
            if status != "InProgress" && status != "Stopping" && self.builds_are_complete(session).await? {
                if self.stopping == Some(Stopping::Interrupted) {
                    return Err(Interrupted.into());
                }
                let builds = self.builds(session).await?;
                return Ok(Ended { status, summary, actions, builds, timed_out: self.stopping.is_some() });
            }
            self.wait(session, screen, interrupts).await?;
        }
    }

    async fn status(&self, session: &Session) -> anyhow::Result<(String, Option<String>)> {
        let input = GetPipelineExecutionInput {
            pipeline_name: Some(self.pipeline.clone()),
            pipeline_execution_id: Some(self.id.clone()),
        };
        let found = call(session.services().codepipeline.get_pipeline_execution(&session.caller(), input).await)?;
        let execution = found.pipeline_execution.unwrap_or_default();
        Ok((execution.status.unwrap_or_default(), execution.status_summary))
    }

    /// The action executions, oldest first.
    async fn actions(&self, session: &Session) -> anyhow::Result<Vec<ActionExecutionDetail>> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let input = ListActionExecutionsInput {
                pipeline_name: Some(self.pipeline.clone()),
                filter: Some(ActionExecutionFilter {
                    pipeline_execution_id: Some(self.id.clone()),
                    ..ActionExecutionFilter::default()
                }),
                next_token: token,
                ..ListActionExecutionsInput::default()
            };
            let page = call(session.services().codepipeline.list_action_executions(&session.caller(), input).await)?;
            all.extend(page.action_execution_details.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                all.reverse();
                all.sort_by_key(|action| action.start_time);
                return Ok(all);
            }
        }
    }

    async fn show(
        &mut self,
        session: &Session,
        action: &ActionExecutionDetail,
        screen: &mut Screen,
    ) -> anyhow::Result<()> {
        let id = action.action_execution_id.clone().unwrap_or_default();
        if !self.seen.contains_key(&id) {
            screen.line(&screen.paint(Paint::Bold, &format!("▸ {}", title(action))))?;
            self.seen.insert(id.clone(), Seen::default());
        }
        let Some(seen) = self.seen.get_mut(&id).filter(|seen| !seen.ended) else { return Ok(()) };
        seen.build = build_id(action);
        seen.show_log(session, action.action_name.as_deref().unwrap_or_default(), screen).await?;
        if action.status.as_deref() == Some("InProgress") {
            return self.ask(session, action, screen).await;
        }
        seen.ended = true;
        let status = action.status.as_deref();
        let paint = if status == Some("Succeeded") { Paint::Good } else { Paint::Bad };
        let time = elapsed(action).map(crate::span::said).unwrap_or_default();
        let line = format!("{} {} {} in {time}", mark(status), title(action), status.unwrap_or_default());
        Ok(screen.line(&screen.paint(paint, &line))?)
    }

    /// Asks for an approval that waits.
    async fn ask(
        &mut self,
        session: &Session,
        action: &ActionExecutionDetail,
        screen: &mut Screen,
    ) -> anyhow::Result<()> {
        let kind = action.input.as_ref().and_then(|input| input.action_type_id.as_ref());
        let id = action.action_execution_id.clone().unwrap_or_default();
        if kind.and_then(|kind| kind.category.as_deref()) != Some("Approval") || self.asked.contains_key(&id) {
            return Ok(());
        }
        // It cannot be answered before it has a token.
        if token(session, &self.pipeline, action).await?.is_none() {
            return Ok(());
        }
        let setting = |key: &str| {
            let input = action.input.as_ref()?;
            input.resolved_configuration.as_ref().or(input.configuration.as_ref())?.get(key).cloned()
        };
        let question = Question {
            stage: action.stage_name.clone().unwrap_or_default(),
            action: action.action_name.clone().unwrap_or_default(),
            text: setting("CustomData"),
            link: setting("ExternalEntityLink"),
        };
        if self.approvals.gives(&question.stage, &question.action) {
            screen.say("  approved by --approve");
        }
        self.asked.insert(id, self.approvals.answer(&question));
        Ok(())
    }

    /// Gives the pipeline the answers that have come.
    async fn give_answers(&mut self, session: &Session, actions: &[ActionExecutionDetail]) -> anyhow::Result<()> {
        for action in actions {
            let id = action.action_execution_id.as_deref().unwrap_or_default();
            let Some(Ok(answer)) = self.asked.get_mut(id).map(oneshot::Receiver::try_recv) else { continue };
            let Some(token) = token(session, &self.pipeline, action).await? else { continue };
            let input = PutApprovalResultInput {
                pipeline_name: Some(self.pipeline.clone()),
                stage_name: action.stage_name.clone(),
                action_name: action.action_name.clone(),
                token: Some(token),
                result: Some(ApprovalResult {
                    status: Some(if answer.approved { "Approved" } else { "Rejected" }.to_owned()),
                    summary: Some(answer.summary),
                }),
            };
            call(session.services().codepipeline.put_approval_result(&session.caller(), input).await)?;
        }
        Ok(())
    }

    /// Waits until it is worth to look again.
    async fn wait(
        &mut self,
        session: &mut Session,
        screen: &Screen,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            () = interrupts.next() => {
                if self.stopping == Some(Stopping::Interrupted) {
                    return Err(Interrupted.into());
                }
                screen.say("stopping the pipeline; Ctrl-C again does not wait for it");
                self.stop(session, Stopping::Interrupted).await
            }
            () = reached(self.deadline) => {
                if self.stopping.is_some() {
                    return Err(user_error(format!("the pipeline could not be stopped within {PATIENCE:?}")));
                }
                self.stop(session, Stopping::TimedOut).await
            }
            fault = session.broken() => Err(fault),
        }
    }

    async fn stop(&mut self, session: &Session, why: Stopping) -> anyhow::Result<()> {
        self.stopping = Some(why);
        self.deadline = Some(Instant::now() + PATIENCE);
        let input = StopPipelineExecutionInput {
            pipeline_name: Some(self.pipeline.clone()),
            pipeline_execution_id: Some(self.id.clone()),
            abandon: Some(true),
            reason: Some("landfall run".to_owned()),
        };
        let (services, caller) = (session.services(), session.caller());
        match services.codepipeline.stop_pipeline_execution(&caller, input).await {
            // It has ended by itself, or is about to.
            Err(error) if error.status < 500 => {}
            other => drop(call(other)?),
        }
        for build in self.seen.values().filter_map(|seen| seen.build.clone()) {
            call(services.codebuild.stop_build(&caller, StopBuildInput { id: Some(build) }).await)?;
        }
        Ok(())
    }

    async fn builds_are_complete(&self, session: &Session) -> anyhow::Result<bool> {
        Ok(self.builds(session).await?.values().all(|build| build.build_complete == Some(true)))
    }

    async fn builds(&self, session: &Session) -> anyhow::Result<BTreeMap<String, Build>> {
        let mut builds = BTreeMap::new();
        for id in self.seen.values().filter_map(|seen| seen.build.as_ref()) {
            builds.extend(get_build(session, id).await?.map(|build| (id.clone(), build)));
        }
        Ok(builds)
    }
}

impl Seen {
    async fn show_log(&mut self, session: &Session, action: &str, screen: &mut Screen) -> anyhow::Result<()> {
        let Some(id) = &self.build else { return Ok(()) };
        if self.tail.is_none() {
            let logs = get_build(session, id).await?.and_then(|build| build.logs);
            let place = logs.and_then(|logs| Some((logs.group_name?, logs.stream_name?)));
            self.tail = place.filter(|(group, _)| !group.is_empty()).map(|(group, stream)| Tail::new(&group, &stream));
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        tail.drain(&*session.services().logs, &session.caller(), |event| screen.log(Some(action), event)).await
    }
}

async fn get_build(session: &Session, id: &str) -> anyhow::Result<Option<Build>> {
    let input = BatchGetBuildsInput { ids: Some(vec![id.to_owned()]) };
    let found = call(session.services().codebuild.batch_get_builds(&session.caller(), input).await)?;
    Ok(found.builds.and_then(|builds| builds.into_iter().next()))
}

/// The token of an approval that waits.
async fn token(session: &Session, pipeline: &str, action: &ActionExecutionDetail) -> anyhow::Result<Option<String>> {
    let input = GetPipelineStateInput { name: Some(pipeline.to_owned()) };
    let state = call(session.services().codepipeline.get_pipeline_state(&session.caller(), input).await)?;
    let stage = state.stage_states.into_iter().flatten().find(|stage| stage.stage_name == action.stage_name);
    let states = stage.and_then(|stage| stage.action_states).unwrap_or_default();
    let found = states.into_iter().find(|state| state.action_name == action.action_name);
    Ok(found.and_then(|state| state.latest_execution).and_then(|execution| execution.token))
}

/// `Stage/Action`.
pub(super) fn title(action: &ActionExecutionDetail) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", text(&action.stage_name), text(&action.action_name))
}

/// The build that an action has started.
pub(super) fn build_id(action: &ActionExecutionDetail) -> Option<String> {
    let kind = action.input.as_ref()?.action_type_id.as_ref()?;
    let result = action.output.as_ref()?.execution_result.as_ref()?;
    result.external_execution_id.clone().filter(|_| kind.provider.as_deref() == Some("CodeBuild"))
}

/// From its start to its last change.
pub(super) fn elapsed(action: &ActionExecutionDetail) -> Option<Duration> {
    Some(action.last_update_time?.since(action.start_time?))
}
