//! Content on its way to and from the blobs.

use crate::Service;
use crate::model::{Archived, BLOB, Content, Extent, Extents, Garbage, Head, INLINE_EXTENTS, UploadedPart, scope};
use crate::rules::digest::{Digests, Hasher, verify_checksum, verify_md5};
use crate::rules::range::{Slice, slices};
use aws::Error;
use aws::s3::{Body, ChecksumAlgorithm, Expectation, Expected, error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use kernel::{Batch, BlobError, Document, Page, Staged, StoreError};
use std::collections::BTreeSet;
use std::io;
use tokio::sync::OwnedRwLockReadGuard;

/// The most bytes that one request stores (Amazon S3 User Guide, "Uploading objects").
const LARGEST_BODY: u64 = 5 * 1024 * 1024 * 1024;

/// What a body was, stored but not referred to yet. While this is held, the garbage collection leaves it alone.
pub(crate) struct Received {
    pub(crate) content: Content,
    pub(crate) digests: Digests,
    _pin: Option<OwnedRwLockReadGuard<()>>,
}

/// What a client says about a body that it sends.
pub(crate) struct Claims<'a> {
    pub(crate) checksums: &'a [Expected],
    pub(crate) content_md5: Option<&'a str>,
    pub(crate) sha256: Option<&'a str>,
}

impl Claims<'_> {
    /// The algorithms to compute; CRC64NVME where none is asked for, as S3 does.
    fn algorithms(&self) -> Vec<ChecksumAlgorithm> {
        let asked: Vec<_> = self.checksums.iter().map(|expected| expected.algorithm).collect();
        if asked.is_empty() { vec![ChecksumAlgorithm::Crc64Nvme] } else { asked }
    }

    fn verify(&self, sha256: &str, digests: &Digests) -> Result<(), Error> {
        if let Some(given) = self.sha256 {
            verify_sha256(sha256, given)?;
        }
        if let Some(given) = self.content_md5 {
            verify_md5(digests, given)?;
        }
        for expected in self.checksums {
            let given = match &expected.value {
                Expectation::Any => continue,
                Expectation::Value(value) => Some(value.clone()),
                Expectation::Trailer(read) => read(),
            };
            let missing = || error::invalid_request(format!("The trailer {} is missing.", expected.algorithm.header()));
            verify_checksum(digests, expected.algorithm, &given.ok_or_else(missing)?)?;
        }
        Ok(())
    }
}

/// The signature covers this hash of the body.
fn verify_sha256(computed: &str, given: &str) -> Result<(), Error> {
    if computed == given {
        return Ok(());
    }
    let message = format!("The provided x-amz-content-sha256 ({given}) does not match what was computed ({computed}).");
    Err(Error::new("XAmzContentSHA256Mismatch", message))
}

impl Service {
    /// Checks a body and stores it. Nothing refers to it yet: a crash leaves a blob that the sweep removes.
    pub(crate) async fn receive(&self, body: Body, claims: Claims<'_>) -> Result<Received, Error> {
        let promised = body.length();
        let (staged, digests) = self.stage(body, &claims.algorithms()).await?;
        let size = digests.size;
        check_length(promised, size)?;
        let Some(staged) = staged.filter(|_| size > 0) else {
            claims.verify(sigv4::EMPTY_SHA256, &digests)?;
            return Ok(Received { content: Content::default(), digests, _pin: None });
        };
        let digest = staged.blob().digest.clone();
        claims.verify(&digest, &digests)?;
        // Between here and the commit that refers to it, the same content must not be collected.
        let pin = self.locks.share(&digest).await;
        staged.keep().await.map_err(Error::internal)?;
        let content = Content { size, extents: vec![Extent { digest, size, checksum: None }], more: None };
        Ok(Received { content, digests, _pin: Some(pin) })
    }

    /// Writes a body beside the blobs, hashing it on the way; nothing of no body.
    async fn stage(
        &self,
        mut body: Body,
        algorithms: &[ChecksumAlgorithm],
    ) -> Result<(Option<Staged>, Digests), Error> {
        let Some(first) = body.next().await else {
            return Ok((None, Hasher::new(algorithms.iter().copied()).finish()));
        };
        let first = first.map_err(of_client)?;
        // The blob's name is its SHA-256: that one needs no hashing of its own.
        let mut hasher = Hasher::new(algorithms.iter().copied().filter(|one| *one != ChecksumAlgorithm::Sha256));
        let mut failure = None;
        let chunks = stream::iter([Ok(first)]).chain(body).map(|chunk| take(chunk, &mut hasher, &mut failure));
        let staged = self.blobs.stage(chunks).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let staged = staged.map_err(Error::internal)?;
        let mut digests = hasher.finish();
        if algorithms.contains(&ChecksumAlgorithm::Sha256) {
            let bytes = hex::decode(&staged.blob().digest).map_err(Error::internal)?;
            digests.checksums.insert(ChecksumAlgorithm::Sha256, BASE64.encode(bytes));
        }
        Ok((Some(staged), digests))
    }

    /// Removes what a received content left, where nothing refers to it. A failure leaves it to the sweep.
    pub(crate) async fn discard(&self, received: Received) {
        let content = received.content.clone();
        // Else its own pin would keep the collection away.
        drop(received);
        for extent in &content.extents {
            if let Err(error) = self.collect(&extent.digest).await {
                tracing::warn!(%error, digest = extent.digest, "a blob without use was left behind");
            }
        }
    }

