"""Privileged builds: a Docker daemon inside of the build's own namespaces, of which nothing is left on the machine."""

import os
import pathlib
import re
import subprocess

import pytest

import pipelines
from conftest import eventually
from test_codebuild import log, phase

BUSYBOX = "/bin/busybox"
"""Statically linked, so that it is a whole image by itself (package busybox-static)."""

BUILDSPEC = f"""
version: 0.2
phases:
  install:
    commands:
      - test -S /var/run/docker.sock && grep -q 'API listen' /var/log/docker.log && echo the daemon waits
  build:
    commands:
      - cp {BUSYBOX} busybox
      - |
        cat > Dockerfile <<'END'
        FROM scratch
        COPY busybox /bin/busybox
        RUN ["/bin/busybox", "sh", "-c", "echo built inside > /made"]
        CMD ["/bin/busybox", "cat", "/made"]
        END
      - docker build --tag made .
      - docker run --rm made
      - docker run --detach --name left made /bin/busybox sleep 4242
      - echo the container is $(hostname)
      - docker info --format 'storage {{{{.Driver}}}}'
"""

BY_HAND = """
version: 0.2
phases:
  install:
    commands:
      - nohup dockerd --host=unix:///var/run/docker.sock --host=tcp://127.0.0.1:2375 --storage-driver=overlay2 &
      - timeout 15 sh -c "until docker info; do echo .; sleep 1; done"
  build:
    commands:
      - docker --host tcp://127.0.0.1:2375 version --format 'server {{.Server.Os}}'
"""


@pytest.fixture(scope="module")
def codebuild(landfall):
    client = landfall.client("codebuild")
    role = pipelines.role(landfall, "privileged", "codebuild")
    client.create_project(
        name="privileged", source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
                     "privilegedMode": True}, serviceRole=role)
    return client


def run(codebuild, **overrides) -> dict:
    build = codebuild.start_build(projectName="privileged", **overrides)["build"]["id"]

    def ended():
        [found] = codebuild.batch_get_builds(ids=[build])["builds"]
        return found["buildComplete"] and found

    return eventually(ended, 120, f"the end of {build}")


def rules() -> list[str]:
    """Docker's part of the machine's own packet filter and translations."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, timeout=30)
    return [line.split("[")[0] for line in saved.stdout.splitlines() if "docker" in line.lower()]


def groups(container: str) -> list[str]:
    """The machine's control groups of a container, in each hierarchy, with those below."""
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{folder}/{name}" for name in names if name.endswith(container)]
    return found


def commands() -> list[str]:
    lines = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


def test_a_build_makes_an_image_and_runs_it_and_nothing_is_left(landfall, client, codebuild):
    """Takes seconds, for a Docker daemon starts, builds, and is ended with a container that still runs."""
    before = rules()
    build = run(codebuild)
    text = log(client, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    assert "the daemon waits\n" in text and "storage overlay2\n" in text
    assert text.count("\nbuilt inside\n") == 1, text
    assert rules() == before
    [container] = re.findall(r"^the container is (\S+)$", text, re.MULTILINE)
    assert not groups(container)
    assert not [line for line in commands() if "sleep 4242" in line]
    folder = str(landfall.data_dir)
    assert not [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if folder in line]
    assert not (landfall.data_dir / "containers" / container).exists()


def test_a_daemon_started_by_hand_as_awss_documentation_shows(client, codebuild):
    """Takes seconds, for a Docker daemon starts."""
    build = run(codebuild, buildspecOverride=BY_HAND)
    text = log(client, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    assert "server linux\n" in text


def test_without_privilege_there_is_no_daemon(client, codebuild):
    spec = "version: 0.2\nphases: {build: {commands: ['docker ps']}}\n"
    build = run(codebuild, buildspecOverride=spec, privilegedModeOverride=False)
    assert phase(build, "BUILD")["phaseStatus"] == "FAILED"
    assert "Cannot connect to the Docker daemon" in log(client, build)
