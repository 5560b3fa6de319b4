"""CloudWatch Logs through boto3."""

import threading
import time
import uuid

import pytest
from botocore.exceptions import ClientError

import pipelines
from conftest import ACCOUNT, REGION, eventually


@pytest.fixture
def logs(client):
    return client("logs")


def put(logs, group: str, stream: str, *messages: str) -> None:
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": text} for text in messages]
    )


def messages(reply: dict) -> list[str]:
    return [event["message"] for event in reply["events"]]


def test_a_stream_is_followed(logs):
    logs.create_log_group(logGroupName="/follow")
    logs.create_log_stream(logGroupName="/follow", logStreamName="s")
    place = {"logGroupName": "/follow", "logStreamName": "s"}
    seen, token = [], {"startFromHead": True}
    for number in range(5):
        put(logs, "/follow", "s", f"{number} a", f"{number} b")
        reply = logs.get_log_events(**place, **token)
        token = {"nextToken": reply["nextForwardToken"]}
        seen += messages(reply)
    assert seen == [f"{number} {letter}" for number in range(5) for letter in "ab"]
    again = logs.get_log_events(**place, **token)
    assert (again["events"], again["nextForwardToken"]) == ([], token["nextToken"])
    assert messages(logs.get_log_events(**place, limit=2)) == ["4 a", "4 b"]


def test_groups_and_streams_are_described_and_deleted(logs):
    logs.create_log_group(logGroupName="/describe/a")
    logs.create_log_stream(logGroupName="/describe/a", logStreamName="x/1")
    put(logs, "/describe/a", "x/1", "hello")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/describe/")["logGroups"]
    assert group["arn"].endswith(":log-group:/describe/a:*")
    (stream,) = logs.describe_log_streams(logGroupName="/describe/a", orderBy="LastEventTime")["logStreams"]
    assert stream["logStreamName"] == "x/1" and stream["lastEventTimestamp"] > 0
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/describe/a")
    logs.delete_log_stream(logGroupName="/describe/a", logStreamName="x/1")
    assert logs.describe_log_streams(logGroupName="/describe/a")["logStreams"] == []
    logs.delete_log_group(logGroupName="/describe/a")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/describe/a", logStreamName="x/1")


def test_a_group_is_filtered_page_by_page(logs):
    logs.create_log_group(logGroupName="/filter")
    for stream in "ab":
        logs.create_log_stream(logGroupName="/filter", logStreamName=stream)
    for number in range(30):
        put(logs, "/filter", "ab"[number % 2], f"{number} {'ERROR' if number % 3 == 0 else 'ok'}")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/filter", PaginationConfig={"PageSize": 7})
    events = [event for page in pages for event in page["events"]]
    assert len(events) == 30 == len({event["eventId"] for event in events})
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    found = logs.filter_log_events(logGroupName="/filter", filterPattern="ERROR", logStreamNamePrefix="a")
    assert messages(found) == [f"{number} ERROR" for number in (0, 6, 12, 18, 24)]


@pytest.fixture
def stream(logs) -> dict[str, str]:
    """An empty stream of its own."""
    place = {"logGroupName": f"/own/{uuid.uuid4().hex}", "logStreamName": "s"}
    logs.create_log_group(logGroupName=place["logGroupName"])
    logs.create_log_stream(**place)
    return place


def test_pages_go_back_to_the_first_event_and_forward_again(logs, stream):
    everything = [f"event {number}" for number in range(23)]
    put(logs, *stream.values(), *everything)
    page = logs.get_log_events(**stream, limit=5)
    newest = page["nextForwardToken"]
    pages = [messages(page)]
    while True:
        older = logs.get_log_events(**stream, limit=5, nextToken=page["nextBackwardToken"])
        if older["nextBackwardToken"] == page["nextBackwardToken"]:
            break
        pages, page = [messages(older), *pages], older
    assert [text for one in pages for text in one] == everything
    forward, token = messages(page), page["nextForwardToken"]
    while token != newest:
        page = logs.get_log_events(**stream, limit=5, nextToken=token)
        forward, token = forward + messages(page), page["nextForwardToken"]
    assert forward == everything
    put(logs, *stream.values(), "one more")
    assert messages(logs.get_log_events(**stream, nextToken=newest)) == ["one more"]


