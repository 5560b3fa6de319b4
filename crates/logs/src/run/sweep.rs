//! Removes what deleted groups and streams left behind.

use crate::model::{Garbage, Stream};
use crate::service::Service;
use async_trait::async_trait;
use kernel::{Batch, Lease, Page, Reconciler, Scope, StepError, Stored};
use std::sync::Arc;

/// Streams whose documents are removed in one commit.
const STREAMS_A_STEP: usize = 100;

pub(super) struct Sweeper(pub(super) Arc<Service>);

#[async_trait]
impl Reconciler for Sweeper {
    type Document = Garbage;

    /// Removes up to [`STREAMS_A_STEP`] streams of a deleted group; after the last, the folder and then the garbage itself.
    async fn step(&self, scope: &Scope, garbage: Stored<Garbage>, lease: &Lease) -> Result<(), StepError> {
        let service = &self.0;
        if garbage.stream.is_none() {
            let page = Page::first(STREAMS_A_STEP).prefix(format!("{}/", garbage.group));
            let streams = service.documents.list::<Stream>(scope, page).await?;
            if !streams.is_empty() {
                streams.iter().for_each(|stream| service.shelf.forget(&stream.id));
                let batch = streams.iter().fold(Batch::new(scope), |batch, stream| batch.remove(stream));
                service.documents.commit(batch.replace(&garbage).fenced(lease)).await?;
                return Ok(());
            }
        }
        service.shelf.remove(scope, &garbage.group, garbage.stream.as_deref()).await?;
        kernel::crash_point!("logs_after_folder_removal");
        service.documents.commit(Batch::new(scope).remove(&garbage).fenced(lease)).await?;
        Ok(())
    }
}
