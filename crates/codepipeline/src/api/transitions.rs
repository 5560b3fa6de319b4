//! EnableStageTransition and DisableStageTransition.
//!
//! A pipeline's state shows the way into each stage. What leaves a stage enters the next, so that an outbound transition is the
//! next stage's inbound one.

use aws::codepipeline::error::validation_exception;
use aws::codepipeline::{
    DisableStageTransitionInput, DisableStageTransitionOutput, EnableStageTransitionInput, EnableStageTransitionOutput,
    stage_transition_type,
};
use kernel::{Caller, CommitError, crash_point};

use crate::error::{Failed, stage_not_found};
use crate::rules::definition::Definition;
use crate::rules::flow::InboundTransition;
use crate::rules::step::Event;
use crate::run::{ATTEMPTS, Transition};
use crate::service::Service;

/// Which way is changed, and how.
struct Change<'a> {
    pipeline: String,
    stage: String,
    kind: String,
    /// Why it is closed; nothing if it is opened.
    reason: Option<String>,
    caller: &'a Caller,
}

impl Service {
    pub(super) async fn disable_transition(
        &self,
        caller: &Caller,
        input: DisableStageTransitionInput,
    ) -> Result<DisableStageTransitionOutput, Failed> {
        let change = Change {
            pipeline: input.pipeline_name.unwrap_or_default(),
            stage: input.stage_name.unwrap_or_default(),
            kind: input.transition_type.unwrap_or_default(),
            reason: input.reason,
            caller,
        };
        self.change_transition(change).await.map(|()| DisableStageTransitionOutput::default())
    }

    pub(super) async fn enable_transition(
        &self,
        caller: &Caller,
        input: EnableStageTransitionInput,
    ) -> Result<EnableStageTransitionOutput, Failed> {
        let change = Change {
            pipeline: input.pipeline_name.unwrap_or_default(),
            stage: input.stage_name.unwrap_or_default(),
            kind: input.transition_type.unwrap_or_default(),
            reason: None,
            caller,
        };
        self.change_transition(change).await.map(|()| EnableStageTransitionOutput::default())
    }

    async fn change_transition(&self, change: Change<'_>) -> Result<(), Failed> {
        let scope = change.caller.scope();
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(&scope, &change.pipeline).await?;
            let mut transition = self.transition(&scope, pipeline).await?;
            let Some(definition) = transition.definition().cloned() else {
                return Err(Failed::missing("a pipeline's structure"));
            };
            let stage = entered_stage(&definition, &change)?;
            apply(&mut transition, &change, stage);
            crash_point!("codepipeline_before_transition");
            match self.commit(&scope, transition, |batch| batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }
}

/// The stage that the transition leads into.
fn entered_stage(definition: &Definition, change: &Change<'_>) -> Result<String, Failed> {
    let Change { pipeline, stage, kind, .. } = change;
    let index = definition.stages.iter().position(|candidate| candidate.name == *stage);
    let index = index.ok_or_else(|| stage_not_found(pipeline, stage))?;
    let outbound = kind == stage_transition_type::OUTBOUND;
    if !outbound && index == 0 {
        let text = format!("Stage '{stage}' is the first of pipeline '{pipeline}': no transition leads into it");
        return Err(validation_exception(text).into());
    }
    let entered = definition.stages.get(index + usize::from(outbound)).map(|stage| stage.name.clone());
    entered.ok_or_else(|| {
        let text = format!("Stage '{stage}' is the last of pipeline '{pipeline}': no transition leads out of it");
        validation_exception(text).into()
    })
}

/// Closes or opens the way; an opened one lets in whoever waits. Doing so again only changes who did it last, and why.
fn apply(transition: &mut Transition, change: &Change<'_>, stage: String) {
    let state = InboundTransition {
        disabled: change.reason.clone(),
        changed_by: change.caller.arn(),
        changed_at: transition.now(),
    };
    let waiting = transition.pipeline.board.lanes.get(&stage).map(|lane| lane.inbound.clone()).unwrap_or_default();
    transition.apply(Event::TransitionChanged { stage, transition: state });
    if change.reason.is_none() {
        for execution in waiting {
            transition.apply(Event::TurnAsked { execution });
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::Scope;

    use super::*;
    use crate::rules::definition::Stage;

    #[test]
    fn what_leaves_a_stage_enters_the_next() {
        let stage = |name: &str| Stage { name: name.into(), ..Stage::default() };
        let definition = Definition { stages: vec![stage("A"), stage("B"), stage("C")], ..Definition::default() };
        let caller = Caller::root(&Scope::new("000000000000", "us-east-1"), "r");
        let entered = |stage: &str, kind: &str| {
            let (stage, kind) = (stage.to_owned(), kind.to_owned());
            let change = Change { pipeline: "p".into(), stage, kind, reason: None, caller: &caller };
            entered_stage(&definition, &change).map_err(|refused| aws::Error::from(refused).code.to_string())
        };
        assert_eq!(entered("B", "Inbound"), Ok("B".to_owned()));
        assert_eq!(entered("B", "Outbound"), Ok("C".to_owned()));
        assert_eq!(entered("A", "Outbound"), Ok("B".to_owned()));
        assert_eq!(entered("A", "Inbound"), Err("ValidationException".to_owned()));
        assert_eq!(entered("C", "Outbound"), Err("ValidationException".to_owned()));
        assert_eq!(entered("D", "Inbound"), Err("StageNotFoundException".to_owned()));
    }
}
