"""Builds over Docker and Podman, with an unmodified boto3. The daemons are those of `scripts/with-daemons`."""

import http.client
import json
import os
import socket
import subprocess

import pytest

import pipelines
from conftest import LANDFALL, eventually
# What builds do is the same over every engine, so the tests of it are the same, too.
from test_codebuild import (  # noqa: F401
    codebuild, finished, log, phase, project, role, run,
    test_a_build_succeeds_and_its_log_can_be_read, test_a_command_that_exits_3, test_a_zip_in_s3_becomes_artifacts_in_s3,
    test_builds_are_retried_and_deleted, test_the_log_of_a_running_build_is_live,
)


class Daemon:
    """A daemon's own interface, for what happens behind Landfall's back."""

    def __init__(self, variable: str):
        self.url = os.environ.get(variable)
        if not self.url and os.environ.get("CI"):
            pytest.fail(f"{variable} is not set: run tests by scripts/with-daemons")
        if not self.url:
            pytest.skip("run tests by scripts/with-daemons to have daemons")

    def ask(self, method: str, path: str):
        connection = http.client.HTTPConnection("daemon", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.url.removeprefix("unix://"))
        connection.request(method, path)
        body = connection.getresponse().read()
        connection.close()
        return json.loads(body) if body else None

    def containers_of(self, build: str) -> list[str]:
        listed = self.ask("GET", "/containers/json?all=1")
        return [each["Id"] for each in listed if (each["Labels"] or {}).get("landfall.build") == build]


def image_map() -> tuple[str, str]:
    return "--image-map", f"aws/codebuild/*={os.environ['LANDFALL_TEST_IMAGE']}"


@pytest.fixture(scope="module", params=["LANDFALL_TEST_DOCKER", "LANDFALL_TEST_PODMAN"], ids=["docker", "podman"])
def daemon(request):
    return Daemon(request.param)


@pytest.fixture(scope="module")
def landfall(servers, daemon):
    return servers("open", "docker", "--docker-host", daemon.url, *image_map())


@pytest.fixture(scope="module")
def client(landfall):
    return landfall.client


@pytest.fixture(scope="module")
def unprepared(servers, daemon):
    """A server without prepared containers: what runs is a build's, and of this server alone."""
    server = servers("open", "docker", "--docker-host", daemon.url, "--pool", "0", *image_map())
    pipelines.project(server, "demo", source={"type": "NO_SOURCE", "buildspec": TICKS}, artifacts={"type": "NO_ARTIFACTS"})
    return server


TICKS = "version: 0.2\nphases: {build: {commands: ['for i in 1 2 3 4 5 6; do echo tick $i of 6; sleep 0.4; done']}}\n"
ENDLESS = "version: 0.2\nphases: {build: {commands: ['echo here', 'sleep 300']}}\n"


def running(server, spec: str) -> dict:
    """A build that has begun to write."""
    codebuild = server.client("codebuild")
    build = codebuild.start_build(projectName="demo", buildspecOverride=spec)["build"]

    def begun():
        [now] = codebuild.batch_get_builds(ids=[build["id"]])["builds"]
        assert not now["buildComplete"], now["phases"]
        return now["currentPhase"] == "BUILD" and "\n[Container]" in log(server.client, now)

    eventually(begun, 60, "the phase BUILD")
    return build


def test_builds_that_start_at_once_share_one_network(unprepared, daemon):
    daemon.ask("DELETE", "/networks/landfall-builds")
    codebuild = unprepared.client("codebuild")
    spec = "version: 0.2\nphases: {build: {commands: ['true']}}\n"
    builds = [codebuild.start_build(projectName="demo", buildspecOverride=spec)["build"]["id"] for _ in range(3)]
    ended = [finished(codebuild, build) for build in builds]
    assert [build["buildStatus"] for build in ended] == ["SUCCEEDED"] * 3, [build["phases"] for build in ended]
    if "docker" in daemon.url.rsplit("/", 1)[1]:
        names = [network["Name"] for network in daemon.ask("GET", "/networks")]
        assert names.count("landfall-builds") == 1, names


def test_the_engine_is_told(landfall):
    status = subprocess.run([LANDFALL, "status", "--json", "--data-dir", landfall.data_dir], capture_output=True, text=True)
    assert '"engine": "docker"' in status.stdout.replace('":"', '": "'), status.stdout + status.stderr


