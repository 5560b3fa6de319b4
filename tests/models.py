"""What botocore's service models say of every built operation, and inputs made from it: good ones and broken ones.

No operation is named here: one that is built tomorrow is tried tomorrow.
"""

import contextlib
import functools
import http.client
import json
import re
import sqlite3
import subprocess
import urllib.parse

import botocore.session

from conftest import ACCOUNT, LANDFALL, REGION

MODELS = botocore.session.get_session()

COMMON_CODES = {"SerializationException", "ValidationException", "AccessDeniedException"}
"""Codes that any JSON service may answer, whatever its model declares (AWS, "Common Errors")."""

COMMON_QUERY_CODES = {"ValidationError", "MissingParameter", "MalformedInput", "AccessDenied", "InvalidParameterValue"}
"""The same for the Query protocol."""


UNDECLARED = {
    # The model of UpdatePipeline has no code for a pipeline that is not there; AWS's other operations have this one.
    ("CodePipeline", "UpdatePipeline"): {"PipelineNotFoundException"},
    # Two old operations declare no InvalidParameterException, by which CloudWatch Logs refuses malformed members.
    ("CloudWatch Logs", "ListTagsLogGroup"): {"InvalidParameterException"},
    ("CloudWatch Logs", "UntagLogGroup"): {"InvalidParameterException"},
}
"""Codes beside the model's, each with its reason."""


@functools.cache
def built() -> dict[str, list[str]]:
    """The operations that the binary says it serves, by service."""
    text = subprocess.run([LANDFALL, "api", "coverage", "--json"], capture_output=True, check=True).stdout
    return {service: found["built"] for service, found in json.loads(text).items() if found["built"]}


def services(protocol: str) -> list[str]:
    """The services with built operations that speak `json` or `query`."""
    return [service for service in built() if protocol in MODELS.get_service_model(service).metadata["protocols"]]


def declared(operation) -> set[str]:
    """The error codes that the model has for an operation, and those that need no declaration."""
    common = COMMON_QUERY_CODES if "query" in operation.service_model.metadata["protocols"] else COMMON_CODES
    common = common | UNDECLARED.get((operation.service_model.service_id, operation.name), set())
    return common | {shape.error_code for shape in operation.error_shapes} | {shape.name for shape in operation.error_shapes}


