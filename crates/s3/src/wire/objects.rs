//! Objects on the wire.

use super::convert::{
    algorithm, caller, condition, content_headers, content_type, etag, expected, given, incoming, kind, metadata,
    outgoing, put_checksum, range, refused, size, time, timestamp,
};
use super::operations::Adapter;
use super::request::Framing;
use crate::rules::tags::parse_header;
use aws::Error;
use aws::s3::{self as ours, ObjectMeta, ReadCondition, Replacement, Tags, WriteCondition, error};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};

/// What GetObject and HeadObject ask for.
macro_rules! wanted {
    ($input:expr) => {
        super::request::unsigned("partNumber", $input.part_number).map(|part| ours::GetObject {
            bucket: $input.bucket,
            key: $input.key,
            version_id: $input.version_id,
            part_number: part.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
            range: $input.range.map(range),
            condition: ReadCondition {
                if_match: $input.if_match.as_ref().map(condition),
                if_none_match: $input.if_none_match.as_ref().map(condition),
                if_modified_since: $input.if_modified_since.as_ref().and_then(timestamp),
                if_unmodified_since: $input.if_unmodified_since.as_ref().and_then(timestamp),
            },
        })
    };
}
/// What must hold of the source of a copy.
macro_rules! source_condition {
    ($input:expr) => {
        aws::s3::ReadCondition {
            if_match: $input.copy_source_if_match.as_ref().map($crate::wire::convert::condition),
            if_none_match: $input.copy_source_if_none_match.as_ref().map($crate::wire::convert::condition),
            if_modified_since: $input.copy_source_if_modified_since.as_ref().and_then($crate::wire::convert::timestamp),
            if_unmodified_since: $input
                .copy_source_if_unmodified_since
                .as_ref()
                .and_then($crate::wire::convert::timestamp),
        }
    };
}
pub(super) use source_condition;

/// What GetObject and HeadObject say of an object.
macro_rules! describe {
    ($output:expr, $meta:expr, $with_checksum:expr) => {{
        let meta: ObjectMeta = $meta;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = Some(size(length(&meta)));
        $output.content_range = meta.range.map(|(first, last)| format!("bytes {first}-{last}/{}", meta.size));
        $output.content_type = Some(content_type(&meta.headers));
        $output.e_tag = Some(etag(&meta.etag));
        $output.last_modified = Some(time(meta.last_modified));
        $output.expires = meta.headers.expires.map(time);
        $output.parts_count = meta.parts.and_then(|parts| i32::try_from(parts).ok());
        if $with_checksum {
            $output.checksum_type = kind(meta.checksum.as_ref());
            put_checksum!($output, &meta.checksum);
        }
        $output.content_encoding = meta.headers.content_encoding;
        $output.content_language = meta.headers.content_language;
        $output.content_disposition = meta.headers.content_disposition;
        $output.cache_control = meta.headers.cache_control;
        $output.version_id = meta.version_id;
        $output.metadata = Some(meta.metadata.into_iter().collect());
    }};
}
impl Adapter {
    pub(super) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let framing = request.extensions.get::<Framing>().cloned().unwrap_or_default();
        let announced = request.headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let input = request.input;
        let named = algorithm(input.checksum_algorithm.as_ref()).map_err(&refused)?;
        let checksums =
            expected(given!(input), named, announced.as_deref(), framing.trailers.as_ref()).map_err(&refused)?;
        let put = ours::PutObject {
            headers: content_headers!(input),
            condition: write_condition(input.if_match.as_ref(), input.if_none_match.as_ref()).map_err(&refused)?,
            body: incoming(input.body, framing.length),
            bucket: input.bucket,
            key: input.key,
            metadata: metadata(input.metadata),
            tags: header_tags(input.tagging.as_deref()).map_err(&refused)?,
            checksums,
            content_md5: input.content_md5,
            sha256: framing.sha256,
        };
        let stored = self.s3.put_object(&caller, put).await.map_err(&refused)?;
        let mut output = PutObjectOutput {
            e_tag: Some(etag(&stored.etag)),
            version_id: stored.version_id,
            checksum_type: kind(stored.checksum.as_ref()),
            ..PutObjectOutput::default()
        };
        put_checksum!(output, &stored.checksum);
        Ok(output)
    }

    pub(super) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let caller = caller(&request)?;
        let input = request.input;
        let with_checksum = input.checksum_mode.is_some() && input.range.is_none() && input.part_number.is_none();
        let wanted = wanted!(input).map_err(refused(&caller))?;
        let object = self.s3.get_object(&caller, wanted).await.map_err(refused(&caller))?;
        let meta = object.meta;
        let tag_count = i32::try_from(meta.tag_count).ok().filter(|count| *count > 0);
        let body = Some(outgoing(object.body));
        let mut output = GetObjectOutput { body, tag_count, ..GetObjectOutput::default() };
        describe!(output, meta, with_checksum);
        Ok(output)
    }

    pub(super) async fn head(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let caller = caller(&request)?;
        let input = request.input;
        let with_checksum = input.checksum_mode.is_some() && input.range.is_none() && input.part_number.is_none();
        let wanted = wanted!(input).map_err(refused(&caller))?;
        let meta = self.s3.head_object(&caller, wanted).await.map_err(refused(&caller))?;
        let (mut output, tags) = (HeadObjectOutput::default(), meta.tag_count);
        describe!(output, meta, with_checksum);
        let mut reply = S3Response::new(output);
        if tags > 0 {
            reply.headers.insert("x-amz-tagging-count", tags.into());
        }
        Ok(reply)
    }

    pub(super) async fn delete(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let caller = caller(&request)?;
        let input = request.input;
        let deleted = ours::DeleteObject {
            bucket: input.bucket,
            key: input.key,
            version_id: input.version_id,
            if_match: input.if_match.as_ref().map(condition),
        };
        let output = self.s3.delete_object(&caller, deleted).await.map_err(refused(&caller))?;
        Ok(DeleteObjectOutput {
            delete_marker: output.delete_marker.then_some(true),
            version_id: output.version_id,
            request_charged: None,
        })
    }

    pub(super) async fn delete_many(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let caller = caller(&request)?;
        let quiet = request.input.delete.quiet.unwrap_or_default();
        let objects = request.input.delete.objects.into_iter().map(object_identifier);
        let input = ours::DeleteObjects { bucket: request.input.bucket, objects: objects.collect() };
        let output = self.s3.delete_objects(&caller, input).await.map_err(refused(&caller))?;
        let deleted = output.deleted.into_iter().map(deleted_object).collect();
        let errors: Vec<s3s::dto::Error> = output.failed.into_iter().map(failed_delete).collect();
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            request_charged: None,
        })
    }

    pub(super) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let replaces = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str)).map_err(&refused)?;
        let retags =
            replaces_tags(input.tagging_directive.as_ref().map(TaggingDirective::as_str), input.tagging.as_deref());
        let replace_tags = retags.map_err(&refused)?;
        let headers = content_headers!(input);
        let (source_bucket, source_key, source_version_id) = source(&input.copy_source).map_err(&refused)?;
        let copy = ours::CopyObject {
            source_bucket,
            source_key,
            source_version_id,
            source_condition: source_condition!(input),
            replace: replaces.then(|| Replacement { headers, metadata: metadata(input.metadata) }),
            checksum_algorithm: algorithm(input.checksum_algorithm.as_ref()).map_err(&refused)?,
            replace_tags,
            bucket: input.bucket,
            key: input.key,
            condition: copy_condition(&request.headers).map_err(&refused)?,
        };
        let copied = self.s3.copy_object(&caller, copy).await.map_err(&refused)?;
        let mut result = CopyObjectResult {
            e_tag: Some(etag(&copied.etag)),
            last_modified: Some(time(copied.last_modified)),
            checksum_type: kind(copied.checksum.as_ref()),
            ..CopyObjectResult::default()
        };
        put_checksum!(result, &copied.checksum);
        Ok(CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: copied.source_version_id,
            version_id: copied.version_id,
            ..CopyObjectOutput::default()
        })
    }
}

