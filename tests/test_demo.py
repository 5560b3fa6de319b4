"""`landfall demo`, as far as scripts/demo does not tell by itself."""

import os
import shutil
import signal
import subprocess

from conftest import LANDFALL, eventually


def sandboxes_of(folder) -> list[str]:
    """What runs with the folder in its command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def test_a_demo_that_is_interrupted_leaves_nothing_running(tmp_path):
    # Longer than 2 s: a server and two sandboxes are started and ended.
    folder = tmp_path / "demo"
    log = (tmp_path / "log").open("w+")
    demo = subprocess.Popen([str(LANDFALL), "demo", "--data-dir", str(folder)], stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "two hosts" in (tmp_path / "log").read_text())
        # A shim that is just starting a program is there twice for a moment.
        eventually(lambda: len(sandboxes_of(folder / "hosts/containers")) == 2)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(timeout=60) == 130
        assert not sandboxes_of(folder / "hosts")
        # A build outlives its server, but not the folder of both.
        shutil.rmtree(folder)
        eventually(lambda: not sandboxes_of(folder))
    finally:
        demo.kill()
