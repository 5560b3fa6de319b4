"""What must hold at the end of the journey, wherever the server died on its way."""

import collections
import contextlib
import hashlib
import io
import json
import sqlite3
import zipfile

import pipelines
from conftest import git
from journey import HOSTS, SIDES, Journey, asked, published, site

EVENTS = {"ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart", "ValidateService"}
"""What a host runs in a deployment in place."""


def check(journey: Journey) -> None:
    executions = pipelines.executions(journey, "app")
    ran = {execution["pipelineExecutionId"]: pipelines.actions(journey, "app", execution["pipelineExecutionId"]) for execution in executions}
    check_executions(executions, ran)
    commits = {execution["pipelineExecutionId"]: execution["sourceRevisions"][0]["revisionId"] for execution in executions}
    assert [commits[execution["pipelineExecutionId"]] for execution in executions[::-1]] == journey.commits
    for execution, actions in ran.items():
        check_artifacts(journey, commits[execution], {action["actionName"]: action for action in actions})
    check_builds(journey)
    check_deployments(journey, ran)
    check_gate(journey)
    check_news(journey)


def check_executions(executions: list[dict], ran: dict[str, list[dict]]) -> None:
    """One execution for each trigger, each action once."""
    triggers = [execution["trigger"]["triggerType"] for execution in executions]
    assert triggers == ["PollForSourceChanges", "CreatePipeline"], triggers
    assert [execution["status"] for execution in executions] == ["Succeeded"] * 2, executions
    for execution, actions in ran.items():
        names = sorted((action["actionName"], action["status"]) for action in actions)
        assert names == sorted((name, "Succeeded") for name in ("Source", *SIDES, "Ask", "Deploy")), (execution, names)


def check_artifacts(journey: Journey, commit: str, actions: dict[str, dict]) -> None:
    """What the source and both builds put into the artifact store, byte by byte."""
    number = journey.commits.index(commit) + 1
    files = git(journey.folder, "ls-tree", "-r", "--name-only", commit).stdout.split()
    wanted = {name: git(journey.folder, "show", f"{commit}:{name}").stdout.encode() for name in files}
    assert unpacked(artifact(journey, actions["Source"])) == wanted
    builds = journey.client("codebuild")
    for side in SIDES:
        content = artifact(journey, actions[side])
        assert unpacked(content) == {"dummy.txt": f"{side}-{number}".encode()}
        [build] = builds.batch_get_builds(ids=[actions[side]["output"]["executionResult"]["externalExecutionId"]])["builds"]
        assert build["artifacts"]["sha256sum"] == hashlib.sha256(content).hexdigest()
        assert build["resolvedSourceVersion"] == commit


def artifact(journey: Journey, action: dict) -> bytes:
    [output] = action["output"]["outputArtifacts"]
    return journey.read(output["s3location"]["bucket"], output["s3location"]["key"])


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def journal(data_dir) -> list[dict]:
    """What the dummy was asked, in order."""
    return [json.loads(line) for line in (data_dir / "dummy/journal").read_text().splitlines()]


def asked_for(entries: list[dict], what: str) -> list[tuple[str, object]]:
    """The containers that were asked for this, each with what else was said."""
    pairs = [(entry["id"], entry["asked"]) for entry in entries]
    return [(container, asked[what]) for container, asked in pairs if isinstance(asked, dict) and what in asked]


def check_builds(journey: Journey) -> None:
    """Two builds a project, each in one container of its own; no container was started twice."""
    codebuild = journey.client("codebuild")
    builds = [build for side in SIDES for build in codebuild.list_builds_for_project(projectName=side)["ids"]]
    assert len(builds) == 2 * len(SIDES), builds
    assert {build["buildStatus"] for build in codebuild.batch_get_builds(ids=builds)["builds"]} == {"SUCCEEDED"}
    entries = journal(journey.server.data_dir)
    starts = collections.Counter(container for container, _ in asked_for(entries, "start"))
    assert set(starts.values()) == {1}, starts
    # Given again over a restart of the server, a job is in the same container.
    jobs = set(asked_for(entries, "job"))
    assert sorted(build for _, build in jobs) == sorted(builds), jobs
    assert len({container for container, _ in jobs}) == len(builds), jobs


def check_deployments(journey: Journey, ran: dict[str, list[dict]]) -> None:
    """One deployment for each execution, each event run once by each host, all on the revision that the left build made."""
    codedeploy = journey.client("codedeploy")
    deployments = codedeploy.list_deployments(applicationName="app", deploymentGroupName="web")["deployments"]
    made = {
        action["output"]["executionResult"]["externalExecutionId"]: action["input"]["inputArtifacts"][0]["s3location"]
        for actions in ran.values() for action in actions if action["actionName"] == "Deploy"}
    assert sorted(made) == sorted(deployments), (made, deployments)
    for deployment in deployments:
        info = codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        assert (info["status"], info["deploymentOverview"]["Succeeded"]) == ("Succeeded", len(HOSTS)), info
    for name, host in journey.hosts.items():
        assert host.troubles == [], name
        assert set(host.ran.values()) == {1}, (name, host.ran)
        events = collections.Counter(event for _, event in host.ran)
        assert events == dict.fromkeys(EVENTS, len(deployments)), (name, events)
        got = {execution.rpartition("/")[2].rpartition(":")[2]: place for execution, place in host.revisions.items()}
        assert got == {deployment: (place["bucket"], place["key"]) for deployment, place in made.items()}, (name, got)


def check_gate(journey: Journey) -> None:
    """Two executions, the first asked twice, and one rollback; each publication once, and nothing else in the bucket."""
    executions = pipelines.executions(journey, "gate")
    ended = [(execution["executionType"], execution["status"]) for execution in executions]
    assert ended == [("ROLLBACK", "Succeeded"), ("STANDARD", "Succeeded"), ("STANDARD", "Succeeded")], ended
    back, second, first = [execution["pipelineExecutionId"] for execution in executions]
    assert asked(journey, "gate", first) == ["Failed", "Succeeded"]
    done = [[action["actionName"] for action in pipelines.actions(journey, "gate", execution)] for execution in (first, second, back)]
    assert done == [["Object", "Ask", "Ask", "Publish"], ["Object", "Ask", "Publish"], ["Publish"]], done
    assert published(journey) == site("one")


def check_news(journey: Journey) -> None:
    """Every change was told once: no two events say the same of the same thing."""
    with contextlib.closing(sqlite3.connect(f"file:{journey.server.data_dir}/landfall.db?mode=ro", uri=True)) as database:
        events = [json.loads(body) for (body,) in database.execute("SELECT body FROM events ORDER BY sequence")]
    told = collections.Counter(what for what in map(news, events) if what)
    assert told
    twice = {what: count for what, count in told.items() if count > 1}
    assert not twice, twice


def news(event: dict) -> str | None:
    """What an event says that may be said once only."""
    detail = event["detail"]
    kind = event["detail-type"]
    if kind.startswith("CodePipeline"):
        names = ("execution-id", "stage", "action-execution-id", "state")
    elif kind == "CodeBuild Build State Change":
        names = ("build-id", "build-status")
    elif kind == "CodeBuild Build Phase Change":
        names = ("build-id", "completed-phase")
    elif kind.startswith("CodeDeploy"):
        names = ("deploymentId", "instanceId", "state")
    elif kind == "CodeCommit Repository State Change":
        names = ("repositoryId", "referenceFullName", "event", "commitId", "oldCommitId")
    else:
        return None
    said = {name: detail[name] for name in names if name in detail}
    return f"{kind} {json.dumps(said, sort_keys=True)}"
