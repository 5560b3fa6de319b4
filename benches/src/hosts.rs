//! Ten thousand hosts whose polls are open at the same time: what they cost, and how soon a deployment reaches some.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use testbed::client::{Client, Connection, Key};
use testbed::process::Server;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Options;
use crate::report::{Budget, Figure, micros, millis, percentile};

/// How many make hosts at the same time.
const CLIENTS: usize = 32;
/// So many hosts get a deployment while all poll.
const DEPLOYED: usize = 100;
/// How long a server keeps a poll open that it has no command for.
const POLL: Duration = Duration::from_secs(30);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// So long a server's CPU is watched to know whether it waits.
const LOOK: Duration = Duration::from_millis(250);
/// In time: what a deployment's first commands may take to their hosts.
const SOON: Duration = Duration::from_secs(2);
const CODEDEPLOY: &str = "CodeDeploy_20141006";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.hosts;
    let server = Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy", "--log", "warn"])?;
    server.answer().await?;
    group(&mut server.client.connection()).await?;
    let hosts = register(&server.client, count).await?;
    let (idle, before, begin) = (server.memory()?, server.cpu()?, Instant::now());
    let mut polls = Polls::open(&server, hosts).await?;
    let opening = begin.elapsed();
    let opened = (server.cpu()? - before) / u32::try_from(count)?;
    let each = server.memory()?.saturating_sub(idle) as f64 / count as f64;
    let latencies = polls.deploy(&server).await?;
    ensure!(latencies.len() == DEPLOYED.min(count), "{} hosts got the deployment", latencies.len());
    let worst = percentile(latencies.clone(), 99);
    let cores = opened.as_secs_f64() * count as f64 / POLL.as_secs_f64();
    Ok(vec![
        Figure {
            what: format!("hosts polling at once: {count} signed polls open at the same time"),
            landfall: format!("{:.1} % of a core, {} a poll", cores * 100.0, micros(opened)),
            beside: format!("opened within {:.1} s; {:.1} KB of memory each", opening.as_secs_f64(), each / 1e3),
            ratio: cores,
            budget: Budget::new("10,000 on 2 cores", count >= 10_000 && cores <= 1.0),
        },
        Figure {
            what: format!("p99 from CreateDeployment to the command at {} of them", latencies.len()),
            landfall: millis(worst),
            beside: format!("the first host {}", millis(latencies.iter().min().copied().unwrap_or_default())),
            ratio: worst.as_secs_f64() / SOON.as_secs_f64(),
            budget: Budget::new("≤ 2 s", worst <= SOON),
        },
    ])
}

/// A host as its agent knows itself.
pub(crate) struct Host {
    /// The IAM user's ARN, which the protocol calls the host's identifier.
    arn: String,
    connection: Connection,
}

impl Host {
    /// Makes a user with a key, and an instance of it with the tag `fleet`.
    pub(crate) async fn register(
        client: &Client,
        ours: &mut Connection,
        name: &str,
        fleet: &str,
    ) -> anyhow::Result<Self> {
        let arn = made(ours, "CreateUser", name, "Arn").await?.0;
        let (id, secret) = made(ours, "CreateAccessKey", name, "AccessKeyId").await?;
        let secret = between(&secret, "SecretAccessKey")?;
        let input = json!({"instanceName": name, "iamUserArn": arn});
        ours.json("codedeploy", &format!("{CODEDEPLOY}.RegisterOnPremisesInstance"), &input).await?;
        let input = json!({"instanceNames": [name], "tags": [{"Key": "fleet", "Value": fleet}]});
        ours.json("codedeploy", &format!("{CODEDEPLOY}.AddTagsToOnPremisesInstances"), &input).await?;
        let connection = Client::new(&client.authority, Key { id, secret }).connection();
        Ok(Self { arn, connection })
    }

    /// One poll: the command's identifier, or nothing when its time was over.
    pub(crate) async fn poll(&mut self) -> anyhow::Result<Option<String>> {
        let answer = self.ask("PollHostCommand", &json!({"HostIdentifier": self.arn})).await?;
        Ok(answer["HostCommand"]["HostCommandIdentifier"].as_str().map(str::to_owned))
    }

