"""A journey with real containers: two builds side by side, twice, each of which tells the server itself that it ran."""

import json

import pipelines
from conftest import ACCOUNT, eventually
from journey_checks import artifact, unpacked
from promises import Walk

TELL = """
import time, urllib.request, uuid
mark = str(uuid.uuid4())
open("mark", "w").write(mark)
now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
scope = "Credential=test/" + now[:8] + "/us-east-1/s3/aws4_request"
head = {"authorization": "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now}
for _ in range(400):
    try:
        put = urllib.request.Request("http://127.0.0.1:4566/effects/SIDE/" + mark, b"ran", head, method="PUT")
        urllib.request.urlopen(put, timeout=5)
        break
    except OSError as error:
        said = error, getattr(error, "fp", None) and error.fp.read()
        time.sleep(0.05)
else:
    raise SystemExit("nobody was told: %s %s" % said)
"""
"""A command that is run twice tells twice, under another name; in open mode any signature will do."""

SIDES = ("left", "right")


class Containers(Walk):
    """A pipeline on image `host`; the second execution takes prepared containers where they wait."""

    AUTH, ENGINE = "open", "sandbox"
    OPTIONS = ("--image-map", "*=host", "--pool", "1", "--builds-at-once", "4")

    def steps(self) -> list:
        return [self.ground, self.pipeline, self.again]

    def ground(self) -> None:
        s3, codebuild = self.client("s3"), self.client("codebuild")
        for bucket in ("app-inbox", "artifacts", "effects"):
            self.ensure(f"bucket {bucket}", lambda name=bucket: s3.head_bucket(Bucket=name), lambda name=bucket: s3.create_bucket(Bucket=name))
        s3.put_bucket_versioning(Bucket="app-inbox", VersioningConfiguration={"Status": "Enabled"})
        files = {f"{side}.json": json.dumps(buildspec(side)) for side in SIDES}
        self.once("source", lambda: pipelines.upload(self, "app", files), lambda: True)
        for side in SIDES:
            self.ensure(
                f"project {side}", lambda side=side: codebuild.batch_get_projects(names=[side])["projects"],
                lambda side=side: codebuild.create_project(
                    name=side, source={"type": "CODEPIPELINE", "buildspec": f"{side}.json"}, artifacts={"type": "CODEPIPELINE"},
                    environment={"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"},
                    serviceRole=f"arn:aws:iam::{ACCOUNT}:role/codebuild"))

    def pipeline(self) -> None:
        codepipeline = self.client("codepipeline")
        builds = [
            pipelines.action(side, "Build", "CodeBuild", {"ProjectName": side}, ["Source"], [side.capitalize()]) for side in SIDES]
        self.ensure(
            "pipeline", lambda: codepipeline.get_pipeline(name="app"),
            lambda: codepipeline.create_pipeline(pipeline={
                "name": "app", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/codepipeline",
                "artifactStore": {"type": "S3", "location": "artifacts"},
                "stages": [pipelines.inbox("app", PollForSourceChanges="false"), {"name": "Build", "actions": builds}]}))
        self.see(1)

    def again(self) -> None:
        self.client("codepipeline").start_pipeline_execution(name="app", clientRequestToken="again")
        self.see(2)

    def see(self, count: int) -> None:
        def ended():
            listed = pipelines.executions(self, "app")
            return len(listed) >= count and all(execution["status"] != "InProgress" for execution in listed)

        eventually(ended, 60, f"the end of {count} executions")

    def check(self) -> None:
        """Each command ran once, and its artifact is what that run made."""
        executions = pipelines.executions(self, "app")
        assert [execution["status"] for execution in executions] == ["Succeeded"] * 2, [pipelines.log(self, side) for side in SIDES]
        marks = {side: [] for side in SIDES}
        for execution in executions:
            actions = pipelines.actions(self, "app", execution["pipelineExecutionId"])
            assert sorted(action["actionName"] for action in actions) == sorted(("Object", *SIDES))
            for action in actions:
                if action["actionName"] in SIDES:
                    marks[action["actionName"]].append(unpacked(artifact(self, action))["mark"].decode())
        for side in SIDES:
            told = [entry["Key"].rpartition("/")[2] for entry in self.client("s3").list_objects_v2(Bucket="effects", Prefix=f"{side}/").get("Contents", ())]
            assert sorted(told) == sorted(marks[side]), (side, told, marks)

    def read(self, bucket: str, key: str) -> bytes:
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def buildspec(side: str) -> dict:
    command = "python3 - <<'END'\n" + TELL.replace("SIDE", side) + "END"
    return {"version": 0.2, "phases": {"build": {"commands": [command]}}, "artifacts": {"files": ["mark"]}}
