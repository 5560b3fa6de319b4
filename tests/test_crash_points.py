"""The server dies at each of its crash points, is started again, and everything has happened once.

The points are read from the source, so a new one is tested by being there.
"""

import collections
import concurrent.futures
import contextlib
import json
import pathlib
import re
import sqlite3
import subprocess

import pytest

from conftest import ROOT, Server, eventually
from journey import Journey, pipelines_of

AT_ONCE = 4
"""Servers at the same time; each mostly waits for its disk."""

LATER = {
    "store_before_commit": (9, 60, 140, 220),
    "store_after_commit": (9, 60, 140, 220),
    "work_after_claim": (5, 11, 17),
    "blob_before_rename": (4, 7),
}
"""Points that every journey passes often: the passes to die at, beside the first."""

SLOW = ("codedeploy_after_lease",)
"""Begun first: a command that its host never got is given out again after a minute."""

UNREACHED: dict[str, str] = {
    "store_before_migration_commit": "passed when a folder has an older format; died at in kernel's contract tests",
    "blob_before_unused_removal": "passed a day after a blob was found unused; died at in kernel's contract tests",
    "backup_after_snapshot": "in `landfall backup`; died at in test_backup.py",
    "backup_before_manifest": "in `landfall backup`; died at in test_backup.py",
    "backup_after_manifest": "in `landfall backup`; died at in test_backup.py",
    "codebuild_after_claim": "passed when containers are prepared, which the dummy's are not by default; died at in test_pool.py",
    "codebuild_after_preparation": "passed when containers are prepared; died at in test_pool.py",
    "logs_before_expiry": "passed when log events are past their time; died at in test_logs_retention.py",
    "logs_after_expired_segment": "passed when log events are past their time; died at in test_logs_retention.py",
    "restore_before_rename": "in `landfall restore`; died at in test_backup.py",
    "s3_lifecycle_page": "passed when a bucket has lifecycle rules; died at in test_s3_settings.py",
}
"""Points that the journey does not come by, with the reason."""

SOURCE = re.compile(r'crash_point!\(\s*"([a-z0-9_]+)"')
TESTS = re.compile(r"^#\[cfg\(test\)\]", re.MULTILINE)


def crash_points() -> list[str]:
    """Every crash point of the source, test code left out."""
    names = []
    for file in sorted(ROOT.glob("crates/*/src/**/*.rs")):
        code = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("//"))
        names += SOURCE.findall(TESTS.split(code)[0])
    return names


POINTS = [
    f"{name}@{number}" for name in sorted(set(crash_points()) - UNREACHED.keys()) for number in (1, *LATER.get(name, ()))
]


def test_each_point_is_named_once_and_each_exception_exists():
    names = crash_points()
    assert [name for name, count in collections.Counter(names).items() if count > 1] == []
    assert (UNREACHED.keys() | LATER.keys()) - set(names) == set()


@pytest.fixture(scope="module")
def journeys(tmp_path_factory):
    """The journey over a death at each point, several at once; each test waits for its own."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        order = sorted(POINTS, key=lambda point: not point.startswith(SLOW))
        yield {point: pool.submit(survive, tmp_path_factory.mktemp("crash"), point) for point in order}


@pytest.mark.parametrize("point", POINTS)
def test_everything_happens_once_over_a_death_at(journeys, point):
    journeys[point].result()


def survive(folder: pathlib.Path, point: str) -> None:
    """The whole journey with a server that dies at `point`, and all checks at its end."""
    server = Server(folder / "data", "enforce", "dummy", "--image-map", "*=dummy")
    journey = Journey(server, folder / "working-copy")
    try:
        walk_over_death(server, journey, point)
        journey.keep_promises()
        check_effects(journey)
        check_deployments(journey)
        check_gate(journey)
        check_rest(server)
    except Exception as error:
        error.add_note(f"crash point {point}; end of the server's log:\n{server.tail(25)}")
        raise
    finally:
        journey.rest()
        if server.process and server.process.poll() is None:
            server.stop()


def walk_over_death(server: Server, journey: Journey, point: str) -> None:
    """Walks; at the server's death starts it again, without the crash point, and walks from the start."""
    server.environment = {"LANDFALL_CRASH_POINT": point}
    try:
        server.start()
        journey.walk()
        # A point of the background may still come.
        died = eventually_died(server, 3)
    except Exception:
        if not eventually_died(server, 3):
            raise
        died = True
    assert died, f"{point} was never reached: bring the journey there, or give the reason in UNREACHED"
    assert f"crash point {point.split('@')[0]} reached" in server.log.read_text(), server.tail()
    if server.endpoint:
        server.command[server.command.index("127.0.0.1:0")] = server.endpoint.removeprefix("http://")
    server.environment = {}
    server.start()
    journey.walk()


