"""`landfall images`: the store of a data folder, with and without a server on it."""

import json
import os
import pty
import re
import subprocess
import time

import pytest

import pipelines
from commands import CLEAN, refused, run
from conftest import LANDFALL
from image_files import content, digest, docker_archive, oci_layout, registry
from test_codebuild import finished, log, phase


def listed(folder) -> list[dict]:
    return json.loads(run("images", "ls", "--data-dir", folder, "--json").stdout)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def test_an_archive_is_loaded_listed_and_removed(folder, tmp_path):
    archive = docker_archive(tmp_path / "app.tar", "example.test/team/app:1")
    loaded = run("images", "load", archive, "--data-dir", folder)
    [identity] = loaded.stdout.split()
    assert re.fullmatch("sha256:[0-9a-f]{64}", identity) and "example.test/team/app:1" in loaded.stderr
    [image] = listed(folder)
    assert (image["id"], image["references"], image["platform"]) == (identity, ["example.test/team/app:1"], "linux/amd64")
    assert image["bytes"] > 500_000 and image["layers"] == 1 and image["created"] == "2026-01-01T00:00:00Z"
    # Loading is repeatable.
    assert run("images", "load", archive, "--data-dir", folder).stdout.split() == [identity]
    shown = run("images", "ls", "--data-dir", folder).stdout.splitlines()
    assert shown[0].split() == ["image", "id", "size", "platform", "came", "last", "used"] and len(shown) == 2
    assert shown[1].split()[:2] == ["example.test/team/app:1", identity.removeprefix("sha256:")[:12]]
    # The columns stand under each other.
    assert shown[0].index("id") == shown[1].index(identity.removeprefix("sha256:")[:12])
    gone = run("images", "rm", identity.removeprefix("sha256:")[:8], "--data-dir", folder)
    assert gone.stdout.startswith("removed ") and "MB" in gone.stdout
    assert listed(folder) == []
    assert "There are no images yet" in run("images", "ls", "--data-dir", folder).stderr


def test_a_layout_gets_its_name_from_whoever_loads_it(folder, tmp_path):
    layout = oci_layout(tmp_path / "layout", WHO="layout")
    for tag in ("one:1", "two:2"):
        run("images", "load", layout, "--tag", tag, "--data-dir", folder)
    [image] = listed(folder)
    assert image["references"] == ["one:1", "two:2"]
    removed = json.loads(run("images", "rm", "one:1", "--data-dir", folder, "--json").stdout)
    assert (removed[0]["name"], removed[0]["removed"]) == ("one:1", False)
    assert "its image has others" not in run("images", "rm", "two:2", "--data-dir", folder).stdout
    assert listed(folder) == []


def test_gc_removes_what_nobody_uses(folder, tmp_path):
    run("images", "load", docker_archive(tmp_path / "a.tar", "a:1"), "--data-dir", folder)
    # It came just now: a month has not passed.
    assert "0 images removed" in run("images", "gc", "--data-dir", folder).stderr
    # What no registry has stays, unless it is asked for.
    assert "0 images removed" in run("images", "gc", "--unused-for", "0s", "--data-dir", folder).stderr
    dry = run("images", "gc", "--all", "--unused-for", "0s", "--dry-run", "--data-dir", folder)
    assert dry.stdout.startswith("a:1") and "Nothing was removed" in dry.stderr and len(listed(folder)) == 1
    freed = json.loads(run("images", "gc", "--all", "--unused-for", "0s", "--data-dir", folder, "--json").stdout)
    assert [image["references"] for image in freed["images"]] == [["a:1"]] and freed["bytes"] > 500_000
    assert listed(folder) == []


def test_what_cannot_be_done_says_what_can(folder, tmp_path):
    assert "there is no data folder" in refused("images", "ls", "--data-dir", folder)
    folder.mkdir()
    assert "landfall images ls" in refused("images", "rm", "none:1", "--data-dir", folder)
    assert "nothing to pull" in refused("images", "pull", "host", "--data-dir", folder)
    curated = refused("images", "pull", "aws/codebuild/standard:7.0", "--registry-mirror", "docker.io=http://127.0.0.1:1", "--data-dir", folder)
    assert "landfall images build standard" in curated
    assert "docker save" in refused("images", "load", tmp_path / "none.tar", "--data-dir", folder)
    (tmp_path / "text").write_text("no archive\n")
    assert "text" in refused("images", "load", tmp_path / "text", "--data-dir", folder)
    assert "--password-stdin" in run("images", "pull", "a:1", "--username", "u", check=False).stderr
    assert "there is no part" in refused("images", "build", "standard", "--with", "cobol", "--data-dir", folder)
    assert "HOST=URL" in refused("images", "pull", "a:1", "--registry-mirror", "x", "--data-dir", folder)
    # Names below `landfall/` are made here, and never asked of a registry.
    assert "landfall images build standard" in refused("images", "pull", "landfall/standard", "--data-dir", folder)
    several = run("images", "rm", "none:1", "none:2", "--data-dir", folder, check=False)
    assert several.returncode == 1 and several.stderr.count("landfall: ") == 2


