//! PutObject.

use super::change::{Attempt, Change, Found};
use crate::Service;
use crate::content::{Claims, Received};
use crate::events::Happened;
use crate::model::{Version, scope};
use crate::rules::condition::check_write;
use crate::rules::names::{check_key, check_metadata};
use crate::rules::tags::check_object_tags;
use async_trait::async_trait;
use aws::Error;
use aws::s3::{Checksum, ChecksumAlgorithm, ChecksumKind, Expected, PutObject, PutObjectOutput, WriteCondition};
use kernel::{Batch, Caller};

impl Service {
    pub(crate) async fn put(&self, caller: &Caller, input: PutObject) -> Result<PutObjectOutput, Error> {
        check_key(&input.key)?;
        check_metadata(&input.metadata)?;
        check_object_tags(&input.tags)?;
        let PutObject { bucket, key, body, headers, metadata, tags, checksums, content_md5, sha256, condition } = input;
        // Refused before the body is read where that is known; decided below.
        self.bucket_to_write(caller, &bucket).await?;
        let claims = Claims { checksums: &checksums, content_md5: content_md5.as_deref(), sha256: sha256.as_deref() };
        let received = self.receive(body, claims).await?;
        kernel::crash_point!("s3_after_blob");
        let version = Version {
            etag: received.digests.md5.clone(),
            content: received.content.clone(),
            last_modified: self.clock.now(),
            headers,
            metadata,
            tags,
            checksum: checksum_of(&received, &checksums),
            ..Version::default()
        };
        let written = self.change(caller, (&bucket, &key), &Put { version, condition }).await;
        match written {
            Ok(version) => Ok(output_of(&version)),
            Err(error) => {
                self.discard(received).await;
                Err(error)
            }
        }
    }
}

/// A received version goes on top, if its condition holds.
struct Put {
    version: Version,
    condition: WriteCondition,
}

#[async_trait]
impl Change for Put {
    type Output = Version;

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<Version>, Error> {
        check_write(&self.condition, found.key, found.etag())?;
        let happened = Happened::Created("PutObject");
        service.put_on_top(found, self.version.clone(), happened, Batch::new(&scope())).await
    }
}

/// The checksum that is kept with an object: the first that the client named, or S3's own.
pub(super) fn checksum_of(received: &Received, asked: &[Expected]) -> Option<Checksum> {
    let algorithm = asked.first().map_or(ChecksumAlgorithm::Crc64Nvme, |expected| expected.algorithm);
    let value = received.digests.checksums.get(&algorithm)?.clone();
    Some(Checksum { algorithm, value, kind: ChecksumKind::FullObject })
}

pub(super) fn output_of(version: &Version) -> PutObjectOutput {
    PutObjectOutput {
        etag: version.etag.clone(),
        version_id: version.id.clone(),
        size: version.content.size,
        checksum: version.checksum.clone(),
    }
}
