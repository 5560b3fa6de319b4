"""Builds of an ordinary user, who has no privilege and no control groups."""

import os
import shutil
import subprocess
import tempfile

import pytest

from commands import CLEAN
from conftest import LANDFALL

NOBODY = 65534
SPEC = """version: 0.2
phases:
  build:
    commands:
      - id -u
      - touch /usr/new && echo added
      - echo x 2>/dev/null >> /usr/lib/os-release || echo kept
      - cat /proc/self/status | grep NoNewPrivs
artifacts:
  files: [notes]
"""


@pytest.fixture
def home():
    """A folder of that user's, on a disk: the tests' own may lie in somebody's home."""
    folder = tempfile.mkdtemp(prefix="landfall-rootless-", dir="/var/tmp")
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def program(home):
    """The program where that user can run it."""
    for name in (LANDFALL.name, "landfall-agent"):
        if (LANDFALL.parent / name).exists():
            shutil.copy2(LANDFALL.parent / name, home)
            os.chmod(os.path.join(home, name), 0o755)
    return os.path.join(home, LANDFALL.name)


def as_nobody(home: str, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command],
        env={**CLEAN, "HOME": home}, cwd=home, capture_output=True, text=True, timeout=60, check=False)


def test_a_user_builds_a_folder_without_root(home, program):
    folder = os.path.join(home, "src")
    os.mkdir(folder)
    for name, text in (("buildspec.yml", SPEC), ("notes", "done\n")):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.chown(folder, NOBODY, NOBODY)
    done = as_nobody(home, program, "run", folder, "--image", "host")
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = done.stdout + done.stderr
    for words in ("\n0\n", "\nadded\n", "\nkept\n", "NoNewPrivs:\t1"):
        assert words in said, said
    assert open(os.path.join(home, "landfall-out", "notes"), encoding="utf-8").read() == "done\n"
    assert not os.path.exists("/usr/new")


def test_a_users_killed_run_is_cleared_by_the_next(home, program):
    # Longer than 2 s: a build that is killed, and one that clears up.
    folder = os.path.join(home, "src")
    os.mkdir(folder)
    spec = os.path.join(folder, "buildspec.yml")

    def write(command: str):
        with open(spec, "w", encoding="utf-8") as file:
            file.write(f"version: 0.2\nphases: {{build: {{commands: ['{command}']}}}}\n")

    write("echo begun && sleep 100")
    os.chown(folder, NOBODY, NOBODY)
    command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", program, "run", folder]
    killed = subprocess.Popen([*command, "--build-network", "none"], env={**CLEAN, "HOME": home}, cwd=home, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        assert any(line == "begun\n" for line in killed.stdout)
    finally:
        # setpriv has become the run.
        killed.kill()
        killed.wait()
    runs = os.path.join(home, ".cache/landfall/runs")
    assert len(os.listdir(runs)) == 2
    write("true")
    done = as_nobody(home, program, "run", folder, "--build-network", "none")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert os.listdir(runs) == []


def test_a_server_says_what_limits_need(home, program):
    done = as_nobody(home, program, "serve", "--data-dir", os.path.join(home, "data"), "--listen", "127.0.0.1:0",
                     "--engine", "sandbox")
    assert done.returncode == 1, done
    assert "cannot be limited in memory and processes" in done.stderr and "--without-limits" in done.stderr