    /// Removes a blob if no document refers to it.
    pub(crate) async fn collect(&self, digest: &str) -> Result<(), Error> {
        let _lock = self.locks.lock(digest).await;
        if self.is_referred_to(digest).await? {
            return Ok(());
        }
        kernel::crash_point!("s3_before_blob_removal");
        self.blobs.remove(digest).await.map_err(Error::internal)
    }

    async fn is_referred_to(&self, digest: &str) -> Result<bool, StoreError> {
        Ok(self.refers::<Head>(digest).await?
            || self.refers::<Archived>(digest).await?
            || self.refers::<UploadedPart>(digest).await?
            || self.refers::<Extents>(digest).await?)
    }

    async fn refers<T: Document>(&self, digest: &str) -> Result<bool, StoreError> {
        let found = self.documents.find::<T>(&scope(), BLOB, digest, Page::first(1)).await?;
        Ok(!found.is_empty())
    }

    /// Reads bytes `first..=last` of a content. `Missing` where it was removed since it was looked up.
    pub(crate) async fn read(&self, content: &Content, first: u64, last: u64) -> Result<Body, ReadError> {
        let extents = self.extents(content).await?;
        let slices = slices(extents.iter().map(|extent| extent.size), first, last);
        let length = slices.iter().map(|slice| slice.end - slice.start).sum();
        let named = |slice: Slice| (extents[slice.extent].digest.clone(), slice.start..slice.end);
        let mut slices = slices.into_iter().map(named).collect::<Vec<_>>().into_iter();
        let opened = match slices.next() {
            // The first blob is opened now, so that what is gone is found out before the answer begins.
            Some((digest, range)) => vec![Ok(self.blobs.get(&digest, Some(range)).await?)],
            None => Vec::new(),
        };
        let blobs = self.blobs.clone();
        let others = stream::iter(slices).then(move |(digest, range)| {
            let blobs = blobs.clone();
            async move { blobs.get(&digest, Some(range)).await.map_err(io::Error::other) }
        });
        Ok(Body::from_stream(stream::iter(opened).chain(others).try_flatten(), Some(length)))
    }

    /// All extents of a content.
    pub(crate) async fn extents(&self, content: &Content) -> Result<Vec<Extent>, StoreError> {
        let mut extents = content.extents.clone();
        for more in self.more(content).await? {
            extents.extend(more.value.extents);
        }
        Ok(extents)
    }

    async fn more(&self, content: &Content) -> Result<Vec<kernel::Stored<Extents>>, StoreError> {
        match &content.more {
            Some(id) => self.documents.list(&scope(), Page::default().prefix(format!("{id}/"))).await,
            None => Ok(Vec::new()),
        }
    }

    /// A content of these extents, with the documents that it needs besides its own.
    pub(crate) fn gather(&self, extents: Vec<Extent>, mut batch: Batch) -> (Content, Batch) {
        let size = extents.iter().map(|extent| extent.size).sum();
        if extents.len() <= INLINE_EXTENTS {
            return (Content { size, extents, more: None }, batch);
        }
        let id = self.ids.uuid();
        let (inline, rest) = extents.split_at(INLINE_EXTENTS);
        for (place, extents) in rest.chunks(INLINE_EXTENTS).enumerate() {
            batch = batch.insert(&Extents { id: id.clone(), place, extents: extents.to_vec() });
        }
        (Content { size, extents: inline.to_vec(), more: Some(id) }, batch)
    }

    /// Lets go of a content in the commit that removes the last mention of it.
    pub(crate) async fn release(&self, content: &Content, mut batch: Batch) -> Result<Batch, StoreError> {
        let mut digests: BTreeSet<String> = content.extents.iter().map(|extent| extent.digest.clone()).collect();
        for more in self.more(content).await? {
            batch = batch.remove(&more);
            digests.extend(more.value.extents.into_iter().map(|extent| extent.digest));
        }
        let since = self.clock.now();
        Ok(digests
            .into_iter()
            .fold(batch, |batch, digest| batch.insert(&Garbage { digest, id: self.ids.uuid(), since })))
    }
}

/// Why a content cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::internal(error)
    }
}

/// Hashes a chunk on its way, and notes why the client's side failed.
fn take(chunk: io::Result<Bytes>, hasher: &mut Hasher, failure: &mut Option<Error>) -> io::Result<Bytes> {
    let chunk = chunk.map_err(|cause| {
        *failure = Some(of_client(cause));
        io::Error::from(io::ErrorKind::UnexpectedEof)
    })?;
    hasher.update(&chunk);
    if hasher.size() > LARGEST_BODY {
        *failure = Some(error::entity_too_large(LARGEST_BODY));
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(chunk)
}

/// What the wire found wrong with a body comes as it is; else the client broke off.
fn of_client(cause: io::Error) -> Error {
    match cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => error.clone(),
        None => Error::new("IncompleteBody", format!("The request body could not be read to its end: {cause}")),
    }
}

fn check_length(promised: Option<u64>, received: u64) -> Result<(), Error> {
    match promised {
        Some(promised) if promised != received => Err(error::incomplete_body(promised, received)),
        _ => Ok(()),
    }
}
