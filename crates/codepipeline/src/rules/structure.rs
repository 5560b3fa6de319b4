//! Whether a pipeline as a whole is well formed: its stages, stores and type. CreatePipeline and UpdatePipeline check this
//! after the fields' own constraints (user guide, "Pipeline structure reference").

use std::collections::BTreeSet;

use super::declaration::check_action;
use super::definition::{Definition, ExecutionMode, OnFailure, Stage};
use super::invalid::Invalid;
use super::wiring::check_wiring;

/// Most stages of a pipeline (user guide, "Quotas").
const STAGES: usize = 50;
/// Most actions of a stage.
const ACTIONS: usize = 50;

/// Checks all of a definition for a pipeline that lives in `region`.
///
/// # Errors
/// The first broken rule.
pub fn check_definition(definition: &Definition, region: &str) -> Result<(), Invalid> {
    check_stages(definition)?;
    check_sources(definition)?;
    check_type(definition)?;
    check_stores(definition, region)?;
    check_failures(definition)?;
    for (_, _, action) in definition.actions() {
        check_action(action, region)?;
    }
    check_wiring(definition)
}

fn check_stages(definition: &Definition) -> Result<(), Invalid> {
    let count = definition.stages.len();
    if count < 2 {
        let text = format!("Pipeline has only {count} stage(s). There should be a minimum of 2 stages in a pipeline");
        return Err(Invalid::structure(text));
    }
    if count > STAGES {
        let text = format!("Pipeline has {count} stages. There should be a maximum of {STAGES} stages in a pipeline");
        return Err(Invalid::structure(text));
    }
    let mut names = BTreeSet::new();
    for stage in &definition.stages {
        if !names.insert(&stage.name) {
            return Err(Invalid::stage(format!(
                "Stage names must be unique within a pipeline. {} has been used more than once",
                stage.name
            )));
        }
        check_stage(stage)?;
    }
    Ok(())
}

