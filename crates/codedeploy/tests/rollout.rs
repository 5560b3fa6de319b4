//! Whole deployments over simulated hosts, on a real store.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use aws::codedeploy::*;
use codedeploy::rules::lifecycle::IN_PLACE;
use codedeploy::rules::wave::TOO_MANY_FAILED;
use std::time::Duration;
use world::*;

const ONE: &str = "CodeDeployDefault.OneAtATime";
const ALL: &str = "CodeDeployDefault.AllAtOnce";

#[tokio::test]
async fn a_deployment_reaches_each_host_once_and_becomes_the_group_s_revision() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let hosts = [world.agent("web-1", Script::default()), world.agent("web-2", Script::default())];

    let id = world.deploy("one.zip").await;
    let info = world.until(&id, "Succeeded").await;

    let overview = info.deployment_overview.unwrap();
    assert_eq!((overview.succeeded, overview.pending, overview.failed), (Some(2), Some(0), Some(0)));
    for host in &hosts {
        assert_eq!(host.events(&id), IN_PLACE);
    }
    let target = world.target(&id, "web-1").await;
    assert_eq!(statuses(&target), vec!["Succeeded"; 7]);
    let diagnostics = target.lifecycle_events.unwrap()[3].diagnostics.clone().unwrap();
    assert_eq!(diagnostics.error_code.as_deref(), Some("Success"));
    let group = world.group_info().await;
    assert_eq!(group.target_revision, Some(revision("one.zip")));
    assert_eq!(group.last_successful_deployment.unwrap().deployment_id, Some(id.clone()));

    let second = world.deploy("two.zip").await;
    let info = world.until(&second, "Succeeded").await;
    assert_eq!(info.previous_revision, Some(revision("one.zip")));
}

#[tokio::test]
async fn one_at_a_time_waits_for_a_host_before_the_next() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2", "web-3"]).await;
    let _hanging = world.agent("web-1", Script::hanging("Install"));
    let _idle = [world.agent("web-2", Script::default()), world.agent("web-3", Script::default())];

    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    let target = world.until_event(&id, "web-1", 3, "InProgress").await;
    assert_eq!(statuses(&target)[..3], ["Succeeded"; 3]);
    for waiting in ["web-2", "web-3"] {
        assert_eq!(world.target(&id, waiting).await.status.as_deref(), Some("Pending"));
    }
}

#[tokio::test]
async fn a_failing_script_fails_the_deployment_and_skips_untouched_hosts() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2", "web-3"]).await;
    let hosts = [world.agent("web-1", Script::failing("AfterInstall")), world.agent("web-2", Script::default())];

    let id = world.deploy("one.zip").await;
    let info = world.until(&id, "Failed").await;

    let fault = info.error_information.unwrap();
    assert_eq!((fault.code.as_deref(), fault.message.as_deref()), (Some("HEALTH_CONSTRAINTS"), Some(TOO_MANY_FAILED)));
    let target = world.target(&id, "web-1").await;
    let expected = ["Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed", "Skipped", "Skipped"];
    assert_eq!(statuses(&target), expected);
    let diagnostics = target.lifecycle_events.unwrap()[4].diagnostics.clone().unwrap();
    assert_eq!(diagnostics.error_code.as_deref(), Some("ScriptFailed"));
    assert_eq!(diagnostics.log_tail.as_deref(), Some("[stderr]no"));
    assert_eq!(world.target(&id, "web-2").await.status.as_deref(), Some("Skipped"));
    assert!(hosts[1].events(&id).is_empty());
    assert_eq!(world.group_info().await.target_revision, None);
}

#[tokio::test]
async fn the_last_host_may_fail_one_at_a_time() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let _hosts = [world.agent("web-1", Script::default()), world.agent("web-2", Script::failing("ApplicationStart"))];
    let id = world.deploy("one.zip").await;
    let overview = world.until(&id, "Succeeded").await.deployment_overview.unwrap();
    assert_eq!((overview.succeeded, overview.failed), (Some(1), Some(1)));
}

