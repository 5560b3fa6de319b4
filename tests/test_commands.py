"""The commands of the first hour: env, status, doctor, pipeline, logs."""

import json
import os
import pathlib
import pty
import re
import signal
import stat
import subprocess
import sys

import pytest

import pipelines
from commands import CLEAN, on, run, start
from conftest import LANDFALL, REGION, commit_and_push, eventually, working_copy
from test_logs import put

AWS = pathlib.Path(sys.executable).parent / "aws"
BUILDSPEC = """version: 0.2
phases: {build: {commands: ['for n in 1 2 3; do echo "line $n"; sleep 0.1; done', 'sh test.sh']}}
artifacts: {files: ['**/*']}
"""


def test_the_server_leaves_word_how_it_is_reached(servers):
    server = servers("enforce", "dummy")
    path = server.data_dir / "server.json"
    left = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (left["url"], left["pid"], left["auth"]) == (server.endpoint, server.process.pid, "enforce")
    # At once: whoever knows of the server can stop it.
    assert server.stop() == 0
    assert not path.exists()
    gone = run("status", *on(server), check=False)
    assert gone.returncode == 1 and "no server runs on" in gone.stderr and "landfall serve" in gone.stderr


def test_a_killed_server_is_not_taken_for_a_running_one(servers):
    server = servers("enforce", "dummy")
    server.kill()
    gone = run("status", *on(server), check=False)
    assert gone.returncode == 1 and "no longer runs" in gone.stderr
    server.start()
    assert run("status", *on(server)).stdout.startswith("server ")
    server.stop()


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_env_makes_any_client_speak_to_the_server(enforcing, shell):
    exports = run("env", *on(enforcing)).stdout
    script = 'eval "$EXPORTS"; exec python3 -c "import os, json; print(json.dumps(dict(os.environ)))"'
    shown = subprocess.run([shell, "-c", script], env={**CLEAN, "EXPORTS": exports}, capture_output=True, text=True, check=True)
    exported = json.loads(shown.stdout)
    assert (exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"]) == enforcing.root_key()
    assert exported["AWS_ENDPOINT_URL"] == enforcing.endpoint
    assert exported["AWS_REGION"] == exported["AWS_DEFAULT_REGION"] == REGION
    # With it, commands find the server without its folder.
    named = {name: value for name, value in exported.items() if name.startswith("AWS_")}
    assert run("status", cwd="/", **named).stdout.startswith(f"server       {enforcing.endpoint}, version ")
    assert json.loads(run("env", "--json", *on(enforcing)).stdout)["AWS_ENDPOINT_URL"] == enforcing.endpoint
    assert run("env", "--shell", "fish", *on(enforcing)).stdout.startswith(f"set -gx AWS_ENDPOINT_URL '{enforcing.endpoint}'\n")


def test_under_tls_the_commands_and_aws_trust_the_servers_own_authority(servers):
    server = servers("enforce", "dummy", "--tls")
    exports = json.loads(run("env", "--json", *on(server)).stdout)
    assert exports["AWS_ENDPOINT_URL"].startswith("https://")
    assert exports["AWS_CA_BUNDLE"] == exports["GIT_SSL_CAINFO"] == str(server.data_dir / "tls/ca.pem")
    assert run("status", *on(server)).stdout.startswith("server       https://")
    assert run("status", cwd="/", **exports).returncode == 0
    stranger = {**exports, "AWS_CA_BUNDLE": ""}
    refused = run("status", cwd="/", check=False, **stranger)
    assert refused.returncode == 1 and "AWS_CA_BUNDLE" in refused.stderr, refused.stderr
    asked = subprocess.run([str(AWS), "sts", "get-caller-identity"], env={**CLEAN, **exports}, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0 and ":root" in asked.stdout, asked.stderr
    server.stop()


def test_who_finds_no_server_learns_the_next_step(tmp_path):
    for arguments, sentence in [
        (["status"], "start it with `landfall serve`"),
        (["env"], "start it with `landfall serve`"),
        (["status", "--endpoint-url", "http://127.0.0.1:9"], "AWS_ACCESS_KEY_ID"),
        (["pipeline", "list", "--endpoint-url", "http://nowhere"], "AWS_ACCESS_KEY_ID"),
            (["status", "--endpoint-url", "nowhere"], "no server's URL"),
    ]:
        refused = run(*arguments, cwd=tmp_path, check=False)
        assert refused.returncode == 1 and sentence in refused.stderr, refused.stderr
    key = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    refused = run("status", "--endpoint-url", "http://127.0.0.1:9", cwd=tmp_path, check=False, **key)
    assert refused.returncode == 1 and "nothing answers at http://127.0.0.1:9" in refused.stderr


def test_a_wrong_key_is_the_users_to_mend(enforcing):
    key = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wrong"}
    refused = run("pipeline", "list", "--endpoint-url", enforcing.endpoint, check=False, **key)
    assert refused.returncode == 1 and "UnrecognizedClientException" in refused.stderr and "landfall env" in refused.stderr


def test_status_of_an_idle_server(servers):
    server = servers("open", "dummy")
    lines = run("status", *on(server)).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["server", "data", "pipelines", "builds", "deployments"]
    status = json.loads(run("status", "--json", *on(server)).stdout)
    assert (status["pipelines"], status["builds"], status["deployments"]) == ([], [], [])
    assert status["server"]["pid"] == server.process.pid and status["server"]["dataBytes"] > 0
    assert run("pipeline", "list", "--json", *on(server)).stdout == "[]\n"
    assert json.loads(run("logs", "--json", *on(server)).stdout) == []
    server.stop()


def test_doctor_names_what_it_looked_at():
    seen = run("doctor", "--json", "--listen", "127.0.0.1:0", check=False)
    findings = {finding["name"]: finding for finding in json.loads(seen.stdout)}
    assert {"kernel", "cgroups", "user namespaces", "overlayfs", "OCI runtime", "git", "network", "disk"} <= findings.keys()
    assert findings["git"]["level"] == "ok" and re.match(r"\d+\.\d+", findings["git"]["says"])
    failed = any(finding["level"] == "fail" for finding in findings.values())
    assert seen.returncode == (1 if failed else 0)
    for finding in findings.values():
        assert (finding["fix"] is None) == (finding["level"] == "ok"), finding


def test_doctor_tells_its_own_server_from_a_stranger(enforcing, tmp_path):
    address = enforcing.endpoint.removeprefix("http://")
    def port(folder):
        findings = json.loads(run("doctor", "--json", "--listen", address, "--data-dir", folder, check=False).stdout)
        return next(finding for finding in findings if finding["name"] == "port")
    assert port(enforcing.data_dir)["level"] == "ok"
    assert port(tmp_path)["level"] == "fail" and "--listen" in port(tmp_path)["fix"]


def test_doctor_tries_a_container_and_leaves_nothing(tmp_path):
    folder = tmp_path / "data"
    seen = run("doctor", "--json", "--listen", "127.0.0.1:0", "--data-dir", folder, check=False)
    findings = {finding["name"]: finding for finding in json.loads(seen.stdout)}
    assert findings["sandbox"]["level"] == "ok" and "a container ran here in" in findings["sandbox"]["says"]
    assert re.search("builds reach other networks by (pasta|slirp4netns|veth)", findings["network"]["says"]), findings["network"]
    assert "landfall images build standard" in findings["images"]["says"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_doctor_finds_the_daemon(kind, tmp_path):
    socket = os.environ.get(f"LANDFALL_TEST_{kind.upper()}")
    if not socket:
        pytest.skip("there is no daemon: scripts/with-daemons makes some")
    seen = run("doctor", "--json", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data", check=False, DOCKER_HOST=socket)
    [daemon] = [finding for finding in json.loads(seen.stdout) if finding["name"] == "daemon"]
    assert re.match(rf"{kind} \d+\.\d+.* at {re.escape(socket)} \(API 1\.\d+\)", daemon["says"], re.IGNORECASE), daemon


def test_doctor_without_its_programs(tmp_path):
    # In a file system of its own where neither runc nor crun is found.
    hide = "for p in runc crun; do f=$(command -v $p) && mount --bind /dev/null $f; done; exec \"$0\" doctor --json --listen 127.0.0.1:0 \"$@\""
    seen = subprocess.run(["unshare", "--mount", "sh", "-c", hide, str(LANDFALL), "--data-dir", str(tmp_path / "data")],
                          env=CLEAN, capture_output=True, text=True, timeout=60, check=False)
    findings = {finding["name"]: finding for finding in json.loads(seen.stdout)}
    assert seen.returncode == 1, seen.stderr
    for name in ("OCI runtime", "sandbox"):
        assert findings[name]["level"] == "fail" and "runc" in findings[name]["fix"], findings[name]


@pytest.fixture(scope="module")
def app(landfall, tmp_path_factory):
    """A pipeline that builds; answers how to push a version."""
    name, folder = "watched", tmp_path_factory.mktemp("watched") / "work"
    landfall.client("codecommit").create_repository(repositoryName=name)
    files = {"buildspec.yml": BUILDSPEC, "test.sh": "true\n"}
    working_copy(folder, landfall.clone_url(name), files)
    pipelines.project(landfall, name)
    pipelines.create(landfall, name, [pipelines.source(name), pipelines.build(name)])
    return name, folder


def test_watch_follows_an_execution_and_exits_by_its_end(landfall, app):
    # Longer than 2 s: a build and a failing one.
    name, folder = app
    watched = run("pipeline", "watch", name, *on(landfall), check=False)
    assert watched.returncode == 0, run("logs", "--build", name, *on(landfall)).stdout
    lines = watched.stdout.splitlines()
    assert lines[0].startswith(f"{name}  ") and lines[-1] == f"✓ {name} Succeeded"
    assert any(line.startswith("✓ Build Build Succeeded") for line in lines), lines

    commit = commit_and_push(folder, {"test.sh": "false\n"})
    failed = run("pipeline", "watch", name, "--commit", commit, "--json", *on(landfall), check=False)
    assert failed.returncode == 1
    last = json.loads(failed.stdout.splitlines()[-1])
    assert last["status"] == "Failed"
    assert [action["status"] for action in last["actions"]] == ["Succeeded", "Failed"]
    again = run("pipeline", "watch", name, "--execution", last["execution"], *on(landfall), check=False)
    assert again.returncode == 1 and f"✗ {name} Failed" in again.stdout

    [listed] = [p for p in json.loads(run("pipeline", "list", "--json", *on(landfall)).stdout) if p["name"] == name]
    assert (listed["status"], listed["execution"]) == ("Failed", last["execution"])
    [shown] = [line for line in run("status", *on(landfall)).stdout.splitlines() if f" {name} " in line]
    assert "✓ Source" in shown and "✗ Build" in shown

    log = run("logs", "--build", name, *on(landfall))
    assert [line for line in log.stdout.splitlines() if line.startswith("line ")] == ["line 1", "line 2", "line 3"]
    assert "FAILED" in log.stderr


def test_on_a_terminal_a_watch_draws_over_itself(landfall, app):
    # Longer than 2 s: a build.
    name, _ = app
    landfall.client("codepipeline").start_pipeline_execution(name=name)
    ours, theirs = pty.openpty()
    command = [str(LANDFALL), "pipeline", "watch", name, *on(landfall)]
    watch = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=CLEAN)
    os.close(theirs)
    drawn = b""
    try:
        while data := os.read(ours, 65536):
            drawn += data
    except OSError:
        pass  # The terminal's other side is closed.
    assert watch.wait(timeout=60) in (0, 1)
    pictures = re.split(r"\x1b\[4A\r\x1b\[J", drawn.decode())
    assert len(pictures) > 1, drawn
    for picture in pictures:
        lines = picture.splitlines()
        assert lines[0].startswith(f"{name}  ") and "Source" in lines[2] and "Build" in lines[3], lines


def test_what_is_not_there_is_said_with_where_to_look(landfall):
    for arguments, sentence in [
        (["pipeline", "watch", "absent"], "there is no pipeline 'absent' in this region; `landfall pipeline list`"),
        (["logs", "/absent"], "there is no log group '/absent'; `landfall logs` lists"),
        (["logs", "-f", "/absent"], "there is no log group '/absent'"),
        (["logs", "--build", "absent"], "there is no project 'absent'"),
        (["logs", "--build", "absent:1"], "there is no build 'absent:1'"),
        (["logs", "/g", "--since", "yesterday"], "10m"),
    ]:
        refused = run(*arguments, *on(landfall), check=False)
        assert refused.returncode == 1 and sentence in refused.stderr, refused.stderr


def test_ctrl_c_ends_a_watch_and_not_the_execution(servers, tmp_path):
    server = servers("open", "dummy")
    server.client("codecommit").create_repository(repositoryName="idle")
    pipelines.project(server, "idle")
    pipelines.create(server, "idle", [pipelines.source("idle"), pipelines.build("idle")])
    pipelines.finished(server, "idle")
    out = tmp_path / "out"
    watch = start("pipeline", "watch", "idle", "--commit", "none", *on(server), out=out)
    eventually(lambda: b"waiting" in os.read(watch.stderr.fileno(), 200), 10, "the watch")
    watch.send_signal(signal.SIGINT)
    assert watch.wait(timeout=10) == 130
    server.stop()


def test_follow_shows_each_line_once_over_a_restart(servers, tmp_path):
    # Longer than 2 s: two servers, one after the other, and a follower that must find the second.
    server = servers("enforce", "dummy")
    logs = server.client("logs")
    logs.create_log_group(logGroupName="/followed")
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName="/followed", logStreamName=stream)
    put(server.client("logs"), "/followed", "a", "first")
    out = tmp_path / "out"
    follow = start("logs", "-f", "/followed", "--json", *on(server), out=out)
    def seen():
        return [(event["stream"], event["message"]) for event in map(json.loads, out.read_text().splitlines())]
    eventually(lambda: seen() == [("a", "first")], 10, "the first line")
    expected = {("a", "first")}
    for number in range(40):
        stream, message = "ab"[number % 2], f"line {number}"
        put(server.client("logs"), "/followed", stream, message)
        expected.add((stream, message))
        if number == 20:
            eventually(lambda: set(seen()) == expected, 10, "the lines before the restart")
            server.stop()
            server.start()
    eventually(lambda: set(seen()) == expected, 20, "the lines after the restart")
    assert len(seen()) == len(expected)
    follow.send_signal(signal.SIGINT)
    assert follow.wait(timeout=10) == 130
    once = run("logs", "/followed", "--json", *on(server)).stdout.splitlines()
    assert {(event["stream"], event["message"]) for event in map(json.loads, once)} == expected
    only = run("logs", "/followed", "--stream", "a", *on(server)).stdout.splitlines()
    assert set(only) == {message for stream, message in expected if stream == "a"}
    server.stop()


def test_a_reader_that_has_enough_is_no_error(landfall):
    shell = '"$0" config --example | head -1'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell, str(LANDFALL)], env=CLEAN,
                          capture_output=True, text=True, timeout=30, check=False)
    assert "panicked" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "elvish", "powershell"])