fn check_stage(stage: &Stage) -> Result<(), Invalid> {
    let Stage { name, actions, .. } = stage;
    if actions.is_empty() || actions.len() > ACTIONS {
        let text = format!(
            "Stage {name} has {} actions. A stage must have at least 1 and at most {ACTIONS} actions",
            actions.len()
        );
        return Err(Invalid::stage(text));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = actions.iter().find(|action| !names.insert(&action.name)) {
        let text = format!(
            "Action names must be unique within a stage. {} has been used more than once in stage {name}",
            twice.name
        );
        return Err(Invalid::action(text));
    }
    if stage.has_blockers {
        return Err(Invalid::blocker(format!(
            "Stage {name} declares blockers, which are reserved for future use. Leave them out"
        )));
    }
    // AWS evaluates these. Accepting them without would let an execution pass a gate that its author relies upon.
    if let Some(condition) = stage.conditions.first() {
        let text = format!("Stage {name} declares {condition}, which this server does not evaluate yet. Leave it out");
        return Err(Invalid::stage(text));
    }
    Ok(())
}

fn check_sources(definition: &Definition) -> Result<(), Invalid> {
    let (first, rest) = definition.stages.split_at(1.min(definition.stages.len()));
    let is_source = |action: &super::definition::Action| action.kind.category == "Source";
    if !first.iter().flat_map(|stage| &stage.actions).all(is_source) {
        return Err(Invalid::structure("Pipeline should start with a stage that only contains source actions"));
    }
    for stage in rest {
        if let Some(action) = stage.actions.iter().find(|action| is_source(action)) {
            let text = format!(
                "Source action {} in stage {} is not allowed: only the first stage may contain source actions",
                action.name, stage.name
            );
            return Err(Invalid::structure(text));
        }
    }
    Ok(())
}

/// What a stage can do by itself when it has failed (user guide, "Configure stage rollback" and "Configure stage retry").
fn check_failures(definition: &Definition) -> Result<(), Invalid> {
    for (index, stage) in definition.stages.iter().enumerate() {
        let name = &stage.name;
        let text = match &stage.on_failure {
            Some(OnFailure::RollBack) if index == 0 => {
                format!("Stage {name} is the source stage, which cannot be rolled back: onFailure cannot be ROLLBACK")
            }
            Some(OnFailure::RollBack) if definition.mode == ExecutionMode::Parallel => {
                format!("Stage {name} declares onFailure ROLLBACK, which is not possible in PARALLEL execution mode")
            }
            Some(OnFailure::Other(result)) => {
                format!("Stage {name} declares the onFailure result {result}. It must be ROLLBACK or RETRY")
            }
            _ => continue,
        };
        return Err(Invalid::stage(text));
    }
    Ok(())
}

fn check_type(definition: &Definition) -> Result<(), Invalid> {
    if definition.declared_type.as_deref() != Some("V1") || !definition.needs_v2() {
        return Ok(());
    }
    let mode = definition.mode.api();
    let text = match mode {
        "SUPERSEDED" => "Variables, triggers and stage conditions can only be used with V2 pipelines".to_owned(),
        _ => format!("{mode} execution mode can only be used with V2 pipelines"),
    };
    Err(Invalid::structure(text))
}

fn check_stores(definition: &Definition, region: &str) -> Result<(), Invalid> {
    match (&definition.store, definition.stores.is_empty()) {
        (Some(_), false) => {
            Err(Invalid::structure("Pipeline must have either artifactStore or artifactStores, not both"))
        }
        (None, true) => Err(Invalid::structure(
            "Pipeline must have an artifactStore, or artifactStores with one for each region that has an action",
        )),
        (Some(_), true) => {
            let elsewhere = definition
                .actions()
                .find(|(_, _, action)| action.region.as_deref().is_some_and(|other| other != region));
            elsewhere.map_or(Ok(()), |(_, _, action)| {
                let other = action.region.as_deref().unwrap_or_default();
                Err(Invalid::structure(format!(
                    "Action {} is in region {other}: artifactStores must be used and contain {other}",
                    action.name
                )))
            })
        }
        (None, false) => {
            let used = definition.actions().map(|(_, _, action)| action.region.as_deref().unwrap_or(region));
            let missing = std::iter::once(region).chain(used).find(|region| !definition.stores.contains_key(*region));
            missing.map_or(Ok(()), |region| {
                Err(Invalid::structure(format!("artifactStores must contain a store for region {region}")))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::invalid::InvalidKind;
    use super::super::retry::RetryMode;
    use super::super::samples::{build, deploy, pipeline, source, stage};
    use super::*;

    fn refused(definition: &Definition) -> (InvalidKind, String) {
        let invalid = check_definition(definition, "us-east-1").expect_err("should be refused");
        (invalid.kind, invalid.text)
    }

    #[test]
    fn a_plain_pipeline_is_well_formed() {
        assert_eq!(check_definition(&pipeline(), "us-east-1"), Ok(()));
    }

    #[test]
    fn one_stage_is_not_enough() {
        let mut definition = pipeline();
        definition.stages.truncate(1);
        let text = "Pipeline has only 1 stage(s). There should be a minimum of 2 stages in a pipeline";
        assert_eq!(refused(&definition), (InvalidKind::Structure, text.into()));
    }

    #[test]
    fn sources_come_first_and_only_there() {
        let mut definition = pipeline();
        definition.stages.swap(0, 1);
        assert_eq!(refused(&definition).1, "Pipeline should start with a stage that only contains source actions");
        let mut definition = pipeline();
        definition.stages[1].actions.push(source("Again", "Other"));
        assert_eq!(refused(&definition).0, InvalidKind::Structure);
    }

    #[test]
    fn names_are_unique_in_their_place() {
        let mut definition = pipeline();
        definition.stages.push(stage("Build", vec![deploy("Again", "Built")]));
        assert_eq!(refused(&definition).0, InvalidKind::Stage);
        let mut definition = pipeline();
        definition.stages[2].actions.push(deploy("Deploy", "Built"));
        assert_eq!(refused(&definition).0, InvalidKind::Action);
        let mut definition = pipeline();
        definition.stages.push(stage("Test", vec![build("Deploy", "Built", "Tested")]));
        assert_eq!(check_definition(&definition, "us-east-1"), Ok(()), "the same action name in another stage is fine");
    }

    #[test]
    fn what_v2_pipelines_have_is_refused_of_a_declared_v1() {
        let queued = Definition { mode: super::super::definition::ExecutionMode::Queued, ..pipeline() };
        assert_eq!(queued.pipeline_type(), "V2");
        assert_eq!(check_definition(&queued, "us-east-1"), Ok(()));
        let v1 = Definition { declared_type: Some("V1".into()), ..queued };
        assert_eq!(refused(&v1).1, "QUEUED execution mode can only be used with V2 pipelines");
    }

    #[test]
    fn a_failed_stage_rolls_back_or_is_retried() {
        let failing = |index: usize, on_failure: OnFailure| {
            let mut definition = pipeline();
            definition.stages[index].on_failure = Some(on_failure);
            definition
        };
        for accepted in [OnFailure::RollBack, OnFailure::Retry(RetryMode::AllActions)] {
            let definition = failing(2, accepted);
            assert_eq!(definition.pipeline_type(), "V2");
            assert_eq!(check_definition(&definition, "us-east-1"), Ok(()));
        }
        assert_eq!(check_definition(&failing(0, OnFailure::Retry(RetryMode::FailedActions)), "us-east-1"), Ok(()));
        assert!(refused(&failing(0, OnFailure::RollBack)).1.contains("source stage"));
        assert!(refused(&failing(1, OnFailure::Other("SKIP".into()))).1.contains("SKIP"));
        let parallel = Definition { mode: ExecutionMode::Parallel, ..failing(2, OnFailure::RollBack) };
        assert!(refused(&parallel).1.contains("PARALLEL"));
    }

    #[test]
    fn blockers_and_conditions_are_refused_by_name() {
        let mut definition = pipeline();
        definition.stages[1].has_blockers = true;
        assert_eq!(refused(&definition).0, InvalidKind::Blocker);
        let mut definition = pipeline();
        definition.stages[1].conditions = vec!["onFailure"];
        assert!(refused(&definition).1.contains("onFailure"));
    }

    #[test]
    fn one_kind_of_artifact_store_is_declared() {
        let both = Definition { stores: [("us-east-1".to_owned(), "b".to_owned())].into(), ..pipeline() };
        assert!(refused(&both).1.contains("not both"));
        let neither = Definition { store: None, ..pipeline() };
        assert_eq!(refused(&neither).0, InvalidKind::Structure);
        let by_region = Definition { store: None, ..both };
        assert_eq!(check_definition(&by_region, "us-east-1"), Ok(()));
        assert!(check_definition(&by_region, "eu-west-1").unwrap_err().text.contains("eu-west-1"));
    }

    #[test]
    fn an_action_elsewhere_needs_a_store_there() {
        let mut definition = pipeline();
        definition.stages[2].actions[0].region = Some("eu-west-1".into());
        assert!(refused(&definition).1.contains("artifactStores must be used and contain eu-west-1"));
        definition.store = None;
        definition.stores =
            [("us-east-1", "a"), ("eu-west-1", "b")].map(|(region, bucket)| (region.into(), bucket.into())).into();
        assert_eq!(check_definition(&definition, "us-east-1"), Ok(()));
    }
}
