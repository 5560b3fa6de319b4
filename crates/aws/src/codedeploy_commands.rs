//! `codedeploy-commands`: what CodeDeploy's host agents speak (`CodeDeployCommandService_v20141006`).
//!
//! AWS publishes no model of it, so shapes, names and limits are written here by hand after the agent's source
//! (aws-codedeploy-agent, `vendor/gems/codedeploy-commands`). Members are PascalCase on the wire, JSON 1.1. The same
//! operations answer under two signing names: `codedeploy-commands`, and `codedeploy-commands-secure` with the target
//! prefix `CodeDeployCommandService`.

use crate::{Error, Guard};
use async_trait::async_trait;
use kernel::Caller;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The signing names and, for each, the prefix of `X-Amz-Target`.
pub const TARGET_PREFIXES: [(&str, &str); 2] = [
    ("codedeploy-commands", "CodeDeployCommandService_v20141006"),
    ("codedeploy-commands-secure", "CodeDeployCommandService"),
];

/// The operations that [`dispatch`] knows. `PostHostCommandUpdate` is in the agent's model, but no agent calls it.
pub const OPERATIONS: [&str; 4] =
    ["PollHostCommand", "GetDeploymentSpecification", "PutHostCommandAcknowledgement", "PutHostCommandComplete"];

/// The conversation of one host with the server.
///
/// Every method fails with `AccessDeniedException` when the signing identity is not the host's, and with
/// `ClientException` for a host, deployment or command that is not known; the agent then backs off.
#[async_trait]
pub trait CodeDeployCommands: Send + Sync {
    /// The next command for the host; waits for one up to some tens of seconds. The same command comes again only if
    /// it was not acknowledged within its lease.
    async fn poll_host_command(
        &self,
        caller: &Caller,
        input: PollHostCommandInput,
    ) -> Result<PollHostCommandOutput, Error>;

    /// The signed description of a deployment. The same text for every call.
    async fn get_deployment_specification(
        &self,
        caller: &Caller,
        input: GetDeploymentSpecificationInput,
    ) -> Result<GetDeploymentSpecificationOutput, Error>;

    /// Takes a command over. Answers `InProgress` to run it, `Succeeded` or `Failed` to drop it.
    async fn put_host_command_acknowledgement(
        &self,
        caller: &Caller,
        input: PutHostCommandAcknowledgementInput,
    ) -> Result<PutHostCommandAcknowledgementOutput, Error>;

    /// Reports a command's end. The first report counts; later ones are accepted and ignored.
    async fn put_host_command_complete(&self, caller: &Caller, input: PutHostCommandCompleteInput)
    -> Result<(), Error>;
}

/// The operation that an `X-Amz-Target` names, under either prefix; `None` if it is not of this protocol.
pub fn operation(target: &str) -> Option<&str> {
    let (prefix, operation) = target.split_once('.')?;
    TARGET_PREFIXES.iter().any(|(_, known)| *known == prefix).then_some(operation)
}

/// The protocol behind its gate: each call is authorized and audited before it is made.
pub struct Gated {
    service: Arc<dyn CodeDeployCommands>,
    guard: Guard,
}

impl Gated {
    /// `service` behind `guard`.
    pub fn new(service: Arc<dyn CodeDeployCommands>, guard: Guard) -> Self {
        Self { service, guard }
    }

    async fn pass(&self, caller: &Caller, operation: &str, host: Option<&str>) -> Result<(), Error> {
        let action = format!("codedeploy-commands-secure:{operation}");
        let resources: Vec<String> = host.map(str::to_owned).into_iter().collect();
        self.guard.pass(caller, "codedeploy-commands", operation, &action, &resources).await
    }
}

#[async_trait]
impl CodeDeployCommands for Gated {
    async fn poll_host_command(
        &self,
        caller: &Caller,
        input: PollHostCommandInput,
    ) -> Result<PollHostCommandOutput, Error> {
        self.pass(caller, "PollHostCommand", Some(&input.host_identifier)).await?;
        self.service.poll_host_command(caller, input).await
    }

    async fn get_deployment_specification(
        &self,
        caller: &Caller,
        input: GetDeploymentSpecificationInput,
    ) -> Result<GetDeploymentSpecificationOutput, Error> {
        self.pass(caller, "GetDeploymentSpecification", Some(&input.host_identifier)).await?;
        self.service.get_deployment_specification(caller, input).await
    }

    async fn put_host_command_acknowledgement(
        &self,
        caller: &Caller,
        input: PutHostCommandAcknowledgementInput,
    ) -> Result<PutHostCommandAcknowledgementOutput, Error> {
        self.pass(caller, "PutHostCommandAcknowledgement", None).await?;
        self.service.put_host_command_acknowledgement(caller, input).await
    }

    async fn put_host_command_complete(
        &self,
        caller: &Caller,
        input: PutHostCommandCompleteInput,
    ) -> Result<(), Error> {
        self.pass(caller, "PutHostCommandComplete", None).await?;
        self.service.put_host_command_complete(caller, input).await
    }
}

/// What CodeDeploy grants the identities of its hosts beyond their policies.
#[async_trait]
pub trait HostGrants: Send + Sync {
    /// Whether the caller is the identity of a registered on-premises instance in its scope.
    async fn is_host(&self, caller: &Caller) -> Result<bool, Error>;

    /// Whether the object is the S3 revision of a deployment that now runs on the caller's host.
    async fn may_read_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<bool, Error>;
}

