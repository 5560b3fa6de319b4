"""File descriptors run out: the server answers whom it can, is not busy, and recovers by itself."""

import contextlib
import pathlib
import shutil
import socket
import time
import urllib.parse

import pytest

import failing_io
from conftest import Server, eventually
from failing_day import Day
from test_disks import cpu

FILES = 192
STREAMS = 220


def limited(folder: pathlib.Path, soft: int, hard: int) -> Server:
    server = Server(folder / "data", "open", "dummy", "--image-map", "*=dummy")
    server.command = ["prlimit", f"--nofile={soft}:{hard}", *server.command]
    return server


@pytest.fixture
def server():
    """On a folder in memory, where syncing costs nothing."""
    home = failing_io.in_memory()
    server = limited(home, FILES, FILES).start()
    yield server
    if server.process.poll() is None:
        server.kill()
    shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def idle_connections(server: Server, count: int):
    """Connections of clients that say nothing."""
    address = urllib.parse.urlparse(server.endpoint)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=5)) for _ in range(count)]


def open_files(server: Server) -> int:
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_the_server_takes_as_many_files_as_it_may(tmp_path):
    server = limited(tmp_path, FILES, 4_096).start()
    try:
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
        assert next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5] == ["4096", "4096"]
    finally:
        server.stop()


def test_idle_connections_leave_room_for_work_that_goes_on_and_are_not_waited_for_busily(server, tmp_path):
    """More connections than there are places for: whoever is connected is answered, and work needs no new connection."""
    day = Day(server, tmp_path / "copy")
    for step in (day.objects, day.roles, day.sources, day.logs, day.pipeline, day.start):
        day.ask(step)
    held = {service: day.client(service) for service in ("codepipeline", "s3")}
    since, used = len(server.log.read_text()), cpu(server)
    with idle_connections(server, FILES):
        eventually(lambda: open_files(server) > FILES // 2, 10, "many open files")
        day.ask(day.end)
        assert held["s3"].get_object(Bucket="things", Key="key")["Body"].read()
        told = server.log.read_text()[since:].count("connections are taken") + server.log.read_text()[since:].count("cannot accept")
        assert told <= 3, server.tail()
        assert cpu(server) - used < 8
    eventually(lambda: day.ask(lambda: server.get("/healthz"))[0] == 200, 30, "an answer")
    eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
    day.check()
    assert "panicked" not in server.log.read_text()


def test_hundreds_of_log_streams_fit_into_few_files(server):
    """Each was written to, and all are read again."""
    logs = server.client("logs")
    logs.create_log_group(logGroupName="many")
    for number in range(STREAMS):
        logs.create_log_stream(logGroupName="many", logStreamName=str(number))
        put = {"timestamp": int(time.time() * 1000), "message": str(number)}
        logs.put_log_events(logGroupName="many", logStreamName=str(number), logEvents=[put])
    for number in range(STREAMS):
        page = logs.get_log_events(logGroupName="many", logStreamName=str(number), startFromHead=True)
        assert [event["message"] for event in page["events"]] == [str(number)]
    assert open_files(server) < FILES
