"""The server's calls to the system fail, one after the other, over a day of a small team: source, build, objects, deployment.

It either goes on or ends by itself with a sentence; it answers what it could not do as AWS answers its own faults; after a
restart everything acknowledged is there, also when the power was cut; and every execution comes to its end.
"""

import concurrent.futures
import contextlib
import errno
import os
import shutil

import pytest

import failing_io
from conftest import Server, eventually
from failing_day import Day, Refused
from failing_io import FROM_THERE_ON, NOW_AND_THEN, ONCE, TORN, Faults

EVERY = int(os.environ.get("LANDFALL_FAIL_EVERY", "0"))
"""In CI each kind of call fails now and then over one day. With LANDFALL_FAIL_EVERY=1 each single call fails in a day of its own,
with 10 each tenth."""

KINDS = [
    # Classes, how they fail, with which error, every how many calls.
    (("write",), TORN, errno.EIO, 31),
    (("write", "mkdir", "truncate", "rename"), ONCE, errno.ENOSPC, 37),
    (("open",), ONCE, errno.EMFILE, 7),
    (("read",), ONCE, errno.EIO, 41),
    (("sync",), ONCE, errno.EIO, 11),
    (("rename", "unlink", "mkdir", "truncate"), ONCE, errno.EIO, 4),
    (("stat", "list"), ONCE, errno.EIO, 5),
    (("spawn",), ONCE, errno.EAGAIN, 2),
    (("accept",), ONCE, errno.EMFILE, 3),
]
FAULTS = 5
"""So many calls fail in a step, then no more: it is tried again until it is done."""


NAMES = ["+".join(kind[0]) + "-" + errno.errorcode[kind[2]] for kind in KINDS]
AT_ONCE = 4
"""Servers at the same time; each mostly waits."""


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return failing_io.compiled(tmp_path_factory.mktemp("tools"))


@contextlib.contextmanager
def world(tools):
    """A server with the library loaded, in memory, where syncing costs nothing: what reaches the disk is accounted for."""
    home = failing_io.in_memory()
    faults = Faults(tools, home / "data", home / "control")
    server = Server(home / "data", "open", "dummy", "--image-map", "*=dummy")
    server.environment = faults.environment
    try:
        yield server.start(), faults
    except Exception as failure:
        failure.add_note(f"{faults.last}\n{server.tail(40)}")
        raise
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        shutil.rmtree(home, ignore_errors=True)


def live(server: Server, faults: Faults, day: Day, arm) -> int:
    """The whole day, in each step some faults. Gives how many there were."""
    failed = 0
    for step in day.steps():
        arm()
        for tries in range(40):
            if faults.failed >= FAULTS or tries > 20:
                faults.rest()
            try:
                revive(server)
                day.ask(step)
                break
            except Refused as refused:
                last = refused
        else:
            raise last
        failed += faults.failed
    return failed


def revive(server: Server) -> None:
    """Starts the server again, if it has ended: by itself, with a sentence about the disk."""
    if server.process.poll() is None:
        return
    assert server.process.returncode == 1, server.tail()
    assert "does not keep what is written" in server.tail(3), server.tail()
    server.start()


@pytest.fixture(scope="module")
def days(tools, tmp_path_factory):
    """A day for each kind of call, several at once; each test waits for its own."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield [pool.submit(one_day, tools, tmp_path_factory.mktemp("day"), *kind) for kind in KINDS]


@pytest.mark.parametrize("number", range(len(KINDS)), ids=NAMES)
def test_a_day_over_calls_that_fail(days, number):
    """Takes seconds: dozens of tries, a restart, and what a power cut leaves."""
    print(days[number].result())


def one_day(tools, folder, classes, mode, error, every) -> str:
    with world(tools) as (server, faults):
        day = Day(server, folder / "copy")
        failed = live(server, faults, day, lambda: faults.arm(*classes, nth=every, error=error, mode=NOW_AND_THEN | mode, most=FAULTS))
        faults.rest()
        assert failed > 0
        return f"{failed} calls failed, the last: {faults.last}\n{check(server, faults, day)}"


def check(server: Server, faults: Faults, day: Day) -> str:
    """Now, after a restart, and after a power cut."""
    revive(server)
    eventually(lambda: day.containers()["left"] == set(), 30, "the removal of all containers")
    server.kill()
    server.environment = {}
    whole, cut = server.data_dir, server.data_dir.with_name("cut")
    taken = faults.power_cut(cut)
    for folder in (whole, cut):
        server.data_dir = folder
        server.command[server.command.index("--data-dir") + 1] = str(folder)
        server.start()
        day.check()
        server.stop()
    assert "panicked" not in server.log.read_text()
    return f"a power cut takes {taken}"


@pytest.mark.skipif(not EVERY, reason="each single call by LANDFALL_FAIL_EVERY=1, which takes hours, or =100")
@pytest.mark.parametrize("classes,mode,error,every", KINDS, ids=NAMES)
def test_each_single_call(tools, tmp_path, classes, mode, error, every):
    """SQLite's way: the 1st, the 2nd, the 3rd… until nothing fails any more; it alone, and it with all that follow."""
    for nth in range(1, 1_000_000, EVERY):
        for extent in (ONCE, FROM_THERE_ON):
            with world(tools) as (server, faults):
                day = Day(server, tmp_path / f"copy-{nth}-{extent}")
                failed = live(server, faults, day, lambda: faults.arm(*classes, nth=nth, error=error, mode=mode & TORN | extent))
                print(f"{classes} {errno.errorcode[error]} {nth}: {failed} failed, the last: {faults.last}")
                check(server, faults, day)
        if not failed:
            return
