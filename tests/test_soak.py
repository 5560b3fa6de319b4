"""A minute of `cargo xtask soak`: server, hosts and containers are killed at random, and nothing is lost or doubled."""

import json
import os
import subprocess

from conftest import LANDFALL, ROOT

SEED = int(os.environ.get("LANDFALL_SOAK_SEED", "5"))
SECONDS = int(os.environ.get("LANDFALL_SOAK_SECONDS", "40"))


def test_a_soak_finds_nothing(tmp_path):
    # Far longer than 2 s, as it is for: users work while everything is killed. The run's own output tells its seed.
    command = [
        "cargo", "xtask", "soak", "--seconds", str(SECONDS), "--seed", str(SEED), "--landfall", str(LANDFALL),
        "--place", str(tmp_path), "--json",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS + 900)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    report = json.loads(ran.stdout)
    assert report["violations"] == []
    # It has something to say only where there was something to break.
    assert report["restarts"] > 10 and report["executions"].get("Succeeded", 0) > 0, report
    assert report["builds"].get("SUCCEEDED", 0) > 0 and report["log_lines"] > 100, report
