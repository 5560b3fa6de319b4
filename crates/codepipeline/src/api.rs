//! The built operations of CodePipeline's API, each in the file of its resource.

mod action_executions;
mod action_types;
mod approvals;
mod executions;
mod paging;
mod pipelines;
mod regions;
mod stages;
mod state;
mod tags;
mod transitions;

use async_trait::async_trait;
use aws::Error;
use aws::codepipeline::{
    CodePipeline, CreatePipelineInput, CreatePipelineOutput, DeletePipelineInput, DeletePipelineOutput,
    DisableStageTransitionInput, DisableStageTransitionOutput, EnableStageTransitionInput, EnableStageTransitionOutput,
    GetPipelineExecutionInput, GetPipelineExecutionOutput, GetPipelineInput, GetPipelineOutput, GetPipelineStateInput,
    GetPipelineStateOutput, ListActionExecutionsInput, ListActionExecutionsOutput, ListActionTypesInput,
    ListActionTypesOutput, ListPipelineExecutionsInput, ListPipelineExecutionsOutput, ListPipelinesInput,
    ListPipelinesOutput, ListTagsForResourceInput, ListTagsForResourceOutput, PutApprovalResultInput,
    PutApprovalResultOutput, RetryStageExecutionInput, RetryStageExecutionOutput, RollbackStageInput,
    RollbackStageOutput, StartPipelineExecutionInput, StartPipelineExecutionOutput, StopPipelineExecutionInput,
    StopPipelineExecutionOutput, TagResourceInput, TagResourceOutput, UntagResourceInput, UntagResourceOutput,
    UpdatePipelineInput, UpdatePipelineOutput,
};
use kernel::Caller;

use crate::service::Service;

#[async_trait]
impl CodePipeline for Service {
    async fn create_pipeline(
        &self,
        caller: &Caller,
        input: CreatePipelineInput,
    ) -> Result<CreatePipelineOutput, Error> {
        Ok(self.create(caller, input).await?)
    }

    async fn get_pipeline(&self, caller: &Caller, input: GetPipelineInput) -> Result<GetPipelineOutput, Error> {
        Ok(self.get(&caller.scope(), input).await?)
    }

    async fn update_pipeline(
        &self,
        caller: &Caller,
        input: UpdatePipelineInput,
    ) -> Result<UpdatePipelineOutput, Error> {
        Ok(self.update(&caller.scope(), input).await?)
    }

    async fn delete_pipeline(
        &self,
        caller: &Caller,
        input: DeletePipelineInput,
    ) -> Result<DeletePipelineOutput, Error> {
        Ok(self.delete(&caller.scope(), input).await?)
    }

    async fn list_pipelines(&self, caller: &Caller, input: ListPipelinesInput) -> Result<ListPipelinesOutput, Error> {
        Ok(self.list(&caller.scope(), input).await?)
    }

    async fn start_pipeline_execution(
        &self,
        caller: &Caller,
        input: StartPipelineExecutionInput,
    ) -> Result<StartPipelineExecutionOutput, Error> {
        Ok(self.start_execution(caller, input).await?)
    }

    async fn stop_pipeline_execution(
        &self,
        caller: &Caller,
        input: StopPipelineExecutionInput,
    ) -> Result<StopPipelineExecutionOutput, Error> {
        Ok(self.stop_execution(&caller.scope(), input).await?)
    }

    async fn retry_stage_execution(
        &self,
        caller: &Caller,
        input: RetryStageExecutionInput,
    ) -> Result<RetryStageExecutionOutput, Error> {
        Ok(self.retry_stage(&caller.scope(), input).await?)
    }

    async fn rollback_stage(&self, caller: &Caller, input: RollbackStageInput) -> Result<RollbackStageOutput, Error> {
        Ok(self.roll_back(caller, input).await?)
    }

    async fn disable_stage_transition(
        &self,
        caller: &Caller,
        input: DisableStageTransitionInput,
    ) -> Result<DisableStageTransitionOutput, Error> {
        Ok(self.disable_transition(caller, input).await?)
    }

    async fn enable_stage_transition(
        &self,
        caller: &Caller,
        input: EnableStageTransitionInput,
    ) -> Result<EnableStageTransitionOutput, Error> {
        Ok(self.enable_transition(caller, input).await?)
    }

    async fn put_approval_result(
        &self,
        caller: &Caller,
        input: PutApprovalResultInput,
    ) -> Result<PutApprovalResultOutput, Error> {
        Ok(self.put_approval(caller, input).await?)
    }

    async fn list_action_types(
        &self,
        caller: &Caller,
        input: ListActionTypesInput,
    ) -> Result<ListActionTypesOutput, Error> {
        Ok(action_types::list_action_types(&caller.scope(), input)?)
    }

    async fn list_tags_for_resource(
        &self,
        caller: &Caller,
        input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Error> {
        Ok(self.list_tags(&caller.scope(), input).await?)
    }

    async fn tag_resource(&self, caller: &Caller, input: TagResourceInput) -> Result<TagResourceOutput, Error> {
        Ok(self.tag(&caller.scope(), input).await?)
    }

    async fn untag_resource(&self, caller: &Caller, input: UntagResourceInput) -> Result<UntagResourceOutput, Error> {
        Ok(self.untag(&caller.scope(), input).await?)
    }

    async fn get_pipeline_execution(
        &self,
        caller: &Caller,
        input: GetPipelineExecutionInput,
    ) -> Result<GetPipelineExecutionOutput, Error> {
        Ok(self.get_execution(&caller.scope(), input).await?)
    }

    async fn list_pipeline_executions(
        &self,
        caller: &Caller,
        input: ListPipelineExecutionsInput,
    ) -> Result<ListPipelineExecutionsOutput, Error> {
        Ok(self.list_executions(&caller.scope(), input).await?)
    }

    async fn get_pipeline_state(
        &self,
        caller: &Caller,
        input: GetPipelineStateInput,
    ) -> Result<GetPipelineStateOutput, Error> {
        Ok(self.get_state(caller, input).await?)
    }

    async fn list_action_executions(
        &self,
        caller: &Caller,
        input: ListActionExecutionsInput,
    ) -> Result<ListActionExecutionsOutput, Error> {
        Ok(self.list_actions(caller, input).await?)
    }
}
