//! Every service with its gate, and who holds whom.
//!
//! Services hold each other's gated traits, so that a call between them is checked like
//! one from outside.

use super::options::{Auth, Options};
use super::registry;
use super::repositories::Repositories;
use crate::agent_binary;
use crate::data::{Collection, OldAgents, UnusedImages};
use crate::exit::user_error;
use crate::listener::Listener;
use anyhow::Context as _;
use aws::codepipeline::CodePipeline;
use aws::internal::{codebuild::PipelineBuilds, codecommit::Sources, codepipeline::PipelineRegions};
use aws::{Dispatch, Guard};
use engine::{Engine, EngineOptions};
use kernel::{Blobs, Clock, Collector, Ids, Scope, Seal, Stop, Store, SystemIds, Timestamp, UnusedBlobs};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What the listener speaks to.
pub(crate) struct Services {
    pub(crate) authenticator: Arc<iam::Authenticator>,
    /// Whether any credentials, and none, are let in.
    pub(crate) open: bool,
    /// The services of AWS's JSON and query protocols.
    pub(crate) api: Vec<Arc<dyn Dispatch>>,
    pub(crate) s3: s3::Wire,
    pub(crate) git: Arc<codecommit::Service>,
    pub(crate) host_commands: aws::codedeploy_commands::Gated,
    pub(crate) console: Arc<console::Service>,
    /// For what Landfall itself is asked.
    pub(crate) guard: Guard,
    pub(crate) about: About,
    pub(crate) collection: Arc<Collection>,
    /// For commands that are their own server.
    pub(crate) inside: Inside,
}

/// The engine and the gated services, for who calls them in this process.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) s3: Arc<dyn aws::s3::S3>,
    pub(crate) logs: Arc<dyn aws::logs::Logs>,
    pub(crate) codebuild: Arc<dyn aws::codebuild::CodeBuild>,
    pub(crate) codepipeline: Arc<dyn CodePipeline>,
}

/// How this server runs.
pub(crate) struct About {
    pub(crate) started_at: Timestamp,
    /// Where others reach this server, if the request does not tell.
    pub(crate) url: String,
    pub(crate) auth: &'static str,
    pub(crate) engine: &'static str,
    pub(crate) data_dir: String,
    pub(crate) account: String,
    pub(crate) region: String,
}

/// What the services are made from.
pub(super) struct Wiring<'w> {
    pub(super) options: &'w Options,
    /// Where others reach this server, if the request does not tell.
    pub(super) public_url: &'w str,
    pub(super) store: &'w Arc<Store>,
    pub(super) listener: &'w Arc<Listener>,
    pub(super) stop: &'w Stop,
    /// The reconcilers.
    pub(super) tasks: &'w mut JoinSet<()>,
    /// Those who remove what is past its time.
    pub(super) collectors: Vec<Arc<dyn Collector>>,
    /// What builds check out in place of CodeCommit's repositories: the folders of `landfall run`.
    pub(super) folders: Option<Arc<dyn Sources>>,
    /// What the runs of a user share: images and what was found out about this machine are kept there, and builds on image
    /// `host` do not see it.
    pub(super) cache: Option<PathBuf>,
}

/// What every service stands on.
struct Ground {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    seal: Arc<Seal>,
    iam: Arc<iam::Service>,
    policy: Arc<iam::Policy>,
    guard: Guard,
}

/// The gated services that others call.
struct Sisters {
    engine: Arc<dyn Engine>,
    s3: Arc<aws::s3::Gated>,
    logs: Arc<aws::logs::Gated>,
    codecommit: Arc<aws::codecommit::Gated>,
    sources: Arc<dyn Sources>,
    codebuild: Arc<aws::codebuild::Gated>,
    pipeline_builds: Arc<dyn PipelineBuilds>,
    codedeploy: Arc<aws::codedeploy::Gated>,
}

