"""A real Python package from PyPI: committed here, built and tested by a pipeline."""

import io
import subprocess
import sys
import zipfile

import pipelines
from conftest import git

PACKAGE, VERSION = "idna", "3.10"

BUILDSPEC = """\
version: 0.2
env:
  exported-variables: [WHEEL]
phases:
  install:
    commands:
      - python --version
  build:
    commands:
      - python -m pip wheel --quiet --no-index --no-build-isolation --no-deps --wheel-dir dist .
      - python -m pip install --quiet --no-index --no-deps --target installed dist/*.whl
      - PYTHONPATH=installed python -m pytest -q -p no:cacheprovider tests
  post_build:
    commands:
      - export WHEEL=$(basename dist/*.whl)
      - aws s3 cp "dist/$WHEEL" "s3://wheels/$WHEEL"
artifacts:
  files: dist/*.whl
  discard-paths: yes
"""


def test_a_package_is_built_tested_and_published(landfall, tmp_path):
    # Longer than 2 s: pip builds a wheel and 6,000 tests of the package run in the sandbox.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, f"{PACKAGE}=={VERSION}", "--dest", str(tmp_path)], check=True, timeout=120)
    [archive] = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", tmp_path], check=True)
    folder = tmp_path / f"{PACKAGE}-{VERSION}"
    (folder / "buildspec.yml").write_text(BUILDSPEC)

    landfall.client("codecommit").create_repository(repositoryName=PACKAGE)
    landfall.client("s3").create_bucket(Bucket="wheels")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "As released")
    git(folder, "push", "--quiet", landfall.clone_url(PACKAGE), "main")
    commit = git(folder, "rev-parse", "HEAD").stdout.strip()

    pipelines.project(landfall, PACKAGE)
    pipelines.create(landfall, PACKAGE, [pipelines.source(PACKAGE), pipelines.build(PACKAGE)])
    execution = pipelines.finished(landfall, PACKAGE)
    assert execution["status"] == "Succeeded", pipelines.log(landfall, PACKAGE)
    assert execution["sourceRevisions"][0]["revisionId"] == commit
    assert " passed" in pipelines.log(landfall, PACKAGE)

    # What the build itself put there, with its role's credentials.
    name = f"{PACKAGE}-{VERSION}-py3-none-any.whl"
    published = landfall.client("s3").get_object(Bucket="wheels", Key=name)["Body"].read()
    assert f"{PACKAGE}/core.py" in zipfile.ZipFile(io.BytesIO(published)).namelist()

    # And what the pipeline has as its artifact.
    built = pipelines.actions(landfall, PACKAGE, execution["pipelineExecutionId"])[-1]
    location = built["output"]["outputArtifacts"][0]["s3location"]
    assert location["key"].startswith(f"{PACKAGE}/Release/")
    artifact = landfall.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(artifact)).read(name) == published
    assert built["output"]["outputVariables"]["WHEEL"] == name
