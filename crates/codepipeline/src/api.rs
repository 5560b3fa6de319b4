//! The built operations of CodePipeline's API, each in the file of its resource.

mod action_executions;
mod executions;
mod paging;
mod pipelines;
mod state;

use async_trait::async_trait;
use aws::Error;
use aws::codepipeline::{
    CodePipeline, CreatePipelineInput, CreatePipelineOutput, DeletePipelineInput, DeletePipelineOutput,
    GetPipelineExecutionInput, GetPipelineExecutionOutput, GetPipelineInput, GetPipelineOutput, GetPipelineStateInput,
    GetPipelineStateOutput, ListActionExecutionsInput, ListActionExecutionsOutput, ListPipelineExecutionsInput,
    ListPipelineExecutionsOutput, ListPipelinesInput, ListPipelinesOutput, StartPipelineExecutionInput,
    StartPipelineExecutionOutput, StopPipelineExecutionInput, StopPipelineExecutionOutput, UpdatePipelineInput,
    UpdatePipelineOutput,
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
        Ok(self.get_state(&caller.scope(), input).await?)
    }

    async fn list_action_executions(
        &self,
        caller: &Caller,
        input: ListActionExecutionsInput,
    ) -> Result<ListActionExecutionsOutput, Error> {
        Ok(self.list_actions(&caller.scope(), input).await?)
    }
}