def test_the_parts_of_the_standard_image_are_told():
    shown = run("images", "build", "standard", "--list").stdout
    assert "python" in shown and "aws" in shown and "golang" in shown
    parts = {part["name"]: part["usual"] for part in json.loads(run("images", "build", "standard", "--list", "--json").stdout)}
    assert parts["python"] is True and parts["golang"] is False
    assert "mmdebstrap" in refused("images", "build", "standard", PATH="/nowhere")


def test_pull_from_a_registry(folder):
    manifest, blobs = content(WHO="registry")
    with registry(manifest, blobs) as host:
        pulled = run("images", "pull", f"{host}/team/app:1", "--data-dir", folder)
        assert f"{host}/team/app:1" in pulled.stderr
        [image] = listed(folder)
        assert image["id"] == pulled.stdout.strip() and image["references"] == [f"{host}/team/app:1"]
        by_digest = f"{host}/team/app@{digest(manifest)}"
        same = json.loads(run("images", "pull", by_digest, "--data-dir", folder, "--json").stdout)
        assert same["id"] == image["id"]
        absent = refused("images", "pull", f"{host}/team/app:absent", "--data-dir", folder)
        assert f"{host}/team/app:absent" in absent
        # A mirror stands for another registry.
        mirrored = ("--registry-mirror", f"docker.io=http://{host}")
        run("images", "pull", "debian:12", *mirrored, "--data-dir", folder)
        assert "debian:12" in listed(folder)[0]["references"]
        # It may be the server's configuration that says so.
        run("images", "pull", "alpine:3", "--data-dir", folder, LANDFALL_REGISTRY_MIRROR=f"docker.io=http://{host}")
        freed = json.loads(run("images", "gc", "--unused-for", "0s", "--data-dir", folder, "--json").stdout)
        assert {"alpine:3", "debian:12"} < set(freed["images"][0]["references"]) and listed(folder) == []


def test_a_registry_with_a_user(folder):
    manifest, blobs = content()
    with registry(manifest, blobs, "ann", "hunter2") as host:
        told = refused("images", "pull", f"{host}/app:1", "--data-dir", folder)
        assert "hunter2" not in told and host in told

        def pull(password: str) -> subprocess.CompletedProcess:
            command = [LANDFALL, "images", "pull", f"{host}/app:1", "--username", "ann", "--password-stdin",
                       "--data-dir", str(folder)]
            return subprocess.run(command, input=password, env=CLEAN, capture_output=True, text=True, timeout=60)

        assert pull("wrong\n").returncode == 1
        empty = pull("")
        assert empty.returncode == 1 and "no password on standard input" in empty.stderr
        good = pull("hunter2\n")
        assert good.returncode == 0, good.stderr


