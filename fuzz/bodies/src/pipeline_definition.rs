//! `codepipeline::rules`, and the file of `landfall run --pipeline`: definitions of pipelines.
//!
//! Held: what the file says is read again as it is written; a definition that is sound has stages, actions and sources in
//! their bounds, and stays sound; what is not is refused in words.

use aws::codepipeline::PipelineDeclaration;
use codepipeline::rules::definition::Definition;
use codepipeline::rules::structure::check_definition;

#[path = "../../../crates/landfall/src/run/pipeline/document.rs"]
mod document;

/// The body: JSON or YAML.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(declaration) = document::parse(text) {
        let written = serde_json::to_string(&declaration).unwrap();
        assert_eq!(document::parse(&written).as_ref(), Ok(&declaration), "{written}");
        check(&declaration);
    }
    if let Ok(declaration) = serde_json::from_str::<PipelineDeclaration>(text) {
        check(&declaration);
    }
}

fn check(declaration: &PipelineDeclaration) {
    let definition = Definition::read(declaration);
    let checked = check_definition(&definition, "eu-west-1");
    assert_eq!(check_definition(&definition, "eu-west-1").is_ok(), checked.is_ok());
    if checked.is_ok() {
        assert!((2..=50).contains(&definition.stages.len()));
        assert!(definition.stages.iter().all(|stage| (1..=50).contains(&stage.actions.len())));
        let sources = definition.stages[0].actions.iter().filter(|action| action.kind.category == "Source").count();
        assert!(sources > 0);
        for stage in &definition.stages {
            assert_eq!(definition.stage(&stage.name), Some(stage), "names of stages are unique");
            for action in &stage.actions {
                assert_eq!(definition.action(&stage.name, &action.name), Some(action), "names of actions are unique");
            }
        }
    }
}
