"""How often the store syncs between an answered push and the first build command: DESIGN's budget is 12. Counted by the
server's log; it takes the seconds that a build in a container does."""

import datetime
import re

import pipelines
from conftest import commit_and_push, working_copy

MOST = 12
BUILDSPEC = "version: 0.2\nphases: {build: {commands: [date +%s%N]}}\n"
SYNCED = re.compile(r"^(\S+Z) .* synced changes=\d+$", re.MULTILINE)
COMMIT = re.compile(r"^\S+Z .* commit .*$", re.MULTILINE)


def test_a_push_syncs_the_store_at_most_twelve_times_before_its_build_runs(servers, tmp_path):
    server = servers("open", "sandbox", "--image-map", "*=host", "--pool", "0", "--log", "info,kernel=trace")
    server.client("codecommit").create_repository(repositoryName="app")
    copy = working_copy(tmp_path / "copy", server.clone_url("app"), {"buildspec.yml": BUILDSPEC})
    pipelines.project(server, "app")
    pipelines.create(server, "app", [pipelines.source("app"), pipelines.build("app")])
    pipelines.finished(server, "app")

    commit_and_push(copy, {"change": "one"})
    pushed = datetime.datetime.now(datetime.timezone.utc)
    pipelines.finished(server, "app", 2)
    ran = max(int(line) for line in pipelines.log(server, "app").split() if line.isdigit() and len(line) == 19)
    ran = datetime.datetime.fromtimestamp(ran / 1e9, datetime.timezone.utc)
    log = server.log.read_text()
    synced = [time for time in map(datetime.datetime.fromisoformat, SYNCED.findall(log)) if pushed <= time <= ran]
    assert 4 <= len(synced) <= MOST, "\n".join(COMMIT.findall(log)[-60:])
