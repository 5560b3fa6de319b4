//! Log groups.

use crate::api::errors::{changed, commit, invalid, invalid_token};
use crate::api::find::own_group_name;
use crate::api::{retention, tags};
use crate::model::{Garbage, Group};
use crate::rules::listing::Wanted;
use crate::service::Service;
use aws::Error;
use aws::logs::error::{resource_already_exists_exception, validation_exception};
use aws::logs::{
    CreateLogGroupInput, CreateLogGroupOutput, DeleteLogGroupInput, DeleteLogGroupOutput, DescribeLogGroupsInput,
    DescribeLogGroupsOutput, ListLogGroupsInput, ListLogGroupsOutput, LogGroup, LogGroupSummary,
    PutLogGroupDeletionProtectionInput, PutLogGroupDeletionProtectionOutput, log_group_class,
};
use kernel::{Batch, Caller, Page, Scope, Stored, Timestamp, paging};
use std::time::Duration;

/// Items of a page where the request says nothing.
pub(super) const DEFAULT_LIMIT: i32 = 50;
/// How long after a deletion its files go: longer than any put takes that had found the stream before.
const GRACE: Duration = Duration::from_secs(60);
/// The events of a group of class DELIVERY are kept so long.
const DELIVERY_DAYS: i32 = 1;

/// `CreateLogGroup`.
pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateLogGroupInput,
) -> Result<CreateLogGroupOutput, Error> {
    if input.kms_key_id.is_some() {
        return Err(invalid(
            "Log groups with a kmsKeyId are not served yet: events would not be encrypted with that key.",
        ));
    }
    let tags = input.tags.unwrap_or_default();
    kernel::tags::validate(&tags).map_err(invalid)?;
    let class = input.log_group_class.unwrap_or_else(|| log_group_class::STANDARD.to_owned());
    let group = Group {
        name: input.log_group_name.unwrap_or_default(),
        id: service.ids.time_ordered(),
        created: service.clock.now(),
        retention_days: (class == log_group_class::DELIVERY).then_some(DELIVERY_DAYS),
        class,
        tags,
        protected: input.deletion_protection_enabled == Some(true),
    };
    let exists = resource_already_exists_exception("The specified log group already exists");
    let batch = Batch::new(&caller.scope()).insert(&group);
    let batch = retention::expiry(service, caller, &group, batch).await?;
    service.documents.commit(batch).await.map_err(|error| commit(error, exists))?;
    Ok(CreateLogGroupOutput {})
}

/// `DeleteLogGroup`: its streams are gone with it at once; their files go later.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteLogGroupInput,
) -> Result<DeleteLogGroupOutput, Error> {
    let group = service.group(caller, input.log_group_name.as_deref()).await?;
    if group.protected {
        return Err(validation_exception(
            "The log group is protected from deletion. Disable its deletion protection first (PutLogGroupDeletionProtection).",
        ));
    }
    let garbage = garbage(service.clock.now(), &group.id, None);
    let batch = Batch::new(&caller.scope()).remove(&group).insert(&garbage);
    service.documents.commit(batch).await.map_err(|error| commit(error, changed()))?;
    Ok(DeleteLogGroupOutput {})
}

/// `PutLogGroupDeletionProtection`.
pub(super) async fn protect(
    service: &Service,
    caller: &Caller,
    input: PutLogGroupDeletionProtectionInput,
) -> Result<PutLogGroupDeletionProtectionOutput, Error> {
    let identifier = input.log_group_identifier.unwrap_or_default();
    let protected = input.deletion_protection_enabled == Some(true);
    let name = own_group_name(caller, &identifier)?;
    tags::change(service, caller, name, |group| group.protected = protected).await?;
    Ok(PutLogGroupDeletionProtectionOutput {})
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
    let prefix = prefix.unwrap_or_default();
    let wanted = Wanted { names: pattern.into_iter().collect(), class: input.log_group_class, tags: Vec::new() };
    let scope = caller.scope();
    let query = format!("DescribeLogGroups/{scope}/{prefix}/{wanted:?}");
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let found = matching(service, &scope, &prefix, &wanted, after, limit).await?;
    let (page, next_token) = paging::cut(found, limit, &query);
    let mut log_groups = Vec::with_capacity(page.len());
    for group in &page {
        log_groups.push(shape(service, &scope, group).await?);
    }
    Ok(DescribeLogGroupsOutput { log_groups: Some(log_groups), next_token })
}

