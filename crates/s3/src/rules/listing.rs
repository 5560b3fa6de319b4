//! How a listing is rolled up and cut into pages (Amazon S3 API Reference, ListObjectsV2).

/// Where a listing seeks to in the order of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seek {
    /// The first key.
    Start,
    /// Behind this key.
    Key(String),
    /// Behind every key that begins so.
    Prefix(String),
}

/// What became of an item that was offered to a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is on the page, itself or as a new common prefix.
    Taken,
    /// Its common prefix is on the page already.
    Rolled,
    /// The page was full before: it begins the next one.
    Full,
}

/// One page of a listing as it fills. Items must be offered in order of their keys.
#[derive(Debug)]
pub(crate) struct Rolled<'a, T> {
    prefix: &'a str,
    delimiter: &'a str,
    limit: usize,
    /// The items.
    pub(crate) items: Vec<T>,
    /// Rolled-up prefixes.
    pub(crate) common_prefixes: Vec<String>,
    /// The last thing taken.
    pub(crate) last: Seek,
}

impl<'a, T> Rolled<'a, T> {
    /// An empty page that goes on behind `from`.
    pub(crate) fn new(prefix: &'a str, delimiter: &'a str, limit: usize, from: Seek) -> Self {
        Self { prefix, delimiter, limit, items: Vec::new(), common_prefixes: Vec::new(), last: from }
    }

    /// The most items and prefixes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes an item, or says why not.
    pub(crate) fn offer(&mut self, key: &str, item: T) -> Offered {
        let group = common_prefix(self.prefix, self.delimiter, key);
        if matches!((&group, &self.last), (Some(group), Seek::Prefix(last)) if last == group) {
            return Offered::Rolled;
        }
        if self.items.len() + self.common_prefixes.len() >= self.limit {
            return Offered::Full;
        }
        match group {
            Some(group) => {
                self.common_prefixes.push(group.to_owned());
                self.last = Seek::Prefix(group.to_owned());
            }
            None => {
                self.items.push(item);
                self.last = Seek::Key(key.to_owned());
            }
        }
        Offered::Taken
    }
}

/// The part of `key` up to and with the first delimiter behind the prefix.
pub(crate) fn common_prefix<'k>(prefix: &str, delimiter: &str, key: &'k str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_roll_up_at_the_first_delimiter_behind_the_prefix() {
        let table = [
            ("", "/", "a/b/c", Some("a/")),
            ("a/", "/", "a/b/c", Some("a/b/")),
            ("a/b/", "/", "a/b/c", None),
            ("a", "/", "a/b", Some("a/")),
            ("", "", "a/b", None),
            ("", "--", "x--y", Some("x--")),
            ("ä", "ö", "äböc", Some("äbö")),
        ];
        for (prefix, delimiter, key, expected) in table {
            assert_eq!(common_prefix(prefix, delimiter, key), expected, "{prefix} {delimiter} {key}");
        }
    }

    /// All pages of a listing over sorted keys, each seeking as the store would.
    fn pages(keys: &[String], delimiter: &str, limit: usize) -> (Vec<String>, Vec<String>) {
        let (mut items, mut prefixes, mut from) = (Vec::new(), Vec::new(), Seek::Start);
        loop {
            let mut page = Rolled::new("", delimiter, limit, from.clone());
            let mut behind = keys.iter().filter(|key| match &from {
                Seek::Start => true,
                Seek::Key(last) => *key > last,
                Seek::Prefix(last) => *key > last && !key.starts_with(last.as_str()),
            });
            let full = behind.any(|key| page.offer(key, key.clone()) == Offered::Full);
            items.append(&mut page.items);
            prefixes.append(&mut page.common_prefixes);
            if !full {
                return (items, prefixes);
            }
            from = page.last;
        }
    }

    proptest! {
        /// Whatever the page size, all pages together are the whole listing.
        #[test]
        fn pages_add_up(keys in prop::collection::btree_set("[ab/]{1,5}", 0..30), limit in 1usize..6) {
            let keys: Vec<String> = keys.into_iter().collect();
            let (items, prefixes) = pages(&keys, "/", limit);
            let expected: BTreeSet<&str> = keys.iter().filter_map(|key| common_prefix("", "/", key)).collect();
            prop_assert_eq!(prefixes.iter().map(String::as_str).collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
            let flat: Vec<String> = keys.into_iter().filter(|key| !key.contains('/')).collect();
            prop_assert_eq!(items, flat);
        }
    }
}
