//! A pipeline's definition as people keep it: JSON or YAML. Read here for the runs, and in `fuzz/bodies`.

use aws::codepipeline::PipelineDeclaration;
use serde_json::Value;

/// Reads a definition, as `get-pipeline` answers it or as `create-pipeline` takes it; the error says what is wrong and where.
pub(super) fn parse(text: &str) -> Result<PipelineDeclaration, String> {
    let mut document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut pipeline = match document.get_mut("pipeline") {
        Some(inner) => inner.take(),
        None => document,
    };
    if !pipeline["stages"].is_array() {
        return Err(
            "it has no stages, so it is no pipeline's definition; `aws codepipeline get-pipeline --name NAME` \
                    writes one"
                .to_owned(),
        );
    }
    texts(&mut pipeline);
    serde_json::from_value(pipeline).map_err(|error| error.to_string())
}

/// YAML's numbers and flags where AWS wants text. What is not of a pipeline's form is left to whoever reads it.
fn texts(pipeline: &mut Value) {
    let text = |value: &mut Value| {
        if value.is_number() || value.is_boolean() {
            *value = value.to_string().into();
        }
    };
    for action in listed(Some(pipeline), "stages").flat_map(|stage| listed(Some(stage), "actions")) {
        action.pointer_mut("/actionTypeId/version").into_iter().for_each(text);
        let settings = action.get_mut("configuration").and_then(Value::as_object_mut);
        settings.into_iter().flatten().for_each(|(_, value)| text(value));
    }
}

/// The items of a member that is a list.
fn listed<'v>(value: Option<&'v mut Value>, member: &str) -> impl Iterator<Item = &'v mut Value> {
    value.and_then(|value| value.get_mut(member)?.as_array_mut()).into_iter().flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_read_too_and_what_is_no_pipeline_is_refused() {
        let text = "name: p\nstages:\n  - name: S\n    actions:\n      - name: A\n        actionTypeId: {category: Source, owner: AWS, provider: S3, version: 1}\n        configuration: {S3Bucket: b, PollForSourceChanges: false}\n";
        let stages = parse(text).unwrap().stages.unwrap();
        let action = stages[0].actions.as_ref().unwrap()[0].clone();
        assert_eq!(action.configuration.unwrap()["PollForSourceChanges"], "false");
        assert_eq!(action.action_type_id.unwrap().version.as_deref(), Some("1"));
        assert!(parse("{\"Resources\": {}}").unwrap_err().contains("get-pipeline"));
        assert!(parse("{\"stages\": [").is_err());
    }

    #[test]
    fn what_is_written_in_the_wrong_place_is_refused_in_words() {
        for text in [
            "stages: [Source, Build]",
            "stages: [{name: S, actions: [Deploy]}]",
            "stages: [{name: S, actions: [{name: A, actionTypeId: S3}]}]",
            "stages: [{name: S, actions: {name: A}}]",
        ] {
            assert!(parse(text).unwrap_err().contains("must be"), "{text}: {:?}", parse(text));
        }
    }
}
