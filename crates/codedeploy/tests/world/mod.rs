//! A server in a folder of its own, with hosts that speak the agents' protocol to it in-process.
#![expect(clippy::panic, reason = "tests")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

mod host;

pub use host::{Host, Script};

use aws::Error;
use aws::codedeploy::*;
use codedeploy::{Deadlines, Dependencies, Service};
use kernel::{Caller, Clock, Event, ManualClock, Principal, Scope, Seal, SequentialIds, Stop, Store, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub const ACCOUNT: &str = "123456789012";

/// A server and its data folder. Time stands still until a test moves it on.
pub struct World {
    pub folder: TempDir,
    pub clock: ManualClock,
    pub service: Arc<Service>,
    pub store: Arc<Store>,
    stop: Stop,
    running: JoinHandle<()>,
}

/// What is left of a server that was shut down.
pub struct Down {
    pub folder: TempDir,
    clock: ManualClock,
}

impl Down {
    pub fn open(self) -> World {
        World::open(self.folder, self.clock, 1_000_000)
    }
}

pub fn scope() -> Scope {
    Scope::new(ACCOUNT, "us-east-1")
}

pub fn root() -> Caller {
    Caller::root(&scope(), "request")
}

pub fn user(name: &str) -> Caller {
    Caller { principal: Principal::User { name: name.to_owned(), id: format!("AIDA{name}") }, ..root() }
}

pub fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
        Self::open(folder, clock, 0)
    }

    fn open(folder: TempDir, clock: ManualClock, seed: u64) -> Self {
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Store::open(folder.path(), Arc::clone(&shared)).unwrap();
        let service = Service::new(Dependencies {
            documents: store.service("codedeploy"),
            clock: shared,
            ids: Arc::new(SequentialIds::new(seed)),
            seal: Arc::new(Seal::in_folder(folder.path()).unwrap()),
            deadlines: Deadlines::default(),
        });
        let stop = Stop::new();
        let running = tokio::spawn(Arc::clone(&service).run(stop.clone()));
        Self { folder, clock, service, store, stop, running }
    }

    /// Ends the server and opens another one on the same folder.
    pub async fn restart(self) -> Self {
        self.shut_down().await.open()
    }

    /// Ends the server; what is left is its folder.
    pub async fn shut_down(self) -> Down {
        let Self { folder, clock, service, store, stop, running } = self;
        stop.trigger();
        running.await.unwrap();
        drop((service, store));
        Down { folder, clock }
    }

    /// An application `app` and a group `hosts` of instances tagged `Env=prod`.
    pub async fn group(&self, config: &str) {
        let application = CreateApplicationInput { application_name: text("app"), ..Default::default() };
        self.service.create_application(&root(), application).await.unwrap();
        let group = CreateDeploymentGroupInput {
            application_name: text("app"),
            deployment_group_name: text("hosts"),
            deployment_config_name: text(config),
            service_role_arn: text("arn:aws:iam::123456789012:role/deploy"),
            on_premises_instance_tag_filters: Some(vec![prod_filter()]),
            ..Default::default()
        };
        self.service.create_deployment_group(&root(), group).await.unwrap();
    }

    /// Registers instances tagged `Env=prod`, each of its own user, without an agent.
    pub async fn register(&self, names: &[&str]) {
        for name in names {
            let iam_user_arn = Some(user(name).arn());
            let input =
                RegisterOnPremisesInstanceInput { instance_name: text(name), iam_user_arn, iam_session_arn: None };
            self.service.register_on_premises_instance(&root(), input).await.unwrap();
        }
        let tags = Some(vec![Tag { key: text("Env"), value: text("prod") }]);
        let instance_names = Some(names.iter().map(|name| (*name).to_owned()).collect());
        let input = AddTagsToOnPremisesInstancesInput { tags, instance_names };
        self.service.add_tags_to_on_premises_instances(&root(), input).await.unwrap();
    }

    /// Starts the agent of a registered instance.
    pub fn agent(&self, name: &str, script: Script) -> Host {
        Host::start(Arc::clone(&self.service), user(name), script)
    }

    pub fn deployment_of(&self, key: &str) -> CreateDeploymentInput {
        CreateDeploymentInput {
            application_name: text("app"),
            deployment_group_name: text("hosts"),
            revision: Some(revision(key)),
            ..Default::default()
        }
    }

    pub async fn deploy(&self, key: &str) -> String {
        self.create(self.deployment_of(key)).await.unwrap()
    }

    pub async fn create(&self, input: CreateDeploymentInput) -> Result<String, Error> {
        Ok(self.service.create_deployment(&root(), input).await?.deployment_id.unwrap())
    }

    pub async fn info(&self, id: &str) -> DeploymentInfo {
        let input = GetDeploymentInput { deployment_id: text(id) };
        self.service.get_deployment(&root(), input).await.unwrap().deployment_info.unwrap()
    }

    pub async fn group_info(&self) -> DeploymentGroupInfo {
        let input = GetDeploymentGroupInput { application_name: text("app"), deployment_group_name: text("hosts") };
        self.service.get_deployment_group(&root(), input).await.unwrap().deployment_group_info.unwrap()
    }

    pub async fn target(&self, deployment: &str, id: &str) -> InstanceTarget {
        let input = GetDeploymentTargetInput { deployment_id: text(deployment), target_id: text(id) };
        self.service
            .get_deployment_target(&root(), input)
            .await
            .unwrap()
            .deployment_target
            .unwrap()
            .instance_target
            .unwrap()
    }

    /// Waits until the deployment has this status.
    pub async fn until(&self, id: &str, status: &str) -> DeploymentInfo {
        let reached = async {
            loop {
                let info = self.info(id).await;
                if info.status.as_deref() == Some(status) {
                    return info;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(10), reached).await {
            Ok(info) => info,
            Err(_) => panic!("not {status}: {:?}", self.info(id).await),
        }
    }

    /// Waits until the event at `position` of a target has this status.
    pub async fn until_event(&self, deployment: &str, id: &str, position: usize, status: &str) -> InstanceTarget {
        for _ in 0..5_000 {
            let target = self.target(deployment, id).await;
            if statuses(&target)[position] == status {
                return target;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("event {position} is not {status}: {:?}", self.target(deployment, id).await)
    }

    /// Waits until the deployment has this status, moving the time on by a minute each time it has not.
    pub async fn advance_until(&self, id: &str, status: &str) -> DeploymentInfo {
        for _ in 0..1_000 {
            let info = self.info(id).await;
            if info.status.as_deref() == Some(status) {
                return info;
            }
            self.clock.advance(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not {status}: {:?}", self.info(id).await)
    }

    /// What CodeDeploy published since the folder was made, as (detail type, state, instance).
    pub async fn events(&self) -> Vec<Event> {
        let mut subscription = self.store.bus().subscribe_from_start("codedeploy.test").await.unwrap();
        match tokio::time::timeout(Duration::from_millis(200), subscription.next_batch(1_000)).await {
            Ok(batch) => batch.unwrap().into_iter().map(|delivered| delivered.event).collect(),
            Err(_) => Vec::new(),
        }
    }
}

pub fn revision(key: &str) -> RevisionLocation {
    let s3_location =
        S3Location { bucket: text("bucket"), key: text(key), bundle_type: text("zip"), ..Default::default() };
    RevisionLocation { revision_type: text("S3"), s3_location: Some(s3_location), ..Default::default() }
}

pub fn prod_filter() -> TagFilter {
    TagFilter { key: text("Env"), value: text("prod"), type_: text("KEY_AND_VALUE") }
}

/// The statuses of a target's events, in order.
pub fn statuses(target: &InstanceTarget) -> Vec<&str> {
    let events = target.lifecycle_events.as_deref().unwrap_or_default();
    events.iter().map(|event| event.status.as_deref().unwrap_or_default()).collect()
}
