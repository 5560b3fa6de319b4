"""The landfall command line, as a user of a data folder runs it."""

import os
import pathlib
import subprocess

from conftest import LANDFALL

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LANDFALL_"))}
"""The environment without what names another server or key."""


def run(*arguments, cwd=None, check: bool = True, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess:
    """Runs a command to its end, with nothing else said by the environment."""
    command = [str(LANDFALL), *map(str, arguments)]
    done = subprocess.run(command, env={**CLEAN, **environment}, cwd=cwd, capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, (done.stdout, done.stderr)
    return done


def refused(*arguments, **environment: str) -> str:
    """What a command says that the user must put right."""
    done = run(*arguments, check=False, **environment)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr


def start(*arguments, out: pathlib.Path, **environment: str) -> subprocess.Popen:
    """Starts a command that goes on; its stdout goes to a file."""
    command = [str(LANDFALL), *map(str, arguments)]
    with out.open("wb") as file:
        return subprocess.Popen(command, env={**CLEAN, **environment}, stdout=file, stderr=subprocess.PIPE)


def on(server) -> tuple[str, str]:
    """The flag that names a server by its data folder."""
    return "--data-dir", str(server.data_dir)
