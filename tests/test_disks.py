"""A disk that is full, and one that may not be written to: the server says so, goes on with what it can do, and recovers by itself."""

import contextlib
import errno
import os
import pathlib
import subprocess

import pytest

import failing_io
from conftest import LANDFALL, Server, eventually
from failing_day import Day, Refused
from failing_io import FROM_THERE_ON, Faults

ROOM = 40
"""MiB of the disk."""


class OnDisk(Server):
    """A server in a mount namespace of its own, where its data folder is a small disk."""

    def __init__(self, home: pathlib.Path, options: str = ""):
        (home / "data").mkdir()
        super().__init__(home / "data", "open", "dummy", "--image-map", "*=dummy")
        mount = f'mount -t tmpfs -o size={ROOM}m,mode=700{options} tmpfs "$0" && exec "$@"'
        self.command = ["unshare", "--mount", "sh", "-c", mount, str(self.data_dir), *self.command]

    @property
    def disk(self) -> pathlib.Path:
        """The data folder, as the server sees it."""
        return pathlib.Path(f"/proc/{self.process.pid}/root{self.data_dir}")

    def news(self, since: int) -> str:
        return self.log.read_text(errors="replace")[since:]


def cpu(server: Server) -> float:
    """Seconds of the processors that it has used."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def filled(folder: pathlib.Path, leave: int):
    """The disk is full but for `leave` bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(b"\0" * 65_536):
                pass
        file.truncate(max(0, file.tell() - leave))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def server(tmp_path):
    server = OnDisk(tmp_path).start()
    yield server
    if server.process.poll() is None:
        server.kill()


def refused(day: Day, act) -> bool:
    """Whether the server says that it has a fault; anything but that and success is an error of the test."""
    try:
        day.ask(act)
        return False
    except Refused:
        return True


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_disk_that_is_full_at_any_byte(server, tmp_path):
    """It is filled up to some bytes before each step of a day, so that each write is once the one without room."""
    day, seen = Day(server, tmp_path / "copy"), 0
    for step in day.steps()[:-1]:
        for leave in (0, 4_096, 16_384, 65_536, 262_144):
            since = len(server.log.read_text())
            with filled(server.disk, leave):
                if not refused(day, step):
                    break
                seen += 1
                assert server.get("/healthz")[0] == 200
                day.keep_promises()
                assert "is full" in server.news(since) or "No space left" in server.news(since), server.tail()
        else:
            day.ask(step)
    day.ask(day.end)
    assert seen > 5
    eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
    day.check()
    assert "panicked" not in server.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_work_waits_for_room_without_being_busy_and_goes_on_by_itself(server, tmp_path):
    """Two executions begin while the disk is full; the server's processor time over seconds of waiting is little."""
    day = Day(server, tmp_path / "copy")
    for step in (day.objects, day.roles, day.sources, day.logs):
        day.ask(step)
    with filled(server.disk, 0):
        assert refused(day, lambda: day.client("s3").put_object(Bucket="things", Key="large", Body=b"x" * 2_000_000))
        used, since = cpu(server), len(server.log.read_text())
        for _ in range(30):
            refused(day, day.pipeline)
        eventually(lambda: "is full" in server.news(since), 10, "a line that names the disk")
        assert str(server.data_dir) in server.news(since)
        assert cpu(server) - used < 5
    for step in (day.pipeline, day.start, day.end):
        eventually(lambda step=step: not refused(day, step), 30, "the next step, once there is room")
    eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
    day.check()


def test_a_disk_that_becomes_read_only_and_writable_again(tmp_path):
    """As file systems do at an error. A true one cannot be made so while files are open: here all calls that change something fail."""
    faults = Faults(failing_io.compiled(tmp_path), tmp_path / "data", tmp_path / "control")
    server = Server(tmp_path / "data", "open", "dummy", "--image-map", "*=dummy")
    server.environment = faults.environment
    server.start()
    try:
        read_only_for_a_while(faults, Day(server, tmp_path / "copy"))
        assert "panicked" not in server.log.read_text()
    finally:
        server.kill()


def read_only_for_a_while(faults: Faults, day: Day) -> None:
    for step in (day.objects, day.roles, day.sources, day.logs):
        day.ask(step)
    faults.arm("write", "rename", "unlink", "mkdir", "truncate", mode=FROM_THERE_ON, error=errno.EROFS)
    for act in (day.objects, day.pipeline, lambda: day.client("s3").create_bucket(Bucket="another")):
        assert refused(day, act)
    assert day.server.get("/healthz")[0] == 200
    day.keep_promises()
    faults.rest()
    for step in (day.pipeline, day.start, day.end):
        eventually(lambda step=step: not refused(day, step), 30, "the next step, once it is writable")
    eventually(lambda: day.containers()["left"] == set(), 60, "the removal of all containers")
    day.check()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize("options", [",ro", ""], ids=["read-only", "full"])
def test_a_start_on_a_disk_that_takes_nothing_says_so(tmp_path, options):
    server = OnDisk(tmp_path, options)
    if not options:
        server.command[4] = server.command[4].replace("&& exec", '&& (head -c 1G /dev/zero >"$0/filler" 2>/dev/null; true) && exec')
    ended = subprocess.run(server.command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1, ended
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("landfall: ") and str(server.data_dir) in last, last
    assert "Read-only file system" in last if options else "No space left" in last or "is full" in last, last


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_run_ends_with_a_sentence_when_the_disk_is_full(tmp_path):
    """It would never end else: nobody makes room for it."""
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    for path in (folder, cache):
        path.mkdir()
    (folder / "buildspec.yml").write_text("version: 0.2\nphases: {build: {commands: [echo]}}\n")
    mount = f'mount -t tmpfs -o size={ROOM}m tmpfs "$0" && ((until ls "$0"/landfall/runs/*/data/landfall.db-wal; do sleep 0.01; done; head -c 1G /dev/zero >"$0/filler") >/dev/null 2>&1 & exec "$@")'
    command = ["unshare", "--mount", "sh", "-c", mount, str(cache), str(LANDFALL), "run", "--engine", "dummy", "--env", "LANDFALL_DUMMY_SLEEP_MS=1000", "--image", "dummy", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "XDG_CACHE_HOME": str(cache)})
    assert ended.returncode == 1, ended
    assert "full" in ended.stderr or "No space left" in ended.stderr, ended.stderr
