"""Deployments that are stopped or fail, and the deployments that roll them back."""

import json
import time

import pytest

from codedeploy_host import Host
from conftest import code, eventually
from test_codedeploy import EVENTS, Fleet, playing  # noqa: F401  (`playing` is a fixture)
from test_operator import ask

TOO_MANY = (
    "The overall deployment failed because too many individual instances failed deployment, too few healthy instances "
    "are available for deployment, or some instances in your deployment group are experiencing problems.")
STOPPED = "No more commands will be scheduled for execution in the deployment instances"


class Obedient(Host):
    """A host that fails the releases named in `broken`, and holds the events in `held` until they are let go."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.broken, self.held = set(), set()

    def insist(self, operation, **members):
        if operation == "PutHostCommandComplete":
            [execution, event] = list(self.ran)[-1]
            while event in self.held and not self.ended.is_set():
                time.sleep(0.01)
            if execution.rpartition("/")[2] in self.broken:
                report = {"error_code": 4, "script_name": "stop.sh", "message": "exit code 1", "log": "[stderr]broken"}
                members |= {"CommandStatus": "Failed", "Diagnostics": {"Format": "JSON", "Payload": json.dumps(report)}}
        return super().insist(operation, **members)

    def deployments(self) -> list[str]:
        """Those that it ran anything of, in order."""
        return list(dict.fromkeys(execution.rpartition("/")[2] for execution, _ in self.ran))


def obedient(fleet: Fleet, number: int = 0) -> Obedient:
    return Obedient(lambda: fleet.server.endpoint, *fleet.users[number])


def rule(fleet: Fleet, *events: str) -> None:
    fleet.codedeploy.update_deployment_group(
        applicationName=fleet.name, currentDeploymentGroupName="hosts",
        autoRollbackConfiguration={"enabled": bool(events), "events": list(events)})


def info(fleet: Fleet, deployment: str) -> dict:
    return fleet.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]


def ended(fleet: Fleet, deployment: str) -> dict:
    eventually(lambda: fleet.status(deployment) in ("Succeeded", "Failed", "Stopped"), what=f"the end of {deployment}")
    return info(fleet, deployment)


def test_a_failed_deployment_is_rolled_back_by_a_new_one_to_the_last_good_revision(landfall, playing):
    fleet = Fleet(landfall, hosts=2, config="CodeDeployDefault.AllAtOnce")
    rule(fleet, "DEPLOYMENT_FAILURE")
    hosts = playing(obedient(fleet, 0), obedient(fleet, 1))
    good = fleet.deploy("good.zip", fileExistsBehavior="OVERWRITE")
    fleet.until(good, "Succeeded")
    for host in hosts:
        host.held.add("ApplicationStop")
    bad = fleet.deploy("bad.zip", description="the bad one", fileExistsBehavior="RETAIN")
    for host in hosts:
        host.broken.add(bad)
        host.held.clear()

    failed = fleet.until(bad, "Failed")
    assert failed["errorInformation"] == {"code": "HEALTH_CONSTRAINTS", "message": TOO_MANY}
    back = failed["rollbackInfo"]["rollbackDeploymentId"]
    assert failed["rollbackInfo"] == {
        "rollbackDeploymentId": back,
        "rollbackMessage": f"Deployment {bad} terminated. Automatic rollback is triggered with a DeploymentId {back}."}
    rolled = fleet.until(back, "Succeeded")
    assert rolled["creator"] == "codeDeployRollback" and rolled["description"] == f"Rollback of deployment {bad}"
    assert rolled["rollbackInfo"] == {
        "rollbackTriggeringDeploymentId": bad,
        "rollbackMessage": f"Deployment {back} is triggered to roll back deployment {bad}."}
    assert rolled["revision"]["s3Location"]["key"] == "good.zip"
    assert rolled["fileExistsBehavior"] == "OVERWRITE", "as the deployment that is repeated"
    assert [host.deployments() for host in hosts] == [[good, bad, back]] * 2
    group = fleet.codedeploy.get_deployment_group(applicationName=fleet.name, deploymentGroupName="hosts")["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == group["lastAttemptedDeployment"]["deploymentId"] == back
    assert group["targetRevision"]["s3Location"]["key"] == "good.zip"
    assert fleet.codedeploy.list_deployments(
        applicationName=fleet.name, deploymentGroupName="hosts")["deployments"] == [back, bad, good]


def test_a_rollback_goes_to_all_hosts_also_to_those_that_were_not_touched(landfall, playing):
    fleet = Fleet(landfall, hosts=3)
    rule(fleet, "DEPLOYMENT_FAILURE")
    hosts = playing(*(obedient(fleet, number) for number in range(3)))
    good = fleet.deploy("good.zip")
    fleet.until(good, "Succeeded")
    hosts[0].held.add("ApplicationStop")
    bad = fleet.deploy("bad.zip")
    hosts[0].broken.add(bad)
    hosts[0].held.clear()
    back = fleet.until(bad, "Failed")["rollbackInfo"]["rollbackDeploymentId"]
    assert fleet.target(bad, 1)["status"] == fleet.target(bad, 2)["status"] == "Skipped"
    assert fleet.until(back, "Succeeded")["deploymentOverview"]["Succeeded"] == 3


def test_without_a_good_revision_nothing_is_rolled_back_and_a_failing_rollback_is_the_end(landfall, playing):
    fleet = Fleet(landfall, hosts=1)
    rule(fleet, "DEPLOYMENT_FAILURE")
    [host] = playing(obedient(fleet))
    host.held.add("ApplicationStop")
    first = fleet.deploy("first.zip")
    host.broken.add(first)
    host.held.clear()
    failed = fleet.until(first, "Failed")
    assert "rollbackDeploymentId" not in failed["rollbackInfo"]
    assert "no successful deployment to roll back to" in failed["rollbackInfo"]["rollbackMessage"]

    good = fleet.deploy("good.zip")
    fleet.until(good, "Succeeded")
    host.broken = Everything()
    bad = fleet.deploy("bad.zip")
    back = fleet.until(bad, "Failed")["rollbackInfo"]["rollbackDeploymentId"]
    assert "rollbackDeploymentId" not in fleet.until(back, "Failed")["rollbackInfo"]
    assert fleet.codedeploy.list_deployments(
        applicationName=fleet.name, deploymentGroupName="hosts")["deployments"] == [back, bad, good, first]
    assert fleet.codedeploy.get_deployment_group(
        applicationName=fleet.name, deploymentGroupName="hosts")["deploymentGroupInfo"]["lastSuccessfulDeployment"]["deploymentId"] == good


class Everything:
    """A set of all that there is."""

    def __contains__(self, _) -> bool:
        return True


def test_stopping_lets_the_running_event_end_and_begins_no_other(landfall, playing):
    fleet = Fleet(landfall, hosts=2)
    hosts = playing(obedient(fleet, 0), obedient(fleet, 1))
    hosts[0].held.add("BeforeInstall")
    deployment = fleet.deploy("one.zip")
    eventually(lambda: any(event == "BeforeInstall" for _, event in hosts[0].ran), what="the event that is held")

    answer = fleet.codedeploy.stop_deployment(deploymentId=deployment)
    assert (answer["status"], answer["statusMessage"]) == ("Pending", STOPPED)
    assert fleet.status(deployment) == "InProgress"
    hosts[0].held.clear()
    stopped = fleet.until(deployment, "Stopped")
    assert stopped["errorInformation"]["code"] == "MANUAL_STOP" and "rollbackInfo" not in stopped
    statuses = [event["status"] for event in fleet.target(deployment, 0)["lifecycleEvents"]]
    assert statuses == ["Succeeded"] * 3 + ["Skipped"] * 4
    assert fleet.target(deployment, 1)["status"] == "Skipped" and not hosts[1].ran
    answer = fleet.codedeploy.stop_deployment(deploymentId=deployment)
    assert (answer["status"], answer["statusMessage"]) == ("Succeeded", STOPPED)


def test_stopping_what_no_host_runs_succeeds_at_once_and_what_has_ended_cannot_be_stopped(landfall, playing):
    fleet = Fleet(landfall, hosts=1)
    deployment = fleet.deploy("one.zip")
    assert fleet.codedeploy.stop_deployment(deploymentId=deployment)["status"] == "Succeeded"
    fleet.until(deployment, "Stopped")
    playing(fleet.agent(0))
    good = fleet.deploy("one.zip")
    fleet.until(good, "Succeeded")
    assert code(fleet.codedeploy.stop_deployment, deploymentId=good) == "DeploymentAlreadyCompletedException"
    for call in (fleet.codedeploy.continue_deployment, fleet.codedeploy.skip_wait_time_for_instance_termination):
        assert code(call, deploymentId=good) == "DeploymentAlreadyCompletedException"
        assert code(call, deploymentId="d-AAAAAAAAA") == "DeploymentDoesNotExistException"


@pytest.mark.parametrize(
    "events, asked, rolls_back",
    [((), True, True), ((), None, False), (("DEPLOYMENT_STOP_ON_REQUEST",), None, True),
     (("DEPLOYMENT_STOP_ON_REQUEST",), False, False), (("DEPLOYMENT_FAILURE",), None, False)])
def test_a_stopped_deployment_is_rolled_back_if_the_caller_or_the_group_says_so(landfall, playing, events, asked, rolls_back):
    fleet = Fleet(landfall, hosts=1)
    rule(fleet, *events)
    [host] = playing(obedient(fleet))
    good = fleet.deploy("good.zip")
    fleet.until(good, "Succeeded")
    host.held.add("Install")
    bad = fleet.deploy("bad.zip")
    eventually(lambda: any(bad in execution and event == "Install" for execution, event in host.ran), what="the event that is held")
    assert code(fleet.codedeploy.continue_deployment, deploymentId=bad) == "UnsupportedActionForDeploymentTypeException"
    fleet.codedeploy.stop_deployment(deploymentId=bad, **({} if asked is None else {"autoRollbackEnabled": asked}))
    host.held.clear()
    stopped = fleet.until(bad, "Stopped")
    if not rolls_back:
        assert "rollbackInfo" not in stopped and host.deployments() == [good, bad]
        return
    back = stopped["rollbackInfo"]["rollbackDeploymentId"]
    assert fleet.until(back, "Succeeded")["revision"]["s3Location"]["key"] == "good.zip"
    assert host.deployments() == [good, bad, back]


def test_a_deployment_s_own_rule_goes_before_the_group_s(landfall, playing):
    fleet = Fleet(landfall, hosts=1)
    rule(fleet, "DEPLOYMENT_FAILURE")
    [host] = playing(obedient(fleet))
    fleet.until(fleet.deploy("good.zip"), "Succeeded")
    host.held.add("ApplicationStop")
    bad = fleet.deploy("bad.zip", autoRollbackConfiguration={"enabled": False})
    host.broken.add(bad)
    host.held.clear()
    assert "rollbackInfo" not in ended(fleet, bad)
    assert set(event["status"] for event in fleet.target(bad, 0)["lifecycleEvents"][1:]) == {"Skipped"}
    assert len(EVENTS) == len(fleet.target(bad, 0)["lifecycleEvents"])


def test_what_is_deleted_before_the_start_is_named(landfall):
    fleet = Fleet(landfall, hosts=0)
    failed = fleet.until(fleet.deploy("one.zip"), "Failed")
    assert failed["errorInformation"]["message"].startswith(
        "The deployment failed because no instances were found for your deployment group. Check your deployment group "
        "settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups")
    assert failed["completeTime"] >= failed["createTime"]


def test_a_collection_leaves_what_a_rollback_needs(servers, playing):
    server = servers("enforce", "dummy", "--keep-deployments", "0d")
    fleet = Fleet(server, hosts=1)
    rule(fleet, "DEPLOYMENT_FAILURE")
    [host] = playing(obedient(fleet))
    old = fleet.deploy("old.zip")
    fleet.until(old, "Succeeded")
    good = fleet.deploy("good.zip", fileExistsBehavior="OVERWRITE")
    fleet.until(good, "Succeeded")
    fleet.until(fleet.deploy("other.zip", deploymentConfigName="CodeDeployDefault.HalfAtATime", autoRollbackConfiguration={"enabled": False}), "Failed")
    status, answer = ask(server, "CollectGarbage", dryRun=False)
    assert status == 200 and {"what": "deployments", "count": 2, "bytes": 0} in answer["removed"], answer
    listed = fleet.codedeploy.list_deployments(applicationName=fleet.name, deploymentGroupName="hosts")["deployments"]
    assert listed == [good]
    assert code(fleet.codedeploy.get_deployment, deploymentId=old) == "DeploymentDoesNotExistException"
    assert fleet.target(good, 0)["status"] == "Succeeded"
    host.broken = Everything()
    bad = fleet.deploy("bad.zip")
    back = fleet.until(bad, "Failed")["rollbackInfo"]["rollbackDeploymentId"]
    rolled = info(fleet, back)
    assert (rolled["revision"]["s3Location"]["key"], rolled["fileExistsBehavior"]) == ("good.zip", "OVERWRITE")
