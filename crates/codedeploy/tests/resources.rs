//! Applications, groups, configurations, instances and revisions through their operations.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use aws::codedeploy::*;
use world::*;

const ONE: &str = "CodeDeployDefault.OneAtATime";

#[tokio::test]
async fn an_application_is_made_found_listed_and_deleted_with_all_it_has() {
    let world = World::new().await;
    world.group(ONE).await;
    let name = || text("app");
    let again = CreateApplicationInput { application_name: name(), ..Default::default() };
    let error = world.service.create_application(&root(), again).await.unwrap_err();
    assert!(error.is("ApplicationAlreadyExistsException"));
    let found = world.service.get_application(&root(), GetApplicationInput { application_name: name() }).await.unwrap();
    assert_eq!(found.application.unwrap().compute_platform.as_deref(), Some("Server"));
    let batch = BatchGetApplicationsInput { application_names: Some(vec!["app".to_owned(), "absent".to_owned()]) };
    let batch = world.service.batch_get_applications(&root(), batch).await.unwrap();
    assert_eq!(batch.applications_info.unwrap().len(), 1);
    let list = world.service.list_applications(&root(), ListApplicationsInput::default()).await.unwrap();
    assert_eq!(list.applications, Some(vec!["app".to_owned()]));

    for _ in 0..2 {
        world.service.delete_application(&root(), DeleteApplicationInput { application_name: name() }).await.unwrap();
    }
    let error =
        world.service.get_application(&root(), GetApplicationInput { application_name: name() }).await.unwrap_err();
    assert!(error.is("ApplicationDoesNotExistException"));
    world.group(ONE).await;
    assert_eq!(world.group_info().await.target_revision, None);
}

#[tokio::test]
async fn a_list_longer_than_a_page_is_read_with_tokens_of_its_own() {
    let world = World::new().await;
    for number in 0..150 {
        let input = CreateApplicationInput { application_name: Some(format!("app-{number:03}")), ..Default::default() };
        world.service.create_application(&root(), input).await.unwrap();
    }
    let first = world.service.list_applications(&root(), ListApplicationsInput::default()).await.unwrap();
    assert_eq!(first.applications.unwrap().len(), 100);
    let token = || first.next_token.clone();
    let second = world.service.list_applications(&root(), ListApplicationsInput { next_token: token() }).await.unwrap();
    assert_eq!((second.applications.unwrap()[0].as_str(), second.next_token), ("app-100", None));
    let foreign = ListDeploymentConfigsInput { next_token: token() };
    let error = world.service.list_deployment_configs(&root(), foreign).await.unwrap_err();
    assert!(error.is("InvalidNextTokenException"));
}

#[tokio::test]
async fn a_group_keeps_its_id_through_a_rename_and_gets_a_new_one_when_made_again() {
    let world = World::new().await;
    world.group(ONE).await;
    let id = world.group_info().await.deployment_group_id;
    let update = |from: &str, to: &str| UpdateDeploymentGroupInput {
        application_name: text("app"),
        current_deployment_group_name: text(from),
        new_deployment_group_name: text(to),
        ..Default::default()
    };
    world.service.update_deployment_group(&root(), update("hosts", "renamed")).await.unwrap();
    let list = ListDeploymentGroupsInput { application_name: text("app"), next_token: None };
    let list = world.service.list_deployment_groups(&root(), list).await.unwrap();
    assert_eq!(list.deployment_groups, Some(vec!["renamed".to_owned()]));
    world.service.update_deployment_group(&root(), update("renamed", "hosts")).await.unwrap();
    assert_eq!(world.group_info().await.deployment_group_id, id);

    let delete = DeleteDeploymentGroupInput { application_name: text("app"), deployment_group_name: text("hosts") };
    world.service.delete_deployment_group(&root(), delete).await.unwrap();
    let batch = BatchGetDeploymentGroupsInput {
        application_name: text("app"),
        deployment_group_names: Some(vec!["hosts".to_owned()]),
    };
    let batch = world.service.batch_get_deployment_groups(&root(), batch).await.unwrap();
    assert_eq!(batch.error_message.as_deref(), Some("No deployment groups found for names: hosts"));
    world.service.delete_application(&root(), DeleteApplicationInput { application_name: text("app") }).await.unwrap();
    world.group(ONE).await;
    assert_ne!(world.group_info().await.deployment_group_id, id);
}

#[tokio::test]
async fn a_group_has_one_active_deployment_and_the_error_names_it() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let id = world.deploy("one.zip").await;
    let error = world.create(world.deployment_of("two.zip")).await.unwrap_err();
    assert!(error.is("DeploymentLimitExceededException"));
    assert_eq!(error.message, format!("The Deployment Group 'hosts' already has an active Deployment '{id}'"));
    let many = futures_of(&world, 8).await;
    assert!(many.iter().all(|code| code == "DeploymentLimitExceededException"));
}

