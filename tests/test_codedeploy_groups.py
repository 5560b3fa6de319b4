"""CodeDeploy's applications and groups as they change, and what is read of deployments many at a time."""

import uuid

import pytest
from botocore.exceptions import ClientError

from test_codedeploy import EVENTS, Fleet


def code(call, **members) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


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
