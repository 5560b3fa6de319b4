//! What a write or delete does to the versions of a key (Amazon S3 User Guide, "How S3 Versioning works").

use crate::model::{Head, Version, VersionId};
use aws::s3::Versioning;

/// What happens to the versions of a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// The new current version with its bookkeeping; `None` leaves no version at all.
    pub(crate) head: Option<Head>,
    /// A version that goes to the archive.
    pub(crate) archive: Option<Version>,
    /// The sequence of an archived version that is removed.
    pub(crate) forget: Option<u64>,
    /// The current version was dropped for good.
    pub(crate) dropped: Option<Version>,
}

/// A new version (or delete marker) becomes the current one. `random` makes its id unguessable.
pub(crate) fn write(
    versioning: Versioning,
    (bucket, key): (&str, &str),
    head: Option<&Head>,
    mut version: Version,
    random: &str,
) -> Plan {
    version.sequence = head.map_or(0, |head| head.current.sequence + 1);
    version.id = (versioning == Versioning::Enabled).then(|| VersionId::make(version.sequence, random));
    let mut plan = Plan::default();
    let mut archived_null = head.and_then(|head| head.archived_null);
    if let Some(head) = head {
        let current = head.current.clone();
        if current.id.is_none() && version.id.is_none() {
            plan.dropped = Some(current);
        } else {
            if current.id.is_none() {
                archived_null = Some(current.sequence);
            }
            plan.archive = Some(current);
        }
    }
    if version.id.is_none() {
        plan.forget = archived_null.take();
    }
    plan.head = Some(Head { bucket: bucket.to_owned(), key: key.to_owned(), current: version, archived_null });
    plan
}

/// The current version goes for good; `newest` is the newest archived one, which takes its place.
pub(crate) fn drop_current(head: &Head, newest: Option<&Version>) -> Plan {
    let promoted = newest.map(|version| Head {
        current: version.clone(),
        archived_null: head.archived_null.filter(|sequence| *sequence != version.sequence),
        ..head.clone()
    });
    Plan {
        head: promoted,
        archive: None,
        forget: newest.map(|version| version.sequence),
        dropped: Some(head.current.clone()),
    }
}

/// Where a version other than the current one would lie in the archive.
pub(crate) fn archived_sequence(head: &Head, id: VersionId<'_>) -> Option<u64> {
    match id {
        VersionId::Null => head.archived_null,
        VersionId::Id(id) => VersionId::sequence(id),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The versions of one key, as the store would hold them.
    #[derive(Default)]
    struct Key {
        head: Option<Head>,
        archive: BTreeMap<u64, Version>,
        writes: u64,
    }

    impl Key {
        fn write(&mut self, versioning: Versioning, delete_marker: bool) {
            self.writes += 1;
            let new = Version { etag: self.writes.to_string(), delete_marker, ..Version::default() };
            self.apply(write(versioning, ("b", "k"), self.head.as_ref(), new, "r"));
        }

        fn drop_current(&mut self) {
            if let Some(head) = &self.head {
                let newest = self.archive.values().next_back();
                self.apply(drop_current(head, newest));
            }
        }

        fn apply(&mut self, plan: Plan) {
            if let Some(sequence) = plan.forget {
                assert!(self.archive.remove(&sequence).is_some(), "forgets what is there");
            }
            if let Some(version) = plan.archive {
                assert!(self.archive.insert(version.sequence, version).is_none());
            }
            self.head = plan.head;
        }

        fn etags(&self) -> Vec<&str> {
            let archived = self.archive.values().rev();
            self.head.iter().map(|head| &head.current).chain(archived).map(|version| version.etag.as_str()).collect()
        }
    }

    #[test]
    fn unversioned_writes_replace_each_other() {
        let mut key = Key::default();
        key.write(Versioning::Unversioned, false);
        key.write(Versioning::Unversioned, false);
        assert_eq!(key.etags(), ["2"]);
        assert_eq!(key.head.unwrap().current.id, None);
    }

    #[test]
    fn enabled_writes_keep_everything_also_the_null_version() {
        let mut key = Key::default();
        key.write(Versioning::Unversioned, false);
        key.write(Versioning::Enabled, false);
        key.write(Versioning::Enabled, true);
        assert_eq!(key.etags(), ["3", "2", "1"]);
        let head = key.head.unwrap();
        assert_eq!(head.archived_null, Some(0));
        assert_eq!(archived_sequence(&head, VersionId::Null), Some(0));
        assert_eq!(archived_sequence(&head, VersionId::Id("0000000001r")), Some(1));
    }

    #[test]
    fn suspended_writes_replace_only_the_null_version() {
        let mut key = Key::default();
        key.write(Versioning::Unversioned, false);
        key.write(Versioning::Enabled, false);
        key.write(Versioning::Suspended, false);
        assert_eq!(key.etags(), ["3", "2"]);
        key.write(Versioning::Suspended, true);
        assert_eq!(key.etags(), ["4", "2"]);
        assert_eq!(key.head.unwrap().archived_null, None);
    }

    #[test]
    fn dropping_the_current_version_brings_the_one_before_back() {
        let mut key = Key::default();
        key.write(Versioning::Unversioned, false);
        key.write(Versioning::Enabled, false);
        key.drop_current();
        assert_eq!(key.etags(), ["1"]);
        assert_eq!(key.head.as_ref().unwrap().archived_null, None);
        key.drop_current();
        assert!(key.head.is_none());
    }

    proptest! {
        /// There is never more than one null version, and the head always knows where it is.
        #[test]
        fn one_null_version_at_most(steps in prop::collection::vec(0u8..5, 0..30)) {
            let mut key = Key::default();
            for step in steps {
                match step {
                    0 => key.write(Versioning::Unversioned, false),
                    1 => key.write(Versioning::Enabled, false),
                    2 => key.write(Versioning::Suspended, false),
                    3 => key.write(Versioning::Suspended, true),
                    _ => key.drop_current(),
                }
                let nulls: Vec<u64> = key.archive.values().filter(|version| version.id.is_none()).map(|version| version.sequence).collect();
                prop_assert!(key.head.is_some() || key.archive.is_empty());
                if let Some(head) = &key.head {
                    prop_assert_eq!(nulls.first().copied(), head.archived_null);
                    prop_assert!(nulls.len() + usize::from(head.current.id.is_none()) <= 1);
                    prop_assert!(key.archive.keys().all(|sequence| *sequence < head.current.sequence));
                }
            }
        }
    }
}
