"""`landfall backup` beside a server that is busy, and without one; `landfall restore` elsewhere; both verified."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time

import pytest

import pipelines
from commands import refused, run
from conftest import LANDFALL, Server, eventually, git, working_copy

CRASHES = ("backup_after_snapshot", "backup_before_manifest", "backup_after_manifest")


def back_up(data: pathlib.Path, to: pathlib.Path, **environment: str) -> dict:
    return json.loads(run("backup", to, "--data-dir", data, "--json", **environment).stdout)


def restore(backup: pathlib.Path, data: pathlib.Path) -> dict:
    return json.loads(run("restore", backup, "--data-dir", data, "--json").stdout)


def fsck(data: pathlib.Path) -> None:
    """Every repository of the data folder is whole."""
    repositories = list((data / "git").glob("*.git"))
    assert repositories
    for repository in repositories:
        git(repository, "fsck", "--full", "--strict", "--no-dangling")


class Writers:
    """Threads that write without pause; what was acknowledged is noted in order."""

    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.ending = threading.Event()
        self.failures: list[BaseException] = []
        self.lines: list[str] = []
        self.commits: list[str] = []
        self.objects: dict[str, list[bytes]] = {}
        self.executions: list[str] = []
        self.clients = {name: server.client(name) for name in ("s3", "logs", "codepipeline")}
        self.threads = [threading.Thread(target=self.guard, args=(work,)) for work in (self.log, self.push, self.put, self.start)]

    def guard(self, work) -> None:
        try:
            for number in range(1_000_000):
                if self.ending.is_set():
                    return
                work(number)
        except BaseException as error:  # noqa: BLE001: told by the test.
            self.failures.append(error)

    def log(self, number: int) -> None:
        event = {"timestamp": int(time.time() * 1_000), "message": f"line {number}"}
        self.clients["logs"].put_log_events(logGroupName="group", logStreamName="stream", logEvents=[event])
        self.lines.append(event["message"])

    def push(self, number: int) -> None:
        (self.folder / "count").write_text(str(number))
        git(self.folder, "commit", "--quiet", "--all", "--message", f"{number}")
        git(self.folder, "push", "--quiet", self.server.clone_url("busy"), "HEAD:refs/heads/main")
        self.commits.append(git(self.folder, "rev-parse", "HEAD").stdout.strip())

    def put(self, number: int) -> None:
        """Objects that are made, overwritten again and again, and deleted."""
        s3, key = self.clients["s3"], f"object {number % 7}"
        content = f"{number} ".encode() * 3_000
        history = self.objects.setdefault(key, [])
        s3.put_object(Bucket="busy", Key=key, Body=content)
        history.append(content)
        s3.put_object(Bucket="busy", Key=f"new {number}", Body=content)
        self.objects[f"new {number}"] = [content]
        s3.put_object(Bucket="busy", Key="leaving", Body=content + b"!")
        s3.delete_object(Bucket="busy", Key="leaving")

    def start(self, number: int) -> None:
        started = self.clients["codepipeline"].start_pipeline_execution(name="flow")
        self.executions.append(started["pipelineExecutionId"])
        time.sleep(0.3)  # A pace, not a wait: no need for hundreds of executions.

    def acknowledged(self) -> dict:
        return {
            "lines": list(self.lines), "commits": list(self.commits), "executions": list(self.executions),
            "objects": {key: len(history) for key, history in list(self.objects.items()) if history}}

    def begin(self) -> None:
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.failures, self.failures


def busy(server: Server, folder: pathlib.Path) -> Writers:
    """A server with something in every service, and writers on it."""
    s3, logs = server.client("s3"), server.client("logs")
    server.client("codecommit").create_repository(repositoryName="busy")
    server.client("codecommit").create_repository(repositoryName="source")
    s3.create_bucket(Bucket="busy")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    buildspec = json.dumps({"version": 0.2, "phases": {"build": {"commands": ["make"]}}, "artifacts": {"files": ["**/*"]}})
    working_copy(folder / "source", server.clone_url("source"), {"buildspec.yml": buildspec})
    working_copy(folder / "busy", server.clone_url("busy"), {"count": "none"})
    environment = {"type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL",
                   "environmentVariables": [{"name": "LANDFALL_DUMMY_SLEEP_MS", "value": "400"}]}
    pipelines.project(server, "flow", environment=environment)
    pipelines.create(server, "flow", [pipelines.source("source"), pipelines.build("flow")])
    return Writers(server, folder / "busy")


@pytest.fixture
def home():
    """A folder with a path so short that builds' sockets in it have room."""
    with tempfile.TemporaryDirectory(prefix="lf-") as folder:
        yield pathlib.Path(folder)


