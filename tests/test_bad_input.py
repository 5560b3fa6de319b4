"""Hostile archives, malformed buildspecs and appspecs, and names of what is not there: refused with a clear sentence."""

import io
import pathlib
import stat
import tarfile
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

import pipelines
from conftest import ACCOUNT, REGION, eventually
from hosts import Host

OUTSIDE = pathlib.Path("/tmp") / f"landfall-outside-{uuid.uuid4().hex}"
"""Where the hostile archives want to write: a folder that builds, hosts and this machine have in common."""

UP = "../" * 12
GOOD = {
    "buildspec.yml": "version: 0.2\nphases: {build: {commands: ['ls -lR']}}\n",
    "appspec.yml": "version: 0.0\nos: linux\nfiles: [{source: /, destination: /opt/bad-input}]\n",
}
Entry = tuple[str, str | None, str]
"""A name, what it links to if it is a link, and its content."""

HOSTILE: dict[str, list[Entry]] = {
    "up": [(f"{UP}tmp/{OUTSIDE.name}", None, "x")],
    "up-in-the-middle": [(f"a/b/../../{UP}tmp/{OUTSIDE.name}", None, "x")],
    "absolute": [(str(OUTSIDE), None, "x")],
    "link-out": [("out", "/tmp", ""), (f"out/{OUTSIDE.name}", None, "x")],
    "relative-link-out": [("out", f"{UP}tmp", ""), (f"out/{OUTSIDE.name}", None, "x")],
    "link-to-a-link": [("d/one", "..", ""), ("two", "d/one/../../../../../../../../tmp", ""), (f"two/{OUTSIDE.name}", None, "x")],
}


def zipped(entries: list[Entry]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, target, text in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = ((stat.S_IFLNK | 0o777) if target else (stat.S_IFREG | 0o644)) << 16
            archive.writestr(info, target or text)
    return content.getvalue()


def tarred(entries: list[Entry], mode: str = "w") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, target, text in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = (tarfile.SYMTYPE, target, 0) if target else (tarfile.REGTYPE, "", len(text))
            archive.addfile(info, io.BytesIO(text.encode()))
    return content.getvalue()


def packed(kind: str, entries: list[Entry]) -> bytes:
    """With a good buildspec and appspec before the hostile entries."""
    everything = [(name, None, text) for name, text in GOOD.items()] + entries
    return zipped(everything) if kind == "zip" else tarred(everything, "w:gz" if kind == "tgz" else "w")


@pytest.fixture(scope="module")
def bucket(client):
    client("s3").create_bucket(Bucket="bad-input")
    return "bad-input"


@pytest.fixture(scope="module")
def project(landfall, bucket):
    place = {"type": "S3", "location": f"{bucket}/source.zip"}
    pipelines.project(landfall, "bad-input", source=place, artifacts={"type": "NO_ARTIFACTS"})
    return "bad-input"


def build(landfall, project: str, **overrides) -> dict:
    codebuild = landfall.client("codebuild")
    identifier = codebuild.start_build(projectName=project, **overrides)["build"]["id"]

    def ended():
        [found] = codebuild.batch_get_builds(ids=[identifier])["builds"]
        return found["buildComplete"] and found

    return eventually(ended, 60, f"the end of {identifier}")


def trouble(build: dict) -> tuple[str, dict]:
    """The first phase that failed and its context."""
    [*_, phase] = [phase for phase in build["phases"] if phase.get("phaseStatus") not in (None, "SUCCEEDED")]
    return phase["phaseType"], phase["contexts"][0]


@pytest.mark.parametrize("what", HOSTILE)
def test_a_source_that_wants_out_is_refused(landfall, project, bucket, what):
    landfall.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=packed("zip", HOSTILE[what]))
    ended = build(landfall, project)
    assert ended["buildStatus"] == "FAILED"
    phase, context = trouble(ended)
    assert phase == "DOWNLOAD_SOURCE" and any(name in context["message"] for name, _, _ in HOSTILE[what]), context
    assert not OUTSIDE.exists()


@pytest.mark.parametrize(
    "content", [b"", b"not an archive", b"PK\x03\x04" + b"\0" * 60, packed("zip", [])[:-30]], ids=["empty", "text", "header", "cut"])
