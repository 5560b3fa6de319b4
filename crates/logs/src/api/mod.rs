//! Handlers, a file per resource, and the trait that hands calls to them.

mod errors;
mod filter;
mod find;
mod get;
mod groups;
mod put;
mod streams;

pub use errors::violation;

use crate::service::Service;
use async_trait::async_trait;
use aws::Error;
use aws::logs::*;
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
}
