"""Bad input: AWS's error shape and a clear sentence, nothing done, and the server lives on."""

import http.client
import io
import json
import pathlib
import re
import stat
import subprocess
import tarfile
import urllib.parse
import uuid
import zipfile

import botocore.session
import pytest
from botocore.exceptions import ClientError

import pipelines
from conftest import ACCOUNT, LANDFALL, REGION, eventually
from hosts import Host

MODELS = botocore.session.get_session()
JSON_SERVICES = ("codebuild", "codecommit", "codedeploy", "codepipeline", "logs")
COMMON_CODES = {"SerializationException", "ValidationException"}
"""Codes that any JSON service may answer, whatever its model declares."""

STRINGS = ["", " ", "x" * 20_000, "../../etc/passwd", "a/../b", "\u0000", "line\nline", "ü€😀", "arn:aws:s3:::", "$(id)", "-rf", "%2e%2e", "'; --"]
"""Strings that have broken other servers."""


class Raw:
    """Requests over one connection that is kept: no client in between that would check or repeat."""

    def __init__(self, server):
        address = urllib.parse.urlparse(server.endpoint)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)

    def ask(self, service: str, operation: str, body: object) -> tuple[int, dict]:
        """The status and the members of the answer."""
        metadata = MODELS.get_service_model(service).metadata
        version = metadata["jsonVersion"]
        self.connection.request("POST", "/", body if isinstance(body, bytes) else json.dumps(body), {
            "Content-Type": f"application/x-amz-json-{version}",
            "X-Amz-Target": f"{metadata['targetPrefix']}.{operation}",
        })
        reply = self.connection.getresponse()
        text = reply.read()
        assert reply.getheader("x-amzn-requestid"), text
        return reply.status, json.loads(text or b"{}")


    def query(self, service: str, operation: str, members: dict) -> tuple[int, str, str]:
        """The same in AWS's Query protocol: the status, the error's code and its message."""
        scope = f"Credential=test/20260101/{REGION}/{service}/aws4_request"
        fields = {"Action": operation, "Version": MODELS.get_service_model(service).api_version, **flat(members)}
        self.connection.request("POST", "/", urllib.parse.urlencode(fields), {
            "Content-Type": "application/x-www-form-urlencoded", "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={'0' * 64}",
        })
        reply = self.connection.getresponse()
        text = reply.read().decode()
        found = [re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Code", "Message")]
        return reply.status, *(match.group(1) if match else "" for match in found)


def flat(value: object, path: str = "") -> dict[str, str]:
    """Members as fields of a form: `Tags.member.1.Key`."""
    match value:
        case dict():
            parts = {f"{path}.{name}".lstrip("."): inner for name, inner in value.items()}
        case list():
            parts = {f"{path}.member.{number}": inner for number, inner in enumerate(value, 1)}
        case _:
            return {path: json.dumps(value) if isinstance(value, bool) else str(value)}
    return {name: text for part, inner in parts.items() for name, text in flat(inner, part).items()}


def built() -> dict[str, list[str]]:
    """What the binary says that it serves."""
    text = subprocess.run([LANDFALL, "api", "coverage", "--json"], capture_output=True, check=True).stdout
    return {service: found["built"] for service, found in json.loads(text).items()}


def sample(shape, depth: int = 0) -> object:
    """A value that the model allows, with its required members only."""
    match shape.type_name:
        case "structure":
            return {name: sample(member, depth + 1) for name, member in shape.members.items() if name in shape.required_members}
        case "list":
            return [sample(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {sample(shape.key): sample(shape.value, depth + 1)}
        case "string" if shape.enum:
            return shape.enum[0]
        case "string":
            return text_for(shape)
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return "eA=="
        case _:
            return max(1, int(shape.metadata.get("min", 1)))


def text_for(shape) -> str:
    """A string of the model's length; most patterns take an ARN, a name or a digest."""
    least = shape.metadata.get("min", 1)
    arn = f"arn:aws:iam::{ACCOUNT}:role/sample"
    for text in ("sample", arn, "d" * 40, ACCOUNT, "AWS", "1"):
        text = text.ljust(least, "x")
        if takes(shape.metadata.get("pattern", ".*"), text):
            return text
    return "sample".ljust(least, "x")


def violations(shape, path: str = ""):
    """(what, value) for each way in which the model's constraints can be broken below this shape."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        yield f"{path}: a list", []
        for name, member in shape.members.items():
            if path.count(".") > 5:
                return
            for what, value in violations(member, f"{path}.{name}"):
                yield what, {**sample(shape), name: value}
            if name in shape.required_members:
                yield f"{path}.{name}: absent", {key: value for key, value in sample(shape).items() if key != name}
        return
    yield f"{path}: wrong type", 7 if kind in ("string", "blob", "list", "map") else {"a": []}
    if kind == "list":
        yield from (((what, [value]) for what, value in violations(shape.member, f"{path}[0]")))
        if "max" in limits:
            yield f"{path}: too many", [sample(shape.member)] * (limits["max"] + 1)
        if limits.get("min"):
            yield f"{path}: too few", []
    elif kind == "map":
        yield from (((what, {"sample": value}) for what, value in violations(shape.value, f"{path}.sample")))
    elif kind == "string":
        if "max" in limits and limits["max"] < 1_000_000:
            yield f"{path}: too long", "x" * (limits["max"] + 1)
        if limits.get("min"):
            yield f"{path}: too short", "x" * (limits["min"] - 1)
        if shape.enum:
            yield f"{path}: unknown enum", "NO_SUCH_VALUE"
        if off_pattern(limits.get("pattern")):
            yield f"{path}: off pattern", off_pattern(limits["pattern"])
    elif kind in ("integer", "long"):
        if "max" in limits:
            yield f"{path}: too large", int(limits["max"]) + 1
        if "min" in limits:
            yield f"{path}: too small", int(limits["min"]) - 1


def off_pattern(pattern: str | None) -> str | None:
    """A short string that the pattern does not take, if there is one."""
    candidates = ("\u0001", " \n ", "!!", "~")
    return next((text for text in candidates if pattern and not takes(pattern, text)), None)


def takes(pattern: str, text: str) -> bool:
    """Whether a Java pattern takes the whole text; Python has no Unicode classes such as `\\p{L}`."""
    return re.fullmatch(re.sub(r"\\p\{\w+\}", r"\\w", pattern), text) is not None


def cases(service: str, operations: list[str]):
    """(operation, declared codes, what is wrong, input)."""
    model = MODELS.get_service_model(service)
    for name in operations:
        operation = model.operation_model(name)
        declared = COMMON_CODES | {shape.error_code for shape in operation.error_shapes} | {shape.name for shape in operation.error_shapes}
        if operation.input_shape:
            for what, value in violations(operation.input_shape):
                yield name, declared, what, value


@pytest.fixture(scope="module")
def quiet(servers):
    """A server of its own: what slips through starts no container."""
    return servers("open", "dummy")


@pytest.mark.parametrize("service", JSON_SERVICES)
def test_every_member_of_every_built_operation_is_checked(quiet, service):
    raw, wrong = Raw(quiet), []
    for operation, declared, what, value in cases(service, built()[service]):
        status, answer = raw.ask(service, operation, value)
        code, message = answer.get("__type", ""), answer.get("message", answer.get("Message", ""))
        # The sentence names the member, so that nothing passes by being refused for another reason.
        member = re.findall(r"[A-Za-z]\w*", what.split(":")[0])[-1:] or [""]
        explained = code == "SerializationException" or member[0].lower() in message.lower()
        if not (400 <= status < 500 and code in declared and message and explained):
            wrong.append(f"{operation}{what} → {status} {code} {message[:100]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert quiet.get("/healthz")[0] == 200


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_every_member_of_every_built_query_operation_is_checked(quiet, service):
    raw, wrong = Raw(quiet), []
    for operation, declared, what, value in cases(service, built()[service]):
        # A form has texts only, and cannot say that a list is empty.
        if what.endswith(("a list", "wrong type", "too few")):
            continue
        status, code, message = raw.query(service, operation, value)
        if not (400 <= status < 500 and code in declared | {"ValidationError", "MissingParameter"} and message):
            wrong.append(f"{operation}{what} → {status} {code} {message[:100]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    for operation in built()[service]:
        for text in STRINGS:
            shape = MODELS.get_service_model(service).operation_model(operation).input_shape
            status, code, _ = raw.query(service, operation, texts(shape, text) if shape else {})
            assert status < 500, (operation, text, code)
    assert quiet.get("/healthz")[0] == 200


def texts(shape, value: str):
    """A value of this shape in which every string, and every number, is hostile."""
    match shape.type_name:
        case "structure":
            return {name: texts(member, value) for name, member in shape.members.items() if member.type_name in ("string", "integer", "long", "structure")}
        case "string":
            return value
        case "integer" | "long":
            return 2**31 - 1
        case _:
            return sample(shape)


@pytest.mark.parametrize("service", JSON_SERVICES)
def test_hostile_texts_never_break_an_operation(quiet, service):
    raw, model, wrong = Raw(quiet), MODELS.get_service_model(service), []
    for name in built()[service]:
        shape = model.operation_model(name).input_shape
        for text in STRINGS:
            bodies = [{member: text} for member, kind in shape.members.items() if kind.type_name == "string"]
            for body in [texts(shape, text), *({**sample(shape), **body} for body in bodies)]:
                status, answer = raw.ask(service, name, body)
                if status >= 500 and "__type" not in answer or answer.get("__type") in ("InternalFailure", "InternalError", "ServiceException"):
                    wrong.append(f"{name} {json.dumps(body)[:120]} → {status} {answer}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert quiet.get("/healthz")[0] == 200


# Archives, buildspecs and appspecs.

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
    assert phase == "DOWNLOAD_SOURCE" and HOSTILE[what][-1][0] in context["message"] or HOSTILE[what][0][0] in context["message"], context
    assert not OUTSIDE.exists()


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04" + b"\0" * 60, packed("zip", [])[:-30]])
def test_a_source_that_is_no_archive_fails_the_build(landfall, project, bucket, content):
    landfall.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=content)
    ended = build(landfall, project)
    phase, context = trouble(ended)
    assert (ended["buildStatus"], phase) == ("FAILED", "DOWNLOAD_SOURCE") and "zip" in context["message"].lower(), context


@pytest.mark.parametrize("spec, code, text", [
    ("version: 0.2\nphases:\n  build:\n    commands:\n      - 'open\n  post_build: {}\n", "YAML_FILE_ERROR", "line 5, column 9"),
    ("version: 0.2\nphases:\n\tbuild: {}\n", "YAML_FILE_ERROR", "line 3, column 2"),
    ("version: 9\nphases: {build: {commands: [x]}}\n", "YAML_FILE_ERROR", "version"),
    ("a: &a [x]\nb: *missing\n", "YAML_FILE_ERROR", "line 2, column 4"),
    ("version: 0.2\nphases: {build: {commands: [a]}, build: {commands: [b]}}\n", "YAML_FILE_ERROR", "build"),
    ("[" * 5_000, "YAML_FILE_ERROR", ""),
    ("a: &a [x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")), "YAML_FILE_ERROR", ""),
    ("\x00\x01", "YAML_FILE_ERROR", ""),
])
def test_a_malformed_buildspec_is_located(landfall, project, bucket, spec, code, text):
    landfall.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=zipped([("buildspec.yml", None, spec)]))
    ended = build(landfall, project)
    phase, context = trouble(ended)
    assert (ended["buildStatus"], phase, context["statusCode"]) == ("FAILED", "DOWNLOAD_SOURCE", code), context
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


@pytest.mark.parametrize("appspec, text", [
    ("version: 0.0\nos: linux\nfiles:\n  - source: [a\n    destination: /opt/x\n", "line 4, column 13"),
    ("version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: 'x\n", "line"),
    ("version: 0.0\nos:\tlinux\n files: []\n", "line"),
    ("version: 0.0\nos: plan9\n", "plan9"),
    ("version: 7.0\nos: linux\n", "7"),
    ("version: 0.0\nos: linux\nhooks:\n  AfterInstall: [{location: ../../etc/passwd}]\n", "../../etc/passwd"),
    ("version: 0.0\nos: linux\nfiles: [{source: absent, destination: /opt/x}]\n", "absent"),
    ("version: 0.0\nos: linux\nfiles: [{source: ../../../../etc/passwd, destination: /opt/x}]\n", "../../../../etc/passwd"),
])
def test_a_malformed_appspec_is_located(fleet, appspec, text):
    status, event = fleet.deploy(zipped([("appspec.yml", None, appspec)]))
    assert status == "Failed" and text in event["diagnostics"]["message"], event


def test_a_revision_without_an_appspec_or_that_is_no_archive(fleet):
    for content in (zipped([("other", None, "x")]), b"not an archive", b""):
        status, event = fleet.deploy(content)
        assert status == "Failed" and event["diagnostics"]["message"], event


# What does not fit together.


def test_what_is_not_there_is_said_in_each_services_shape(client):
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
        assert reply["Error"]["Code"] == code and reply["Error"]["Message"], (method, members, reply["Error"])
        assert 400 <= reply["ResponseMetadata"]["HTTPStatusCode"] < 500, method


def test_a_pipeline_of_what_does_not_exist_fails_and_says_so(landfall):
    pipelines.create(landfall, "bad-input", [pipelines.source("absent-repository"), pipelines.build("absent-project")])
    assert pipelines.finished(landfall, "bad-input")["status"] == "Failed"
    [action] = pipelines.actions(landfall, "bad-input")
    assert action["status"] == "Failed"
    assert "absent-repository" in action["output"]["executionResult"]["externalExecutionSummary"] or \
        "absent-repository" in action["output"]["executionResult"]["errorDetails"]["message"], action
