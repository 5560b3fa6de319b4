//! Renaming, tags, revisions read together, waits and tokens, through their operations.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use aws::codedeploy::*;
use world::*;

const ONE: &str = "CodeDeployDefault.OneAtATime";

fn arn(resource: &str) -> Option<String> {
    Some(format!("arn:aws:codedeploy:us-east-1:{ACCOUNT}:{resource}"))
}

fn pairs(tags: &[(&str, &str)]) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag { key: text(key), value: text(value) }).collect())
}

async fn tag(world: &World, resource: &str, tags: &[(&str, &str)]) -> Result<(), String> {
    let input = TagResourceInput { resource_arn: arn(resource), tags: pairs(tags) };
    world.service.tag_resource(&root(), input).await.map(|_| ()).map_err(|error| error.code)
}

async fn tags(world: &World, resource: &str) -> Result<Option<Vec<Tag>>, String> {
    let input = ListTagsForResourceInput { resource_arn: arn(resource), next_token: None };
    world.service.list_tags_for_resource(&root(), input).await.map(|found| found.tags).map_err(|error| error.code)
}

async fn rename(world: &World, from: &str, to: &str) -> Result<(), String> {
    let input = UpdateApplicationInput { application_name: text(from), new_application_name: text(to) };
    world.service.update_application(&root(), input).await.map(|_| ()).map_err(|error| error.code)
}

