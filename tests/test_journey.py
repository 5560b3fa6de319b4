"""The demo's journey by unmodified clients, with signatures checked."""

import json
import re
import shutil

import pipelines
from conftest import ROOT, commit_and_push, git
from hosts import Host

NAME = "hello-service"
EXAMPLE = ROOT / "examples" / NAME


def push(server, folder, version: str) -> str:
    (folder / "VERSION").write_text(version + "\n")
    # A signature is good for fifteen minutes: each push makes its own.
    git(folder, "remote", "set-url", "origin", server.clone_url(NAME))
    return commit_and_push(folder, {}, f"version {version}")


def served(hosts) -> set[str]:
    pages = {host.run("/opt/hello-service/hello-service", "fetch", "127.0.0.1:8080") for host in hosts}
    return {re.search(r"version ([0-9.]+[0-9])", page).group(1) for page in pages}


def test_from_push_to_running_release(enforcing, tmp_path_factory):
    # Longer than 2 s: three small compiles and six deployments to hosts.
    server, tmp_path = enforcing, tmp_path_factory.mktemp("journey")
    folder = tmp_path / NAME
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("target"))
    server.client("codecommit").create_repository(repositoryName=NAME)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", server.clone_url(NAME))
    first = push(server, folder, "1.0.0")

    pipelines.project(server, NAME)
    codedeploy = server.client("codedeploy")
    codedeploy.create_application(applicationName=NAME)
    codedeploy.create_deployment_group(
        applicationName=NAME, deploymentGroupName="hosts", deploymentConfigName="CodeDeployDefault.OneAtATime",
        onPremisesInstanceTagFilters=[{"Key": "group", "Value": "hosts", "Type": "KEY_AND_VALUE"}],
        serviceRoleArn=pipelines.role(server, f"{NAME}-deploy", "codedeploy"),
    )
    hosts = [Host(server, name, tmp_path / name, ("group", "hosts")) for name in ("host-1", "host-2")]
    try:
        stages = json.loads((EXAMPLE / "pipeline.json").read_text())["pipeline"]["stages"]
        pipelines.create(server, NAME, stages)
        execution = pipelines.finished(server, NAME, 1)
        assert execution["status"] == "Succeeded", [host.log.name for host in hosts]
        assert execution["trigger"]["triggerType"] == "CreatePipeline"
        assert execution["sourceRevisions"][0]["revisionId"] == first
        assert served(hosts) == {"1.0.0"}

        push(server, folder, "2.0.0")
        execution = pipelines.finished(server, NAME, 2)
        assert execution["status"] == "Succeeded"
        assert served(hosts) == {"2.0.0"}

        push(server, folder, "three")
        execution = pipelines.finished(server, NAME, 3)
        assert execution["status"] == "Failed"
        ended = {action["stageName"]: action["status"] for action in pipelines.actions(server, NAME, execution["pipelineExecutionId"])}
        assert ended == {"Source": "Succeeded", "Build": "Failed"}
        assert "exit status" in pipelines.log(server, NAME)
        assert served(hosts) == {"2.0.0"}

        # One host after another, each with the whole lifecycle.
        deployments = codedeploy.list_deployments(applicationName=NAME, deploymentGroupName="hosts")["deployments"]
        assert len(deployments) == 2
        for deployment in deployments:
            targets = codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
            found = codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=targets)["deploymentTargets"]
            spans = []
            for target in found:
                events = target["instanceTarget"]["lifecycleEvents"]
                assert [event["status"] for event in events] == ["Succeeded"] * len(events)
                spans.append((min(event["startTime"] for event in events if "startTime" in event),
                              max(event["endTime"] for event in events if "endTime" in event)))
            spans.sort()
            assert len(spans) == 2 and spans[0][1] <= spans[1][0]
    finally:
        for host in hosts:
            host.stop()
