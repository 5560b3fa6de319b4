"""A data folder of each release opens with the current program, and everything in it can be read back.

The folders are made by scripts/make-data-fixture, once for each release.
"""

import json
import pathlib
import tarfile

import pytest

import everything
from commands import run
from conftest import ACCOUNT, ROOT, Server, commit_and_push, git
from test_backup import back_up, fsck

FOLDERS = sorted((ROOT / "tests/fixtures/data-folders").glob("*.tar.gz"))


def test_this_release_has_a_folder():
    version = json.loads(run("version", "--json").stdout)["version"]
    assert version in {folder.name.removesuffix(".tar.gz") for folder in FOLDERS}


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name.removesuffix(".tar.gz"))
def unpacked(request, tmp_path):
    """The folder, and what must be read from it."""
    with tarfile.open(request.param) as tar:
        tar.extractall(tmp_path)
    return tmp_path / "data", json.loads((tmp_path / "expected.json").read_text())


def test_everything_is_read_back_and_work_goes_on(unpacked, tmp_path):
    folder, expected = unpacked
    server = Server(folder, "enforce", "dummy", "--image-map", "*=dummy").start()
    try:
        assert everything.missing(expected["everything"], everything.read(server)) == []
        caller = server.client("sts", tuple(expected["host key"])).get_caller_identity()
        assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/host"
        clone = pathlib.Path(tmp_path / "clone")
        git(tmp_path, "clone", "--quiet", server.clone_url("app"), "clone")
        commit = commit_and_push(clone, {"new": "file"})
        branch = server.client("codecommit").get_branch(repositoryName="app", branchName="main")
        assert branch["branch"]["commitId"] == commit
        server.client("s3").put_object(Bucket="things", Key="after", Body=b"the release")
        back_up(folder, tmp_path / "backup")
        run("backup", tmp_path / "backup", "--verify")
    finally:
        assert server.stop() == 0
    fsck(folder)
