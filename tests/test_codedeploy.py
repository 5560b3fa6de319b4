"""Deployments to on-premises hosts, as boto3, the aws CLI and an agent see them."""

import json
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError

from codedeploy_host import Host
from conftest import code, eventually

EVENTS = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart", "ValidateService"]


class Fleet:
    """An application `name` with a group `hosts` over instances of its own tag."""

    def __init__(self, server, hosts: int, config: str = "CodeDeployDefault.OneAtATime", auto_rollback: bool = False):
        self.server, self.name = server, f"app-{uuid.uuid4().hex[:8]}"
        self.codedeploy, self.s3, self.iam = (server.client(service) for service in ("codedeploy", "s3", "iam"))
        self.codedeploy.create_application(applicationName=self.name)
        rollback = {"enabled": auto_rollback, "events": ["DEPLOYMENT_FAILURE"]}
        self.codedeploy.create_deployment_group(
            applicationName=self.name, deploymentGroupName="hosts", deploymentConfigName=config,
            serviceRoleArn="arn:aws:iam::000000000000:role/deploy", autoRollbackConfiguration=rollback,
            onPremisesInstanceTagFilters=[{"Key": "Fleet", "Value": self.name, "Type": "KEY_AND_VALUE"}],
        )
        self.s3.create_bucket(Bucket=self.name)
        self.users = [self.register(f"{self.name}-{number}") for number in range(hosts)]

    def register(self, name: str) -> tuple[str, tuple[str, str]]:
        """An instance with a user and a key of its own; its ARN and key."""
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        self.codedeploy.register_on_premises_instance(instanceName=name, iamUserArn=arn)
        self.codedeploy.add_tags_to_on_premises_instances(
            instanceNames=[name], tags=[{"Key": "Fleet", "Value": self.name}])
        return arn, (key["AccessKeyId"], key["SecretAccessKey"])

    def agent(self, number: int) -> Host:
        return Host(lambda: self.server.endpoint, *self.users[number])

    def deploy(self, key: str, **settings) -> str:
        self.s3.put_object(Bucket=self.name, Key=key, Body=b"not unpacked by the played agent")
        location = {"bucket": self.name, "key": key, "bundleType": "zip"}
        return self.codedeploy.create_deployment(
            applicationName=self.name, deploymentGroupName="hosts",
            revision={"revisionType": "S3", "s3Location": location}, **settings)["deploymentId"]

    def status(self, deployment: str) -> str:
        return self.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"]

    def until(self, deployment: str, status: str) -> dict:
        eventually(lambda: self.status(deployment) == status, what=f"{deployment} {status}")
        return self.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]

    def target(self, deployment: str, number: int) -> dict:
        target = self.codedeploy.get_deployment_target(deploymentId=deployment, targetId=f"{self.name}-{number}")
        return target["deploymentTarget"]["instanceTarget"]


@pytest.fixture
def playing():
    """Starts agents and ends them with the test."""
    agents: list[Host] = []

    def play(*started: Host) -> list[Host]:
        agents.extend(started)
        for agent in started:
            agent.start()
        return list(started)

    yield play
    for agent in agents:
        agent.stop()


