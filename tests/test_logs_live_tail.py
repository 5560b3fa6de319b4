"""StartLiveTail through boto3: event streams over HTTP."""

import socket
import threading
import time
import uuid

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from conftest import REGION, eventually
from test_logs import put


def tailing(server):
    """A client that keeps the server's name: by default it is given the prefix `stream-`."""
    return server.client("logs", inject_host_prefix=False)


@pytest.fixture
def logs(landfall):
    return tailing(landfall)


@pytest.fixture
def group(logs) -> str:
    name = f"/tail/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def arn(group: str) -> str:
    return f"arn:aws:logs:{REGION}:000000000000:log-group:{group}"


def begin(logs, *groups: str, **chosen):
    """The response stream behind its first event, which tells that the session has begun."""
    stream = logs.start_live_tail(logGroupIdentifiers=[arn(group) for group in groups], **chosen)["responseStream"]
    events = iter(stream)
    start = next(events)["sessionStart"]
    assert start["sessionId"] and start["logGroupIdentifiers"] == [arn(group) for group in groups]
    return stream, events


def collect(events, count: int) -> list[dict]:
    """Results until there are so many. A heartbeat each second keeps this from waiting for ever."""
    results, updates = [], 0
    while len(results) < count and updates < 60:
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        results += update["sessionResults"]
        updates += not update["sessionResults"]
    return results


def test_every_line_arrives_once_and_in_order_while_a_writer_writes(logs, group, landfall):
    stream, events = begin(logs, group)
    lines = [f"line {number}" for number in range(400)]

    def write():
        writer = landfall.client("logs")
        for start in range(0, len(lines), 5):
            put(writer, group, "s", *lines[start:start + 5])

    writer = threading.Thread(target=write)
    writer.start()
    seen = [result["message"] for result in collect(events, len(lines))]
    writer.join()
    assert seen == lines
    stream.close()


def test_a_result_says_where_it_is_from(logs, group):
    stream, events = begin(logs, group)
    put(logs, group, "s", "hello")
    [result] = collect(events, 1)
    assert (result["logStreamName"], result["logGroupIdentifier"], result["message"]) == ("s", arn(group), "hello")
    assert result["ingestionTime"] >= result["timestamp"] > 1_700_000_000_000
    stream.close()


def test_streams_patterns_and_several_groups(logs, group):
    other = group + "/other"
    logs.create_log_group(logGroupName=other)
    for name in ("build/1", "build/2"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    logs.create_log_stream(logGroupName=other, logStreamName="s")
    tails = {
        "names": (begin(logs, group, logStreamNames=["build/1"]), ["build/1 ok", "build/1 ERROR"]),
        "prefixes": (begin(logs, group, logStreamNamePrefixes=["build/"]),
                     ["build/1 ok", "build/1 ERROR", "build/2 ok", "build/2 ERROR"]),
        "pattern": (begin(logs, group, other, logEventFilterPattern="ERROR"),
                    ["s ERROR", "build/1 ERROR", "build/2 ERROR", "other ERROR"]),
    }
    for name in ("s", "build/1", "build/2"):
        put(logs, group, name, f"{name} ok", f"{name} ERROR")
    put(logs, other, "s", "other ok", "other ERROR")
    for (stream, events), wanted in tails.values():
        assert [result["message"] for result in collect(events, len(wanted))] == wanted
        stream.close()


def test_of_more_than_five_hundred_in_a_second_some_come_and_it_is_said(logs, group):
    stream, events = begin(logs, group)
    for start in range(0, 4_000, 1_000):
        put(logs, group, "s", *(f"line {number}" for number in range(start, start + 1_000)))
    updates = []
    eventually(lambda: updates.append(next(events)["sessionUpdate"]) or updates[-1]["sessionMetadata"]["sampled"], 10, "a sampled update")
    seen = [result["message"] for update in updates for result in update["sessionResults"]]
    assert len(seen) == len(set(seen)) and 1 <= len(seen) <= 1_500
    stream.close()


def test_what_cannot_be_followed_is_said(logs, group):
    for parameters, code in [
        ({"logGroupIdentifiers": [arn("/none")]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [arn(group).replace("000000000000", "111111111111")]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [arn(group)], "logEventFilterPattern": '"open'}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [arn(group)], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [arn(group)] * 11}, "InvalidParameterException"),
    ]:
        with pytest.raises(ClientError) as caught:
            logs.start_live_tail(**parameters)
        assert caught.value.response["Error"]["Code"] == code, parameters


