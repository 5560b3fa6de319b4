"""Networks of builds, over the whole server: identities are kept apart, and what does not work is said. The ways out by
themselves are tested in crates/engine/tests/network, on machines of the tests' own.
"""

import json
import os
import subprocess
import textwrap

import pipelines
from conftest import ACCOUNT, HOST_IMAGE, LANDFALL, Server, eventually

BUILDS = [f"tenant-{number}" for number in range(8)]

# Run by a Python that has boto3. A build goes on when all eight run.
SCRIPT = """
    import boto3, hashlib, json, os, sys, time, urllib.request
    place = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    def key():
        found = json.load(urllib.request.urlopen(place, timeout=10))["AccessKeyId"]
        return hashlib.sha256(found.encode()).hexdigest()  # the log masks the key itself
    first = key()
    s3 = boto3.client("s3")
    s3.put_object(Bucket="meeting", Key=sys.argv[1], Body=first.encode())
    end = time.monotonic() + 60
    while s3.list_objects_v2(Bucket="meeting")["KeyCount"] < 8:
        assert time.monotonic() < end, "the others did not come"
        time.sleep(0.1)
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    print("RESULT", json.dumps({"arn": arn, "keys": [first, key()]}))
"""


def start(server: Server, name: str, *commands: str) -> str:
    spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": list(commands)}}})
    pipelines.project(
        server, name, source={"type": "NO_SOURCE", "buildspec": spec}, artifacts={"type": "NO_ARTIFACTS"})
    return server.client("codebuild").start_build(projectName=name)["build"]["id"]


def log_of(server: Server, build: str) -> str:
    """The log of a build that must succeed."""
    def ended():
        [found] = server.client("codebuild").batch_get_builds(ids=[build])["builds"]
        return found["buildComplete"] and found

    found = eventually(ended, 120, f"the end of {build}")
    events = server.client("logs").get_log_events(
        logGroupName=found["logs"]["groupName"], logStreamName=found["logs"]["streamName"], startFromHead=True)["events"]
    log = "".join(event["message"] for event in events)
    assert found["buildStatus"] == "SUCCEEDED", log
    return log


def test_eight_builds_at_once_keep_eight_identities(servers):
    """The same addresses in each, and each its own role and credentials behind them. Eight Pythons with boto3 take seconds."""
    server = servers("enforce", "sandbox", "--trust-host-image", "--builds-at-once", "8", *HOST_IMAGE)
    server.client("s3").create_bucket(Bucket="meeting")
    script = textwrap.dedent(SCRIPT)
    started = {name: start(server, name, f"python - {name} <<'EOF'\n{script}EOF\n") for name in BUILDS}
    keys = []
    for name, build in started.items():
        [line] = [line for line in log_of(server, build).splitlines() if line.startswith("RESULT ")]
        result = json.loads(line.removeprefix("RESULT "))
        assert result["arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}-build/"), name
        keys.extend(set(result["keys"]))
    assert len(keys) == len(set(keys)) == 8, "each build has one key, which no other has"


def test_a_build_without_a_way_out_says_so_and_reaches_landfall(servers):
    server = servers("enforce", "sandbox", "--trust-host-image", "--build-network", "none", *HOST_IMAGE)
    log = log_of(server, start(server, "alone", "ls /sys/class/net", "aws sts get-caller-identity --query Arn"))
    assert "no way out" in log
    assert "\nlo\n" in log and "eth0" not in log
    assert "assumed-role/alone-build/" in log


def refused(tmp_path, way: str, *hidden: str) -> str:
    """What the server says that cannot start with a way whose programs are hidden, in a mount namespace of its own."""
    hide = "".join(f'mount --bind /dev/null "$(readlink -f "$(command -v {program})")" && ' for program in hidden)
    serve = [LANDFALL, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--auth", "open",
             "--engine", "sandbox", "--build-network", way]
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{hide} exec "$@"', "sh", *map(str, serve)], capture_output=True, text=True,
        timeout=60, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})
    assert result.returncode == 1, result
    return result.stderr


def test_a_way_that_cannot_work_is_refused_with_the_fix(tmp_path):
    assert "`apt-get install passt`" in refused(tmp_path, "pasta", "pasta")
    assert "`apt-get install slirp4netns`" in refused(tmp_path, "slirp4netns", "slirp4netns")
    assert "`apt-get install nftables`" in refused(tmp_path, "veth", "iptables-restore", "nft")
