"""An on-premises host that obeys every command at once: CodeDeploy's agent, played by the test."""

import base64
import collections
import json
import threading
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import REGION

TARGET = "CodeDeployCommandService_v20141006"
PAUSE = 0.05
"""Seconds between two tries while the server does not answer."""


class Host(threading.Thread):
    """Polls, acknowledges and completes as the agent does, also over restarts of the server.

    `endpoint` is a function, because a restarted server may listen elsewhere; `key` is the IAM user's.
    """

    def __init__(self, endpoint, arn: str, key: tuple[str, str]):
        super().__init__(daemon=True)
        self.endpoint, self.arn, self.credentials = endpoint, arn, Credentials(*key)
        self.ran: collections.Counter[tuple[str, str]] = collections.Counter()
        """How often each event of each deployment was really run."""
        self.revisions: dict[str, tuple[str, str]] = {}
        """Bucket and key of each deployment's revision, as its specification names them."""
        self.troubles: list[str] = []
        """What the server should not have done."""
        self.completed: set[str] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            answer = self.ask("PollHostCommand", HostIdentifier=self.arn) or {}
            if command := answer.get("HostCommand"):
                self.obey(command)

    def stop(self) -> None:
        self.ended.set()

    def obey(self, command: dict) -> None:
        """One command, to its end."""
        identifier, execution = command["HostCommandIdentifier"], command["DeploymentExecutionId"]
        self.note(execution, self.insist("GetDeploymentSpecification", DeploymentExecutionId=execution, HostIdentifier=self.arn))
        taken = self.insist("PutHostCommandAcknowledgement", HostCommandIdentifier=identifier, Diagnostics=envelope(IsCommandNoop=False))
        if taken.get("CommandStatus") != "InProgress":
            return
        if identifier in self.completed:
            self.troubles.append(f"{command['CommandName']} was given out again after its completion")
        self.ran[execution, command["CommandName"]] += 1
        report = envelope(error_code=0, script_name="", message="Succeeded", log="")
        self.insist("PutHostCommandComplete", HostCommandIdentifier=identifier, CommandStatus="Succeeded", Diagnostics=report)
        self.completed.add(identifier)

    def note(self, execution: str, answer: dict) -> None:
        """Keeps the revision that a specification names, which is the same for all of a deployment's events."""
        if not answer:
            return
        payload = answer["DeploymentSpecification"]["GenericEnvelope"]["Payload"]
        message = base64.b64decode("".join(line for line in payload.splitlines() if not line.startswith("-----")))
        # The document lies in clear within the signed message.
        text = message[message.index(b'{"'):].decode(errors="replace")
        bundle = json.JSONDecoder().raw_decode(text)[0]["Revision"]["S3Revision"]
        revision = bundle["Bucket"], bundle["Key"]
        if self.revisions.setdefault(execution, revision) != revision:
            self.troubles.append(f"{execution}: {revision} after {self.revisions[execution]}")

    def insist(self, operation: str, **members) -> dict:
        """Asks until it is answered."""
        while not self.ended.is_set():
            answer = self.ask(operation, **members)
            if answer is not None:
                return answer
        return {}

    def ask(self, operation: str, **members) -> dict | None:
        """The answer, or nothing (after a pause) when there is none."""
        request = AWSRequest("POST", self.endpoint() + "/", data=json.dumps(members).encode(), headers={
            "content-type": "application/x-amz-json-1.1", "x-amz-target": f"{TARGET}.{operation}"})
        SigV4Auth(self.credentials, "codedeploy-commands", REGION).add_auth(request)
        sent = urllib.request.Request(request.url, request.data, dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(sent, timeout=90) as reply:
                return json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            self.troubles.append(f"{operation}: {error.code} {error.read().decode(errors='replace')}")
        except (OSError, ValueError):
            pass  # The server is gone for a moment.
        self.ended.wait(PAUSE)
        return None


def envelope(**members) -> dict:
    return {"Format": "JSON", "Payload": json.dumps(members)}