def eventually_died(server: Server, seconds: float) -> bool:
    try:
        return server.process.wait(timeout=seconds) is not None
    except subprocess.TimeoutExpired:
        return False


def check_effects(journey: Journey) -> None:
    """One execution for each trigger, each action once, each build in one container that was started once."""
    executions = pipelines_of(journey)
    triggers = [execution["trigger"]["triggerType"] for execution in executions]
    assert triggers[1:] == ["PollForSourceChanges", "CreatePipeline"], triggers
    assert triggers[0] == "StartPipelineExecution", triggers
    assert [execution["status"] for execution in executions] == ["Succeeded"] * 3
    codepipeline, codebuild = journey.client("codepipeline"), journey.client("codebuild")
    actions = codepipeline.list_action_executions(pipelineName="app")["actionExecutionDetails"]
    ran = collections.Counter((action["pipelineExecutionId"], action["actionName"]) for action in actions)
    wanted = [(execution["pipelineExecutionId"], name) for execution in executions for name in ("Source", "Build", "Deploy")]
    assert ran == collections.Counter(wanted)
    builds = codebuild.list_builds_for_project(projectName="app")["ids"]
    assert len(builds) == 3
    assert {build["buildStatus"] for build in codebuild.batch_get_builds(ids=builds)["builds"]} == {"SUCCEEDED"}
    journal = (journey.server.data_dir / "dummy/journal").read_text().splitlines()
    entries = [json.loads(line) for line in journal]
    starts = collections.Counter(entry["id"] for entry in entries if isinstance(entry["asked"], dict) and "start" in entry["asked"])
    assert len(starts) == 3 and set(starts.values()) == {1}, starts


def check_deployments(journey: Journey) -> None:
    """Three deployments, each event run once by the host."""
    codedeploy = journey.client("codedeploy")
    deployments = codedeploy.list_deployments(applicationName="app", deploymentGroupName="web")["deployments"]
    assert len(deployments) == 3
    for deployment in deployments:
        assert codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] == "Succeeded"
    host = journey.host
    assert set(host.ran.values()) == {1}, host.ran
    events = collections.Counter(event for _, event in host.ran)
    assert {"DownloadBundle", "Install"} <= events.keys() and set(events.values()) == {3}, events
    assert host.troubles == []


def check_gate(journey: Journey) -> None:
    """One execution that was asked twice, one rollback, each publication once."""
    executions = journey.client("codepipeline").list_pipeline_executions(pipelineName="gate")["pipelineExecutionSummaries"]
    ended = [(execution["executionType"], execution["status"]) for execution in executions]
    assert ended == [("ROLLBACK", "Succeeded"), ("STANDARD", "Succeeded")]
    actions = journey.client("codepipeline").list_action_executions(pipelineName="gate")["actionExecutionDetails"]
    assert [(action["actionName"], action["status"]) for action in actions[::-1]] == [
        ("Object", "Succeeded"), ("Ask", "Failed"), ("Ask", "Succeeded"), ("Publish", "Succeeded"), ("Publish", "Succeeded")]


def check_rest(server: Server) -> None:
    """Nothing that is due is leased or in back-off: all that was begun has come to its end.

    A dead server's lease stays on a document that is never due again; it means nothing (kernel, `store::lease`).
    """
    def held():
        with contextlib.closing(sqlite3.connect(f"file:{server.data_dir}/landfall.db?mode=ro", uri=True)) as database:
            return database.execute(
                "SELECT kind, key, lease_owner, failures FROM documents WHERE lease_owner IS NOT NULL AND due IS NOT NULL").fetchall()

    try:
        eventually(lambda: not held(), 10, "the end of all leases")
    except AssertionError:
        raise AssertionError(f"leases are left: {held()}") from None