#[tokio::test]
async fn all_at_once_touches_every_host_and_an_unhealthy_one_goes_first_next_time() {
    let world = World::new().await;
    world.group(ALL).await;
    world.register(&["web-1", "web-2"]).await;
    let first = [world.agent("web-1", Script::default()), world.agent("web-2", Script::failing("Install"))];
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    drop(first);

    let mut again = world.deployment_of("two.zip");
    again.deployment_config_name = text(ONE);
    let id = world.create(again).await.unwrap();
    world.until(&id, "InProgress").await;
    let _agent = world.agent("web-2", Script::default());
    world.until_event(&id, "web-1", 0, "InProgress").await;
    assert_eq!(world.target(&id, "web-2").await.status.as_deref(), Some("Succeeded"));
}

#[tokio::test]
async fn a_dead_host_fails_visibly_and_the_others_go_on() {
    let world = World::new().await;
    world.group(ALL).await;
    world.register(&["dead", "live"]).await;
    let _live = world.agent("live", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    world.until_event(&id, "live", 6, "Succeeded").await;
    let info = world.advance_until(&id, "Succeeded").await;
    assert_eq!(info.deployment_overview.unwrap().failed, Some(1));
    let events = world.target(&id, "dead").await.lifecycle_events.unwrap();
    let message = events[0].diagnostics.clone().unwrap().message.unwrap();
    assert!(message.starts_with("CodeDeploy agent was not able to receive the lifecycle event."), "{message}");
    assert!(message.ends_with("The agent was never seen."), "{message}");
}

#[tokio::test]
async fn the_time_in_which_the_server_was_down_is_not_held_against_hosts() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    world.until_event(&id, "web-1", 0, "InProgress").await;
    let clock = world.clock.clone();
    let down = world.shut_down().await;
    clock.advance(Duration::from_secs(2 * 3_600));
    let world = down.open();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(statuses(&world.target(&id, "web-1").await)[0], "InProgress");
    let _host = world.agent("web-1", Script::default());
    world.until(&id, "Succeeded").await;
}

#[tokio::test]
async fn a_host_that_stays_away_after_the_server_is_back_fails() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    world.until_event(&id, "web-1", 0, "InProgress").await;
    let world = world.restart().await;
    world.advance_until(&id, "Failed").await;
}

#[tokio::test]
async fn an_event_that_is_never_reported_times_out() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let host = world.agent("web-1", Script::hanging("ValidateService"));
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    world.until_event(&id, "web-1", 6, "InProgress").await;
    while host.events(&id).len() < 7 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    world.advance_until(&id, "Failed").await;
    let events = world.target(&id, "web-1").await.lifecycle_events.unwrap();
    assert_eq!(events[6].diagnostics.clone().unwrap().error_code.as_deref(), Some("ScriptTimedOut"));
}

#[tokio::test]
async fn a_failing_application_stop_can_be_ignored() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let _host = world.agent("web-1", Script::failing("ApplicationStop"));
    let mut input = world.deployment_of("one.zip");
    input.ignore_application_stop_failures = Some(true);
    let id = world.create(input).await.unwrap();
    world.until(&id, "Succeeded").await;
    assert_eq!(statuses(&world.target(&id, "web-1").await)[..2], ["Failed", "Succeeded"]);
    let id = world.deploy("two.zip").await;
    world.until(&id, "Failed").await;
}

#[tokio::test]
async fn a_failed_deployment_is_rolled_back_to_the_last_good_revision_when_the_group_says_so() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let rule = AutoRollbackConfiguration { enabled: Some(true), events: Some(vec!["DEPLOYMENT_FAILURE".to_owned()]) };
    let update = UpdateDeploymentGroupInput {
        application_name: text("app"),
        current_deployment_group_name: text("hosts"),
        auto_rollback_configuration: Some(rule),
        ..Default::default()
    };
    world.service.update_deployment_group(&root(), update).await.unwrap();
    let good = world.agent("web-1", Script::default());
    let id = world.deploy("good.zip").await;
    world.until(&id, "Succeeded").await;
    drop(good);

    let _bad = world.agent("web-1", Script::failing("ApplicationStart"));
    let id = world.deploy("bad.zip").await;
    let failed = world.until(&id, "Failed").await;
    let rollback = failed.rollback_info.unwrap().rollback_deployment_id.unwrap();
    let info = world.until(&rollback, "Failed").await;
    assert_eq!(info.revision, Some(revision("good.zip")));
    assert_eq!(info.creator.as_deref(), Some("codeDeployRollback"));
    let rollback = info.rollback_info.unwrap();
    assert_eq!((rollback.rollback_triggering_deployment_id, rollback.rollback_deployment_id), (Some(id), None));
}

