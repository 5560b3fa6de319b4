"""The host agents' protocol given what no agent sends. It is in no public model, so its members are listed here."""

import base64
import itertools
import json
import random

import pytest

from conftest import ACCOUNT, REGION
from models import Raw, state

HOST = f"arn:aws:iam::{ACCOUNT}:user/sample"
EXECUTION = f"CodeDeploy/{REGION}/prod/arn:aws:codedeploy:{REGION}:{ACCOUNT}:deployment/d-AAAAAAAAA"
COMMAND = base64.urlsafe_b64encode(json.dumps({"d": "d-AAAAAAAAA", "t": "sample", "e": 0}).encode()).decode().rstrip("=")
ENVELOPE = {"Format": "JSON", "Payload": "{}"}

MEMBERS = {
    "PollHostCommand": {"HostIdentifier": HOST},
    "GetDeploymentSpecification": {"DeploymentExecutionId": EXECUTION, "HostIdentifier": HOST},
    "PutHostCommandAcknowledgement": {"HostCommandIdentifier": COMMAND, "Diagnostics": ENVELOPE},
    "PutHostCommandComplete": {"HostCommandIdentifier": COMMAND, "CommandStatus": "Succeeded", "Diagnostics": ENVELOPE},
}
HOSTILE = [None, 7, True, [], {}, [{}], "", "x", "x" * 100_000, "\u0000", "../..", "d-AAAAAAAAA/../x", "a/b/c/d", "arn:aws:iam::1:user/x", 2**70, -1]


def command(**members) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


FORGED = [
    command(d="d-AAAAAAAAA", t="sample", e=99), command(d="d-AAAAAAAAA", t="sample", e=-1), command(d="d-AAAAAAAAA", t="sample", e=2**70),
    command(d="", t="", e=0), command(d="../x", t="../y", e=0), command(d=1, t=2, e="x"), command(), command(d="d" * 700, t="x", e=0), "e30", "%%%", "A" * 4_000]


@pytest.fixture(scope="module")
def server(servers):
    """A server with one registered host and no deployment."""
    server = servers("open", "dummy")
    server.client("iam").create_user(UserName="sample")
    server.client("codedeploy").register_on_premises_instance(instanceName="sample", iamUserArn=HOST)
    return server


class Agent(Raw):
    """The caller of an open server is its root user, so no host."""

    def command(self, operation: str, body: bytes | dict, secure: bool = False) -> tuple[int, str, str]:
        prefix = "CodeDeployCommandService" if secure else "CodeDeployCommandService_v20141006"
        status, text = self.send(body if isinstance(body, bytes) else json.dumps(body), {
            **self.signed("codedeploy-commands-secure" if secure else "codedeploy-commands"),
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{prefix}.{operation}"})
        answer = json.loads(text or b"{}")
        return status, answer.get("__type", ""), answer.get("message", answer.get("Message", ""))


def refused(server, cases) -> None:
    agent, before, wrong = Agent(server), state(server), []
    for operation, body in cases:
        status, code, message = agent.command(operation, body)
        if not (400 <= status < 500 and code and message):
            wrong.append(f"{operation} {str(body)[:120]} → {status} {code} {message[:100]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert state(server) == before
    assert server.get("/healthz")[0] == 200


def test_every_member_is_checked(server):
    cases = []
    for operation, members in MEMBERS.items():
        required = [name for name in members if name != "Diagnostics"]
        cases += [(operation, {name: value for name, value in members.items() if name != absent}) for absent in required]
        cases += [(operation, {**members, name: value}) for name, value in itertools.product(required, HOSTILE)]
    refused(server, cases)


def test_commands_that_this_server_never_gave_out(server):
    refused(server, [
        (operation, {**MEMBERS[operation], "HostCommandIdentifier": forged})
        for operation in ("PutHostCommandAcknowledgement", "PutHostCommandComplete") for forged in FORGED])


def test_bodies_that_are_none_and_operations_that_are_not_there(server):
    chance = random.Random(20_141_006)
    bodies = [b"", b"null", b"[]", b"{", b'{"a":' * 100_000, b"\xff\xfe", b'{"HostIdentifier": NaN}', chance.randbytes(300)]
    refused(server, [(operation, body) for operation in MEMBERS for body in bodies])
    agent = Agent(server)
    for operation in ("PostHostCommandUpdate", "NoSuchOperation", "", "../x"):
        status, code, message = agent.command(operation, {})
        assert (status in (400, 404, 501)) and code and message, (operation, status, code)
    status, code, message = agent.command("PollHostCommand", {"HostIdentifier": HOST}, secure=True)
    assert (status, code) == (400, "AccessDeniedException") and HOST in message
