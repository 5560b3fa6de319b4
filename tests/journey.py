"""One journey through every service, in steps that may be walked again after the server died at any of them.

Each step looks first and makes what is missing. What the server acknowledged becomes a promise, checked after each
restart and at the end; nothing that was promised is ever made a second time.
"""

import json
import pathlib
import threading

from botocore.exceptions import ClientError

import pipelines
from codedeploy_host import Host
from conftest import ACCOUNT, Server, eventually, git

making_clients = threading.Lock()
"""boto3's default session makes one client at a time."""

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded")
LARGE = bytes(range(256)) * 20_480
"""5 MiB: the smallest part that another may follow."""


class Journey:
    """The walk, and what it was promised on the way."""

    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.clients: dict[str, object] = {}
        self.promises: dict[str, object] = {}
        self.host: Host | None = None
        self.host_key: tuple[str, str] | None = None
        self.commits: list[str] = []
        self.executions: set[str] = set()
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")

    def walk(self) -> None:
        """From the start to the end, over what is there."""
        self.keep_promises()
        for step in (self.people, self.objects, self.leavings, self.sources, self.rollout, self.pipeline, self.triggers, self.gate):
            step()

    def keep_promises(self) -> None:
        """Fails with the name of the first promise that the server has not kept."""
        for name, kept in self.promises.items():
            assert kept(), f"acknowledged, then lost: {name}"

    def rest(self) -> None:
        """Ends the host."""
        if self.host:
            self.host.stop()

    def client(self, service: str):
        with making_clients:
            if service not in self.clients:
                self.clients[service] = self.server.client(service)
        return self.clients[service]

    def ensure(self, name: str, look, make) -> None:
        """Makes it unless `look()` finds it; then it is promised."""
        if name not in self.promises:
            if not found(look):
                make()
            self.promises[name] = lambda: found(look)

    def once(self, name: str, act, holds) -> None:
        """Acts until it is acknowledged, and never again; from then on `holds()` is promised."""
        if name not in self.promises:
            act()
            self.promises[name] = holds

    # The steps.

    def people(self) -> None:
        iam = self.client("iam")
        for service in ("codebuild", "codedeploy", "codepipeline"):
            self.ensure(f"role {service}", lambda name=service: iam.get_role(RoleName=name), lambda name=service: pipelines.role(self.server, name, name))
        self.ensure("user host", lambda: iam.get_user(UserName="host"), lambda: iam.create_user(UserName="host"))
        if not self.host_key:
            key = iam.create_access_key(UserName="host")["AccessKey"]
            self.host_key = key["AccessKeyId"], key["SecretAccessKey"]
        arn = f"arn:aws:iam::{ACCOUNT}:user/host"
        sts = self.server.client("sts", self.host_key)
        self.promises["access key"] = lambda: sts.get_caller_identity()["Arn"] == arn

    def objects(self) -> None:
        s3 = self.client("s3")
        for bucket in ("things", "artifacts"):
            self.ensure(f"bucket {bucket}", lambda name=bucket: s3.head_bucket(Bucket=name), lambda name=bucket: s3.create_bucket(Bucket=name))
        self.once(
            "versioning", lambda: s3.put_bucket_versioning(Bucket="things", VersioningConfiguration={"Status": "Enabled"}),
            lambda: s3.get_bucket_versioning(Bucket="things")["Status"] == "Enabled")
        for number in (1, 2):
            self.put_version(number, f"version {number}\n".encode() * 5_000)
        self.once("multipart", self.upload, lambda: self.read("things", "multipart") == LARGE + b"the end")
        for number in (1, 2):
            content = f"state {number}\n".encode() * 5_000
            # Until the put is answered, either content is right.
            self.promises.pop("overwritten object", None)
            s3.put_object(Bucket="artifacts", Key="changing", Body=content)
            self.promises["overwritten object"] = lambda content=content: self.read("artifacts", "changing") == content

    def put_version(self, number: int, content: bytes) -> None:
        if f"version {number}" not in self.promises:
            version = self.client("s3").put_object(Bucket="things", Key="versioned", Body=content)["VersionId"]
            self.promises[f"version {number}"] = lambda: self.read("things", "versioned", version) == content

    def read(self, bucket: str, key: str, version: str | None = None) -> bytes:
        chosen = {"VersionId": version} if version else {}
        return self.client("s3").get_object(Bucket=bucket, Key=key, **chosen)["Body"].read()

    def upload(self) -> None:
        s3, place = self.client("s3"), {"Bucket": "things", "Key": "multipart"}
        upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
        parts = [
            {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
            for number, body in ((1, LARGE), (2, b"the end"))
        ]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def leavings(self) -> None:
        """What is made to be deleted."""
        s3, codecommit = self.client("s3"), self.client("codecommit")

        def leave_bucket():
            if not found(lambda: s3.head_bucket(Bucket="leaving")):
                s3.create_bucket(Bucket="leaving")
            # A delete that died half-way leaves the bucket closed for some seconds.
            eventually(lambda: found(lambda: s3.put_object(Bucket="leaving", Key="object", Body=b"x" * 9_000), "OperationAborted"), 30, "an open bucket")
            s3.delete_object(Bucket="leaving", Key="object")
            s3.delete_bucket(Bucket="leaving")

        def leave_repository():
            if not found(lambda: codecommit.get_repository(repositoryName="leaving")):
                codecommit.create_repository(repositoryName="leaving")
            codecommit.delete_repository(repositoryName="leaving")

        self.once("bucket deleted", leave_bucket, lambda: not found(lambda: s3.head_bucket(Bucket="leaving")))
        self.once(
            "repository deleted", leave_repository,
            lambda: not found(lambda: codecommit.get_repository(repositoryName="leaving")))

    def sources(self) -> None:
        codecommit, codebuild = self.client("codecommit"), self.client("codebuild")
        self.ensure(
            "repository", lambda: codecommit.get_repository(repositoryName="app"),
            lambda: codecommit.create_repository(repositoryName="app"))
        self.push(1)
        self.ensure(
            "project", lambda: codebuild.batch_get_projects(names=["app"])["projects"],
            lambda: codebuild.create_project(
                name="app", source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"},
                environment={"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL"},
                serviceRole=f"arn:aws:iam::{ACCOUNT}:role/codebuild"))

    def push(self, number: int) -> None:
        """The commit is made once, and pushed until that is acknowledged."""
        if len(self.commits) < number:
            buildspec = {"version": 0.2, "phases": {"build": {"commands": [f"echo {number}"]}}, "artifacts": {"files": ["**/*"]}}
            (self.folder / "buildspec.yml").write_text(json.dumps(buildspec))
            git(self.folder, "add", "--all")
            git(self.folder, "commit", "--quiet", "--message", f"change {number}")
            self.commits.append(git(self.folder, "rev-parse", "HEAD").stdout.strip())
        commit = self.commits[number - 1]
        codecommit = self.client("codecommit")
        self.once(
            f"push {number}", lambda: git(self.folder, "push", "--quiet", self.server.clone_url("app"), f"{commit}:refs/heads/main"),
            lambda: codecommit.get_commit(repositoryName="app", commitId=commit))

    def rollout(self) -> None:
        codedeploy, arn = self.client("codedeploy"), f"arn:aws:iam::{ACCOUNT}:user/host"
        self.ensure(
            "application", lambda: codedeploy.get_application(applicationName="app"),
            lambda: codedeploy.create_application(applicationName="app"))
        self.ensure(
            "instance", lambda: codedeploy.get_on_premises_instance(instanceName="host"),
            lambda: codedeploy.register_on_premises_instance(instanceName="host", iamUserArn=arn))
        codedeploy.add_tags_to_on_premises_instances(instanceNames=["host"], tags=[{"Key": "role", "Value": "web"}])
        self.ensure(
            "group", lambda: codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="web"),
            lambda: codedeploy.create_deployment_group(
                applicationName="app", deploymentGroupName="web", serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/codedeploy",
                deploymentConfigName="CodeDeployDefault.OneAtATime",
                onPremisesInstanceTagFilters=[{"Key": "role", "Value": "web", "Type": "KEY_AND_VALUE"}]))
        if not self.host:
            self.host = Host(lambda: self.server.endpoint, arn, self.host_key)
            self.host.start()

    def pipeline(self) -> None:
        """Its creation is the first trigger."""
        codepipeline = self.client("codepipeline")
        deploy = pipelines.action("Deploy", "Deploy", "CodeDeploy", {"ApplicationName": "app", "DeploymentGroupName": "web"}, ["Release"])
        self.ensure(
            "pipeline", lambda: codepipeline.get_pipeline(name="app"),
            lambda: codepipeline.create_pipeline(pipeline={
                "name": "app", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [pipelines.source("app"), pipelines.build("app"), {"name": "Deploy", "actions": [deploy]}]}))
        self.wait_for(1)

    def triggers(self) -> None:
        """A push, and a call that is repeated with its token until it is answered."""
        codepipeline = self.client("codepipeline")
        self.push(2)
        self.wait_for(2)
        started = codepipeline.start_pipeline_execution(name="app", clientRequestToken="once-and-for-all")
        self.promise_executions({started["pipelineExecutionId"]})
        self.wait_for(3)

    def gate(self) -> None:
        """A site that somebody rejects, has asked for again, and approves; its stage is closed, opened and rolled back."""
        codepipeline, s3 = self.client("codepipeline"), self.client("s3")
        for bucket in ("gate-inbox", "gate-site"):
            self.ensure(f"bucket {bucket}", lambda name=bucket: s3.head_bucket(Bucket=name), lambda name=bucket: s3.create_bucket(Bucket=name))
        s3.put_bucket_versioning(Bucket="gate-inbox", VersioningConfiguration={"Status": "Enabled"})
        self.ensure("site", lambda: s3.head_object(Bucket="gate-inbox", Key="site.zip"), lambda: pipelines.upload(self, "gate", {"index.html": "one"}))
        ask = pipelines.action("Ask", "Approval", "Manual", {})
        publish = pipelines.action("Publish", "Deploy", "S3", {"BucketName": "gate-site", "Extract": "true"}, ["Source"])
        self.ensure(
            "gate", lambda: codepipeline.get_pipeline(name="gate"),
            lambda: codepipeline.create_pipeline(pipeline={
                "name": "gate", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline", "pipelineType": "V2",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [pipelines.inbox("gate"), {"name": "Gate", "actions": [ask]}, {"name": "Site", "actions": [publish]}]}))
        first = pipelines.executions(self, "gate")[-1]["pipelineExecutionId"]
        self.answer(first, 0, "Rejected")
        eventually(lambda: pipelines.executions(self, "gate")[-1]["status"] != "InProgress" or len(asked(self, first)) > 1, 30, "the rejection")
        if len(asked(self, first)) == 1:
            codepipeline.retry_stage_execution(pipelineName="gate", stageName="Gate", pipelineExecutionId=first, retryMode="FAILED_ACTIONS")
        self.answer(first, 1, "Approved")
        eventually(lambda: pipelines.executions(self, "gate")[-1]["status"] == "Succeeded", 60, "the publication")
        transition = {"pipelineName": "gate", "stageName": "Site", "transitionType": "Inbound"}
        codepipeline.disable_stage_transition(**transition, reason="freeze")
        codepipeline.enable_stage_transition(**transition)
        if len(pipelines.executions(self, "gate")) == 1:
            codepipeline.rollback_stage(pipelineName="gate", stageName="Site", targetPipelineExecutionId=first)
        eventually(lambda: pipelines.executions(self, "gate")[0]["status"] == "Succeeded", 60, "the rollback")
        self.promises["gate"] = lambda: asked(self, first) == ["Failed", "Succeeded"] and published(self) == "one"

    def answer(self, execution: str, attempt: int, status: str) -> None:
        """Answers the approval's attempt of that number, unless that was done before."""
        eventually(lambda: len(asked(self, execution)) > attempt, 60, f"approval {attempt}")
        if asked(self, execution)[attempt] == "InProgress":
            token = eventually(lambda: pipelines.state(self, "gate")["Gate"]["actionStates"][0]["latestExecution"].get("token"), 30, "its token")
            self.client("codepipeline").put_approval_result(
                pipelineName="gate", stageName="Gate", actionName="Ask", token=token, result={"status": status, "summary": ""})

    def wait_for(self, count: int) -> None:
        """Waits until there are `count` executions and all have ended."""
        def ended():
            found = pipelines_of(self)
            self.promise_executions({execution["pipelineExecutionId"] for execution in found})
            return len(found) >= count and all(execution["status"] in ENDED for execution in found)

        eventually(ended, 100, f"the end of {count} executions")

    def promise_executions(self, ids: set[str]) -> None:
        self.executions |= ids
        self.promises["executions"] = lambda: self.executions <= {
            execution["pipelineExecutionId"] for execution in pipelines_of(self)}


def pipelines_of(journey: Journey) -> list[dict]:
    """Executions, newest first."""
    return journey.client("codepipeline").list_pipeline_executions(pipelineName="app")["pipelineExecutionSummaries"]


def asked(journey: Journey, execution: str) -> list[str]:
    """The statuses of the approval's attempts, oldest first."""
    actions = pipelines.actions(journey, "gate", execution)
    return [action["status"] for action in actions if action["actionName"] == "Ask"]


def published(journey: Journey) -> str:
    return journey.client("s3").get_object(Bucket="gate-site", Key="index.html")["Body"].read().decode()


def found(look, *absent: str):
    """What `look()` gives; nothing if the server says that it is not there (or one of `absent`)."""
    try:
        return look() or False
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404" or code in absent or any(sign in code for sign in ("NoSuch", "NotFound", "DoesNotExist", "NotRegistered")):
            return False
        raise
