//! Multipart uploads on the wire.

use super::convert::{
    algorithm, algorithm_name, caller, checksum_kind, content_headers, etag, expected, given, incoming, kind, listed,
    metadata, only, put_checksum, refused, size, time,
};
use super::listings::prefixes;
use super::objects::{header_tags, source, source_condition, write_condition};
use super::operations::Adapter;
use super::request::{Framing, unsigned};
use aws::Error;
use aws::s3::{self as ours, UploadPosition, error};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

/// What a page holds where the client does not say.
const DEFAULT: i32 = 1_000;

impl Adapter {
    pub(super) async fn open_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let create = ours::CreateMultipartUpload {
            headers: content_headers!(input),
            checksum_algorithm: algorithm(input.checksum_algorithm.as_ref()).map_err(&refused)?,
            checksum_kind: checksum_kind(input.checksum_type.as_ref()).map_err(&refused)?,
            bucket: input.bucket,
            key: input.key,
            metadata: metadata(input.metadata),
            tags: header_tags(input.tagging.as_deref()).map_err(&refused)?,
        };
        let upload = self.s3.create_multipart_upload(&caller, create).await.map_err(&refused)?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(upload.bucket),
            key: Some(upload.key),
            upload_id: Some(upload.upload_id),
            checksum_algorithm: upload.checksum_algorithm.map(algorithm_name),
            checksum_type: upload
                .checksum_algorithm
                .map(|_| ChecksumType::from(upload.checksum_kind.name().to_owned())),
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn put_part(&self, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let framing = request.extensions.get::<Framing>().cloned().unwrap_or_default();
        let announced = request.headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let input = request.input;
        let named = algorithm(input.checksum_algorithm.as_ref()).map_err(&refused)?;
        let part = ours::UploadPart {
            checksums: expected(given!(input), named, announced.as_deref(), framing.trailers.as_ref())
                .map_err(&refused)?,
            body: incoming(input.body, framing.length),
            bucket: input.bucket,
            key: input.key,
            upload_id: input.upload_id,
            part_number: part_number(input.part_number),
            content_md5: input.content_md5,
            sha256: framing.sha256,
        };
        let stored = self.s3.upload_part(&caller, part).await.map_err(&refused)?;
        let mut output = UploadPartOutput { e_tag: Some(etag(&stored.etag)), ..UploadPartOutput::default() };
        put_checksum!(output, &stored.checksum);
        Ok(output)
    }

    /// A part that is a range of another object: read and stored again, since its MD5 must be known.
    pub(super) async fn copy_part(&self, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let (bucket, key, version_id) = source(&input.copy_source).map_err(&refused)?;
        let range = input.copy_source_range.as_deref().map(copy_range).transpose().map_err(&refused)?;
        let read =
            ours::GetObject { bucket, key, version_id, range, part_number: None, condition: source_condition!(input) };
        let object = self.s3.get_object(&caller, read).await.map_err(as_precondition).map_err(&refused)?;
        within(range, object.meta.size).map_err(&refused)?;
        let copy_source_version_id = object.meta.version_id;
        let part = ours::UploadPart {
            bucket: input.bucket,
            key: input.key,
            upload_id: input.upload_id,
            part_number: part_number(input.part_number),
            body: object.body,
            ..ours::UploadPart::default()
        };
        let stored = self.s3.upload_part(&caller, part).await.map_err(&refused)?;
        let mut result = CopyPartResult {
            e_tag: Some(etag(&stored.etag)),
            last_modified: Some(time(stored.last_modified)),
            ..CopyPartResult::default()
        };
        put_checksum!(result, &stored.checksum);
        let copy_part_result = Some(result);
        Ok(UploadPartCopyOutput { copy_part_result, copy_source_version_id, ..UploadPartCopyOutput::default() })
    }

