"""Releases as `landfall-agent host` installs them: the real agent, real bundles, this machine's own files."""

import io
import pathlib
import subprocess
import zipfile

import pytest

from conftest import LANDFALL
from test_codedeploy import EVENTS, Fleet

AGENT = LANDFALL.parent / "landfall-agent"

APPSPEC = """\
version: 0.0
os: linux
files:
  - source: app
    destination: {folder}/installed
permissions:
  - object: {folder}/installed
    pattern: "**"
    mode: 640
    type: [file]
hooks:
"""


class Machine:
    """A fleet of one real agent, whose hooks write a diary."""

    def __init__(self, server, folder: pathlib.Path):
        self.fleet, self.folder = Fleet(server, hosts=1), folder
        arn, (key, secret) = self.fleet.users[0]
        config = folder / "host.yml"
        config.write_text(
            f"---\nregion: us-east-1\niam_user_arn: {arn}\naws_access_key_id: {key}\naws_secret_access_key: {secret}\n"
            f"endpoint: {server.endpoint}\nroot_dir: {folder}/agent\n")
        self.log = (folder / "agent.log").open("wb")
        self.process = subprocess.Popen([AGENT, "host", "--config", config], stdout=self.log, stderr=self.log)

    def diary(self) -> list[str]:
        return (self.folder / "diary").read_text().splitlines()

    def bundle(self, version: str, hooks: dict[str, str] | None = None, appspec: str | None = None, **files: str) -> bytes:
        """A zip with an appspec, one file and a hook for each scriptable event."""
        if hooks is None:
            hooks = {event: "" for event in EVENTS if event not in ("DownloadBundle", "Install")}
        text = appspec or APPSPEC.format(folder=self.folder) + "".join(
            f"  {event}:\n    - location: scripts/{event}.sh\n      timeout: 20\n" for event in hooks)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("appspec.yml", text)
            archive.writestr("app/version", version)
            for event, command in hooks.items():
                line = f"echo {version} $LIFECYCLE_EVENT $DEPLOYMENT_GROUP_NAME >> {self.folder}/diary\n"
                archive.writestr(f"scripts/{event}.sh", f"#!/bin/sh\n{line}{command}\n")
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    def deploy(self, bundle: bytes, status: str, **settings) -> dict:
        """Deploys; answers the host's target."""
        fleet, key = self.fleet, "release.zip"
        fleet.s3.put_object(Bucket=fleet.name, Key=key, Body=bundle)
        location = {"bucket": fleet.name, "key": key, "bundleType": "zip"}
        deployment = fleet.codedeploy.create_deployment(
            applicationName=fleet.name, deploymentGroupName="hosts",
            revision={"revisionType": "S3", "s3Location": location}, **settings)["deploymentId"]
        fleet.until(deployment, status)
        return fleet.target(deployment, 0)

    def failure(self, bundle: bytes) -> tuple[str, dict]:
        """Deploys what must fail; answers the event and its diagnostics."""
        target = self.deploy(bundle, "Failed")
        [failed] = [event for event in target["lifecycleEvents"] if event["status"] == "Failed"]
        return failed["lifecycleEventName"], failed["diagnostics"]


@pytest.fixture
def machine(enforcing, tmp_path):
    """Under enforced signatures, so that the host has nothing but its own user's rights."""
    machine = Machine(enforcing, tmp_path)
    yield machine
    machine.process.terminate()
    assert machine.process.wait(timeout=20) == 0
    machine.log.close()


def test_a_release_is_installed_and_the_next_one_stops_it_first(machine):
    target = machine.deploy(machine.bundle("one"), "Succeeded")
    assert [event["status"] for event in target["lifecycleEvents"]] == ["Succeeded"] * 7
    installed = machine.folder / "installed/version"
    assert installed.read_text() == "one" and installed.stat().st_mode & 0o777 == 0o640
    hooks = [event for event in EVENTS if event not in ("DownloadBundle", "Install")]
    # Nothing ran before the first release, so there is nothing to stop.
    assert machine.diary() == [f"one {event} hosts" for event in hooks[1:]]

    machine.deploy(machine.bundle("two"), "Succeeded")
    assert installed.read_text() == "two"
    assert machine.diary()[len(hooks) - 1:] == ["one ApplicationStop hosts"] + [f"two {event} hosts" for event in hooks[1:]]


def test_a_failing_hook_is_told_with_its_script_exit_code_and_output(machine):
    hooks = {"AfterInstall": "echo looking; echo no luck >&2; exit 3", "ApplicationStart": ""}
    event, diagnostics = machine.failure(machine.bundle("one", hooks))
    assert (event, diagnostics["errorCode"]) == ("AfterInstall", "ScriptFailed")
    assert diagnostics["scriptName"] == "scripts/AfterInstall.sh"
    assert "failed with exit code 3" in diagnostics["message"]
    assert "[stderr]no luck" in diagnostics["logTail"]
    assert machine.diary() == ["one AfterInstall hosts"]


def test_a_file_that_is_there_already_is_kept_unless_the_deployment_says_otherwise(machine):
    (machine.folder / "installed").mkdir()
    (machine.folder / "installed/version").write_text("mine")
    event, diagnostics = machine.failure(machine.bundle("one"))
    assert event == "Install"
    assert f"a specified file already exists at this location: {machine.folder}/installed/version" in diagnostics["message"]
    machine.deploy(machine.bundle("one"), "Succeeded", fileExistsBehavior="RETAIN")
    assert (machine.folder / "installed/version").read_text() == "mine"


def test_bad_bundles_fail_their_event_and_the_agent_lives_on(machine):
    event, diagnostics = machine.failure(b"this is no archive")
    assert event == "DownloadBundle" and diagnostics["errorCode"] == "UnknownError"
    event, diagnostics = machine.failure(machine.bundle("one", {}, appspec="version: 0.0\nos: linux\nfiles: [\n"))
    assert "line" in diagnostics["message"] and "column" in diagnostics["message"]
    event, diagnostics = machine.failure(machine.bundle("one", **{"../../outside": "x"}))
    assert event == "DownloadBundle" and not (machine.folder / "outside").exists()
    machine.deploy(machine.bundle("two"), "Succeeded")
