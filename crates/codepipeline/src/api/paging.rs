//! How lists are cut into pages.

use aws::codepipeline::error::invalid_next_token_exception;
use kernel::{Scope, Stored, paging};

use crate::error::Failed;

/// One list request: what it lists, from where, and how much at once.
pub(super) struct Paging {
    query: String,
    limit: usize,
    after: Option<String>,
}

impl Paging {
    /// `what` names the operation and all that decides what is listed. Without `limit` a page is `most` long.
    pub(super) fn new(
        scope: &Scope,
        what: &str,
        token: Option<&str>,
        limit: Option<i32>,
        most: usize,
    ) -> Result<Self, Failed> {
        let query = format!("{what}/{scope}");
        let after = paging::start(&query, token).map_err(|error| {
            invalid_next_token_exception(format!("The next token was specified in an invalid format: {error}"))
        })?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).map_or(most, |limit| limit.clamp(1, most));
        Ok(Self { query, limit, after })
    }

    /// The page of the store to read: one more than is shown, to know whether there is more.
    pub(super) fn page(&self) -> kernel::Page {
        kernel::Page::first((self.limit + 1).min(kernel::Page::MOST)).after(self.after.clone())
    }

    /// Cuts what was read to the page's length, with the token for the next.
    pub(super) fn cut<T>(&self, read: Vec<Stored<T>>) -> (Vec<Stored<T>>, Option<String>) {
        paging::cut(read, self.limit, &self.query)
    }

    /// The same for items that lie sorted by `key` in one document.
    pub(super) fn cut_by<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        items.sort_by_key(&key);
        if let Some(after) = &self.after {
            items.retain(|item| key(item) > *after);
        }
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| more).map(|last| self.token(&key(last)));
        (items, next)
    }

    /// How many items a page shows.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The token for a page that goes on behind `position`.
    pub(super) fn token(&self, position: &str) -> String {
        paging::Token::new(position).encode(&self.query)
    }
}