#[tokio::test]
async fn stopping_awaits_what_runs_and_skips_the_rest() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    let stop = || StopDeploymentInput { deployment_id: text(&id), auto_rollback_enabled: None };
    let answer = world.service.stop_deployment(&root(), stop()).await.unwrap();
    assert_eq!(answer.status.as_deref(), Some("Succeeded"), "no host runs anything");
    let info = world.until(&id, "Stopped").await;
    assert_eq!(info.error_information.unwrap().code.as_deref(), Some("MANUAL_STOP"));
    assert_eq!(info.deployment_overview.unwrap().skipped, Some(2));
    let answer = world.service.stop_deployment(&root(), stop()).await.unwrap();
    assert_eq!(answer.status.as_deref(), Some("Succeeded"));
    // The group is free again.
    let hanging = world.agent("web-1", Script::hanging("ApplicationStop"));
    let id = world.deploy("two.zip").await;
    while hanging.events(&id).is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let stop = StopDeploymentInput { deployment_id: text(&id), auto_rollback_enabled: None };
    let answer = world.service.stop_deployment(&root(), stop).await.unwrap();
    assert_eq!(answer.status.as_deref(), Some("Pending"), "an event runs");
    assert_eq!(world.target(&id, "web-2").await.status.as_deref(), Some("Pending"));
}

#[tokio::test]
async fn a_rollback_that_was_asked_for_is_not_forgotten_by_a_second_stop() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let good = world.agent("web-1", Script::default());
    let id = world.deploy("good.zip").await;
    world.until(&id, "Succeeded").await;
    drop(good);
    let id = world.deploy("bad.zip").await;
    for auto_rollback_enabled in [Some(true), None] {
        let stop = StopDeploymentInput { deployment_id: text(&id), auto_rollback_enabled };
        world.service.stop_deployment(&root(), stop).await.unwrap();
    }
    let stopped = world.until(&id, "Stopped").await;
    let rollback = stopped.rollback_info.unwrap();
    let back = rollback.rollback_deployment_id.unwrap();
    let message = format!("Deployment {id} terminated. Automatic rollback is triggered with a DeploymentId {back}.");
    assert_eq!(rollback.rollback_message, Some(message));
    let rollback = world.info(&back).await.rollback_info.unwrap();
    let message = format!("Deployment {back} is triggered to roll back deployment {id}.");
    assert_eq!((rollback.rollback_triggering_deployment_id, rollback.rollback_message), (Some(id), Some(message)));
}

#[tokio::test]
async fn a_deployment_whose_application_goes_before_it_starts_says_so() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let scope = scope();
    for (code, whole) in [("DEPLOYMENT_GROUP_MISSING", false), ("APPLICATION_MISSING", true)] {
        // The deployment is put back to its beginning, so that both are gone before it starts.
        let id = world.deploy("one.zip").await;
        world.until(&id, "InProgress").await;
        let documents = world.store.service("codedeploy");
        let delete = DeleteDeploymentGroupInput { application_name: text("app"), deployment_group_name: text("hosts") };
        world.service.delete_deployment_group(&root(), delete).await.unwrap();
        if whole {
            let delete = DeleteApplicationInput { application_name: text("app") };
            world.service.delete_application(&root(), delete).await.unwrap();
        }
        let again = |deployment: &mut codedeploy::model::Deployment| {
            deployment.status = codedeploy::model::Status::Created;
            deployment.due = Some(deployment.created);
        };
        documents.update(&scope, &id, again).await.unwrap();
        assert_eq!(world.until(&id, "Failed").await.error_information.unwrap().code.as_deref(), Some(code));
        if !whole {
            let delete = DeleteApplicationInput { application_name: text("app") };
            world.service.delete_application(&root(), delete).await.unwrap();
            world.group(ONE).await;
        }
    }
}

