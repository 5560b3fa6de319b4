"""Failing input and output: `failing_io.c` loaded into a server, armed by a test at any time."""

import mmap
import pathlib
import shutil
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
CLASSES = ("open", "read", "write", "sync", "rename", "unlink", "mkdir", "truncate", "stat", "list", "map", "net", "accept", "spawn", "thread")
"""In failing_io.c's order."""

ONCE, FROM_THERE_ON, TORN, NOW_AND_THEN = 1, 2, 4, 8
"""What fails: the nth call; it and all that follow; a write leaves its first half; one in n calls."""


def compiled(folder: pathlib.Path) -> pathlib.Path:
    """The folder with the library and the program that cuts the power."""
    for name, flags in (("failing_io.so", ("-shared", "-fPIC", "-pthread")), ("power-cut", ("-DPOWER_CUT",))):
        subprocess.run(["gcc", "-O1", "-Wall", "-o", folder / name, *flags, HERE / "failing_io.c", "-ldl"], check=True)
    return folder


def in_memory() -> pathlib.Path:
    """A new folder where syncing costs nothing."""
    memory = pathlib.Path("/dev/shm")
    return pathlib.Path(tempfile.mkdtemp(prefix="landfall-", dir=memory if memory.is_dir() else None))


class Faults:
    """The control file of one process, and what goes into its environment."""

    def __init__(self, tools: pathlib.Path, below: pathlib.Path, control: pathlib.Path):
        self.tools, self.below, self.control = tools, below, control
        below.mkdir(mode=0o700, exist_ok=True)
        control.write_bytes(b"\0" * 4096)
        self.file = control.open("r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)
        self.environment = {"LD_PRELOAD": str(tools / "failing_io.so"), "FAILING_IO": str(control), "FAILING_IO_BELOW": str(below), "FAILING_IO_EXCEPT": "/dummy/"}

    def arm(self, *classes: str, nth: int = 1, error: int, mode: int = ONCE, only: str = "", most: int = 0) -> None:
        """From now on the `nth` call of these classes fails so; `only` is part of the path, `most` how many fail."""
        self.rest()
        struct.pack_into("IiI", self.map, 4, mode, error, 0)
        struct.pack_into("QQ", self.map, 16, nth, 0)
        struct.pack_into("I", self.map, 44, most)
        struct.pack_into("128s", self.map, 176, only.encode())
        struct.pack_into("I", self.map, 0, sum(1 << CLASSES.index(name) for name in classes))

    def rest(self) -> None:
        """Nothing fails any more."""
        struct.pack_into("I", self.map, 0, 0)

    @property
    def failed(self) -> int:
        """How many calls were made to fail since the arming."""
        return struct.unpack_from("I", self.map, 12)[0]

    @property
    def last(self) -> str:
        """The call that failed last."""
        return bytes(self.map[304:560]).split(b"\0")[0].decode(errors="replace")

    def calls(self, name: str) -> int:
        """How many calls of a class there were."""
        return struct.unpack_from("Q", self.map, 48 + 8 * CLASSES.index(name))[0]

    def set_clock(self, seconds: float) -> None:
        """The wall clock is wrong by so much from now on."""
        struct.pack_into("q", self.map, 32, int(seconds * 1000))

    def power_cut(self, target: pathlib.Path) -> str:
        """Makes `target` what a power cut leaves of the folder; nothing writes to that any more."""
        shutil.copytree(self.below, target, symlinks=True)
        command = [self.tools / "power-cut", self.control, self.below, target, "unsynced"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
