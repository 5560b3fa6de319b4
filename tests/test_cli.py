"""The demo's journey by hand: the aws command line and git, and nothing else."""

import json
import pathlib
import sys
import zipfile

import pytest

import pipelines
from conftest import ACCOUNT, REGION, commit_and_push, eventually, git, trust, working_copy
from hosts import Host

NAME = "by-hand"
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
FILES = {
    "page.txt": "version 1\n",
    "test.sh": "grep --quiet '^version [0-9]' page.txt\n",
    "scripts/start.sh": "#!/bin/sh\ncp /opt/by-hand/page.txt /run/served\n",
    "buildspec.yml": "version: 0.2\nphases: {build: {commands: ['echo \"testing $(cat page.txt)\"', 'sh test.sh']}}\n"
                     "artifacts: {files: [appspec.yml, page.txt, 'scripts/*']}\n",
    "appspec.yml": "version: 0.0\nos: linux\n"
                   "files: [{source: page.txt, destination: /opt/by-hand}]\n"
                   "hooks: {ApplicationStart: [{location: scripts/start.sh, timeout: 30}]}\n",
}


class CommandLine:
    """Stands in for a server where boto3 clients are made: every call becomes a run of the aws command."""

    def __init__(self, server):
        self.endpoint, self.aws = server.endpoint, server.aws

    def client(self, service: str) -> "CommandLine.Service":
        return CommandLine.Service(self, {"codedeploy": "deploy"}.get(service, service))

    def ask(self, *arguments: str) -> dict:
        """What the command prints, read as JSON."""
        return json.loads(self.aws(*arguments).stdout or "{}")

    class Service:
        def __init__(self, line: "CommandLine", name: str):
            self.line, self.name = line, name

        def __getattr__(self, method: str):
            command = method.replace("_", "-")
            return lambda **members: self.line.ask(self.name, command, "--cli-input-json", json.dumps(members))


