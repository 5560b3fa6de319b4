//! Log groups.

use crate::api::errors::{changed, commit, invalid, invalid_token};
use crate::api::find::group_name;
use crate::model::{Garbage, Group};
use crate::service::Service;
use aws::Error;
use aws::logs::error::{invalid_operation_exception, resource_already_exists_exception};
use aws::logs::{
    CreateLogGroupInput, CreateLogGroupOutput, DeleteLogGroupInput, DeleteLogGroupOutput, DescribeLogGroupsInput,
    DescribeLogGroupsOutput, LogGroup,
};
use kernel::{Batch, Caller, Page, Stored, Timestamp, paging};
use std::time::Duration;

/// Items of a page where the request says nothing.
pub(super) const DEFAULT_LIMIT: i32 = 50;
/// How long after a deletion its files go: longer than any put takes that had found the stream before.
const GRACE: Duration = Duration::from_secs(60);

/// `CreateLogGroup`.
pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateLogGroupInput,
) -> Result<CreateLogGroupOutput, Error> {
    if input.kms_key_id.is_some() || input.deletion_protection_enabled == Some(true) {
        return Err(invalid_operation_exception(
            "Log groups with kmsKeyId or deletionProtectionEnabled are not served yet.",
        ));
    }
    let group = Group {
        name: input.log_group_name.unwrap_or_default(),
        id: service.ids.time_ordered(),
        created: service.clock.now(),
        class: input.log_group_class.unwrap_or_else(|| "STANDARD".into()),
        tags: input.tags.unwrap_or_default(),
    };
    let exists = resource_already_exists_exception("The specified log group already exists");
    service.documents.insert(&caller.scope(), group).await.map_err(|error| commit(error, exists))?;
    Ok(CreateLogGroupOutput {})
}

/// `DeleteLogGroup`: its streams are gone with it at once; their files go later.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteLogGroupInput,
) -> Result<DeleteLogGroupOutput, Error> {
    let group = service.group(caller, input.log_group_name.as_deref()).await?;
    let garbage = garbage(service.clock.now(), &group.id, None);
    let batch = Batch::new(&caller.scope()).remove(&group).insert(&garbage);
    service.documents.commit(batch).await.map_err(|error| commit(error, changed()))?;
    Ok(DeleteLogGroupOutput {})
}

/// What a deletion leaves to be swept.
pub(super) fn garbage(now: Timestamp, group: &str, stream: Option<&str>) -> Garbage {
    Garbage { group: group.to_owned(), stream: stream.map(str::to_owned), due: now + GRACE }
}

/// `DescribeLogGroups`: by name, filtered by prefix, by a part of the name, or those identified.
pub(super) async fn describe(
    service: &Service,
    caller: &Caller,
    input: DescribeLogGroupsInput,
) -> Result<DescribeLogGroupsOutput, Error> {
    let (prefix, pattern) = (input.log_group_name_prefix, input.log_group_name_pattern);
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    if let Some(identifiers) = input.log_group_identifiers {
        return identified(service, caller, &identifiers).await;
    }
    let (prefix, pattern) = (prefix.unwrap_or_default(), pattern.unwrap_or_default());
    let scope = caller.scope();
    let query = format!("DescribeLogGroups/{scope}/{prefix}/{pattern}");
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1);
    let mut after = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let mut found: Vec<Stored<Group>> = Vec::new();
    while found.len() <= limit {
        let read = service.documents.list::<Group>(&scope, Page::default().prefix(&*prefix).after(after)).await?;
        after = read.last().map(|last| last.position().to_owned());
        let last_page = read.len() < Page::MOST;
        found.extend(read.into_iter().filter(|group| group.name.contains(&pattern)));
        if last_page {
            break;
        }
    }
    let (page, next_token) = paging::cut(found, limit, &query);
    let log_groups = Some(page.iter().map(|group| shape(caller, group)).collect());
    Ok(DescribeLogGroupsOutput { log_groups, next_token })
}

async fn identified(
    service: &Service,
    caller: &Caller,
    identifiers: &[String],
) -> Result<DescribeLogGroupsOutput, Error> {
    let names: Vec<&str> = identifiers.iter().map(|identifier| group_name(identifier)).collect();
    let groups = service.documents.get_many::<Group>(&caller.scope(), &names).await?;
    let log_groups = groups.iter().flatten().map(|group| shape(caller, group)).collect();
    Ok(DescribeLogGroupsOutput { log_groups: Some(log_groups), next_token: None })
}

fn shape(caller: &Caller, group: &Group) -> LogGroup {
    let arn = group.arn(&caller.scope());
    LogGroup {
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        log_group_name: Some(group.name.clone()),
        log_group_class: Some(group.class.clone()),
        creation_time: Some(group.created.millis()),
        metric_filter_count: Some(0),
        ..Default::default()
    }
}
