"""Deploy/CodeDeploy in a pipeline: it fails with what CodeDeploy says, what was there comes back, and a stop leaves it alone."""

import json

import pipelines
from codedeploy_host import Host
from conftest import eventually
from test_codedeploy import Fleet, playing  # noqa: F401 (a fixture)


class Moody(Host):
    """Its scripts fail while `fails` is set."""

    fails = False

    def insist(self, operation, **members):
        if operation == "PutHostCommandComplete" and self.fails:
            report = {"error_code": 4, "script_name": "start.sh", "message": "exit code 3", "log": ""}
            members |= {"CommandStatus": "Failed", "Diagnostics": {"Format": "JSON", "Payload": json.dumps(report)}}
        return super().insist(operation, **members)


def rollout(server, fleet: Fleet) -> None:
    """A pipeline from site.zip to the fleet, both of the fleet's name."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=f"{fleet.name}-inbox")
    s3.put_bucket_versioning(Bucket=f"{fleet.name}-inbox", VersioningConfiguration={"Status": "Enabled"})
    pipelines.upload(server, fleet.name, {"appspec.yml": "one"})
    settings = {"ApplicationName": fleet.name, "DeploymentGroupName": "hosts"}
    deploy = {"name": "Deploy", "actions": [pipelines.action("Hosts", "Deploy", "CodeDeploy", settings, ["Source"])]}
    pipelines.create(server, fleet.name, [pipelines.inbox(fleet.name), deploy])


def deployed(server, fleet: Fleet) -> dict:
    return pipelines.state(server, fleet.name)["Deploy"]["actionStates"][0].get("latestExecution", {})


def test_a_failing_deployment_fails_the_action_and_the_last_revision_comes_back(landfall, playing):  # noqa: F811
    fleet = Fleet(landfall, hosts=1, auto_rollback=True)
    [host] = playing(Moody(lambda: landfall.endpoint, *fleet.users[0]))
    rollout(landfall, fleet)
    assert pipelines.finished(landfall, fleet.name)["status"] == "Succeeded", pipelines.actions(landfall, fleet.name)
    assert deployed(landfall, fleet)["summary"] == "Deployment Succeeded"
    good = deployed(landfall, fleet)["externalExecutionId"]
    assert deployed(landfall, fleet)["externalExecutionUrl"].endswith(f"/deployments/{good}")

    host.fails = True
    pipelines.upload(landfall, fleet.name, {"appspec.yml": "two"})
    assert pipelines.finished(landfall, fleet.name, 2)["status"] == "Failed"
    failed = deployed(landfall, fleet)
    host.fails = False
    info = fleet.codedeploy.get_deployment(deploymentId=failed["externalExecutionId"])["deploymentInfo"]
    back = info["rollbackInfo"]["rollbackDeploymentId"]
    assert failed["errorDetails"]["code"] == "JobFailed"
    assert failed["summary"] == f"Deployment {failed['externalExecutionId']} failed"
    message = failed["errorDetails"]["message"]
    assert message.startswith(f"Deployment {failed['externalExecutionId']} failed") and back in message
    assert info["errorInformation"]["message"] in message
    eventually(lambda: fleet.status(back) in ("Succeeded", "Failed"), what="the end of the rollback")
    revision = fleet.codedeploy.get_deployment(deploymentId=back)["deploymentInfo"]["revision"]
    assert revision == fleet.codedeploy.get_deployment(deploymentId=good)["deploymentInfo"]["revision"]

    retry = {"pipelineName": fleet.name, "stageName": "Deploy", "retryMode": "FAILED_ACTIONS"}
    execution = pipelines.executions(landfall, fleet.name)[0]["pipelineExecutionId"]
    landfall.client("codepipeline").retry_stage_execution(**retry, pipelineExecutionId=execution)
    assert pipelines.finished(landfall, fleet.name, 2)["status"] == "Succeeded"
    assert deployed(landfall, fleet)["externalExecutionId"] not in (good, back, failed["externalExecutionId"])


def test_an_abandoned_deployment_goes_on_without_its_pipeline(landfall, playing):  # noqa: F811
    fleet = Fleet(landfall, hosts=1)
    rollout(landfall, fleet)
    deployment = eventually(lambda: deployed(landfall, fleet).get("externalExecutionId"), what="the deployment")
    execution = pipelines.executions(landfall, fleet.name)[0]["pipelineExecutionId"]
    landfall.client("codepipeline").stop_pipeline_execution(
        pipelineName=fleet.name, pipelineExecutionId=execution, abandon=True)
    assert pipelines.executions(landfall, fleet.name)[0]["status"] == "Stopped"
    assert deployed(landfall, fleet)["status"] == "Abandoned"
    playing(fleet.agent(0))
    fleet.until(deployment, "Succeeded")
    assert deployed(landfall, fleet)["status"] == "Abandoned"
