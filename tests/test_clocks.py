"""Somebody sets the clock while work is going on: nothing is lost, stuck, done twice, or ended before its time."""


import concurrent.futures
import contextlib

import pytest

import failing_io
import pipelines
from conftest import Server, eventually
from failing_day import Day
from failing_io import Faults

DAY, YEARS = 86_400, 10 * 365 * 86_400
SETTINGS = (DAY, -DAY, YEARS, -YEARS)
"""What the clock is wrong by, all of a sudden."""


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return failing_io.compiled(tmp_path_factory.mktemp("tools"))


@contextlib.contextmanager
def world(tools, folder):
    """A server whose wall clock the test sets, and a day up to its pipelines."""
    faults = Faults(tools, folder / "data", folder / "control")
    server = Server(folder / "data", "open", "dummy", "--image-map", "*=dummy")
    server.environment = faults.environment
    try:
        server.start()
        day = Day(server, folder / "copy")
        for step in day.steps()[:4]:
            day.ask(step)
        yield server, faults, day
    finally:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="module")
def outcomes(tools, tmp_path_factory):
    """All settings at once, since most of the time is waiting; each test takes its own."""
    with concurrent.futures.ThreadPoolExecutor(len(SETTINGS)) as pool:
        yield {seconds: pool.submit(work_over, tools, tmp_path_factory.mktemp("clock"), seconds) for seconds in SETTINGS}


@pytest.mark.parametrize("seconds", SETTINGS, ids=lambda seconds: f"{seconds // DAY:+d}d")
def test_work_goes_on_over_a_clock_that_is_set(outcomes, seconds):
    """A build runs meanwhile, for longer than it takes the server to look at its time, and an approval waits."""
    outcomes[seconds].result()


def project(day: Day, name: str, millis: int) -> None:
    """Builds of this project run so long, and may run for five minutes."""
    day.client("codebuild").create_project(
        name=name, source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [echo]}}"},
        artifacts={"type": "NO_ARTIFACTS"}, serviceRole="arn:aws:iam::000000000000:role/codebuild", timeoutInMinutes=5,
        environment={"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL",
                     "environmentVariables": [{"name": "LANDFALL_DUMMY_SLEEP_MS", "value": str(millis)}]})


def build(day: Day, build_id: str) -> dict:
    return day.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]


def work_over(tools, folder, seconds) -> None:
    with world(tools, folder) as (server, faults, day):
        carry_on(faults, day, seconds)
        assert "panicked" not in server.log.read_text()


def carry_on(faults: Faults, day: Day, seconds: float) -> None:
    codepipeline = day.client("codepipeline")
    project(day, "slow", 6_500)
    project(day, "quick", 0)
    ask = pipelines.action("Ask", "Approval", "Manual", {})
    codepipeline.create_pipeline(pipeline={
        "name": "gate", "roleArn": "arn:aws:iam::000000000000:role/codepipeline", "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [pipelines.source("app"), {"name": "Gate", "actions": [ask]}]})
    token = eventually(lambda: approval(codepipeline).get("token"), 30, "the approval")
    running = day.client("codebuild").start_build(projectName="slow")["build"]["id"]
    eventually(lambda: build(day, running)["currentPhase"] == "BUILD", 30, "the build's commands")
    faults.set_clock(seconds)
    day.keep_promises()
    started = day.client("codebuild").start_build(projectName="quick")["build"]["id"]
    assert eventually(lambda: build(day, started)["buildComplete"] and build(day, started), 60, "a build begun since")["buildStatus"] == "SUCCEEDED"
    ended = eventually(lambda: build(day, running)["buildComplete"] and build(day, running), 30, "the build")
    assert ended["buildStatus"] == "SUCCEEDED", ended["phases"]
    assert all(phase.get("durationInSeconds", 0) >= 0 for phase in ended["phases"])
    codepipeline.put_approval_result(pipelineName="gate", stageName="Gate", actionName="Ask", token=token, result={"status": "Approved", "summary": ""})
    eventually(lambda: [found["status"] for found in executions(codepipeline)] == ["Succeeded"], 30, "the execution that waited")
    for step in day.steps()[4:]:
        day.ask(step)
    eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
    day.check()


def test_a_restart_with_a_clock_that_was_set_back_in_between(tools, tmp_path):
    """The server dies in the middle of a day ten years ahead; its work is due in ten years, and goes on at once."""
    with world(tools, tmp_path) as (server, faults, day):
        faults.set_clock(YEARS)
        project(day, "slow", 1_500)
        running = day.client("codebuild").start_build(projectName="slow")["build"]["id"]
        day.ask(day.pipeline)
        server.kill()
        faults.set_clock(0)
        server.start()
        for step in (day.start, day.end):
            day.ask(step)
        eventually(lambda: build(day, running)["buildComplete"], 60, "the build of before")
        eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
        day.check()


def approval(codepipeline) -> dict:
    states = {stage["stageName"]: stage for stage in codepipeline.get_pipeline_state(name="gate")["stageStates"]}
    return states["Gate"]["actionStates"][0].get("latestExecution", {})


def executions(codepipeline) -> list[dict]:
    return codepipeline.list_pipeline_executions(pipelineName="gate")["pipelineExecutionSummaries"]
