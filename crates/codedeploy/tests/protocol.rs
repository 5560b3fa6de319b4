//! What a host agent may and may not do.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use aws::codedeploy::*;
use aws::codedeploy_commands::*;
use codedeploy::Deadlines;
use kernel::Caller;
use std::sync::Arc;
use std::time::Duration;
use world::*;

const ONE: &str = "CodeDeployDefault.OneAtATime";

async fn poll(world: &World, caller: &Caller) -> Result<Option<HostCommandInstance>, aws::Error> {
    let input = PollHostCommandInput { host_identifier: caller.arn() };
    Ok(world.service.poll_host_command(caller, input).await?.host_command)
}

async fn acknowledge(world: &World, caller: &Caller, command: &HostCommandInstance) -> Result<String, aws::Error> {
    let host_command_identifier = command.host_command_identifier.clone();
    let input = PutHostCommandAcknowledgementInput { host_command_identifier, diagnostics: None };
    Ok(world.service.put_host_command_acknowledgement(caller, input).await?.command_status)
}

async fn complete(
    world: &World,
    caller: &Caller,
    command: &HostCommandInstance,
    status: &str,
) -> Result<(), aws::Error> {
    let host_command_identifier = command.host_command_identifier.clone();
    let input =
        PutHostCommandCompleteInput { host_command_identifier, command_status: status.to_owned(), diagnostics: None };
    world.service.put_host_command_complete(caller, input).await
}

async fn deployed(names: &[&str]) -> (World, String) {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(names).await;
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    (world, id)
}

