//! Paging as IAM does it: `Marker`, `MaxItems` (100 unless given), `IsTruncated`.

use crate::api::errors::invalid;
use aws::Error;
use kernel::paging::{self, Token};
use kernel::{Caller, Document, Page, Stored};

/// Items where the request says nothing.
const DEFAULT_ITEMS: i32 = 100;

/// What a list request asks for.
pub(crate) struct Listing {
    /// Names the list, so that a marker of another is refused.
    query: String,
    after: Option<String>,
    limit: usize,
}

/// One page, and the marker of the next.
pub(crate) type Listed<T> = (Vec<T>, Option<String>);

impl Listing {
    /// Reads `Marker` and `MaxItems`; `what` names operation and filter.
    pub(crate) fn new(
        caller: &Caller,
        what: &str,
        marker: Option<&str>,
        max_items: Option<i32>,
    ) -> Result<Self, Error> {
        let query = format!("{what}/{}", caller.account);
        let after = paging::start(&query, marker).map_err(|_| invalid("Invalid Marker."))?;
        let limit = usize::try_from(max_items.unwrap_or(DEFAULT_ITEMS)).unwrap_or(1);
        Ok(Self { query, after, limit })
    }

    /// The page to read from the store: one more than asked for, to see whether there are more.
    pub(crate) fn page(&self, prefix: &str) -> Page {
        Page::first(self.limit + 1).after(self.after.clone()).prefix(prefix)
    }

    /// Cuts what [`Listing::page`] read.
    pub(crate) fn cut<T: Document>(&self, read: Vec<Stored<T>>) -> Listed<T> {
        let (page, marker) = paging::cut(read, self.limit, &self.query);
        (page.into_iter().map(|stored| stored.value).collect(), marker)
    }

    /// The page of a sorted list of names that is at hand.
    pub(crate) fn names(&self, sorted: &[String]) -> Listed<String> {
        let after = self.after.as_deref();
        let mut rest = sorted.iter().filter(|name| after.is_none_or(|after| name.as_str() > after));
        let page: Vec<String> = rest.by_ref().take(self.limit).cloned().collect();
        let more = rest.next().and(page.last());
        let marker = more.map(|last| Token::new(last.as_str()).encode(&self.query));
        (page, marker)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::Scope;

    #[test]
    fn names_come_page_by_page_without_loss() {
        let caller = Caller::root(&Scope::new("111111111111", "us-east-1"), "r");
        let names = ["a", "b", "c"].map(str::to_owned);
        let first = Listing::new(&caller, "q", None, Some(2)).unwrap();
        let (page, marker) = first.names(&names);
        assert_eq!(page, ["a", "b"]);
        let next = Listing::new(&caller, "q", marker.as_deref(), Some(2)).unwrap();
        assert_eq!(next.names(&names), (vec!["c".to_owned()], None));
        assert!(Listing::new(&caller, "other", marker.as_deref(), None).is_err());
        assert_eq!(first.names(&names[..2]).1, None);
    }
}