    /// Takes a command over and reports it done.
    pub(crate) async fn obey(&mut self, command: &str) -> anyhow::Result<()> {
        let report = |text: &str| json!({"Format": "JSON", "Payload": text});
        let taken = json!({"HostCommandIdentifier": command, "Diagnostics": report(r#"{"IsCommandNoop":false}"#)});
        self.ask("PutHostCommandAcknowledgement", &taken).await?;
        let done = report(r#"{"error_code":0,"script_name":"","message":"Succeeded","log":""}"#);
        let done = json!({"HostCommandIdentifier": command, "CommandStatus": "Succeeded", "Diagnostics": done});
        self.ask("PutHostCommandComplete", &done).await.map(drop)
    }

    async fn ask(&mut self, operation: &str, input: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        let target = format!("CodeDeployCommandService_v20141006.{operation}");
        self.connection.json("codedeploy-commands", &target, input).await
    }
}

/// Asks IAM for something of a user; gives the value of one element, and the whole reply.
async fn made(ours: &mut Connection, action: &str, name: &str, element: &str) -> anyhow::Result<(String, String)> {
    let reply = ours.query("iam", action, "2010-05-08", &format!("UserName={name}")).await?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    Ok((between(&reply, element)?, reply))
}

fn between(xml: &str, element: &str) -> anyhow::Result<String> {
    let text = xml.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
    Ok(text.with_context(|| format!("no {element} in {xml}"))?.0.to_owned())
}

/// An application whose group `hosts` is all instances with the tag `fleet` = `deployed`.
pub(crate) async fn group(connection: &mut Connection) -> anyhow::Result<()> {
    let input = json!({"applicationName": "application"});
    connection.json("codedeploy", &format!("{CODEDEPLOY}.CreateApplication"), &input).await?;
    let input = json!({
        "applicationName": "application", "deploymentGroupName": "hosts",
        "deploymentConfigName": "CodeDeployDefault.AllAtOnce", "serviceRoleArn": "arn:aws:iam::000000000000:role/deploy",
        "onPremisesInstanceTagFilters": [{"Key": "fleet", "Value": "deployed", "Type": "KEY_AND_VALUE"}],
    });
    connection.json("codedeploy", &format!("{CODEDEPLOY}.CreateDeploymentGroup"), &input).await?;
    connection.bucket("releases").await?;
    connection.s3("PUT", "/releases/release.zip", b"not unpacked by hosts that are played").await.map(drop)
}

/// Deploys to the group; the deployment's id.
pub(crate) async fn deploy(connection: &mut Connection) -> anyhow::Result<String> {
    let location = json!({"bucket": "releases", "key": "release.zip", "bundleType": "zip"});
    let input = json!({
        "applicationName": "application", "deploymentGroupName": "hosts",
        "revision": {"revisionType": "S3", "s3Location": location},
    });
    let made = connection.json("codedeploy", &format!("{CODEDEPLOY}.CreateDeployment"), &input).await?;
    Ok(made["deploymentId"].as_str().context("no deploymentId")?.to_owned())
}

/// Makes so many hosts; the first ones are in the group.
async fn register(client: &Client, count: usize) -> anyhow::Result<Vec<Host>> {
    let mut making = JoinSet::new();
    for first in 0..CLIENTS {
        let client = client.clone();
        making.spawn(async move {
            let (mut ours, mut hosts) = (client.connection(), Vec::new());
            for number in (first..count).step_by(CLIENTS) {
                let fleet = if number < DEPLOYED { "deployed" } else { "idle" };
                hosts.push(Host::register(&client, &mut ours, &format!("host-{number:05}"), fleet).await?);
            }
            anyhow::Ok(hosts)
        });
    }
    let mut hosts = Vec::with_capacity(count);
    while let Some(made) = making.join_next().await {
        hosts.extend(made??);
    }
    Ok(hosts)
}

/// All hosts' polls, each asked again when its time is over.
struct Polls {
    /// Tells when a command came.
    commands: mpsc::UnboundedReceiver<Instant>,
    polling: JoinSet<anyhow::Result<()>>,
}

impl Polls {
    async fn open(server: &Server, hosts: Vec<Host>) -> anyhow::Result<Self> {
        let (told, commands) = mpsc::unbounded_channel();
        let (mut polling, count) = (JoinSet::new(), hosts.len());
        for mut host in hosts {
            let told = told.clone();
            polling.spawn(async move {
                while host.poll().await?.is_none() {}
                // Whoever does not listen any more has measured.
                let _ = told.send(Instant::now());
                anyhow::Ok(())
            });
        }
        let deadline = Instant::now() + PATIENCE;
        // Its own files are some dozens more; that the last polls are open, too, its rest says.
        while connections(server)? < count {
            if let Some(ended) = polling.try_join_next() {
                ended??;
            }
            ensure!(Instant::now() < deadline, "{} of {count} polls are open", connections(server)?);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !waits(server).await? {
            ensure!(Instant::now() < deadline, "the server is still busy with {count} polls after {PATIENCE:?}");
        }
        Ok(Self { commands, polling })
    }

    /// Deploys to the group; how long the command took to each of its hosts.
    async fn deploy(&mut self, server: &Server) -> anyhow::Result<Vec<Duration>> {
        let begin = Instant::now();
        deploy(&mut server.client.connection()).await?;
        let mut latencies = Vec::new();
        while latencies.len() < DEPLOYED {
            match tokio::time::timeout(PATIENCE, self.commands.recv()).await {
                Ok(Some(came)) => latencies.push(came.saturating_duration_since(begin)),
                _ => break,
            }
        }
        self.polling.abort_all();
        Ok(latencies)
    }
}

/// Whether the server has seen to all polls that came: a fifth of a core is what those take whose time is over.
async fn waits(server: &Server) -> anyhow::Result<bool> {
    let before = server.cpu()?;
    tokio::time::sleep(LOOK).await;
    Ok(server.cpu()? - before <= LOOK / 5)
}

/// How many files the server has open; nearly all are connections.
fn connections(server: &Server) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", server.pid()))?.count())
}
