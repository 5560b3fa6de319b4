"""CodePipeline as boto3 sees it: sources, builds, artifacts, superseding, variables, stopping."""

import io
import time
import uuid
import zipfile

import pytest

import pipelines
from conftest import commit_and_push, eventually, working_copy

BUILDSPEC = """
version: 0.2
env:
  exported-variables: [VERSION]
phases:
  build:
    commands:
      - export VERSION=$(cat version.txt)
      - echo "revision=$CODEBUILD_RESOLVED_SOURCE_VERSION by=$CODEBUILD_INITIATOR"
      - sh step.sh
artifacts:
  files: ['version.txt']
"""

TESTSPEC = """
version: 0.2
phases:
  build:
    commands:
      - echo "tests=$WANTED revision=$CODEBUILD_RESOLVED_SOURCE_VERSION message=$MESSAGE"
      - test "$(cat version.txt)" = "$WANTED"
"""


SLOW = {"step.sh": "sleep 6\n"}
"""A build long enough to be superseded behind, or stopped."""


def names() -> str:
    return f"p-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def name(landfall, tmp_path):
    """A repository, its working copy in tmp_path/work, and a project, all of this name."""
    name = names()
    landfall.client("codecommit").create_repository(repositoryName=name)
    files = {"buildspec.yml": BUILDSPEC, "version.txt": "1\n", "step.sh": "true\n"}
    working_copy(tmp_path / "work", landfall.clone_url(name), files)
    pipelines.project(landfall, name)
    return name


def states(landfall, name) -> dict:
    """Stage name → stage state."""
    found = landfall.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    return {stage["stageName"]: stage for stage in found}


def statuses(landfall, name) -> list[str]:
    """Oldest first."""
    return [execution["status"] for execution in pipelines.executions(landfall, name)][::-1]


def test_a_commit_becomes_artifacts_variables_and_history(landfall, name, tmp_path):
    codepipeline = landfall.client("codepipeline")
    wanted = '[{"name":"WANTED","value":"#{BuildVariables.VERSION}"},{"name":"MESSAGE","value":"#{SourceVariables.CommitMessage}"}]'
    pipelines.project(landfall, f"{name}-test", source={"type": "CODEPIPELINE", "buildspec": TESTSPEC})
    commit = commit_and_push(tmp_path / "work", {"version.txt": "7\n"}, 'say "seven"')
    build = pipelines.build(name)
    build["actions"][0]["namespace"] = "BuildVariables"
    test = pipelines.action("Test", "Test", "CodeBuild", {"ProjectName": f"{name}-test", "EnvironmentVariables": wanted}, ["Release"])
    pipelines.create(landfall, name, [pipelines.source(name), build, {"name": "Test", "actions": [test]}])
    execution = pipelines.finished(landfall, name)
    assert execution["status"] == "Succeeded", (pipelines.actions(landfall, name), pipelines.log(landfall, name))
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    assert execution["sourceRevisions"][0]["revisionId"] == commit

    source, built, tested = pipelines.actions(landfall, name)
    assert source["output"]["outputVariables"]["CommitId"] == commit
    assert source["output"]["outputVariables"]["BranchName"] == "main"
    assert built["output"]["outputVariables"] == {"VERSION": "7"}
    assert built["output"]["executionResult"]["externalExecutionId"].startswith(f"{name}:")
    assert '"value":"7"' in tested["input"]["resolvedConfiguration"]["EnvironmentVariables"]
    assert "#{BuildVariables.VERSION}" in tested["input"]["configuration"]["EnvironmentVariables"]

    place = built["output"]["outputArtifacts"][0]["s3location"]
    assert place["bucket"] == f"{name}-artifacts"
    pipeline_part, artifact_part, random_part = place["key"].split("/")
    assert (pipeline_part, artifact_part, len(random_part)) == (name[:20], "Release", 7)
    content = landfall.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).read("version.txt") == b"7\n"

    assert f"revision={commit} by=codepipeline/{name}" in pipelines.log(landfall, name)
    assert f'tests=7 revision={commit} message=say "seven"' in pipelines.log(landfall, f"{name}-test")

    shown = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution["pipelineExecutionId"])
    revisions = shown["pipelineExecution"]["artifactRevisions"]
    assert [(revision["name"], revision["revisionId"]) for revision in revisions] == [("Source", commit)]
    state = states(landfall, name)
    assert [stage["latestExecution"]["status"] for stage in state.values()] == ["Succeeded"] * 3
    assert state["Source"]["actionStates"][0]["currentRevision"]["revisionId"] == commit
    assert "inboundTransitionState" not in state["Source"] and state["Build"]["inboundTransitionState"]["enabled"]


