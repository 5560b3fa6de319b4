//! Tags of log groups, by ARN and, as older clients do, by name.

use crate::api::errors::{commit_failed, invalid};
use crate::api::find::{group_not_found, own_group_name};
use crate::model::{Group, ResourceTags};
use crate::service::Service;
use aws::Error;
use aws::logs::error::{resource_not_found_exception, too_many_tags_exception};
use aws::logs::{
    ListTagsForResourceInput, ListTagsForResourceOutput, ListTagsLogGroupInput, ListTagsLogGroupOutput,
    TagLogGroupInput, TagLogGroupOutput, TagResourceInput, TagResourceOutput, UntagLogGroupInput, UntagLogGroupOutput,
    UntagResourceInput, UntagResourceOutput,
};
use kernel::{Caller, tags};

/// `TagResource`.
pub(super) async fn tag(
    service: &Service,
    caller: &Caller,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let name = named(caller, input.resource_arn.as_deref())?;
    let tagged = lay_over(service, caller, name, &input.tags.unwrap_or_default()).await?;
    tagged.map_err(|error| match error {
        tags::TagError::TooMany(_) => too_many_tags_exception(error.to_string()),
        error => invalid(error),
    })?;
    Ok(TagResourceOutput {})
}

/// `UntagResource`.
pub(super) async fn untag(
    service: &Service,
    caller: &Caller,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let name = named(caller, input.resource_arn.as_deref())?;
    remove(service, caller, name, &input.tag_keys.unwrap_or_default()).await?;
    Ok(UntagResourceOutput {})
}

/// `ListTagsForResource`.
pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let name = named(caller, input.resource_arn.as_deref())?;
    let tags = service.group(caller, Some(name)).await?.tags.clone();
    Ok(ListTagsForResourceOutput { tags: Some(tags) })
}

/// `TagLogGroup`.
pub(super) async fn tag_group(
    service: &Service,
    caller: &Caller,
    input: TagLogGroupInput,
) -> Result<TagLogGroupOutput, Error> {
    let name = input.log_group_name.as_deref().unwrap_or_default();
    lay_over(service, caller, name, &input.tags.unwrap_or_default()).await?.map_err(invalid)?;
    Ok(TagLogGroupOutput {})
}

/// `UntagLogGroup`.
pub(super) async fn untag_group(
    service: &Service,
    caller: &Caller,
    input: UntagLogGroupInput,
) -> Result<UntagLogGroupOutput, Error> {
    let name = input.log_group_name.as_deref().unwrap_or_default();
    remove(service, caller, name, &input.tags.unwrap_or_default()).await?;
    Ok(UntagLogGroupOutput {})
}

/// `ListTagsLogGroup`.
pub(super) async fn list_group(
    service: &Service,
    caller: &Caller,
    input: ListTagsLogGroupInput,
) -> Result<ListTagsLogGroupOutput, Error> {
    let tags = service.group(caller, input.log_group_name.as_deref()).await?.tags.clone();
    Ok(ListTagsLogGroupOutput { tags: Some(tags) })
}

/// The group of a resource's ARN. Only groups have tags here.
fn named<'a>(caller: &Caller, arn: Option<&'a str>) -> Result<&'a str, Error> {
    let arn = arn.unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Err(invalid(format!("'{arn}' is no ARN of a log group: arn:aws:logs:REGION:ACCOUNT:log-group:NAME")));
    }
    if arn.split(':').nth(5) == Some("destination") {
        return Err(resource_not_found_exception("The specified destination does not exist."));
    }
    own_group_name(caller, arn)
}

/// Lays tags over a group's, if all together are allowed.
async fn lay_over(
    service: &Service,
    caller: &Caller,
    name: &str,
    new: &ResourceTags,
) -> Result<Result<(), tags::TagError>, Error> {
    let mut merged = Ok(());
    let lay = |group: &mut Group| {
        merged = tags::merge(&group.tags, new).map(|tags| group.tags = tags);
    };
    change(service, caller, name, lay).await?;
    Ok(merged)
}

async fn remove(service: &Service, caller: &Caller, name: &str, keys: &[String]) -> Result<(), Error> {
    let without = |group: &mut Group| group.tags = tags::remove(&group.tags, keys.iter().map(String::as_str));
    change(service, caller, name, without).await
}

/// Changes a group's document.
pub(super) async fn change(
    service: &Service,
    caller: &Caller,
    name: &str,
    change: impl FnMut(&mut Group) + Send,
) -> Result<(), Error> {
    let changed = service.documents.update::<Group>(&caller.scope(), name, change).await;
    changed.map_err(commit_failed)?.map(drop).ok_or_else(group_not_found)
}