def test_a_source_that_is_no_archive_fails_the_build(landfall, project, bucket, content):
    landfall.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=content)
    ended = build(landfall, project)
    phase, context = trouble(ended)
    assert (ended["buildStatus"], phase) == ("FAILED", "DOWNLOAD_SOURCE") and "zip" in context["message"].lower(), context


# Nine times nine times nine …: small to send, endless when it is unfolded.
LAUGHS = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True))

BUILDSPECS = {
    "an open quote": ("version: 0.2\nphases:\n  build:\n    commands:\n      - 'open\n  post_build: {}\n", "line 5, column 9"),
    "a tab": ("version: 0.2\nphases:\n\tbuild: {}\n", "line 3, column 2"),
    "another version": ("version: 9\nphases: {build: {commands: [x]}}\n", "Invalid buildspec version: 9"),
    "an unknown alias": ("a: &a [x]\nb: *missing\n", "line 2, column 4"),
    "a phase twice": ("version: 0.2\nphases: {build: {commands: [a]}, build: {commands: [b]}}\n", "build"),
    "too deep": ("[" * 5_000, "line 1, column 256"),
    "a billion laughs": (LAUGHS, "at line "),
    "no text": ("\x00\x01", "line 1, column 1"),
}


@pytest.mark.parametrize("what", BUILDSPECS)
def test_a_malformed_buildspec_is_located(landfall, project, bucket, what):
    spec, text = BUILDSPECS[what]
    landfall.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=zipped([("buildspec.yml", None, spec)]))
    ended = build(landfall, project)
    phase, context = trouble(ended)
    assert (ended["buildStatus"], phase, context["statusCode"]) == ("FAILED", "DOWNLOAD_SOURCE", "YAML_FILE_ERROR"), context
    assert text in context["message"], context


class Fleet:
    """One host that runs and a group over it."""

    def __init__(self, server, folder: pathlib.Path):
        self.codedeploy, self.s3 = server.client("codedeploy"), server.client("s3")
        self.host = Host(server, "bad-input-host", folder / "host", ("group", "bad-input"))
        self.codedeploy.create_application(applicationName="bad-input")
        self.codedeploy.create_deployment_group(
            applicationName="bad-input", deploymentGroupName="hosts", deploymentConfigName="CodeDeployDefault.AllAtOnce",
            onPremisesInstanceTagFilters=[{"Key": "group", "Value": "bad-input", "Type": "KEY_AND_VALUE"}],
            serviceRoleArn=pipelines.role(server, "bad-input-deploy", "codedeploy"))

    def deploy(self, content: bytes, kind: str = "zip") -> tuple[str, dict]:
        """How a deployment of this revision ends, and its last event."""
        self.s3.put_object(Bucket="bad-input", Key=f"release.{kind}", Body=content)
        place = {"bucket": "bad-input", "key": f"release.{kind}", "bundleType": kind}
        deployment = self.codedeploy.create_deployment(
            applicationName="bad-input", deploymentGroupName="hosts", fileExistsBehavior="OVERWRITE",
            revision={"revisionType": "S3", "s3Location": place})["deploymentId"]

        def ended():
            info = self.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
            return info["status"] in ("Succeeded", "Failed") and info["status"]

        status = eventually(ended, 60, f"the end of {deployment}")
        target = self.codedeploy.get_deployment_target(deploymentId=deployment, targetId="bad-input-host")
        events = [event for event in target["deploymentTarget"]["instanceTarget"]["lifecycleEvents"] if event["status"] == "Failed"]
        return status, (events or [{}])[0]


@pytest.fixture(scope="module")
def fleet(landfall, bucket, tmp_path_factory):
    fleet = Fleet(landfall, tmp_path_factory.mktemp("fleet"))
    yield fleet
    fleet.host.stop()


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_a_revision_that_wants_out_is_refused(fleet, kind):
    for what, entries in HOSTILE.items():
        status, event = fleet.deploy(packed(kind, entries), kind)
        assert (status, event.get("lifecycleEventName")) == ("Failed", "DownloadBundle"), (what, event)
        assert any(name in event["diagnostics"]["message"] for name, _, _ in entries), (what, event)
        assert not OUTSIDE.exists(), what
    assert fleet.deploy(packed(kind, []), kind)[0] == "Succeeded", "the host lives on"
    assert "appspec.yml" in fleet.host.run("ls", "/opt/bad-input")


