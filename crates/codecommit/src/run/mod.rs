//! What runs beside the API: comparing references with what was announced, settling the pushes of a server that
//! died, clearing deleted repositories away, and packing what many pushes left.

mod compare;
mod maintenance;
mod push;
mod removal;

use std::sync::Arc;
use std::time::Duration;

use kernel::{Page, Scope, Stop, StoreError, WorkOptions, work};

pub(crate) use maintenance::Maintaining;
pub(crate) use push::PATIENCE;

use crate::Service;
use crate::model::Repository;

/// How often all references are compared.
const PERIOD: Duration = Duration::from_secs(60);

impl Service {
    /// Runs until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let work = |concurrency| {
            (self.documents.clone(), Arc::clone(&self.clock), stop.clone(), WorkOptions::concurrent(concurrency))
        };
        let (documents, clock, until, options) = work(4);
        let pushes = work::run(documents, clock, until, options, Arc::new(push::Settling(Arc::clone(&self))));
        let (documents, clock, until, options) = work(2);
        let removals = work::run(documents, clock, until, options, Arc::new(removal::Removing(Arc::clone(&self))));
        let comparing = async {
            tokio::select! {
                () = stop.stopped() => {}
                () = self.compare_for_ever() => {}
                () = self.maintain_for_ever() => {}
            }
        };
        tokio::join!(pushes, removals, comparing);
    }

    async fn compare_for_ever(&self) {
        loop {
            if let Err(error) = self.compare_all().await {
                tracing::error!(%error, "cannot list repositories to compare their references");
            }
            self.clock.sleep_until(self.clock.now() + PERIOD).await;
        }
    }

    async fn compare_all(&self) -> Result<(), StoreError> {
        for scope in self.documents.scopes::<Repository>().await? {
            let mut after = None;
            loop {
                let page = self.documents.list::<Repository>(&scope, Page::default().after(after)).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.position().to_owned());
                for repository in &page {
                    self.compare_one(&scope, &repository.id).await;
                }
            }
        }
        Ok(())
    }

    async fn compare_one(&self, scope: &Scope, id: &str) {
        if let Err(error) = self.announce(scope, id, None, None).await {
            tracing::error!(%error, repository = id, "cannot compare the references of a repository");
        }
    }
}
