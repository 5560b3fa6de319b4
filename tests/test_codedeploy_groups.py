"""CodeDeploy's applications and groups as they change, and what is read of deployments many at a time."""

import uuid

from conftest import code
from test_codedeploy import EVENTS, Fleet


def test_applications_are_listed_and_read_together(client):
    codedeploy = client("codedeploy")
    names = [f"many-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    ids = {name: codedeploy.create_application(applicationName=name)["applicationId"] for name in names}
    listed = [name for page in codedeploy.get_paginator("list_applications").paginate() for name in page["applications"]]
    assert set(names) <= set(listed) and len(listed) == len(set(listed))
    found = codedeploy.batch_get_applications(applicationNames=names)["applicationsInfo"]
    assert {one["applicationName"]: one["applicationId"] for one in found} == ids
    one = codedeploy.get_application(applicationName=names[0])["application"]
    assert one in found and one["computePlatform"] == "Server"
    assert code(codedeploy.create_application, applicationName=names[0]) == "ApplicationAlreadyExistsException"


def test_groups_are_changed_listed_and_deleted(landfall):
    fleet = Fleet(landfall, hosts=0)
    codedeploy, place = fleet.codedeploy, {"applicationName": fleet.name}
    codedeploy.create_deployment_group(
        **place, deploymentGroupName="second", serviceRoleArn="arn:aws:iam::000000000000:role/deploy")
    assert codedeploy.list_deployment_groups(**place)["deploymentGroups"] == ["hosts", "second"]
    both = codedeploy.batch_get_deployment_groups(**place, deploymentGroupNames=["hosts", "second"])["deploymentGroupsInfo"]
    assert {group["deploymentGroupName"]: group["deploymentConfigName"] for group in both} == {
        "hosts": "CodeDeployDefault.OneAtATime", "second": "CodeDeployDefault.OneAtATime"}
    filters = [{"Key": "Fleet", "Value": "other", "Type": "KEY_AND_VALUE"}]
    codedeploy.update_deployment_group(
        **place, currentDeploymentGroupName="second", newDeploymentGroupName="renamed",
        deploymentConfigName="CodeDeployDefault.AllAtOnce", onPremisesInstanceTagFilters=filters)
    assert codedeploy.list_deployment_groups(**place)["deploymentGroups"] == ["hosts", "renamed"]
    changed = codedeploy.get_deployment_group(**place, deploymentGroupName="renamed")["deploymentGroupInfo"]
    assert (changed["deploymentConfigName"], changed["onPremisesInstanceTagFilters"]) == ("CodeDeployDefault.AllAtOnce", filters)
    assert changed["serviceRoleArn"] == "arn:aws:iam::000000000000:role/deploy", "what is not given stays"
    assert code(codedeploy.get_deployment_group, **place, deploymentGroupName="second") == "DeploymentGroupDoesNotExistException"
    assert code(codedeploy.update_deployment_group, **place, currentDeploymentGroupName="renamed", deploymentConfigName="absent") == \
        "DeploymentConfigDoesNotExistException"
    codedeploy.delete_deployment_group(**place, deploymentGroupName="renamed")
    assert codedeploy.list_deployment_groups(**place)["deploymentGroups"] == ["hosts"]


def test_deployments_and_their_targets_are_read_together(landfall):
    fleet = Fleet(landfall, hosts=2)
    agents = [fleet.agent(0), fleet.agent(1)]
    for agent in agents:
        agent.start()
    try:
        first = fleet.deploy("one.zip")
        fleet.until(first, "Succeeded")
        second = fleet.deploy("two.zip", description="the second")
        fleet.until(second, "Succeeded")
    finally:
        for agent in agents:
            agent.stop()
    codedeploy = fleet.codedeploy
    infos = codedeploy.batch_get_deployments(deploymentIds=[first, second])["deploymentsInfo"]
    assert {info["deploymentId"]: info["revision"]["s3Location"]["key"] for info in infos} == {first: "one.zip", second: "two.zip"}
    assert infos[-1] == codedeploy.get_deployment(deploymentId=infos[-1]["deploymentId"])["deploymentInfo"]
    instances = codedeploy.list_deployment_instances(deploymentId=second, instanceStatusFilter=["Succeeded"])["instancesList"]
    assert [one.rpartition("/")[2] for one in instances] == [f"{fleet.name}-0", f"{fleet.name}-1"]
    assert codedeploy.list_deployment_instances(deploymentId=second, instanceStatusFilter=["Failed"])["instancesList"] == []
    summaries = codedeploy.batch_get_deployment_instances(deploymentId=second, instanceIds=instances)["instancesSummary"]
    targets = codedeploy.batch_get_deployment_targets(
        deploymentId=second, targetIds=codedeploy.list_deployment_targets(deploymentId=second)["targetIds"])["deploymentTargets"]
    for summary, target in zip(summaries, targets, strict=True):
        assert [event["lifecycleEventName"] for event in summary["lifecycleEvents"]] == EVENTS
        assert summary["status"] == target["instanceTarget"]["status"] == "Succeeded"
    ranges = {"start": infos[0]["createTime"], "end": infos[1]["createTime"]}
    listed = codedeploy.list_deployments(
        applicationName=fleet.name, deploymentGroupName="hosts", includeOnlyStatuses=["Succeeded"], createTimeRange=ranges)
    assert set(listed["deployments"]) == {first, second}


def test_a_renamed_application_keeps_its_id_groups_tags_and_revisions(landfall):
    fleet = Fleet(landfall, hosts=0)
    codedeploy, name, new = fleet.codedeploy, fleet.name, f"{fleet.name}-new"
    before = codedeploy.get_application(applicationName=name)["application"]
    arn = f"arn:aws:codedeploy:us-east-1:000000000000:application:{name}"
    codedeploy.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "core"}])
    codedeploy.update_application(applicationName=name, newApplicationName=new)
    assert code(codedeploy.get_application, applicationName=name) == "ApplicationDoesNotExistException"
    after = codedeploy.get_application(applicationName=new)["application"]
    assert after == before | {"applicationName": new}
    group = codedeploy.get_deployment_group(applicationName=new, deploymentGroupName="hosts")["deploymentGroupInfo"]
    assert group["applicationName"] == new
    assert codedeploy.list_tags_for_resource(ResourceArn=f"{arn}-new")["Tags"] == [{"Key": "team", "Value": "core"}]
    codedeploy.create_application(applicationName=name)
    assert code(codedeploy.update_application, applicationName=new, newApplicationName=name) == "ApplicationAlreadyExistsException"
    assert code(codedeploy.update_application, applicationName="absent", newApplicationName=name) == "ApplicationDoesNotExistException"