impl Wiring<'_> {
    /// Makes the services and starts their reconcilers.
    pub(super) async fn services(mut self) -> anyhow::Result<Arc<Services>> {
        let ground = self.ground().await?;
        self.tasks.spawn(kernel::tidy::run(Arc::clone(self.store), self.stop.clone()));
        let s3 = self.s3(&ground)?;
        let logs = self.logs(&ground)?;
        let git = self.codecommit(&ground);
        self.collectors.push(Arc::clone(&git) as _);
        let gate = registry::CODECOMMIT.gate(&ground.guard)?.violations(codecommit::violation);
        let codecommit = Arc::new(aws::codecommit::Gated::new(Arc::clone(&git) as _, gate));
        let sources = self.folders.take().unwrap_or_else(|| Arc::clone(&git) as _);
        let sources: Arc<dyn Sources> = Arc::new(aws::internal::codecommit::Gated::new(sources, ground.guard.clone()));
        let engine = self.engine().await?;
        let builds = self.codebuild(&ground, &engine, &s3, &logs, &sources)?;
        let gate =
            registry::CODEBUILD.gate(&ground.guard)?.violations(codebuild::violation).passing(codebuild::PASSING);
        let codebuild = Arc::new(aws::codebuild::Gated::new(Arc::clone(&builds) as _, gate));
        self.collectors.push(Arc::clone(&builds) as _);
        let pipeline_builds = Arc::new(aws::internal::codebuild::Gated::new(builds, ground.guard.clone()));
        let deployments = self.codedeploy(&ground);
        let gate =
            registry::CODEDEPLOY.gate(&ground.guard)?.violations(codedeploy::violation).passing(codedeploy::PASSING);
        let codedeploy = Arc::new(aws::codedeploy::Gated::new(Arc::clone(&deployments) as _, gate));
        self.collectors.push(Arc::clone(&deployments) as _);
        let host_commands = aws::codedeploy_commands::Gated::new(deployments, ground.guard.clone());
        let sisters = Sisters { engine, s3, logs, codecommit, sources, codebuild, pipeline_builds, codedeploy };
        let pipelines = self.codepipeline(&ground, &sisters)?;
        self.collectors.push(Arc::clone(&pipelines) as _);
        self.serve(&ground, sisters, pipelines, git, host_commands)
    }

    /// What the listener gets of it all.
    fn serve(
        &mut self,
        ground: &Ground,
        sisters: Sisters,
        pipelines: Arc<codepipeline::Service>,
        git: Arc<codecommit::Service>,
        host_commands: aws::codedeploy_commands::Gated,
    ) -> anyhow::Result<Arc<Services>> {
        let (iam, guard) = (&ground.iam, &ground.guard);
        let open = self.options.auth == Auth::Open;
        let authenticator = iam.authenticator();
        authenticator.set_repository_regions(Arc::new(Repositories(Arc::clone(&git))));
        let public: Option<http::Uri> = self.public_url.parse().ok();
        let regions = aws::internal::codepipeline::Gated::new(Arc::clone(&pipelines) as _, guard.clone());
        let gate = registry::CODEPIPELINE.gate(guard)?.passing(codepipeline::PASSING);
        let codepipeline = Arc::new(aws::codepipeline::Gated::new(pipelines, gate));
        let console = self.console(ground, Arc::clone(&codepipeline) as _, Arc::new(regions), &sisters);
        let inside = Inside {
            engine: Arc::clone(&sisters.engine),
            s3: Arc::clone(&sisters.s3) as _,
            logs: Arc::clone(&sisters.logs) as _,
            codebuild: Arc::clone(&sisters.codebuild) as _,
            codepipeline: Arc::clone(&codepipeline) as _,
        };
        let s3 = s3::Wire::new(sisters.s3).public_host(public.as_ref().and_then(http::Uri::host));
        let api: Vec<Arc<dyn Dispatch>> = vec![
            sisters.codebuild,
            sisters.codecommit,
            sisters.codedeploy,
            codepipeline,
            Arc::new(aws::iam::Gated::new(Arc::clone(iam) as _, registry::IAM.gate(guard)?)),
            sisters.logs,
            Arc::new(aws::sts::Gated::new(Arc::clone(iam) as _, registry::STS.gate(guard)?)),
        ];
        let s3 = if open { s3.trusting() } else { s3 };
        let (guard, about) = (guard.clone(), self.about(ground, sisters.engine.as_ref()));
        let collection = self.collection(ground);
        Ok(Arc::new(Services {
            authenticator,
            open,
            api,
            s3,
            git,
            host_commands,
            console,
            guard,
            about,
            collection,
            inside,
        }))
    }

    /// Collects daily what those who were wired have past its time.
    fn collection(&mut self, ground: &Ground) -> Arc<Collection> {
        let collectors = std::mem::take(&mut self.collectors);
        let collection = Collection::new(collectors, self.options.retention(), Arc::clone(&ground.clock));
        self.tasks.spawn(Arc::clone(&collection).run(self.stop.clone()));
        collection
    }

    /// The content of one service; what none of its documents refers to is collected.
    fn blobs(&mut self, service: &str, unused: &'static str) -> anyhow::Result<Blobs> {
        let blobs = Blobs::open(&self.options.data_dir, service)?;
        self.collectors.push(Arc::new(UnusedBlobs::new(self.store.service(service), blobs.clone(), unused)));
        Ok(blobs)
    }

    fn about(&self, ground: &Ground, engine: &dyn Engine) -> About {
        let options = self.options;
        About {
            started_at: ground.clock.now(),
            url: self.public_url.to_owned(),
            auth: if options.auth == Auth::Open { "open" } else { "enforce" },
            engine: engine.name(),
            data_dir: options.data_dir.display().to_string(),
            account: options.account.clone(),
            region: options.region.clone(),
        }
    }

    async fn ground(&self) -> anyhow::Result<Ground> {
        let options = self.options;
        let seal = Arc::new(Seal::in_folder(&options.data_dir).map_err(|error| user_error(error.to_string()))?);
        let (clock, ids): (_, Arc<dyn Ids>) = (Arc::clone(self.store.clock()), Arc::new(SystemIds));
        let mode = match options.auth {
            Auth::Enforce => iam::Mode::Enforce,
            Auth::Open => iam::Mode::Open,
        };
        let iam = iam::Service::new(iam::Dependencies {
            documents: self.store.service("iam"),
            seal: Arc::clone(&seal),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            mode,
            defaults: Scope::new(&options.account, &options.region),
        });
        iam.ensure_root_key(&options.data_dir).await.map_err(|error| user_error(error.to_string()))?;
        let policy = iam.policy();
        let audit = Arc::new(iam::AuditFile::open(&options.data_dir, Arc::clone(&clock))?);
        let guard = Guard::new(Arc::clone(&policy) as _, audit);
        Ok(Ground { clock, ids, seal, iam, policy, guard })
    }

    fn s3(&mut self, ground: &Ground) -> anyhow::Result<Arc<aws::s3::Gated>> {
        let service = s3::Service::new(s3::Dependencies {
            documents: self.store.service("s3"),
            blobs: Blobs::open(&self.options.data_dir, "s3")?,
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        Ok(Arc::new(aws::s3::Gated::new(service, ground.guard.clone())))
    }

    fn logs(&mut self, ground: &Ground) -> anyhow::Result<Arc<aws::logs::Gated>> {
        let service = logs::Service::new(logs::Dependencies {
            documents: self.store.service("logs"),
            data_dir: self.options.data_dir.clone(),
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        self.collectors.push(Arc::clone(&service) as _);
        let gate = registry::LOGS.gate(&ground.guard)?.violations(logs::violation);
        Ok(Arc::new(aws::logs::Gated::new(service, gate)))
    }

    fn codecommit(&mut self, ground: &Ground) -> Arc<codecommit::Service> {
        let service = codecommit::Service::new(codecommit::Dependencies {
            documents: self.store.service("codecommit"),
            data_dir: self.options.data_dir.clone(),
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
            guard: ground.guard.clone(),
            public_url: self.public_url.to_owned(),
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        service
    }

    fn codebuild(
        &mut self,
        ground: &Ground,
        engine: &Arc<dyn Engine>,
        s3: &Arc<aws::s3::Gated>,
        logs: &Arc<aws::logs::Gated>,
        sources: &Arc<dyn Sources>,
    ) -> anyhow::Result<Arc<codebuild::Service>> {
        let service = codebuild::Service::new(codebuild::Dependencies {
            documents: self.store.service("codebuild"),
            blobs: self.blobs("codebuild", "unused content of builds")?,
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
            principals: Arc::clone(&ground.iam) as _,
            engine: Arc::clone(engine),
            logs: Arc::clone(logs) as _,
            s3: Arc::clone(s3) as _,
            codecommit: Arc::clone(sources),
            door: Arc::clone(self.listener) as _,
            options: self.build_options()?,
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        Ok(service)
    }

    fn codedeploy(&mut self, ground: &Ground) -> Arc<codedeploy::Service> {
        let service = codedeploy::Service::new(codedeploy::Dependencies {
            documents: self.store.service("codedeploy"),
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
            seal: Arc::clone(&ground.seal),
            deadlines: codedeploy::Deadlines::default(),
        });
        ground.policy.set_host_grants(Arc::clone(&service) as _);
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        service
    }

    fn codepipeline(&mut self, ground: &Ground, sisters: &Sisters) -> anyhow::Result<Arc<codepipeline::Service>> {
        let service = codepipeline::Service::new(codepipeline::Dependencies {
            documents: self.store.service("codepipeline"),
            blobs: self.blobs("codepipeline", "unused content of pipelines")?,
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
            seal: Arc::clone(&ground.seal),
            principals: Arc::clone(&ground.iam) as _,
            s3: Arc::clone(&sisters.s3) as _,
            codecommit: Arc::clone(&sisters.codecommit) as _,
            sources: Arc::clone(&sisters.sources),
            codebuild: Arc::clone(&sisters.codebuild) as _,
            pipeline_builds: Arc::clone(&sisters.pipeline_builds),
            codedeploy: Arc::clone(&sisters.codedeploy) as _,
            spool: self.options.data_dir.join("spool/codepipeline"),
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        Ok(service)
    }

    fn console(
        &mut self,
        ground: &Ground,
        codepipeline: Arc<dyn CodePipeline>,
        regions: Arc<dyn PipelineRegions>,
        sisters: &Sisters,
    ) -> Arc<console::Service> {
        let service = console::Service::new(console::Dependencies {
            documents: self.store.service("console"),
            clock: Arc::clone(&ground.clock),
            ids: Arc::clone(&ground.ids),
            codepipeline,
            regions,
            codebuild: Arc::clone(&sisters.codebuild) as _,
            logs: Arc::clone(&sisters.logs) as _,
            codedeploy: Arc::clone(&sisters.codedeploy) as _,
            region: self.options.region.clone(),
            stop: self.stop.clone(),
        });
        self.tasks.spawn(Arc::clone(&service).run(self.stop.clone()));
        service
    }

    async fn engine(&mut self) -> anyhow::Result<Arc<dyn Engine>> {
        let options = self.options;
        let agent_binary = agent_binary::locate(&options.data_dir).context("builds need the agent")?;
        let clock = Arc::clone(self.store.clock());
        self.collectors.push(Arc::new(OldAgents::new(&options.data_dir, agent_binary.clone(), clock)));
        let engine = engine::open(EngineOptions {
            host_share: options.host_share.clone(),
            trust_host_image: options.trusts_host_image(),
            docker_host: options.docker_host.clone(),
            way_out: options.build_network.into(),
            masked: self.cache.iter().cloned().collect(),
            // Who builds a folder of their own, on a machine of their own, needs no bounds.
            without_limits: options.without_limits || self.cache.is_some(),
            runtime: options.oci_runtime.clone(),
            verdict: self.cache.as_ref().map(|cache| cache.join("runtime.json")),
            images: options.images(self.cache.as_deref())?,
            ..EngineOptions::new(options.engine_kind(), &options.data_dir, agent_binary)
        })
        .await
        .map_err(|error| user_error(error.to_string()))?;
        self.collectors.push(Arc::new(UnusedImages::new(Arc::clone(&engine), Arc::clone(self.store.clock()))));
        Ok(engine)
    }

    fn build_options(&self) -> anyhow::Result<codebuild::Options> {
        let options = self.options;
        let rules: Vec<_> = options.image_map.iter().map(|(glob, reference)| format!("{glob}={reference}")).collect();
        Ok(codebuild::Options {
            data_dir: options.data_dir.clone(),
            image_map: codebuild::ImageMap::parse(&rules).map_err(|error| user_error(error.to_string()))?,
            trust_host_image: options.trusts_host_image(),
            concurrency: options
                .builds_at_once
                .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from),
            pool: options.pool(),
            disk_bytes: options.build_disk.0,
            public_url: self.public_url.to_owned(),
        })
    }
}
