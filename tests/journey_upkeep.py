"""A journey through what keeps a data folder small and safe: retention, lifecycle rules, packing, backup, restore."""

import json
import shutil
import time

import pipelines
from conftest import ACCOUNT, Server, eventually, git
from promises import Walk, found

DAY = 86_400_000
OLD_EVENTS = ["x" * 250_000] * 4
"""A put of log events; five of them fill a segment."""


class Upkeep(Walk):
    """Two executions of a small pipeline that are collected, objects and log events that expire, a backup and its way back."""

    OPTIONS = (
        "--image-map", "*=dummy", "--keep-executions", "0d", "--keep-builds", "0d", "--keep-deployments", "0d", "--keep-artifacts", "0d")

    def __init__(self, server: Server, folder):
        super().__init__(server, folder)
        self.commits: list[str] = []
        self.old_puts = 0
        git(folder, "init", "--quiet", "--initial-branch=main")

    def steps(self) -> list:
        return [self.lines, self.history, self.objects, self.repository, self.backup, self.restore, self.collect]

    def history(self) -> None:
        """A pipeline that has run twice; what it published stays."""
        iam, s3, codepipeline = self.client("iam"), self.client("s3"), self.client("codepipeline")
        self.ensure("role", lambda: iam.get_role(RoleName="codepipeline"), lambda: pipelines.role(self.server, "codepipeline", "codepipeline"))
        for bucket in ("flow-inbox", "flow-site", "artifacts"):
            self.ensure(f"bucket {bucket}", lambda name=bucket: s3.head_bucket(Bucket=name), lambda name=bucket: s3.create_bucket(Bucket=name))
        s3.put_bucket_versioning(Bucket="flow-inbox", VersioningConfiguration={"Status": "Enabled"})
        self.once("site", lambda: pipelines.upload(self, "flow", {"index.html": "one"}), lambda: True)
        publish = pipelines.action("Publish", "Deploy", "S3", {"BucketName": "flow-site", "Extract": "true"}, ["Source"])

        def create(name: str) -> None:
            codepipeline.create_pipeline(pipeline={
                "name": name, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [pipelines.inbox("flow", PollForSourceChanges="false"), {"name": "Site", "actions": [publish]}]})

        def leave_pipeline() -> None:
            if not found(lambda: codepipeline.get_pipeline(name="leaving")):
                create("leaving")
            codepipeline.delete_pipeline(name="leaving")

        self.once("pipeline deleted", leave_pipeline, lambda: not found(lambda: codepipeline.get_pipeline(name="leaving")))
        self.ensure("pipeline", lambda: codepipeline.get_pipeline(name="flow"), lambda: create("flow"))
        for token in ("first", "second"):
            self.once(
                f"execution {token}", lambda token=token: codepipeline.start_pipeline_execution(name="flow", clientRequestToken=token), lambda: True)
            eventually(lambda: pipelines.executions(self, "flow")[0]["status"] == "Succeeded", 60, "the end of an execution")
        self.promises["publication"] = lambda: s3.get_object(Bucket="flow-site", Key="index.html")["Body"].read() == b"one"

    def objects(self) -> None:
        """A versioned bucket whose objects were to be hidden long ago."""
        s3 = self.client("s3")
        self.ensure("aging", lambda: s3.head_bucket(Bucket="aging"), lambda: s3.create_bucket(Bucket="aging"))
        s3.put_bucket_versioning(Bucket="aging", VersioningConfiguration={"Status": "Enabled"})
        for key in "abc":
            self.once(f"object {key}", lambda key=key: s3.put_object(Bucket="aging", Key=key, Body=key.encode() * 9_000), lambda: True)
        gone = {"ID": "gone", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}
        self.once(
            "lifecycle", lambda: s3.put_bucket_lifecycle_configuration(Bucket="aging", LifecycleConfiguration={"Rules": [gone]}),
            lambda: s3.get_bucket_lifecycle_configuration(Bucket="aging")["Rules"][0]["ID"] == "gone")
        eventually(lambda: "Contents" not in s3.list_objects_v2(Bucket="aging"), 20, "hidden objects")

    def lines(self) -> None:
        """A group that is deleted; log events that are past their time, in several segments, and a new one."""
        logs = self.client("logs")

        def leave_group():
            if not logs.describe_log_groups(logGroupNamePrefix="leaving")["logGroups"]:
                logs.create_log_group(logGroupName="leaving")
            logs.delete_log_group(logGroupName="leaving")

        self.once("group deleted", leave_group, lambda: not logs.describe_log_groups(logGroupNamePrefix="leaving")["logGroups"])
        place = {"logGroupName": "old", "logStreamName": "s"}
        self.ensure("group", lambda: logs.describe_log_groups(logGroupNamePrefix="old")["logGroups"], lambda: logs.create_log_group(logGroupName="old"))
        self.ensure("stream", lambda: logs.describe_log_streams(logGroupName="old")["logStreams"], lambda: logs.create_log_stream(**place))
        now = int(time.time() * 1000)
        while self.old_puts < 6:
            logs.put_log_events(**place, logEvents=[{"timestamp": now - 5 * DAY, "message": text} for text in OLD_EVENTS])
            self.old_puts += 1
        self.once(
            "retention", lambda: logs.put_retention_policy(logGroupName="old", retentionInDays=1),
            lambda: logs.describe_log_groups(logGroupNamePrefix="old")["logGroups"][0]["retentionInDays"] == 1)
        eventually(lambda: logs.describe_log_groups(logGroupNamePrefix="old")["logGroups"][0]["storedBytes"] < 1_000, 20, "the removal of old events")
        self.once("new line", lambda: logs.put_log_events(**place, logEvents=[{"timestamp": now, "message": "new"}]), lambda: self.read() in (["new"], ["new"] * 2))

    def read(self) -> list[str]:
        events = self.client("logs").get_log_events(logGroupName="old", logStreamName="s", startFromHead=True)["events"]
        return [event["message"] for event in events]

    def repository(self) -> None:
        """Its first branch, and so its default one, has another name than a new repository says."""
        codecommit = self.client("codecommit")
        self.ensure("repository", lambda: codecommit.get_repository(repositoryName="app"), lambda: codecommit.create_repository(repositoryName="app"))
        for number in range(2):
            if len(self.commits) == number:
                (self.folder / f"file {number}").write_text("text " * 100)
                git(self.folder, "add", "--all")
                git(self.folder, "commit", "--quiet", "--message", f"change {number}")
                self.commits.append(git(self.folder, "rev-parse", "HEAD").stdout.strip())
            commit = self.commits[number]
            self.once(
                f"push {number}", lambda: git(self.folder, "push", "--quiet", self.server.clone_url("app"), f"{commit}:refs/heads/trunk"),
                lambda commit=commit: codecommit.get_commit(repositoryName="app", commitId=commit))

    @property
    def safe(self):
        """Where the backup lies, beside the data folder."""
        return self.server.data_dir.with_name("safe")

    def backup(self) -> None:
        """What a backup acknowledges is whole, whatever happened to the ones before."""
        self.once(
            "backup", lambda: self.command("backup", self.safe, "--data-dir", self.server.data_dir),
            lambda: self.command("backup", self.safe, "--verify") is not None)

    def restore(self) -> None:
        """The backup comes back elsewhere, whole or not at all."""
        elsewhere = self.server.data_dir.with_name("elsewhere")
        if "restore" not in self.promises:
            assert not elsewhere.exists(), "a restore that died left half a folder"
            self.command("restore", self.safe, "--data-dir", elsewhere)
            assert not list(elsewhere.parent.glob(f"{elsewhere.name}?*")), "a restore left something beside the folder"
            shutil.rmtree(elsewhere)
            self.promises["restore"] = lambda: True

    def collect(self) -> None:
        """What has ended goes, and repositories are packed."""
        removed = json.loads(self.command("gc", "--data-dir", self.server.data_dir, "--json"))
        assert removed["dryRun"] is False

    def check(self) -> None:
        left = {row["what"]: row["count"] for row in json.loads(self.command("gc", "--data-dir", self.server.data_dir, "--json", "--dry-run"))["removed"]}
        assert {what: count for what, count in left.items() if count and "blobs" not in what} == {}, left
        s3 = self.client("s3")
        # What its stages show of a pipeline stays.
        assert len(pipelines.executions(self, "flow")) == 1
        versions = s3.list_object_versions(Bucket="aging")
        assert [one["Key"] for one in versions["DeleteMarkers"]] == [one["Key"] for one in versions["Versions"]] == list("abc")
        head = self.client("codecommit").get_branch(repositoryName="app", branchName="trunk")["branch"]["commitId"]
        assert head == self.commits[-1]