def test_time_ranges(logs, stream):
    start = int(time.time() * 1000) - 10_000
    logs.put_log_events(**stream, logEvents=[{"timestamp": start + 1000 * n, "message": str(n)} for n in range(10)])
    between = {"startTime": start + 3000, "endTime": start + 6000}
    assert messages(logs.get_log_events(**stream, **between, startFromHead=True)) == ["3", "4", "5"], "the end does not count"
    group = {"logGroupName": stream["logGroupName"]}
    found = logs.filter_log_events(**group, **between)["events"]
    assert [event["message"] for event in found] == ["3", "4", "5", "6"], "here it does"
    assert [event["timestamp"] for event in found] == [start + 1000 * n for n in (3, 4, 5, 6)]
    assert logs.filter_log_events(**group, startTime=start + 60_000)["events"] == []
    assert [event["message"] for event in logs.filter_log_events(**group, startTime=start + 8000)["events"]] == ["8", "9"]


@pytest.mark.parametrize("pattern, wanted", [
    ("", "all"), ("ERROR", [0, 2]), ("error", [1]), ("ERROR disk", [2]), ('"disk is full"', [2]), ("?WARN ?error", [1, 3]),
    ("-ERROR", [1, 3, 4]), ("ERROR -disk", [0]), ("ERROR ?WARN", [0, 2]), ('"exit status 3"', [3]), ("größe", [4]), ('"a \\"b\\""', [4]), ("absent", []),
])
def test_filter_patterns(logs, stream, pattern, wanted):
    lines = ["ERROR at start", "an error", "ERROR: disk is full", "WARN exit status 3", 'größe of a "b"']
    put(logs, *stream.values(), *lines)
    found = messages(logs.filter_log_events(logGroupName=stream["logGroupName"], filterPattern=pattern))
    assert found == (lines if wanted == "all" else [lines[number] for number in wanted])


@pytest.mark.parametrize("pattern, wanted", [
    ('{ $.level = "ERROR" }', [0, 2]), ("{ $.level = ERR* && $.code > 400 }", [2]), ("{ ($.code = 200) || ($.tags[0] = \"x\") }", [0, 1]),
    ("{ $.user.name = %^a% }", [1]), ("{ $.gone IS NULL }", [2]), ("{ $.level NOT EXISTS }", [1]), ("{ $.ok IS TRUE }", [1]),
    ("[ip, user, status = 4*, size > 100]", [4]), ("[..., size]", [0, 1, 2, 3, 4, 5]), ("[ip, user, status != 200, size]", [4]),
    ("%[45]\\d\\d %", [4]), ("%^10\\.%", [3, 4]), ("?404 ?plain", [4, 5]),
])
def test_patterns_for_json_columns_and_expressions(logs, stream, pattern, wanted):
    lines = [
        '{"level": "ERROR", "code": 300, "tags": ["x"]}', '{"code": 200, "user": {"name": "anna"}, "ok": true}',
        '{"level": "ERROR", "code": 500, "gone": null}', "10.0.0.1 - 200 99", "10.0.0.2 bob 404 1500", "plain text",
    ]
    put(logs, *stream.values(), *lines)
    found = messages(logs.filter_log_events(logGroupName=stream["logGroupName"], filterPattern=pattern))
    assert found == [lines[number] for number in wanted]


def test_patterns_that_cannot_be_read_are_refused(logs, stream):
    for pattern in ('"never closed', "{ $.level = }", "{ level = 1 }", "[ip, ", "%re", "%(a)%", "?", "{ $.a > x }"):
        with pytest.raises(ClientError) as caught:
            logs.filter_log_events(logGroupName=stream["logGroupName"], filterPattern=pattern)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException", pattern


