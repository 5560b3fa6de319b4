"""scripts/walk: the tutorial, as it is written."""

import os
import pathlib
import subprocess
import sys

from commands import CLEAN
from conftest import LANDFALL, ROOT


def test_the_walk_goes_to_its_end(tmp_path):
    # Much longer than 2 s: a tutorial of some seventy runs of the aws command, eight builds and five deployments.
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    log = tmp_path / "walk.log"
    with log.open("wb") as out:
        walked = subprocess.run([str(ROOT / "scripts/walk"), str(tmp_path / "walk")], stdout=out, stderr=subprocess.STDOUT,
                                env={**CLEAN, "PATH": path, "LANDFALL": str(LANDFALL)}, timeout=900, check=False)
    told = log.read_text()
    assert walked.returncode == 0, told[-6000:]
    assert not (tmp_path / "walk").exists()
    for part in ("✗ app Failed", "■ app Stopped", "codeDeployRollback", "by ManualRollback", "That was it"):
        assert part in told, part
