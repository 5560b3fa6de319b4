//! PROVISIONING and FINALIZING: the container comes and goes.

use std::io;
use std::time::Duration;

use engine::{AGENT_IN_CONTAINER, ContainerSpec, EngineError, ImageRequest, Limits, Mount};

use super::ends::Halt;
use super::session::{Session, refused};
use super::{Pause, Step, sockets, spool};
use crate::Service;
use crate::model::{Build, Context, PhaseType, Status};
use crate::rules::{compute, image};

/// The label by which a build's container is found.
const LABEL: &str = "landfall.build";

impl Session<'_> {
    /// Starts the container and waits for its agent.
    pub(super) async fn provision(&mut self) -> Result<(), Halt> {
        let service = std::sync::Arc::clone(self.service());
        let image = self.build().plan.environment.image.clone().unwrap_or_default();
        let image = service.dependencies.options.image_map.resolve(&image);
        if image == image::HOST && !service.dependencies.options.trust_host_image {
            return Err(unpullable(
                "image `host` shows this machine's files to every build; start the server with --trust-host-image to allow it",
            ));
        }
        let engine = &service.dependencies.engine;
        let request = ImageRequest::of(image);
        let image = self.ends.unless(engine.prepare(&request)).await?.map_err(engine_error)?;
        let spec = spec(&service, self.build(), image);
        let (started, logged) = tokio::join!(engine.start(&spec), self.log.create());
        started.map_err(engine_error)?;
        logged.map_err(refused)?;
        kernel::crash_point!("codebuild_after_container_start");
        self.ends.watch(&service, spec.id);
        self.say(&["Running on CodeBuild On-demand", "Waiting for agent ping"]);
        self.greeted().await?;
        Ok(self.step.record.advance(Status::Succeeded, Context::default()).await?)
    }
}

/// The container of a build: loopback only, its agent as first process, the sockets at `/landfall`.
fn spec(service: &Service, build: &Build, image: String) -> ContainerSpec {
    let id = build.container();
    let mut spec = ContainerSpec::new(&id, [AGENT_IN_CONTAINER, "build"]);
    spec.image = image;
    spec.labels.insert(LABEL.to_owned(), build.id.clone());
    spec.mounts = vec![Mount { host: sockets::folder(service, &id), container: "/landfall".into(), read_only: true }];
    spec.limits = limits(build.plan.environment.compute_type.as_deref().unwrap_or_default());
    spec
}

fn limits(compute_type: &str) -> Limits {
    let Some(size) = compute::size(compute_type) else { return Limits::default() };
    Limits {
        memory_bytes: Some(u64::from(size.memory_gib) << 30),
        cpu_millis: Some(u64::from(size.cpus) * 1_000),
        ..Limits::default()
    }
}

fn unpullable(reason: impl std::fmt::Display) -> Halt {
    let message = format!("Unable to pull customer's container image. CannotPullContainerError: {reason}");
    Halt::Phase(Status::Failed, Context::new("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", message))
}

fn engine_error(error: EngineError) -> Halt {
    match error {
        EngineError::Image(reason) => unpullable(reason),
        other => Halt::Phase(Status::Fault, Context::internal(other.to_string())),
    }
}

/// How long FINALIZING tries to clear up before it says that it cannot.
const CLEARING: Duration = Duration::from_secs(600);

/// FINALIZING: container, sockets and spool go, then the build is complete.
pub(super) async fn finish(step: &mut Step) -> Result<(), Pause> {
    let (status, context) = match clear(step).await {
        Ok(()) => (Status::Succeeded, Context::default()),
        Err(error) if clears_since(step) < CLEARING => return Err(error),
        Err(Pause::Stopping) => return Err(Pause::Stopping),
        Err(Pause::Failed(error)) => {
            (Status::Fault, Context::internal(format!("the container is not removed: {error}")))
        }
    };
    kernel::crash_point!("codebuild_after_container_removal");
    Ok(step.record.complete(status, context).await?)
}

fn clears_since(step: &Step) -> Duration {
    let began = step.record.build().life.began(PhaseType::Finalizing).unwrap_or_default();
    step.record.now().since(began)
}

async fn clear(step: &Step) -> Result<(), Pause> {
    let service = step.record.service();
    let container = step.record.build().container();
    service.dependencies.engine.remove(&container).await?;
    for folder in [sockets::folder(service, &container), spool::folder(service, &container)] {
        remove(&folder).await?;
    }
    Ok(())
}

async fn remove(folder: &std::path::Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
