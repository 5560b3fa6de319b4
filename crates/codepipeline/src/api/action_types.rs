//! ListActionTypes: what this server can run. The rest of AWS's catalogue may stand in a pipeline, and fails where it would run.

use aws::codepipeline::error::invalid_next_token_exception;
use aws::codepipeline::{
    ActionConfigurationProperty, ActionType as Shape, ActionTypeId, ActionTypeSettings, ArtifactDetails,
    ListActionTypesInput, ListActionTypesOutput,
};
use kernel::Scope;

use crate::actions::provider;
use crate::error::Failed;
use crate::rules::catalogue::{ActionType, CATALOGUE, Settings};
use crate::rules::definition::ActionKind;
use crate::rules::secrets::is_secret;

/// All of them are one page.
pub(super) fn list_action_types(scope: &Scope, input: ListActionTypesInput) -> Result<ListActionTypesOutput, Failed> {
    if input.next_token.is_some() {
        let text = "The next token was specified in an invalid format: no list of action types has more than one page";
        return Err(invalid_next_token_exception(text).into());
    }
    let here = input.region_filter.is_none_or(|region| region == scope.region);
    let wanted = |kind: &&ActionType| input.action_owner_filter.as_deref().is_none_or(|owner| owner == kind.owner);
    let runs = |kind: &&ActionType| here && provider(&identity(kind)).is_some();
    let types = CATALOGUE.iter().filter(wanted).filter(runs).map(shape).collect();
    Ok(ListActionTypesOutput { action_types: Some(types), next_token: None })
}

fn identity(kind: &ActionType) -> ActionKind {
    ActionKind {
        category: kind.category.to_owned(),
        owner: kind.owner.to_owned(),
        provider: kind.provider.to_owned(),
        version: "1".to_owned(),
    }
}

fn shape(kind: &ActionType) -> Shape {
    let ActionKind { category, owner, provider, version } = identity(kind);
    let optional = match kind.optional {
        Settings::Only(keys) => keys,
        Settings::Open => &[],
    };
    let required = kind.required.iter().map(|key| property(kind, key, true));
    let properties = required.chain(optional.iter().map(|key| property(kind, key, false)));
    Shape {
        id: Some(ActionTypeId {
            category: Some(category),
            owner: Some(owner),
            provider: Some(provider),
            version: Some(version),
        }),
        action_configuration_properties: Some(properties.collect()),
        input_artifact_details: Some(counts(kind.inputs)),
        output_artifact_details: Some(counts(kind.outputs)),
        settings: Some(ActionTypeSettings::default()),
    }
}

fn property(kind: &ActionType, key: &str, required: bool) -> ActionConfigurationProperty {
    ActionConfigurationProperty {
        name: Some(key.to_owned()),
        required: Some(required),
        key: Some(required),
        secret: Some(is_secret(kind.provider, key)),
        queryable: Some(false),
        type_: Some("String".to_owned()),
        description: None,
    }
}

fn counts((least, most): (usize, usize)) -> ArtifactDetails {
    // The catalogue's counts are at most 10.
    let count = |number: usize| i32::try_from(number).ok();
    ArtifactDetails { minimum_count: count(least), maximum_count: count(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(input: ListActionTypesInput) -> Vec<String> {
        let found = list_action_types(&Scope::new("000000000000", "us-east-1"), input).unwrap();
        let name = |id: ActionTypeId| format!("{}/{}", id.category.unwrap(), id.provider.unwrap());
        found.action_types.unwrap().into_iter().map(|kind| name(kind.id.unwrap())).collect()
    }

    #[test]
    fn what_runs_here_is_listed_and_nothing_else() {
        let all = listed(ListActionTypesInput::default());
        assert!(all.contains(&"Approval/Manual".to_owned()) && all.contains(&"Deploy/S3".to_owned()), "{all:?}");
        assert!(!all.contains(&"Deploy/OpsWorks".to_owned()));
        let of = |owner: &str| ListActionTypesInput {
            action_owner_filter: Some(owner.into()),
            ..ListActionTypesInput::default()
        };
        assert_eq!(listed(of("AWS")), all);
        assert_eq!(listed(of("Custom")), [""; 0]);
        let elsewhere = ListActionTypesInput { region_filter: Some("eu-west-1".into()), ..Default::default() };
        assert_eq!(listed(elsewhere), [""; 0]);
    }

    #[test]
    fn an_action_type_tells_its_settings_and_artifacts() {
        let scope = Scope::new("000000000000", "us-east-1");
        let types = list_action_types(&scope, ListActionTypesInput::default()).unwrap().action_types.unwrap();
        let deploy = types.into_iter().find(|kind| {
            let id = kind.id.as_ref().unwrap();
            id.category.as_deref() == Some("Deploy") && id.provider.as_deref() == Some("S3")
        });
        let deploy = deploy.unwrap();
        assert_eq!(deploy.input_artifact_details.unwrap().minimum_count, Some(1));
        let properties = deploy.action_configuration_properties.unwrap();
        let required: Vec<_> =
            properties.iter().filter(|p| p.required == Some(true)).filter_map(|p| p.name.as_deref()).collect();
        assert_eq!(required, ["BucketName", "Extract"]);
    }
}
