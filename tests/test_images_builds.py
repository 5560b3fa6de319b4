"""Builds on images of a real registry: Debian's docker-registry on loopback, filled by skopeo."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import image_files
import pipelines
from conftest import LANDFALL, Server, eventually
from registries import Registry, save, tar


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with contextlib.closing(Registry(tmp_path_factory.mktemp("registry") / "registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def image(registry, tmp_path_factory) -> str:
    """Three layers: busybox; files and folders over them; some of them gone again."""
    base = image_files.layer({"etc/motd": "of the base\n", "srv/old": "old\n", "var/lib/a": "a\n"})
    upper = tar([("etc/", ""), ("etc/greeting", "hello from a layer\n"), ("etc/.wh.motd", "")])
    # A layer that names not the folders that it writes into: they stay as they are.
    top = tar([("srv/.wh..wh..opq", ""), ("srv/new", "new\n"), ("tmp/left", "left\n")])
    archive = save(tmp_path_factory.mktemp("image") / "image.tar", [base, upper, top],
                   Env=["PATH=/bin", "GREETING=from the image", "CHANGED=image"], WorkingDir="/srv", User="nobody",
                   Entrypoint=["/bin/false"])
    registry.push(archive, "busybox:1")
    return f"{registry.address}/busybox:1"


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data", "open", "sandbox", "--pool", "0").start()
    yield server
    server.stop()


def project(server: Server, image: str, *commands: str, name: str = "demo", **environment: object) -> None:
    buildspec = json.dumps({"version": 0.2, "phases": {"build": {"commands": list(commands)}}})
    role = pipelines.role(server, f"{name}-builder", "codebuild")
    server.client("codebuild").create_project(
        name=name, source={"type": "NO_SOURCE", "buildspec": buildspec}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL", **environment},
        serviceRole=role)


def start(server: Server, name: str = "demo") -> str:
    return server.client("codebuild").start_build(projectName=name)["build"]["id"]


def ended(server: Server, build: str) -> dict:
    def found():
        [found] = server.client("codebuild").batch_get_builds(ids=[build])["builds"]
        return found["buildComplete"] and found

    return eventually(found, 60, f"the end of {build}")


def log(server: Server, build: dict) -> str:
    group, stream = build["logs"]["groupName"], build["logs"]["streamName"]
    events = server.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return "".join(event["message"] for event in events["events"])


def run(server: Server, name: str = "demo") -> str:
    build = ended(server, start(server, name))
    text = log(server, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    return text


def test_a_build_sees_the_images_files_and_environment(server, registry, image):
    """Takes seconds: two whole builds with a pull."""
    project(server, image,
            'echo "I am $(id -u) on $(cat /etc/hostname): $GREETING, $CHANGED"', "cat /etc/greeting /srv/new /tmp/left",
            'test ! -e /etc/motd && test ! -e /srv/old && echo gone', "ls -ld /tmp /var/lib", "cat /etc/hosts",
            "echo mine > /etc/greeting && mkdir /new && echo x > /new/file && cat /etc/greeting",
            environmentVariables=[{"name": "CHANGED", "value": "project"}])
    text = run(server)
    for line in ("I am 0 on", "from the image, project", "hello from a layer\nnew\nleft", "gone", "drwxrwxrwt", "localhost", "mine"):
        assert line in text, text
    handed = registry.blobs_handed_out()
    # What the build before wrote is not seen, and nothing is pulled again.
    assert "hello from a layer" in run(server)
    assert registry.blobs_handed_out() == handed


def test_eight_builds_at_once_share_the_layers(server, registry, image):
    """Takes seconds: eight builds, of which the machine's two processors run some at a time."""
    handed = registry.blobs_handed_out()
    project(server, image, "cat /etc/greeting", "echo $CODEBUILD_BUILD_ID > /etc/greeting", "cat /etc/greeting")
    builds = [start(server) for _ in range(8)]
    for build in builds:
        build = ended(server, build)
        text = log(server, build)
        assert build["buildStatus"] == "SUCCEEDED" and f"\n{build['id']}\n" in text, text
    # A configuration and three layers.
    assert registry.blobs_handed_out() == handed + 4
    assert len(list((server.data_dir / "images/layers").iterdir())) == 3


def test_a_pull_goes_on_after_a_death_of_the_server(server, image):
    project(server, image, "cat /etc/greeting")
    build = start(server)
    eventually(lambda: any((server.data_dir / "images").glob("locks/layer-*")), 30, "the pull")
    server.kill()
    server.start()
    build = ended(server, build)
    assert build["buildStatus"] == "SUCCEEDED", log(server, build)
    listed = subprocess.run(
        [server.command[0], "images", "ls", "--json", "--data-dir", str(server.data_dir)],
        capture_output=True, text=True, check=True, timeout=30)
    assert image in listed.stdout


def test_a_server_of_an_ordinary_user_runs_images_too(image):
    nobody = 65534
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="landfall-images-") as home:
        os.chown(home, nobody, nobody)
        server = Server(pathlib.Path(home) / "data", "open", "sandbox", "--pool", "0", "--without-limits", "--build-network", "none")
        server.environment = {"HOME": home}
        # The binaries may lie in a home that nobody else may enter.
        for name in ("landfall", "landfall-agent"):
            shutil.copy(LANDFALL.with_name(name), home)
        server.command = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups",
                          f"{home}/landfall", *server.command[1:]]
        server.start()
        try:
            project(server, image, "cat /etc/greeting && test ! -e /etc/motd && ls /srv", "echo I am $(id -u) > /etc/greeting",
                    "cat /etc/greeting")
            text = run(server)
        finally:
            server.stop()
    assert "hello from a layer\nnew\n" in text and "I am 0" in text, text


def test_why_an_image_cannot_be_pulled_stands_in_the_builds_phase(server, registry, image):
    gone = "127.0.0.1:1/none:1"
    absent = f"{registry.address}/busybox:none"
    for number, (reference, words) in enumerate({
        absent: f"manifest unknown: {registry.address} has no image {absent}",
        gone: "cannot be reached",
        "landfall/standard:1": "landfall images build standard",
        "not/A/name": "is no image reference",
    }.items()):
        project(server, reference, "true", name=f"wrong{number}")
        build = ended(server, start(server, f"wrong{number}"))
        [phase] = [phase for phase in build["phases"] if phase["phaseType"] == "PROVISIONING"]
        [context] = phase["contexts"]
        assert build["buildStatus"] in ("FAILED", "FAULT") and phase["phaseStatus"] == "FAILED", build
        assert context["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE" and words in context["message"], context


def test_images_that_no_build_uses_any_more_are_collected(tmp_path, image):
    """Takes seconds: two whole builds with a pull each."""
    server = Server(tmp_path / "data", "open", "sandbox", "--pool", "0", "--keep-images", "0d").start()
    try:
        project(server, image, "true")
        run(server)
        data = ["--data-dir", str(server.data_dir)]

        def collected():
            done = subprocess.run([server.command[0], "gc", "--json", *data], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            [row] = [row for row in json.loads(done.stdout)["removed"] if row["what"] == "unused images"]
            return row["count"] and row

        # The build's container holds its image until it is removed.
        assert eventually(collected, 30, "the collection")["bytes"] > 500_000
        assert list((server.data_dir / "images/layers").iterdir()) == []
        # The next build pulls it again.
        run(server)
    finally:
        server.stop()