def test_a_deployment_goes_over_all_hosts_one_at_a_time(landfall, playing):
    fleet = Fleet(landfall, hosts=2)
    agents = playing(fleet.agent(0), fleet.agent(1))
    deployment = fleet.deploy("one.zip")
    fleet.codedeploy.get_waiter("deployment_successful").wait(
        deploymentId=deployment, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    overview = fleet.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["deploymentOverview"]
    assert overview == {"Pending": 0, "InProgress": 0, "Succeeded": 2, "Failed": 0, "Skipped": 0, "Ready": 0}
    targets = fleet.codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
    assert targets == [f"{fleet.name}-0", f"{fleet.name}-1"]
    first, second = fleet.target(deployment, 0), fleet.target(deployment, 1)
    assert [event["lifecycleEventName"] for event in first["lifecycleEvents"]] == EVENTS
    assert {event["status"] for event in first["lifecycleEvents"]} == {"Succeeded"}
    assert first["lifecycleEvents"][-1]["endTime"] <= second["lifecycleEvents"][0]["startTime"]
    for agent in agents:
        assert list(agent.ran.values()) == [1] * 7 and not agent.troubles

    group = fleet.codedeploy.get_deployment_group(applicationName=fleet.name, deploymentGroupName="hosts")
    assert group["deploymentGroupInfo"]["targetRevision"]["s3Location"]["key"] == "one.zip"
    assert fleet.codedeploy.list_deployments(applicationName=fleet.name, deploymentGroupName="hosts")["deployments"] == [deployment]


def test_a_second_deployment_is_refused_while_one_runs_and_stopping_frees_the_group(landfall):
    fleet = Fleet(landfall, hosts=1)
    deployment = fleet.deploy("one.zip")
    with pytest.raises(ClientError) as caught:
        fleet.deploy("two.zip")
    error = caught.value.response["Error"]
    assert error["Code"] == "DeploymentLimitExceededException"
    assert error["Message"] == f"The Deployment Group 'hosts' already has an active Deployment '{deployment}'"
    assert fleet.codedeploy.stop_deployment(deploymentId=deployment)["status"] in ("Pending", "Succeeded")
    assert fleet.until(deployment, "Stopped")["errorInformation"]["code"] == "MANUAL_STOP"
    assert fleet.status(fleet.deploy("two.zip")) in ("Created", "InProgress")


def test_a_failing_host_fails_the_deployment_with_its_diagnostics(landfall, playing):
    class Failing(Host):
        def insist(self, operation, **members):
            if operation == "PutHostCommandComplete":
                report = {"error_code": 4, "script_name": "scripts/start.sh", "message": "exit code 3", "log": "[stderr]no"}
                members |= {"CommandStatus": "Failed", "Diagnostics": {"Format": "JSON", "Payload": json.dumps(report)}}
            return super().insist(operation, **members)

    fleet = Fleet(landfall, hosts=2)
    playing(Failing(lambda: landfall.endpoint, *fleet.users[0]), fleet.agent(1))
    deployment = fleet.deploy("one.zip")
    assert fleet.until(deployment, "Failed")["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    event = fleet.target(deployment, 0)["lifecycleEvents"][0]
    assert event["status"] == "Failed"
    assert event["diagnostics"] == {
        "errorCode": "ScriptFailed", "scriptName": "scripts/start.sh", "message": "exit code 3", "logTail": "[stderr]no"}
    assert fleet.target(deployment, 1)["status"] == "Skipped"
    older = fleet.codedeploy.get_deployment_instance(deploymentId=deployment, instanceId=f"{fleet.name}-1")
    assert older["instanceSummary"]["status"] == "Skipped"


def test_a_group_without_hosts_and_an_impossible_minimum_fail_at_once(landfall):
    fleet = Fleet(landfall, hosts=0)
    assert fleet.until(fleet.deploy("one.zip"), "Failed")["errorInformation"]["code"] == "NO_INSTANCES"
    fleet = Fleet(landfall, hosts=1, config="CodeDeployDefault.HalfAtATime")
    assert fleet.until(fleet.deploy("one.zip"), "Failed")["errorInformation"]["code"] == "HEALTH_CONSTRAINTS_INVALID"


def test_the_specification_is_signed_and_says_what_to_install(landfall):
    fleet = Fleet(landfall, hosts=1)
    deployment = fleet.deploy("one.zip", fileExistsBehavior="OVERWRITE")
    agent = fleet.agent(0)
    command = agent.ask("PollHostCommand", HostIdentifier=agent.arn)["HostCommand"]
    assert (command["CommandName"], command["HostIdentifier"]) == ("ApplicationStop", agent.arn)
    answer = agent.ask(
        "GetDeploymentSpecification", DeploymentExecutionId=command["DeploymentExecutionId"], HostIdentifier=agent.arn)
    assert answer["DeploymentSystem"] == "CodeDeploy"
    envelope = answer["DeploymentSpecification"]["GenericEnvelope"]
    assert envelope["Format"] == "PKCS7/JSON"
    verify = ["openssl", "smime", "-verify", "-noverify", "-binary", "-inform", "PEM"]
    content = subprocess.run(verify, input=envelope["Payload"].encode(), capture_output=True, check=True).stdout
    specification = json.loads(content)
    assert specification["DeploymentId"].endswith(f"deployment/{deployment}")
    assert specification["Revision"]["S3Revision"] == {"Bucket": fleet.name, "Key": "one.zip", "BundleType": "zip"}
    assert specification["AgentActionOverrides"]["AgentOverrides"]["FileExistsBehavior"] == "OVERWRITE"


def test_a_host_is_the_identity_that_signs(enforcing):
    fleet = Fleet(enforcing, hosts=2)
    fleet.deploy("one.zip")
    host, other = fleet.agent(0), fleet.agent(1)
    posing = Host(lambda: enforcing.endpoint, host.arn, fleet.users[1][1])
    assert posing.ask("PollHostCommand", HostIdentifier=host.arn) is None
    assert "AccessDeniedException" in posing.troubles[0]
    command = host.ask("PollHostCommand", HostIdentifier=host.arn)["HostCommand"]
    other.ask("PutHostCommandAcknowledgement", HostCommandIdentifier=command["HostCommandIdentifier"])
    assert "AccessDeniedException" in other.troubles[0]
    forged = Host(lambda: enforcing.endpoint, host.arn, (fleet.users[0][1][0], "wrong"))
    forged.ask("PollHostCommand", HostIdentifier=host.arn)
    assert "SignatureDoesNotMatch" in forged.troubles[0] or "InvalidSignature" in forged.troubles[0]


def test_a_host_reads_the_revision_of_its_deployment_and_nothing_else(enforcing, playing):
    fleet = Fleet(enforcing, hosts=1)
    fleet.s3.put_object(Bucket=fleet.name, Key="secret", Body=b"x")
    s3 = enforcing.client("s3", fleet.users[0][1])
    assert code(s3.get_object, Bucket=fleet.name, Key="one.zip") == "AccessDenied"
    deployment = fleet.deploy("one.zip")
    fleet.until(deployment, "InProgress")
    assert s3.get_object(Bucket=fleet.name, Key="one.zip")["Body"].read().startswith(b"not unpacked")
    assert code(s3.get_object, Bucket=fleet.name, Key="secret") == "AccessDenied"
    assert code(s3.put_object, Bucket=fleet.name, Key="one.zip", Body=b"") == "AccessDenied"
    assert code(enforcing.client("codedeploy", fleet.users[0][1]).list_applications) == "AccessDeniedException"
    playing(fleet.agent(0))
    fleet.until(deployment, "Succeeded")
    assert code(s3.get_object, Bucket=fleet.name, Key="one.zip") == "AccessDenied"


def test_errors_have_the_shapes_of_the_model(landfall):
    codedeploy = landfall.client("codedeploy", parameter_validation=False)
    for call, members, expected in [
        (codedeploy.create_application, {}, "ApplicationNameRequiredException"),
        (codedeploy.create_application, {"applicationName": ""}, "ApplicationNameRequiredException"),
        (codedeploy.create_application, {"applicationName": "a b"}, "InvalidApplicationNameException"),
        (codedeploy.create_application, {"applicationName": "a" * 101}, "InvalidApplicationNameException"),
        (codedeploy.create_application, {"applicationName": "a", "computePlatform": "Vax"}, "InvalidComputePlatformException"),
        (codedeploy.get_application, {"applicationName": "absent"}, "ApplicationDoesNotExistException"),
        (codedeploy.get_deployment, {}, "DeploymentIdRequiredException"),
        (codedeploy.get_deployment, {"deploymentId": "x"}, "InvalidDeploymentIdException"),
        (codedeploy.get_deployment, {"deploymentId": "d-AAAAAAAAA"}, "DeploymentDoesNotExistException"),
        (codedeploy.get_deployment_config, {"deploymentConfigName": "absent"}, "DeploymentConfigDoesNotExistException"),
        (codedeploy.get_on_premises_instance, {"instanceName": "absent"}, "InstanceNotRegisteredException"),
        (codedeploy.register_on_premises_instance, {"instanceName": "x"}, "IamArnRequiredException"),
        (codedeploy.list_applications, {"nextToken": "x"}, "InvalidNextTokenException"),
    ]:
        assert code(call, **members) == expected, members


def test_configurations_instances_and_revisions_are_found_again(landfall):
    fleet = Fleet(landfall, hosts=2)
    codedeploy, name = fleet.codedeploy, fleet.name
    healthy = {"type": "FLEET_PERCENT", "value": 75}
    codedeploy.create_deployment_config(deploymentConfigName=name, minimumHealthyHosts=healthy)
    found = codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
    assert found["minimumHealthyHosts"] == healthy
    names = codedeploy.list_deployment_configs()["deploymentConfigsList"]
    assert {"CodeDeployDefault.OneAtATime", "CodeDeployDefault.AllAtOnce", name} <= set(names)
    codedeploy.delete_deployment_config(deploymentConfigName=name)
    assert name not in codedeploy.list_deployment_configs()["deploymentConfigsList"]

    tag = {"Key": "Fleet", "Value": name}
    listed = codedeploy.list_on_premises_instances(tagFilters=[{**tag, "Type": "KEY_AND_VALUE"}])["instanceNames"]
    assert listed == [f"{name}-0", f"{name}-1"]
    codedeploy.remove_tags_from_on_premises_instances(instanceNames=[f"{name}-0"], tags=[tag])
    codedeploy.deregister_on_premises_instance(instanceName=f"{name}-1")
    infos = codedeploy.batch_get_on_premises_instances(instanceNames=listed)["instanceInfos"]
    assert infos[0]["tags"] == [] and "deregisterTime" in infos[1]

    revision = {"revisionType": "S3", "s3Location": {"bucket": name, "key": "one.zip", "bundleType": "zip"}}
    codedeploy.register_application_revision(applicationName=name, description="first", revision=revision)
    found = codedeploy.get_application_revision(applicationName=name, revision=revision)
    assert found["revisionInfo"]["description"] == "first"
    assert codedeploy.list_application_revisions(applicationName=name)["revisions"] == [revision]
    codedeploy.delete_application(applicationName=name)
    assert code(codedeploy.get_application, applicationName=name) == "ApplicationDoesNotExistException"


def test_aws_deploy_push_registers_a_revision(landfall, tmp_path):
    fleet = Fleet(landfall, hosts=0)
    (tmp_path / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    landfall.aws("deploy", "push", "--application-name", fleet.name, "--source", str(tmp_path),
                 "--s3-location", f"s3://{fleet.name}/pushed.zip")
    revisions = fleet.codedeploy.list_application_revisions(applicationName=fleet.name, s3Bucket=fleet.name)["revisions"]
    assert [revision["s3Location"]["key"] for revision in revisions] == ["pushed.zip"]
    assert revisions[0]["s3Location"]["eTag"]


def test_deployments_and_hosts_survive_a_killed_server(servers, playing):
    server = servers("open", "dummy")
    fleet = Fleet(server, hosts=2)
    deployment = fleet.deploy("one.zip")
    fleet.until(deployment, "InProgress")
    [agent] = playing(fleet.agent(0))
    eventually(lambda: len(agent.ran) >= 3, what="three events")
    server.kill()
    server.start()
    fleet.codedeploy = server.client("codedeploy")
    [other] = playing(fleet.agent(1))
    fleet.until(deployment, "Succeeded")
    for host in (agent, other):
        assert list(host.ran.values()) == [1] * 7 and not host.troubles
