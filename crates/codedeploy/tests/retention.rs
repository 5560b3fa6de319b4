//! What a collection removes and what it leaves.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use aws::codedeploy::*;
use codedeploy::model::{DeploymentTarget, SignedSpecification};
use kernel::Page;
use kernel::retention::{Collector, Keep, Retention};
use std::time::Duration;
use world::*;

const ONE: &str = "CodeDeployDefault.OneAtATime";
const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn collect(world: &World, days: u32, dry_run: bool) -> u64 {
    let retention = Retention { deployments: Keep::For(DAY * days), ..Retention::default() };
    world.service.collect(&retention, dry_run).await.unwrap()["deployments"].count
}

async fn deployments(world: &World) -> Vec<String> {
    let all = world.service.list_deployments(&root(), ListDeploymentsInput::default()).await.unwrap();
    all.deployments.unwrap()
}

/// Documents of targets and specifications that are left.
async fn rest(world: &World) -> (usize, usize) {
    let documents = world.store.service("codedeploy");
    let targets = documents.list::<DeploymentTarget>(&scope(), Page::default()).await.unwrap();
    let signed = documents.list::<SignedSpecification>(&scope(), Page::default()).await.unwrap();
    (targets.len(), signed.len())
}

#[tokio::test]
async fn what_ended_long_ago_goes_with_its_targets_but_not_the_last_good_one_nor_what_runs() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let hosts = [world.agent("web-1", Script::default()), world.agent("web-2", Script::default())];
    let first = world.deploy("one.zip").await;
    world.until(&first, "Succeeded").await;
    let good = world.deploy("two.zip").await;
    world.until(&good, "Succeeded").await;
    drop(hosts);
    let _broken = world.agent("web-1", Script::failing("Install"));
    let failed = world.deploy("three.zip").await;
    world.until(&failed, "Failed").await;
    let running = world.deploy("four.zip").await;
    world.until(&running, "InProgress").await;
    let before = vec![running.clone(), failed, good.clone(), first];
    assert_eq!((deployments(&world).await, rest(&world).await), (before.clone(), (8, 4)));

    assert_eq!(collect(&world, 30, false).await, 0, "nothing is that old");
    // The running one's host hangs, so time may pass without its end.
    world.clock.advance(DAY / 12);
    assert_eq!(collect(&world, 0, true).await, 2);
    assert_eq!(deployments(&world).await, before, "a dry run removes nothing");
    assert_eq!(collect(&world, 0, false).await, 2);
    let left = deployments(&world).await;
    assert!(left.contains(&good) && left.contains(&running), "{left:?}");
    assert_eq!(rest(&world).await, (4, 2));
    assert_eq!(collect(&world, 0, false).await, 0, "again there is nothing to do");
    assert_eq!(world.info(&good).await.revision, Some(revision("two.zip")));
}

#[tokio::test]
async fn what_a_broken_off_collection_left_goes_with_the_next_one() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let _host = world.agent("web-1", Script::default());
    for key in ["one.zip", "two.zip"] {
        let id = world.deploy(key).await;
        world.until(&id, "Succeeded").await;
    }
    world.clock.advance(DAY);
    let documents = world.store.service("codedeploy");
    let first = deployments(&world).await.remove(1);
    let target = documents.get::<DeploymentTarget>(&scope(), &format!("{first}/web-1")).await.unwrap().unwrap();
    documents.remove(&scope(), &target).await.unwrap();
    assert_eq!(collect(&world, 0, false).await, 1);
    assert_eq!(rest(&world).await, (1, 1));
}

#[tokio::test]
async fn without_a_limit_nothing_is_collected_and_without_a_group_nothing_is_kept() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let _host = world.agent("web-1", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    world.clock.advance(DAY * 1_000);
    let forever = Retention { deployments: Keep::Forever, ..Retention::default() };
    assert!(world.service.collect(&forever, false).await.unwrap().is_empty());
    assert_eq!(collect(&world, 1, false).await, 0, "a rollback would repeat it");
    let delete = DeleteApplicationInput { application_name: text("app") };
    world.service.delete_application(&root(), delete).await.unwrap();
    assert_eq!(collect(&world, 1, false).await, 1);
}
