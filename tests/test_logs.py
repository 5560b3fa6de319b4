"""CloudWatch Logs through boto3."""

import time

import pytest
from botocore.exceptions import ClientError


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