async fn futures_of(world: &World, count: usize) -> Vec<String> {
    let mut codes = Vec::new();
    for _ in 0..count {
        codes.push(world.create(world.deployment_of("two.zip")).await.unwrap_err().code);
    }
    codes
}

#[tokio::test]
async fn wrong_deployments_are_refused_by_name() {
    let world = World::new().await;
    world.group(ONE).await;
    let right = || world.deployment_of("one.zip");
    for (input, code) in [
        (CreateDeploymentInput { application_name: text("absent"), ..right() }, "ApplicationDoesNotExistException"),
        (CreateDeploymentInput { deployment_group_name: None, ..right() }, "DeploymentGroupNameRequiredException"),
        (
            CreateDeploymentInput { deployment_group_name: text("absent"), ..right() },
            "DeploymentGroupDoesNotExistException",
        ),
        (CreateDeploymentInput { revision: None, ..right() }, "RevisionRequiredException"),
        (
            CreateDeploymentInput { deployment_config_name: text("absent"), ..right() },
            "DeploymentConfigDoesNotExistException",
        ),
        (CreateDeploymentInput { description: Some("x".repeat(257)), ..right() }, "DescriptionTooLongException"),
        (
            CreateDeploymentInput { target_instances: Some(TargetInstances::default()), ..right() },
            "InvalidTargetInstancesException",
        ),
    ] {
        assert_eq!(world.create(input).await.unwrap_err().code, code);
    }
    for (id, code) in [("nonsense", "InvalidDeploymentIdException"), ("d-ABCDEFGHI", "DeploymentDoesNotExistException")]
    {
        let error =
            world.service.get_deployment(&root(), GetDeploymentInput { deployment_id: text(id) }).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn deployments_are_listed_newest_first_and_filtered() {
    let world = World::new().await;
    world.group(ONE).await;
    let mut ids = Vec::new();
    for key in ["one.zip", "two.zip", "three.zip"] {
        let id = world.deploy(key).await;
        world.until(&id, "Failed").await;
        world.clock.advance(std::time::Duration::from_secs(10));
        ids.insert(0, id);
    }
    let of_group = || ListDeploymentsInput {
        application_name: text("app"),
        deployment_group_name: text("hosts"),
        ..Default::default()
    };
    for input in [of_group(), ListDeploymentsInput::default()] {
        assert_eq!(world.service.list_deployments(&root(), input).await.unwrap().deployments, Some(ids.clone()));
    }
    let statuses = Some(vec!["Succeeded".to_owned()]);
    let none = ListDeploymentsInput { include_only_statuses: statuses, ..of_group() };
    assert_eq!(world.service.list_deployments(&root(), none).await.unwrap().deployments, Some(Vec::new()));
    let half = ListDeploymentsInput { deployment_group_name: None, ..of_group() };
    assert!(
        world.service.list_deployments(&root(), half).await.unwrap_err().is("DeploymentGroupNameRequiredException")
    );
    let batch = BatchGetDeploymentsInput { deployment_ids: Some(ids) };
    assert_eq!(world.service.batch_get_deployments(&root(), batch).await.unwrap().deployments_info.unwrap().len(), 3);
}

#[tokio::test]
async fn targets_are_shown_in_the_present_and_the_older_form() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1", "web-2"]).await;
    let id = world.deploy("one.zip").await;
    world.until(&id, "InProgress").await;
    let ids = || Some(vec!["web-1".to_owned(), "web-2".to_owned()]);
    let batch = BatchGetDeploymentTargetsInput { deployment_id: text(&id), target_ids: ids() };
    assert_eq!(
        world.service.batch_get_deployment_targets(&root(), batch).await.unwrap().deployment_targets.unwrap().len(),
        2
    );
    let list = ListDeploymentInstancesInput { deployment_id: text(&id), ..Default::default() };
    assert_eq!(world.service.list_deployment_instances(&root(), list).await.unwrap().instances_list, ids());
    let one = GetDeploymentInstanceInput { deployment_id: text(&id), instance_id: text("web-1") };
    let summary = world.service.get_deployment_instance(&root(), one).await.unwrap().instance_summary.unwrap();
    assert_eq!(summary.lifecycle_events.unwrap().len(), 7);
    let some = BatchGetDeploymentInstancesInput {
        deployment_id: text(&id),
        instance_ids: Some(vec!["web-1".to_owned(), "absent".to_owned()]),
    };
    let some = world.service.batch_get_deployment_instances(&root(), some).await.unwrap();
    assert_eq!((some.instances_summary.unwrap().len(), some.error_message.is_some()), (1, true));
    let absent = GetDeploymentTargetInput { deployment_id: text(&id), target_id: text("absent") };
    let error = world.service.get_deployment_target(&root(), absent).await.unwrap_err();
    assert!(error.is("DeploymentTargetDoesNotExistException"));
}

#[tokio::test]
async fn configurations_are_aws_s_own_and_custom_ones() {
    let world = World::new().await;
    let create = |name: &str, kind: &str, value: i32| CreateDeploymentConfigInput {
        deployment_config_name: text(name),
        minimum_healthy_hosts: Some(MinimumHealthyHosts { type_: text(kind), value: Some(value) }),
        ..Default::default()
    };
    world.service.create_deployment_config(&root(), create("most", "FLEET_PERCENT", 75)).await.unwrap();
    for (input, code) in [
        (create("most", "HOST_COUNT", 1), "DeploymentConfigAlreadyExistsException"),
        (create("x", "FLEET_PERCENT", 100), "InvalidMinimumHealthyHostValueException"),
        (create("x", "HOST_COUNT", -1), "InvalidMinimumHealthyHostValueException"),
        (create("CodeDeployDefault.Mine", "HOST_COUNT", 1), "InvalidDeploymentConfigNameException"),
    ] {
        assert_eq!(world.service.create_deployment_config(&root(), input).await.unwrap_err().code, code);
    }
    let get = |name: &str| GetDeploymentConfigInput { deployment_config_name: text(name) };
    for (name, kind, value) in [("most", "FLEET_PERCENT", 75), ("CodeDeployDefault.HalfAtATime", "FLEET_PERCENT", 50)] {
        let info =
            world.service.get_deployment_config(&root(), get(name)).await.unwrap().deployment_config_info.unwrap();
        assert_eq!(info.minimum_healthy_hosts, Some(MinimumHealthyHosts { type_: text(kind), value: Some(value) }));
    }
    let list = world.service.list_deployment_configs(&root(), ListDeploymentConfigsInput::default()).await.unwrap();
    assert_eq!(list.deployment_configs_list.unwrap().len(), 17 + 1);
    world.group("most").await;
    let delete = |name: &str| DeleteDeploymentConfigInput { deployment_config_name: text(name) };
    for (name, code) in [("most", "DeploymentConfigInUseException"), (ONE, "InvalidOperationException")] {
        assert_eq!(world.service.delete_deployment_config(&root(), delete(name)).await.unwrap_err().code, code);
    }
    world.service.delete_application(&root(), DeleteApplicationInput { application_name: text("app") }).await.unwrap();
    world.service.delete_deployment_config(&root(), delete("most")).await.unwrap();
    assert!(
        world
            .service
            .get_deployment_config(&root(), get("most"))
            .await
            .unwrap_err()
            .is("DeploymentConfigDoesNotExistException")
    );
}

#[tokio::test]
async fn instances_are_registered_tagged_found_and_deregistered() {
    let world = World::new().await;
    world.register(&["web-1", "web-2"]).await;
    let register = |name: &str, user_arn: Option<&str>, session: Option<&str>| RegisterOnPremisesInstanceInput {
        instance_name: text(name),
        iam_user_arn: user_arn.map(str::to_owned),
        iam_session_arn: session.map(str::to_owned),
    };
    let (taken, free) = (user("web-1").arn(), user("web-9").arn());
    for (input, code) in [
        (register("web-1", Some(&free), None), "InstanceNameAlreadyRegisteredException"),
        (register("web-9", Some(&taken), None), "IamUserArnAlreadyRegisteredException"),
        (register("web-9", None, None), "IamArnRequiredException"),
        (register("web-9", Some(&free), Some("arn")), "MultipleIamArnsProvidedException"),
        (register("web-9", Some("web-9"), None), "InvalidIamUserArnException"),
        (register("web-9", None, Some(&free)), "InvalidIamSessionArnException"),
        (register("i-123", Some(&free), None), "InvalidInstanceNameException"),
        (register("a b", Some(&free), None), "InvalidInstanceNameException"),
        (register("", Some(&free), None), "InstanceNameRequiredException"),
    ] {
        assert_eq!(world.service.register_on_premises_instance(&root(), input).await.unwrap_err().code, code);
    }
    let list = |status: Option<&str>, filters: Option<Vec<TagFilter>>| ListOnPremisesInstancesInput {
        registration_status: status.map(str::to_owned),
        tag_filters: filters,
        next_token: None,
    };
    let names = |list: ListOnPremisesInstancesOutput| list.instance_names.unwrap();
    let removed = RemoveTagsFromOnPremisesInstancesInput {
        tags: Some(vec![Tag { key: text("Env"), value: text("prod") }]),
        instance_names: Some(vec!["web-2".to_owned()]),
    };
    world.service.remove_tags_from_on_premises_instances(&root(), removed).await.unwrap();
    let tagged =
        world.service.list_on_premises_instances(&root(), list(None, Some(vec![prod_filter()]))).await.unwrap();
    assert_eq!(names(tagged), ["web-1"]);

    let deregister = DeregisterOnPremisesInstanceInput { instance_name: text("web-1") };
    world.service.deregister_on_premises_instance(&root(), deregister).await.unwrap();
    let gone = world.service.list_on_premises_instances(&root(), list(Some("Deregistered"), None)).await.unwrap();
    assert_eq!(names(gone), ["web-1"]);
    let get = GetOnPremisesInstanceInput { instance_name: text("web-1") };
    let record = world.service.get_on_premises_instance(&root(), get).await.unwrap().instance_info.unwrap();
    assert!(record.deregister_time.is_some());
    let again = register("web-1", Some(&taken), None);
    world.service.register_on_premises_instance(&root(), again).await.unwrap();
    let batch = BatchGetOnPremisesInstancesInput { instance_names: Some(vec!["web-1".to_owned()]) };
    let infos = world.service.batch_get_on_premises_instances(&root(), batch).await.unwrap().instance_infos.unwrap();
    assert_eq!((infos[0].deregister_time, infos[0].tags.clone()), (None, Some(Vec::new())));
}

#[tokio::test]
async fn tags_of_instances_are_bounded_and_changed_all_or_none() {
    let world = World::new().await;
    world.register(&["web-1"]).await;
    let add = |names: &[&str], tags: usize| AddTagsToOnPremisesInstancesInput {
        tags: Some((0..tags).map(|n| Tag { key: Some(format!("k{n}")), value: text("v") }).collect()),
        instance_names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
    };
    for (input, code) in [
        (add(&["web-1"], 10), "TagLimitExceededException"),
        (add(&["web-1"], 0), "TagRequiredException"),
        (add(&["web-1", "absent"], 1), "InstanceNotRegisteredException"),
        (add(&["web-1"; 101], 1), "InstanceLimitExceededException"),
    ] {
        assert_eq!(world.service.add_tags_to_on_premises_instances(&root(), input).await.unwrap_err().code, code);
    }
    let get = GetOnPremisesInstanceInput { instance_name: text("web-1") };
    let info = world.service.get_on_premises_instance(&root(), get).await.unwrap().instance_info.unwrap();
    assert_eq!(info.tags.unwrap().len(), 1);
}

#[tokio::test]
async fn revisions_are_registered_used_and_listed() {
    let world = World::new().await;
    world.group(ONE).await;
    world.register(&["web-1"]).await;
    let register = RegisterApplicationRevisionInput {
        application_name: text("app"),
        description: text("the first"),
        revision: Some(revision("releases/one.zip")),
    };
    world.service.register_application_revision(&root(), register).await.unwrap();
    let get = |key: &str| GetApplicationRevisionInput { application_name: text("app"), revision: Some(revision(key)) };
    let info =
        world.service.get_application_revision(&root(), get("releases/one.zip")).await.unwrap().revision_info.unwrap();
    assert_eq!((info.description.as_deref(), info.first_used_time), (Some("the first"), None));
    let error = world.service.get_application_revision(&root(), get("absent.zip")).await.unwrap_err();
    assert!(error.is("RevisionDoesNotExistException"));

    let _host = world.agent("web-1", Script::default());
    let id = world.deploy("other/two.zip").await;
    world.until(&id, "Succeeded").await;
    let info =
        world.service.get_application_revision(&root(), get("other/two.zip")).await.unwrap().revision_info.unwrap();
    assert_eq!((info.first_used_time.is_some(), info.deployment_groups), (true, Some(vec!["hosts".to_owned()])));

    let list = || ListApplicationRevisionsInput { application_name: text("app"), ..Default::default() };
    for (input, expected) in [
        (list(), 2),
        (ListApplicationRevisionsInput { s3_bucket: text("bucket"), s3_key_prefix: text("releases/"), ..list() }, 1),
        (ListApplicationRevisionsInput { deployed: text("include"), ..list() }, 1),
        (ListApplicationRevisionsInput { s3_bucket: text("elsewhere"), ..list() }, 0),
    ] {
        let listed = world.service.list_application_revisions(&root(), input).await.unwrap();
        assert_eq!(listed.revisions.unwrap().len(), expected);
    }
    let prefix_only = ListApplicationRevisionsInput { s3_key_prefix: text("x"), ..list() };
    let error = world.service.list_application_revisions(&root(), prefix_only).await.unwrap_err();
    assert!(error.is("BucketNameFilterRequiredException"));
}
