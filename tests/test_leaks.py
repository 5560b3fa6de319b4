"""What a server holds of its machine after many builds and deployments: what it held before.

`benches/run leaks` does the same with a thousand of each.
"""

import contextlib
import os
import pathlib
import re
import socket

import pytest

from conftest import HOST_IMAGE, eventually
from pipelines import role
from test_codedeploy import Fleet

WARM_UP, MORE = 20, 60
"""Builds before the first count, and until the second. The server keeps the sixteen newest log streams open."""
DEPLOYMENTS = 30


SLACK = {"descriptors": 8, "threads": 4}
"""What comes and goes by itself: clients' connections, streams closed with the next use of one, threads for blocking calls. A
leak for each build or deployment is many times that."""


def group_prefix(data_dir: pathlib.Path) -> str:
    """What the names of a data folder's control groups begin with (`engine::sandbox`): FNV-1a of its path."""
    digest = 0xCBF29CE484222325
    for byte in os.fsencode(data_dir.resolve()):
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}-"


def read(path: pathlib.Path) -> str:
    """A file of /proc, whose process may be gone."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def network(process: pathlib.Path) -> str:
    """The network namespace of a process; empty where it is gone."""
    try:
        return os.readlink(process / "ns/net")
    except OSError:
        return ""


def census(server) -> dict[str, int]:
    """What a server and its containers hold; memory and disk are left to the benchmark."""
    process = pathlib.Path(f"/proc/{server.process.pid}")
    prefix = group_prefix(server.data_dir)
    parent = f"\nPPid:\t{server.process.pid}\n"
    others = [path for path in pathlib.Path("/proc").glob("[0-9]*") if parent in read(path / "status") or prefix in read(path / "cgroup")]
    networks = {network(path) for path in others} - {network(pathlib.Path("/proc/self")), ""}
    groups = [name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names if name.startswith(prefix)]
    folders = [path for name in ("containers", "run", "spool") for path in (server.data_dir / name).glob("*")]
    return {
        "descriptors": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
        "processes": len(others),
        "zombies": sum(bool(re.search(r"\) Z ", read(path / "stat"))) for path in others),
        "mounts": len(read(process / "mountinfo").splitlines()),
        "control groups": len(groups),
        "network namespaces": len(networks),
        "folders": len(folders),
    }


def grown(server, before: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What there is more of than before."""
    now = census(server)
    return {name: (count, now[name]) for name, count in before.items() if now[name] > count + SLACK.get(name, 0)}


def settles(server, before: dict[str, int]) -> None:
    """Waits until there is no more of anything. Threads for blocking calls end after ten idle seconds."""
    try:
        eventually(lambda: not grown(server, before), 40)
    except AssertionError:
        raise AssertionError(f"there is more (before, after): {grown(server, before)}") from None


@pytest.fixture(scope="module")
def server(servers):
    # Prepared containers come and go by themselves; whether they are left behind is tests/test_pool.py's.
    return servers("open", "sandbox", *HOST_IMAGE, "--pool", "0", "--builds-at-once", "4")


@pytest.fixture(scope="module")
def project(server) -> str:
    server.client("codebuild").create_project(
        name="leaks", serviceRole=role(server, "leaks-build", "codebuild"), artifacts={"type": "NO_ARTIFACTS"},
        source={"type": "NO_SOURCE", "buildspec": "{version: 0.2, phases: {build: {commands: [echo done]}}}"},
        environment={"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"})
    return "leaks"


def build(server, project: str, count: int) -> None:
    """Runs so many builds to their end, four at once."""
    codebuild = server.client("codebuild")
    ids = [codebuild.start_build(projectName=project)["build"]["id"] for _ in range(count)]
    ended = lambda: all(found["buildComplete"] for found in codebuild.batch_get_builds(ids=ids)["builds"])
    eventually(ended, 180, f"the end of {count} builds")
    assert {found["buildStatus"] for found in codebuild.batch_get_builds(ids=ids)["builds"]} == {"SUCCEEDED"}


def test_builds_leave_nothing_behind(server, project):
    """Takes seconds: it runs dozens of containers."""
    build(server, project, WARM_UP)
    before = census(server)
    build(server, project, MORE)
    settles(server, before)


def test_deployments_leave_nothing_behind(server):
    """Takes seconds: each deployment is seven commands to a host."""
    fleet = Fleet(server, hosts=1, config="CodeDeployDefault.AllAtOnce")
    host = fleet.agent(0)
    host.start()
    try:
        fleet.until(fleet.deploy("release"), "Succeeded")
        before = census(server)
        for _ in range(DEPLOYMENTS):
            fleet.until(fleet.deploy("release"), "Succeeded")
        settles(server, before)
    finally:
        host.stop()
    assert host.troubles == []


def test_what_is_left_behind_is_seen(server):
    before = census(server)
    left = server.data_dir / "containers/left"
    left.mkdir(parents=True)
    host, port = server.endpoint.removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_ones:
        for _ in range(2 * SLACK["descriptors"]):
            connection = open_ones.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert {"folders", "descriptors"} <= grown(server, before).keys()
    left.rmdir()
    settles(server, before)