/// `ListLogGroups`. No group has field indexes or data sources here, so none is found by them.
pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListLogGroupsInput,
) -> Result<ListLogGroupsOutput, Error> {
    if input.field_index_names.is_some() || input.data_sources.is_some() {
        return Ok(ListLogGroupsOutput { log_groups: Some(Vec::new()), next_token: None });
    }
    let scope = caller.scope();
    let wanted = Wanted {
        names: Wanted::named(input.log_group_name_pattern.as_deref().unwrap_or_default()),
        class: input.log_group_class,
        tags: input.log_group_tags.unwrap_or_default(),
    };
    let query = format!("ListLogGroups/{scope}/{wanted:?}");
    let limit = usize::try_from(input.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    let found = matching(service, &scope, "", &wanted, after, limit).await?;
    let (page, next_token) = paging::cut(found, limit, &query);
    let summary = |group: &Stored<Group>| LogGroupSummary {
        log_group_name: Some(group.name.clone()),
        log_group_arn: Some(group.arn(&scope)),
        log_group_class: Some(group.class.clone()),
    };
    Ok(ListLogGroupsOutput { log_groups: Some(page.iter().map(summary).collect()), next_token })
}

/// The wanted groups from a place on, at least one more than `limit` if there are.
async fn matching(
    service: &Service,
    scope: &Scope,
    prefix: &str,
    wanted: &Wanted,
    mut after: Option<String>,
    limit: usize,
) -> Result<Vec<Stored<Group>>, Error> {
    let mut found: Vec<Stored<Group>> = Vec::new();
    while found.len() <= limit {
        let read = service.documents.list::<Group>(scope, Page::default().prefix(prefix).after(after)).await?;
        after = read.last().map(|last| last.position().to_owned());
        let last_page = read.len() < Page::MOST;
        found.extend(read.into_iter().filter(|group| wanted.holds(group)));
        if last_page {
            break;
        }
    }
    Ok(found)
}

async fn identified(
    service: &Service,
    caller: &Caller,
    identifiers: &[String],
) -> Result<DescribeLogGroupsOutput, Error> {
    let scope = caller.scope();
    // A group of another account or region is as one that is not there.
    let name = |identifier| match own_group_name(caller, identifier) {
        Err(error) if error.is("ResourceNotFoundException") => Ok(""),
        name => name,
    };
    let names = identifiers.iter().map(|identifier| name(identifier)).collect::<Result<Vec<_>, _>>()?;
    let mut log_groups = Vec::with_capacity(names.len());
    for group in service.documents.get_many::<Group>(&scope, &names).await?.iter().flatten() {
        log_groups.push(shape(service, &scope, group).await?);
    }
    Ok(DescribeLogGroupsOutput { log_groups: Some(log_groups), next_token: None })
}

async fn shape(service: &Service, scope: &Scope, group: &Group) -> Result<LogGroup, Error> {
    let arn = group.arn(scope);
    let stored = service.shelf.stored_bytes(scope, &group.id).await.map_err(Error::internal)?;
    Ok(LogGroup {
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        log_group_name: Some(group.name.clone()),
        log_group_class: Some(group.class.clone()),
        creation_time: Some(group.created.millis()),
        retention_in_days: group.retention_days,
        stored_bytes: i64::try_from(stored).ok(),
        deletion_protection_enabled: Some(group.protected),
        metric_filter_count: Some(0),
        ..Default::default()
    })
}