class Raw:
    """Requests over one connection that is kept: no client in between that would check or repeat.

    `account` and `region` are what the caller signs for; nothing checks signatures in open mode.
    """

    def __init__(self, server, account: str = ACCOUNT, region: str = REGION):
        address = urllib.parse.urlparse(server.endpoint)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        self.account, self.region = account, region

    def signed(self, service: str) -> dict[str, str]:
        """Headers of a request whose signature nobody looks at."""
        scope = f"Credential={self.account}/20260101/{self.region}/{service}/aws4_request"
        return {
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={'0' * 64}"}

    def send(self, body: bytes | str, headers: dict[str, str], method: str = "POST", path: str = "/") -> tuple[int, bytes]:
        """Any request; the connection must still be good for the next one."""
        self.connection.request(method, path, body, headers)
        reply = self.connection.getresponse()
        text = reply.read()
        assert reply.getheader("x-amzn-requestid") or reply.getheader("x-amz-request-id"), (reply.status, text[:200])
        return reply.status, text

    def ask(self, service: str, operation: str, body: object) -> tuple[int, dict]:
        """A JSON operation: the status and the members of the answer."""
        status, text = self.send(body if isinstance(body, bytes) else json.dumps(body), self.headers(service, operation))
        return status, json.loads(text or b"{}")

    def headers(self, service: str, operation: str) -> dict[str, str]:
        metadata = MODELS.get_service_model(service).metadata
        return {
            **self.signed(metadata.get("signingName", metadata["endpointPrefix"])),
            "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}",
            "X-Amz-Target": f"{metadata['targetPrefix']}.{operation}"}

    def query(self, service: str, operation: str, members: dict) -> tuple[int, str, str]:
        """A Query operation: the status, the error's code and its message."""
        fields = {"Action": operation, "Version": MODELS.get_service_model(service).api_version, **flat(members)}
        return self.form(service, urllib.parse.urlencode(fields))

    def form(self, service: str, body: bytes | str) -> tuple[int, str, str]:
        """A form that may be anything."""
        status, text = self.send(body, {**self.signed(service), "Content-Type": "application/x-www-form-urlencoded"})
        found = [re.search(f"<{tag}>(.*?)</{tag}>".encode(), text, re.DOTALL) for tag in ("Code", "Message")]
        return status, *(match.group(1).decode() if match else "" for match in found)

    def call(self, service: str, operation: str, members: dict) -> tuple[int, str, str]:
        """An operation of either protocol: the status, the error's code and its message."""
        if "query" in MODELS.get_service_model(service).metadata["protocols"]:
            return self.query(service, operation, members)
        status, answer = self.ask(service, operation, members)
        return status, answer.get("__type", ""), answer.get("message", answer.get("Message", ""))


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


def sample(shape, member: str = "", known: dict | None = None) -> object:
    """A value that the model allows, with its required members only; `known` has values by the member's name."""
    if known and member in known:
        return known[member]
    match shape.type_name:
        case "structure":
            wanted = set(shape.required_members) | (known or {}).keys() & shape.members.keys()
            return {name: sample(inner, name, known) for name, inner in shape.members.items() if name in wanted}
        case "list":
            return [sample(shape.member, member.removesuffix("s"), known)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {sample(shape.key): sample(shape.value, "", known)}
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
                yield f"{path}.{name}: null", {**sample(shape), name: None}
        return
    yield f"{path}: wrong type", 7 if kind in ("string", "blob", "list", "map") else {"a": []}
    yield from BROKEN.get(kind, number_violations)(shape, path, limits)


def list_violations(shape, path: str, limits: dict):
    yield from (((what, [value]) for what, value in violations(shape.member, f"{path}[0]")))
    if "max" in limits:
        yield f"{path}: too many", [sample(shape.member)] * (limits["max"] + 1)
    if limits.get("min"):
        yield f"{path}: too few", []


def map_violations(shape, path: str, limits: dict):
    yield from (((what, {"sample": value}) for what, value in violations(shape.value, f"{path}.sample")))
    if "max" in limits:
        yield f"{path}: too many", {f"sample{number}": sample(shape.value) for number in range(limits["max"] + 1)}


def string_violations(shape, path: str, limits: dict):
    if "max" in limits and limits["max"] < 1_000_000:
        yield f"{path}: too long", "x" * (limits["max"] + 1)
    if limits.get("min"):
        yield f"{path}: too short", "x" * (limits["min"] - 1)
    if shape.enum:
        yield f"{path}: unknown enum", "NO_SUCH_VALUE"
    if off_pattern(limits.get("pattern")):
        yield f"{path}: off pattern", off_pattern(limits["pattern"])


def number_violations(shape, path: str, limits: dict):
    if shape.type_name == "boolean":
        yield f"{path}: a text", "true"
        return
    if shape.type_name not in ("integer", "long"):
        return
    yield f"{path}: a fraction", 1.5
    yield f"{path}: beyond its type", 2**70
    if "max" in limits:
        yield f"{path}: too large", int(limits["max"]) + 1
    if "min" in limits:
        yield f"{path}: too small", int(limits["min"]) - 1


BROKEN = {"list": list_violations, "map": map_violations, "string": string_violations, "blob": lambda *_: ()}


def off_pattern(pattern: str | None) -> str | None:
    """A short string that the pattern does not take, if there is one."""
    candidates = ("\u0001", " \n ", "!!", "~")
    return next((text for text in candidates if pattern and not takes(pattern, text)), None)


def takes(pattern: str, text: str) -> bool:
    """Whether a Java pattern takes the whole text; Python has no Unicode classes such as `\\p{L}`."""
    return re.fullmatch(re.sub(r"\\p\{\w+\}", r"\\w", pattern), text) is not None


def state(server) -> set[tuple]:
    """Every document of a server with its version, and every event: equal states mean that nothing was written."""
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir}/landfall.db?mode=ro", uri=True)) as database:
        documents = database.execute("SELECT kind, account, region, key, version FROM documents").fetchall()
        events = database.execute("SELECT 'event', sequence FROM events").fetchall()
    return set(documents) | set(events)
