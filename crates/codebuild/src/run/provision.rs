//! PROVISIONING: an image, and a container of it with its agent: a prepared one, or one that is started now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::{EngineError, ImageRequest, Progress, PullPolicy, PullProgress};

use super::container::{self, Shape};
use super::credentials::RoleCredentials;
use super::ends::Halt;
use super::pool::{Claim, Prepared};
use super::session::{Session, refused};
use crate::model::{Build, Context, Status};
use crate::rules::image::{self, Choice};
use crate::rules::pull_progress;

/// What the log says where a build can reach nothing but this server.
const NO_WAY_OUT: &str = "This build has no way out: only Landfall itself can be reached (`landfall doctor` says \
                          what is missing, unless it is --build-network none)";
/// How often the log says how far a pull is.
const TELL: Duration = Duration::from_secs(10);

impl Session<'_> {
    /// Ends PROVISIONING with a container whose agent has greeted.
    pub(super) async fn provision(&mut self) -> Result<(), Halt> {
        self.log.create().await.map_err(refused)?;
        let known = self.build().image.clone();
        let started_before = known.is_some();
        let image = match known {
            Some(image) => image,
            None => self.prepare().await?,
        };
        let service = Arc::clone(self.service());
        let shape = Shape::of(&service, self.build(), image);
        let claim = if started_before { None } else { service.runner.pool.claim(&shape, self.step.record.now()) };
        match claim {
            Some((prepared, claim)) => self.take_over(prepared, claim, shape).await,
            None => self.start(shape, started_before).await,
        }
    }

    /// Takes a prepared container. From this commit on it is this build's, and PROVISIONING is over.
    async fn take_over(&mut self, prepared: Prepared, claim: Claim, shape: Shape) -> Result<(), Halt> {
        let change = |build: &mut Build, now| {
            build.image = Some(shape.image.clone());
            build.claimed = Some(claim.container().to_owned());
            build.life.advance(Status::Succeeded, Context::default(), now);
        };
        self.step.record.change(change).await?;
        kernel::crash_point!("codebuild_after_claim");
        let service = Arc::clone(self.service());
        self.ends.watch(&service, claim.keep());
        let build = self.build();
        let credentials =
            RoleCredentials::new(&service.dependencies, self.role.clone(), &build.plan.service_role, build.uuid());
        self.sockets = prepared.listening.serve(&service, &build.id, credentials);
        self.hello = Some(prepared.hello);
        self.say_provisioned();
        Ok(())
    }

    /// Starts the build's own container. What a server before this one started is found by its id.
    async fn start(&mut self, shape: Shape, started_before: bool) -> Result<(), Halt> {
        if !started_before {
            let image = shape.image.clone();
            self.step.record.change(move |build, _| build.image = Some(image.clone())).await?;
            kernel::crash_point!("codebuild_after_image");
        }
        let service = Arc::clone(self.service());
        let id = self.build().container();
        let spec = container::spec(&service, &id, &shape, Some(&self.build().id));
        service.dependencies.engine.start(&spec).await.map_err(engine_error)?;
        kernel::crash_point!("codebuild_after_container_start");
        self.ends.watch(&service, id);
        self.say_provisioned();
        self.greeted().await?;
        service.runner.pool.want(&shape, self.step.record.now());
        Ok(self.step.record.advance(Status::Succeeded, Context::default()).await?)
    }

    fn say_provisioned(&mut self) {
        self.say(&["Running on CodeBuild On-demand", "Waiting for agent ping"]);
        if self.service().dependencies.engine.way_out().is_none() {
            self.say(&[NO_WAY_OUT]);
        }
    }

    /// Has the engine make the image ready, and answers its id. The log says now and then how far that is.
    async fn prepare(&mut self) -> Result<String, Halt> {
        let engine = Arc::clone(&self.service().dependencies.engine);
        let far = Arc::new(Mutex::new(PullProgress::default()));
        let request = self.request(Arc::clone(&far))?;
        let preparing = engine.prepare(&request);
        tokio::pin!(preparing);
        loop {
            let prepared = tokio::select! {
                prepared = self.ends.unless(&mut preparing) => prepared?,
                () = tokio::time::sleep(TELL) => {
                    let now = *far.lock().unwrap_or_else(PoisonError::into_inner);
                    self.say_now(&pull_progress::line(&request.reference, now)).await;
                    continue;
                }
            };
            return prepared.map_err(|error| self.unprepared(error));
        }
    }

    /// The image that the project names.
    fn image_name(&self) -> &str {
        self.build().plan.environment.image.as_deref().unwrap_or_default()
    }

    fn choice(&self) -> Choice<'_> {
        self.service().dependencies.options.image_map.choose(self.image_name())
    }

    /// What to ask the engine for.
    fn request(&self, far: Arc<Mutex<PullProgress>>) -> Result<ImageRequest, Halt> {
        let request = match self.choice() {
            Choice::Image(image::HOST) if !self.service().dependencies.options.trust_host_image => {
                return Err(unpullable(UNTRUSTED));
            }
            Choice::Image(reference) => ImageRequest::of(reference),
            Choice::Standard => ImageRequest { pull: PullPolicy::Never, ..ImageRequest::of(image::STANDARD) },
        };
        let progress: Progress = Arc::new(move |now| *far.lock().unwrap_or_else(PoisonError::into_inner) = now);
        Ok(ImageRequest { progress: Some(progress), ..request })
    }

    fn unprepared(&self, error: EngineError) -> Halt {
        match (error, self.choice()) {
            (EngineError::Image(_), Choice::Standard) => unpullable(image::no_standard(self.image_name())),
            (EngineError::Image(reason), _) if self.build().plan.environment.registry_credential.is_some() => {
                unpullable(format!("{reason}. {NO_SECRETS}"))
            }
            (other, _) => engine_error(other),
        }
    }
}

const UNTRUSTED: &str = "image `host` shows this machine's files to every build; start the server with \
                         --trust-host-image to allow it";

/// What a private registry's image needs, as long as there is no Secrets Manager.
const NO_SECRETS: &str = "The project's registryCredential is a secret of AWS Secrets Manager, which this version of \
                          Landfall does not have: pull the image beforehand, with `landfall images pull --username NAME \
                          --password-stdin`";

fn unpullable(reason: impl std::fmt::Display) -> Halt {
    let message = format!("Unable to pull customer's container image. CannotPullContainerError: {reason}");
    Halt::Phase(Status::Failed, Context::new("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", message))
}

fn engine_error(error: EngineError) -> Halt {
    match error {
        EngineError::Image(reason) => unpullable(reason),
        // The project asks for what this server's machine cannot give.
        EngineError::Unusable(reason) => Halt::client_error(reason),
        other => Halt::Phase(Status::Fault, Context::internal(other.to_string())),
    }
}