def test_paging_beside_a_writer_loses_and_repeats_nothing(landfall, logs, stream):
    """Two streams grow while one reads, by both operations: some seconds, so that they meet often."""
    group = stream["logGroupName"]
    logs.create_log_stream(logGroupName=group, logStreamName="t")
    acknowledged: list[str] = []

    def write():
        writer = landfall.client("logs")
        for number in range(150):
            batch = [f"{number} {line}" for line in range(4)]
            put(writer, group, "st"[number % 2], *batch)
            acknowledged.extend(batch)

    writer = threading.Thread(target=write)
    writer.start()
    followed, token, rounds = [], {"startFromHead": True}, 0
    while True:
        last = not writer.is_alive()
        before = list(acknowledged)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 17})
        events = [event for page in pages for event in page["events"]]
        assert len({event["eventId"] for event in events}) == len(events), "none comes twice"
        assert set(before) <= {event["message"] for event in events}, "none is lost"
        page = logs.get_log_events(logGroupName=group, logStreamName="s", limit=13, **token)
        followed += messages(page)
        token, rounds = {"nextToken": page["nextForwardToken"]}, rounds + 1
        if last:
            break
    writer.join()
    while page["events"]:
        page = logs.get_log_events(logGroupName=group, logStreamName="s", **token)
        followed += messages(page)
        token = {"nextToken": page["nextForwardToken"]}
    assert len(events) == 600 and rounds > 1
    assert followed == [line for line in acknowledged if int(line.split()[0]) % 2 == 0]


def test_the_latest_come_first_where_that_is_asked(logs, stream):
    put(logs, *stream.values(), *(str(number) for number in range(10)))
    latest = {"logGroupName": stream["logGroupName"], "startTime": int(time.time() * 1000) - 60_000}
    first = logs.filter_log_events(**latest, startFromHead=False, limit=4)
    second = logs.filter_log_events(**latest, nextToken=first["nextToken"])
    assert messages(first) + messages(second) == [str(number) for number in reversed(range(10))]
    with pytest.raises(ClientError, match="2024-01-01"):
        logs.filter_log_events(logGroupName=stream["logGroupName"], startFromHead=False)


def test_groups_and_streams_by_arn(logs, stream):
    put(logs, *stream.values(), "hello")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{stream['logGroupName']}"
    for identifier in (arn, stream["logGroupName"]):
        assert messages(logs.get_log_events(logGroupIdentifier=identifier, logStreamName="s")) == ["hello"]
        assert messages(logs.filter_log_events(logGroupIdentifier=identifier)) == ["hello"]
        assert logs.describe_log_groups(logGroupIdentifiers=[identifier])["logGroups"][0]["storedBytes"] == 29
    for identifier, code in [
        (arn.replace(ACCOUNT, "1" * 12), "ResourceNotFoundException"), (arn.replace(REGION, "eu-west-1"), "ResourceNotFoundException"),
        (arn + ":log-stream:s", "InvalidParameterException"), (f"arn:aws:s3:::{'x' * 5}", "InvalidParameterException"),
    ]:
        with pytest.raises(ClientError) as caught:
            logs.get_log_events(logGroupIdentifier=identifier, logStreamName="s")
        assert caught.value.response["Error"]["Code"] == code, identifier


def test_large_events_and_many_of_them(logs, stream):
    large = "ü" * 100_000
    put(logs, *stream.values(), large)
    for _ in range(3):
        put(logs, *stream.values(), *(f"{number}" for number in range(9_000)))
    count, token = 0, {"startFromHead": True}
    while True:
        page = logs.get_log_events(**stream, **token)
        count += len(page["events"])
        if not page["events"]:
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert count == 27_001
    [first] = logs.get_log_events(**stream, startFromHead=True, limit=1)["events"]
    assert first["message"] == large and first["ingestionTime"] >= first["timestamp"]


