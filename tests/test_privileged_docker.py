"""Privileged builds over Docker: a daemon within a container of a daemon, with storage of its own. See test_docker_engine."""

import io
import os
import re
import subprocess
import tarfile

import pytest

from test_docker_engine import Daemon
# What a privileged build does is the same over both engines, so the test of it is the same, too.
from test_privileged import codebuild, log, run, test_a_build_makes_an_image_and_runs_it_and_nothing_is_left  # noqa: F401

PROGRAMS = ("dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-init", "docker-proxy", "docker", "iptables")
EXTENSIONS = "/usr/lib/{}-linux-gnu/xtables"
IMAGE = "landfall-privileged:1"


def tools() -> bytes:
    """This machine's Docker with the libraries that it needs, and the extensions of iptables."""
    paths = [subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip() for name in PROGRAMS]
    linked = subprocess.run(["ldd", *paths], capture_output=True, text=True).stdout
    libraries = sorted(set(re.findall(r"(/\S+) \(0x", linked)))
    extensions = EXTENSIONS.format(os.uname().machine)
    found = subprocess.run(["ldd", *(f"{extensions}/{name}" for name in os.listdir(extensions))], capture_output=True, text=True)
    libraries += [path for path in set(re.findall(r"(/\S+) \(0x", found.stdout)) if path not in libraries]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as archive:
        for path in [*libraries, *(f"{extensions}/{name}" for name in os.listdir(extensions))]:
            archive.add(os.path.realpath(path), path)
        for path in paths:
            archive.add(os.path.realpath(path), f"usr/bin/{os.path.basename(path)}")
    return content.getvalue()


@pytest.fixture(scope="module")
def daemon():
    return Daemon("LANDFALL_TEST_DOCKER")


@pytest.fixture(scope="module")
def image(daemon) -> str:
    """The image of `scripts/with-daemons` with a Docker in it."""
    dockerfile = f"FROM {os.environ['LANDFALL_TEST_IMAGE']}\nADD tools.tar /\nENV PATH=/usr/bin:/bin\n".encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in (("Dockerfile", dockerfile), ("tools.tar", tools())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    subprocess.run(["docker", "build", "--quiet", "--tag", IMAGE, "-"], input=context.getvalue(), check=True, timeout=120,
                   capture_output=True, env={"DOCKER_HOST": daemon.url, "PATH": os.environ["PATH"], "DOCKER_BUILDKIT": "0"})
    return IMAGE


@pytest.fixture(scope="module")
def landfall(servers, daemon, image):
    return servers("open", "docker", "--docker-host", daemon.url, "--image-map", f"aws/codebuild/*={image}", "--pool", "0")


@pytest.fixture(scope="module")
def client(landfall):
    return landfall.client


def test_nothing_of_it_is_left_at_the_daemon(daemon, client, codebuild):
    """Takes seconds, for a Docker daemon starts in the build."""
    build = run(codebuild, buildspecOverride="version: 0.2\nphases: {build: {commands: ['docker info']}}\n")
    assert build["buildStatus"] == "SUCCEEDED", log(client, build)
    assert daemon.containers_of(build["id"]) == []
    assert (daemon.ask("GET", "/volumes")["Volumes"] or []) == []
