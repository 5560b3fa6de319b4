//! Tags of repositories.

use aws::Error;
use aws::codecommit::*;
use kernel::tags::{self, TagError};
use kernel::{Arn, Caller, Scope, Stored};

use crate::Service;
use crate::model::Repository;

pub(super) fn refused(error: TagError) -> Error {
    match error {
        TagError::TooMany(_) => error::too_many_tags_exception(error.to_string()),
        TagError::Reserved(_) => error::invalid_system_tag_usage_exception(error.to_string()),
        _ => error::invalid_tags_map_exception(error.to_string()),
    }
}

pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let (_, repository) = named(service, caller, input.resource_arn).await?;
    Ok(ListTagsForResourceOutput { tags: Some(repository.value.tags), next_token: None })
}

pub(super) async fn tag(
    service: &Service,
    caller: &Caller,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let (scope, repository) = named(service, caller, input.resource_arn).await?;
    let new = input.tags.unwrap_or_default();
    tags::merge(&repository.tags, &new).map_err(refused)?;
    let add = |repository: &mut Repository| repository.tags.extend(new.clone());
    service.change(&scope, &repository.name, add).await?;
    Ok(TagResourceOutput {})
}

pub(super) async fn untag(
    service: &Service,
    caller: &Caller,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let (scope, repository) = named(service, caller, input.resource_arn).await?;
    let keys = input.tag_keys.unwrap_or_default();
    let remove = |repository: &mut Repository| {
        repository.tags = tags::remove(&repository.tags, keys.iter().map(String::as_str));
    };
    service.change(&scope, &repository.name, remove).await?;
    Ok(UntagResourceOutput {})
}

/// The repository that an ARN names; it must be the caller's own, in this region.
async fn named(service: &Service, caller: &Caller, arn: Option<String>) -> Result<(Scope, Stored<Repository>), Error> {
    let text = arn.unwrap_or_default();
    let scope = caller.scope();
    let invalid = || error::invalid_resource_arn_exception(format!("{text} is not the ARN of a repository in {scope}"));
    let arn: Arn = text.parse().map_err(|_| invalid())?;
    if arn.service != "codecommit" || arn.scope() != scope {
        return Err(invalid());
    }
    let repository = service.repository(&scope, &arn.resource).await?;
    Ok((scope, repository))
}
