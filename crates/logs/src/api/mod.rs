//! Handlers, a file per resource, and the trait that hands calls to them.

mod errors;
mod filter;
mod find;
mod get;
mod groups;
mod live_tail;
mod policies;
mod put;
mod retention;
mod streams;
mod tags;

pub use errors::violation;

use crate::service::Service;
use async_trait::async_trait;
use aws::logs::*;
use aws::{Error, EventStream};
use kernel::Caller;

#[async_trait]
impl Logs for Service {
    async fn create_log_group(
        &self,
        caller: &Caller,
        input: CreateLogGroupInput,
    ) -> Result<CreateLogGroupOutput, Error> {
        groups::create(self, caller, input).await
    }

    async fn create_log_stream(
        &self,
        caller: &Caller,
        input: CreateLogStreamInput,
    ) -> Result<CreateLogStreamOutput, Error> {
        streams::create(self, caller, input).await
    }

    async fn delete_log_group(
        &self,
        caller: &Caller,
        input: DeleteLogGroupInput,
    ) -> Result<DeleteLogGroupOutput, Error> {
        groups::delete(self, caller, input).await
    }

    async fn delete_log_stream(
        &self,
        caller: &Caller,
        input: DeleteLogStreamInput,
    ) -> Result<DeleteLogStreamOutput, Error> {
        streams::delete(self, caller, input).await
    }

    async fn describe_log_groups(
        &self,
        caller: &Caller,
        input: DescribeLogGroupsInput,
    ) -> Result<DescribeLogGroupsOutput, Error> {
        groups::describe(self, caller, input).await
    }

    async fn describe_log_streams(
        &self,
        caller: &Caller,
        input: DescribeLogStreamsInput,
    ) -> Result<DescribeLogStreamsOutput, Error> {
        streams::describe(self, caller, input).await
    }

    async fn filter_log_events(
        &self,
        caller: &Caller,
        input: FilterLogEventsInput,
    ) -> Result<FilterLogEventsOutput, Error> {
        filter::filter(self, caller, input).await
    }

    async fn get_log_events(&self, caller: &Caller, input: GetLogEventsInput) -> Result<GetLogEventsOutput, Error> {
        get::get(self, caller, input).await
    }

    async fn put_log_events(&self, caller: &Caller, input: PutLogEventsInput) -> Result<PutLogEventsOutput, Error> {
        put::put(self, caller, input).await
    }

    async fn delete_resource_policy(
        &self,
        caller: &Caller,
        input: DeleteResourcePolicyInput,
    ) -> Result<DeleteResourcePolicyOutput, Error> {
        policies::delete(self, caller, input).await
    }

    async fn delete_retention_policy(
        &self,
        caller: &Caller,
        input: DeleteRetentionPolicyInput,
    ) -> Result<DeleteRetentionPolicyOutput, Error> {
        retention::delete(self, caller, input).await
    }

    async fn describe_resource_policies(
        &self,
        caller: &Caller,
        input: DescribeResourcePoliciesInput,
    ) -> Result<DescribeResourcePoliciesOutput, Error> {
        policies::describe(self, caller, input).await
    }

    async fn list_log_groups(&self, caller: &Caller, input: ListLogGroupsInput) -> Result<ListLogGroupsOutput, Error> {
        groups::list(self, caller, input).await
    }

    async fn list_tags_for_resource(
        &self,
        caller: &Caller,
        input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Error> {
        tags::list(self, caller, input).await
    }

    async fn list_tags_log_group(
        &self,
        caller: &Caller,
        input: ListTagsLogGroupInput,
    ) -> Result<ListTagsLogGroupOutput, Error> {
        tags::list_group(self, caller, input).await
    }

    async fn put_log_group_deletion_protection(
        &self,
        caller: &Caller,
        input: PutLogGroupDeletionProtectionInput,
    ) -> Result<PutLogGroupDeletionProtectionOutput, Error> {
        groups::protect(self, caller, input).await
    }

    async fn put_resource_policy(
        &self,
        caller: &Caller,
        input: PutResourcePolicyInput,
    ) -> Result<PutResourcePolicyOutput, Error> {
        policies::put(self, caller, input).await
    }

    async fn put_retention_policy(
        &self,
        caller: &Caller,
        input: PutRetentionPolicyInput,
    ) -> Result<PutRetentionPolicyOutput, Error> {
        retention::put(self, caller, input).await
    }

    async fn start_live_tail(
        &self,
        caller: &Caller,
        input: StartLiveTailInput,
    ) -> Result<EventStream<StartLiveTailResponseStream>, Error> {
        live_tail::start(self, caller, input).await
    }

    async fn tag_log_group(&self, caller: &Caller, input: TagLogGroupInput) -> Result<TagLogGroupOutput, Error> {
        tags::tag_group(self, caller, input).await
    }

    async fn tag_resource(&self, caller: &Caller, input: TagResourceInput) -> Result<TagResourceOutput, Error> {
        tags::tag(self, caller, input).await
    }

    async fn untag_log_group(&self, caller: &Caller, input: UntagLogGroupInput) -> Result<UntagLogGroupOutput, Error> {
        tags::untag_group(self, caller, input).await
    }

    async fn untag_resource(&self, caller: &Caller, input: UntagResourceInput) -> Result<UntagResourceOutput, Error> {
        tags::untag(self, caller, input).await
    }
}
