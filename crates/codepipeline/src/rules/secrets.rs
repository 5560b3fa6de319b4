//! Settings that are secrets: sealed in the store, masked in answers.

use aws::codepipeline::PipelineDeclaration;

/// What answers show in a secret's place.
pub const MASK: &str = "****";

/// Secret settings by provider.
const SECRETS: [(&str, &str); 1] = [("GitHub", "OAuthToken")];

/// Whether a provider's setting is a secret.
#[must_use]
pub fn is_secret(provider: &str, setting: &str) -> bool {
    SECRETS.contains(&(provider, setting))
}

/// A secret's place in a declaration: stage, action and setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// The stage's name.
    pub stage: String,
    /// The action's name.
    pub action: String,
    /// The setting's key.
    pub setting: &'static str,
}

/// Replaces each secret of a declaration by what `change` makes of it.
///
/// # Errors
/// The first error of `change`.
pub fn change_secrets<E>(
    declaration: &mut PipelineDeclaration,
    mut change: impl FnMut(&SecretPlace, &str) -> Result<String, E>,
) -> Result<(), E> {
    for stage in declaration.stages.iter_mut().flatten() {
        let stage_name = stage.name.clone().unwrap_or_default();
        for action in stage.actions.iter_mut().flatten() {
            let provider = action.action_type_id.as_ref().and_then(|kind| kind.provider.clone()).unwrap_or_default();
            let Some((_, setting)) = SECRETS.iter().find(|(of, _)| *of == provider) else { continue };
            let action_name = action.name.clone().unwrap_or_default();
            if let Some(value) = action.configuration.as_mut().and_then(|settings| settings.get_mut(*setting)) {
                let place = SecretPlace { stage: stage_name.clone(), action: action_name, setting };
                *value = change(&place, value)?;
            }
        }
    }
    Ok(())
}

/// The secrets of a declaration, as they stand in it.
#[must_use]
pub fn secrets(declaration: &PipelineDeclaration) -> Vec<(SecretPlace, String)> {
    let mut found = Vec::new();
    let note = |place: &SecretPlace, value: &str| {
        found.push((place.clone(), value.to_owned()));
        Ok::<_, std::convert::Infallible>(value.to_owned())
    };
    // The closure cannot fail.
    let _ = change_secrets(&mut declaration.clone(), note);
    found
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;

    fn declaration() -> PipelineDeclaration {
        let action = |name: &str, provider: &str| {
            json!({"name": name, "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": provider, "version": "1"},
                   "configuration": {"OAuthToken": "hush", "Repo": "r"}})
        };
        let stage = json!({"name": "Source", "actions": [action("A", "GitHub"), action("B", "Other")]});
        serde_json::from_value(json!({"name": "p", "stages": [stage]})).unwrap()
    }

    #[test]
    fn only_secret_settings_are_changed() {
        let mut changed = declaration();
        change_secrets(&mut changed, |_, _| Ok::<_, Infallible>(MASK.to_owned())).unwrap();
        let text = serde_json::to_string(&changed).unwrap();
        assert_eq!(text.matches(MASK).count(), 1);
        assert_eq!(text.matches("hush").count(), 1, "another provider's setting of that name is no secret");
    }

    #[test]
    fn secrets_are_found_in_their_places() {
        let found = secrets(&declaration());
        let place = SecretPlace { stage: "Source".into(), action: "A".into(), setting: "OAuthToken" };
        assert_eq!(found, [(place, "hush".to_owned())]);
    }
}
