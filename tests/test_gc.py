"""`landfall gc`: what is past its time goes, what is not stays, and repositories are packed without losing anything."""

import json

import pytest

import pipelines
from commands import refused, run
from conftest import Server, commit_and_push, git, working_copy
from test_backup import fsck
from test_operator import ask

KEEP_NOTHING = ("--keep-executions", "0d", "--keep-builds", "0d", "--keep-deployments", "0d", "--keep-artifacts", "0d")


def collect(server: Server, *arguments: str) -> dict[str, tuple[int, int]]:
    """What is (or would be) removed: {what: (count, bytes)}."""
    answer = json.loads(run("gc", "--data-dir", server.data_dir, "--json", *arguments).stdout)
    assert answer["dryRun"] == ("--dry-run" in arguments)
    return {row["what"]: (row["count"], row["bytes"]) for row in answer["removed"]}


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A server that has run a pipeline twice; it keeps nothing that has ended."""
    folder = tmp_path_factory.mktemp("gc")
    server = Server(folder / "data", "enforce", "dummy", "--image-map", "*=dummy", *KEEP_NOTHING).start()
    server.client("codecommit").create_repository(repositoryName="app")
    buildspec = json.dumps({"version": 0.2, "phases": {"build": {"commands": ["make"]}}, "artifacts": {"files": ["**/*"]}})
    working_copy(folder / "app", server.clone_url("app"), {"buildspec.yml": buildspec})
    environment = {"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL"}
    pipelines.project(server, "flow", environment=environment)
    pipelines.create(server, "flow", [pipelines.source("app"), pipelines.build("flow")])
    pipelines.finished(server, "flow")
    for number in range(6):
        git(folder / "app", "remote", "set-url", "origin", server.clone_url("app"))
        commit_and_push(folder / "app", {f"file {number}": "text " * number})
    pipelines.finished(server, "flow", 2)
    yield server
    server.stop()


def test_a_dry_run_counts_and_removes_nothing_then_it_is_removed(used):
    before = pipelines.executions(used, "flow")
    builds = used.client("codebuild").list_builds()["ids"]
    counted = collect(used, "--dry-run")
    assert counted == collect(used, "--dry-run")
    assert len(pipelines.executions(used, "flow")) >= len(before) and len(builds) >= 1
    assert counted["builds"][0] >= 1, counted
    loose, size = counted["loose Git objects, packed"]
    assert loose > 10 and size > 0
    removed = collect(used)
    assert removed["builds"][0] >= counted["builds"][0]
    assert used.client("codebuild").list_builds()["ids"] == []
    assert collect(used, "--dry-run")["loose Git objects, packed"] == (0, 0)
    assert used.client("codepipeline").get_pipeline(name="flow")["pipeline"]["name"] == "flow"
    assert used.client("codebuild").batch_get_projects(names=["flow"])["projects"]


def test_packed_repositories_are_whole_and_take_pushes(used, tmp_path):
    collect(used)
    fsck(used.data_dir)
    (repository,) = (used.data_dir / "git").glob("*.git")
    assert list(repository.glob("objects/pack/*.pack")) and not list(repository.glob("objects/??/*"))
    git(tmp_path, "clone", "--quiet", used.clone_url("app"), "clone")
    assert len(git(tmp_path / "clone", "log", "--format=%H").stdout.split()) == 7
    commit = commit_and_push(tmp_path / "clone", {"another": "file"})
    branch = used.client("codecommit").get_branch(repositoryName="app", branchName="main")
    assert branch["branch"]["commitId"] == commit
    fsck(used.data_dir)


def test_the_table_is_for_people(used):
    done = run("gc", "--data-dir", used.data_dir, "--dry-run")
    assert done.stdout.split()[:4] == ["WOULD", "REMOVE", "COUNT", "SIZE"] and "builds" in done.stdout
    assert "dry run" in done.stderr and "builds 0d" in done.stderr


def test_what_is_not_past_its_time_stays(used, servers):
    server = servers("enforce", "dummy")
    assert all(count == 0 for count, _ in collect(server).values())
    answer = json.loads(run("gc", "--data-dir", server.data_dir, "--json").stdout)
    assert answer["kept"] == {"executions": "365d", "builds": "365d", "deployments": "365d", "artifacts": "forever", "images": "30d"}


def test_the_operation_takes_a_truth_value_and_a_root_key(enforcing):
    status, error = ask(enforcing, "CollectGarbage", dryRun="yes")
    assert status == 400 and "dryRun" in error["message"], error
    status, answer = ask(enforcing, "CollectGarbage", dryRun=True)
    assert status == 200 and answer["dryRun"] is True
    iam = enforcing.client("iam")
    iam.create_user(UserName="no-collector")
    made = iam.create_access_key(UserName="no-collector")["AccessKey"]
    status, error = ask(enforcing, "CollectGarbage", (made["AccessKeyId"], made["SecretAccessKey"]))
    assert (status, error["__type"]) == (403, "AccessDeniedException"), error


def test_without_a_server_it_says_how_to_start_one(tmp_path):
    assert "landfall serve" in refused("gc", "--data-dir", tmp_path)


@pytest.mark.parametrize("time", ("1y", "", "-1d"))
def test_a_time_that_is_none_is_refused(tmp_path, time):
    done = run("serve", "--data-dir", tmp_path / "data", f"--keep-builds={time}", check=False)
    assert done.returncode in (1, 2) and "365d" in done.stderr, done
