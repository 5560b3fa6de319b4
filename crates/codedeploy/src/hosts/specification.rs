//! GetDeploymentSpecification: the signed document, and the key that signs it.

use super::client_error;
use crate::Service;
use crate::model::{Deployment, DeploymentTarget, SignedSpecification, Signer};
use crate::rules::command::{deployment_arn, deployment_of};
use crate::rules::specification::{Bundle, Specification};
use crate::signing::Identity;
use aws::Error;
use aws::codedeploy_commands::{
    DeploymentSpecification, Envelope, GetDeploymentSpecificationInput, GetDeploymentSpecificationOutput,
};
use kernel::{Caller, CommitError, Scope, StepError, Stored};

impl Service {
    /// The signed specification of a deployment that targets the caller's host.
    pub(super) async fn specification(
        &self,
        caller: &Caller,
        input: &GetDeploymentSpecificationInput,
    ) -> Result<GetDeploymentSpecificationOutput, Error> {
        let instance = self.host(caller, &input.host_identifier).await?;
        let scope = caller.scope();
        let unknown = || client_error("The DeploymentExecutionId names no deployment to this host.");
        let deployment = deployment_of(&scope, &input.deployment_execution_id).ok_or_else(unknown)?;
        let key = DeploymentTarget::key_of(&deployment, &instance.name);
        let target: Option<Stored<DeploymentTarget>> = self.documents.get(&scope, &key).await?;
        target.filter(|target| target.identity == caller.arn()).ok_or_else(unknown)?;
        let signed: Stored<SignedSpecification> = self.documents.get(&scope, &deployment).await?.ok_or_else(unknown)?;
        let envelope = Envelope { format: "PKCS7/JSON".to_owned(), payload: signed.value.pem };
        Ok(GetDeploymentSpecificationOutput {
            deployment_system: "CodeDeploy".to_owned(),
            deployment_specification: DeploymentSpecification { generic_envelope: envelope },
        })
    }

    /// Signs the specification of a deployment of an S3 revision; the caller writes it with the targets.
    pub(crate) async fn sign(&self, scope: &Scope, deployment: &Deployment) -> Result<SignedSpecification, StepError> {
        let location = deployment.revision.s3_location.clone().unwrap_or_default();
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let (bucket, key, bundle_type) = (part(&location.bucket), part(&location.key), part(&location.bundle_type));
        let document = Specification {
            deployment_arn: &deployment_arn(scope, &deployment.id),
            group_id: &deployment.group_id,
            group: &deployment.group,
            application: &deployment.application,
            creator: &deployment.creator,
            file_exists_behavior: &deployment.file_exists_behavior,
            bundle: Bundle {
                bucket: &bucket,
                key: &key,
                bundle_type: &bundle_type,
                version: location.version.as_deref(),
                e_tag: location.e_tag.as_deref(),
            },
        }
        .document();
        let pem = self.signer(scope).await?.sign(document.to_string().as_bytes())?;
        Ok(SignedSpecification { deployment: deployment.id.clone(), pem })
    }

    /// The signing key of this account and region, made on first use and kept sealed.
    async fn signer(&self, scope: &Scope) -> Result<Identity, StepError> {
        let signer = match self.documents.get::<Signer>(scope, Signer::KEY).await? {
            Some(stored) => stored.value,
            None => self.make_signer(scope).await?,
        };
        let key = self.seal.open(Signer::SEAL, &signer.sealed_key)?;
        Ok(Identity::restore(&key, &hex::decode(&signer.serial)?)?)
    }

    async fn make_signer(&self, scope: &Scope) -> Result<Signer, StepError> {
        let (key, serial) = Identity::generate()?;
        let signer = Signer { sealed_key: self.seal.seal(Signer::SEAL, &key), serial: hex::encode(serial) };
        match self.documents.insert(scope, signer).await {
            Ok(stored) => Ok(stored.value),
            Err(CommitError::Exists { .. }) => {
                let stored = self.documents.get::<Signer>(scope, Signer::KEY).await?;
                Ok(stored.ok_or("the signing key vanished while it was made")?.value)
            }
            Err(error) => Err(error.into()),
        }
    }
}
