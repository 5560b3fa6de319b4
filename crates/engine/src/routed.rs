//! Two engines as one: a daemon's containers, and the sandbox for image `host`, which shows this machine's own files.

use async_trait::async_trait;

use crate::docker::Docker;
use crate::sandbox::Sandbox;
use crate::{
    Collected, Container, ContainerSpec, Engine, EngineError, Exec, Execution, Exit, ImageRequest, OutputStream,
    Signal, Started, Unused,
};

/// The image that is this machine.
const HOST: &str = "host";
/// Images that `landfall images` makes are in the sandbox's store; no registry and no daemon knows them.
const OURS: &str = "landfall/";

/// The daemon for all images but those that only the sandbox has. A container is where it was started.
pub(crate) struct Routed {
    docker: Docker,
    sandbox: Result<Sandbox, String>,
}

impl Routed {
    /// Both engines; where the sandbox cannot work, its own sentence why is what its images are answered with.
    pub(crate) fn new(docker: Docker, sandbox: Result<Sandbox, EngineError>) -> Self {
        let sandbox = sandbox.map_err(|error| error.to_string());
        if let Err(reason) = &sandbox {
            tracing::info!(reason, "image `host` cannot be used here");
        }
        Self { docker, sandbox }
    }

    fn sandbox(&self, image: &str) -> Result<&Sandbox, EngineError> {
        let unusable = |reason: &String| {
            EngineError::Image(format!("image `{image}` needs the sandbox, which cannot work: {reason}"))
        };
        self.sandbox.as_ref().map_err(unusable)
    }

    /// The engine that has this container; the daemon's where none has it, whose error is then the answer.
    async fn of(&self, id: &str) -> Result<&dyn Engine, EngineError> {
        match &self.sandbox {
            Ok(sandbox) if !self.docker.knows(id).await? => Ok(sandbox),
            _ => Ok(&self.docker),
        }
    }

    /// The engine that a new container is for: the sandbox for its own images.
    async fn for_image(&self, image: &str) -> Result<&dyn Engine, EngineError> {
        if image == HOST {
            return Ok(self.sandbox(image)?);
        }
        match &self.sandbox {
            Ok(sandbox) if !self.docker.has(image).await? => Ok(sandbox),
            _ => Ok(&self.docker),
        }
    }
}

#[async_trait]
impl Engine for Routed {
    fn name(&self) -> &'static str {
        self.docker.name()
    }

    fn way_out(&self) -> Option<&'static str> {
        self.docker.way_out()
    }

    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError> {
        if request.reference == HOST || request.reference.starts_with(OURS) {
            return self.sandbox(&request.reference)?.prepare(request).await;
        }
        self.docker.prepare(request).await
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError> {
        spec.validate()?;
        if self.docker.knows(&spec.id).await? {
            return self.docker.start(spec).await;
        }
        self.for_image(&spec.image).await?.start(spec).await
    }

    async fn output(&self, id: &str, from: u64) -> Result<OutputStream, EngineError> {
        self.of(id).await?.output(id, from).await
    }

    async fn exec_stream(&self, id: &str, exec: &Exec) -> Result<Execution, EngineError> {
        self.of(id).await?.exec_stream(id, exec).await
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        self.of(id).await?.signal(id, signal).await
    }

    async fn wait(&self, id: &str) -> Result<Exit, EngineError> {
        self.of(id).await?.wait(id).await
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.docker.remove(id).await?;
        match &self.sandbox {
            Ok(sandbox) => sandbox.remove(id).await,
            Err(_) => Ok(()),
        }
    }

    async fn collect_images(&self, unused: Unused) -> Result<Collected, EngineError> {
        match &self.sandbox {
            Ok(sandbox) => sandbox.collect_images(unused).await,
            Err(_) => Ok(Collected::default()),
        }
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<Container>, EngineError> {
        let mut listed = self.docker.list(key, value).await?;
        if let Ok(sandbox) = &self.sandbox {
            listed.extend(sandbox.list(key, value).await?);
        }
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listed)
    }
}
