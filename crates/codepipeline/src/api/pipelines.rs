//! Pipelines: create, get, update, delete, list.

use std::sync::Arc;

use aws::codepipeline::error::{
    invalid_structure_exception, pipeline_name_in_use_exception, pipeline_version_not_found_exception,
};
use aws::codepipeline::{
    CreatePipelineInput, CreatePipelineOutput, DeletePipelineInput, DeletePipelineOutput, GetPipelineInput,
    GetPipelineOutput, ListPipelinesInput, ListPipelinesOutput, PipelineDeclaration, PipelineMetadata, PipelineSummary,
    Tag, UpdatePipelineInput, UpdatePipelineOutput,
};
use kernel::tags;
use kernel::{Caller, CommitError, Large, PrincipalError, Scope, Timestamp, crash_point};

use super::paging::Paging;
use super::tags::{set, tag_error};
use crate::error::Failed;
use crate::model::{Pipeline, PipelineVersion, Trigger};
use crate::rules::definition::Definition;
use crate::rules::secrets::{MASK, change_secrets, secrets};
use crate::rules::step::Event;
use crate::rules::structure::check_definition;
use crate::run::{ATTEMPTS, PRINCIPAL, Start};
use crate::service::Service;

/// The most pipelines of a page.
const PAGE: usize = 999;