def test_streams_by_prefix_and_by_their_last_event(logs, stream):
    group = stream["logGroupName"]
    now = int(time.time() * 1000)
    for place, name in enumerate(("b", "a", "ab")):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[{"timestamp": now + place, "message": name}])
    names = lambda **chosen: [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group, **chosen)["logStreams"]]
    assert names() == ["a", "ab", "b", "s"] and names(logStreamNamePrefix="a") == ["a", "ab"]
    assert names(orderBy="LastEventTime", descending=True)[:3] == ["ab", "a", "b"]
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, PaginationConfig={"PageSize": 3})
    assert [one["logStreamName"] for page in pages for one in page["logStreams"]] == ["a", "ab", "b", "s"]
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName="a")


def test_a_build_is_read_while_it_writes(landfall, logs):
    spec = "version: 0.2\nphases: {build: {commands: ['for i in $(seq 1 8); do echo tick $i; sleep 0.25; done']}}\n"
    pipelines.project(landfall, "ticking", source={"type": "NO_SOURCE", "buildspec": spec}, artifacts={"type": "NO_ARTIFACTS"})
    codebuild = landfall.client("codebuild")
    build = codebuild.start_build(projectName="ticking")["build"]["id"]
    look = lambda: codebuild.batch_get_builds(ids=[build])["builds"][0]
    place = eventually(lambda: look().get("logs", {}).get("streamName"), 30, "the stream")
    seen, token, while_running = [], {"startFromHead": True}, set()

    def follow():
        """Reads on; true when the build has ended and nothing more comes."""
        nonlocal token
        ended = look()["buildComplete"]
        page = logs.get_log_events(logGroupName="/aws/codebuild/ticking", logStreamName=place, **token)
        token = {"nextToken": page["nextForwardToken"]}
        seen.extend(messages(page))
        if not ended:
            while_running.add(len(seen))
        return ended and not page["events"]

    eventually(lambda: exists(logs, place), 30, "the stream's first event")
    eventually(follow, 60, "the end of the build")
    assert [line for line in seen if line.startswith("tick")] == [f"tick {number}\n" for number in range(1, 9)]
    assert len(while_running) > 3, "it was followed, not read at its end"


def exists(logs, stream: str) -> bool:
    groups = logs.describe_log_groups(logGroupNamePrefix="/aws/codebuild/ticking")["logGroups"]
    return bool(groups) and bool(logs.describe_log_streams(
        logGroupName="/aws/codebuild/ticking", logStreamNamePrefix=stream)["logStreams"])


def test_what_is_wrong_is_said(logs):
    logs.create_log_group(logGroupName="/wrong")
    logs.create_log_stream(logGroupName="/wrong", logStreamName="s")
    place = {"logGroupName": "/wrong", "logStreamName": "s"}
    now = int(time.time() * 1000)
    late = logs.put_log_events(**place, logEvents=[{"timestamp": now + 3 * 3_600_000, "message": "from the future"}])
    assert late["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    for call, parameters in [
        (logs.put_log_events, {**place, "logEvents": [{"timestamp": now, "message": "x" * 262_145}]}),
        (logs.put_log_events, {**place, "logEvents": [{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]}),
        (logs.get_log_events, {**place, "nextToken": "f/0"}),
        (logs.create_log_group, {"logGroupName": "no spaces"}),
    ]:
        with pytest.raises(ClientError) as error:
            call(**parameters)
        assert error.value.response["Error"]["Code"] == "InvalidParameterException", parameters
    assert logs.get_log_events(**place)["events"] == []


def test_events_outlive_kill_minus_9(servers):
    server = servers("open", "dummy")
    logs = server.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    for number in range(20):
        put(logs, "g", "s", str(number))
    server.kill()
    server.start()
    reply = server.client("logs").get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
    assert messages(reply) == [str(number) for number in range(20)]
