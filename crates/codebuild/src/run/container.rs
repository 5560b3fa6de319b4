//! A build's container: how it is described, and FINALIZING, which removes it.

use std::io;
use std::time::Duration;

use engine::{AGENT_IN_CONTAINER, ContainerSpec, Limits, Mount, Network};

use super::{Pause, Step, sockets, spool};
use crate::Service;
use crate::model::{Build, Context, Status};
use crate::rules::{compute, ids};

/// The label that all containers of this service carry, with its value: by it they are found again.
pub(super) const OURS: (&str, &str) = ("landfall.service", "codebuild");
/// The label that names the build that a container was started for; a prepared one has none.
const BUILD: &str = "landfall.build";

/// All in which containers of builds differ before they do anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The image, as the engine names it.
    pub(crate) image: String,
    pub(crate) limits: Limits,
    pub(crate) privileged: bool,
}

impl Shape {
    /// What `build` needs on `image`.
    pub(crate) fn of(service: &Service, build: &Build, image: String) -> Self {
        let environment = &build.plan.environment;
        let compute_type = environment.compute_type.as_deref().unwrap_or_default();
        let disk = service.dependencies.options.disk_bytes;
        Self {
            image,
            limits: compute::limits(compute_type, service.runner.machine, disk),
            privileged: environment.privileged_mode == Some(true),
        }
    }
}

/// A container with the agent as first process and the sockets at `/landfall`. Nothing of a build is in it but its id, as
/// a label: what it has to do comes over the socket.
pub(crate) fn spec(service: &Service, id: &str, shape: &Shape, build: Option<&str>) -> ContainerSpec {
    let mut spec = ContainerSpec::new(id, [AGENT_IN_CONTAINER, "build"]);
    if shape.privileged {
        spec.argv.push(agent::build::DOCKER.to_owned());
    }
    spec.labels.insert(OURS.0.to_owned(), OURS.1.to_owned());
    if let Some(build) = build {
        spec.labels.insert(BUILD.to_owned(), build.to_owned());
    }
    spec.image.clone_from(&shape.image);
    spec.limits = shape.limits;
    spec.privileged = shape.privileged;
    spec.network = Network::Outside;
    spec.mounts = vec![Mount { host: sockets::folder(service, id), container: "/landfall".into(), read_only: true }];
    spec
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
    let began = step.record.build().life.began(crate::model::PhaseType::Finalizing).unwrap_or_default();
    step.record.now().since(began)
}

async fn clear(step: &Step) -> Result<(), Pause> {
    let (service, build) = (step.record.service(), step.record.build());
    if build.claimed.is_some() {
        // Sockets that were opened before another container was claimed.
        remove_folder(&sockets::folder(service, &ids::container_id(build.uuid()))).await?;
    }
    clear_away(service, &build.container()).await
}

/// Removes a container and its folders, which need not be there.
pub(super) async fn clear_away(service: &Service, container: &str) -> Result<(), Pause> {
    service.dependencies.engine.remove(container).await?;
    kernel::crash_point!("codebuild_before_folder_removal");
    for folder in [sockets::folder(service, container), spool::folder(service, container)] {
        remove_folder(&folder).await?;
    }
    Ok(())
}

async fn remove_folder(folder: &std::path::Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