impl Service {
    pub(super) async fn create(
        &self,
        caller: &Caller,
        input: CreatePipelineInput,
    ) -> Result<CreatePipelineOutput, Failed> {
        let scope = caller.scope();
        let tags = input.tags.unwrap_or_default();
        check_tags(&scope, &tags)?;
        let declaration = PipelineDeclaration { version: Some(1), ..input.pipeline.unwrap_or_default() };
        let (declaration, definition) = self.checked(&scope, declaration).await?;
        let name = definition.name.clone();
        let text = format!("A pipeline with the name '{name}' already exists in account '{}'", scope.account);
        let taken = || pipeline_name_in_use_exception(text);
        if self.documents.get::<Pipeline>(&scope, &name).await?.is_some() {
            return Err(taken().into());
        }
        let now = self.clock.now();
        let pipeline = Pipeline::new(self.ids.uuid(), &definition, tags.clone(), now);
        let version = self.version(&pipeline.id, &declaration, now).await?;
        let mut transition = self.creation(&scope, pipeline, Arc::new(definition));
        self.start_first(caller, &mut transition).await?;
        crash_point!("codepipeline_before_create");
        match self.commit(&scope, transition, |batch| batch.insert(&version)).await {
            Ok(()) => Ok(CreatePipelineOutput { pipeline: Some(masked(declaration)), tags: Some(tags) }),
            Err(CommitError::Exists { .. }) => Err(taken().into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The creation of a pipeline starts it, unless it needs variables that only a call can give.
    async fn start_first(&self, caller: &Caller, transition: &mut crate::run::Transition) -> Result<(), Failed> {
        let trigger = Trigger { kind: "CreatePipeline".to_owned(), detail: caller.arn() };
        match self.start(transition, Start { trigger, ..Start::default() }).await {
            Ok(_) | Err(Failed::Aws(_)) => Ok(()),
            Err(ours) => Err(ours),
        }
    }

    pub(super) async fn get(&self, scope: &Scope, input: GetPipelineInput) -> Result<GetPipelineOutput, Failed> {
        let name = input.name.unwrap_or_default();
        let pipeline = self.pipeline(scope, &name).await?;
        let version = input.version.unwrap_or(pipeline.current_version);
        let declaration = self.declaration(scope, &pipeline.id, version).await?.ok_or_else(|| {
            pipeline_version_not_found_exception(format!("Pipeline '{name}' does not have a version {version}"))
        })?;
        let metadata = PipelineMetadata {
            pipeline_arn: Some(pipeline.arn(scope)),
            created: Some(pipeline.created),
            updated: Some(pipeline.updated),
            polling_disabled_at: None,
        };
        Ok(GetPipelineOutput { pipeline: Some(masked(declaration)), metadata: Some(metadata) })
    }

    pub(super) async fn update(
        &self,
        scope: &Scope,
        input: UpdatePipelineInput,
    ) -> Result<UpdatePipelineOutput, Failed> {
        let wanted = input.pipeline.unwrap_or_default();
        let name = wanted.name.clone().unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(scope, &name).await?;
            let version = Some(pipeline.current_version + 1);
            let declaration = PipelineDeclaration { version, ..wanted.clone() };
            let declaration = self.with_kept_secrets(scope, &pipeline, declaration).await?;
            let (declaration, definition) = self.checked(scope, declaration).await?;
            let mut transition = self.transition(scope, pipeline).await?;
            let version = self.version(&transition.pipeline.id, &declaration, transition.now()).await?;
            transition.adopt(Arc::new(definition));
            transition.apply(Event::DefinitionChanged);
            match self.commit(scope, transition, |batch| batch.insert(&version)).await {
                Ok(()) => return Ok(UpdatePipelineOutput { pipeline: Some(masked(declaration)) }),
                Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    pub(super) async fn delete(
        &self,
        scope: &Scope,
        input: DeletePipelineInput,
    ) -> Result<DeletePipelineOutput, Failed> {
        let name = input.name.unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let Some(pipeline) = self.documents.get::<Pipeline>(scope, &name).await? else {
                return Ok(DeletePipelineOutput::default());
            };
            let mut transition = self.transition(scope, pipeline).await?;
            transition.apply(Event::Deleted);
            match self.commit_removal(scope, transition).await {
                Ok(()) => return Ok(DeletePipelineOutput::default()),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    pub(super) async fn list(&self, scope: &Scope, input: ListPipelinesInput) -> Result<ListPipelinesOutput, Failed> {
        let paging = Paging::new(scope, "ListPipelines", input.next_token.as_deref(), input.max_results, PAGE)?;
        let (pipelines, next_token) = paging.cut(self.documents.list::<Pipeline>(scope, paging.page()).await?);
        Ok(ListPipelinesOutput {
            pipelines: Some(pipelines.iter().map(|pipeline| summary(pipeline)).collect()),
            next_token,
        })
    }

    /// A declaration with its defaults written out, and its checked structure.
    async fn checked(
        &self,
        scope: &Scope,
        declaration: PipelineDeclaration,
    ) -> Result<(PipelineDeclaration, Definition), Failed> {
        let definition = Definition::read(&declaration);
        check_definition(&definition, &scope.region).map_err(aws::Error::from)?;
        self.check_role(scope, &definition.role).await?;
        Ok((with_defaults(declaration, &definition), definition))
    }

    /// The service role must be one that CodePipeline can take.
    async fn check_role(&self, scope: &Scope, role: &str) -> Result<(), Failed> {
        match self.principals.assume(scope, role, PRINCIPAL, "codepipeline-check").await {
            Ok(_) => Ok(()),
            Err(PrincipalError::Store(error)) => Err(error.into()),
            Err(refused) => {
                let text = format!("CodePipeline is not authorized to perform AssumeRole on role {role}: {refused}");
                Err(invalid_structure_exception(text).into())
            }
        }
    }

    async fn version(
        &self,
        pipeline_id: &str,
        declaration: &PipelineDeclaration,
        now: Timestamp,
    ) -> Result<PipelineVersion, Failed> {
        let mut sealed = declaration.clone();
        change_secrets(&mut sealed, |place, secret| {
            let context = secret_context(pipeline_id, &place.stage, &place.action, place.setting);
            Ok::<_, Failed>(self.seal.seal(&context, secret.as_bytes()))
        })?;
        let text = Large::write(&self.blobs, serde_json::to_string(&sealed)?).await?;
        let version = declaration.version.unwrap_or(1);
        Ok(PipelineVersion {
            pipeline_id: pipeline_id.to_owned(),
            version,
            declaration: text,
            created: now,
            read: Arc::default(),
        })
    }

    /// A mask sent back in a secret's place keeps the secret.
    async fn with_kept_secrets(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        mut declaration: PipelineDeclaration,
    ) -> Result<PipelineDeclaration, Failed> {
        let before = self.declaration(scope, &pipeline.id, pipeline.current_version).await?.unwrap_or_default();
        let known = secrets(&before);
        change_secrets(&mut declaration, |place, value| {
            let kept = known.iter().find(|(known, _)| known == place).filter(|_| value == MASK);
            let Some((_, sealed)) = kept else { return Ok(value.to_owned()) };
            let context = secret_context(&pipeline.id, &place.stage, &place.action, place.setting);
            let secret = self.seal.open(&context, sealed)?;
            Ok::<_, Failed>(String::from_utf8_lossy(&secret).into_owned())
        })?;
        Ok(declaration)
    }
}

fn secret_context(pipeline_id: &str, stage: &str, action: &str, setting: &str) -> String {
    format!("codepipeline.secret/{pipeline_id}/{stage}/{action}/{setting}")
}

fn masked(mut declaration: PipelineDeclaration) -> PipelineDeclaration {
    let mask = |_: &_, _: &str| Ok::<_, std::convert::Infallible>(MASK.to_owned());
    // Masking cannot fail.
    let _ = change_secrets(&mut declaration, mask);
    declaration
}

/// AWS answers with the defaults written out.
fn with_defaults(mut declaration: PipelineDeclaration, definition: &Definition) -> PipelineDeclaration {
    declaration.execution_mode = Some(definition.mode.api().to_owned());
    declaration.pipeline_type = Some(definition.pipeline_type().to_owned());
    for action in declaration.stages.iter_mut().flatten().flat_map(|stage| stage.actions.iter_mut().flatten()) {
        action.run_order.get_or_insert(1);
        action.configuration.get_or_insert_default();
        action.input_artifacts.get_or_insert_default();
        action.output_artifacts.get_or_insert_default();
    }
    declaration
}

fn summary(pipeline: &Pipeline) -> PipelineSummary {
    PipelineSummary {
        name: Some(pipeline.name.clone()),
        version: Some(pipeline.current_version),
        pipeline_type: Some(pipeline.pipeline_type.clone()),
        execution_mode: Some(pipeline.mode.api().to_owned()),
        created: Some(pipeline.created),
        updated: Some(pipeline.updated),
    }
}

fn check_tags(scope: &Scope, given: &[Tag]) -> Result<(), Failed> {
    let whose = format!("account {}", scope.account);
    tags::validate(&set(given)).map_err(|error| tag_error(&error, &whose).into())
}