def make_role(aws, service: str) -> str:
    name = f"{NAME}-{service}"
    made = aws.ask("iam", "create-role", "--role-name", name, "--assume-role-policy-document", trust(service))
    aws.ask("iam", "put-role-policy", "--role-name", name, "--policy-name", "all", "--policy-document", EVERYTHING)
    assert made["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return made["Role"]["Arn"]


def make_pipeline(aws, folder: pathlib.Path) -> None:
    """Project, application, group and pipeline."""
    aws.ask(
        "codebuild", "create-project", "--name", NAME, "--source", "type=CODEPIPELINE", "--artifacts", "type=CODEPIPELINE",
        "--environment", "type=LINUX_CONTAINER,image=aws/codebuild/standard:7.0,computeType=BUILD_GENERAL1_SMALL",
        "--service-role", make_role(aws, "codebuild"))
    aws.ask("deploy", "create-application", "--application-name", NAME, "--compute-platform", "Server")
    aws.ask(
        "deploy", "create-deployment-group", "--application-name", NAME, "--deployment-group-name", "hosts",
        "--deployment-config-name", "CodeDeployDefault.AllAtOnce", "--service-role-arn", make_role(aws, "codedeploy"),
        "--on-premises-instance-tag-filters", f"Key=group,Value={NAME},Type=KEY_AND_VALUE")
    settings = {"ApplicationName": NAME, "DeploymentGroupName": "hosts"}
    deploy = pipelines.action("Deploy", "Deploy", "CodeDeploy", settings, ["Release"])
    definition = folder / "pipeline.json"
    definition.write_text(json.dumps({"pipeline": {
        "name": NAME, "roleArn": make_role(aws, "codepipeline"),
        "artifactStore": {"type": "S3", "location": f"{NAME}-artifacts"},
        "stages": [pipelines.source(NAME), pipelines.build(NAME), {"name": "Deploy", "actions": [deploy]}],
    }}))
    aws.ask("codepipeline", "create-pipeline", "--cli-input-json", f"file://{definition}")


def ended(aws, count: int) -> dict:
    """The newest of `count` executions, once it has ended."""
    def newest():
        found = aws.ask("codepipeline", "list-pipeline-executions", "--pipeline-name", NAME)["pipelineExecutionSummaries"]
        return len(found) >= count and found[0]["status"] != "InProgress" and found[0]

    return eventually(newest, 90, f"the end of execution {count}")


def stages(aws) -> dict[str, str]:
    found = aws.ask("codepipeline", "get-pipeline-state", "--name", NAME)["stageStates"]
    return {stage["stageName"]: stage["latestExecution"]["status"] for stage in found}


def actions(aws, execution: dict) -> dict[str, dict]:
    found = aws.ask(
        "codepipeline", "list-action-executions", "--pipeline-name", NAME,
        "--filter", f"pipelineExecutionId={execution['pipelineExecutionId']}")["actionExecutionDetails"]
    return {action["actionName"]: action for action in found}


def external(action: dict) -> str:
    return action["output"]["executionResult"]["externalExecutionId"]


def test_from_push_to_running_release_by_hand(landfall, tmp_path):
    # Longer than 2 s: three pipelines, two deployments and some thirty runs of a Python program.
    aws = CommandLine(landfall)
    landfall.aws("s3", "mb", f"s3://{NAME}-artifacts")
    made = aws.ask("codecommit", "create-repository", "--repository-name", NAME)["repositoryMetadata"]
    assert made["Arn"] == f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{NAME}"
    folder = working_copy(tmp_path / "work", landfall.clone_url(NAME), FILES)
    assert aws.ask("codecommit", "get-branch", "--repository-name", NAME, "--branch-name", "main")["branch"]["commitId"] == \
        git(folder, "rev-parse", "HEAD").stdout.strip()
    host = Host(aws, f"{NAME}-host", tmp_path / "host", ("group", NAME))
    try:
        make_pipeline(aws, tmp_path)
        first = ended(aws, 1)
        assert first["status"] == "Succeeded", (actions(aws, first), landfall.tail())
        assert host.run("cat", "/run/served") == "version 1\n"
        look_around(landfall, aws, first, tmp_path)

        commit_and_push(folder, {"page.txt": "version 2\n"})
        assert ended(aws, 2)["status"] == "Succeeded"
        assert host.run("cat", "/run/served") == "version 2\n"

        commit_and_push(folder, {"page.txt": "broken\n"})
        third = ended(aws, 3)
        assert third["status"] == "Failed"
        assert stages(aws) == {"Source": "Succeeded", "Build": "Failed", "Deploy": "Succeeded"}
        [build] = aws.ask("codebuild", "batch-get-builds", "--ids", external(actions(aws, third)["Build"]))["builds"]
        [phase] = [phase for phase in build["phases"] if phase.get("phaseStatus") == "FAILED"]
        assert phase["phaseType"] == "BUILD" and "sh test.sh" in phase["contexts"][0]["message"]
        assert host.run("cat", "/run/served") == "version 2\n"
    finally:
        host.stop()


def look_around(landfall, aws, execution: dict, folder: pathlib.Path) -> None:
    """Follows an execution into the services that worked for it."""
    assert stages(aws) == {"Source": "Succeeded", "Build": "Succeeded", "Deploy": "Succeeded"}
    found = actions(aws, execution)
    [build] = aws.ask("codebuild", "batch-get-builds", "--ids", external(found["Build"]))["builds"]
    assert build["buildStatus"] == "SUCCEEDED"
    logged = aws.ask(
        "logs", "filter-log-events", "--log-group-name", build["logs"]["groupName"], "--filter-pattern", '"testing version"')
    assert any(event["message"] == "testing version 1\n" for event in logged["events"])

    deployments = aws.ask("deploy", "list-deployments", "--application-name", NAME, "--deployment-group-name", "hosts")
    assert deployments["deployments"] == [external(found["Deploy"])]
    landfall.aws("deploy", "wait", "deployment-successful", "--deployment-id", external(found["Deploy"]))
    info = aws.ask("deploy", "get-deployment", "--deployment-id", external(found["Deploy"]))["deploymentInfo"]
    assert (info["status"], info["deploymentOverview"]["Succeeded"]) == ("Succeeded", 1)

    place = found["Build"]["output"]["outputArtifacts"][0]["s3location"]
    url = f"s3://{place['bucket']}/{place['key']}"
    assert place["key"] in landfall.aws("s3", "ls", "--recursive", f"s3://{place['bucket']}").stdout
    landfall.aws("s3", "cp", url, str(folder / "release.zip"))
    with zipfile.ZipFile(folder / "release.zip") as release:
        assert sorted(release.namelist()) == ["appspec.yml", "page.txt", "scripts/start.sh"]
        assert release.read("page.txt") == b"version 1\n"


def test_files_go_to_a_bucket_and_back(enforcing, tmp_path):
    (tmp_path / "up/deep").mkdir(parents=True)
    # Over the command's threshold for uploads in parts.
    large = bytes(range(256)) * 4096 * 9
    (tmp_path / "up/large").write_bytes(large)
    (tmp_path / "up/deep/small ü.txt").write_text("small\n")
    enforcing.aws("s3", "mb", "s3://by-hand-files")
    enforcing.aws("s3", "cp", "--recursive", str(tmp_path / "up"), "s3://by-hand-files/copy/")
    listed = enforcing.aws("s3", "ls", "--recursive", "s3://by-hand-files").stdout
    assert [line.split(maxsplit=3)[2:] for line in listed.splitlines()] == [
        ["6", "copy/deep/small ü.txt"], [str(len(large)), "copy/large"]]
    enforcing.aws("s3", "sync", "s3://by-hand-files/copy", str(tmp_path / "down"))
    assert (tmp_path / "down/large").read_bytes() == large
    assert (tmp_path / "down/deep/small ü.txt").read_text() == "small\n"
    # The command copies a large object part by part, without loading it.
    enforcing.aws("s3", "cp", "s3://by-hand-files/copy/large", "s3://by-hand-files/again")
    assert enforcing.client("s3").get_object(Bucket="by-hand-files", Key="again")["Body"].read() == large
    enforcing.aws("s3", "rb", "--force", "s3://by-hand-files")
    assert "by-hand-files" not in enforcing.aws("s3", "ls").stdout


@pytest.fixture
def helped(enforcing):
    """Settings of git and of the environment, as AWS's guide has a user write them."""
    aws = pathlib.Path(sys.executable).parent / "aws"
    key, secret = enforcing.root_key()
    settings = ["-c", f"credential.helper=!{aws} codecommit credential-helper --ignore-host-check $@", "-c", "credential.UseHttpPath=true"]
    return settings, {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": REGION}


def test_the_credential_helper_signs_for_git(enforcing, helped, tmp_path):
    settings, environment = helped
    enforcing.aws("codecommit", "create-repository", "--repository-name", "helped")
    url = f"{enforcing.endpoint}/v1/repos/helped"
    work = working_copy_of(tmp_path / "work")
    git(work, *settings, "push", "--quiet", url, "main", **environment)
    git(tmp_path, *settings, "clone", "--quiet", url, "copy", **environment)
    assert (tmp_path / "copy/file").read_text() == "content\n"
    shown = enforcing.aws("codecommit", "get-file", "--repository-name", "helped", "--file-path", "file", "--query", "fileContent")
    assert json.loads(shown.stdout) == "Y29udGVudAo="

    wrong = git(tmp_path, *settings, "clone", url, "refused", check=False, **{**environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert wrong.returncode != 0 and not (tmp_path / "refused").exists()
    nobody = git(tmp_path, "clone", url, "refused", check=False)
    assert nobody.returncode != 0 and "could not read Username" in nobody.stderr


def working_copy_of(folder: pathlib.Path) -> pathlib.Path:
    """A Git repository with one commit and no remote."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "file").write_text("content\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_failed_command_says_what_was_wrong(landfall):
    for arguments, text in [
        (("codepipeline", "get-pipeline", "--name", "absent"), "(PipelineNotFoundException) when calling the GetPipeline operation"),
        (("codebuild", "start-build", "--project-name", "absent"), "(ResourceNotFoundException) when calling the StartBuild operation"),
        (("iam", "get-user", "--user-name", "absent"), "(NoSuchEntity) when calling the GetUser operation"),
        (("s3", "cp", "s3://absent-bucket/key", "-"), "(404) when calling the HeadObject operation"),
        (("s3api", "get-object", "--bucket", "absent-bucket", "--key", "k", "/dev/null"), "(NoSuchBucket) when calling the GetObject"),
        (("events", "list-rules"), "(NotImplementedException) when calling the ListRules operation"),
    ]:
        result = landfall.aws(*arguments, check=False)
        assert result.returncode in (1, 254, 255) and text in result.stderr
