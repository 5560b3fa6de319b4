//! GetObject and HeadObject.

use crate::Service;
use crate::content::ReadError;
use crate::model::{Head, Version, VersionId, object_key, scope};
use crate::rules::condition::{Validators, check_read};
use crate::rules::names::{check_key, check_version};
use crate::rules::parts::check_number;
use crate::rules::range::resolve;
use aws::Error;
use aws::s3::{Body, GetObject, Object, ObjectMeta, error};
use kernel::{BlobError, Caller};

/// How often a read begins again because the version that it found was just replaced.
const ATTEMPTS: usize = 4;

/// A version as a read finds it, with the bytes wanted (first, last) where those are fewer than all.
struct Wanted {
    version: Version,
    meta: ObjectMeta,
}

impl Service {
    pub(crate) async fn get(&self, caller: &Caller, input: GetObject) -> Result<Object, Error> {
        for _ in 1..ATTEMPTS {
            match self.get_once(caller, &input).await {
                Err(Failure::Replaced) => {}
                Err(Failure::Error(error)) => return Err(error),
                Ok(object) => return Ok(object),
            }
        }
        self.get_once(caller, &input).await.map_err(|failure| match failure {
            Failure::Replaced => Error::internal(format!("a blob of {}/{} is missing", input.bucket, input.key)),
            Failure::Error(error) => error,
        })
    }

    async fn get_once(&self, caller: &Caller, input: &GetObject) -> Result<Object, Failure> {
        let Wanted { version, meta } = self.wanted(caller, input).await?;
        let (first, last) = match meta.range {
            Some(range) => range,
            None if version.content.size == 0 => return Ok(Object { meta, body: Body::empty() }),
            None => (0, version.content.size - 1),
        };
        match self.read(&version.content, first, last).await {
            Ok(body) => Ok(Object { meta, body }),
            Err(ReadError::Blob(BlobError::Missing(_))) => Err(Failure::Replaced),
            Err(failure) => Err(Failure::Error(failure.into())),
        }
    }

    pub(crate) async fn head(&self, caller: &Caller, input: &GetObject) -> Result<ObjectMeta, Error> {
        Ok(self.wanted(caller, input).await?.meta)
    }

    async fn wanted(&self, caller: &Caller, input: &GetObject) -> Result<Wanted, Error> {
        check_key(&input.key)?;
        self.bucket(caller, &input.bucket).await?;
        let version = self.version(&input.bucket, &input.key, input.version_id.as_deref()).await?.0;
        let validators = Validators { etag: &version.etag, last_modified: version.last_modified };
        check_read(&input.condition, validators)?;
        let mut meta = version.facts(&input.bucket, &input.key);
        meta.range = match (input.part_number, input.range) {
            (Some(_), Some(_)) => {
                return Err(error::invalid_request("Cannot specify both Range header and partNumber query parameter."));
            }
            (Some(number), None) => self.part_of(&version, number).await?,
            (None, Some(range)) => Some(resolve(range, version.content.size)?),
            (None, None) => None,
        };
        if input.version_id.is_some() && meta.version_id.is_none() {
            meta.version_id = Some("null".to_owned());
        }
        Ok(Wanted { version, meta })
    }

    /// The bytes of one part. An object of a single upload has one part; an empty one has no bytes to name.
    async fn part_of(&self, version: &Version, number: u32) -> Result<Option<(u64, u64)>, Error> {
        let extents = self.extents(&version.content).await?;
        let wrong = || error::invalid_part_number(version.parts.unwrap_or(1));
        check_number(number)?;
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).ok_or_else(wrong)?;
        if version.content.size == 0 && index == 0 {
            return Ok(None);
        }
        let extent = extents.get(index).ok_or_else(wrong)?;
        let first: u64 = extents[..index].iter().map(|extent| extent.size).sum();
        Ok(Some((first, first + extent.size - 1)))
    }

    /// A version of an object, and the document that holds it.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`, `InvalidArgument` for what is no id, and `MethodNotAllowed` for a delete marker that is asked for by its id.
    pub(super) async fn version(&self, bucket: &str, key: &str, id: Option<&str>) -> Result<(Version, Holder), Error> {
        check_version(id)?;
        let head = self.documents.get::<Head>(&scope(), &object_key(bucket, key)).await?;
        let Some(id) = id else {
            let head = head.ok_or_else(|| error::no_such_key(key))?;
            if head.current.delete_marker {
                return Err(marked(error::no_such_key(key), &head.current));
            }
            return Ok((head.value.current.clone(), Holder::Head(head)));
        };
        let gone = || error::no_such_version(key, id);
        let head = head.ok_or_else(gone)?;
        let (version, holder) = if head.current.is(VersionId::parse(id)) {
            (head.value.current.clone(), Holder::Head(head))
        } else {
            let archived = self.archived_by_id(&head, VersionId::parse(id)).await?.ok_or_else(gone)?;
            (archived.value.version.clone(), Holder::Archived(archived))
        };
        if version.delete_marker {
            let message = "The specified method is not allowed against a delete marker.";
            return Err(marked(error::method_not_allowed(message), &version));
        }
        Ok((version, holder))
    }
}

/// The document that holds a version.
pub(super) enum Holder {
    Head(kernel::Stored<Head>),
    Archived(kernel::Stored<crate::model::Archived>),
}

enum Failure {
    /// The content went away after it was looked up.
    Replaced,
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// With what the wire says of delete markers in headers.
fn marked(error: Error, marker: &Version) -> Error {
    let id = marker.id.clone().unwrap_or_else(|| "null".to_owned());
    error.with("DeleteMarker", true).with("VersionId", id)
}
