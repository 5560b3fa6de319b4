"""Builds, with an unmodified boto3: real commands in the sandbox on image `host`."""

import io
import json
import zipfile

import botocore.exceptions
import pytest

import pipelines
from conftest import ACCOUNT, REGION, eventually, working_copy

NOTHING = "version: 0.2\nphases: {build: {commands: ['true']}}\n"


@pytest.fixture(scope="module")
def codebuild(client):
    return client("codebuild")


@pytest.fixture(scope="module")
def role(landfall):
    return pipelines.role(landfall, "builder", "codebuild")


@pytest.fixture(scope="module")
def project(codebuild, role):
    """One project that tests override; source and artifacts are none."""
    return codebuild.create_project(
        name="demo",
        source={"type": "NO_SOURCE", "buildspec": NOTHING},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )["project"]


def finished(codebuild, build_id: str, seconds: float = 60) -> dict:
    def done():
        [build] = codebuild.batch_get_builds(ids=[build_id])["builds"]
        return build["buildComplete"] and build

    return eventually(done, seconds, f"the end of {build_id}")


def run(codebuild, buildspec: str | None = None, **overrides) -> dict:
    if buildspec:
        overrides["buildspecOverride"] = buildspec
    return finished(codebuild, codebuild.start_build(projectName="demo", **overrides)["build"]["id"])


def log(client, build: dict) -> str:
    place = build["logs"]
    events = client("logs").filter_log_events(logGroupName=place["groupName"], logStreamNames=[place["streamName"]])["events"]
    return "".join(event["message"] for event in events)