@pytest.mark.parametrize("kind, target", [(tarfile.LNKTYPE, "/etc/shadow"), (tarfile.CHRTYPE, ""), (tarfile.FIFOTYPE, "")], ids=["link", "device", "pipe"])
def test_a_revision_of_more_than_files_is_refused(fleet, kind, target):
    content = io.BytesIO(tarred([(name, None, text) for name, text in GOOD.items()]))
    with tarfile.open(fileobj=content, mode="a") as archive:
        entry = tarfile.TarInfo("special")
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)
    status, event = fleet.deploy(content.getvalue(), "tar")
    assert (status, event["lifecycleEventName"]) == ("Failed", "DownloadBundle"), event
    assert (target or "special") in event["diagnostics"]["message"], event


APPSPECS = {
    "an open list": ("version: 0.0\nos: linux\nfiles:\n  - source: [a\n    destination: /opt/x\n", "line 4, column 13"),
    "an open quote": ("version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: 'x\n", "line 5, column 17"),
    "a wrong indent": ("version: 0.0\nos:\tlinux\n files: []\n", "line 3, column 7"),
    "another system": ("version: 0.0\nos: plan9\n", "invalid os value (plan9)"),
    "another version": ("version: 7.0\nos: linux\n", "invalid version value (7)"),
    "a script outside": ("version: 0.0\nos: linux\nhooks:\n  AfterInstall: [{location: ../../etc/passwd}]\n", "../../etc/passwd"),
    "a file outside": ("version: 0.0\nos: linux\nfiles: [{source: ../../../../etc/passwd, destination: /opt/x}]\n", "must lie in the bundle"),
    "a file that is not there": ("version: 0.0\nos: linux\nfiles: [{source: absent, destination: /opt/x}]\n", "absent is not in the bundle"),
}


@pytest.mark.parametrize("what", APPSPECS)
def test_a_malformed_appspec_is_located(fleet, what):
    appspec, text = APPSPECS[what]
    status, event = fleet.deploy(zipped([("appspec.yml", None, appspec)]))
    assert status == "Failed" and text in event["diagnostics"]["message"], event


def test_a_revision_without_an_appspec_or_that_is_no_archive(fleet):
    for content in (zipped([("other", None, "x")]), b"not an archive", b""):
        status, event = fleet.deploy(content)
        assert status == "Failed" and event["diagnostics"]["message"], event


# What does not fit together.