/// Input of `PollHostCommand`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PollHostCommandInput {
    /// The host's ARN: of its IAM user or session.
    pub host_identifier: String,
}

/// Output of `PollHostCommand`: empty when nothing came in time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PollHostCommandOutput {
    /// The command to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_command: Option<HostCommandInstance>,
}

/// One lifecycle event of one deployment on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostCommandInstance {
    /// Opaque; names the command in all later calls.
    pub host_command_identifier: String,
    /// The poller's own identifier.
    pub host_identifier: String,
    /// Names the deployment in `GetDeploymentSpecification`.
    pub deployment_execution_id: String,
    /// The lifecycle event.
    pub command_name: String,
    /// A number that differs between two commands of one deployment on one host.
    pub nonce: i64,
}

/// Input of `GetDeploymentSpecification`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetDeploymentSpecificationInput {
    /// From the command: four parts divided by slashes, at most 129 characters.
    pub deployment_execution_id: String,
    /// The host's ARN.
    pub host_identifier: String,
}

/// Output of `GetDeploymentSpecification`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetDeploymentSpecificationOutput {
    /// Always `CodeDeploy`.
    pub deployment_system: String,
    /// The signed document.
    pub deployment_specification: DeploymentSpecification,
}

/// A signed deployment specification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeploymentSpecification {
    /// Format `PKCS7/JSON`.
    pub generic_envelope: Envelope,
}

/// A text with the name of its format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope {
    /// `PKCS7/JSON` or `JSON`; at most 64 characters.
    pub format: String,
    /// At most 8192 characters in what a host sends.
    pub payload: String,
}

/// Input of `PutHostCommandAcknowledgement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutHostCommandAcknowledgementInput {
    /// From the command.
    pub host_command_identifier: String,
    /// `{"IsCommandNoop":bool}` in format `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Envelope>,
}

/// Output of `PutHostCommandAcknowledgement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutHostCommandAcknowledgementOutput {
    /// `InProgress`, `Succeeded` or `Failed`.
    pub command_status: String,
}

/// Input of `PutHostCommandComplete`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutHostCommandCompleteInput {
    /// From the command.
    pub host_command_identifier: String,
    /// `Succeeded` or `Failed`.
    pub command_status: String,
    /// [`HostDiagnostics`] in format `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Envelope>,
}

/// What a host says about the end of a command, inside the envelope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostDiagnostics {
    /// 0 success, 1 script missing, 2 not executable, 3 timed out, 4 failed; 5 and above anything else.
    pub error_code: i64,
    /// The script, as written in the appspec.
    pub script_name: String,
    /// One sentence.
    pub message: String,
    /// The last lines of output; empty on success.
    pub log: String,
}

/// Reads the JSON `body` of `operation`, calls it and writes the answer's JSON.
///
/// Fails with `UnknownOperationException` for another operation, with `SerializationException` for a body that is not
/// the operation's input, and with whatever the operation fails with.
pub async fn dispatch(
    service: &dyn CodeDeployCommands,
    caller: &Caller,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    match operation {
        "PollHostCommand" => write(&service.poll_host_command(caller, read(body)?).await?),
        "GetDeploymentSpecification" => write(&service.get_deployment_specification(caller, read(body)?).await?),
        "PutHostCommandAcknowledgement" => write(&service.put_host_command_acknowledgement(caller, read(body)?).await?),
        "PutHostCommandComplete" => {
            service.put_host_command_complete(caller, read(body)?).await?;
            Ok(b"{}".to_vec())
        }
        other => Err(Error::new(
            "UnknownOperationException",
            format!("codedeploy-commands has no operation {other}; it has {}", OPERATIONS.join(", ")),
        )),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::new("SerializationException", error.to_string()))
}

fn write<T: Serialize>(output: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(output).map_err(|error| Error::new("ServerException", error.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_wire_is_pascal_case_and_an_empty_poll_is_an_empty_object() {
        assert_eq!(write(&PollHostCommandOutput::default()).unwrap(), b"{}");
        let command = HostCommandInstance { command_name: "Install".to_owned(), nonce: 7, ..Default::default() };
        let json: serde_json::Value =
            serde_json::to_value(PollHostCommandOutput { host_command: Some(command) }).unwrap();
        assert_eq!(json["HostCommand"]["CommandName"], "Install");
        assert_eq!(json["HostCommand"]["Nonce"], 7);
    }

    #[test]
    fn both_target_prefixes_name_operations() {
        for (target, expected) in [
            ("CodeDeployCommandService_v20141006.PollHostCommand", Some("PollHostCommand")),
            ("CodeDeployCommandService.PollHostCommand", Some("PollHostCommand")),
            ("CodeDeploy_20141006.GetDeployment", None),
            ("PollHostCommand", None),
        ] {
            assert_eq!(operation(target), expected, "{target}");
        }
    }

    #[test]
    fn a_host_may_leave_diagnostics_out() {
        let complete: PutHostCommandCompleteInput =
            read(br#"{"HostCommandIdentifier":"x","CommandStatus":"Succeeded","Diagnostics":null}"#).unwrap();
        assert_eq!(complete.diagnostics, None);
        assert!(read::<PollHostCommandInput>(b"{}").is_err());
        assert!(read::<PollHostCommandInput>(b"{\"HostIdentifier\":1}").is_err());
    }
}
