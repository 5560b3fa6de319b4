"""A day of a small team, over a server whose calls to the system fail: what was acknowledged, and what came of it."""

import json
import pathlib
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

import pipelines
from conftest import ACCOUNT, Server, code, eventually, git

making_clients = threading.Lock()
"""boto3's default session makes one client at a time."""

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded")
OURS = ("InternalFailure", "InternalError", "ServiceUnavailable", "InternalServerError", "500", "503")
"""Codes of what is the server's fault, as AWS names them. HEAD has no body to name one in."""
CONTENT = b"kept " * 40_000


class Refused(Exception):
    """The server could not do it, and said so."""


class Day:
    """Steps that may be tried again, each with a promise once it was acknowledged."""

    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.promises: dict[str, object] = {}
        self.commit = ""
        self.clients: dict[str, object] = {}
        folder.mkdir(parents=True)

    def client(self, service: str):
        with making_clients:
            if (service, self.server.endpoint) not in self.clients:
                self.clients[service, self.server.endpoint] = self.server.client(service)
            return self.clients[service, self.server.endpoint]

    def steps(self) -> list:
        return [self.objects, self.roles, self.sources, self.logs, self.pipeline, self.start, self.end]

    def ask(self, act):
        """What `act` gives; Refused where the server says that it has a fault, or hangs up."""
        try:
            return act()
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert status >= 500 and error.response["Error"]["Code"] in OURS, error
            raise Refused(str(error)) from error
        except BotoCoreError as error:
            raise Refused(str(error)) from error

    def keep_promises(self) -> None:
        for name, kept in self.promises.items():
            assert kept(), f"acknowledged, then lost: {name}"

    def make(self, there, make) -> None:
        """Makes it, unless it is there from a try before that was not answered."""
        try:
            make()
        except ClientError as error:
            if error.response["Error"]["Code"] not in there:
                raise

    # The steps.

    def objects(self) -> None:
        s3 = self.client("s3")
        for bucket in ("things", "artifacts", "site"):
            self.make(["BucketAlreadyOwnedByYou"], lambda name=bucket: s3.create_bucket(Bucket=name))
            self.promises[f"bucket {bucket}"] = lambda name=bucket: self.client("s3").head_bucket(Bucket=name)
        s3.put_object(Bucket="things", Key="key", Body=CONTENT)
        self.promises["object"] = lambda: self.client("s3").get_object(Bucket="things", Key="key")["Body"].read() == CONTENT
        s3.put_object(Bucket="things", Key="gone", Body=b"x" * 9_000)
        s3.delete_object(Bucket="things", Key="gone")
        self.promises["deletion"] = lambda: code(self.client("s3").get_object, Bucket="things", Key="gone") == "NoSuchKey"

    def roles(self) -> None:
        for service in ("codebuild", "codepipeline"):
            self.make(["EntityAlreadyExists"], lambda name=service: pipelines.role(self.server, name, name))
            everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            self.client("iam").put_role_policy(RoleName=service, PolicyName="everything", PolicyDocument=json.dumps(everything))
            self.promises[f"role {service}"] = lambda name=service: self.client("iam").get_role_policy(RoleName=name, PolicyName="everything")

    def sources(self) -> None:
        codecommit = self.client("codecommit")
        self.make(["RepositoryNameExistsException"], lambda: codecommit.create_repository(repositoryName="app"))
        self.promises["repository"] = lambda: self.client("codecommit").get_repository(repositoryName="app")
        if not self.commit:
            buildspec = {"version": 0.2, "phases": {"build": {"commands": ["echo built"]}}, "artifacts": {"files": ["**/*"]}}
            git(self.folder, "init", "--quiet", "--initial-branch=main")
            (self.folder / "buildspec.yml").write_text(json.dumps(buildspec))
            git(self.folder, "add", "--all")
            git(self.folder, "commit", "--quiet", "--message", "change")
            self.commit = git(self.folder, "rev-parse", "HEAD").stdout.strip()
        pushed = git(self.folder, "push", "--quiet", self.server.clone_url("app"), "HEAD:refs/heads/main", check=False)
        if pushed.returncode:
            raise Refused(pushed.stderr)
        self.promises["push"] = lambda: self.client("codecommit").get_branch(repositoryName="app", branchName="main")["branch"]["commitId"] == self.commit
        self.make(["ResourceAlreadyExistsException"], lambda: self.client("codebuild").create_project(
            name="app", source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{ACCOUNT}:role/codebuild"))

    def logs(self) -> None:
        logs = self.client("logs")
        self.make(["ResourceAlreadyExistsException"], lambda: logs.create_log_group(logGroupName="group"))
        self.make(["ResourceAlreadyExistsException"], lambda: logs.create_log_stream(logGroupName="group", logStreamName="stream"))
        for number in range(3):
            if f"line {number}" not in self.promises:
                now = int(time.time() * 1000) + number
                logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=[{"timestamp": now, "message": f"line {number}"}])
                self.promises[f"line {number}"] = lambda text=f"line {number}": text in self.lines()

    def lines(self) -> list[str]:
        page = self.client("logs").get_log_events(logGroupName="group", logStreamName="stream", startFromHead=True)
        return [event["message"] for event in page["events"]]

    def pipeline(self) -> None:
        deploy = pipelines.action("Publish", "Deploy", "S3", {"BucketName": "site", "Extract": "true"}, ["Release"])
        self.make(["PipelineNameInUseException"], lambda: self.client("codepipeline").create_pipeline(pipeline={
            "name": "app", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [pipelines.source("app"), pipelines.build("app"), {"name": "Deploy", "actions": [deploy]}]}))
        self.promises["pipeline"] = lambda: self.client("codepipeline").get_pipeline(name="app")

    def start(self) -> None:
        started = self.client("codepipeline").start_pipeline_execution(name="app", clientRequestToken="once-and-for-all")
        execution = started["pipelineExecutionId"]
        self.promises["execution"] = lambda: execution in [found["pipelineExecutionId"] for found in self.executions()]

    def end(self) -> None:
        eventually(lambda: len(self.executions()) >= 2 and all(found["status"] in ENDED for found in self.executions()), 90, "the end of all executions")

    def executions(self) -> list[dict]:
        return self.client("codepipeline").list_pipeline_executions(pipelineName="app")["pipelineExecutionSummaries"]

    def check(self) -> None:
        """Each trigger has one execution, each action ran at most once, each container was started once."""
        self.keep_promises()
        triggers = sorted(found["trigger"]["triggerType"] for found in self.executions())
        # A push that could not be announced at once may be news to a pipeline that was made after it.
        assert triggers in (["CreatePipeline", "StartPipelineExecution"], ["CreatePipeline", "PollForSourceChanges", "StartPipelineExecution"]), triggers
        actions = self.client("codepipeline").list_action_executions(pipelineName="app")["actionExecutionDetails"]
        ran = [(action["pipelineExecutionId"], action["actionName"]) for action in actions]
        assert len(ran) == len(set(ran)), ran
        assert all(action["status"] in ENDED for action in actions), actions
        containers = self.containers()
        assert containers["left"] == set() and containers["twice"] == []

    def containers(self) -> dict:
        """Which are left, and which were started more than once."""
        entries = [json.loads(line) for line in (getattr(self.server, "disk", self.server.data_dir) / "dummy/journal").read_text().splitlines()]
        starts = [entry["id"] for entry in entries if isinstance(entry["asked"], dict) and "start" in entry["asked"]]
        removed = {entry["id"] for entry in entries if entry["asked"] == "remove"}
        return {"left": set(starts) - removed, "twice": [id for id in set(starts) if starts.count(id) > 1]}
