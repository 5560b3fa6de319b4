//! The host agents' protocol: poll, specification, acknowledgement, completion.
//!
//! A host is the identity that signs: each call is checked against the registered instance or the target that it
//! speaks of. Commands lie in the targets' documents before any host sees them.

mod acknowledge;
mod bells;
mod complete;
mod grants;
mod poll;
mod specification;

pub(crate) use bells::Bells;

use crate::Service;
use crate::model::{DeploymentTarget, OnPremisesInstance};
use crate::rules::command::CommandId;
use async_trait::async_trait;
use aws::Error;
use aws::codedeploy_commands::{
    CodeDeployCommands, GetDeploymentSpecificationInput, GetDeploymentSpecificationOutput, PollHostCommandInput,
    PollHostCommandOutput, PutHostCommandAcknowledgementInput, PutHostCommandAcknowledgementOutput,
    PutHostCommandCompleteInput,
};
use kernel::{Caller, Page, Scope, StoreError, Stored};

/// How often a host's report is written again when somebody else wrote its target in between.
const ATTEMPTS: usize = 16;

#[async_trait]
impl CodeDeployCommands for Service {
    async fn poll_host_command(
        &self,
        caller: &Caller,
        input: PollHostCommandInput,
    ) -> Result<PollHostCommandOutput, Error> {
        self.poll(caller, &input.host_identifier).await
    }

    async fn get_deployment_specification(
        &self,
        caller: &Caller,
        input: GetDeploymentSpecificationInput,
    ) -> Result<GetDeploymentSpecificationOutput, Error> {
        self.specification(caller, &input).await
    }

    async fn put_host_command_acknowledgement(
        &self,
        caller: &Caller,
        input: PutHostCommandAcknowledgementInput,
    ) -> Result<PutHostCommandAcknowledgementOutput, Error> {
        self.acknowledge(caller, &input.host_command_identifier).await
    }

    async fn put_host_command_complete(
        &self,
        caller: &Caller,
        input: PutHostCommandCompleteInput,
    ) -> Result<(), Error> {
        self.complete(caller, &input).await
    }
}

/// An error that makes the agent back off and log the sentence.
fn client_error(message: impl Into<String>) -> Error {
    Error::new("ClientException", message)
}

impl Service {
    /// The registered instance whose identity this is.
    async fn instance_of(
        &self,
        scope: &Scope,
        identity: &str,
    ) -> Result<Option<Stored<OnPremisesInstance>>, StoreError> {
        let found = self.documents.find(scope, "identity", identity, Page::first(1)).await?;
        Ok(found.into_iter().next())
    }

    /// The instance that the caller is and says to be.
    async fn host(&self, caller: &Caller, host_identifier: &str) -> Result<Stored<OnPremisesInstance>, Error> {
        let identity = caller.arn();
        if identity != host_identifier {
            let message = format!("{identity} signed this request, but it speaks for the host {host_identifier}.");
            return Err(Error::new("AccessDeniedException", message));
        }
        let missing = || {
            client_error(format!(
                "No on-premises instance is registered with {host_identifier}. Register it with RegisterOnPremisesInstance."
            ))
        };
        self.instance_of(&caller.scope(), &identity).await?.ok_or_else(missing)
    }

    /// The target and event that a command identifier names, if the caller is its host.
    async fn commanded(
        &self,
        caller: &Caller,
        identifier: &str,
    ) -> Result<(Stored<DeploymentTarget>, CommandId), Error> {
        let unknown = || client_error("The HostCommandIdentifier was not given out by this server.");
        let id = CommandId::decode(identifier).ok_or_else(unknown)?;
        let key = DeploymentTarget::key_of(&id.deployment, &id.target);
        let target: Stored<DeploymentTarget> = self.documents.get(&caller.scope(), &key).await?.ok_or_else(unknown)?;
        if target.identity != caller.arn() {
            let message = format!("{} signed this request, but the command is of another host.", caller.arn());
            return Err(Error::new("AccessDeniedException", message));
        }
        if id.event >= target.events.len() {
            return Err(unknown());
        }
        Ok((target, id))
    }
}
