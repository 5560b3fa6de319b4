"""Crash points as the source names them, and journeys over deaths at them."""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
import traceback

from conftest import ROOT, Server
from journey import Journey
from journey_containers import Containers
from journey_upkeep import Upkeep
from promises import CommandDied, Walk
from remains import check_left, check_machine, check_rest

JOURNEYS: dict[str, type[Walk]] = {"delivery": Journey, "upkeep": Upkeep, "containers": Containers}

RECOVERIES = (("delivery", "codebuild_after_preparation"),)
"""Deaths behind which there are points that nothing else comes by."""

LATE = {"logs_after_folder_removal": ("upkeep", 75)}
"""Points that come by themselves a while after the journey's end, which a rehearsal does not wait for: where, and within
how many seconds. Begun first."""

SLOW = ("codedeploy_after_lease",)
"""Begun first, and in no sample: a command that its host never got is given out again after a minute."""

AT_ONCE = 4
"""Journeys at the same time; each mostly waits for its disk."""

SEED = int(os.environ.get("LANDFALL_CRASH_SEED", "1"))
LATER = int(os.environ.get("LANDFALL_CRASH_LATER", "14"))
PAIRS = int(os.environ.get("LANDFALL_CRASH_PAIRS", "10"))

FAULTS = {
    "a forgotten token": "DELETE FROM documents WHERE kind = 'codebuild.pipeline-start'",
    "an event that is told again": "UPDATE consumers SET cursor = 0 WHERE name LIKE '%codepipeline%'",
    "a log of changes that says one twice": "INSERT INTO events (source, body) SELECT source, body FROM events WHERE source = 'aws.codedeploy'",
}
"""What a server with a fault might do to its store, by what it is called."""

SOURCE = re.compile(r'crash_point!\(\s*"([a-z0-9_]+)"')
TESTS = re.compile(r"^#\[cfg\(test\)\]", re.MULTILINE)


def crash_points(crates: str = "*") -> list[str]:
    """Every crash point of these crates' source, test code left out."""
    names = []
    for file in sorted(ROOT.glob(f"crates/{crates}/src/**/*.rs")):
        code = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("//"))
        names += SOURCE.findall(TESTS.split(code)[0])
    return names


@dataclasses.dataclass(frozen=True)
class Route:
    """A journey, and where its server dies: at the first point, then, started again, at the next."""

    journey: str
    deaths: tuple[str, ...] = ()
    fault: str = ""
    """One of FAULTS, planted in the data folder before the way back: the checks must find it."""
    must: int = 1
    """How many of the deaths must come to pass; of points that were drawn by lot, a run may pass fewer than the rehearsal did."""

    def __str__(self) -> str:
        return f"{self.journey}: {' then '.join(self.deaths) or 'nobody dies'}"


@dataclasses.dataclass
class Outcome:
    """What became of a route."""

    route: Route
    died: int
    """How many of the deaths came to pass."""
    passed: list[str]
    """The points that were passed, in order, where that was asked for: after the last death."""
    failure: str = ""
    """A traceback with the end of the server's log; empty if all promises were kept."""
    seconds: float = 0.0


def travel(folder: pathlib.Path, route: Route, trace: bool = False) -> Outcome:
    """Goes the route in a new data folder, with all checks at its end. The folder goes unless something failed."""
    began = time.monotonic()
    kind = JOURNEYS[route.journey]
    server = Server(folder / "data", kind.AUTH, kind.ENGINE, *kind.OPTIONS)
    journey = kind(server, folder / "working-copy")
    outcome = Outcome(route, 0, [])
    try:
        for point in route.deaths:
            outcome.died += die(server, journey, point)
        assert outcome.died >= route.must or not route.deaths, (
            f"{route}: only {outcome.died} came to pass: bring a journey there, or name the test that dies there in ELSEWHERE")
        if route.fault:
            plant(server, route.fault)
        arrive(server, journey, folder / "trace" if trace else None)
        outcome.passed = (folder / "trace").read_text().splitlines() if trace else []
        shutil.rmtree(folder)
    except Exception:
        log = server.tail(25) if server.log.exists() else ""
        outcome.failure = f"{route} in {folder}\n{traceback.format_exc()}\nend of the server's log:\n{log}"
    finally:
        journey.rest()
        if server.process and server.process.poll() is None:
            server.kill()
    outcome.seconds = time.monotonic() - began
    return outcome