    pub(super) async fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let complete = ours::CompleteMultipartUpload {
            checksum: only(given!(input)),
            condition: write_condition(input.if_match.as_ref(), input.if_none_match.as_ref()).map_err(&refused)?,
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            upload_id: input.upload_id,
            parts: parts.iter().map(completed_part).collect(),
            size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        };
        let object = self.s3.complete_multipart_upload(&caller, complete).await.map_err(&refused)?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&object.etag)),
            version_id: object.version_id,
            checksum_type: kind(object.checksum.as_ref()),
            ..CompleteMultipartUploadOutput::default()
        };
        put_checksum!(output, &object.checksum);
        Ok(output)
    }

    pub(super) async fn abort_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let caller = caller(&request)?;
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        let abort = ours::AbortMultipartUpload { bucket, key, upload_id };
        self.s3.abort_multipart_upload(&caller, abort).await.map_err(refused(&caller))?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn parts(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let after = unsigned("part-number-marker", input.part_number_marker).map_err(&refused)?;
        let asked = ours::ListParts {
            bucket: input.bucket,
            key: input.key,
            upload_id: input.upload_id,
            after: after.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0),
            limit: unsigned("max-parts", input.max_parts).map_err(&refused)?,
        };
        let page = self.s3.list_parts(&caller, asked).await.map_err(&refused)?;
        let owner = Owner { id: Some(caller.account.clone()), display_name: None };
        Ok(ListPartsOutput {
            bucket: Some(page.upload.bucket),
            key: Some(page.upload.key),
            upload_id: Some(page.upload.upload_id),
            checksum_algorithm: page.upload.checksum_algorithm.map(algorithm_name),
            parts: Some(page.parts.into_iter().map(part).collect()),
            is_truncated: Some(page.next.is_some()),
            next_part_number_marker: page.next.and_then(|number| i32::try_from(number).ok()),
            part_number_marker: Some(input.part_number_marker.unwrap_or(0)),
            max_parts: Some(input.max_parts.unwrap_or(DEFAULT).min(DEFAULT)),
            owner: Some(owner),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let asked = ours::ListMultipartUploads {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            from: upload_position(&input),
            limit: unsigned("max-uploads", input.max_uploads).map_err(&refused)?,
        };
        let page = self.s3.list_multipart_uploads(&caller, asked).await.map_err(&refused)?;
        let encoding = input.encoding_type.as_ref();
        let (next_key_marker, next_upload_id_marker) = match &page.next {
            Some(UploadPosition::Upload(key, id)) => (Some(listed(key, encoding)), Some(id.clone())),
            Some(UploadPosition::Key(text) | UploadPosition::Prefix(text)) => (Some(listed(text, encoding)), None),
            None => (None, None),
        };
        Ok(ListMultipartUploadsOutput {
            uploads: Some(page.uploads.into_iter().map(|one| upload(one, encoding)).collect()),
            common_prefixes: Some(prefixes(&page.common_prefixes, encoding)),
            is_truncated: Some(page.next.is_some()),
            next_key_marker,
            next_upload_id_marker,
            max_uploads: Some(input.max_uploads.unwrap_or(DEFAULT).min(DEFAULT)),
            key_marker: Some(listed(&input.key_marker.unwrap_or_default(), encoding)),
            upload_id_marker: input.upload_id_marker,
            bucket: Some(input.bucket),
            prefix: Some(listed(&input.prefix.unwrap_or_default(), encoding)),
            delimiter: input.delimiter.map(|delimiter| listed(&delimiter, encoding)),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// A number out of bounds stays out of bounds, for the service to refuse.
fn part_number(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn completed_part(part: &CompletedPart) -> ours::CompletedPart {
    ours::CompletedPart {
        part_number: part_number(part.part_number.unwrap_or_default()),
        etag: part.e_tag.as_ref().map(|etag| etag.value().to_owned()).unwrap_or_default(),
        checksum: only(given!(part)),
    }
}

fn part(part: ours::Part) -> Part {
    let mut output = Part {
        part_number: i32::try_from(part.part_number).ok(),
        e_tag: Some(etag(&part.etag)),
        size: Some(size(part.size)),
        last_modified: Some(time(part.last_modified)),
        ..Part::default()
    };
    put_checksum!(output, &part.checksum);
    output
}

fn upload(upload: ours::Upload, encoding: Option<&EncodingType>) -> MultipartUpload {
    MultipartUpload {
        key: Some(listed(&upload.key, encoding)),
        upload_id: Some(upload.upload_id),
        initiated: Some(time(upload.initiated)),
        checksum_algorithm: upload.checksum_algorithm.map(algorithm_name),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..MultipartUpload::default()
    }
}

/// The upload marker counts only beside a key marker.
fn upload_position(input: &ListMultipartUploadsInput) -> Option<UploadPosition> {
    let key = input.key_marker.clone().filter(|key| !key.is_empty())?;
    let id = input.upload_id_marker.clone().filter(|id| !id.is_empty());
    let delimiter = input.delimiter.as_deref().unwrap_or_default();
    Some(match id {
        Some(id) => UploadPosition::Upload(key, id),
        None if !delimiter.is_empty() && key.ends_with(delimiter) => UploadPosition::Prefix(key),
        None => UploadPosition::Key(key),
    })
}

/// A copied range names both ends.
fn copy_range(text: &str) -> Result<ours::ByteRange, Error> {
    let ends = text.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
    let parsed = ends.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (first, last) = parsed.filter(|(first, last)| first <= last).ok_or_else(|| {
        error::invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last.")
    })?;
    Ok(ours::ByteRange::Between(first, last))
}

/// Unlike a read, a copy does not cut its range to the source.
fn within(range: Option<ours::ByteRange>, size: u64) -> Result<(), Error> {
    match range {
        Some(ours::ByteRange::Between(_, last)) if last >= size => {
            Err(error::invalid_argument(format!("Range specified is not valid for source object of size: {size}")))
        }
        _ => Ok(()),
    }
}

/// The condition of a copy's source never answers 304.
fn as_precondition(failure: Error) -> Error {
    if failure.is("NotModified") { error::precondition_failed("x-amz-copy-source-if-…") } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_ranges_are_in_the_source() {
        let range = |last| Some(ours::ByteRange::Between(0, last));
        assert!(within(None, 0).is_ok() && within(range(9), 10).is_ok());
        assert!(within(range(10), 10).is_err_and(|error| error.is("InvalidArgument")));
    }

    #[test]
    fn copied_ranges_name_both_ends() {
        assert_eq!(copy_range("bytes=0-9").ok(), Some(ours::ByteRange::Between(0, 9)));
        for bad in ["bytes=5-", "bytes=-5", "0-9", "bytes=9-0", "bytes=a-b"] {
            assert!(copy_range(bad).is_err_and(|error| error.is("InvalidArgument")), "{bad}");
        }
    }
}
