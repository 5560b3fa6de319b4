//! Which blobs a document refers to: an index row for each, written with the document whoever wrote it.

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, key_upper_bound};
use crate::{Index, Scope};

/// The index of documents by the blobs that they refer to.
pub(crate) const BLOB: &str = "blob";

/// How a [`BlobRef`](crate::BlobRef) looks in a document: the digest stands between these.
const BEFORE: &str = "{\"digest\":\"";
const BEHIND: &str = "\",\"size\":";
const DIGEST: usize = 64;

/// The digests of all [`BlobRef`](crate::BlobRef)s in a document's JSON, each once.
fn digests(body: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for (at, _) in body.match_indices(BEFORE) {
        let Some(rest) = body.get(at + BEFORE.len()..) else { continue };
        let Some(digest) = rest.get(..DIGEST) else { continue };
        let is_hex = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if is_hex && rest[DIGEST..].starts_with(BEHIND) && !found.contains(&digest) {
            found.push(digest);
        }
    }
    found
}

/// Adds the rows for the blobs that `body` refers to, where the document did not name them itself.
pub(crate) fn add_rows(body: &str, indexes: &mut Vec<Index>) {
    for digest in digests(body) {
        let row = Index::new(BLOB, digest);
        if !indexes.contains(&row) {
            indexes.push(row);
        }
    }
}

/// Those of `digests` that no document of `service` refers to.
pub(crate) fn unreferenced(
    connection: &Connection,
    service: &str,
    digests: Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let places = places(connection, service)?;
    let sql = "SELECT 1 FROM index_rows WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 AND value = ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let mut unreferenced = Vec::new();
    for digest in digests {
        let mut referenced = false;
        for (kind, scope) in &places {
            referenced = referenced || statement.exists(params![kind, scope.account, scope.region, BLOB, digest])?;
        }
        if !referenced {
            unreferenced.push(digest);
        }
    }
    Ok(unreferenced)
}

/// Where the service has index rows; steps from one kind and scope to the next, over all rows between.
fn places(connection: &Connection, service: &str) -> Result<Vec<(String, Scope)>, StoreError> {
    let sql = "SELECT kind, account, region FROM index_rows
               WHERE (kind, account, region) > (?1, ?2, ?3) AND kind < ?4 ORDER BY kind, account, region LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let end = key_upper_bound(&format!("{service}."));
    let mut last = (format!("{service}."), Scope::new("", ""));
    let mut places = Vec::new();
    loop {
        let (kind, scope) = &last;
        let place = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, Scope::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        };
        match statement.query_row(params![kind, scope.account, scope.region, end], place).optional()? {
            Some(next) => last = next,
            None => return Ok(places),
        }
        places.push(last.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlobRef, Large};

    const ONE: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn blob() -> BlobRef {
        BlobRef { digest: ONE.to_owned(), size: 3 }
    }

    #[test]
    fn a_blob_is_found_wherever_it_stands_in_a_document() {
        let large = serde_json::json!({"a": [1, {"text": Large::Blob(blob())}], "b": blob()}).to_string();
        for (body, expected) in [
            (serde_json::to_string(&blob()).unwrap_or_default(), &[ONE][..]),
            (large, &[ONE]),
            (serde_json::json!({"text": Large::Inline(serde_json::json!(blob()).to_string())}).to_string(), &[]),
            (format!("{{\"digest\":\"{}\",\"size\":1}}", ONE.to_uppercase()), &[]),
            (format!("{{\"digest\":\"{ONE}\",\"id\":1}}"), &[]),
            (format!("{{\"digest\":\"{}é\",\"size\":1}}", &ONE[..63]), &[]),
            ("{\"digest\":\"".to_owned(), &[]),
            ("{}".to_owned(), &[]),
        ] {
            assert_eq!(digests(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_row_that_the_document_names_itself_is_not_doubled() {
        let body = serde_json::to_string(&blob()).unwrap_or_default();
        let mut rows = vec![Index::new(BLOB, ONE)];
        add_rows(&body, &mut rows);
        assert_eq!(rows, [Index::new(BLOB, ONE)]);
        let mut rows = vec![Index::new("other", ONE)];
        add_rows(&body, &mut rows);
        assert_eq!(rows.len(), 2);
    }
}
