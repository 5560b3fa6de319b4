//! What moves pipelines on: action executions one by one, and the events of sister services.

mod caller;
mod course;
mod end;
mod flow;
mod notices;
mod prepare;
mod retention;
mod start;
mod transition;
mod triggers;
mod wakes;

use std::sync::Arc;

use kernel::{Stop, WorkOptions, work};

pub(crate) use caller::PRINCIPAL;
pub(crate) use flow::ATTEMPTS;
pub(crate) use start::{Start, has_room};
pub(crate) use transition::Transition;

use crate::service::Service;

/// How many action executions take a step at once.
const CONCURRENCY: usize = 64;

impl Service {
    /// Moves pipelines on until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let actions = Arc::new(course::ActionSteps(Arc::clone(&self)));
        let options = WorkOptions::concurrent(CONCURRENCY);
        let work = work::run(self.documents.clone(), Arc::clone(&self.clock), stop.clone(), options, actions);
        let commits = triggers::listen(Arc::clone(&self), "aws.codecommit", stop.clone());
        let objects = triggers::listen(Arc::clone(&self), "aws.s3", stop.clone());
        let quiet_objects = triggers::listen(Arc::clone(&self), "landfall.s3", stop.clone());
        let builds = wakes::listen(Arc::clone(&self), "aws.codebuild", stop.clone());
        let deployments = wakes::listen(Arc::clone(&self), "aws.codedeploy", stop);
        tokio::join!(work, commits, objects, quiet_objects, builds, deployments);
    }
}
