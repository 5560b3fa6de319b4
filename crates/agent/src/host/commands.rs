//! The four calls of `codedeploy-commands` that an agent makes (awsJson1.1).

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::aws_client::{AwsClient, Call, ClientError};
use super::diagnostics::Diagnostics;

const SERVICE: &str = "codedeploy-commands";
/// Pauses between attempts grow from this one…
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … to this one.
pub(super) const LAST_PAUSE: Duration = Duration::from_secs(60);
const TARGET: &str = "CodeDeployCommandService_v20141006";

/// A command for this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostCommand {
    pub(super) host_command_identifier: String,
    pub(super) host_identifier: String,
    pub(super) deployment_execution_id: String,
    pub(super) command_name: String,
}

impl HostCommand {
    /// The deployment that it is of, as the agent's folders name it; nothing that leads out of them.
    pub(super) fn deployment(&self) -> &str {
        let id = self.deployment_execution_id.rsplit('/').next().unwrap_or_default();
        if id.starts_with('.') { "" } else { id }
    }

    /// All of it, as text.
    pub(super) fn note(&self) -> String {
        // Four texts always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Content and its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    pub(super) format: String,
    pub(super) payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Polled {
    host_command: Option<HostCommand>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Specified {
    deployment_system: String,
    deployment_specification: DeploymentSpecification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeploymentSpecification {
    generic_envelope: Envelope,
}

/// Calls as one host.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    pub(super) client: AwsClient,
    /// The host's identity.
    pub(super) host: String,
}

impl Commands {
    /// Waits at the server for a command, as long as the server likes (20 to 45 seconds).
    pub(super) async fn poll(&self) -> Result<Option<HostCommand>, ClientError> {
        let body = self.call("PollHostCommand", &json!({ "HostIdentifier": self.host })).await?;
        if body.is_empty() {
            return Ok(None);
        }
        let Some(command) = read::<Polled>(&body)?.host_command else { return Ok(None) };
        if command.host_identifier != self.host {
            return Err(ClientError::Answer(format!("a command for {}", command.host_identifier)));
        }
        Ok(Some(command))
    }

    /// The signed specification of a command's deployment.
    pub(super) async fn specification(&self, command: &HostCommand) -> Result<Envelope, ClientError> {
        let input = json!({ "DeploymentExecutionId": command.deployment_execution_id, "HostIdentifier": self.host });
        let specified: Specified = read(&self.call("GetDeploymentSpecification", &input).await?)?;
        if specified.deployment_system != "CodeDeploy" {
            return Err(ClientError::Answer(format!("deployment system {}", specified.deployment_system)));
        }
        Ok(specified.deployment_specification.generic_envelope)
    }

    /// Says that the command is begun; the answer is the command's status.
    pub(super) async fn acknowledge(&self, command: &HostCommand, is_noop: bool) -> Result<String, ClientError> {
        let payload = json!({ "IsCommandNoop": is_noop }).to_string();
        let input = json!({
            "HostCommandIdentifier": command.host_command_identifier,
            "Diagnostics": Envelope { format: "JSON".into(), payload },
        });
        let answer: Value = read(&self.call("PutHostCommandAcknowledgement", &input).await?)?;
        Ok(answer["CommandStatus"].as_str().unwrap_or("InProgress").to_owned())
    }

    /// Says how the command ended.
    pub(super) async fn complete(&self, identifier: &str, diagnostics: &Diagnostics) -> Result<(), ClientError> {
        let input = json!({
            "HostCommandIdentifier": identifier,
            "CommandStatus": if diagnostics.is_success() { "Succeeded" } else { "Failed" },
            "Diagnostics": Envelope { format: "JSON".into(), payload: diagnostics.payload() },
        });
        self.call("PutHostCommandComplete", &input).await.map(drop)
    }

    async fn call(&self, operation: &str, input: &Value) -> Result<Bytes, ClientError> {
        let target = format!("{TARGET}.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-codedeploy-agent-version", concat!("landfall-", env!("CARGO_PKG_VERSION"))),
            ("x-amz-target", target.as_str()),
        ];
        let body = Bytes::from(input.to_string());
        self.client.fetch(Call { service: SERVICE, method: "POST", target: "/", headers: &headers, body }).await
    }
}

/// Calls until the server answers, for a server that restarts has not forgotten the command.
///
/// # Errors
/// The server's refusal.
pub(super) async fn until_answered<T, F>(what: &str, call: impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Err(error) if !error.is_final() => {
                eprintln!("landfall-agent: {what}: {error}");
                sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            answered => return answered,
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Answer(error.to_string()))
}