#[tokio::test]
async fn a_deployment_that_cannot_start_says_why() {
    let world = World::new().await;
    world.group(ONE).await;
    let id = world.deploy("one.zip").await;
    let info = world.until(&id, "Failed").await;
    assert_eq!(info.error_information.unwrap().code.as_deref(), Some("NO_INSTANCES"));

    world.register(&["web-1"]).await;
    let mut input = world.deployment_of("one.zip");
    input.deployment_config_name = text("CodeDeployDefault.HalfAtATime");
    let id = world.create(input).await.unwrap();
    let info = world.until(&id, "Failed").await;
    assert_eq!(info.error_information.unwrap().code.as_deref(), Some("HEALTH_CONSTRAINTS_INVALID"));
}

#[tokio::test]
async fn outdated_instances_only_leaves_current_ones_out() {
    let world = World::new().await;
    world.group(ALL).await;
    world.register(&["web-1"]).await;
    let _one = world.agent("web-1", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    world.register(&["web-2"]).await;
    let _two = world.agent("web-2", Script::default());
    let mut input = world.deployment_of("one.zip");
    input.update_outdated_instances_only = Some(true);
    let id = world.create(input).await.unwrap();
    world.until(&id, "Succeeded").await;
    let input = ListDeploymentTargetsInput { deployment_id: text(&id), ..Default::default() };
    let targets = world.service.list_deployment_targets(&root(), input).await.unwrap();
    assert_eq!(targets.target_ids, Some(vec!["web-2".to_owned()]));
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_and_repeats_nothing() {
    let mut world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let before = world.agent("web-1", Script::hanging("AfterInstall"));
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    while before.events(&id).len() < 5 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let executed = before.events(&id);
    before.end().await;
    world = world.restart().await;

    // The host took AfterInstall up before; it is not given out again. The host reports its end now.
    let target = world.target(&id, "web-1").await;
    assert_eq!(statuses(&target)[4], "InProgress");
    assert_eq!(executed, IN_PLACE[..5]);
    let caller = user("web-1");
    let command =
        codedeploy::rules::command::CommandId { deployment: id.clone(), target: "web-1".to_owned(), event: 4 };
    let complete = aws::codedeploy_commands::PutHostCommandCompleteInput {
        host_command_identifier: command.encode(),
        command_status: "Succeeded".to_owned(),
        diagnostics: None,
    };
    use aws::codedeploy_commands::CodeDeployCommands;
    world.service.put_host_command_complete(&caller, complete).await.unwrap();
    let hosts = [world.agent("web-1", Script::default()), world.agent("web-2", Script::default())];
    world.until(&id, "Succeeded").await;
    assert_eq!(hosts[0].events(&id), IN_PLACE[5..]);
    assert_eq!(hosts[1].events(&id), IN_PLACE);
}

#[tokio::test]
async fn every_change_is_an_event() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let _host = world.agent("web-1", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    let events = world.events().await;
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event.detail_type.split(' ').nth(1).unwrap(), event.detail["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("Deployment", "START"), ("Instance", "START"), ("Instance", "SUCCESS"), ("Deployment", "SUCCESS")]
    );
    assert!(events.iter().all(|event| event.source == "aws.codedeploy" && event.detail["deploymentId"] == id.as_str()));
    assert_eq!(events[2].detail["instanceId"], "web-1");
    let arns = [
        "arn:aws:codedeploy:us-east-1:123456789012:application:app",
        "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:app/hosts",
    ];
    assert_eq!(events[0].resources, arns);
}

#[tokio::test]
async fn a_deployment_that_can_never_start_fails_and_frees_its_group() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let host = world.agent("web-1", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    drop(host);
    // With another master key the key that signs specifications cannot be opened any more.
    let down = world.shut_down().await;
    std::fs::write(down.folder.path().join("master.key"), [7; 32]).unwrap();
    let world = down.open();
    let id = world.deploy("two.zip").await;
    let info = world.advance_until(&id, "Failed").await;
    assert_eq!(info.error_information.unwrap().code.as_deref(), Some("INTERNAL_ERROR"));
    world.deploy("three.zip").await;
}
