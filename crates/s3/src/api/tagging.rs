//! Tags, attributes and access control lists of objects.

use super::change::{Attempt, Change, Found};
use crate::Service;
use crate::events::{Happened, event};
use crate::model::{Version, VersionId, scope};
use crate::rules::names::{check_key, check_version};
use crate::rules::tags::check_object_tags;
use async_trait::async_trait;
use aws::Error;
use aws::s3::{ChecksumAlgorithm, ObjectAttributes, ObjectVersion, PartAttributes, Tags, error};
use kernel::{Batch, Caller};

/// A version gets other tags; answers its id.
struct Retag<'a> {
    version_id: Option<&'a str>,
    tags: &'a Tags,
}

#[async_trait]
impl Change for Retag<'_> {
    type Output = Option<String>;

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<Option<String>>, Error> {
        let gone = || match self.version_id {
            Some(id) => error::no_such_version(found.key, id),
            None => error::no_such_key(found.key),
        };
        let Some(mut head) = found.head.clone() else { return Err(gone()) };
        let batch = Batch::new(&scope()).require(&found.bucket);
        let is_current = self.version_id.is_none_or(|id| head.current.is(VersionId::parse(id)));
        let (version, batch) = if is_current {
            head.value.current = self.changed(&head.current, found.key)?;
            (head.current.clone(), batch.replace(&head))
        } else {
            let id = VersionId::parse(self.version_id.unwrap_or_default());
            let mut archived = service.archived_by_id(&head, id).await?.ok_or_else(gone)?;
            archived.value.version = self.changed(&archived.value.version, found.key)?;
            (archived.value.version.clone(), batch.replace(&archived))
        };
        let happened = if self.tags.is_empty() { Happened::Untagged } else { Happened::Tagged };
        let source = (service.ids.as_ref(), service.clock.now());
        let event = event(source, found.caller, &found.bucket, found.key, &version, happened);
        let attempt = service.commit_once(batch.publish(&event)).await?;
        Ok(attempt.map(|()| version.id))
    }
}

impl Retag<'_> {
    fn changed(&self, version: &Version, key: &str) -> Result<Version, Error> {
        match (version.delete_marker, self.version_id) {
            (true, None) => Err(error::no_such_key(key)),
            (true, Some(_)) => Err(error::method_not_allowed("A delete marker has no tags.")),
            (false, _) => Ok(Version { tags: self.tags.clone(), ..version.clone() }),
        }
    }
}

impl Service {
    pub(crate) async fn retag(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
        tags: &Tags,
    ) -> Result<Option<String>, Error> {
        check_key(&object.key)?;
        check_version(object.version_id.as_deref())?;
        check_object_tags(tags)?;
        let change = Retag { version_id: object.version_id.as_deref(), tags };
        self.change(caller, (&object.bucket, &object.key), &change).await
    }

    pub(crate) async fn tags(&self, caller: &Caller, object: &ObjectVersion) -> Result<(Tags, Option<String>), Error> {
        let version = self.named_version(caller, object).await?;
        Ok((version.tags, version.id))
    }

    pub(crate) async fn attributes(&self, caller: &Caller, object: &ObjectVersion) -> Result<ObjectAttributes, Error> {
        let version = self.named_version(caller, object).await?;
        let parts = match version.parts {
            Some(_) => self.parts_of(&version).await?,
            None => Vec::new(),
        };
        Ok(ObjectAttributes { meta: version.facts(&object.bucket, &object.key), parts })
    }

    async fn parts_of(&self, version: &Version) -> Result<Vec<PartAttributes>, Error> {
        let algorithm = version.checksum.as_ref().map(|checksum| checksum.algorithm);
        let named = |checksum: Option<String>| -> Option<(ChecksumAlgorithm, String)> { Some((algorithm?, checksum?)) };
        let extents = self.extents(&version.content).await?.into_iter();
        Ok(extents.map(|extent| PartAttributes { size: extent.size, checksum: named(extent.checksum) }).collect())
    }

    /// The version that is named, for those who may see the bucket.
    pub(crate) async fn named_version(&self, caller: &Caller, object: &ObjectVersion) -> Result<Version, Error> {
        check_key(&object.key)?;
        self.bucket(caller, &object.bucket).await?;
        Ok(self.version(&object.bucket, &object.key, object.version_id.as_deref()).await?.0)
    }
}
