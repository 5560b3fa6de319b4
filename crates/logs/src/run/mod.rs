//! The reconcilers: what is deleted goes ([`sweep`]), and what is older than its group keeps it ([`retention`]).

mod retention;
mod sweep;

use crate::service::Service;
use kernel::{Stop, WorkOptions, work};
use std::sync::Arc;

impl Service {
    /// Works until the stop.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let (documents, clock) = (&self.documents, &self.clock);
        let options = WorkOptions::concurrent(2);
        let sweeper = Arc::new(sweep::Sweeper(Arc::clone(&self)));
        let expirer = Arc::new(retention::Expirer(Arc::clone(&self)));
        tokio::join!(
            work::run(documents.clone(), Arc::clone(clock), stop.clone(), options.clone(), sweeper),
            work::run(documents.clone(), Arc::clone(clock), stop.clone(), options.clone(), expirer),
        );
    }
}
