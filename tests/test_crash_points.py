"""The server dies at each of its crash points, is started again, and everything has happened once.

The points are read from the source, so a new one is tested by being there: a rehearsal of each journey, in which nobody
dies, says which journey comes by it. Beside each point's first pass a sample of later ones is died at, and a sample of pairs:
the second death comes on the way back from the first. Both are drawn by a seed (CONTRIBUTING.md says how to draw others).

Longer than 2 s: some hundred servers are started twice.
"""

import collections
import shutil

import pytest

from conftest import ROOT
from crash_harness import LATE, LATER, PAIRS, RECOVERIES, SEED, SLOW, Expedition, Route, crash_points, later, pairs, roomy

KERNEL = "crates/kernel/tests/contract/crash.rs"

ELSEWHERE: dict[str, tuple[str, str]] = {
    "store_before_migration_commit": (KERNEL, "passed when a folder has an older format"),
    "blob_before_unused_removal": (KERNEL, "passed a day after a blob was found unused"),
}
"""Points that no journey here comes by: the test that dies there, and why."""

JOURNEYS = ("delivery", "upkeep")
"""A point is died at in the first of these that comes by it."""

ENGINES = ("engine", "images")
"""Crates with points that only real containers and images pass: test_crash_engine.py has journeys for them."""

POINTS = [name for name in crash_points() if name not in ELSEWHERE and name not in {name for crate in ENGINES for name in crash_points(crate)}]


def test_each_point_is_named_once():
    assert [name for name, count in collections.Counter(crash_points()).items() if count > 1] == []


@pytest.mark.parametrize("point", ELSEWHERE)
def test_a_point_that_is_left_to_another_test_is_died_at_there(point):
    """The test names the point, or reads it from the source itself as this one does."""
    test, _ = ELSEWHERE[point]
    assert point in crash_points()
    text = (ROOT / test).read_text()
    if test == KERNEL:
        assert 'split("crate::crash_point!(\\"")' in text and "run_victim(dir.path(), Some(&point)" in text
        assert any(f'crate::crash_point!("{point}")' in file.read_text() for file in ROOT.glob("crates/kernel/src/**/*.rs"))
    else:
        assert point in text


@pytest.fixture(scope="module")
def expedition(tmp_path_factory):
    folder = roomy(tmp_path_factory.mktemp("crash"))
    expedition = Expedition(folder)
    yield expedition
    expedition.end()
    # What failed is kept only where it takes no memory.
    if folder.is_relative_to("/dev/shm"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def rehearsals(expedition):
    """The points that each journey passes when nobody dies, in order; and those behind deaths that open a way to others."""
    routes = [Route(journey) for journey in JOURNEYS] + [Route(journey, (point,)) for journey, point in RECOVERIES]
    begun = [expedition.begin(route, trace=True) for route in routes]
    outcomes = [future.result() for future in begun]
    assert not any(outcome.failure for outcome in outcomes), "\n".join(outcome.failure for outcome in outcomes)
    return {outcome.route: outcome.passed for outcome in outcomes}


@pytest.fixture(scope="module")
def routes(expedition, rehearsals):
    """For each point the route that dies there, all of them begun; `later N` and `pair N` are the samples."""
    routes = {}
    for route, passed in rehearsals.items():
        for point in set(passed) & set(POINTS):
            routes.setdefault(point, Route(route.journey, (*route.deaths, point), must=len(route.deaths) + 1))
    routes |= {point: Route(journey, (point,)) for point, (journey, _) in LATE.items()}
    delivery = rehearsals[Route("delivery")]
    routes |= {f"later {number}": route for number, route in enumerate(later(delivery, LATER, SEED))}
    routes |= {f"pair {number}": route for number, route in enumerate(pairs(delivery, PAIRS, SEED))}
    for route in sorted(routes.values(), key=lambda route: not set(route.deaths) & {*SLOW, *LATE}):
        expedition.begin(route)
    return routes


@pytest.mark.parametrize("point", POINTS)
def test_everything_happens_once_over_a_death_at(expedition, routes, point):
    assert point in routes, "no journey passes it: bring one there, or name the test that dies there in ELSEWHERE"
    outcome = expedition.begin(routes[point]).result()
    assert not outcome.failure, outcome.failure


@pytest.mark.parametrize("number", range(LATER))
def test_everything_happens_once_over_a_death_at_a_later_pass(expedition, routes, number):
    follow(expedition, routes[f"later {number}"])


@pytest.mark.parametrize("number", range(PAIRS))
def test_everything_happens_once_over_a_death_on_the_way_back(expedition, routes, number):
    follow(expedition, routes[f"pair {number}"])


def follow(expedition: Expedition, route: Route) -> None:
    print(f"seed {SEED}: {route}")
    outcome = expedition.begin(route).result()
    assert not outcome.failure, f"seed {SEED}: {outcome.failure}"


@pytest.mark.parametrize(("fault", "point", "found"), [
    ("a forgotten token", "codepipeline_action_started@2", "check_builds"),
    ("an event that is told again", "codepipeline_after_triggered_start", "check_executions"),
    ("a log of changes that says one twice", "codedeploy_after_end", "check_news"),
])
def test_a_fault_that_is_planted_is_found(expedition, fault, point, found):
    """A machine that proves is worth nothing if it cannot fail."""
    outcome = expedition.begin(Route("delivery", (point,), fault)).result()
    assert f"in {found}\n" in outcome.failure, outcome


def test_most_deaths_that_were_drawn_came_to_pass(expedition, routes):
    drawn = [route for name, route in routes.items() if name.startswith(("later ", "pair "))]
    outcomes = [expedition.begin(route).result() for route in drawn]
    died, wanted = sum(outcome.died for outcome in outcomes), sum(len(route.deaths) for route in drawn)
    assert died >= wanted * 3 // 4, [f"{outcome.died} of {outcome.route}" for outcome in outcomes]
