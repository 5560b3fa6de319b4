//! Tags and attributes of objects on the wire.

use super::convert::{caller, etag, kind, put_checksum, refused, size, time};
use super::operations::Adapter;
use super::request::unsigned;
use super::settings::{tag_set, tags};
use aws::Error;
use aws::s3::{ObjectAttributes as Known, ObjectVersion, PartAttributes, Tags, error};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

/// What a page of parts holds where the client does not say.
const DEFAULT: usize = 1_000;

impl Adapter {
    pub(super) async fn put_object_tags(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<PutObjectTaggingOutput> {
        let caller = caller(&request)?;
        let PutObjectTaggingInput { bucket, key, version_id, tagging, .. } = request.input;
        let tags = tags(&tagging.tag_set).map_err(refused(&caller))?;
        let object = ObjectVersion { bucket, key, version_id };
        let version_id = self.settings.put_object_tagging(&caller, &object, tags).await.map_err(refused(&caller))?;
        Ok(PutObjectTaggingOutput { version_id })
    }

    pub(super) async fn get_object_tags(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<GetObjectTaggingOutput> {
        let caller = caller(&request)?;
        let GetObjectTaggingInput { bucket, key, version_id, .. } = request.input;
        let object = ObjectVersion { bucket, key, version_id };
        let (tags, version_id) = self.settings.get_object_tagging(&caller, &object).await.map_err(refused(&caller))?;
        Ok(GetObjectTaggingOutput { tag_set: tag_set(tags), version_id })
    }

    pub(super) async fn delete_object_tags(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<DeleteObjectTaggingOutput> {
        let caller = caller(&request)?;
        let DeleteObjectTaggingInput { bucket, key, version_id, .. } = request.input;
        let object = ObjectVersion { bucket, key, version_id };
        let changed = self.settings.put_object_tagging(&caller, &object, Tags::new()).await;
        Ok(DeleteObjectTaggingOutput { version_id: changed.map_err(refused(&caller))? })
    }

    pub(super) async fn attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<GetObjectAttributesOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let after = unsigned("part-number-marker", input.part_number_marker).map_err(&refused)?.unwrap_or(0);
        let most = unsigned("max-parts", input.max_parts).map_err(&refused)?.unwrap_or(DEFAULT).min(DEFAULT);
        let wanted = wanted(&input.object_attributes).map_err(&refused)?;
        let object = ObjectVersion { bucket: input.bucket, key: input.key, version_id: input.version_id };
        let known = self.settings.get_object_attributes(&caller, &object).await.map_err(&refused)?;
        Ok(told(&known, |name| wanted.contains(&name.to_owned()), after, most))
    }
}

/// The attributes that are asked for.
fn wanted(names: &[ObjectAttributes]) -> Result<Vec<String>, Error> {
    const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    let names = names.iter().flat_map(|names| names.as_str().split(',')).map(|name| name.trim().to_owned());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    if names.is_empty() || !names.iter().all(|name| KNOWN.contains(&name.as_str())) {
        return Err(error::invalid_argument(format!("Invalid attribute name specified: one of {}.", KNOWN.join(", "))));
    }
    Ok(names)
}

fn told(known: &Known, wants: impl Fn(&str) -> bool, after: usize, most: usize) -> GetObjectAttributesOutput {
    let meta = &known.meta;
    let mut checksum = Checksum { checksum_type: kind(meta.checksum.as_ref()), ..Checksum::default() };
    put_checksum!(checksum, &meta.checksum);
    GetObjectAttributesOutput {
        checksum: meta.checksum.as_ref().filter(|_| wants("Checksum")).map(|_| checksum),
        e_tag: wants("ETag").then(|| etag(&meta.etag)),
        object_parts: meta.parts.filter(|_| wants("ObjectParts")).map(|_| parts(&known.parts, after, most)),
        object_size: wants("ObjectSize").then(|| size(meta.size)),
        storage_class: wants("StorageClass").then(|| StorageClass::from_static(StorageClass::STANDARD)),
        last_modified: Some(time(meta.last_modified)),
        version_id: meta.version_id.clone(),
        ..GetObjectAttributesOutput::default()
    }
}

/// The parts are named one by one only where they have checksums, as on AWS.
fn parts(all: &[PartAttributes], after: usize, most: usize) -> GetObjectAttributesParts {
    let number = |count: usize| i32::try_from(count).ok();
    let total_parts_count = number(all.len());
    if all.iter().any(|part| part.checksum.is_none()) {
        return GetObjectAttributesParts { total_parts_count, ..GetObjectAttributesParts::default() };
    }
    let page: Vec<ObjectPart> =
        all.iter().enumerate().skip(after).take(most).map(|(at, one)| part(at + 1, one)).collect();
    let last = after.min(all.len()) + page.len();
    GetObjectAttributesParts {
        is_truncated: Some(last < all.len()),
        max_parts: number(most),
        next_part_number_marker: number(last),
        part_number_marker: number(after),
        parts: Some(page),
        total_parts_count,
    }
}

fn part(number: usize, known: &PartAttributes) -> ObjectPart {
    let mut part =
        ObjectPart { part_number: i32::try_from(number).ok(), size: Some(size(known.size)), ..ObjectPart::default() };
    let checksum = known.checksum.clone().map(|(algorithm, value)| aws::s3::Checksum {
        algorithm,
        value,
        kind: aws::s3::ChecksumKind::FullObject,
    });
    put_checksum!(part, &checksum);
    part
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use aws::s3::ChecksumAlgorithm;

    fn uploaded(count: usize, with_checksum: bool) -> Vec<PartAttributes> {
        let checksum = with_checksum.then(|| (ChecksumAlgorithm::Crc32, "c".to_owned()));
        vec![PartAttributes { size: 5, checksum }; count]
    }

    #[test]
    fn parts_are_paged() {
        let first = parts(&uploaded(5, true), 0, 2);
        assert_eq!((first.is_truncated, first.next_part_number_marker), (Some(true), Some(2)));
        let last = parts(&uploaded(5, true), 4, 2);
        assert_eq!((last.is_truncated, last.parts.unwrap()[0].part_number), (Some(false), Some(5)));
        assert!(parts(&uploaded(5, true), 99, 2).parts.unwrap().is_empty());
        let unnamed = parts(&uploaded(5, false), 0, 2);
        assert_eq!((unnamed.total_parts_count, unnamed.parts), (Some(5), None));
    }

    #[test]
    fn attributes_are_named_in_one_header_or_several() {
        let of = |names: &[&'static str]| {
            wanted(&names.iter().map(|name| ObjectAttributes::from_static(name)).collect::<Vec<_>>())
        };
        assert_eq!(of(&["ETag,ObjectSize"]).unwrap(), of(&["ETag", "ObjectSize"]).unwrap());
        assert!(of(&[]).is_err() && of(&["Colour"]).is_err());
    }
}
