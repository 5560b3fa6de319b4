"""One journey through every service: from a push through two builds side by side and an approval to two hosts, and a site
that is rejected, asked for again, approved, published and rolled back.
"""

import json
import pathlib

import pipelines
from codedeploy_host import Host
from conftest import ACCOUNT, Server, eventually, git
from promises import Walk, found

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded")
LARGE = bytes(range(256)) * 20_480
"""5 MiB: the smallest part that another may follow."""
SIDES = ("left", "right")
"""The projects whose builds run side by side."""
HOSTS = ("host", "other-host")


class Journey(Walk):
    """The walk, and what it was promised on the way."""

    OPTIONS = ("--image-map", "*=dummy", "--pool", "1")

    def __init__(self, server: Server, folder: pathlib.Path):
        super().__init__(server, folder)
        self.hosts: dict[str, Host] = {}
        self.host_keys: dict[str, tuple[str, str]] = {}
        self.commits: list[str] = []
        self.built_by: int | None = None
        """The server's process in which the first builds began."""
        self.executions: dict[str, set[str]] = {"app": set(), "gate": set()}
        git(folder, "init", "--quiet", "--initial-branch=main")

    def steps(self) -> list:
        return [self.people, self.objects, self.leavings, self.sources, self.rollout, self.pipeline, self.push_again, self.gate]

    def check(self) -> None:
        import journey_checks  # It reads this module's names.
        journey_checks.check(self)

    def rest(self) -> None:
        """Ends the hosts."""
        for host in self.hosts.values():
            host.stop()

    @property
    def host_key(self) -> tuple[str, str]:
        """The first host's."""
        return self.host_keys[HOSTS[0]]

    # The steps.

    def people(self) -> None:
        iam = self.client("iam")
        for service in ("codebuild", "codedeploy", "codepipeline"):
            self.ensure(f"role {service}", lambda name=service: iam.get_role(RoleName=name), lambda name=service: pipelines.role(self.server, name, name))
        for name in HOSTS:
            self.ensure(f"user {name}", lambda name=name: iam.get_user(UserName=name), lambda name=name: iam.create_user(UserName=name))
            if name not in self.host_keys:
                key = iam.create_access_key(UserName=name)["AccessKey"]
                self.host_keys[name] = key["AccessKeyId"], key["SecretAccessKey"]
                sts = self.server.client("sts", self.host_keys[name])
                self.promises[f"access key of {name}"] = lambda sts=sts, name=name: sts.get_caller_identity()["Arn"] == user_arn(name)

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
        s3, codecommit, logs = self.client("s3"), self.client("codecommit"), self.client("logs")

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

        def leave_group():
            if not found(lambda: self.log_group("leaving")):
                logs.create_log_group(logGroupName="leaving")
            logs.delete_log_group(logGroupName="leaving")

        self.once("bucket deleted", leave_bucket, lambda: not found(lambda: s3.head_bucket(Bucket="leaving")))
        self.once(
            "repository deleted", leave_repository,
            lambda: not found(lambda: codecommit.get_repository(repositoryName="leaving")))
        self.once("log group deleted", leave_group, lambda: not self.log_group("leaving"))

    def log_group(self, name: str) -> list:
        return self.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]

    def sources(self) -> None:
        codecommit, codebuild = self.client("codecommit"), self.client("codebuild")
        self.ensure(
            "repository", lambda: codecommit.get_repository(repositoryName="app"),
            lambda: codecommit.create_repository(repositoryName="app"))
        self.push(1)
        self.ensure(
            "branch", lambda: codecommit.get_branch(repositoryName="app", branchName="beside"),
            lambda: codecommit.create_branch(repositoryName="app", branchName="beside", commitId=self.commits[0]))
        for side in SIDES:
            self.ensure(
                f"project {side}", lambda side=side: codebuild.batch_get_projects(names=[side])["projects"],
                lambda side=side: codebuild.create_project(
                    name=side, source={"type": "CODEPIPELINE", "buildspec": f"{side}.json"}, artifacts={"type": "CODEPIPELINE"},
                    environment={"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL"},
                    serviceRole=f"arn:aws:iam::{ACCOUNT}:role/codebuild"))

    def push(self, number: int) -> None:
        """The commit is made once, and pushed until that is acknowledged."""
        if len(self.commits) < number:
            for side in SIDES:
                buildspec = {"version": 0.2, "phases": {"build": {"commands": [f"echo {number}"]}}, "artifacts": {"files": [f"{side}-{number}"]}}
                (self.folder / f"{side}.json").write_text(json.dumps(buildspec))
            git(self.folder, "add", "--all")
            git(self.folder, "commit", "--quiet", "--message", f"change {number}")
            self.commits.append(git(self.folder, "rev-parse", "HEAD").stdout.strip())
        commit = self.commits[number - 1]
        codecommit = self.client("codecommit")
        self.once(
            f"push {number}", lambda: git(self.folder, "push", "--quiet", self.server.clone_url("app"), f"{commit}:refs/heads/main"),
            lambda: codecommit.get_commit(repositoryName="app", commitId=commit))

    def rollout(self) -> None:
        codedeploy = self.client("codedeploy")
        self.ensure(
            "application", lambda: codedeploy.get_application(applicationName="app"),
            lambda: codedeploy.create_application(applicationName="app"))
        for name in HOSTS:
            self.ensure(
                f"instance {name}", lambda name=name: codedeploy.get_on_premises_instance(instanceName=name),
                lambda name=name: codedeploy.register_on_premises_instance(instanceName=name, iamUserArn=user_arn(name)))
        codedeploy.add_tags_to_on_premises_instances(instanceNames=list(HOSTS), tags=[{"Key": "role", "Value": "web"}])
        self.ensure(
            "group", lambda: codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="web"),
            lambda: codedeploy.create_deployment_group(
                applicationName="app", deploymentGroupName="web", serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/codedeploy",
                deploymentConfigName="CodeDeployDefault.OneAtATime",
                onPremisesInstanceTagFilters=[{"Key": "role", "Value": "web", "Type": "KEY_AND_VALUE"}]))
        for name in HOSTS:
            if name not in self.hosts:
                self.hosts[name] = Host(lambda: self.server.endpoint, user_arn(name), self.host_keys[name])
                self.hosts[name].start()

    def pipeline(self) -> None:
        """Its creation is the first trigger."""
        codepipeline = self.client("codepipeline")
        builds = [
            pipelines.action(side, "Build", "CodeBuild", {"ProjectName": side}, ["Source"], [side.capitalize()]) for side in SIDES]
        deploy = pipelines.action("Deploy", "Deploy", "CodeDeploy", {"ApplicationName": "app", "DeploymentGroupName": "web"}, ["Left"])
        self.ensure(
            "pipeline", lambda: codepipeline.get_pipeline(name="app"),
            lambda: codepipeline.create_pipeline(pipeline={
                "name": "app", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [
                    pipelines.source("app"), {"name": "Build", "actions": builds},
                    {"name": "Gate", "actions": [pipelines.action("Ask", "Approval", "Manual", {})]},
                    {"name": "Deploy", "actions": [deploy]}]}))
        if not self.promises.get("first execution"):
            self.built_by = self.built_by or self.server.process.pid
            self.see("app", 1)
            self.promises["first execution"] = lambda: True

    def push_again(self) -> None:
        """The second trigger. A server that has run builds itself has a container prepared for the next ones by then."""
        if self.built_by == self.server.process.pid and len(self.commits) == 1:
            eventually(self.prepared, 30, "a prepared container")
        self.push(2)
        self.see("app", 2)

    def prepared(self) -> set[str]:
        """The containers that were started for no build and still run."""
        running = set()
        for entry in map(json.loads, (self.server.data_dir / "dummy/journal").read_text().splitlines()):
            if isinstance(entry["asked"], dict) and "start" in entry["asked"]:
                running.add(entry["id"])
            elif entry["asked"] == "remove":
                running.discard(entry["id"])
        return {container for container in running if container.startswith("p-")}

    def gate(self) -> None:
        """A site that somebody rejects, has asked for again, and approves; a newer one, started by a call that is repeated with its
        token until it is answered, and rolled back. Its stage is closed and opened in between."""
        codepipeline, s3 = self.client("codepipeline"), self.client("s3")
        for bucket in ("gate-inbox", "gate-site"):
            self.ensure(f"bucket {bucket}", lambda name=bucket: s3.head_bucket(Bucket=name), lambda name=bucket: s3.create_bucket(Bucket=name))
        s3.put_bucket_versioning(Bucket="gate-inbox", VersioningConfiguration={"Status": "Enabled"})
        self.once("site one", lambda: pipelines.upload(self, "gate", site("one")), lambda: True)
        publish = pipelines.action("Publish", "Deploy", "S3", {"BucketName": "gate-site", "Extract": "true"}, ["Source"])
        self.ensure(
            "gate", lambda: codepipeline.get_pipeline(name="gate"),
            lambda: codepipeline.create_pipeline(pipeline={
                "name": "gate", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline", "pipelineType": "V2",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [
                    pipelines.inbox("gate", PollForSourceChanges="false"),
                    {"name": "Gate", "actions": [pipelines.action("Ask", "Approval", "Manual", {})]},
                    {"name": "Site", "actions": [publish]}]}))
        first = self.promise_executions("gate")[-1]["pipelineExecutionId"]
        self.answer("gate", first, 0, "Rejected")
        eventually(lambda: asked(self, "gate", first)[:1] == ["Failed"], 30, "the rejection")
        eventually(lambda: status(self, "gate", first) != "InProgress" or len(asked(self, "gate", first)) > 1, 30, "the stage's end")
        if len(asked(self, "gate", first)) == 1:
            codepipeline.retry_stage_execution(pipelineName="gate", stageName="Gate", pipelineExecutionId=first, retryMode="FAILED_ACTIONS")
        self.answer("gate", first, 1, "Approved")
        eventually(lambda: status(self, "gate", first) == "Succeeded", 60, "the publication")
        transition = {"pipelineName": "gate", "stageName": "Site", "transitionType": "Inbound"}
        codepipeline.disable_stage_transition(**transition, reason="freeze")
        codepipeline.enable_stage_transition(**transition)
        self.once("site two", lambda: pipelines.upload(self, "gate", site("two")), lambda: True)
        second = codepipeline.start_pipeline_execution(name="gate", clientRequestToken="once-and-for-all")["pipelineExecutionId"]
        self.executions["gate"].add(second)
        self.answer("gate", second, 0, "Approved")
        eventually(lambda: status(self, "gate", second) == "Succeeded", 60, "the newer publication")
        if len(self.promise_executions("gate")) == 2:
            assert published(self) == site("two")
            codepipeline.rollback_stage(pipelineName="gate", stageName="Site", targetPipelineExecutionId=first)
        eventually(lambda: self.promise_executions("gate")[0]["status"] == "Succeeded", 60, "the rollback")
        self.promises["gate"] = lambda: asked(self, "gate", first) == ["Failed", "Succeeded"] and published(self) == site("one")

    def answer(self, pipeline: str, execution: str, attempt: int, result: str) -> None:
        """Answers the approval's attempt of that number, unless that was done before; an answer that is taken is promised."""
        eventually(lambda: len(asked(self, pipeline, execution)) > attempt, 60, f"approval {attempt}")
        if asked(self, pipeline, execution)[attempt] == "InProgress":
            token = eventually(
                lambda: pipelines.state(self, pipeline)["Gate"]["actionStates"][0]["latestExecution"].get("token"), 30, "its token")
            self.client("codepipeline").put_approval_result(
                pipelineName=pipeline, stageName="Gate", actionName="Ask", token=token, result={"status": result, "summary": ""})
        ended = "Succeeded" if result == "Approved" else "Failed"
        self.promises[f"{result} in {pipeline}, {execution}"] = lambda: asked(self, pipeline, execution)[attempt] == ended

    def see(self, pipeline: str, number: int) -> None:
        """Approves the execution of that number, and waits for its end."""
        listed = eventually(lambda: len(self.promise_executions(pipeline)) >= number and self.promise_executions(pipeline), 100, f"execution {number}")
        execution = listed[-number]["pipelineExecutionId"]
        self.answer(pipeline, execution, 0, "Approved")
        eventually(lambda: status(self, pipeline, execution) in ENDED, 100, f"the end of execution {number}")

    def promise_executions(self, pipeline: str) -> list[dict]:
        """Executions, newest first: from now on they are promised."""
        listed = pipelines.executions(self, pipeline)
        known = self.executions[pipeline]
        known |= {execution["pipelineExecutionId"] for execution in listed}
        self.promises[f"executions of {pipeline}"] = lambda: known <= {
            execution["pipelineExecutionId"] for execution in pipelines.executions(self, pipeline)}
        return listed


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def site(text: str) -> dict[str, str]:
    """A small site's files."""
    return {name: f"{text} {name}\n" * 500 for name in ("index.html", "style.css", "pages/about.html")}


def status(journey: Walk, pipeline: str, execution: str) -> str:
    found = journey.client("codepipeline").get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)
    return found["pipelineExecution"]["status"]


def asked(journey: Walk, pipeline: str, execution: str) -> list[str]:
    """The statuses of the approval's attempts, oldest first."""
    actions = pipelines.actions(journey, pipeline, execution)
    return [action["status"] for action in actions if action["actionName"] == "Ask"]


def published(journey: Walk) -> dict[str, str]:
    """The site's files."""
    s3 = journey.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="gate-site").get("Contents", ())]
    return {key: s3.get_object(Bucket="gate-site", Key=key)["Body"].read().decode() for key in keys}