#[tokio::test]
async fn tags_are_laid_over_and_taken_off() {
    let world = World::new().await;
    world.group(ONE).await;
    for resource in ["application:app", "deploymentgroup:app/hosts"] {
        assert_eq!(tags(&world, resource).await.unwrap(), pairs(&[]));
        tag(&world, resource, &[("a", "1"), ("b", "2")]).await.unwrap();
        tag(&world, resource, &[("b", "3")]).await.unwrap();
        assert_eq!(tags(&world, resource).await.unwrap(), pairs(&[("a", "1"), ("b", "3")]));
        let untag =
            UntagResourceInput { resource_arn: arn(resource), tag_keys: Some(vec!["a".into(), "absent".into()]) };
        world.service.untag_resource(&root(), untag).await.unwrap();
        assert_eq!(tags(&world, resource).await.unwrap(), pairs(&[("b", "3")]));
    }
    for (resource, expected) in [
        ("application:absent", "ApplicationDoesNotExistException"),
        ("deploymentgroup:app/absent", "DeploymentGroupDoesNotExistException"),
        ("deploymentconfig:absent", "DeploymentConfigDoesNotExistException"),
        ("deploymentconfig:CodeDeployDefault.OneAtATime", "ArnNotSupportedException"),
    ] {
        assert_eq!(tag(&world, resource, &[("a", "1")]).await, Err(expected.to_owned()), "{resource}");
    }
    assert_eq!(tags(&world, "application:absent").await, Err("InvalidArnException".to_owned()));
    assert_eq!(tag(&world, "application:app", &[]).await, Err("TagRequiredException".to_owned()));
    let many: Vec<(String, String)> = (0..60).map(|number| (format!("k{number}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tag(&world, "application:app", &many).await, Err("InvalidTagsToAddException".to_owned()));
    assert_eq!(tags(&world, "application:app").await.unwrap(), pairs(&[("b", "3")]), "a refused call changes nothing");
}

#[tokio::test]
async fn an_application_is_renamed_with_all_that_belongs_to_it() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let _host = world.agent("web-1", Script::default());
    let id = world.deploy("one.zip").await;
    world.until(&id, "Succeeded").await;
    tag(&world, "application:app", &[("a", "1")]).await.unwrap();
    rename(&world, "app", "app").await.unwrap();
    rename(&world, "app", "new").await.unwrap();
    assert_eq!(tags(&world, "application:new").await.unwrap(), pairs(&[("a", "1")]));
    let list = ListDeploymentsInput {
        application_name: text("new"),
        deployment_group_name: text("hosts"),
        ..ListDeploymentsInput::default()
    };
    assert_eq!(world.service.list_deployments(&root(), list).await.unwrap().deployments, Some(vec![id]));
    let group = GetDeploymentGroupInput { application_name: text("new"), deployment_group_name: text("hosts") };
    let info = world.service.get_deployment_group(&root(), group).await.unwrap().deployment_group_info.unwrap();
    assert_eq!((info.application_name, info.target_revision), (text("new"), Some(revision("one.zip"))));
    world.group(ONE).await;
    for (from, to, code) in [
        ("new", "app", "ApplicationAlreadyExistsException"),
        ("absent", "other", "ApplicationDoesNotExistException"),
        ("", "other", "ApplicationNameRequiredException"),
    ] {
        assert_eq!(rename(&world, from, to).await, Err(code.to_owned()), "{from}");
    }
}

#[tokio::test]
async fn revisions_are_read_together() {
    let world = World::new().await;
    world.group(ONE).await;
    let register = RegisterApplicationRevisionInput {
        application_name: text("app"),
        description: text("first"),
        revision: Some(revision("one.zip")),
    };
    world.service.register_application_revision(&root(), register).await.unwrap();
    let ask = |revisions: Vec<RevisionLocation>| BatchGetApplicationRevisionsInput {
        application_name: text("app"),
        revisions: Some(revisions),
    };
    let both = ask(vec![revision("absent.zip"), revision("one.zip")]);
    let found = world.service.batch_get_application_revisions(&root(), both).await.unwrap();
    assert_eq!(found.error_message.as_deref(), Some("No revisions found at: s3://bucket/absent.zip"));
    let [info] = found.revisions.unwrap().try_into().unwrap();
    assert_eq!(info.revision_location, Some(revision("one.zip")));
    assert_eq!(info.generic_revision_info.unwrap().description.as_deref(), Some("first"));
    for (revisions, code) in [
        (vec![], "RevisionRequiredException"),
        (vec![revision("k"); 26], "BatchLimitExceededException"),
        (vec![RevisionLocation::default()], "InvalidRevisionException"),
    ] {
        let error = world.service.batch_get_application_revisions(&root(), ask(revisions)).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn deployments_in_place_have_no_wait_to_end() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let running = world.deploy("one.zip").await;
    for (id, code) in [
        (Some(running.as_str()), "UnsupportedActionForDeploymentTypeException"),
        (Some("d-AAAAAAAAA"), "DeploymentDoesNotExistException"),
        (Some("nonsense"), "InvalidDeploymentIdException"),
        (None, "DeploymentIdRequiredException"),
    ] {
        let deployment_id = id.map(str::to_owned);
        let input =
            ContinueDeploymentInput { deployment_id: deployment_id.clone(), deployment_wait_type: text("READY_WAIT") };
        assert_eq!(world.service.continue_deployment(&root(), input).await.unwrap_err().code, code);
        let input = SkipWaitTimeForInstanceTerminationInput { deployment_id };
        let error = world.service.skip_wait_time_for_instance_termination(&root(), input).await.unwrap_err();
        assert_eq!(error.code, code);
    }
    let stop = StopDeploymentInput { deployment_id: Some(running.clone()), auto_rollback_enabled: None };
    world.service.stop_deployment(&root(), stop).await.unwrap();
    world.until(&running, "Stopped").await;
    let input = ContinueDeploymentInput { deployment_id: Some(running), deployment_wait_type: None };
    let error = world.service.continue_deployment(&root(), input).await.unwrap_err();
    assert_eq!(error.code, "DeploymentAlreadyCompletedException");
}

#[tokio::test]
async fn all_configurations_of_aws_are_shown_and_only_those_for_hosts_are_taken() {
    let world = World::new().await;
    world.group(ONE).await;
    let list = world.service.list_deployment_configs(&root(), ListDeploymentConfigsInput::default()).await.unwrap();
    for name in list.deployment_configs_list.unwrap() {
        let get = GetDeploymentConfigInput { deployment_config_name: Some(name.clone()) };
        let info = world.service.get_deployment_config(&root(), get).await.unwrap().deployment_config_info.unwrap();
        let for_hosts = info.compute_platform.as_deref() == Some("Server");
        assert_eq!(info.minimum_healthy_hosts.is_some(), for_hosts, "{name}");
        assert_eq!(info.traffic_routing_config.is_some(), !for_hosts, "{name}");
        let update = UpdateDeploymentGroupInput {
            application_name: text("app"),
            current_deployment_group_name: text("hosts"),
            deployment_config_name: Some(name.clone()),
            ..Default::default()
        };
        let taken = world.service.update_deployment_group(&root(), update).await;
        assert_eq!(
            taken.map_err(|error| error.code).err(),
            (!for_hosts).then(|| "InvalidDeploymentConfigNameException".into()),
            "{name}"
        );
    }
}