def test_it_passes_the_same_gate(enforcing, logs):
    root = tailing(enforcing)
    root.create_log_group(logGroupName="/gate")
    iam = enforcing.client("iam")
    iam.create_user(UserName="onlooker")
    key = iam.create_access_key(UserName="onlooker")["AccessKey"]
    onlooker = enforcing.client("logs", key=(key["AccessKeyId"], key["SecretAccessKey"]), inject_host_prefix=False)
    with pytest.raises(ClientError) as caught:
        onlooker.start_live_tail(logGroupIdentifiers=[arn("/gate")])
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    policy = f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "logs:StartLiveTail", "Resource": "{arn("/gate")}"}}]}}'
    iam.put_user_policy(UserName="onlooker", PolicyName="tail", PolicyDocument=policy)
    stream, _ = begin(onlooker, "/gate")
    stream.close()


def test_clients_that_do_not_read_or_go_away_hold_nothing(servers):
    """Some seconds: it takes megabytes to fill the sockets of those who do not read."""
    server = servers("open", "dummy")
    logs = tailing(server)
    logs.create_log_group(logGroupName="/slow")
    logs.create_log_stream(logGroupName="/slow", logStreamName="s")
    slow = [begin(logs, "/slow") for _ in range(8)]
    for stream, _ in [begin(logs, "/slow") for _ in range(8)]:
        stream.close()
    before = memory(server)
    for number in range(20):
        put(logs, "/slow", "s", *(f"{number} {'x' * 1_000}" for _ in range(900)))
    # 18 MB were written. Eight who do not read have their sockets' buffers, and nobody else anything.
    assert memory(server) - before < 50_000_000
    came_back = slow[0][1]
    eventually(lambda: next(came_back)["sessionUpdate"]["sessionResults"], 10, "an update for who comes back")
    assert server.stop() == 0, "the stop ends sessions"


def memory(server) -> int:
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def test_the_servers_stop_ends_sessions_and_a_new_one_goes_on(servers):
    server = servers("open", "dummy")
    logs = tailing(server)
    logs.create_log_group(logGroupName="/stop")
    logs.create_log_stream(logGroupName="/stop", logStreamName="s")
    _, events = begin(logs, "/stop")
    put(logs, "/stop", "s", "one")
    assert [result["message"] for result in collect(events, 1)] == ["one"]
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 5
    assert all("sessionUpdate" in event for event in events), "the stream has an end"
    server.start()
    logs = tailing(server)
    _, events = begin(logs, "/stop")
    put(logs, "/stop", "s", "two")
    assert [result["message"] for result in collect(events, 1)] == ["two"]


def test_a_session_over_kill_minus_9(servers):
    server = servers("open", "dummy")
    logs = tailing(server)
    logs.create_log_group(logGroupName="/kill")
    logs.create_log_stream(logGroupName="/kill", logStreamName="s")
    _, events = begin(logs, "/kill")
    put(logs, "/kill", "s", "one")
    collect(events, 1)
    server.kill()
    with pytest.raises(Exception):
        # What breaks off is seen as that, not as an end.
        for _ in range(100):
            next(events)
    server.start()
    reply = tailing(server).get_log_events(logGroupName="/kill", logStreamName="s", startFromHead=True)
    assert [event["message"] for event in reply["events"]] == ["one"]


def test_the_prefixed_host_of_sdks_is_served(landfall, group, monkeypatch):
    """Clients by default call `stream-HOST`; here it leads to the same server, as a proxy or a hosts file would."""
    port = landfall.endpoint.rsplit(":", 1)[1]
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve(
        "127.0.0.1" if str(host).startswith("stream-") else host, *rest, **more))
    client = boto3.client(
        "logs", endpoint_url=f"http://localhost:{port}", region_name=REGION, aws_access_key_id="test",
        aws_secret_access_key="test", config=botocore.config.Config(retries={"max_attempts": 0}))
    stream, events = begin(client, group)
    put(client, group, "s", "by another name")
    assert [result["message"] for result in collect(events, 1)] == ["by another name"]
    stream.close()