# Who is done with asking is taken for one that is gone: so each question stays open for a second.
def test_the_usual_addresses_answer_inside(client, codebuild, project):
    """Credentials of the role at 169.254.170.2, Landfall itself at 127.0.0.1:4566, AWS's names by the agent."""
    build = run(codebuild, r"""
version: 0.2
phases:
  build:
    commands:
      - |
        ask() { (printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:4566\r\n\r\n' $1; sleep 1) | nc $2 $3; }
        ask $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI 169.254.170.2 80 | grep -o '"AccessKeyId":"ASIA'
        ask /healthz 127.0.0.1 4566 | head -n 1
        grep CapEff /proc/self/status
        cat /etc/resolv.conf
""")
    text = log(client, build)
    assert '"AccessKeyId":"ASIA\n' in text and " 200 OK" in text, text
    assert "CapEff:\t00000000a80425fb\n" in text and "nameserver 127.0.0.53\n" in text, text


def test_image_host_runs_beside_it(client, codebuild, project):
    build = run(codebuild, "version: 0.2\nphases: {build: {commands: [python3 -c 'print(6 * 7)']}}\n", imageOverride="host")
    assert build["buildStatus"] == "SUCCEEDED" and "\n42\n" in log(client, build), log(client, build)


def test_an_image_that_cannot_be_pulled_is_told_as_codebuild_does(codebuild, project):
    build = run(codebuild, imageOverride="127.0.0.1:1/team/app:1")
    [context] = phase(build, "PROVISIONING")["contexts"]
    assert build["buildStatus"] == "FAILED" and context["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "CannotPullContainerError: Error response from daemon: " in context["message"]


# A build of 2.4 s during which the server dies, twice.
def test_a_build_outlives_its_servers(unprepared, daemon):
    build = running(unprepared, TICKS)
    unprepared.kill()
    unprepared.start()
    unprepared.stop()
    unprepared.start()
    build = finished(unprepared.client("codebuild"), build["id"])
    text = log(unprepared.client, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    assert [text.count(f"\ntick {i} of 6\n") for i in range(1, 7)] == [1] * 6, text
    eventually(lambda: not daemon.containers_of(build["id"]), 20, "the container's removal")


def test_a_build_whose_container_the_daemon_loses_is_a_fault(unprepared, daemon):
    build = running(unprepared, ENDLESS)
    [container] = daemon.containers_of(build["id"])
    daemon.ask("DELETE", f"/containers/{container}?force=1")
    build = finished(unprepared.client("codebuild"), build["id"])
    assert build["buildStatus"] == "FAULT"
    assert "Build container found dead" in phase(build, "BUILD")["contexts"][0]["message"]


def test_a_stopped_build_leaves_nothing(unprepared, daemon):
    build = running(unprepared, ENDLESS)
    assert len(daemon.containers_of(build["id"])) == 1
    codebuild = unprepared.client("codebuild")
    codebuild.stop_build(id=build["id"])
    assert finished(codebuild, build["id"])["buildStatus"] == "STOPPED"
    eventually(lambda: not daemon.containers_of(build["id"]), 20, "the container's removal")


def test_without_a_daemon_the_fix_is_told(tmp_path):
    def refused(*arguments: str) -> str:
        command = [LANDFALL, "serve", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert ended.returncode == 1, ended.stderr
        return ended.stderr

    there = f"unix://{tmp_path}/d.sock"
    assert "systemctl start docker" in refused("--engine", "docker", "--docker-host", there)
    assert there in refused("--engine", "auto", "--docker-host", there)
    assert "a daemon on this machine" in refused("--engine", "docker", "--docker-host", "tcp://10.0.0.1:2375")


def test_auto_takes_a_daemon_that_answers_and_else_the_sandbox(servers, daemon):
    def engine(host: str) -> str:
        server = servers("open", "auto", environment={"DOCKER_HOST": host})
        command = [LANDFALL, "status", "--json", "--data-dir", server.data_dir]
        about = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        server.stop()
        return json.dumps(about)

    assert '"docker"' in engine(daemon.url)
    assert '"sandbox"' in engine("unix:///nowhere.sock")


def test_image_host_where_the_sandbox_cannot_work(servers, daemon):
    """The daemon's builds go on; those of image `host` are told why they do not."""
    server = servers("open", "docker", "--docker-host", daemon.url, "--oci-runtime", "/no/runtime", *image_map())
    pipelines.project(server, "demo", source={"type": "NO_SOURCE", "buildspec": TICKS}, artifacts={"type": "NO_ARTIFACTS"})
    codebuild = server.client("codebuild")
    refused = run(codebuild, imageOverride="host")
    [context] = phase(refused, "PROVISIONING")["contexts"]
    assert "image `host` needs the sandbox" in context["message"] and "/no/runtime" in context["message"], context
    assert run(codebuild, "version: 0.2\nphases: {build: {commands: ['true']}}\n")["buildStatus"] == "SUCCEEDED"
    server.stop()
