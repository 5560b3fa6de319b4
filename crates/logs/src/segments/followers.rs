//! Who waits for new events: told of each append, and of no event's text, so that one who is slow holds nothing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kernel::Scope;
use tokio::sync::Notify;

/// Which stream a log is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) scope: Scope,
    /// Id of the group.
    pub(crate) group: String,
    /// Id of the stream.
    pub(crate) id: String,
    /// Name of the stream.
    pub(crate) name: String,
}

/// The streams of a group that one follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Streams {
    All,
    Named(Vec<String>),
    Prefixed(Vec<String>),
}

impl Streams {
    fn hold(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|wanted| wanted == name),
            Self::Prefixed(prefixes) => prefixes.iter().any(|prefix| name.starts_with(prefix)),
        }
    }
}

/// All who follow.
#[derive(Default)]
pub(crate) struct Followers(Mutex<Vec<Weak<Follower>>>);

/// One who follows streams of some groups.
pub(crate) struct Follower {
    scope: Scope,
    groups: Vec<String>,
    streams: Streams,
    grown: Mutex<Grown>,
    bell: Notify,
}

/// What has grown since it was last taken: by id of the stream, its new places.
pub(crate) type Grown = BTreeMap<String, (Arc<Source>, Range<u64>)>;

impl Followers {
    /// Follows from now on, until it is dropped; `None` where `most` follow in the scope already.
    pub(crate) fn follow(
        &self,
        scope: Scope,
        groups: Vec<String>,
        streams: Streams,
        most: usize,
    ) -> Option<Arc<Follower>> {
        let mut all = lock(&self.0);
        all.retain(|follower| follower.strong_count() > 0);
        if all.iter().filter_map(Weak::upgrade).filter(|other| other.scope == scope).count() >= most {
            return None;
        }
        let follower = Follower { scope, groups, streams, grown: Mutex::default(), bell: Notify::new() };
        let follower = Arc::new(follower);
        all.push(Arc::downgrade(&follower));
        Some(follower)
    }

    /// Tells that a stream has new events at these places. They can be read by now.
    pub(crate) fn tell(&self, source: &Arc<Source>, places: &Range<u64>) {
        for follower in lock(&self.0).iter().filter_map(Weak::upgrade) {
            follower.told(source, places);
        }
    }
}

impl Follower {
    fn told(&self, source: &Arc<Source>, places: &Range<u64>) {
        if self.groups.contains(&source.group) && self.streams.hold(&source.name) {
            self.add(source, places);
            self.bell.notify_one();
        }
    }

    fn add(&self, source: &Arc<Source>, places: &Range<u64>) {
        let mut grown = lock(&self.grown);
        let (_, known) = grown.entry(source.id.clone()).or_insert_with(|| (Arc::clone(source), places.clone()));
        *known = known.start.min(places.start)..known.end.max(places.end);
    }

    /// Takes what has grown.
    pub(crate) fn take(&self) -> Grown {
        std::mem::take(&mut *lock(&self.grown))
    }

    /// Gives back what was taken and not read.
    pub(crate) fn give_back(&self, rest: &Grown) {
        for (source, places) in rest.values() {
            self.told(source, places);
        }
    }

    /// Waits until something has grown; at once if something has since the last wait.
    pub(crate) async fn grown(&self) {
        self.bell.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn source(group: &str, name: &str) -> Arc<Source> {
        let scope = Scope::new("111111111111", "eu-west-1");
        Arc::new(Source { scope, group: group.into(), id: format!("{group}-{name}"), name: name.into() })
    }

    fn follow(followers: &Followers, streams: Streams) -> Arc<Follower> {
        followers.follow(source("g", "").scope.clone(), vec!["g".into()], streams, 9).unwrap()
    }

    fn places(follower: &Follower) -> Vec<(String, Range<u64>)> {
        follower.take().into_values().map(|(source, places)| (source.name.clone(), places)).collect()
    }

    #[test]
    fn one_is_told_of_its_streams_alone() {
        for (streams, wanted) in [
            (Streams::All, &["a", "ab", "b"][..]),
            (Streams::Named(vec!["a".into(), "x".into()]), &["a"]),
            (Streams::Prefixed(vec!["a".into()]), &["a", "ab"]),
        ] {
            let followers = Followers::default();
            let follower = follow(&followers, streams);
            for (group, name) in [("g", "a"), ("g", "ab"), ("g", "b"), ("h", "a")] {
                followers.tell(&source(group, name), &(0..1));
            }
            let told: Vec<String> = places(&follower).into_iter().map(|(name, _)| name).collect();
            assert_eq!(told, wanted);
        }
    }

    #[test]
    fn growth_is_kept_together_until_it_is_taken() {
        let followers = Followers::default();
        let follower = follow(&followers, Streams::All);
        assert!(follower.grown().now_or_never().is_none());
        followers.tell(&source("g", "a"), &(3..5));
        followers.tell(&source("g", "a"), &(5..9));
        assert!(follower.grown().now_or_never().is_some());
        let taken = follower.take();
        followers.tell(&source("g", "a"), &(9..10));
        follower.give_back(&taken);
        assert_eq!(places(&follower), [("a".to_owned(), 3..10)]);
        assert_eq!(places(&follower), []);
    }

    #[test]
    fn who_is_gone_leaves_room_for_another() {
        let followers = Followers::default();
        let scope = || source("g", "").scope.clone();
        let one = |most| followers.follow(scope(), vec![], Streams::All, most);
        let first = one(1);
        assert!(first.is_some() && one(1).is_none());
        drop(first);
        assert!(one(1).is_some());
    }
}
