"""Real packages from PyPI, crates.io and npm, built and tested by pipelines, in the sandbox and under Docker.

Each is committed as it was released, with the tools of its own tests beside it, since builds here have no way out. Every
build takes some seconds: compilers run, and the package's own tests.
"""

import io
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import pytest

import pipelines
from conftest import git
from image_files import docker_import


def fetch(*command: str | pathlib.Path, folder: pathlib.Path) -> None:
    """Runs a package manager's download, or unpacks it."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def pip(folder: pathlib.Path, *arguments: str) -> None:
    fetch(sys.executable, "-m", "pip", "download", "--quiet", *arguments, folder=folder)


def from_pypi(name: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    """The source distribution, with wheels of what builds and tests it in `wheels`."""
    pip(folder, "--no-binary", name, "--no-deps", f"{name}=={version}")
    [archive] = folder.glob("*.tar.gz")
    fetch("tar", "--extract", "--file", archive, folder=folder)
    [package] = (each for each in folder.iterdir() if each.is_dir())
    pip(package, "--only-binary", ":all:", "--dest", "wheels", "pytest", "setuptools", "wheel")
    return package


def from_crates_io(name: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    """The crate, as `cargo package` packed it, under the manifest that its authors wrote."""
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "download"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n'
        f'[dependencies]\n{name} = "={version}"\n')
    (folder / "lib.rs").touch()
    fetch("cargo", "vendor", "--quiet", folder=folder)
    package = folder / "vendor" / name
    (package / "Cargo.toml.orig").replace(package / "Cargo.toml")
    return package


def from_npm(name: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    """The package, with the runner of its tests in `node_modules`."""
    fetch("npm", "pack", "--silent", f"{name}@{version}", folder=folder)
    [archive] = folder.glob("*.tgz")
    fetch("tar", "--extract", "--file", archive, folder=folder)
    fetch("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "runner", "tape@5.9.0", folder=folder)
    (folder / "runner/node_modules").rename(folder / "package/node_modules")
    return folder / "package"


class Package(NamedTuple):
    name: str
    version: str
    get: Callable[[str, str, pathlib.Path], pathlib.Path]
    phases: str
    """The phases of its buildspec."""
    artifact: str
    """What the build makes, as a glob."""
    passed: str
    """What its tests say at their end."""
    holds: str
    """The end of a member's name in the artifact."""


PACKAGES = [
    Package("markupsafe", "3.0.2", from_pypi, """
  install:
    runtime-versions: {python: latest}
    commands:
      - pip install --quiet --no-index --find-links wheels pytest
  build:
    commands:
      - pip wheel --quiet --no-index --find-links wheels --no-deps --wheel-dir dist .
      - pip install --quiet --no-index --no-deps dist/*.whl
      - cd tests && python -c 'import markupsafe._speedups as fast; print(fast.__file__)'
      - python -m pytest -q -p no:cacheprovider .
      - cd ..
""", "dist/*.whl", " passed in ", "markupsafe/_speedups.*.so"),
    Package("heck", "0.5.0", from_crates_io, """
  install:
    runtime-versions: {rust: latest}
  build:
    commands:
      - cargo test --offline --quiet
      - cargo package --offline --allow-dirty --quiet
""", "target/package/*.crate", "test result: ok.", "src/kebab.rs"),
    Package("secure-json-parse", "4.1.1", from_npm, """
  install:
    runtime-versions: {nodejs: latest}
  build:
    commands:
      - npm run test:unit
      - npm pack --silent
""", "*.tgz", "# pass", "package/index.js"),
]


@pytest.fixture(scope="module", params=["sandbox", "docker"])
def server(request, standard, servers):
    """Servers on which `aws/codebuild/*` is the standard image."""
    if request.param == "sandbox":
        return standard
    daemon = os.environ.get("LANDFALL_TEST_DOCKER")
    if not daemon and not os.environ.get("CI"):
        pytest.skip("run tests by scripts/with-daemons to have daemons")
    [tree] = (standard.data_dir / "images/layers").glob("*/tree")
    docker_import(daemon, tree, "team/tools:1")
    return servers("open", "docker", "--docker-host", daemon, "--image-map", "aws/codebuild/*=team/tools:1")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Each package's folder, fetched once."""
    fetched = {}

    def source(package: Package) -> pathlib.Path:
        if package.name not in fetched:
            fetched[package.name] = package.get(package.name, package.version, tmp_path_factory.mktemp(package.name))
        return fetched[package.name]

    return source


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_is_built_and_passes_its_own_tests(server, sources, package, tmp_path):
    server.client("codecommit").create_repository(repositoryName=package.name)
    folder = sources(package)
    (folder / "buildspec.yml").write_text(
        f"version: 0.2\nphases:{package.phases}artifacts:\n  files: '{package.artifact}'\n  discard-paths: yes\n")
    repository = ["--git-dir", str(tmp_path / "git"), "--work-tree", "."]
    git(folder, *repository, "init", "--quiet", "--initial-branch=main")
    git(folder, *repository, "add", "--all", "--force")
    git(folder, *repository, "commit", "--quiet", "--message", "As released")
    git(folder, *repository, "push", "--quiet", server.clone_url(package.name), "main")

    pipelines.project(server, package.name)
    pipelines.create(server, package.name, [pipelines.source(package.name), pipelines.build(package.name)])
    execution = pipelines.finished(server, package.name, seconds=300)
    said = pipelines.log(server, package.name)
    assert execution["status"] == "Succeeded", said
    assert package.passed in said, said
    [name, content] = released(server, package, execution)
    assert package.version in name and any(pathlib.PurePath(each).match(f"*{package.holds}") for each in members(content))


def released(server, package: Package, execution: dict) -> tuple[str, bytes]:
    """The one file in the pipeline's artifact."""
    built = pipelines.actions(server, package.name, execution["pipelineExecutionId"])[-1]
    location = built["output"]["outputArtifacts"][0]["s3location"]
    artifact = server.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
        [name] = archive.namelist()
        return name, archive.read(name)


def members(content: bytes) -> list[str]:
    """The names in a zip (a wheel) or in a compressed tar."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        return zipfile.ZipFile(io.BytesIO(content)).namelist()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getnames()
