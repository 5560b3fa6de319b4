//! A walk by pages, while others insert and remove: what is there from its beginning to its end comes once, and nothing comes twice.

use std::collections::BTreeSet;

use kernel::{Batch, Page, Stored};
use proptest::prelude::*;

use crate::fixture::{Fixture, Task, scope, task};

/// What happens between two pages: a document of this name is inserted, or removed.
type Change = (String, bool);

fn name() -> impl Strategy<Value = String> {
    "[a-c/é]{1,3}"
}

/// A document in the list `home`, ranked by the begin of its name so that ranks meet.
fn listed(name: &str) -> Task {
    Task { list: Some("home".into()), rank: name.chars().take(1).collect(), ..task(name) }
}

async fn change(f: &Fixture, there: &mut BTreeSet<String>, (name, inserts): &Change) {
    if *inserts && there.insert(name.clone()) {
        f.documents.insert(&scope(), listed(name)).await.unwrap();
    } else if !*inserts && there.remove(name) {
        let stored = f.documents.get::<Task>(&scope(), name).await.unwrap().unwrap();
        f.documents.remove(&scope(), &stored).await.unwrap();
    }
}

async fn page(f: &Fixture, by_index: bool, page: Page) -> Vec<Stored<Task>> {
    match by_index {
        true => f.documents.find::<Task>(&scope(), "list", "home", page).await.unwrap(),
        false => f.documents.list::<Task>(&scope(), page).await.unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 32))]

    #[test]
    fn a_walk_meets_once_whatever_stays(
        first in prop::collection::btree_set(name(), 1..12),
        changes in prop::collection::vec(prop::collection::vec((name(), any::<bool>()), 0..3), 0..6),
        limit in 1..4_usize, descending in any::<bool>(), by_index in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (walked, stayed) = runtime.block_on(async {
            let f = Fixture::new();
            let all = first.iter().fold(Batch::new(&scope()), |batch, name| batch.insert(&listed(name)));
            f.documents.commit(all).await.unwrap();
            let (mut there, mut stayed) = (first.clone(), first.clone());
            let (mut walked, mut after, mut changes) = (Vec::new(), None, changes.iter());
            loop {
                let part = Page::first(limit).after(after.clone());
                let part = page(&f, by_index, if descending { part.descending() } else { part }).await;
                let Some(last) = part.last() else { break (walked, stayed) };
                after = Some(last.position().to_owned());
                walked.extend(part.into_iter().map(|task| task.value.name));
                for each in changes.next().into_iter().flatten() {
                    change(&f, &mut there, each).await;
                    stayed.retain(|name| there.contains(name));
                }
            }
        });
        let met: BTreeSet<String> = walked.iter().cloned().collect();
        prop_assert!(met.is_superset(&stayed), "{:?} were passed over", stayed.difference(&met));
        prop_assert_eq!(met.len(), walked.len(), "some came twice: {:?}", walked);
    }
}
