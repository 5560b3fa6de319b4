"""`landfall images build standard`: a build environment out of Debian's packages, and builds on it."""

import pathlib

import pytest

import pipelines
from commands import run
from test_codebuild import finished, log, phase

BUILDSPEC = """version: 0.2
phases:
  install:
    runtime-versions: {python: latest}
    commands: ['echo "in $CODEBUILD_BUILD_IMAGE"']
  build:
    run-as: codebuild-user
    commands:
      - 'id -un'
      - 'python -c "import sys; print(sys.version_info[:2])"'
      - 'pip --version'
      - 'echo "[1, 2]" | jq -c "map(. + 1)"'
      - 'cat /codebuild/image/config/runtimes.yml'
      - 'git --version && curl --version | head -1 && unzip -v | head -1'
"""


@pytest.fixture(scope="module")
def server(standard):
    assert "landfall/standard" in run("images", "ls", "--data-dir", standard.data_dir).stdout
    standard.client("codebuild").create_project(
        name="demo", source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}, artifacts={"type": "NO_ARTIFACTS"},
        serviceRole=pipelines.role(standard, "builder", "codebuild"),
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
    )
    return standard


def built(server, **overrides) -> tuple[dict, str]:
    codebuild = server.client("codebuild")
    build = finished(codebuild, codebuild.start_build(projectName="demo", **overrides)["build"]["id"])
    return build, log(server.client, build)


def test_a_build_has_the_tools_and_the_runtime_that_it_asks_for(server):
    build, text = built(server)
    assert build["buildStatus"] == "SUCCEEDED", text
    lines = text.splitlines()
    assert "in aws/codebuild/standard:7.0" in lines and "codebuild-user" in lines and "[2,3]" in lines
    [version] = [line.strip("()").replace(", ", ".") for line in lines if line.startswith("(3, ")]
    assert f"Resolved 'python' runtime alias 'latest' to '{version}'." in text
    assert f"Installing Python version {version} ..." in lines and f"      {version}:" in lines


def test_a_runtime_that_was_left_out_is_told(server):
    buildspec = "version: 0.2\nphases: {install: {runtime-versions: {java: corretto21}}}\n"
    build, _ = built(server, buildspecOverride=buildspec)
    [context] = phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert (build["buildStatus"], context["statusCode"]) == ("FAILED", "YAML_FILE_ERROR")
    assert context["message"] == "Unknown runtime named 'java'. This build image has the following runtimes: nodejs, python, rust"


def test_the_image_is_also_one_of_its_own_name(server):
    build, text = built(
        server, imageOverride="team/tools:1", buildspecOverride="version: 0.2\nphases: {build: {commands: ['python --version']}}\n")
    assert build["buildStatus"] == "SUCCEEDED" and "Python 3." in text, text


def test_nothing_of_this_machine_is_in_the_image(server):
    [tree] = (server.data_dir / "images/layers").glob("*/tree")
    assert (tree / "etc/hostname").read_bytes() == b"" and (tree / "etc/resolv.conf").read_bytes() == b""
    assert not (tree / "etc/apt/apt.conf.d/99mmdebstrap").exists() and not list((tree / "tmp").iterdir())
    assert not list((tree / "dev").glob("*")), "device files are the engine's to make"
    assert pathlib.Path(tree / "usr/share/doc/git/copyright").is_file()