def test_completions_know_the_commands(shell):
    script = run("completions", shell).stdout
    assert "pipeline" in script and "data-dir" in script


def test_bash_takes_the_completions():
    script = run("completions", "bash").stdout
    words = 'COMP_WORDS=(landfall pipe); COMP_CWORD=1; _landfall landfall pipe landfall; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"{script}\n{words}"], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["pipeline"], done.stderr


def test_version_in_both_forms():
    version = json.loads(run("version", "--json").stdout)["version"]
    assert run("version").stdout == f"landfall {version}\n" == run("--version").stdout


def test_every_page_of_help_reads_well():
    # Every command, found by its own help; groups and examples on the first page.
    top = run("--help").stdout
    for part in ("Begin:", "Look:", "Care:", "About:", "Examples:", 'eval "$(landfall env)"'):
        assert part in top, part
    pages = [[]]
    for path in pages:
        page = run(*path, "--help").stdout
        assert max(len(line) for line in page.splitlines()) <= 100, path
        assert "Usage: landfall" in page
        if "Commands:" in page:
            block = page.split("Commands:\n")[1].split("\n\n")[0]
            pages += [[*path, line.split()[0]] for line in block.splitlines() if line.split()[0] != "help"]
        if not path:
            pages += [[name] for name in re.findall(r"^  ([a-z]+)  ", top.split("Options:")[0], re.M) if name != "help"]
    assert ["pipeline", "watch"] in pages and len(pages) > 10
