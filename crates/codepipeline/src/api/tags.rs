//! Tags of pipelines.

use aws::codepipeline::error::{
    invalid_arn_exception, invalid_tags_exception, resource_not_found_exception, too_many_tags_exception,
};
use aws::codepipeline::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput, UntagResourceInput,
    UntagResourceOutput,
};
use kernel::tags::{self, TagError, Tags};
use kernel::{Document, Scope, Stored};

use super::paging::Paging;
use crate::error::Failed;
use crate::model::Pipeline;
use crate::run::ATTEMPTS;
use crate::service::Service;

impl Service {
    pub(super) async fn list_tags(
        &self,
        scope: &Scope,
        input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Failed> {
        let pipeline = self.tagged(scope, input.resource_arn.as_deref().unwrap_or_default()).await?;
        let what = format!("ListTagsForResource/{}", pipeline.id);
        let paging = Paging::new(scope, &what, input.next_token.as_deref(), input.max_results, tags::MOST)?;
        let (page, next_token) = paging.cut_by(pipeline.value.tags, |tag| tag.key.clone().unwrap_or_default());
        Ok(ListTagsForResourceOutput { tags: Some(page), next_token })
    }

    pub(super) async fn tag(&self, scope: &Scope, input: TagResourceInput) -> Result<TagResourceOutput, Failed> {
        let arn = input.resource_arn.unwrap_or_default();
        let added = set(&input.tags.unwrap_or_default());
        self.change_tags(scope, &arn, |known| {
            tags::merge(known, &added).map_err(|error| tag_error(&error, &format!("resource [{arn}]")))
        })
        .await?;
        Ok(TagResourceOutput::default())
    }

    pub(super) async fn untag(&self, scope: &Scope, input: UntagResourceInput) -> Result<UntagResourceOutput, Failed> {
        let arn = input.resource_arn.unwrap_or_default();
        let keys = input.tag_keys.unwrap_or_default();
        self.change_tags(scope, &arn, |known| Ok(tags::remove(known, keys.iter().map(String::as_str)))).await?;
        Ok(UntagResourceOutput::default())
    }

    async fn change_tags(
        &self,
        scope: &Scope,
        arn: &str,
        change: impl Fn(&Tags) -> Result<Tags, aws::Error>,
    ) -> Result<(), Failed> {
        for _ in 0..ATTEMPTS {
            let mut pipeline = self.tagged(scope, arn).await?;
            let changed = change(&set(&pipeline.tags))?;
            pipeline.value.tags =
                changed.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
            match self.documents.replace(scope, pipeline).await {
                Ok(_) => return Ok(()),
                Err(kernel::CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The pipeline that an ARN names. Webhooks and custom action types, which have tags too, are not here.
    async fn tagged(&self, scope: &Scope, arn: &str) -> Result<Stored<Pipeline>, Failed> {
        let resource = resource_in(scope, arn)?;
        let name = resource.split_once(['/', ':']).map_or(resource, |_| "");
        let found = match name {
            "" => None,
            name => self.documents.get::<Pipeline>(scope, name).await?,
        };
        found.filter(|pipeline| pipeline.value.key() == name).ok_or_else(|| {
            let text = format!(
                "The account with id '{}' does not include a pipeline with the name '{resource}'",
                scope.account
            );
            resource_not_found_exception(text).into()
        })
    }
}

/// The last part of an ARN of this account and region.
fn resource_in<'a>(scope: &Scope, arn: &'a str) -> Result<&'a str, aws::Error> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "codepipeline", region, account, resource] if region == scope.region && account == scope.account => {
            Ok(resource)
        }
        _ => Err(invalid_arn_exception(format!(
            "The ARN {arn} does not name a resource of account {} in region {}",
            scope.account, scope.region
        ))),
    }
}

/// Tags as a set, the last of equal keys.
pub(super) fn set(given: &[Tag]) -> Tags {
    given.iter().map(|tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default())).collect()
}

/// A broken rule in AWS's words; `whose` is the resource or account that the tags are for.
pub(super) fn tag_error(error: &TagError, whose: &str) -> aws::Error {
    match error {
        TagError::TooMany(_) => too_many_tags_exception(format!("Tag limit exceeded for {whose}.")),
        TagError::Reserved(_) => invalid_tags_exception(
            "Not allowed to modify system tags. System tags start with 'aws:'. msg=[Caller is an end user and not allowed to mutate system tags]",
        ),
        other => invalid_tags_exception(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_elsewhere_is_invalid() {
        let scope = Scope::new("111122223333", "eu-west-1");
        assert_eq!(resource_in(&scope, "arn:aws:codepipeline:eu-west-1:111122223333:app").unwrap(), "app");
        for foreign in [
            "arn:aws:codepipeline:eu-west-1:000000000000:app",
            "arn:aws:codepipeline:us-east-1:111122223333:app",
            "arn:aws:codebuild:eu-west-1:111122223333:app",
            "app",
        ] {
            assert_eq!(resource_in(&scope, foreign).unwrap_err().code, "InvalidArnException", "{foreign}");
        }
    }
}