def test_a_backup_beside_a_busy_server_has_all_that_was_acknowledged_before(home):
    """Over 2 s: three backups beside four writers, then executions that go on to their ends in the restored folder."""
    server = Server(home / "data", "enforce", "dummy", "--image-map", "*=dummy").start()
    writers = busy(server, home)
    writers.begin()
    eventually(lambda: writers.failures or min(map(len, (writers.commits, writers.lines, writers.executions))) > 2)
    for _ in range(3):
        before = writers.acknowledged()
        made = back_up(home / "data", home / "backup")
    assert made["verified"]
    eventually(lambda: writers.failures or len(writers.commits) > len(before["commits"]))
    writers.end()
    server.kill()
    restore(home / "backup", home / "restored")
    shutil.rmtree(home / "data")
    fsck(home / "restored")
    again = Server(home / "restored", "enforce", "dummy", "--image-map", "*=dummy").start()
    try:
        check(again, writers, before)
    finally:
        again.stop()
    fsck(home / "restored")


def check(server: Server, writers: Writers, before: dict) -> None:
    """Everything that was acknowledged before the backup is there, and what was going on comes to an end."""
    events = []
    logs, token = server.client("logs"), None
    while True:
        page = logs.get_log_events(logGroupName="group", logStreamName="stream", startFromHead=True, **({"nextToken": token} if token else {}))
        events += page["events"]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    lines = [event["message"] for event in events]
    assert lines[: len(before["lines"])] == before["lines"] and len(set(lines)) == len(lines)
    codecommit, s3 = server.client("codecommit"), server.client("s3")
    for commit in before["commits"]:
        codecommit.get_commit(repositoryName="busy", commitId=commit)
    tip = codecommit.get_branch(repositoryName="busy", branchName="main")["branch"]["commitId"]
    # The last push may have been broken off after it was in the backup and before it was acknowledged.
    assert tip not in writers.commits or writers.commits.index(tip) + 1 >= len(before["commits"])
    for key, count in before["objects"].items():
        content = s3.get_object(Bucket="busy", Key=key)["Body"].read()
        assert content in writers.objects[key][count - 1:], key
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="busy"):
        for entry in page["Contents"]:
            assert len(s3.get_object(Bucket="busy", Key=entry["Key"])["Body"].read()) == entry["Size"]

    def ended():
        found = pipelines.executions(server, "flow")
        return all(execution["status"] not in ("InProgress", "Stopping") for execution in found) and found

    ids = {execution["pipelineExecutionId"] for execution in eventually(ended, 100, "the end of all executions")}
    assert set(before["executions"]) <= ids
    pipelines.role(server, "made-after", "codebuild")
    server.client("codepipeline").start_pipeline_execution(name="flow")
    last = pipelines.finished(server, "flow", len(ids) + 1)
    errors = [action.get("output", {}).get("executionResult") for action in pipelines.actions(server, "flow", last["pipelineExecutionId"])]
    assert last["status"] == "Succeeded", (errors, server.tail())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A data folder at rest with a little of everything that matters here."""
    folder = tmp_path_factory.mktemp("small")
    server = Server(folder / "data", "enforce", "dummy").start()
    server.client("s3").create_bucket(Bucket="things")
    for number in range(3):
        server.client("s3").put_object(Bucket="things", Key=str(number), Body=f"content {number}".encode() * 99)
    server.client("codecommit").create_repository(repositoryName="app")
    working_copy(folder / "working-copy", server.clone_url("app"), {"file": "text"})
    assert server.stop() == 0
    return folder / "data"


@pytest.fixture
def backup(small, tmp_path):
    back_up(small, tmp_path / "backup")
    return tmp_path / "backup"


def content(server: Server) -> set[bytes]:
    s3 = server.client("s3")
    return {s3.get_object(Bucket="things", Key=str(number))["Body"].read()[:9] for number in range(3)}


def test_a_folder_at_rest_is_backed_up_and_restored_with_its_modes(small, tmp_path):
    done = run("backup", tmp_path / "deep/backup", "--data-dir", small)
    assert "verified" in done.stdout and "master key" in done.stderr
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep").rglob("*")}
    assert modes == {0o700, 0o600}
    done = run("restore", tmp_path / "deep/backup", "--data-dir", tmp_path / "else/where")
    assert "landfall serve --data-dir" in done.stderr
    restored = tmp_path / "else/where"
    for path in restored.rglob("*"):
        original = small / path.relative_to(restored)
        if path.name != "landfall.db":
            assert path.stat().st_mode == original.stat().st_mode, path
    assert stat.S_IMODE(restored.stat().st_mode) == 0o700
    assert (restored / "root-credentials").read_bytes() == (small / "root-credentials").read_bytes()
    server = Server(restored, "enforce", "dummy").start()
    assert content(server) == {b"content 0", b"content 1", b"content 2"}
    assert server.stop() == 0
    assert not list(restored.parent.glob(".*"))


def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(small, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small, data)
    first = back_up(data, tmp_path / "backup")
    assert first["copiedFiles"] == first["files"]
    server = Server(data, "enforce", "dummy").start()
    server.client("s3").put_object(Bucket="things", Key="new", Body=b"a new one" * 999)
    server.client("s3").delete_object(Bucket="things", Key="0")
    server.stop()
    # Files that were written just before the last backup began are read again.
    old = time.time() - 60
    for file in data.rglob("*"):
        os.utime(file, (old, old))
    back_up(data, tmp_path / "backup")
    contents = len(list((tmp_path / "backup/content").rglob("*/*")))
    third = back_up(data, tmp_path / "backup")
    assert third["copiedFiles"] <= 1, third
    assert len(list((tmp_path / "backup/content").rglob("*/*"))) <= contents
    run("backup", tmp_path / "backup", "--verify")
    restore(tmp_path / "backup", tmp_path / "restored")
    again = Server(tmp_path / "restored", "enforce", "dummy").start()
    assert again.client("s3").get_object(Bucket="things", Key="new")["Body"].read() == b"a new one" * 999
    again.stop()


@pytest.mark.parametrize("point", CRASHES)
def test_a_backup_that_dies_leaves_the_one_before_and_can_be_made_again(small, tmp_path, point):
    died = run("backup", tmp_path / "backup", "--data-dir", small, check=False, LANDFALL_CRASH_POINT=point)
    assert died.returncode < 0, died
    if point != "backup_after_manifest":
        assert "there is no backup in" in refused("backup", tmp_path / "backup", "--verify")
    back_up(small, tmp_path / "backup")
    died = run("backup", tmp_path / "backup", "--data-dir", small, check=False, LANDFALL_CRASH_POINT=point)
    assert died.returncode < 0, died
    run("backup", tmp_path / "backup", "--verify")
    made = back_up(small, tmp_path / "backup")
    assert restore(tmp_path / "backup", tmp_path / "restored")["time"] == made["time"]
    assert list((tmp_path / "backup/new").iterdir()) == []


def test_a_restore_that_dies_leaves_no_half_folder(backup, tmp_path):
    died = run("restore", backup, "--data-dir", tmp_path / "data", check=False, LANDFALL_CRASH_POINT="restore_before_rename")
    assert died.returncode < 0 and not (tmp_path / "data").exists()
    restore(backup, tmp_path / "data")
    assert {path.name for path in tmp_path.iterdir()} == {"backup", "data"}


def largest(backup: pathlib.Path, prefix: str) -> tuple[str, pathlib.Path]:
    """The largest file under a path of the data folder, and its content in the backup."""
    lines = [json.loads(line) for line in (backup / "manifest.jsonl").read_text().splitlines()[1:]]
    entry = max((line for line in lines if line["path"].startswith(prefix) and "size" in line), key=lambda line: line["size"])
    return entry["path"], backup / "content" / entry["sha256"][:2] / entry["sha256"][2:]


@pytest.mark.parametrize("prefix", ("blobs/s3/", "landfall.db", "git/", "master.key"))
@pytest.mark.parametrize("damage", ("flipped", "cut", "removed"))
def test_damage_is_found_and_named(backup, tmp_path, prefix, damage):
    name, file = largest(backup, prefix)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flipped" else content[:-1])
    assert name in refused("backup", backup, "--verify")
    told = refused("restore", backup, "--data-dir", tmp_path / "data")
    assert name in told or str(file) in told, told
    assert {path.name for path in tmp_path.iterdir()} == {"backup"}


def test_what_cannot_be_right_is_refused(backup, small, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("somebody's")
    manifest = (backup / "manifest.jsonl").read_text()
    assert "is not empty" in refused("restore", backup, "--data-dir", tmp_path / "full")
    assert "no backup in" in refused("restore", tmp_path / "full", "--data-dir", tmp_path / "new")
    assert "no data folder" in refused("backup", tmp_path / "other", "--data-dir", tmp_path / "full")
    assert "something else" in refused("backup", tmp_path / "full", "--data-dir", small)
    assert "must not lie in" in refused("backup", small / "backup", "--data-dir", small)
    for change, part in (
        (manifest.replace('"landfallBackup":1', '"landfallBackup":2'), "use a newer release"),
        (manifest.replace('"folderFormat":', '"folderFormat":1'), "use a newer release"),
        (manifest.replace('"path":"audit"', '"path":"../audit"'), "is damaged"),
        (manifest[:-10], "is damaged"),
        ("", "is damaged"),
    ):
        (backup / "manifest.jsonl").write_text(change)
        assert part in refused("restore", backup, "--data-dir", tmp_path / "new"), part
    assert not (tmp_path / "new").exists()


@contextlib.contextmanager
def backup_running(data: pathlib.Path):
    """The sign that a backup runs, as `landfall backup` gives it."""
    with (data / "backup.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_what_is_removed_while_a_backup_runs_waits_for_its_end(tmp_path):
    data = tmp_path / "data"
    server = Server(data, "enforce", "dummy").start()
    s3, codecommit = server.client("s3"), server.client("codecommit")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="object", Body=b"content" * 99)
    codecommit.create_repository(repositoryName="leaving")
    working_copy(tmp_path / "working-copy", server.clone_url("leaving"), {"file": "text"})
    aside = data / "set-aside"
    with backup_running(data):
        s3.delete_object(Bucket="things", Key="object")
        codecommit.delete_repository(repositoryName="leaving")
        eventually(lambda: list(aside.glob("blobs/s3/*/*")) and list(aside.glob("git/*.git/HEAD")), 20, "what was removed, aside")
        assert not list(data.glob("blobs/s3/??/*")) and not list(data.glob("git/*.git"))
        # Another backup waits.
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run([str(LANDFALL), "backup", str(tmp_path / "backup"), "--data-dir", str(data)], capture_output=True, timeout=0.5)
    server.stop()
    server.start()
    eventually(lambda: not aside.exists(), 20, "the end of what was set aside")
    server.stop()


def test_an_older_database_is_brought_up_to_date_by_the_server_that_opens_it(backup, tmp_path):
    restore(backup, tmp_path / "data")
    database = sqlite3.connect(tmp_path / "data/landfall.db")
    (format,) = database.execute("PRAGMA user_version").fetchone()
    database.executescript("PRAGMA user_version = 1")
    database.close()
    server = Server(tmp_path / "data", "enforce", "dummy").start()
    assert content(server) == {b"content 0", b"content 1", b"content 2"}
    server.stop()
    assert sqlite3.connect(tmp_path / "data/landfall.db").execute("PRAGMA user_version").fetchone() == (format,)
