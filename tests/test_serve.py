"""The server as a program: start, stop, what it refuses."""

import json
import os
import re
import stat
import subprocess
import urllib.request

import pytest

from conftest import LANDFALL


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(LANDFALL), *arguments], capture_output=True, text=True, timeout=30)


def test_starts_answers_and_stops(servers):
    server = servers("enforce", "dummy")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.endpoint)
    assert server.get("/healthz") == (200, "ok\n")
    assert server.stop() == 0


def test_the_root_key_is_for_the_owner_only_and_survives_a_restart(servers):
    server = servers("enforce", "dummy")
    for name in ("root-credentials", "master.key"):
        assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o600
    key = server.root_key()
    server.stop()
    server.start()
    assert server.root_key() == key
    identity = server.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    server.stop()


def test_a_server_whose_log_nobody_reads_any_more_goes_on(tmp_path):
    """As under `landfall serve 2>&1 | tee FILE` when tee is gone."""
    reader, writer = os.pipe()
    command = [str(LANDFALL), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--engine", "dummy",
               "--auth", "open", "--log", "debug"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    try:
        # The log is read no further than to the start.
        endpoint = server.stdout.readline().decode().split()[-1]
        os.close(reader)
        for _ in range(2):
            with urllib.request.urlopen(endpoint + "/healthz", timeout=10) as reply:
                assert reply.status == 200
        server.terminate()
        assert server.wait(timeout=20) == 0
    finally:
        server.kill()
        server.wait()


def test_a_second_server_on_the_same_folder_is_refused(servers):
    server = servers("open", "dummy")
    second = run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data_dir), "--auth", "open", "--engine", "dummy")
    assert second.returncode == 1
    assert str(server.data_dir) in second.stderr and "another" in second.stderr
    assert "panicked" not in second.stderr
    server.stop()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--auth", "open", "--listen", "0.0.0.0:0"], "loopback"),
        (["--engine", "docker"], "--engine sandbox"),
        (["--account", "123"], "twelve digits"),
        (["--image-map", "host"], "GLOB=REF"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(tmp_path, arguments, sentence):
    refused = run("serve", "--data-dir", str(tmp_path / "data"), *arguments)
    assert refused.returncode in (1, 2)
    assert sentence in refused.stderr


def test_coverage_is_read_from_what_is_dispatched():
    coverage = json.loads(run("api", "coverage", "--json").stdout)
    assert coverage["codebuild"]["model"] == 59
    assert coverage["codepipeline"]["model"] == 44
    assert coverage["codedeploy"]["model"] == 47
    assert coverage["ecr"]["built"] == []
    assert "StartBuild" in coverage["codebuild"]["built"]
    for service, counted in coverage.items():
        assert len(counted["built"]) == len(set(counted["built"])) <= counted["model"], service
    assert run("api", "coverage").stdout.splitlines()[0].split() == ["service", "built", "of"]


def test_help_is_for_people():
    for command in ([], ["serve"], ["demo"], ["api", "coverage"]):
        shown = run(*command, "--help")
        assert shown.returncode == 0
        assert max(len(line) for line in shown.stdout.splitlines()) <= 100