#[tokio::test]
async fn a_poll_with_nothing_to_do_ends_empty_after_its_time() {
    let world = Arc::new(World::new().await);
    world.register(&["web-1"]).await;
    let polling = tokio::spawn({
        let world = Arc::clone(&world);
        async move { poll(&world, &user("web-1")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!polling.is_finished());
    world.clock.advance(Deadlines::default().poll);
    assert_eq!(polling.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn an_open_poll_is_woken_by_a_new_deployment_while_time_stands_still() {
    let world = Arc::new(World::new().await);
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let polling = tokio::spawn({
        let world = Arc::clone(&world);
        async move { poll(&world, &user("web-1")).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.deploy("one.zip").await;
    let command = tokio::time::timeout(Duration::from_secs(5), polling).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((command.command_name.as_str(), command.host_identifier), ("ApplicationStop", user("web-1").arn()));
}

#[tokio::test]
async fn a_command_is_redelivered_only_if_no_acknowledgement_came_within_its_lease() {
    let (world, _) = deployed(&["web-1"]).await;
    let host = user("web-1");
    let first = poll(&world, &host).await.unwrap().unwrap();
    // Leased: another poll waits until the lease is over, then gets the same command.
    let second = {
        let waiting = poll(&world, &host);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("a leased command was given out"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        world.clock.advance(Duration::from_secs(30));
        assert_eq!(waiting.await.unwrap(), None);
        world.clock.advance(Duration::from_secs(30));
        poll(&world, &host).await.unwrap().unwrap()
    };
    assert_eq!(first, second);
    assert_eq!(acknowledge(&world, &host, &second).await.unwrap(), "InProgress");
    assert_eq!(acknowledge(&world, &host, &first).await.unwrap(), "InProgress");
    let third = poll(&world, &host);
    tokio::pin!(third);
    world.clock.advance(Duration::from_secs(120));
    tokio::select! {
        command = &mut third => assert_eq!(command.unwrap(), None),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
}

#[tokio::test]
async fn the_first_report_counts_and_later_ones_are_accepted() {
    let (world, id) = deployed(&["web-1"]).await;
    let host = user("web-1");
    let command = poll(&world, &host).await.unwrap().unwrap();
    acknowledge(&world, &host, &command).await.unwrap();
    complete(&world, &host, &command, "Succeeded").await.unwrap();
    complete(&world, &host, &command, "Failed").await.unwrap();
    assert_eq!(statuses(&world.target(&id, "web-1").await)[..2], ["Succeeded", "InProgress"]);
    assert_eq!(acknowledge(&world, &host, &command).await.unwrap(), "Succeeded");
    let next = poll(&world, &host).await.unwrap().unwrap();
    assert_eq!(next.command_name, "DownloadBundle");
    assert!(complete(&world, &host, &next, "Pending").await.unwrap_err().is("ClientException"));
}

#[tokio::test]
async fn a_withdrawn_command_is_refused_at_its_acknowledgement() {
    let (world, id) = deployed(&["web-1"]).await;
    let host = user("web-1");
    let command = poll(&world, &host).await.unwrap().unwrap();
    let stop = StopDeploymentInput { deployment_id: text(&id), auto_rollback_enabled: None };
    world.service.stop_deployment(&root(), stop).await.unwrap();
    world.until(&id, "Stopped").await;
    assert_eq!(acknowledge(&world, &host, &command).await.unwrap(), "Failed");
}

#[tokio::test]
async fn a_host_speaks_only_for_itself() {
    let (world, _) = deployed(&["web-1", "web-2"]).await;
    let (host, other) = (user("web-1"), user("web-2"));
    let posing = PollHostCommandInput { host_identifier: host.arn() };
    assert!(world.service.poll_host_command(&other, posing.clone()).await.unwrap_err().is("AccessDeniedException"));
    assert!(world.service.poll_host_command(&root(), posing).await.unwrap_err().is("AccessDeniedException"));
    assert!(poll(&world, &user("nobody")).await.unwrap_err().is("ClientException"));
    let command = poll(&world, &host).await.unwrap().unwrap();
    assert!(acknowledge(&world, &other, &command).await.unwrap_err().is("AccessDeniedException"));
    assert!(complete(&world, &other, &command, "Succeeded").await.unwrap_err().is("AccessDeniedException"));
    let forged = HostCommandInstance { host_command_identifier: "e30".to_owned(), ..command };
    assert!(complete(&world, &host, &forged, "Succeeded").await.unwrap_err().is("ClientException"));
}

#[tokio::test]
async fn a_deregistered_host_is_unknown() {
    let world = World::new().await;
    world.register(&["web-1"]).await;
    let input = DeregisterOnPremisesInstanceInput { instance_name: text("web-1") };
    world.service.deregister_on_premises_instance(&root(), input).await.unwrap();
    assert!(poll(&world, &user("web-1")).await.unwrap_err().is("ClientException"));
    assert!(!world.service.is_host(&user("web-1")).await.unwrap());
}

#[tokio::test]
async fn the_specification_is_the_same_for_each_call_and_survives_a_restart() {
    let (mut world, _) = deployed(&["web-1"]).await;
    let host = user("web-1");
    let command = poll(&world, &host).await.unwrap().unwrap();
    let input = || GetDeploymentSpecificationInput {
        deployment_execution_id: command.deployment_execution_id.clone(),
        host_identifier: host.arn(),
    };
    let first = world.service.get_deployment_specification(&host, input()).await.unwrap();
    assert_eq!(first.deployment_system, "CodeDeploy");
    assert_eq!(first.deployment_specification.generic_envelope.format, "PKCS7/JSON");
    world = world.restart().await;
    assert_eq!(world.service.get_deployment_specification(&host, input()).await.unwrap(), first);
    let mut foreign = input();
    foreign.deployment_execution_id = foreign.deployment_execution_id.replace("d-", "d-X");
    assert!(world.service.get_deployment_specification(&host, foreign).await.unwrap_err().is("ClientException"));
}

#[tokio::test]
async fn a_host_may_read_the_revision_of_its_running_deployment_and_nothing_else() {
    let (world, id) = deployed(&["web-1"]).await;
    let host = user("web-1");
    assert!(world.service.is_host(&host).await.unwrap());
    assert!(world.service.may_read_object(&host, "bucket", "one.zip").await.unwrap());
    assert!(!world.service.may_read_object(&host, "bucket", "two.zip").await.unwrap());
    assert!(!world.service.may_read_object(&user("web-2"), "bucket", "one.zip").await.unwrap());
    let agent = world.agent("web-1", Script { reporting_twice: true, ..Script::default() });
    world.until(&id, "Succeeded").await;
    assert!(agent.repeated().is_empty());
    assert!(!world.service.may_read_object(&host, "bucket", "one.zip").await.unwrap());
}
