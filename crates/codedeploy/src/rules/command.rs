//! The identifiers that a host carries between its calls: opaque to it, self-describing to the server.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Arn, Scope};
use serde::{Deserialize, Serialize};

/// The longest identifier that is looked at, in characters.
const LONGEST: usize = 1_024;

/// Names one command: one lifecycle event of one deployment on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandId {
    /// `d-…`.
    #[serde(rename = "d")]
    pub deployment: String,
    /// The target id.
    #[serde(rename = "t")]
    pub target: String,
    /// Position of the event in the target's plan.
    #[serde(rename = "e")]
    pub event: usize,
}

impl CommandId {
    /// The `HostCommandIdentifier` on the wire.
    pub fn encode(&self) -> String {
        // Two strings and a number always have a JSON form; an empty text would only be refused on its way back.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what a host sent back; `None` if this server did not write it.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// The ARN of a deployment, as specifications and execution ids write it.
pub fn deployment_arn(scope: &Scope, deployment: &str) -> String {
    Arn::new("codedeploy", scope, format!("deployment/{deployment}")).to_string()
}

/// The `DeploymentExecutionId` of a deployment: four parts and at most 129 characters, as agents demand.
pub fn execution_id(scope: &Scope, deployment: &str) -> String {
    format!("CodeDeploy/{}/prod/{}", scope.region, deployment_arn(scope, deployment))
}

/// The deployment that an execution id of this scope names.
pub fn deployment_of(scope: &Scope, execution_id: &str) -> Option<String> {
    let deployment = execution_id.rsplit_once(":deployment/")?.1;
    (execution_id == self::execution_id(scope, deployment)).then(|| deployment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_id_survives_the_host_and_noise_is_refused() {
        let id = CommandId { deployment: "d-ABCDEFGHI".to_owned(), target: "web/1 ü".to_owned(), event: 3 };
        assert_eq!(CommandId::decode(&id.encode()), Some(id));
        for noise in ["", "e30", "not base64!", &"A".repeat(4_000)] {
            assert_eq!(CommandId::decode(noise), None, "{noise}");
        }
    }

    #[test]
    fn an_execution_id_names_its_deployment_in_its_scope_only() {
        let scope = Scope::new("123456789012", "ap-southeast-2");
        let id = execution_id(&scope, "d-ABCDEFGHI");
        assert!(id.len() <= 129 && id.splitn(4, '/').count() == 4, "{id}");
        assert_eq!(deployment_of(&scope, &id).as_deref(), Some("d-ABCDEFGHI"));
        assert_eq!(deployment_of(&Scope::new("210987654321", "ap-southeast-2"), &id), None);
        assert_eq!(deployment_of(&scope, "CodeDeploy/x/y/z"), None);
    }
}
