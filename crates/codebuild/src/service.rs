//! What CodeBuild stands on, and its life in the server.

use std::path::PathBuf;
use std::sync::Arc;

use aws::Error;
use engine::Engine;
use kernel::{Blobs, Clock, Documents, Door, Ids, Large, Principals, Stop};

use crate::rules::image::ImageMap;
use crate::run;

/// What the service is made of.
pub struct Dependencies {
    /// The documents of `codebuild`.
    pub documents: Documents,
    /// Blobs of `codebuild`: long buildspecs.
    pub blobs: Blobs,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Build ids.
    pub ids: Arc<dyn Ids>,
    /// Gives the projects' service roles.
    pub principals: Arc<dyn Principals>,
    /// Runs the containers.
    pub engine: Arc<dyn Engine>,
    /// Takes the builds' logs.
    pub logs: Arc<dyn aws::logs::Logs>,
    /// Sources and artifacts.
    pub s3: Arc<dyn aws::s3::S3>,
    /// Git sources.
    pub codecommit: Arc<dyn aws::internal::codecommit::Sources>,
    /// Serves AWS's API inside of builds.
    pub door: Arc<dyn Door>,
    /// What the operator chose.
    pub options: Options,
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's data folder: socket folders are in `run/` there, artifacts on their way in `spool/`.
    pub data_dir: PathBuf,
    /// Which image stands in for which.
    pub image_map: ImageMap,
    /// Whether builds may use image `host`.
    pub trust_host_image: bool,
    /// The most builds that run at once; the rest wait in QUEUED, first come, first served.
    pub concurrency: usize,
    /// How many prepared containers wait for builds, for each image and size that was used lately; 0 for none.
    pub pool: usize,
    /// What a build may write to its disk, in bytes; `None` is no limit.
    pub disk_bytes: Option<u64>,
    /// Where browsers find this server, for links; empty for none.
    pub public_url: String,
}

/// AWS CodeBuild.
pub struct Service {
    pub(crate) dependencies: Dependencies,
    pub(crate) runner: run::Shared,
}

impl Service {
    /// The service. It runs no build until [`Service::run`] does.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let runner = run::Shared::new(dependencies.options.concurrency, dependencies.options.pool);
        Arc::new(Self { dependencies, runner })
    }

    /// Carries builds on until `stop`. Containers that run then go on by themselves, and the next server finds them.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        run::run(self, stop).await;
    }

    /// The buildspec's text, out of the document.
    pub(crate) async fn read_text(&self, text: Option<&Large>) -> Result<Option<String>, Error> {
        match text {
            Some(text) => text.read(&self.dependencies.blobs).await.map(Some).map_err(Error::internal),
            None => Ok(None),
        }
    }

    /// A text for a document; a long one is on disk then.
    pub(crate) async fn write_text(&self, text: Option<String>) -> Result<Option<Large>, Error> {
        match text {
            Some(text) => Large::write(&self.dependencies.blobs, text).await.map(Some).map_err(Error::internal),
            None => Ok(None),
        }
    }
}