def plant(server: Server, fault: str) -> None:
    """Does to the dead server's store what a fault would have done."""
    with contextlib.closing(sqlite3.connect(server.data_dir / "landfall.db")) as database, database:
        changed = database.execute(FAULTS[fault]).rowcount
    assert changed > 0, f"{fault}: nothing to plant it in"


def die(server: Server, journey: Walk, point: str) -> bool:
    """Walks with a server that dies at `point`; false if nothing came by it."""
    start(server, LANDFALL_CRASH_POINT=point)
    try:
        journey.walk()
        # A point of the background may still come.
        died = has_died(server, LATE.get(point, (None, 3))[1])
    except CommandDied:
        server.stop()
        return True
    except Exception:
        if not has_died(server, 3):
            raise
        died = True
    if not died:
        server.stop()
        return False
    assert f"crash point {point.split('@')[0]} reached" in server.log.read_text(), f"{point}: it died of something else"
    return True


def arrive(server: Server, journey: Walk, trace: pathlib.Path | None) -> None:
    """Walks to the end, and checks everything."""
    start(server, **({"LANDFALL_CRASH_TRACE": str(trace)} if trace else {}))
    journey.walk()
    journey.keep_promises()
    journey.check()
    check_rest(server)
    journey.rest()
    assert server.stop() == 0
    check_left(server)
    check_machine(server.data_dir)


def start(server: Server, **environment: str) -> None:
    """Starts the server, again where it was if it was somewhere; what dies at its start is no failure here."""
    if server.endpoint and "127.0.0.1:0" in server.command:
        server.command[server.command.index("127.0.0.1:0")] = server.endpoint.removeprefix("http://")
    server.environment = environment
    try:
        server.start()
    except AssertionError:
        if not has_died(server, 3):
            raise


def has_died(server: Server, seconds: float) -> bool:
    try:
        return server.process.wait(timeout=seconds) is not None
    except subprocess.TimeoutExpired:
        return False


def roomy(folder: pathlib.Path) -> pathlib.Path:
    """Where data folders of servers that die lie: in memory where there is room. A process dies there as on a disk, and
    nobody waits for fsync."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30:
        return pathlib.Path(tempfile.mkdtemp(prefix="landfall-crash-", dir=memory))
    return folder


class Expedition:
    """All routes, several at once, each in a process of its own and in a folder below `folder`."""

    def __init__(self, folder: pathlib.Path, at_once: int = AT_ONCE):
        self.folder = folder
        self.workers = concurrent.futures.ProcessPoolExecutor(at_once, multiprocessing.get_context("fork"))
        self.begun: dict[Route, concurrent.futures.Future[Outcome]] = {}

    def begin(self, route: Route, trace: bool = False) -> concurrent.futures.Future:
        if route not in self.begun:
            self.begun[route] = self.workers.submit(travel, self.new_folder(), route, trace)
        return self.begun[route]

    def new_folder(self) -> pathlib.Path:
        folder = self.folder / str(len(self.begun))
        folder.mkdir()
        return folder

    def end(self) -> None:
        self.workers.shutdown(cancel_futures=True)


def later(passed: list[str], count: int, seed: int) -> list[Route]:
    """Deaths at later passes, drawn by lot: points that are passed often come more often, but not in proportion.

    The last passes are left out: a run may pass a point some times fewer than the rehearsal did.
    """
    dice = random.Random(f"later {seed}")
    passes = {name: passed.count(name) for name in sorted(set(passed)) if name not in SLOW}
    often = {name: number for name, number in passes.items() if number > 2}
    names = dice.choices(list(often), [number**0.5 for number in often.values()], k=count)
    return [Route("delivery", (f"{name}@{dice.randint(2, max(2, often[name] * 4 // 5))}",), must=0) for name in names]


def pairs(passed: list[str], count: int, seed: int) -> list[Route]:
    """Second deaths on the way back from a first, drawn by lot: at a point that the rehearsal passed after the first."""
    dice = random.Random(f"pairs {seed}")
    names = sorted(set(passed) - set(SLOW))
    routes = []
    while len(routes) < count:
        first = dice.choice(names)
        behind = sorted(set(passed[passed.index(first) + 1:]) - set(SLOW))
        if behind:
            routes.append(Route("delivery", (first, dice.choice(behind)), must=1))
    return routes