def test_a_push_starts_it_unless_polling_is_off(landfall, name, tmp_path):
    quiet = names()
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name)])
    pipelines.create(landfall, quiet, [pipelines.source(name, PollForSourceChanges="false"), pipelines.build(name)])
    pipelines.finished(landfall, name)
    pipelines.finished(landfall, quiet)
    commit = commit_and_push(tmp_path / "work", {"version.txt": "2\n"})
    execution = pipelines.finished(landfall, name, 2)
    assert execution["trigger"]["triggerType"] == "PollForSourceChanges"
    assert execution["sourceRevisions"][0]["revisionId"] == commit
    assert len(pipelines.executions(landfall, name)) == 2, "one push, one execution"
    assert len(pipelines.executions(landfall, quiet)) == 1
    landfall.client("codepipeline").start_pipeline_execution(name=quiet)
    assert pipelines.finished(landfall, quiet, 2)["sourceRevisions"][0]["revisionId"] == commit


def test_a_failing_build_stops_there_and_says_why(landfall, name, tmp_path):
    commit_and_push(tmp_path / "work", {"step.sh": "exit 3\n"})
    deploy = pipelines.action("Never", "Deploy", "CodeDeploy", {"ApplicationName": "a", "DeploymentGroupName": "g"}, ["Release"])
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name), {"name": "Deploy", "actions": [deploy]}])
    assert pipelines.finished(landfall, name)["status"] == "Failed"
    state = states(landfall, name)
    latest = state["Build"]["actionStates"][0]["latestExecution"]
    assert latest["status"] == "Failed"
    assert latest["summary"] == "Build terminated with state: FAILED"
    assert latest["errorDetails"]["code"] == "JobFailed"
    assert "latestExecution" not in state["Deploy"]


def test_a_new_object_starts_an_s3_source(landfall, tmp_path):
    name, s3 = names(), landfall.client("s3")
    s3.create_bucket(Bucket=f"{name}-inbox")
    s3.put_bucket_versioning(Bucket=f"{name}-inbox", VersioningConfiguration={"Status": "Enabled"})
    pipelines.project(landfall, name)

    def upload(version: str) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path, text in {"buildspec.yml": BUILDSPEC, "version.txt": version, "step.sh": "true"}.items():
                archive.writestr(path, text)
        return s3.put_object(Bucket=f"{name}-inbox", Key="app.zip", Body=content.getvalue())["VersionId"]

    first = upload("1")
    settings = {"S3Bucket": f"{name}-inbox", "S3ObjectKey": "app.zip"}
    source = {"name": "Source", "actions": [pipelines.action("Object", "Source", "S3", settings, outputs=["Source"])]}
    build = pipelines.build(name)
    build["actions"][0]["namespace"] = "B"
    pipelines.create(landfall, name, [source, build])
    execution = pipelines.finished(landfall, name)
    assert execution["status"] == "Succeeded", pipelines.actions(landfall, name)
    assert execution["sourceRevisions"][0]["revisionId"] == first
    second = upload("2")
    execution = pipelines.finished(landfall, name, 2)
    assert execution["sourceRevisions"][0]["revisionId"] == second
    assert execution["sourceRevisions"][0]["revisionSummary"] == f"Amazon S3 version id: {second}"
    newest = pipelines.actions(landfall, name, execution["pipelineExecutionId"])
    assert newest[1]["output"]["outputVariables"] == {"VERSION": "2"}


def test_a_newer_execution_supersedes_the_waiting_one(landfall, name, tmp_path):
    commit_and_push(tmp_path / "work", SLOW)
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name)])
    eventually(lambda: "latestExecution" in states(landfall, name)["Build"], what="the first build")
    codepipeline = landfall.client("codepipeline")
    second = codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    waiting = eventually(lambda: states(landfall, name)["Build"].get("inboundExecution"), what="the waiting execution")
    assert waiting["pipelineExecutionId"] == second
    codepipeline.start_pipeline_execution(name=name)
    eventually(lambda: statuses(landfall, name) == ["InProgress", "Superseded", "InProgress"], what="the superseding")
    assert pipelines.finished(landfall, name, 3)["status"] == "Succeeded"
    assert statuses(landfall, name) == ["Succeeded", "Superseded", "Succeeded"]


