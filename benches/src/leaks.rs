//! What a server holds of its machine before and after a thousand builds and deployments.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use testbed::census::Census;
use testbed::client::Connection;
use testbed::process::Server;

use crate::Options;
use crate::hosts::{Host, deploy, group};
use crate::load_builds::{create_project, run};
use crate::report::{Budget, Figure};

/// Before the first count: what is made once is there by then.
const WARM_UP: usize = 100;
/// What a host runs of an in-place deployment.
const EVENTS: usize = 7;
/// How much memory may rise and still count as the allocator's.
const MEMORY: f64 = 1.1;
/// How long a server may take to come to rest: threads for blocking calls end after ten idle seconds.
const REST: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let arguments = ["--engine", "sandbox", "--trust-host-image", "--builds-at-once", "4", "--log", "warn"];
    let server = Server::landfall(&options.landfall, &options.folder, &arguments)?;
    let mut connection = server.client.connection();
    create_project(&mut connection).await?;
    run(&mut connection, WARM_UP.min(options.leaks)).await?;
    let before = rested(&server).await?;
    run(&mut connection, options.leaks).await?;
    let builds = compared("builds", options.leaks, &before, &rested(&server).await?);

    group(&mut connection).await?;
    let mut host = Host::register(&server.client, &mut server.client.connection(), "host", "deployed").await?;
    deployments(&mut connection, &mut host, WARM_UP.min(options.leaks)).await?;
    let before = rested(&server).await?;
    deployments(&mut connection, &mut host, options.leaks).await?;
    let deployments = compared("deployments", options.leaks, &before, &rested(&server).await?);
    Ok(vec![builds, deployments])
}

async fn rested(server: &Server) -> anyhow::Result<Census> {
    tokio::time::sleep(REST).await;
    Census::of(server)
}

fn compared(what: &str, count: usize, before: &Census, after: &Census) -> Figure {
    eprintln!("before {count} {what}: {before}\nafter: {after}");
    let (grown, memory) = (before.grown(after), after.memory as f64 / before.memory as f64);
    let disk = after.disk.saturating_sub(before.disk) as f64 / count.max(1) as f64;
    Figure {
        what: format!(
            "what is left behind by {count} {what}: descriptors, threads, processes, mounts, groups, namespaces, folders"
        ),
        landfall: if grown.is_empty() { "nothing".to_owned() } else { format!("more {}", grown.join(", ")) },
        beside: format!(
            "{:.1} MB of memory, before {:.1} MB; {:.1} KB of disk each, kept by retention",
            after.memory as f64 / 1e6,
            before.memory as f64 / 1e6,
            disk / 1e3
        ),
        ratio: memory,
        budget: Budget::new("no growth", grown.is_empty() && memory <= MEMORY),
    }
}

/// So many deployments, one after the other, to a host that obeys at once.
async fn deployments(connection: &mut Connection, host: &mut Host, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        let id = deploy(connection).await?;
        for _ in 0..EVENTS {
            let command = host.poll().await?.context("a host was given no command of a deployment")?;
            host.obey(&command).await?;
        }
        let deadline = Instant::now() + PATIENCE;
        while !ended(connection, &id).await? {
            ensure!(Instant::now() < deadline, "{id} has not ended after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

async fn ended(connection: &mut Connection, id: &str) -> anyhow::Result<bool> {
    let input = json!({"deploymentId": id});
    let found = connection.json("codedeploy", "CodeDeploy_20141006.GetDeployment", &input).await?;
    let status = &found["deploymentInfo"]["status"];
    ensure!(status != "Failed" && status != "Stopped", "{id}: {found}");
    Ok(status == "Succeeded")
}
