//! The reconcilers: what is deleted goes ([`sweep`]), and what has expired ([`expire`]).

mod expire;
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
        let expirer = Arc::new(expire::Expirer(Arc::clone(&self)));
        tokio::join!(
            work::run(documents.clone(), Arc::clone(clock), stop.clone(), options.clone(), sweeper),
            work::run(documents.clone(), Arc::clone(clock), stop.clone(), options.clone(), expirer),
        );
    }
}
