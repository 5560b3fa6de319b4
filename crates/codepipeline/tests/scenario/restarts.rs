//! The server dies in the middle; everything goes on, and nothing happens twice.

use std::time::Duration;

use super::world::{World, eventually, three_stages};

#[tokio::test]
async fn a_build_whose_start_was_never_confirmed_is_not_started_again() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.sisters.mute.lock().unwrap().insert("start_pipeline_build");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.sisters.mute.lock().unwrap().clear();
    let world = world.restart().await;
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.until_deployments(1).await;
    world.end_deployment(0, "Succeeded").await;
    world.until(&["Succeeded"]).await;
    assert_eq!(world.sisters.builds.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deployment_whose_creation_was_never_confirmed_is_found_again() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.sisters.mute.lock().unwrap().insert("create_deployment");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.until_deployments(1).await;
    world.sisters.mute.lock().unwrap().clear();
    let world = world.restart().await;
    world.end_deployment(0, "Succeeded").await;
    world.until(&["Succeeded"]).await;
    assert_eq!(world.sisters.deployments.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_ended_while_the_server_was_down_is_noticed() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.sisters.end_build(0, "SUCCEEDED", &[]);
    let world = world.restart().await;
    world.clock.advance(Duration::from_secs(61));
    world.until_deployments(1).await;
}

#[tokio::test]
async fn a_push_during_a_restart_starts_one_execution() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    world.push("c2").await;
    let world = world.restart().await.restart().await;
    world.until_builds(2).await;
    assert_eq!(world.executions().await.len(), 2);
}

#[tokio::test]
async fn an_action_that_takes_too_long_fails() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.clock.advance(Duration::from_secs(37 * 60 * 60));
    world.until(&["Failed"]).await;
    let state = world.state().await;
    let summary = &state["stageStates"][1]["actionStates"][0]["latestExecution"]["summary"];
    assert!(summary.as_str().unwrap().contains("time limit"), "{summary}");
}

#[tokio::test]
async fn a_build_that_ended_counts_however_late_it_is_looked_at() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.sisters.end_build(0, "SUCCEEDED", &[]);
    world.clock.advance(Duration::from_secs(37 * 60 * 60));
    world.until_deployments(1).await;
}

#[tokio::test]
async fn an_action_that_the_server_cannot_move_on_ends_with_its_time() {
    let world = World::new();
    world.sisters.broken.lock().unwrap().insert("get_branch");
    world.create(three_stages()).await;
    let over = async || {
        world.clock.advance(Duration::from_secs(60));
        world.statuses().await == ["Failed"]
    };
    assert!(eventually(over).await, "{:?}", world.actions().await);
    let started = world.executions().await[0].start_time.unwrap();
    assert!(kernel::Clock::now(&world.clock).since(started) >= Duration::from_secs(60 * 60), "not before its time");
}

/// Lets everything outside succeed as it appears, until the execution has ended.
async fn carry_on(world: &World) {
    let over = async || {
        world.sisters.end_all();
        world.clock.advance(Duration::from_secs(61));
        world.statuses().await == ["Succeeded"]
    };
    assert!(eventually(over).await, "{:?} {:?}", world.statuses().await, world.actions().await);
}

#[tokio::test]
async fn a_death_at_any_moment_changes_nothing_in_the_end() {
    for millis in [0, 1, 2, 3, 5, 8, 13, 21] {
        let world = World::new();
        world.sisters.set_head("app/main", "c1");
        world.create(three_stages()).await;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let world = world.restart().await;
        world.sisters.end_all();
        world.clock.advance(Duration::from_secs(61));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let world = world.restart().await;
        carry_on(&world).await;
        let expected = ["Source/Git Succeeded", "Build/Compile Succeeded", "Deploy/Hosts Succeeded"];
        assert_eq!(world.actions().await, expected, "died after {millis} ms, twice");
        assert_eq!(world.sisters.builds.lock().unwrap().len(), 1);
        assert_eq!(world.sisters.deployments.lock().unwrap().len(), 1);
    }
}