def test_applications_groups_and_configurations_are_tagged(landfall):
    fleet = Fleet(landfall, hosts=0)
    codedeploy, prefix = fleet.codedeploy, "arn:aws:codedeploy:us-east-1:000000000000:"
    codedeploy.create_deployment_config(
        deploymentConfigName=fleet.name, minimumHealthyHosts={"type": "HOST_COUNT", "value": 1})
    for arn in (f"application:{fleet.name}", f"deploymentgroup:{fleet.name}/hosts", f"deploymentconfig:{fleet.name}"):
        arn = prefix + arn
        assert codedeploy.list_tags_for_resource(ResourceArn=arn)["Tags"] == []
        codedeploy.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        codedeploy.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}])
        codedeploy.untag_resource(ResourceArn=arn, TagKeys=["a", "absent"])
        assert codedeploy.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
        assert code(codedeploy.tag_resource, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": "1"}]) == "InvalidTagsToAddException"
    for arn, expected in [
        (f"{prefix}application:absent", "ApplicationDoesNotExistException"),
        (f"{prefix}deploymentgroup:{fleet.name}/absent", "DeploymentGroupDoesNotExistException"),
        (f"{prefix}deploymentconfig:absent", "DeploymentConfigDoesNotExistException"),
        (f"{prefix}deploymentconfig:CodeDeployDefault.AllAtOnce", "ArnNotSupportedException"),
        (f"{prefix}instance:x", "ArnNotSupportedException"),
        ("arn:aws:codedeploy:us-east-1:999999999999:application:x", "InvalidArnException"),
        ("nonsense", "InvalidArnException"),
    ]:
        assert code(codedeploy.tag_resource, ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}]) == expected, arn