/// How many bytes are answered.
fn length(meta: &ObjectMeta) -> u64 {
    meta.range.map_or(meta.size, |(first, last)| last - first + 1)
}

/// Conditions of a write: any entity tag, and none at all.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<WriteCondition, Error> {
    if if_none_match.is_some_and(|condition| !condition.is_any()) {
        let message =
            "A header you provided implies functionality that is not implemented: If-None-Match takes only *.";
        return Err(Error::modelled("NotImplemented", 501, message));
    }
    Ok(WriteCondition { if_match: if_match.map(condition), if_absent: if_none_match.is_some() })
}

/// As [`write_condition`] of a copy, whose headers s3s does not know (Amazon S3 User Guide, since October 2025).
fn copy_condition(headers: &http::HeaderMap) -> Result<WriteCondition, Error> {
    let text = |name: http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let none_match = text(http::header::IF_NONE_MATCH);
    if none_match.is_some_and(|tag| tag.trim() != "*") {
        return Err(error::not_implemented("If-None-Match with another value than *"));
    }
    Ok(WriteCondition { if_match: text(http::header::IF_MATCH).map(str::to_owned), if_absent: none_match.is_some() })
}

/// Whether a directive says `REPLACE`.
fn replaces(directive: Option<&str>) -> Result<bool, Error> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(error::invalid_argument(format!("Unknown directive {other}: it is COPY or REPLACE."))),
    }
}

/// The tags of a copy, where they are not the source's.
fn replaces_tags(directive: Option<&str>, tagging: Option<&str>) -> Result<Option<Tags>, Error> {
    if replaces(directive)? { header_tags(tagging).map(Some) } else { Ok(None) }
}

/// The tags of an `x-amz-tagging` header.
pub(super) fn header_tags(tagging: Option<&str>) -> Result<Tags, Error> {
    tagging.map_or_else(|| Ok(Tags::new()), parse_header)
}

fn object_identifier(object: ObjectIdentifier) -> ours::ObjectIdentifier {
    let if_match = object.e_tag.map(|etag| etag.value().to_owned());
    ours::ObjectIdentifier { key: object.key, version_id: object.version_id, if_match }
}

/// Bucket, key and version of a copy's source.
pub(super) fn source(source: &CopySource) -> Result<(String, String, Option<String>), Error> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            Ok((bucket.to_string(), key.to_string(), version_id.as_ref().map(ToString::to_string)))
        }
        _ => Err(error::invalid_argument("Copy source must be a bucket and a key; access points are not implemented.")),
    }
}

fn deleted_object(deleted: ours::DeletedObject) -> DeletedObject {
    let ours::DeletedObject { object, output } = deleted;
    DeletedObject {
        key: Some(object.key),
        delete_marker: output.delete_marker.then_some(true),
        delete_marker_version_id: output.version_id.filter(|_| output.delete_marker),
        version_id: object.version_id,
    }
}

fn failed_delete(failed: ours::FailedDelete) -> s3s::dto::Error {
    s3s::dto::Error {
        key: Some(failed.object.key),
        version_id: failed.object.version_id,
        code: Some(failed.error.code),
        message: Some(failed.error.message),
    }
}
