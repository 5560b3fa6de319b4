//! Clearing a deleted repository away: its references first, then its folder, then the note that says so.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Batch, Document, Documents, Lease, Page, Reconciler, Scope, StepError, Stored};

use crate::Service;
use crate::model::{Push, Reference, Removal};

/// How many documents go in one commit.
const AT_ONCE: usize = 200;

pub(super) struct Removing(pub(super) Arc<Service>);

#[async_trait]
impl Reconciler for Removing {
    type Document = Removal;

    async fn step(&self, scope: &Scope, removal: Stored<Removal>, lease: &Lease) -> Result<(), StepError> {
        let service = &self.0;
        remove_all::<Reference>(&service.documents, scope, &removal.repository).await?;
        remove_all::<Push>(&service.documents, scope, &removal.repository).await?;
        service.git.remove(&removal.repository).await?;
        kernel::crash_point!("codecommit_after_folder_removal");
        service.documents.commit(Batch::new(scope).remove(&removal).fenced(lease)).await?;
        Ok(())
    }
}

async fn remove_all<T: Document>(documents: &Documents, scope: &Scope, id: &str) -> Result<(), StepError> {
    loop {
        let page = documents.list::<T>(scope, Page::first(AT_ONCE).prefix(format!("{id}/"))).await?;
        if page.is_empty() {
            return Ok(());
        }
        documents.commit(page.iter().fold(Batch::new(scope), Batch::remove)).await?;
    }
}
