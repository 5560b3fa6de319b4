//! ListObjectsV2 (and ListObjects, which the wire makes of it).

use crate::Service;
use crate::model::{Head, LIVE, object_key, scope};
use crate::rules::listing::{Offered, Rolled, Seek};
use aws::Error;
use aws::s3::{ListObjects, ObjectPage, Position};
use kernel::{Caller, Page};

/// The most items of a page.
pub(super) const MOST: usize = 1_000;
/// Behind every key that begins with what comes before it.
pub(super) const LAST: char = char::MAX;

impl Service {
    pub(crate) async fn page_of_objects(&self, caller: &Caller, input: ListObjects) -> Result<ObjectPage, Error> {
        self.bucket(caller, &input.bucket).await?;
        let limit = input.limit.unwrap_or(MOST).min(MOST);
        if limit == 0 {
            return Ok(ObjectPage::default());
        }
        let from = match input.from {
            None => Seek::Start,
            Some(Position::Key(key)) => Seek::Key(key),
            Some(Position::Prefix(prefix)) => Seek::Prefix(prefix),
        };
        let mut page = Rolled::new(&input.prefix, &input.delimiter, limit, from);
        let full = self.fill(&input.bucket, &input.prefix, &mut page).await?;
        let next = match page.last {
            Seek::Key(key) => Some(Position::Key(key)),
            Seek::Prefix(prefix) => Some(Position::Prefix(prefix)),
            Seek::Start => None,
        };
        let objects = page.items.iter().map(|head| head.current.facts(&head.bucket, &head.key)).collect();
        Ok(ObjectPage { objects, common_prefixes: page.common_prefixes, next: next.filter(|_| full) })
    }

    /// Offers objects to a page until it is full (then true) or there are no more.
    async fn fill(&self, bucket: &str, prefix: &str, page: &mut Rolled<'_, Head>) -> Result<bool, Error> {
        let size = (page.limit() + 1).min(Page::MOST);
        loop {
            let next = behind(Page::first(size).prefix(prefix), bucket, &page.last);
            let found = self.documents.find::<Head>(&scope(), LIVE, bucket, next).await?;
            let exhausted = found.len() < size;
            for head in found {
                let key = head.key.clone();
                if page.offer(&key, head.value) == Offered::Full {
                    return Ok(true);
                }
            }
            if exhausted {
                return Ok(false);
            }
        }
    }
}

/// The page behind that place in the index of live objects.
fn behind(page: Page, bucket: &str, seek: &Seek) -> Page {
    match seek {
        Seek::Start => page,
        Seek::Key(key) => page.behind(key, &object_key(bucket, key)),
        Seek::Prefix(prefix) => page.behind(&format!("{prefix}{LAST}"), ""),
    }
}
