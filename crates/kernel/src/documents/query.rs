//! Reads, as SQL. Every one walks an index; none scans.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::document::index_position;
use crate::store::{Known, Recent, key_upper_bound, stored};
use crate::{Document, Order, Page, Scope, StoreError, Stored};

/// A document as it lies in its row.
pub(super) struct Raw {
    id: i64,
    pub(super) key: String,
    version: u64,
    body: Body,
    position: String,
}

enum Body {
    Json(String),
    /// It was read before.
    Known(Known),
}

impl Raw {
    fn of(row: &Row<'_>, recent: Option<&Recent>) -> rusqlite::Result<Self> {
        let (id, key, version) = (row.get(0)?, row.get::<_, String>(1)?, row.get(2)?);
        let body = match recent.and_then(|recent| recent.version_of(id, version)) {
            Some(known) => Body::Known(known),
            None => Body::Json(row.get(3)?),
        };
        Ok(Self { id, position: key.clone(), key, version, body })
    }

    fn of_index(row: &Row<'_>, recent: &Recent) -> rusqlite::Result<Self> {
        let sort: String = row.get(4)?;
        let raw = Self::of(row, Some(recent))?;
        Ok(Self { position: index_position(&sort, &raw.key), ..raw })
    }

    /// The row's id and the document's length, if it was not read before.
    pub(super) fn unknown(&self) -> Option<(i64, usize)> {
        match &self.body {
            Body::Json(text) => Some((self.id, text.len())),
            Body::Known(_) => None,
        }
    }
}

/// Reads what [`index_position`] wrote.
fn parse_position(position: &str) -> Option<(&str, &str)> {
    let (length, rest) = position.split_once(':')?;
    let length = length.parse().ok()?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

pub(super) fn decode<T: Document>(raw: Raw) -> Result<Stored<T>, StoreError> {
    let read = match &raw.body {
        Body::Json(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Body::Known(known) => {
            stored(known).map(|known: &Stored<T>| known.value.clone()).ok_or("of another type".into())
        }
    };
    match read {
        Ok(value) => Ok(Stored { version: raw.version, value, position: raw.position }),
        Err(reason) => Err(StoreError::Decode { kind: T::KIND.to_owned(), key: raw.key, reason }),
    }
}

pub(super) fn get(connection: &Connection, kind: &str, scope: &Scope, key: &str) -> Result<Option<Raw>, StoreError> {
    let sql =
        "SELECT id, key, version, body FROM documents WHERE kind = ?1 AND account = ?2 AND region = ?3 AND key = ?4";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![kind, scope.account, scope.region, key], |row| Raw::of(row, None)).optional()?)
}

pub(super) fn list(
    connection: &Connection,
    kind: &str,
    scope: &Scope,
    page: &Page,
    recent: &Recent,
) -> Result<Vec<Raw>, StoreError> {
    let (from, to) = bounds(page);
    let sql = match page.order {
        Order::Ascending => {
            "SELECT id, key, version, body FROM documents WHERE kind = ?1 AND account = ?2 AND region = ?3
             AND key >= ?4 AND key < ?5 AND key > ?6 ORDER BY key LIMIT ?7"
        }
        Order::Descending => {
            "SELECT id, key, version, body FROM documents WHERE kind = ?1 AND account = ?2 AND region = ?3
             AND key >= ?4 AND key < ?5 AND key < ?6 ORDER BY key DESC LIMIT ?7"
        }
    };
    let start = match page.order {
        Order::Ascending => String::new(),
        Order::Descending => to.clone(),
    };
    let after = page.after.as_ref().unwrap_or(&start);
    let parameters = params![kind, scope.account, scope.region, from, to, after, limit(page)];
    collect(connection, sql, parameters, |row| Raw::of(row, Some(recent)))
}

pub(super) fn find(
    connection: &Connection,
    kind: &str,
    scope: &Scope,
    (index, value): (&str, &str),
    page: &Page,
    recent: &Recent,
) -> Result<Vec<Raw>, StoreError> {
    let (from, to) = bounds(page);
    let sql = match page.order {
        Order::Ascending => {
            "SELECT d.id, d.key, d.version, d.body, i.sort FROM index_rows i
             JOIN documents d USING (kind, account, region, key)
             WHERE i.kind = ?1 AND i.account = ?2 AND i.region = ?3 AND i.name = ?4 AND i.value = ?5
             AND i.sort >= ?6 AND i.sort < ?7 AND (i.sort, i.key) > (?8, ?9) ORDER BY i.sort, i.key LIMIT ?10"
        }
        Order::Descending => {
            "SELECT d.id, d.key, d.version, d.body, i.sort FROM index_rows i
             JOIN documents d USING (kind, account, region, key)
             WHERE i.kind = ?1 AND i.account = ?2 AND i.region = ?3 AND i.name = ?4 AND i.value = ?5
             AND i.sort >= ?6 AND i.sort < ?7 AND (i.sort, i.key) < (?8, ?9) ORDER BY i.sort DESC, i.key DESC LIMIT ?10"
        }
    };
    let start = match page.order {
        Order::Ascending => ("", ""),
        Order::Descending => (&*to, ""),
    };
    // A position of another list stands nowhere: the list then starts anew.
    let (sort, key) = page.after.as_deref().and_then(parse_position).unwrap_or(start);
    let parameters = params![kind, scope.account, scope.region, index, value, from, to, sort, key, limit(page)];
    collect(connection, sql, parameters, |row| Raw::of_index(row, recent))
}

pub(super) fn scopes(connection: &Connection, kind: &str) -> Result<Vec<Scope>, StoreError> {
    let sql = "SELECT DISTINCT account, region FROM documents WHERE kind = ?1";
    let scope = |row: &Row<'_>| Ok(Scope::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    collect(connection, sql, params![kind], scope)
}

fn bounds(page: &Page) -> (String, String) {
    (page.prefix.clone(), key_upper_bound(&page.prefix))
}

fn limit(page: &Page) -> i64 {
    i64::try_from(page.limit.min(Page::MOST)).unwrap_or(0)
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, read)?.collect::<Result<Vec<_>, _>>()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_gives_back_sort_key_and_key(sort in ".{0,20}", key in ".{1,20}") {
            let text = index_position(&sort, &key);
            prop_assert_eq!(parse_position(&text), Some((&*sort, &*key)));
        }

        #[test]
        fn any_text_may_be_tried_as_a_position(text in ".{0,40}") {
            let _ = parse_position(&text);
        }
    }
}