def test_what_is_not_there_is_said_in_each_services_shape(client, bucket):
    loose = lambda service: client(service, parameter_validation=False)
    other = f"arn:aws:codedeploy:{REGION}:999999999999:application:x"
    for service, method, members, code in [
        ("codebuild", "start_build", {"projectName": "absent"}, "ResourceNotFoundException"),
        ("codebuild", "stop_build", {"id": f"absent:{uuid.uuid4()}"}, "ResourceNotFoundException"),
        ("codebuild", "retry_build", {"id": f"absent:{uuid.uuid4()}"}, "ResourceNotFoundException"),
        ("codebuild", "update_project", {"name": "absent"}, "ResourceNotFoundException"),
        ("codecommit", "get_file", {"repositoryName": "absent", "filePath": "x"}, "RepositoryDoesNotExistException"),
        ("codecommit", "list_tags_for_resource", {"resourceArn": f"arn:aws:codecommit:{REGION}:999999999999:x"}, "InvalidResourceArnException"),
        ("codepipeline", "start_pipeline_execution", {"name": "absent"}, "PipelineNotFoundException"),
        ("codepipeline", "get_pipeline_state", {"name": "absent"}, "PipelineNotFoundException"),
        ("codepipeline", "list_pipeline_executions", {"pipelineName": "absent"}, "PipelineNotFoundException"),
        ("codepipeline", "list_action_executions", {"pipelineName": "absent"}, "PipelineNotFoundException"),
        ("codepipeline", "stop_pipeline_execution", {"pipelineName": "absent", "pipelineExecutionId": str(uuid.uuid4())}, "PipelineNotFoundException"),
        ("codedeploy", "create_deployment", {"applicationName": "absent"}, "ApplicationDoesNotExistException"),
        ("codedeploy", "stop_deployment", {"deploymentId": "d-AAAAAAAAA"}, "DeploymentDoesNotExistException"),
        ("codedeploy", "list_deployment_targets", {"deploymentId": "d-AAAAAAAAA"}, "DeploymentDoesNotExistException"),
        ("codedeploy", "register_on_premises_instance", {"instanceName": "x", "iamUserArn": other}, "InvalidIamUserArnException"),
        ("codedeploy", "add_tags_to_on_premises_instances", {"instanceNames": ["absent"], "tags": [{"Key": "a", "Value": "b"}]}, "InstanceNotRegisteredException"),
        ("logs", "get_log_events", {"logGroupName": "absent", "logStreamName": "x"}, "ResourceNotFoundException"),
        ("logs", "filter_log_events", {"logGroupName": "absent"}, "ResourceNotFoundException"),
        ("iam", "get_role", {"RoleName": "absent"}, "NoSuchEntity"),
        ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument"),
        ("sts", "assume_role", {"RoleArn": "nonsense", "RoleSessionName": "x"}, "ValidationError"),
        ("s3", "get_object", {"Bucket": "absent-bucket", "Key": "x"}, "NoSuchBucket"),
        ("s3", "get_object", {"Bucket": "bad-input", "Key": "absent"}, "NoSuchKey"),
        ("s3", "put_object", {"Bucket": "bad-input", "Key": "k" * 1025, "Body": b""}, "KeyTooLongError"),
        ("s3", "create_bucket", {"Bucket": "Not_A_Bucket"}, "InvalidBucketName"),
    ]:
        with pytest.raises(ClientError) as caught:
            getattr(loose(service), method)(**members)
        reply = caught.value.response
        assert reply["Error"]["Code"] == code and reply["Error"].get("Message"), (method, members, reply["Error"])
        assert 400 <= reply["ResponseMetadata"]["HTTPStatusCode"] < 500, method


def test_a_pipeline_of_what_does_not_exist_fails_and_says_so(landfall):
    pipelines.create(landfall, "bad-input", [pipelines.source("absent-repository"), pipelines.build("absent-project")])
    assert pipelines.finished(landfall, "bad-input")["status"] == "Failed"
    [action] = pipelines.actions(landfall, "bad-input")
    assert action["status"] == "Failed"
    assert "absent-repository" in action["output"]["executionResult"]["externalExecutionSummary"] or \
        "absent-repository" in action["output"]["executionResult"]["errorDetails"]["message"], action


def test_roles_that_cannot_be_assumed(enforcing):
    """Another account's, none at all, and no ARN of a role."""
    codebuild, codepipeline = enforcing.client("codebuild"), enforcing.client("codepipeline")
    environment = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}
    source = {"type": "NO_SOURCE", "buildspec": GOOD["buildspec.yml"]}
    project = {"name": "no-role", "source": source, "artifacts": {"type": "NO_ARTIFACTS"}, "environment": environment}
    absent = f"arn:aws:iam::{ACCOUNT}:role/absent"
    for role, code, text in [
        ("arn:aws:iam::999999999999:role/x", "InvalidStructureException", "arn:aws:iam::999999999999:role/x does not exist"),
        (absent, "InvalidStructureException", f"{absent} does not exist"),
        ("nonsense", "ValidationException", "pipeline.roleArn"),
    ]:
        declaration = {
            "name": "no-role", "roleArn": role, "artifactStore": {"type": "S3", "location": "bucket"},
            "stages": [pipelines.source("r"), pipelines.build("p")]}
        with pytest.raises(ClientError, match=text) as caught:
            codepipeline.create_pipeline(pipeline=declaration)
        assert caught.value.response["Error"]["Code"] == code
        if role != absent:
            with pytest.raises(codebuild.exceptions.InvalidInputException, match="Invalid service role"):
                codebuild.create_project(**project, serviceRole=role)
    # Like AWS, CodeBuild looks for the role when it needs it.
    codebuild.create_project(**project, serviceRole=absent)
    phase, context = trouble(build(enforcing, "no-role"))
    assert phase == "PROVISIONING" and f"not authorized to perform: sts:AssumeRole on {absent}" in context["message"]
