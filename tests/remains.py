"""What a server may leave in its data folder, and on the machine, when all work has come to its end: nothing but data."""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

from conftest import Server, eventually, git

WAITING = """
SELECT kind, key, due, lease_owner, failures FROM documents
WHERE due IS NOT NULL AND (lease_owner IS NOT NULL OR failures > 0 OR due < ?)
"""
"""Documents that are being worked on, in back-off, or overdue. A dead server's lease stays on a document that is never due
again; it means nothing (kernel, `store::lease`)."""

FOR_A_MOMENT = ("run", "containers", "spool", "set-aside", "git/new", "blobs/*/new", "spool/codepipeline")
"""Folders in which nothing outlives the work that put it there."""

HALF_WRITTEN = ("**/*.new", "**/.new-*", "**/*.tmp", "**/HEAD.*", "**/tmp_*", "**/incoming-*", "**/*.lock", "**/.removed-*", "**/.server.json-*", "**/.tmp*")
"""What files and folders are called while they are made or removed; a lock that outlives its holder has no name here."""

KEPT = {".lock", "lock", ".runtime.json", "codepipeline"}
"""What these folders have of their own."""

KEPT_LOCKS = {"backup.lock", "landfall.lock", "lock"}
"""Files that are locked by the kernel, and so are free once nobody holds them."""


def check_rest(server: Server) -> None:
    """While the server runs: nothing is leased, in back-off or overdue: all that was begun has come to its end."""
    try:
        eventually(lambda: not waiting(server), 15, "the end of all work")
    except AssertionError:
        raise AssertionError(f"left to do: {waiting(server)}") from None


def waiting(server: Server) -> list[tuple]:
    """What is still to be done; what is due just now is looked at again."""
    return query(server, WAITING, int(time.time() * 1000) - 1_000)


def query(server: Server, statement: str, *values) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir}/landfall.db?mode=ro", uri=True)) as database:
        return database.execute(statement, values).fetchall()


def check_left(server: Server) -> None:
    """After the server's orderly end: no temporary file, no container's folder, no process, no damage."""
    folder = server.data_dir
    left = [path for pattern in FOR_A_MOMENT for place in folder.glob(pattern) for path in place.iterdir() if path.name not in KEPT]
    assert not left, f"left behind: {left}"
    half = [path for pattern in HALF_WRITTEN for path in folder.glob(pattern) if path.name not in KEPT_LOCKS]
    assert not half, f"half-written: {half}"
    containers = [path.name for path in (folder / "dummy").glob("*") if path.is_dir()]
    assert not containers, f"folders of containers: {containers}"
    assert query(server, "PRAGMA integrity_check") == [("ok",)]
    for repository in (folder / "git").glob("*.git"):
        git(repository, "fsck", "--full", "--strict", "--no-dangling")


def check_machine(folder: pathlib.Path) -> None:
    """On the machine: no process, mount, control group, network namespace or rule of the data folder's containers."""
    assert not processes(folder), f"processes: {processes(folder)}"
    # Mounts of other namespaces are gone with the processes in them.
    mounts = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]
    assert not mounts, mounts
    name = prefix(folder)
    groups = [path for path, folders, _ in os.walk("/sys/fs/cgroup") if pathlib.Path(path).name.startswith(name)]
    assert not groups, groups
    for command in (("ip", "netns"), ("nft", "list", "ruleset"), ("iptables-save",)):
        if shutil.which(command[0]) and os.geteuid() == 0:
            said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
            assert f"landfall-{name}" not in said, (command, said)


def prefix(folder: pathlib.Path) -> str:
    """What the names of a data folder's containers begin with (engine, `Containers::runtime_prefix`): FNV-1a of its path."""
    value = 0xCBF2_9CE4_8422_2325
    for byte in str(folder.resolve()).encode():
        value = (value ^ byte) * 0x100_0000_01B3 % 2**64
    return f"{value:016x}-"


def processes(folder: pathlib.Path) -> list[str]:
    """The command lines of processes that name the data folder, or are in it."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = (process / "cwd").readlink()
        except OSError:
            continue
        if str(folder) in line or place.is_relative_to(folder):
            found.append(f"{process.name}: {line}")
    return found
