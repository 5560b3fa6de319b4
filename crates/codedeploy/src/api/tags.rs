//! Tags of applications, deployment groups and custom deployment configurations.

use crate::Service;
use crate::model::{Application, DeploymentConfig, DeploymentGroup, predefined};
use crate::rules::resource::Resource;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::tags::{self, Tags};
use kernel::{Batch, CommitError, Document, Scope, Stored};

/// How often a change of tags is tried when the resource changes at the same time.
const ATTEMPTS: usize = 16;

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let resource = Resource::of_arn(scope, input.resource_arn.as_deref().unwrap_or_default())?;
    // This operation's errors in the model have none for what does not exist.
    let tagged = service.tagged(scope, &resource).await.map_err(|absent| match absent.code.as_str() {
        code if code.ends_with("DoesNotExistException") => error::invalid_arn_exception(absent.message),
        _ => absent,
    })?;
    let tag = |(key, value): (&String, &String)| Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Ok(ListTagsForResourceOutput { tags: Some(tagged.tags().iter().map(tag).collect()), next_token: None })
}

pub(super) async fn tag(service: &Service, scope: &Scope, input: TagResourceInput) -> Result<TagResourceOutput, Error> {
    let resource = Resource::of_arn(scope, input.resource_arn.as_deref().unwrap_or_default())?;
    let added = super::tags_of(input.tags)?;
    if added.is_empty() {
        return Err(error::tag_required_exception("At least one tag is needed."));
    }
    let merge = |tags: &Tags| {
        tags::merge(tags, &added).map_err(|broken| error::invalid_tags_to_add_exception(broken.to_string()))
    };
    service.retag(scope, &resource, merge).await?;
    Ok(TagResourceOutput {})
}

pub(super) async fn untag(
    service: &Service,
    scope: &Scope,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    let resource = Resource::of_arn(scope, input.resource_arn.as_deref().unwrap_or_default())?;
    let keys = input.tag_keys.unwrap_or_default();
    if keys.is_empty() {
        return Err(error::tag_required_exception("At least one tag key is needed."));
    }
    service.retag(scope, &resource, |tags| Ok(tags::remove(tags, keys.iter().map(String::as_str)))).await?;
    Ok(UntagResourceOutput {})
}

/// Something that has tags.
enum Tagged {
    Application(Stored<Application>),
    Group(Box<Stored<DeploymentGroup>>),
    Config(Stored<DeploymentConfig>),
}

impl Tagged {
    fn tags(&self) -> &Tags {
        match self {
            Self::Application(application) => &application.tags,
            Self::Group(group) => &group.tags,
            Self::Config(config) => &config.tags,
        }
    }

    /// The commit that gives it these tags.
    fn with(self, scope: &Scope, tags: Tags) -> Batch {
        fn replace<T: Document>(scope: &Scope, mut stored: Stored<T>, put: impl FnOnce(&mut T)) -> Batch {
            put(&mut stored.value);
            Batch::new(scope).replace(&stored)
        }
        match self {
            Self::Application(application) => replace(scope, application, |it| it.tags = tags),
            Self::Group(group) => replace(scope, *group, |it| it.tags = tags),
            Self::Config(config) => replace(scope, config, |it| it.tags = tags),
        }
    }
}

impl Service {
    async fn tagged(&self, scope: &Scope, resource: &Resource) -> Result<Tagged, Error> {
        Ok(match resource {
            Resource::Application(name) => Tagged::Application(self.application(scope, Some(name)).await?),
            Resource::Group(application, name) => {
                let application = self.application(scope, Some(application)).await?;
                Tagged::Group(Box::new(self.group(scope, &application, Some(name)).await?))
            }
            Resource::Config(name) if predefined(name).is_some() => {
                let message = format!("{name} is AWS's own configuration and takes no tags.");
                return Err(error::arn_not_supported_exception(message));
            }
            Resource::Config(name) => Tagged::Config(self.custom_config(scope, name).await?),
        })
    }

    async fn retag(
        &self,
        scope: &Scope,
        resource: &Resource,
        change: impl Fn(&Tags) -> Result<Tags, Error>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let tagged = self.tagged(scope, resource).await?;
            let tags = change(tagged.tags())?;
            match self.documents.commit(tagged.with(scope, tags)).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict { .. }) => {}
                Err(cause) => return Err(Error::internal(cause)),
            }
        }
        Err(error::throttling_exception("The resource changed too often at the same time. Try again."))
    }
}
