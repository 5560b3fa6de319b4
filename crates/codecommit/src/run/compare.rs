//! Announcing what changed: the references as Git has them against the ones announced, and the difference as
//! events.

use kernel::{Batch, CommitError, Page, Scope, StoreError, Stored};

use crate::Service;
use crate::git::GitError;
use crate::model::{Push, Reference, Repository};
use crate::rules::changes::{Change, References, changes, first_branch};
use crate::rules::event;

/// How often an announcement is tried again when another one was faster.
const ATTEMPTS: usize = 20;

/// Why nothing could be announced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// What was announced of some references.
struct Known {
    references: Vec<Stored<Reference>>,
    pushes: Vec<Stored<Push>>,
}

impl Service {
    /// Publishes an event for each difference between the references of the repository with `id` (of those in
    /// `names` only, if given) and what was announced of them, and remembers it, in one commit. With it `push` is
    /// done and forgotten.
    pub(crate) async fn announce(
        &self,
        scope: &Scope,
        id: &str,
        names: Option<&[String]>,
        push: Option<&Push>,
    ) -> Result<(), AnnounceError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_announce(scope, id, names, push).await {
                Err(AnnounceError::Commit(CommitError::Conflict { .. } | CommitError::Exists { .. }))
                    if attempt < ATTEMPTS => {}
                other => return other,
            }
        }
    }

    /// Announces what earlier pushes changed and could not tell: else Git would say that everything is up to date to who pushes
    /// the same again, and the API would know nothing of it.
    pub(crate) async fn announce_left(&self, scope: &Scope, id: &str) -> Result<(), AnnounceError> {
        let pushes = self.documents.list::<Push>(scope, Page::default().prefix(format!("{id}/"))).await?;
        for push in pushes.iter().filter(|push| !self.pushing.holds(&kernel::Document::key(&push.value))) {
            self.announce(scope, id, None, Some(push)).await?;
        }
        Ok(())
    }

    /// The documents are read before Git is: if somebody else announces something newer in between, the commit
    /// conflicts, and an older state can never be announced after a newer one.
    async fn try_announce(
        &self,
        scope: &Scope,
        id: &str,
        names: Option<&[String]>,
        push: Option<&Push>,
    ) -> Result<(), AnnounceError> {
        let known = self.known(scope, id, names).await?;
        let found = self.documents.find::<Repository>(scope, Repository::BY_ID, id, Page::first(1)).await?;
        // Of a deleted repository nothing is told any more; the removal clears what is left.
        let Some(repository) = found.into_iter().next() else { return Ok(()) };
        let folder = self.git.ensure(id).await?;
        let actual = self.git.references(&folder, names).await?;
        let announced: References =
            known.references.iter().map(|known| (known.name.clone(), known.target.clone())).collect();
        let pushes: Vec<&Push> = known.pushes.iter().map(|push| &push.value).collect();
        let changes = changes(&announced, &actual, &pushes);
        let default = self.new_default(&repository, &changes, &pushes);
        let batch = self.batch(scope, &repository, &known, &changes, default.as_deref());
        let batch = match push.and_then(|push| known.pushes.iter().find(|known| known.id == push.id)) {
            Some(done) => batch.remove(done),
            None => batch,
        };
        if let Some(branch) = default.as_ref().or(repository.default_branch.as_ref()) {
            self.git.set_head(id, branch).await?;
        }
        if !batch.is_empty() {
            self.documents.commit(batch).await?;
            kernel::crash_point!("codecommit_after_announcement");
        }
        Ok(())
    }

    async fn known(&self, scope: &Scope, id: &str, names: Option<&[String]>) -> Result<Known, StoreError> {
        let pushes = self.documents.list::<Push>(scope, Page::default().prefix(format!("{id}/"))).await?;
        let references = match names {
            Some(names) => {
                let keys: Vec<String> = names.iter().map(|name| Reference::key_of(id, name)).collect();
                self.documents.get_many::<Reference>(scope, &keys).await?.into_iter().flatten().collect()
            }
            None => self.all_references(scope, id).await?,
        };
        Ok(Known { references, pushes })
    }

    pub(super) async fn all_references(&self, scope: &Scope, id: &str) -> Result<Vec<Stored<Reference>>, StoreError> {
        let mut all: Vec<Stored<Reference>> = Vec::new();
        loop {
            let after = all.last().map(|last| last.position().to_owned());
            let page = Page::default().prefix(format!("{id}/")).after(after);
            let references = self.documents.list::<Reference>(scope, page).await?;
            if references.is_empty() {
                return Ok(all);
            }
            all.extend(references);
        }
    }

    /// The default branch that a repository without one gets.
    fn new_default(&self, repository: &Repository, changes: &[Change], pushes: &[&Push]) -> Option<String> {
        match repository.default_branch {
            Some(_) => None,
            None => first_branch(changes, pushes).map(str::to_owned),
        }
    }

    fn batch(
        &self,
        scope: &Scope,
        repository: &Stored<Repository>,
        known: &Known,
        changes: &[Change],
        default: Option<&str>,
    ) -> Batch {
        let mut batch = Batch::new(scope);
        for change in changes {
            if let Some(event) = event::event(scope, repository, change, self.ids.uuid(), self.clock.now()) {
                batch = batch.publish(&event);
            }
        }
        let mut names: Vec<&str> = changes.iter().map(|change| &*change.name).collect();
        names.dedup();
        for name in names {
            let last = changes.iter().rfind(|change| change.name == name).and_then(|change| change.new.clone());
            let before = known.references.iter().find(|known| known.name == name);
            batch = remember(batch, &repository.id, name, before, last);
        }
        match default {
            Some(branch) => {
                let mut repository = repository.clone();
                repository.default_branch = Some(branch.to_owned());
                repository.modified = self.clock.now();
                batch.replace(&repository)
            }
            None => batch,
        }
    }
}

/// The reference's document after its changes.
fn remember(batch: Batch, id: &str, name: &str, before: Option<&Stored<Reference>>, target: Option<String>) -> Batch {
    match (before, target) {
        (Some(before), Some(target)) => {
            let mut after = before.clone();
            after.target = target;
            batch.replace(&after)
        }
        (None, Some(target)) => batch.insert(&Reference { repository: id.to_owned(), name: name.to_owned(), target }),
        (Some(before), None) => batch.remove(before),
        (None, None) => batch,
    }
}
