//! ListObjectVersions: current and archived versions, merged.

use super::list::{LAST, MOST};
use crate::Service;
use crate::model::{Archived, Head, Version, VersionId, object_key, scope};
use crate::rules::history::archived_sequence;
use crate::rules::listing::{Offered, Rolled, Seek};
use aws::Error;
use aws::s3::{ListObjectVersions, ListedVersion, VersionPage, VersionPosition};
use kernel::{Caller, Page};

/// Documents read at once from each of the two sources.
const BATCH: usize = 256;

/// A version with its place in the order: by key, then newest first.
struct Listed {
    key: String,
    version: Version,
    current: bool,
}

/// How far the two sources have been read: document keys.
#[derive(Default)]
struct Cursors {
    heads: Option<String>,
    archived: Option<String>,
}

impl Cursors {
    /// Behind everything of a key, or that begins with a prefix.
    fn behind(bucket: &str, seek: &Seek) -> Self {
        match seek {
            Seek::Start => Self::default(),
            Seek::Key(key) => Self {
                heads: Some(object_key(bucket, key)),
                archived: Some(format!("{}{LAST}", Archived::prefix(bucket, key))),
            },
            Seek::Prefix(prefix) => {
                let end = object_key(bucket, &format!("{prefix}{LAST}"));
                Self { heads: Some(end.clone()), archived: Some(end) }
            }
        }
    }
}

impl Service {
    pub(crate) async fn page_of_versions(
        &self,
        caller: &Caller,
        input: ListObjectVersions,
    ) -> Result<VersionPage, Error> {
        self.bucket(caller, &input.bucket).await?;
        let limit = input.limit.unwrap_or(MOST).min(MOST);
        if limit == 0 {
            return Ok(VersionPage::default());
        }
        let (seek, cursors) = self.start(&input.bucket, input.from).await?;
        let mut page = Rolled::new(&input.prefix, &input.delimiter, limit, seek);
        let full = self.fill_versions(&input.bucket, &input.prefix, cursors, &mut page).await?;
        let next = full.then(|| goes_on(&page)).flatten();
        let versions = page.items.into_iter().map(|listed| facts(&input.bucket, listed)).collect();
        Ok(VersionPage { versions, common_prefixes: page.common_prefixes, next })
    }

    async fn start(&self, bucket: &str, from: Option<VersionPosition>) -> Result<(Seek, Cursors), Error> {
        let seek = match from {
            None => Seek::Start,
            Some(VersionPosition::Key(key)) => Seek::Key(key),
            Some(VersionPosition::Prefix(prefix)) => Seek::Prefix(prefix),
            Some(VersionPosition::Version(key, id)) => {
                let archived = self.behind_version(bucket, &key, &id).await?;
                let cursors = Cursors { heads: Some(object_key(bucket, &key)), archived: Some(archived) };
                return Ok((Seek::Key(key), cursors));
            }
        };
        let cursors = Cursors::behind(bucket, &seek);
        Ok((seek, cursors))
    }

    /// Where the archive goes on behind a version of a key. One that is gone is behind the current one.
    async fn behind_version(&self, bucket: &str, key: &str, id: &str) -> Result<String, Error> {
        let head = self.documents.get::<Head>(&scope(), &object_key(bucket, key)).await?;
        let id = VersionId::parse(id);
        let sequence = head.filter(|head| !head.current.is(id)).and_then(|head| archived_sequence(&head, id));
        Ok(match sequence {
            Some(sequence) => Archived::key_of(bucket, key, sequence),
            None => Archived::prefix(bucket, key),
        })
    }

    async fn fill_versions(
        &self,
        bucket: &str,
        prefix: &str,
        mut cursors: Cursors,
        page: &mut Rolled<'_, Listed>,
    ) -> Result<bool, Error> {
        loop {
            let (versions, exhausted) = self.merged(&object_key(bucket, prefix), &mut cursors).await?;
            for listed in versions {
                let key = listed.key.clone();
                match page.offer(&key, listed) {
                    Offered::Full => return Ok(true),
                    Offered::Taken | Offered::Rolled => {}
                }
            }
            if exhausted {
                return Ok(false);
            }
            // A rolled-up prefix is left behind at once, not read through.
            if let Seek::Prefix(_) = &page.last {
                cursors = Cursors::behind(bucket, &page.last);
            }
        }
    }

    /// The next stretch of both sources in one order, and whether that was all.
    async fn merged(&self, prefix: &str, cursors: &mut Cursors) -> Result<(Vec<Listed>, bool), Error> {
        let page = |after: &Option<String>| Page::first(BATCH).prefix(prefix).after(after.clone());
        let heads = self.documents.list::<Head>(&scope(), page(&cursors.heads)).await?;
        let archived = self.documents.list::<Archived>(&scope(), page(&cursors.archived)).await?;
        // What is behind the end of a source that goes on is left for the next stretch.
        let ends = [
            (heads.len() == BATCH).then(|| heads.last().map(|head| head.key.clone())).flatten(),
            (archived.len() == BATCH).then(|| archived.last().map(|last| last.key.clone())).flatten(),
        ];
        let end = ends.iter().flatten().min().cloned();
        let within = |key: &String| end.as_ref().is_none_or(|end| key <= end);
        let mut merged = Vec::new();
        for head in heads.into_iter().filter(|head| within(&head.key)) {
            cursors.heads = Some(object_key(&head.bucket, &head.key));
            merged.push(Listed { key: head.value.key, version: head.value.current, current: true });
        }
        for old in archived.into_iter().filter(|old| within(&old.key)) {
            cursors.archived = Some(old.position().to_owned());
            merged.push(Listed { key: old.value.key, version: old.value.version, current: false });
        }
        merged.sort_by(|a, b| (&a.key, b.version.sequence).cmp(&(&b.key, a.version.sequence)));
        Ok((merged, end.is_none()))
    }
}

fn goes_on(page: &Rolled<'_, Listed>) -> Option<VersionPosition> {
    match (&page.last, page.items.last()) {
        (Seek::Key(key), Some(last)) => Some(VersionPosition::Version(key.clone(), name(&last.version))),
        (Seek::Prefix(prefix), _) => Some(VersionPosition::Prefix(prefix.clone())),
        _ => None,
    }
}

fn name(version: &Version) -> String {
    version.id.clone().unwrap_or_else(|| "null".to_owned())
}

fn facts(bucket: &str, listed: Listed) -> ListedVersion {
    let mut meta = listed.version.facts(bucket, &listed.key);
    meta.version_id = Some(name(&listed.version));
    ListedVersion { meta, is_latest: listed.current, delete_marker: listed.version.delete_marker }
}