def test_a_terminal_shows_a_line_that_moves_and_goes(folder, tmp_path):
    archive = docker_archive(tmp_path / "a.tar", "a:1")
    ours, theirs = pty.openpty()
    command = [LANDFALL, "images", "load", str(archive), "--data-dir", str(folder)]
    process = subprocess.Popen(command, env={**CLEAN, "TERM": "xterm"}, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert b"a:1" in shown.splitlines()[-1]


TABLE = """version: 0.1
runtimes:
  python:
    versions:
      3.9: {commands: ['echo "Installing Python version 3.9 ..."', export PYTHON_HERE=3.9]}
      3.10: {commands: ['echo "Installing Python version 3.10 ..."', export PYTHON_HERE=3.10]}
"""


@pytest.fixture(scope="module")
def standing_in(servers, tmp_path_factory):
    """A server without an image map, whose store has a tiny image under the standard one's name, loaded while it runs."""
    server = servers("open", "sandbox")
    codebuild = server.client("codebuild")
    codebuild.create_project(
        name="demo", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
        artifacts={"type": "NO_ARTIFACTS"}, serviceRole=pipelines.role(server, "builder", "codebuild"),
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
    )
    without = finished(codebuild, codebuild.start_build(projectName="demo")["build"]["id"])
    archive = docker_archive(
        tmp_path_factory.mktemp("image") / "standard.tar", None,
        {"codebuild/image/config/runtimes.yml": TABLE, "etc/motd": "a tiny image\n"}, MADE_BY="a test",
    )
    run("images", "load", archive, "--tag", "landfall/standard", "--data-dir", server.data_dir)
    return server, without


def built(server, buildspec: str, **overrides) -> tuple[dict, str]:
    codebuild = server.client("codebuild")
    started = codebuild.start_build(projectName="demo", buildspecOverride=buildspec, **overrides)["build"]
    build = finished(codebuild, started["id"])
    return build, log(server.client, build)


def test_awss_images_need_the_standard_one(standing_in):
    _, without = standing_in
    assert without["buildStatus"] == "FAILED"
    [context] = phase(without, "PROVISIONING")["contexts"]
    assert context["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "landfall images build standard" in context["message"] and "--image-map" in context["message"]


def test_awss_images_run_on_the_standard_one_with_the_runtime_that_is_asked_for(standing_in):
    server, _ = standing_in
    build, text = built(server, """version: 0.2
phases:
  install: {runtime-versions: {python: 3.x}, commands: ['echo "install has $PYTHON_HERE"']}
  build: {commands: ['cat /etc/motd', 'echo "made by $MADE_BY, python $PYTHON_HERE, in $CODEBUILD_BUILD_IMAGE"']}
""")
    assert build["buildStatus"] == "SUCCEEDED", text
    assert "Resolved 'python' runtime alias '3.x' to '3.10'." in text
    assert "Selecting 'python' runtime version '3.10' based on manual selections..." in text
    assert "Running command echo \"Installing Python version 3.10 ...\"" in text
    assert "install has 3.10\n" in text and "a tiny image\n" in text
    assert "made by a test, python 3.10, in aws/codebuild/standard:7.0\n" in text


@pytest.mark.parametrize("wanted, message", [
    ("python: 3.12", "Unknown runtime version named '3.12' of python. This build image has the following versions: 3.9, 3.10"),
    ("docker: 20", "Unknown runtime named 'docker'. This build image has the following runtimes: python"),
])
def test_a_runtime_that_the_image_lacks_ends_the_build_in_awss_words(standing_in, wanted, message):
    server, _ = standing_in
    build, text = built(server, f"version: 0.2\nphases: {{install: {{runtime-versions: {{{wanted}}}}}}}\n")
    assert build["buildStatus"] == "FAILED"
    [context] = phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert (context["statusCode"], context["message"]) == ("YAML_FILE_ERROR", message)
    assert f"Message: {message}" in text


def test_a_version_may_stand_in_a_variable(standing_in):
    server, _ = standing_in
    variables = [{"name": "WANTED", "value": "3.9"}]
    build, text = built(
        server, "version: 0.2\nphases: {install: {runtime-versions: {python: $WANTED}}, build: {commands: ['env']}}\n",
        environmentVariablesOverride=variables)
    assert build["buildStatus"] == "SUCCEEDED" and "PYTHON_HERE=3.9\n" in text, text


def test_images_that_builds_use_stay(standing_in):
    server, _ = standing_in
    codebuild = server.client("codebuild")
    spec = "version: 0.2\nphases: {build: {commands: ['while ! ls /tmp/end; do sleep 0.1; done']}}\n"
    started = codebuild.start_build(projectName="demo", buildspecOverride=spec)["build"]["id"]
    try:
        deadline = time.monotonic() + 60
        while codebuild.batch_get_builds(ids=[started])["builds"][0]["currentPhase"] != "BUILD":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "in use" in refused("images", "rm", "landfall/standard", "--data-dir", server.data_dir)
        assert "0 images removed" in run("images", "gc", "--all", "--unused-for", "0s", "--data-dir", server.data_dir).stderr
        assert "in use" in run("images", "ls", "--data-dir", server.data_dir).stdout
    finally:
        codebuild.stop_build(id=started)
    assert finished(codebuild, started)["buildStatus"] == "STOPPED"
