"""Prepared containers: a build takes one that waits; over a death of the server at each point nothing is left or used twice."""

import collections
import json

import pytest

import pipelines
from conftest import Server, eventually

BUILDSPEC = "version: 0.2\nphases: {build: {commands: ['echo I am $CODEBUILD_BUILD_ID on $(hostname)']}}\n"


def project(server: Server) -> None:
    role = pipelines.role(server, "builder", "codebuild")
    server.client("codebuild").create_project(
        name="demo", source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"}, serviceRole=role)


def succeed(server: Server, build: str) -> None:
    client = server.client("codebuild")

    def ended():
        [found] = client.batch_get_builds(ids=[build])["builds"]
        return found["buildComplete"] and found

    assert eventually(ended, 30, f"the end of {build}")["buildStatus"] == "SUCCEEDED"


def start(server: Server) -> str:
    return server.client("codebuild").start_build(projectName="demo")["build"]["id"]


def journal(server: Server) -> list[dict]:
    return [json.loads(line) for line in (server.data_dir / "dummy/journal").read_text().splitlines()]


def starts(server: Server) -> collections.Counter:
    return collections.Counter(
        entry["id"] for entry in journal(server) if isinstance(entry["asked"], dict) and "start" in entry["asked"])


def running(server: Server) -> set[str]:
    alive = set()
    for entry in journal(server):
        asked = entry["asked"]
        if isinstance(asked, dict) and "start" in asked:
            alive.add(entry["id"])
        elif asked == "remove":
            alive.discard(entry["id"])
    return alive


@pytest.mark.parametrize("point", ["codebuild_after_preparation", "codebuild_after_claim"])
def test_nothing_is_left_or_used_twice_over_a_death_at(tmp_path, point):
    server = Server(tmp_path / "data", "enforce", "dummy", "--image-map", "*=dummy", "--pool", "1")
    server.environment = {"LANDFALL_CRASH_POINT": point}
    server.start()
    try:
        project(server)
        builds = [start(server)]
        if point == "codebuild_after_claim":
            succeed(server, builds[0])
            eventually(lambda: {id for id in running(server) if id.startswith("p-")}, 10, "a prepared container")
            builds.append(start(server))
        server.process.wait(timeout=20)
        assert f"crash point {point} reached" in server.log.read_text()
        left = running(server)
        assert {id for id in left if id.startswith("p-")}, left
        server.environment = {}
        server.start()
        for build in builds:
            succeed(server, build)
        # Of those that were left none waits any more: they were claimed, or removed as orphans.
        eventually(lambda: not (left & running(server)), 10, "the end of what was left")
        assert set(starts(server).values()) == {1}
        builds.append(start(server))
        succeed(server, builds[-1])
    finally:
        if server.process.poll() is None:
            server.stop()
    assert not running(server), "a server that ends leaves nothing prepared"
    assert not list((server.data_dir / "run").iterdir())


def test_a_build_takes_a_container_that_waits(servers):
    server = servers("open", "sandbox", "--pool", "1")
    project(server)

    def container() -> str:
        """That of one more build, which says where it runs."""
        build = start(server)
        succeed(server, build)
        events = server.client("logs").filter_log_events(logGroupName="/aws/codebuild/demo")["events"]
        [host] = [event["message"].split()[-1] for event in events if event["message"].startswith(f"I am {build} on ")]
        return host

    assert container().startswith("b-"), "nothing is prepared before the first build"
    # One comes up meanwhile; a build that is faster starts its own.
    taken = eventually(lambda: (host := container()).startswith("p-") and host, 30, "a build in a prepared container")
    assert not (server.data_dir / "containers" / taken).exists(), "it went with its build"
    assert container() != taken
