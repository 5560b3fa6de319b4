//! What StartPipelineExecution may ask for.

use std::collections::BTreeMap;

use super::definition::Definition;

/// A source revision asked for instead of the latest one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RevisionOverride {
    /// The source action.
    pub action: String,
    /// `COMMIT_ID`, `S3_OBJECT_VERSION_ID`, …
    pub kind: String,
    /// The revision.
    pub value: String,
}

/// The values of the pipeline's variables for one execution: as given, else their defaults.
///
/// # Errors
/// The text of a `ValidationException`: a variable that the pipeline does not declare, or one without any value.
pub fn pipeline_variables(
    definition: &Definition,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let declared = |name: &String| definition.variables.iter().any(|variable| variable.name == *name);
    if let Some(unknown) = given.keys().find(|name| !declared(name)) {
        return Err(format!("Variable '{unknown}' is not declared in pipeline '{}'", definition.name));
    }
    let value = |variable: &super::definition::Variable| {
        let value = given.get(&variable.name).or(variable.default.as_ref()).cloned();
        value.map(|value| (variable.name.clone(), value)).ok_or_else(|| {
            format!(
                "Variable '{}' has no default value: a value must be given when the execution is started",
                variable.name
            )
        })
    };
    definition.variables.iter().map(value).collect()
}

/// Checks the revisions asked for against the pipeline's source actions.
///
/// # Errors
/// The text of a `ValidationException`.
pub fn check_overrides(definition: &Definition, overrides: &[RevisionOverride]) -> Result<(), String> {
    if !overrides.is_empty() && definition.pipeline_type() == "V1" {
        return Err("Source revision overrides can only be used with V2 pipelines".to_owned());
    }
    for (index, wanted) in overrides.iter().enumerate() {
        if overrides[..index].iter().any(|other| other.action == wanted.action) {
            return Err(format!("Source action '{}' has more than one revision override", wanted.action));
        }
        let source = definition.stages.first().and_then(|stage| definition.action(&stage.name, &wanted.action));
        let Some(source) = source else {
            return Err(format!("Pipeline '{}' has no source action named '{}'", definition.name, wanted.action));
        };
        let fits = match wanted.kind.as_str() {
            "COMMIT_ID" => source.kind.provider != "S3" && source.kind.provider != "ECR",
            "S3_OBJECT_VERSION_ID" => source.kind.provider == "S3",
            "S3_OBJECT_KEY" => {
                source.kind.provider == "S3" && source.setting("AllowOverrideForS3ObjectKey") == Some("true")
            }
            "IMAGE_DIGEST" => source.kind.provider == "ECR",
            _ => false,
        };
        if !fits {
            let (kind, provider) = (&wanted.kind, &source.kind.provider);
            return Err(format!(
                "Revision type {kind} cannot be used with source action '{}' of provider {provider}",
                source.name
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Action, ActionKind, Stage, Variable};
    use super::*;

    fn definition() -> Definition {
        let action = |name: &str, provider: &str| Action {
            name: name.into(),
            kind: ActionKind {
                category: "Source".into(),
                owner: "AWS".into(),
                provider: provider.into(),
                version: "1".into(),
            },
            ..Action::default()
        };
        Definition {
            name: "p".into(),
            variables: vec![
                Variable { name: "stage".into(), default: Some("beta".into()) },
                Variable { name: "ticket".into(), default: None },
            ],
            stages: vec![Stage {
                name: "Source".into(),
                actions: vec![action("Git", "CodeCommit"), action("Bucket", "S3")],
                ..Stage::default()
            }],
            ..Definition::default()
        }
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn given_values_win_over_defaults() {
        let values = pipeline_variables(&definition(), &given(&[("ticket", "T-1"), ("stage", "prod")])).unwrap();
        assert_eq!(values, given(&[("stage", "prod"), ("ticket", "T-1")]));
        let values = pipeline_variables(&definition(), &given(&[("ticket", "T-1")])).unwrap();
        assert_eq!(values["stage"], "beta");
    }

    #[test]
    fn unknown_and_missing_variables_are_refused() {
        let unknown = pipeline_variables(&definition(), &given(&[("tickt", "T-1")])).unwrap_err();
        assert!(unknown.contains("'tickt' is not declared"), "{unknown}");
        let missing = pipeline_variables(&definition(), &given(&[])).unwrap_err();
        assert!(missing.contains("'ticket' has no default value"), "{missing}");
    }

    #[test]
    fn overrides_must_fit_their_source() {
        let wanted =
            |action: &str, kind: &str| RevisionOverride { action: action.into(), kind: kind.into(), value: "x".into() };
        for (overrides, refused) in [
            (vec![], None),
            (vec![wanted("Git", "COMMIT_ID"), wanted("Bucket", "S3_OBJECT_VERSION_ID")], None),
            (vec![wanted("Nope", "COMMIT_ID")], Some("no source action named 'Nope'")),
            (vec![wanted("Git", "IMAGE_DIGEST")], Some("IMAGE_DIGEST cannot be used")),
            (vec![wanted("Bucket", "S3_OBJECT_KEY")], Some("S3_OBJECT_KEY cannot be used")),
            (vec![wanted("Git", "COMMIT_ID"), wanted("Git", "COMMIT_ID")], Some("more than one")),
        ] {
            let answer = check_overrides(&definition(), &overrides);
            match refused {
                None => assert_eq!(answer, Ok(())),
                Some(text) => assert!(answer.clone().unwrap_err().contains(text), "{answer:?}"),
            }
        }
    }

    #[test]
    fn a_v1_pipeline_takes_no_overrides() {
        let v1 = Definition { variables: vec![], ..definition() };
        let wanted = RevisionOverride { action: "Git".into(), kind: "COMMIT_ID".into(), value: "x".into() };
        assert!(check_overrides(&v1, &[wanted]).unwrap_err().contains("V2"));
    }
}
