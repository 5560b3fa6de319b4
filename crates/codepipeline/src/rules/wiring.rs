//! Whether a pipeline's actions hang together: artifacts and variables come from earlier actions, and names are unique.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{Action, Definition, Stage};
use super::invalid::Invalid;
use super::variables::{RESERVED_NAMESPACES, Reference, references};

/// When an action runs: its stage's position, then its run order. Equal means together.
type Moment = (usize, i32);

/// Checks artifacts, namespaces and variable references.
///
/// # Errors
/// The first broken rule.
pub fn check_wiring(definition: &Definition) -> Result<(), Invalid> {
    let made = outputs(definition)?;
    let named = namespaces(definition, &made)?;
    for (index, _, action) in definition.actions() {
        let now = (index, action.run_order);
        check_inputs(action, now, &made)?;
        check_references(definition, action, now, &named)?;
    }
    Ok(())
}

fn outputs(definition: &Definition) -> Result<BTreeMap<&str, Moment>, Invalid> {
    let mut made = BTreeMap::new();
    for (index, _, action) in definition.actions() {
        for output in &action.outputs {
            if made.insert(output.as_str(), (index, action.run_order)).is_some() {
                let text = format!(
                    "Output Artifact Bundle name must be unique within the pipeline. {output} has been used more than once."
                );
                return Err(Invalid::structure(text));
            }
        }
    }
    Ok(made)
}

fn check_inputs(action: &Action, now: Moment, made: &BTreeMap<&str, Moment>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for input in &action.inputs {
        if !seen.insert(input) {
            return Err(Invalid::action(format!(
                "Input Artifact Bundle {input} is declared more than once in action {}",
                action.name
            )));
        }
        if made.get(input.as_str()).is_none_or(|moment| *moment >= now) {
            let text = format!(
                "Input Artifact Bundle {input} in action {} is not declared as an Output Artifact Bundle in any of the preceding actions",
                action.name
            );
            return Err(Invalid::action(text));
        }
    }
    Ok(())
}

fn namespaces<'a>(
    definition: &'a Definition,
    made: &BTreeMap<&str, Moment>,
) -> Result<BTreeMap<&'a str, Moment>, Invalid> {
    let mut named: BTreeMap<&str, (Moment, &Stage, &Action)> = BTreeMap::new();
    for (index, stage, action) in definition.actions() {
        let Some(namespace) = action.namespace.as_deref() else { continue };
        if RESERVED_NAMESPACES.contains(&namespace) {
            return Err(Invalid::action(format!("Namespace {namespace} of action {} is reserved", action.name)));
        }
        if made.contains_key(namespace) {
            let text = format!("Namespace {namespace} of action {} must not be the name of an artifact", action.name);
            return Err(Invalid::action(text));
        }
        if let Some((_, other_stage, other)) = named.insert(namespace, ((index, action.run_order), stage, action)) {
            return Err(Invalid::structure(repeated(namespace, &[(other_stage, other), (stage, action)])));
        }
    }
    Ok(named.into_iter().map(|(namespace, (moment, _, _))| (namespace, moment)).collect())
}

fn repeated(namespace: &str, places: &[(&Stage, &Action)]) -> String {
    let place = |(stage, action): &(&Stage, &Action)| {
        format!(" StageName=[{}], ActionName=[{}], Namespace=[{namespace}]", stage.name, action.name)
    };
    let places: String = places.iter().map(place).collect::<Vec<_>>().join(",");
    format!(
        "Namespaces must be unique across the pipeline definition. The following occur more than once in the pipeline.{places}"
    )
}

fn check_references(
    definition: &Definition,
    action: &Action,
    now: Moment,
    named: &BTreeMap<&str, Moment>,
) -> Result<(), Invalid> {
    let texts = action.configuration.values().chain(&action.commands);
    for reference in texts.flat_map(|text| references(text)) {
        if !is_known(definition, action, &reference, now, named) {
            let text = format!(
                "Variable {reference} in action {} is not valid: its namespace must be that of an action in an earlier stage or of a lower runOrder",
                action.name
            );
            return Err(Invalid::action(text));
        }
    }
    Ok(())
}

fn is_known(
    definition: &Definition,
    action: &Action,
    reference: &Reference,
    now: Moment,
    named: &BTreeMap<&str, Moment>,
) -> bool {
    match reference.namespace.as_str() {
        "codepipeline" => reference.key == "PipelineExecutionId",
        "variables" => {
            action.kind.category != "Source"
                && definition.variables.iter().any(|variable| variable.name == reference.key)
        }
        namespace => named.get(namespace).is_some_and(|moment| *moment < now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::Variable;
    use super::super::samples::{build, deploy, pipeline, source, stage};
    use super::*;

    fn refusal(definition: &Definition) -> String {
        check_wiring(definition).expect_err("should be refused").text
    }

    #[test]
    fn an_artifact_has_one_maker() {
        let mut definition = pipeline();
        definition.stages[1].actions.push(build("Second", "Code", "Built"));
        assert!(refusal(&definition).contains("Built has been used more than once"));
    }

    #[test]
    fn an_input_comes_from_an_earlier_stage_or_a_lower_run_order() {
        let mut definition = pipeline();
        definition.stages[1].actions.push(build("Package", "Built", "Packed"));
        assert!(refusal(&definition).contains("Built in action Package"), "equal run order is not enough");
        definition.stages[1].actions[1].run_order = 2;
        assert_eq!(check_wiring(&definition), Ok(()));
        definition.stages[2].actions[0].inputs = vec!["Code".into()];
        assert_eq!(check_wiring(&definition), Ok(()), "any earlier stage will do");
        definition.stages[2].actions[0].inputs = vec!["Nothing".into()];
        assert!(refusal(&definition).contains("Nothing"));
    }

    #[test]
    fn namespaces_are_unique_and_neither_reserved_nor_artifacts() {
        let mut definition = pipeline();
        definition.stages[0].actions[0].namespace = Some("N".into());
        definition.stages[1].actions[0].namespace = Some("N".into());
        assert_eq!(
            refusal(&definition),
            "Namespaces must be unique across the pipeline definition. The following occur more than once in the pipeline. \
             StageName=[Source], ActionName=[Git], Namespace=[N], StageName=[Build], ActionName=[Compile], Namespace=[N]"
        );
        for taken in ["codepipeline", "variables", "Built"] {
            definition.stages[1].actions[0].namespace = Some(taken.into());
            assert!(refusal(&definition).contains(taken), "{taken}");
        }
    }

    #[test]
    fn a_reference_points_backwards() {
        let mut definition = Definition { variables: vec![Variable { name: "v".into(), default: None }], ..pipeline() };
        definition.stages[0].actions[0].namespace = Some("Src".into());
        for (text, accepted) in [
            ("#{Src.CommitId}", true),
            ("#{codepipeline.PipelineExecutionId}", true),
            ("#{codepipeline.Other}", false),
            ("#{variables.v}", true),
            ("#{variables.w}", false),
            ("#{Later.X}", false),
            ("plain", true),
        ] {
            definition.stages[1].actions[0].configuration.insert("EnvironmentVariables".into(), text.into());
            assert_eq!(check_wiring(&definition).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn sources_know_no_pipeline_variables() {
        let mut git = source("Git", "Code");
        git.configuration.insert("BranchName".into(), "#{variables.v}".into());
        let stages = vec![stage("Source", vec![git]), stage("Deploy", vec![deploy("D", "Code")])];
        let variables = vec![Variable { name: "v".into(), default: None }];
        assert!(refusal(&Definition { stages, variables, ..pipeline() }).contains("#{variables.v}"));
    }
}
