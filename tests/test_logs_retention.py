"""Retention, tags, protection and policies of log groups through boto3, and death while events are removed."""

import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import REGION, eventually

DAY = 86_400_000


@pytest.fixture
def logs(client):
    return client("logs")


@pytest.fixture
def group(logs) -> str:
    name = f"/keep/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def put(logs, group: str, timestamp: int, *messages: str) -> dict:
    events = [{"timestamp": timestamp, "message": text} for text in messages]
    return logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def read(logs, group: str) -> list[str]:
    """All events, by both ways of reading."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    filtered = [event["message"] for page in pages for event in page["events"]]
    got, token = [], {"startFromHead": True}
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName="s", **token)
        got += [event["message"] for event in page["events"]]
        if token.get("nextToken") == page["nextForwardToken"]:
            assert sorted(got) == sorted(filtered)
            return got
        token = {"nextToken": page["nextForwardToken"]}


def described(logs, group: str) -> dict:
    return logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]


def old_and_new(logs, group: str) -> None:
    """Several segments that are five days old, and one event of now."""
    now = int(time.time() * 1000)
    for _ in range(6):
        put(logs, group, now - 5 * DAY, *["x" * 250_000] * 4)
    put(logs, group, now, "new")


def code_of(call, **parameters) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_what_is_past_its_time_is_not_seen_and_goes(logs, group):
    """Some seconds: it takes megabytes to fill a segment."""
    old_and_new(logs, group)
    assert len(read(logs, group)) == 25
    before = described(logs, group)
    assert before["storedBytes"] > 6_000_000 and "retentionInDays" not in before
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert read(logs, group) == ["new"]
    assert described(logs, group)["retentionInDays"] == 1
    # The last segment holds the new event beside old ones: it stays.
    eventually(lambda: described(logs, group)["storedBytes"] < 3_000_000, 10, "the removal of old segments")
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["firstEventTimestamp"] == stream["lastEventTimestamp"] > time.time() * 1000 - DAY
    reply = put(logs, group, int(time.time() * 1000) - 2 * DAY, "expired")
    assert reply["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in described(logs, group)


def test_only_some_days_can_be_chosen(logs, group):
    for days in (-1, 0, 2, 8, 3654):
        assert code_of(logs.put_retention_policy, logGroupName=group, retentionInDays=days) == "InvalidParameterException"
    assert code_of(logs.put_retention_policy, logGroupName="/none", retentionInDays=1) == "ResourceNotFoundException"
    assert code_of(logs.delete_retention_policy, logGroupName="/none") == "ResourceNotFoundException"


def test_tags_by_arn_and_by_name(logs):
    name = f"/tags/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name, tags={"team": "a"})
    arn = described(logs, name)["logGroupArn"]
    assert arn == f"arn:aws:logs:{REGION}:000000000000:log-group:{name}"
    logs.tag_resource(resourceArn=arn, tags={"env": "test", "team": "b"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"env": "test", "team": "b"}
    logs.tag_log_group(logGroupName=name, tags={"more": "c"})
    logs.untag_resource(resourceArn=arn, tagKeys=["env", "absent"])
    logs.untag_log_group(logGroupName=name, tags=["team"])
    assert logs.list_tags_log_group(logGroupName=name)["tags"] == {"more": "c"}
    listed = logs.list_log_groups(logGroupTags=[{"key": "more", "values": ["c"]}], logGroupNamePattern="^/tags")
    assert [one["logGroupName"] for one in listed["logGroups"]] == [name]
    too_many = {str(number): "" for number in range(50)}
    assert code_of(logs.tag_resource, resourceArn=arn, tags=too_many) == "TooManyTagsException"
    assert code_of(logs.tag_resource, resourceArn=arn, tags={"aws:x": ""}) == "InvalidParameterException"
    assert code_of(logs.create_log_group, logGroupName="/tags/bad", tags={"aws:x": ""}) == "InvalidParameterException"


def test_a_protected_group_stays(logs):
    name = f"/protected/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name, deletionProtectionEnabled=True)
    assert described(logs, name)["deletionProtectionEnabled"] is True
    assert code_of(logs.delete_log_group, logGroupName=name) == "ValidationException"
    logs.put_log_group_deletion_protection(logGroupIdentifier=name, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=name)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []


def test_resource_policies_are_kept(logs):
    document = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}]})
    put = logs.put_resource_policy(policyName="events", policyDocument=document)["resourcePolicy"]
    assert (put["policyName"], put["policyDocument"]) == ("events", document)
    assert put in logs.describe_resource_policies()["resourcePolicies"]
    logs.delete_resource_policy(policyName="events")
    assert put not in logs.describe_resource_policies()["resourcePolicies"]
    assert code_of(logs.delete_resource_policy, policyName="events") == "ResourceNotFoundException"
    assert code_of(logs.put_resource_policy, policyName="bad", policyDocument="{") == "InvalidParameterException"


def test_what_is_not_served_is_refused_by_name(logs, group):
    with pytest.raises(ClientError, match="kmsKeyId"):
        logs.create_log_group(logGroupName="/kms", kmsKeyId=f"arn:aws:kms:{REGION}:000000000000:key/k")
    for call, parameters in [
        (logs.associate_kms_key, {"logGroupName": group, "kmsKeyId": "k"}),
        (logs.put_metric_filter, {"logGroupName": group, "filterName": "f", "filterPattern": "", "metricTransformations": [
            {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]}),
        (logs.put_subscription_filter, {"logGroupName": group, "filterName": "f", "filterPattern": "", "destinationArn": "arn:aws:x"}),
    ]:
        assert code_of(call, **parameters) == "NotImplementedException"


@pytest.mark.parametrize("point", ["logs_before_expiry", "logs_after_expired_segment", "logs_after_expired_segment@2"])
def test_death_while_old_events_are_removed(servers, point):
    """Some seconds: three starts, and megabytes to fill segments."""
    server = servers("open", "dummy", environment={"LANDFALL_CRASH_POINT": point})
    logs = server.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time() * 1000)
    for _ in range(11):
        put(logs, "g", now - 5 * DAY, *["x" * 250_000] * 4)
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    server.process.wait(timeout=20)
    assert f"crash point {point.split('@')[0]} reached" in server.log.read_text()
    server.environment = {}
    server.start()
    logs = server.client("logs")
    assert read(logs, "g") == []
    put(logs, "g", now, "new")
    eventually(lambda: described(logs, "g")["storedBytes"] < 100, 10, "the removal of all old segments")
    assert read(logs, "g") == ["new"]
    # Once more over a restart: the place of what is gone is kept.
    server.stop()
    server.start()
    logs = server.client("logs")
    put(logs, "g", now, "newer")
    assert read(logs, "g") == ["new", "newer"]


def test_acknowledged_events_outlive_deaths_between_puts(servers):
    """At each death the server has one put on its way, whose client does not know: it is there whole, or not at all."""
    server = servers("open", "dummy")
    logs = server.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    acknowledged = []
    for point in ("logs_before_sync@3", "logs_after_sync@2", "logs_before_sync@1"):
        server.stop()
        server.environment = {"LANDFALL_CRASH_POINT": point}
        server.start()
        logs = server.client("logs")
        for number in range(5):
            batch = [f"{point} {number} {line}" for line in range(50)]
            try:
                put(logs, "g", int(time.time() * 1000), *batch)
            except Exception:
                break
            acknowledged += batch
        else:
            raise AssertionError(f"{point} was never reached")
        server.process.wait(timeout=10)
        server.environment = {}
        server.start()
        logs = server.client("logs")
        found = read(logs, "g")
        assert found[:len(acknowledged)] == acknowledged
        assert found[len(acknowledged):] in ([], batch)
        acknowledged = found