def test_stop_and_wait_and_stop_and_abandon(landfall, name, tmp_path):
    commit_and_push(tmp_path / "work", SLOW)
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name)])
    execution = pipelines.executions(landfall, name)[0]["pipelineExecutionId"]
    eventually(lambda: "latestExecution" in states(landfall, name)["Build"], what="the build")
    stop = {"pipelineName": name, "pipelineExecutionId": execution, "reason": "wrong"}
    codepipeline.stop_pipeline_execution(**stop)
    assert statuses(landfall, name) == ["Stopping"]
    with pytest.raises(codepipeline.exceptions.DuplicatedStopRequestException):
        codepipeline.stop_pipeline_execution(**stop)
    started = time.monotonic()
    codepipeline.stop_pipeline_execution(**stop, abandon=True)
    assert statuses(landfall, name) == ["Stopped"] and time.monotonic() - started < 3
    assert [action["status"] for action in pipelines.actions(landfall, name)] == ["Succeeded", "Abandoned"]
    assert pipelines.executions(landfall, name)[0]["stopTrigger"]["reason"] == "wrong"
    with pytest.raises(codepipeline.exceptions.PipelineExecutionNotStoppableException):
        codepipeline.stop_pipeline_execution(**stop)


def test_definitions_are_checked_kept_and_removed(landfall, name):
    codepipeline = landfall.client("codepipeline")
    with pytest.raises(codepipeline.exceptions.InvalidStructureException, match="minimum of 2 stages"):
        pipelines.create(landfall, name, [pipelines.source(name)])
    role = landfall.client("iam").get_role(RoleName=f"{name}-pipeline")["Role"]["Arn"]
    declaration = {
        "name": name, "roleArn": role, "artifactStore": {"type": "S3", "location": f"{name}-artifacts"},
        "stages": [pipelines.source(name, PollForSourceChanges="false"), pipelines.build(name)],
    }
    wrong = {**declaration, "stages": [declaration["stages"][0], pipelines.build(name, Typo="x")]}
    with pytest.raises(codepipeline.exceptions.InvalidActionDeclarationException, match="unknown configuration 'Typo'"):
        codepipeline.create_pipeline(pipeline=wrong)
    created = codepipeline.create_pipeline(pipeline=declaration, tags=[{"key": "team", "value": "a"}])
    assert created["pipeline"]["version"] == 1 and created["tags"] == [{"key": "team", "value": "a"}]
    with pytest.raises(codepipeline.exceptions.PipelineNameInUseException):
        codepipeline.create_pipeline(pipeline=declaration)
    assert name in {pipeline["name"] for page in codepipeline.get_paginator("list_pipelines").paginate() for pipeline in page["pipelines"]}
    shown = codepipeline.get_pipeline(name=name)
    assert shown["metadata"]["pipelineArn"].endswith(f":{name}")
    assert codepipeline.update_pipeline(pipeline=shown["pipeline"])["pipeline"]["version"] == 2
    assert codepipeline.get_pipeline(name=name, version=1)["pipeline"]["version"] == 1
    codepipeline.delete_pipeline(name=name)
    codepipeline.delete_pipeline(name=name)
    with pytest.raises(codepipeline.exceptions.PipelineNotFoundException):
        codepipeline.get_pipeline(name=name)


def test_a_client_token_starts_one_execution_and_history_is_paged(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name)])
    token = str(uuid.uuid4())
    ids = {codepipeline.start_pipeline_execution(name=name, clientRequestToken=token)["pipelineExecutionId"] for _ in range(3)}
    assert len(ids) == 1
    pipelines.finished(landfall, name, 2)
    pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=name, PaginationConfig={"PageSize": 1})
    history = [action for page in pages for action in page["actionExecutionDetails"]]
    assert len(history) == len({action["actionExecutionId"] for action in history}) >= 3
    mine = {"latestInPipelineExecution": {"pipelineExecutionId": ids.pop(), "startTimeRange": "Latest"}}
    found = codepipeline.list_action_executions(pipelineName=name, filter=mine)["actionExecutionDetails"]
    assert len(found) in (0, 2), "both actions, or none if it was superseded"
