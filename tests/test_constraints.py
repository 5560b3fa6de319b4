"""Every constraint of every built operation, broken: AWS's error shape, a sentence that names the member, and no 5xx.

The cases come from botocore's own service models.
"""

import http.client
import json
import re
import subprocess
import urllib.parse

import botocore.session
import pytest

from conftest import ACCOUNT, LANDFALL, REGION

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