def phase(build: dict, name: str) -> dict:
    [found] = [phase for phase in build["phases"] if phase["phaseType"] == name]
    return found


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_a_project_and_its_defaults(codebuild, project):
    assert project["arn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/demo"
    assert (project["timeoutInMinutes"], project["queuedTimeoutInMinutes"]) == (60, 480)
    assert project["cache"] == {"type": "NO_CACHE"} and project["badge"] == {"badgeEnabled": False}
    assert "demo" in codebuild.list_projects()["projects"]
    found = codebuild.batch_get_projects(names=["demo", "none"])
    assert found["projects"][0]["source"]["buildspec"] == NOTHING and found["projectsNotFound"] == ["none"]


def test_a_project_changes_and_goes(codebuild, role):
    codebuild.create_project(
        name="brief", source={"type": "S3", "location": "b/k.zip"}, artifacts={"type": "NO_ARTIFACTS"}, serviceRole=role,
        environment={"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"})
    assert codebuild.update_project(name="brief", description="new")["project"]["source"]["location"] == "b/k.zip"
    assert codebuild.batch_get_projects(names=["brief"])["projects"][0]["description"] == "new"
    codebuild.delete_project(name="brief")
    codebuild.delete_project(name="brief")
    assert codebuild.batch_get_projects(names=["brief"])["projects"] == []


def test_a_build_succeeds_and_its_log_can_be_read(client, codebuild, project):
    build = run(codebuild, """
version: 0.2
env:
  variables: {WHAT: world}
  exported-variables: [ANSWER]
phases:
  install:
    commands: [cd /tmp, 'greet() { echo "hello, $1"; }']
  build:
    commands: ['greet "$WHAT in $PWD"', 'export ANSWER=$((6 * 7))', 'echo "number $CODEBUILD_BUILD_NUMBER"']
""")
    assert build["buildStatus"] == "SUCCEEDED", log(client, build)
    assert [phase["phaseType"] for phase in build["phases"]] == [
        "SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD",
        "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED"]
    text = log(client, build)
    assert "hello, world in /tmp\n" in text and f"number {build['buildNumber']}\n" in text
    assert "[Container]" in text and "Entering phase BUILD" in text
    assert build["exportedEnvironmentVariables"] == [{"name": "ANSWER", "value": "42"}]
    assert build["id"] in codebuild.list_builds()["ids"]
    assert codebuild.list_builds_for_project(projectName="demo")["ids"][0] == build["id"]


def test_a_command_that_exits_3(client, codebuild, project):
    build = run(codebuild, """
version: 0.2
phases:
  build:
    commands: [echo start, exit 3]
    finally: [echo tidied]
  post_build:
    commands: ['echo "succeeding=$CODEBUILD_BUILD_SUCCEEDING"']
""")
    assert build["buildStatus"] == "FAILED"
    assert phase(build, "BUILD")["contexts"] == [
        {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "Error while executing command: exit 3. Reason: exit status 3"}]
    assert "tidied\n" in log(client, build) and "succeeding=0\n" in log(client, build)


def test_the_log_of_a_running_build_is_live(client, codebuild, project):
    spec = "version: 0.2\nphases: {build: {commands: ['echo first', 'sleep 60']}}\n"
    build_id = codebuild.start_build(projectName="demo", buildspecOverride=spec)["build"]["id"]

    def first():
        [build] = codebuild.batch_get_builds(ids=[build_id])["builds"]
        return "groupName" in build["logs"] and "\nfirst\n" in log(client, build)

    eventually(first, 30, "the first line")
    assert codebuild.stop_build(id=build_id)["build"]["buildStatus"] == "IN_PROGRESS"
    build = finished(codebuild, build_id)
    assert build["buildStatus"] == "STOPPED" and phase(build, "BUILD")["phaseStatus"] == "STOPPED"


def test_the_role_of_a_build_reaches_aws(client, codebuild, project):
    client("s3").create_bucket(Bucket="from-builds")
    build = run(codebuild, """
version: 0.2
phases:
  build:
    commands:
      - aws sts get-caller-identity
      - echo built > out && aws s3 cp out s3://from-builds/out
""")
    assert build["buildStatus"] == "SUCCEEDED", log(client, build)
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/builder/AWSCodeBuild-" in log(client, build)
    assert client("s3").get_object(Bucket="from-builds", Key="out")["Body"].read() == b"built\n"


def test_a_zip_in_s3_becomes_artifacts_in_s3(client, codebuild, project):
    s3 = client("s3")
    s3.create_bucket(Bucket="sources")
    s3.create_bucket(Bucket="artifacts")
    spec = "version: 0.2\nphases: {build: {commands: ['mkdir o', 'tr a-z A-Z <in >o/out']}}\nartifacts: {files: '**/*', base-directory: o}\n"
    s3.put_object(Bucket="sources", Key="app.zip", Body=zipped({"ci/spec.yml": spec, "in": "text"}))
    source = {"sourceTypeOverride": "S3", "sourceLocationOverride": "sources/app.zip", "buildspecOverride": "ci/spec.yml"}
    place = {"type": "S3", "location": "artifacts", "path": "zip", "name": "app.zip", "packaging": "ZIP"}
    build = run(codebuild, artifactsOverride=place, **source)
    assert build["buildStatus"] == "SUCCEEDED", log(client, build)
    assert build["artifacts"]["location"] == "arn:aws:s3:::artifacts/zip/app.zip" and len(build["artifacts"]["sha256sum"]) == 64
    archive = zipfile.ZipFile(io.BytesIO(s3.get_object(Bucket="artifacts", Key="zip/app.zip")["Body"].read()))
    assert archive.namelist() == ["out"] and archive.read("out") == b"TEXT"
    build = run(codebuild, artifactsOverride={**place, "packaging": "NONE", "path": "files", "name": "/"}, **source)
    assert s3.get_object(Bucket="artifacts", Key="files/out")["Body"].read() == b"TEXT"


def test_a_repository_is_built_at_its_branch(landfall, client, codebuild, project, tmp_path):
    client("codecommit").create_repository(repositoryName="built")
    spec = "version: 0.2\nphases: {build: {commands: ['git log -1 --format=%s', 'echo at $CODEBUILD_RESOLVED_SOURCE_VERSION']}}\n"
    folder = working_copy(tmp_path / "built", landfall.clone_url("built"), {"buildspec.yml": spec})
    head = (folder / ".git/refs/heads/main").read_text().strip()
    url = f"https://git-codecommit.{REGION}.amazonaws.com/v1/repos/built"
    build = run(codebuild, "buildspec.yml", sourceTypeOverride="CODECOMMIT", sourceLocationOverride=url, sourceVersion="main")
    assert build["buildStatus"] == "SUCCEEDED", log(client, build)
    assert build["resolvedSourceVersion"] == head and f"at {head}\n" in log(client, build)
    assert "\nchange\n" in log(client, build)


@pytest.mark.parametrize("spec, text", [
    ("version: 0.2\nphases:\n  build:\n    commands: [a\n  install: {}\n", "at line 5, column "),
    ("version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n", "Expected Commands[0] to be of string type: found subkeys instead at line 5, column 9"),
    ("version: 0.2\nphases: {deploy: {commands: [x]}}\n", "Invalid buildspec phase name: deploy. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD"),
])
def test_a_malformed_buildspec(codebuild, project, spec, text):
    build = run(codebuild, spec)
    [context] = phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert build["buildStatus"] == "FAILED" and context["statusCode"] == "YAML_FILE_ERROR" and text in context["message"]


@pytest.mark.parametrize("call, code, text", [
    (lambda c: c.start_build(projectName="none"), "ResourceNotFoundException", f"Project cannot be found: arn:aws:codebuild:{REGION}:{ACCOUNT}:project/none"),
    (lambda c: c.batch_get_builds(ids=[]), "InvalidInputException", "ids"),
    (lambda c: c.stop_build(id="nonsense"), "InvalidInputException", "Invalid build ID provided"),
    (lambda c: c.start_build(projectName="demo", timeoutInMinutesOverride=1), "InvalidInputException", "timeoutInMinutesOverride"),
    (lambda c: c.start_build(projectName="demo", sourceTypeOverride="S3"), "InvalidInputException", "Project source location is required"),
    (lambda c: c.list_builds_for_project(projectName="none"), "ResourceNotFoundException", "does not exist"),
])
def test_errors_have_awss_shapes(landfall, project, call, code, text):
    # Without botocore's own checks the server has to make them.
    loose = landfall.client("codebuild", parameter_validation=False)
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(loose)
    error = raised.value.response["Error"]
    assert error["Code"] == code and text in error["Message"]


def test_builds_are_retried_and_deleted(codebuild, project):
    first = run(codebuild, "version: 0.2\nphases: {build: {commands: ['false']}}\n")
    second = finished(codebuild, codebuild.retry_build(id=first["id"])["build"]["id"])
    assert second["buildStatus"] == "FAILED" and second["buildNumber"] > first["buildNumber"]
    assert codebuild.batch_delete_builds(ids=[first["id"], second["id"]])["buildsDeleted"] == [first["arn"], second["arn"]]
    assert codebuild.batch_get_builds(ids=[first["id"]])["buildsNotFound"] == [first["id"]]


def test_a_token_starts_one_build(codebuild, project):
    builds = [codebuild.start_build(projectName="demo", idempotencyToken="once")["build"]["id"] for _ in range(2)]
    assert builds[0] == builds[1]
    finished(codebuild, builds[0])


def test_the_images_that_consoles_offer(codebuild):
    assert "aws/codebuild/standard:7.0" in json.dumps(codebuild.list_curated_environment_images()["platforms"])


def test_a_build_outlives_a_killed_server(servers):
    server = servers("open", "sandbox", "--image-map", "aws/codebuild/*=host")
    codebuild = server.client("codebuild")
    spec = "version: 0.2\nphases: {build: {commands: ['for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.5; done']}}\n"
    pipelines.project(server, "demo", source={"type": "NO_SOURCE", "buildspec": spec}, artifacts={"type": "NO_ARTIFACTS"})
    build_id = codebuild.start_build(projectName="demo")["build"]["id"]
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD", 30, "BUILD")
    running = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
    eventually(lambda: "tick 1\n" in log(server.client, running), 30, "the first line of output")
    server.kill()
    server.start()
    codebuild = server.client("codebuild")
    build = finished(codebuild, build_id)
    text = log(server.client, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    assert [f"tick {i}\n" in text for i in range(1, 7)] == [True] * 6


# Five builds, one after the other.
def test_a_failing_build_is_tried_again_where_its_buildspec_says_so(client, codebuild, project):
    """A phase's RETRY looks at the error; the tries name each other."""
    spec = "version: 0.2\nphases: {build: {on-failure: 'RETRY-1-exit status 3', commands: [exit 3]}}\n"
    first = run(codebuild, spec)
    assert first["buildStatus"] == "FAILED" and first["autoRetryConfig"]["autoRetryNumber"] == 0
    second = finished(codebuild, first["autoRetryConfig"]["nextAutoRetry"])
    assert second["autoRetryConfig"]["previousAutoRetry"] == first["arn"]
    assert (second["autoRetryConfig"]["autoRetryNumber"], second["buildStatus"]) == (1, "FAILED")
    assert second["buildNumber"] == first["buildNumber"] + 1 and "nextAutoRetry" not in second["autoRetryConfig"]
    other = run(codebuild, spec.replace("exit 3]", "exit 4]"))
    assert "autoRetryConfig" not in other, "another error"
    limited = run(codebuild, "version: 0.2\nphases: {build: {commands: [exit 5]}}\n", autoRetryLimitOverride=1)
    again = finished(codebuild, limited["autoRetryConfig"]["nextAutoRetry"])
    assert again["autoRetryConfig"] == {"autoRetryLimit": 1, "autoRetryNumber": 1, "previousAutoRetry": limited["arn"]}
