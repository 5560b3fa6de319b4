//! Every service with its gate, and who holds whom.
//!
//! Services hold each other's gated traits, so that a call between them is checked like
//! one from outside.

use super::options::{Auth, Options};
use super::registry;
use super::repositories::Repositories;
use crate::agent_binary;
use crate::exit::user_error;
use crate::listener::Listener;
use anyhow::Context as _;
use aws::{Audit, Authorizer, Dispatch, Guard};
use engine::{Engine, EngineOptions};
use kernel::{Blobs, Clock, Door, Ids, Principals, Scope, Seal, Stop, Store, SystemIds};
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
}

/// What every service stands on.
struct Ground {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    seal: Arc<Seal>,
    guard: Guard,
    principals: Arc<dyn Principals>,
}

/// Makes the services, starts their reconcilers in `tasks`.
pub(super) async fn wire(
    options: &Options,
    public_url: &str,
    store: &Arc<Store>,
    listener: &Arc<Listener>,
    stop: &Stop,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Services>> {
    let seal = Arc::new(Seal::in_folder(&options.data_dir).map_err(|error| user_error(error.to_string()))?);
    let (clock, ids): (_, Arc<dyn Ids>) = (Arc::clone(store.clock()), Arc::new(SystemIds));
    let iam = iam(options, store, &seal, &clock, &ids).await?;
    let policy = iam::Policy::new(mode(options));
    let authorizer: Arc<dyn Authorizer> = Arc::clone(&policy) as _;
    let audit: Arc<dyn Audit> = Arc::new(iam::AuditFile::open(&options.data_dir, Arc::clone(&clock))?);
    let ground = Ground {
        store: Arc::clone(store),
        guard: Guard::new(authorizer, audit),
        principals: Arc::clone(&iam) as _,
        clock,
        ids,
        seal,
    };
    tasks.spawn(kernel::tidy::run(Arc::clone(store), stop.clone()));

    let s3 = s3::Service::new(s3::Dependencies {
        documents: ground.store.service("s3"),
        blobs: Blobs::open(&options.data_dir, "s3")?,
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
    });
    tasks.spawn(Arc::clone(&s3).run(stop.clone()));
    let s3: Arc<dyn aws::s3::S3> = Arc::new(aws::s3::Gated::new(s3, ground.guard.clone()));

    let logs = logs::Service::new(logs::Dependencies {
        documents: ground.store.service("logs"),
        data_dir: options.data_dir.clone(),
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
    });
    tasks.spawn(Arc::clone(&logs).run(stop.clone()));
    let logs = Arc::new(aws::logs::Gated::new(logs, registry::LOGS.gate(&ground.guard)?.violations(logs::violation)));

    let git = codecommit::Service::new(codecommit::Dependencies {
        documents: ground.store.service("codecommit"),
        data_dir: options.data_dir.clone(),
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
        guard: ground.guard.clone(),
        public_url: public_url.to_owned(),
    });
    tasks.spawn(Arc::clone(&git).run(stop.clone()));
    let codecommit: Arc<aws::codecommit::Gated> = Arc::new(aws::codecommit::Gated::new(
        Arc::clone(&git) as _,
        registry::CODECOMMIT.gate(&ground.guard)?.violations(codecommit::violation),
    ));
    let sources: Arc<dyn aws::internal::codecommit::Sources> =
        Arc::new(aws::internal::codecommit::Gated::new(Arc::clone(&git) as _, ground.guard.clone()));

    let builds = codebuild::Service::new(codebuild::Dependencies {
        documents: ground.store.service("codebuild"),
        blobs: Blobs::open(&options.data_dir, "codebuild")?,
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
        principals: Arc::clone(&ground.principals),
        engine: open_engine(options)?,
        logs: Arc::clone(&logs) as _,
        s3: Arc::clone(&s3),
        codecommit: Arc::clone(&sources),
        door: Arc::clone(listener) as Arc<dyn Door>,
        options: build_options(options, public_url)?,
    });
    tasks.spawn(Arc::clone(&builds).run(stop.clone()));
    let gate = registry::CODEBUILD.gate(&ground.guard)?.violations(codebuild::violation);
    let codebuild = Arc::new(aws::codebuild::Gated::new(Arc::clone(&builds) as _, gate));
    let pipeline_builds = Arc::new(aws::internal::codebuild::Gated::new(builds, ground.guard.clone()));

    let deployments = codedeploy::Service::new(codedeploy::Dependencies {
        documents: ground.store.service("codedeploy"),
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
        seal: Arc::clone(&ground.seal),
        deadlines: codedeploy::Deadlines::default(),
    });
    policy.set_host_grants(Arc::clone(&deployments) as _);
    tasks.spawn(Arc::clone(&deployments).run(stop.clone()));
    let gate = registry::CODEDEPLOY.gate(&ground.guard)?.violations(codedeploy::violation);
    let codedeploy = Arc::new(aws::codedeploy::Gated::new(Arc::clone(&deployments) as _, gate));
    let host_commands = aws::codedeploy_commands::Gated::new(deployments, ground.guard.clone());

    let pipelines = codepipeline::Service::new(codepipeline::Dependencies {
        documents: ground.store.service("codepipeline"),
        blobs: Blobs::open(&options.data_dir, "codepipeline")?,
        clock: Arc::clone(&ground.clock),
        ids: Arc::clone(&ground.ids),
        principals: Arc::clone(&ground.principals),
        s3: Arc::clone(&s3),
        codecommit: Arc::clone(&codecommit) as _,
        sources,
        codebuild: Arc::clone(&codebuild) as _,
        pipeline_builds,
        seal: Arc::clone(&ground.seal),
        codedeploy: Arc::clone(&codedeploy) as _,
    });
    tasks.spawn(Arc::clone(&pipelines).run(stop.clone()));
    let codepipeline = Arc::new(aws::codepipeline::Gated::new(pipelines, registry::CODEPIPELINE.gate(&ground.guard)?));

    let authenticator = iam.authenticator();
    authenticator.set_repository_regions(Arc::new(Repositories(Arc::clone(&git))));
    let open = options.auth == Auth::Open;
    Ok(Arc::new(Services {
        authenticator,
        open,
        api: vec![
            codebuild,
            codecommit,
            codedeploy,
            codepipeline,
            Arc::new(aws::iam::Gated::new(Arc::clone(&iam) as _, registry::IAM.gate(&ground.guard)?)),
            logs,
            Arc::new(aws::sts::Gated::new(iam, registry::STS.gate(&ground.guard)?)),
        ],
        s3: if open { s3::Wire::new(s3).trusting() } else { s3::Wire::new(s3) },
        git,
        host_commands,
    }))
}

async fn iam(
    options: &Options,
    store: &Arc<Store>,
    seal: &Arc<Seal>,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> anyhow::Result<Arc<iam::Service>> {
    let dependencies = iam::Dependencies {
        documents: store.service("iam"),
        seal: Arc::clone(seal),
        clock: Arc::clone(clock),
        ids: Arc::clone(ids),
        mode: mode(options),
        defaults: Scope::new(&options.account, &options.region),
    };
    let service = iam::Service::new(dependencies);
    service.ensure_root_key(&options.data_dir).await.map_err(|error| user_error(error.to_string()))?;
    Ok(service)
}

fn mode(options: &Options) -> iam::Mode {
    match options.auth {
        Auth::Enforce => iam::Mode::Enforce,
        Auth::Open => iam::Mode::Open,
    }
}

fn open_engine(options: &Options) -> anyhow::Result<Arc<dyn Engine>> {
    engine::open(EngineOptions {
        kind: options.engine_kind(),
        data_dir: options.data_dir.clone(),
        agent_binary: agent_binary::locate(&options.data_dir).context("builds need the agent")?,
        host_share: options.host_share.clone(),
        masked: Vec::new(),
        trust_host_image: options.trusts_host_image(),
    })
    .map_err(|error| user_error(error.to_string()))
}

fn build_options(options: &Options, public_url: &str) -> anyhow::Result<codebuild::Options> {
    let rules: Vec<_> = options.image_map.iter().map(|(glob, reference)| format!("{glob}={reference}")).collect();
    Ok(codebuild::Options {
        data_dir: options.data_dir.clone(),
        image_map: codebuild::ImageMap::parse(&rules).map_err(|error| user_error(error.to_string()))?,
        trust_host_image: options.trusts_host_image(),
        concurrency: std::thread::available_parallelism().map_or(1, usize::from),
        public_url: public_url.to_owned(),
    })
}
