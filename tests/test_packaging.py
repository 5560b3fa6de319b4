"""Landfall under systemd."""

import socket
import subprocess

import pipelines
from commands import run
from conftest import LANDFALL, ROOT, Server

UNIT = ROOT / "packaging/landfall.service"
SPEC = "version: 0.2\nphases: {build: {commands: ['echo made > /usr/share/by-build && cat /usr/share/by-build']}}\n"


def test_systemd_takes_the_unit(tmp_path):
    # It wants the program to be there.
    text = UNIT.read_text().replace("/usr/local/bin/landfall", str(LANDFALL))
    (tmp_path / "landfall.service").write_text(text)
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / "landfall.service")],
                             capture_output=True, text=True, timeout=60, check=False)
    # systemd before 254 does not know that key, says so, and goes on.
    complaints = [line for line in checked.stderr.splitlines()
                  if "landfall" in line and "Unknown key 'DelegateSubgroup'" not in line
                  and "Unknown key name 'DelegateSubgroup'" not in line]
    assert checked.returncode == 0 and not complaints, checked.stderr


def test_the_packaged_configuration_is_one():
    shown = run("config", "--config", ROOT / "packaging/landfall.toml").stdout
    assert "/var/lib/landfall" in shown
    assert "--config /etc/landfall/landfall.toml" in UNIT.read_text()


def test_systemd_is_told_when_the_server_is_ready_and_when_it_stops(tmp_path):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(20)
    server = Server(tmp_path / "data", "open", "dummy")
    server.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    server.start()
    assert heard.recv(100) == b"READY=1"
    # It told so when it listened, not before.
    assert server.get("/healthz") == (200, "ok\n")
    assert server.stop() == 0
    assert heard.recv(100) == b"STOPPING=1"


def test_builds_run_where_the_unit_shuts_the_server_in(tmp_path):
    # As ProtectSystem=full, ProtectHome=read-only and StateDirectory do it: the server's own view of the machine is
    # read-only, but for its data.
    data = tmp_path / "data"
    data.mkdir()
    shut = (
        "for place in /usr /etc /boot /home /root; do mount --bind $place $place && mount -o remount,bind,ro $place || exit 1; done;"
        'mount --bind "$0" "$0" && mount -o remount,bind,rw "$0" && exec "$@"'
    )
    server = Server(data, "open", "sandbox", "--image-map", "aws/codebuild/*=host")
    server.command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", shut, str(data), *server.command]
    server.start()
    try:
        codebuild = server.client("codebuild")
        pipelines.project(server, "shut-in", source={"type": "NO_SOURCE", "buildspec": SPEC}, artifacts={"type": "NO_ARTIFACTS"})
        build = codebuild.start_build(projectName="shut-in")["build"]["id"]
        followed = run("logs", "-f", "--build", build, "--data-dir", server.data_dir)
        assert "SUCCEEDED" in followed.stderr and "made" in followed.stdout, followed.stdout
    finally:
        server.stop()
