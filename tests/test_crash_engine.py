"""Deaths where only real containers and images come by: afterwards no mount, control group, namespace or process is left.

Longer than 2 s: each starts real containers in two servers.
"""

import contextlib
import json
import os

import pytest

from commands import run
from crash_harness import Expedition, Route, crash_points
from image_files import content, registry

SOME = ("codebuild_after_container_start", "codebuild_after_reports", "codebuild_after_spooling", "codebuild_before_folder_removal")
"""Points of builds that a run is content with; LANDFALL_CRASH_ENGINE=all takes all that containers come by."""

SANDBOX = [name for name in crash_points("engine") if name.startswith("sandbox_")]
BUILDS = [name for name in crash_points("codebuild") if os.environ.get("LANDFALL_CRASH_ENGINE") == "all" or name in SOME]

root = pytest.mark.skipif(os.geteuid() != 0, reason="containers as root")


def test_every_point_below_the_kernel_has_a_journey():
    assert set(crash_points("engine")) == set(SANDBOX)
    assert {name.partition("_")[0] for name in crash_points("images")} == {"images"}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """All journeys, two at once: their builds want the processors."""
    expedition = Expedition(tmp_path_factory.mktemp("crash"), at_once=2)
    routes = {point: Route("containers", (point,)) for point in (*SANDBOX, *BUILDS)}
    yield {point: expedition.begin(route) for point, route in routes.items()}
    expedition.end()


@root
@pytest.mark.parametrize("point", (*SANDBOX, *BUILDS))
def test_builds_happen_once_and_leave_nothing_over_a_death_at(outcomes, point):
    outcome = outcomes[point].result()
    assert not outcome.failure, outcome.failure


@pytest.fixture(scope="module")
def image():
    with contextlib.ExitStack() as stack:
        yield f"{stack.enter_context(registry(*content({'file': 'content'})))}/app:1"


@pytest.mark.parametrize("point", crash_points("images"))
def test_a_store_of_images_is_whole_over_a_death_at(tmp_path, image, point):
    """What dies is the command that pulls, or the one that removes; both can be repeated, and then nothing is left."""
    data = tmp_path / "data"
    commands = (("pull", image), ("rm", image), ("gc", "--all", "--unused-for", "0s"))
    died = 0
    for command in commands:
        done = images(data, *command, LANDFALL_CRASH_POINT=point)
        if done.returncode < 0:
            assert f"crash point {point} reached" in done.stderr
            died += 1
            again = images(data, *command)
            # What a removal that died had removed already is not there a second time.
            assert again.returncode == 0 or command[0] == "rm" and "landfall images ls" in again.stderr, again.stderr
        else:
            assert done.returncode == 0, done.stderr
        if command[0] == "pull":
            [found] = json.loads(images(data, "ls", "--json").stdout)
            assert found["references"] == [image] and found["layers"] == 1
            [layer] = (data / "images/layers").glob("*")
            assert (layer / "tree/file").read_text() == "content"
    assert died >= 1, "no command passes it"
    for part in ("layers", "images", "names", "l", "blobs"):
        assert list((data / "images" / part).iterdir()) == [], part


def images(data, *arguments, **environment):
    return run("images", *arguments, "--data-dir", data, check=False, **environment)