def test_revisions_are_read_together_and_found_by_their_use(landfall):
    fleet = Fleet(landfall, hosts=1)
    codedeploy, place = fleet.codedeploy, {"applicationName": fleet.name}
    agent = fleet.agent(0)
    agent.start()
    try:
        for key in ("a.zip", "b.zip"):
            fleet.until(fleet.deploy(key), "Succeeded")
    finally:
        agent.stop()
    git = {"revisionType": "GitHub", "gitHubLocation": {"repository": "owner/name", "commitId": "c" * 40}}
    codedeploy.register_application_revision(**place, revision=git, description="on GitHub")
    at = lambda key: {"revisionType": "S3", "s3Location": {"bucket": fleet.name, "key": key, "bundleType": "zip"}}
    found = codedeploy.batch_get_application_revisions(**place, revisions=[at("a.zip"), at("absent.zip"), git])
    assert [one["revisionLocation"] for one in found["revisions"]] == [at("a.zip"), git]
    assert found["revisions"][1]["genericRevisionInfo"]["description"] == "on GitHub"
    assert found["errorMessage"] == f"No revisions found at: s3://{fleet.name}/absent.zip"
    listed = lambda **filters: codedeploy.list_application_revisions(**place, **filters)["revisions"]
    assert listed(deployed="include") == [at("b.zip")], "what a group has now"
    assert listed(deployed="exclude", sortBy="registerTime", sortOrder="ascending") == [at("a.zip"), git]
    assert listed(s3Bucket=fleet.name, s3KeyPrefix="a", sortBy="lastUsedTime", sortOrder="descending") == [at("a.zip")]
    assert listed(s3Bucket=fleet.name, sortBy="firstUsedTime", sortOrder="descending") == [at("b.zip"), at("a.zip")]
    assert code(codedeploy.list_application_revisions, **place, s3KeyPrefix="a") == "BucketNameFilterRequiredException"
    info = codedeploy.get_application_revision(**place, revision=at("b.zip"))["revisionInfo"]
    assert info["deploymentGroups"] == ["hosts"] and info["registerTime"] <= info["firstUsedTime"] <= info["lastUsedTime"]


def test_configurations_of_aws_and_custom_ones(landfall):
    fleet = Fleet(landfall, hosts=0)
    codedeploy, name = fleet.codedeploy, fleet.name
    names = codedeploy.list_deployment_configs()["deploymentConfigsList"]
    assert sum(one.startswith("CodeDeployDefault.") for one in names) == 17
    get = lambda config: codedeploy.get_deployment_config(deploymentConfigName=config)["deploymentConfigInfo"]
    canary = get("CodeDeployDefault.LambdaCanary10Percent5Minutes")
    assert (canary["computePlatform"], canary["trafficRoutingConfig"]) == (
        "Lambda", {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}})
    assert get("CodeDeployDefault.HalfAtATime")["minimumHealthyHosts"] == {"type": "FLEET_PERCENT", "value": 50}
    create = lambda config=name, **members: codedeploy.create_deployment_config(deploymentConfigName=config, **members)
    create(minimumHealthyHosts={"type": "HOST_COUNT", "value": 2})
    fleets = {"applicationName": name, "currentDeploymentGroupName": "hosts"}
    codedeploy.update_deployment_group(**fleets, deploymentConfigName=name)
    for call, members, expected in [
        (create, {"minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}}, "DeploymentConfigAlreadyExistsException"),
        (create, {"config": "CodeDeployDefault.Mine", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}}, "InvalidDeploymentConfigNameException"),
        (create, {"config": "x", "minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 100}}, "InvalidMinimumHealthyHostValueException"),
        (create, {"config": "x", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": -1}}, "InvalidMinimumHealthyHostValueException"),
        (create, {"config": "x", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}, "zonalConfig": {"monitorDurationInSeconds": 60}},
         "InvalidZonalDeploymentConfigurationException"),
        (codedeploy.delete_deployment_config, {"deploymentConfigName": name}, "DeploymentConfigInUseException"),
        (codedeploy.delete_deployment_config, {"deploymentConfigName": "CodeDeployDefault.AllAtOnce"}, "InvalidOperationException"),
        (codedeploy.update_deployment_group, {**fleets, "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"},
         "InvalidDeploymentConfigNameException"),
    ]:
        assert code(call, **members) == expected, members
    codedeploy.update_deployment_group(**fleets, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    codedeploy.delete_deployment_config(deploymentConfigName=name)
    assert code(codedeploy.get_deployment_config, deploymentConfigName=name) == "DeploymentConfigDoesNotExistException"


def test_there_are_no_tokens_for_github(client):
    codedeploy = client("codedeploy")
    assert codedeploy.list_git_hub_account_token_names()["tokenNameList"] == []
    assert code(codedeploy.delete_git_hub_account_token, tokenName="mine") == "GitHubAccountTokenDoesNotExistException"
    assert code(codedeploy.delete_git_hub_account_token) == "GitHubAccountTokenNameRequiredException"
