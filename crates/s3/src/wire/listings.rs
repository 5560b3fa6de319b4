//! Listings of objects and versions on the wire.

use super::convert::{algorithm_name, caller, etag, kind, listed, refused, size, time};
use super::operations::Adapter;
use super::request::unsigned;
use aws::Error;
use aws::s3::{self as ours, ListedVersion, ObjectMeta, Position, VersionPosition, error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::dto::*;
use s3s::{S3Request, S3Result};

/// What a page holds where the client does not say.
const DEFAULT: i32 = 1_000;

impl Adapter {
    pub(super) async fn objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<ListObjectsV2Output> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Some(position(token).map_err(&refused)?),
            (None, Some(key)) if !key.is_empty() => Some(Position::Key(key.clone())),
            (None, _) => None,
        };
        let asked = ours::ListObjects {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            from,
            limit: unsigned("max-keys", input.max_keys).map_err(&refused)?,
        };
        let page = self.s3.list_objects(&caller, asked).await.map_err(&refused)?;
        let encoding = input.encoding_type.as_ref();
        let owner = input.fetch_owner.unwrap_or_default().then(|| owner(&caller.account));
        let contents: Vec<Object> =
            page.objects.into_iter().map(|meta| object(meta, encoding, owner.clone())).collect();
        let common_prefixes = prefixes(&page.common_prefixes, encoding);
        Ok(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(token),
            max_keys: Some(input.max_keys.unwrap_or(DEFAULT).min(DEFAULT)),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            name: Some(input.bucket),
            prefix: Some(listed(&input.prefix.unwrap_or_default(), encoding)),
            delimiter: input.delimiter.map(|delimiter| listed(&delimiter, encoding)),
            start_after: input.start_after.map(|key| listed(&key, encoding)),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }

    /// The first version of the listing: the marker is a key, or a common prefix where the page before ended with one.
    pub(super) async fn objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let marker = input.marker.clone().filter(|marker| !marker.is_empty());
        let asked = ours::ListObjects {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            from: marker.map(|marker| marked(marker, &delimiter)),
            delimiter,
            limit: unsigned("max-keys", input.max_keys).map_err(&refused)?,
        };
        let page = self.s3.list_objects(&caller, asked).await.map_err(&refused)?;
        let encoding = input.encoding_type.as_ref();
        let owner = Some(owner(&caller.account));
        let next = page.next.as_ref().map(|next| match next {
            Position::Key(text) | Position::Prefix(text) => listed(text, encoding),
        });
        Ok(ListObjectsOutput {
            contents: Some(page.objects.into_iter().map(|meta| object(meta, encoding, owner.clone())).collect()),
            common_prefixes: Some(prefixes(&page.common_prefixes, encoding)),
            is_truncated: Some(next.is_some()),
            next_marker: next.filter(|_| input.delimiter.is_some()),
            max_keys: Some(input.max_keys.unwrap_or(DEFAULT).min(DEFAULT)),
            marker: Some(listed(&input.marker.unwrap_or_default(), encoding)),
            name: Some(input.bucket),
            prefix: Some(listed(&input.prefix.unwrap_or_default(), encoding)),
            delimiter: input.delimiter.map(|delimiter| listed(&delimiter, encoding)),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }

    pub(super) async fn versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let caller = caller(&request)?;
        let refused = refused(&caller);
        let input = request.input;
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let from = version_position(input.key_marker.clone(), input.version_id_marker.clone(), &delimiter);
        let asked = ours::ListObjectVersions {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter,
            from: from.map_err(&refused)?,
            limit: unsigned("max-keys", input.max_keys).map_err(&refused)?,
        };
        let page = self.s3.list_object_versions(&caller, asked).await.map_err(&refused)?;
        let encoding = input.encoding_type.as_ref();
        let owner = owner(&caller.account);
        let (markers, versions): (Vec<_>, Vec<_>) = page.versions.into_iter().partition(|listed| listed.delete_marker);
        let (next_key_marker, next_version_id_marker) = match &page.next {
            Some(VersionPosition::Version(key, id)) => (Some(listed(key, encoding)), Some(id.clone())),
            Some(VersionPosition::Key(text) | VersionPosition::Prefix(text)) => (Some(listed(text, encoding)), None),
            None => (None, None),
        };
        Ok(ListObjectVersionsOutput {
            versions: Some(versions.into_iter().map(|one| version(one, encoding, &owner)).collect()),
            delete_markers: Some(markers.into_iter().map(|one| marker(one, encoding, &owner)).collect()),
            common_prefixes: Some(prefixes(&page.common_prefixes, encoding)),
            is_truncated: Some(page.next.is_some()),
            next_key_marker,
            next_version_id_marker,
            max_keys: Some(input.max_keys.unwrap_or(DEFAULT).min(DEFAULT)),
            key_marker: Some(listed(&input.key_marker.unwrap_or_default(), encoding)),
            version_id_marker: input.version_id_marker,
            name: Some(input.bucket),
            prefix: Some(listed(&input.prefix.unwrap_or_default(), encoding)),
            delimiter: input.delimiter.map(|delimiter| listed(&delimiter, encoding)),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// Continuation tokens are opaque to clients: `k` or `p` before a key or prefix.
fn token(position: &Position) -> String {
    let text = match position {
        Position::Key(key) => format!("k{key}"),
        Position::Prefix(prefix) => format!("p{prefix}"),
    };
    BASE64.encode(text)
}

fn position(token: &str) -> Result<Position, Error> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    match (text.strip_prefix('k'), text.strip_prefix('p')) {
        (Some(key), _) => Ok(Position::Key(key.to_owned())),
        (_, Some(prefix)) => Ok(Position::Prefix(prefix.to_owned())),
        _ => Err(error::invalid_argument("The continuation token provided is incorrect")),
    }
}

/// A marker that ends in the delimiter was a common prefix.
fn marked(marker: String, delimiter: &str) -> Position {
    if !delimiter.is_empty() && marker.ends_with(delimiter) { Position::Prefix(marker) } else { Position::Key(marker) }
}

fn version_position(
    key: Option<String>,
    id: Option<String>,
    delimiter: &str,
) -> Result<Option<VersionPosition>, Error> {
    let (key, id) = (key.filter(|key| !key.is_empty()), id.filter(|id| !id.is_empty()));
    match (key, id) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(error::invalid_argument("A version-id marker cannot be specified without a key marker."))
        }
        (Some(key), Some(id)) => Ok(Some(VersionPosition::Version(key, id))),
        (Some(key), None) => Ok(Some(match marked(key, delimiter) {
            Position::Key(key) => VersionPosition::Key(key),
            Position::Prefix(prefix) => VersionPosition::Prefix(prefix),
        })),
    }
}

fn owner(account: &str) -> Owner {
    Owner { id: Some(account.to_owned()), display_name: None }
}

pub(super) fn prefixes(found: &[String], encoding: Option<&EncodingType>) -> Vec<CommonPrefix> {
    found.iter().map(|prefix| CommonPrefix { prefix: Some(listed(prefix, encoding)) }).collect()
}

fn object(meta: ObjectMeta, encoding: Option<&EncodingType>, owner: Option<Owner>) -> Object {
    Object {
        key: Some(listed(&meta.key, encoding)),
        e_tag: Some(etag(&meta.etag)),
        size: Some(size(meta.size)),
        last_modified: Some(time(meta.last_modified)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        checksum_type: kind(meta.checksum.as_ref()),
        checksum_algorithm: meta.checksum.map(|checksum| vec![algorithm_name(checksum.algorithm)]),
        owner,
        restore_status: None,
    }
}

fn version(version: ListedVersion, encoding: Option<&EncodingType>, owner: &Owner) -> ObjectVersion {
    let ListedVersion { meta, is_latest, .. } = version;
    ObjectVersion {
        key: Some(listed(&meta.key, encoding)),
        version_id: meta.version_id,
        is_latest: Some(is_latest),
        e_tag: Some(etag(&meta.etag)),
        size: Some(size(meta.size)),
        last_modified: Some(time(meta.last_modified)),
        storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
        checksum_type: kind(meta.checksum.as_ref()),
        checksum_algorithm: meta.checksum.map(|checksum| vec![algorithm_name(checksum.algorithm)]),
        owner: Some(owner.clone()),
        restore_status: None,
    }
}

fn marker(marker: ListedVersion, encoding: Option<&EncodingType>, owner: &Owner) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(listed(&marker.meta.key, encoding)),
        version_id: marker.meta.version_id,
        is_latest: Some(marker.is_latest),
        last_modified: Some(time(marker.meta.last_modified)),
        owner: Some(owner.clone()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_on_where_they_say() {
        for place in [Position::Key("a/b".to_owned()), Position::Prefix("p/".to_owned())] {
            assert_eq!(position(&token(&place)).unwrap(), place);
        }
        for nonsense in ["", "%%%", "AAAA"] {
            assert!(position(nonsense).unwrap_err().is("InvalidArgument"));
        }
    }

    #[test]
    fn markers_may_be_prefixes() {
        assert_eq!(marked("a/".to_owned(), "/"), Position::Prefix("a/".to_owned()));
        assert_eq!(marked("a/".to_owned(), ""), Position::Key("a/".to_owned()));
        assert_eq!(marked("a/b".to_owned(), "/"), Position::Key("a/b".to_owned()));
        assert!(version_position(None, Some("v".to_owned()), "").is_err());
    }
}
