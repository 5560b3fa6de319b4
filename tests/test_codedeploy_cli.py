"""A newcomer's deployment typed with the aws command: push, register, deploy, wait, deregister."""

import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

import pipelines
from conftest import ACCOUNT, LANDFALL, REGION, eventually

AGENT = LANDFALL.parent / "landfall-agent"
AWS = pathlib.Path(sys.executable).parent / "aws"

APPSPEC = """\
version: 0.0
os: linux
files:
  - source: page.html
    destination: {folder}/site
hooks:
  ValidateService:
    - location: check.sh
      timeout: 20
"""


class Desk:
    """Somebody at a shell with the root key and one endpoint for all services."""

    def __init__(self, server, folder: pathlib.Path):
        self.server, self.folder, self.name = server, folder, f"cli-{uuid.uuid4().hex[:8]}"
        folder.mkdir(exist_ok=True)

    def aws(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        key, secret = self.server.root_key()
        environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.server.endpoint, "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        result = subprocess.run(
            [AWS, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        assert not check or result.returncode == 0, result.stderr + result.stdout
        return result

    def deploy(self, *arguments: str) -> dict:
        return json.loads(self.aws("deploy", *arguments, "--output", "json").stdout or "{}")


@pytest.fixture
def desk(enforcing, tmp_path):
    return Desk(enforcing, tmp_path / "desk")


def release(desk: Desk, page: str) -> pathlib.Path:
    """A folder with a release."""
    folder = desk.folder / "release"
    folder.mkdir(exist_ok=True)
    (folder / "appspec.yml").write_text(APPSPEC.format(folder=desk.folder))
    (folder / "page.html").write_text(page)
    (folder / "check.sh").write_text(f"#!/bin/sh\ngrep -q '{page}' {desk.folder}/site/page.html\n")
    (folder / "check.sh").chmod(0o755)
    return folder


# Eleven runs of the aws command, about a second each, and a real agent.
def test_push_register_deploy_wait_and_deregister(desk):
    name = desk.name
    role = pipelines.role(desk.server, f"{name}-role", "codedeploy")
    desk.aws("s3", "mb", f"s3://{name}")
    desk.deploy("create-application", "--application-name", name)
    desk.deploy(
        "create-deployment-group", "--application-name", name, "--deployment-group-name", "web",
        "--service-role-arn", role, "--on-premises-instance-tag-filters", f"Key=Name,Value={name},Type=KEY_AND_VALUE")

    pushed = desk.aws(
        "deploy", "push", "--application-name", name, "--source", str(release(desk, "hello")), "--description", "first",
        "--s3-location", f"s3://{name}/app.zip").stdout
    assert "aws deploy create-deployment" in pushed, pushed
    [revision] = desk.deploy("list-application-revisions", "--application-name", name, "--s-3-bucket", name)["revisions"]
    etag = revision["s3Location"]["eTag"].strip('"')
    assert (revision["s3Location"]["bundleType"], len(etag)) == ("zip", 32)

    registered = desk.aws(
        "deploy", "register", "--instance-name", name, "--tags", f"Key=Name,Value={name}", "--region", REGION)
    assert "ERROR" not in registered.stdout + registered.stderr, registered.stdout + registered.stderr
    config = (desk.folder / "codedeploy.onpremises.yml").read_text()
    arn = f"arn:aws:iam::{ACCOUNT}:user/AWS/CodeDeploy/{name}"
    assert f"iam_user_arn: {arn}" in config and f"region: {REGION}" in config, config
    info = desk.deploy("get-on-premises-instance", "--instance-name", name)["instanceInfo"]
    assert (info["iamUserArn"], info["tags"]) == (arn, [{"Key": "Name", "Value": name}])

    deployment = desk.deploy(
        "create-deployment", "--application-name", name, "--deployment-group-name", "web", "--description", "by hand",
        "--s3-location", f"bucket={name},key=app.zip,bundleType=zip,eTag={etag}")["deploymentId"]
    agent = agent_of(desk, config)
    try:
        # The command looks every 15 seconds: it is asked when it can see the end at once.
        status = lambda: desk.server.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]["status"]
        eventually(lambda: status() == "Succeeded", what="the deployment")
        desk.aws("deploy", "wait", "deployment-successful", "--deployment-id", deployment)
    finally:
        agent.terminate()
        assert agent.wait(timeout=20) == 0
    assert (desk.folder / "site/page.html").read_text() == "hello"
    target = desk.deploy("get-deployment-target", "--deployment-id", deployment, "--target-id", name)
    assert target["deploymentTarget"]["instanceTarget"]["status"] == "Succeeded"

    gone = desk.aws("deploy", "deregister", "--instance-name", name, "--region", REGION)
    assert "ERROR" not in gone.stdout + gone.stderr, gone.stdout + gone.stderr
    assert "deregisterTime" in desk.deploy("get-on-premises-instance", "--instance-name", name)["instanceInfo"]
    users = [user["UserName"] for user in desk.server.client("iam").list_users(PathPrefix="/AWS/CodeDeploy/")["Users"]]
    assert name not in users


def agent_of(desk: Desk, config: str) -> subprocess.Popen:
    """The host of what `register` wrote, with nothing but its own user's key."""
    (desk.folder / "host.yml").write_text(f"{config}\nendpoint: {desk.server.endpoint}\nroot_dir: {desk.folder}/agent\n")
    with (desk.folder / "agent.log").open("wb") as log:
        return subprocess.Popen([AGENT, "host", "--config", desk.folder / "host.yml"], stdout=log, stderr=log)


# Five runs of the aws command.
def test_waiting_for_a_deployment_that_fails_says_so(desk):
    name = desk.name
    role = pipelines.role(desk.server, f"{name}-role", "codedeploy")
    desk.deploy("create-application", "--application-name", name)
    desk.deploy(
        "create-deployment-group", "--application-name", name, "--deployment-group-name", "web", "--service-role-arn", role,
        "--on-premises-instance-tag-filters", "Key=Name,Value=nobody,Type=KEY_AND_VALUE")
    deployment = desk.deploy(
        "create-deployment", "--application-name", name, "--deployment-group-name", "web",
        "--s3-location", "bucket=absent,key=app.zip,bundleType=zip")["deploymentId"]
    eventually(
        lambda: desk.server.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] == "Failed",
        what="the failure")
    waited = desk.aws("deploy", "wait", "deployment-successful", "--deployment-id", deployment, check=False)
    assert waited.returncode == 255 and "Waiter DeploymentSuccessful failed" in waited.stderr
    found = desk.deploy("get-deployment", "--deployment-id", deployment)["deploymentInfo"]
    assert found["errorInformation"]["code"] == "NO_INSTANCES"
