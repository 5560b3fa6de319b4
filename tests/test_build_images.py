"""Which image a build runs on: the project's, what stands in for it, what the image's own users are, and why there is none."""

import json

import pytest

import image_files
import pipelines
from conftest import Server
from commands import run as command
from test_codebuild import finished, log, phase

CURATED = "aws/codebuild/standard:7.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose store has one image, with a user of its own."""
    folder = tmp_path_factory.mktemp("images")
    passwd = "root:x:0:0::/root:/bin/sh\nbuilder:x:1234:1235::/home/builder:/bin/sh\n"
    archive = image_files.docker_archive(folder / "app.tar", "example.test/app:1", {"etc/passwd": passwd}, FROM="the image")
    command("images", "load", archive, "--data-dir", folder / "data")
    server = Server(folder / "data", "open", "sandbox", "--image-map", "*/mapped:*=example.test/app:1").start()
    yield server
    server.stop()


def build(server: Server, name: str, image: str, *commands: str, **environment: object) -> dict:
    client = server.client("codebuild")
    buildspec = json.dumps({"version": 0.2, "phases": {
        "install": {"commands": list(commands)}, "build": {"run-as": "builder", "commands": list(commands)}}})
    client.create_project(
        name=name, source={"type": "NO_SOURCE", "buildspec": buildspec}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL", **environment},
        serviceRole=pipelines.role(server, f"{name}-role", "codebuild"))
    return finished(client, client.start_build(projectName=name)["build"]["id"])


def why(build: dict) -> str:
    [context] = phase(build, "PROVISIONING")["contexts"]
    assert (build["buildStatus"], context["statusCode"]) == ("FAILED", "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"), build
    return context["message"]


@pytest.mark.parametrize("image", ["example.test/app:1", "example.test/mapped:3"])
def test_a_build_runs_on_the_image_as_the_images_own_users(server, image):
    name = image.split("/")[1].split(":")[0]
    ended = build(server, name, image, "echo $(busybox id -un) from $FROM in $HOME, $CODEBUILD_BUILD_IMAGE")
    text = log(server.client, ended)
    assert ended["buildStatus"] == "SUCCEEDED", text
    assert f"\nroot from the image in /root, {image}\n" in text
    assert f"\nbuilder from the image in /home/builder, {image}\n" in text


def test_awss_own_images_name_both_ways_out(server):
    text = why(build(server, "curated", CURATED, "true"))
    assert CURATED in text and "landfall images build standard" in text and "--image-map 'aws/codebuild/*=" in text


def test_a_secret_for_a_registry_is_refused_with_another_way(server):
    ended = build(server, "secret", "127.0.0.1:1/private:1", "true", imagePullCredentialsType="SERVICE_ROLE",
                  registryCredential={"credential": "arn:aws:secretsmanager:us-east-1:000000000000:secret:x", "credentialProvider": "SECRETS_MANAGER"})
    text = why(ended)
    assert "registryCredential" in text and "landfall images pull" in text


def test_limits_are_those_of_the_compute_type_and_never_above_the_machine(server):
    """4 GiB and two processors for SMALL; a machine that has less gives what it has."""
    commands = ["cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | busybox head -n 1",
                "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | busybox head -n 1"]
    ended = build(server, "limits", "example.test/app:1", *commands)
    numbers = [int(line) for line in log(server.client, ended).splitlines() if line.isdigit()]
    machine = next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    assert numbers[0] == min(4 << 30, machine) // 4096 * 4096 and numbers[1] in (512, 1024), numbers
