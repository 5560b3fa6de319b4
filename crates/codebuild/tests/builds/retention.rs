//! What a collection removes and what it leaves.
use std::time::Duration;

use crate::world::{World, root};
use aws::codebuild::*;
use aws::internal::codebuild::{PipelineArtifact, PipelineBuilds, PipelineContext};
use kernel::retention::{Collector, Keep, Retention};
use serde_json::json;

const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands: make\n";
const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn collect(world: &World, days: u32, dry_run: bool) -> u64 {
    let retention = Retention { builds: Keep::For(DAY * days), ..Retention::default() };
    world.service.collect(&retention, dry_run).await.unwrap()["builds"].count
}

async fn ids(world: &World) -> Vec<String> {
    world.service.list_builds(&root(), ListBuildsInput::default()).await.unwrap().ids.unwrap()
}

#[tokio::test]
async fn complete_builds_go_when_they_are_past_their_time_and_the_counter_stays() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let old = world.start(&[]).await;
    world.finished(&old).await;
    let running = world.start(&[("SLEEP", "60")]).await;
    world.clock.advance(DAY / 48);
    let young = world.start(&[]).await;
    world.finished(&young).await;
    assert_eq!(collect(&world, 30, false).await, 0);
    let half_an_hour = Retention { builds: Keep::For(DAY / 96), ..Retention::default() };
    let counted = world.service.collect(&half_an_hour, true).await.unwrap();
    assert_eq!((counted["builds"].count, ids(&world).await.len()), (1, 3), "a dry run removes nothing");
    world.service.collect(&half_an_hour, false).await.unwrap();
    let left = ids(&world).await;
    assert!(!left.contains(&old) && left.contains(&young) && left.contains(&running), "{left:?}");
    let next = world.start(&[]).await;
    assert_eq!(world.build(&next).await.build_number, Some(4), "numbers are never given out again");
    assert!(
        world
            .service
            .collect(&Retention { builds: Keep::Forever, ..Retention::default() }, false)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_pipeline_s_build_goes_with_its_token() {
    let world = World::new().await;
    world
        .project(
            SPEC,
            json!({"source": {"type": "CODEPIPELINE", "buildspec": SPEC}, "artifacts": {"type": "CODEPIPELINE"}}),
        )
        .await;
    let artifact = PipelineArtifact { name: "Source".into(), bucket: "b".into(), key: "k".into(), version: None };
    let context =
        PipelineContext { client_token: "token".into(), inputs: vec![artifact], ..PipelineContext::default() };
    let caller = root();
    let start = || world.service.start_pipeline_build(&caller, "demo", context.clone());
    let first = start().await.unwrap();
    assert_eq!(start().await.unwrap(), first, "one token, one build");
    world.finished(&first.id).await;
    world.clock.advance(DAY);
    assert_eq!(collect(&world, 0, false).await, 1);
    assert_ne!(start().await.unwrap(), first, "neither the build nor its token is known any more");
}
