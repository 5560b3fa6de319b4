"""Settings of buckets, with unmodified boto3: put, read back, deleted, and refused where they cannot be honoured."""

import contextlib
import json

import pytest
from botocore.exceptions import BotoCoreError

from buckets import new_bucket, refused
from conftest import eventually


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


CORS = {
    "CORSRules": [
        {
            "ID": "web",
            "AllowedOrigins": ["https://*.example.org"],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 300,
        }
    ]
}
KMS = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/a"},
            "BucketKeyEnabled": True,
        }
    ]
}
LIFECYCLE = {
    "Rules": [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
            "Expiration": {"Days": 30},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3},
        },
        {
            "ID": "uploads",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
}
BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}

# The operations, the member that carries the setting, the setting, and what a bucket without it answers.
SETTINGS = {
    "cors": (
        ("put_bucket_cors", "get_bucket_cors", "delete_bucket_cors"),
        "CORSConfiguration", CORS, "NoSuchCORSConfiguration",
    ),
    "encryption": (
        ("put_bucket_encryption", "get_bucket_encryption", "delete_bucket_encryption"),
        "ServerSideEncryptionConfiguration", KMS, None,
    ),
    "lifecycle": (
        ("put_bucket_lifecycle_configuration", "get_bucket_lifecycle_configuration", "delete_bucket_lifecycle"),
        "LifecycleConfiguration", LIFECYCLE, "NoSuchLifecycleConfiguration",
    ),
    "ownership": (
        ("put_bucket_ownership_controls", "get_bucket_ownership_controls", "delete_bucket_ownership_controls"),
        "OwnershipControls", {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}, "OwnershipControlsNotFoundError",
    ),
    "public access": (
        ("put_public_access_block", "get_public_access_block", "delete_public_access_block"),
        "PublicAccessBlockConfiguration", BLOCK, "NoSuchPublicAccessBlockConfiguration",
    ),
    "tags": (
        ("put_bucket_tagging", "get_bucket_tagging", "delete_bucket_tagging"),
        "Tagging", {"TagSet": [{"Key": "team", "Value": "core"}]}, "NoSuchTagSet",
    ),
}


@pytest.mark.parametrize("operations, member, setting, missing", SETTINGS.values(), ids=SETTINGS)
def test_a_setting_is_kept_and_deleted(s3, bucket, operations, member, setting, missing):
    put, get, delete = (getattr(s3, operation) for operation in operations)
    before = get(Bucket=bucket) if missing is None else None
    put(Bucket=bucket, **{member: setting})
    found = get(Bucket=bucket)
    found.pop("ResponseMetadata")
    # Some answers carry the setting whole, some its members.
    assert found.get(member, found) == setting
    delete(Bucket=bucket)
    if missing:
        assert refused(get, Bucket=bucket) == (missing, 404)
    else:
        assert get(Bucket=bucket)[member] == before[member]
    delete(Bucket=bucket)


def test_a_new_bucket_is_as_aws_makes_it(s3, bucket):
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert not [name for name in told if name.endswith("Configurations")]
    for call, code in [
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_policy_status, "NoSuchBucketPolicy"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ]:
        assert refused(call, Bucket=bucket) == (code, 404)
    s3.delete_bucket_website(Bucket=bucket)
    owned = new_bucket(s3, ObjectOwnership="ObjectWriter")
    assert s3.get_bucket_ownership_controls(Bucket=owned)["OwnershipControls"]["Rules"][0] == {
        "ObjectOwnership": "ObjectWriter"
    }


def policy(bucket: str, **changes) -> str:
    statement = {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changes}]})


def test_policies(s3, bucket):
    public, narrow = policy(bucket), policy(bucket, Principal={"AWS": "arn:aws:iam::111111111111:root"})
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=public) == ("AccessDenied", 403)
    s3.put_bucket_policy(Bucket=bucket, Policy=narrow)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == narrow
    assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    for bad in ["", "{}", "not json", policy("another-bucket"), policy(bucket, Effect="Perhaps")]:
        assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=bad)[1] == 400, bad
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy="{") == ("MalformedPolicy", 400)
    large = policy(bucket, Sid="s" * 21_000)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=large) == ("PolicyTooLarge", 400)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == public
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


def test_notifications(s3, bucket):
    queue = {
        "Id": "q",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}},
    }
    topic = {"Id": "t", "TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Events": ["s3:ObjectRemoved:Delete"]}
    everything = {
        "EventBridgeConfiguration": {},
        "QueueConfigurations": [queue],
        "TopicConfigurations": [topic],
        "LambdaFunctionConfigurations": [
            {
                "Id": "f",
                "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "Events": ["s3:ObjectTagging:*"],
            }
        ],
    }
    put = s3.put_bucket_notification_configuration
    # Nobody answers at the other end yet: as AWS says of a queue that is not there.
    assert refused(put, Bucket=bucket, NotificationConfiguration=everything) == ("InvalidArgument", 400)
    put(Bucket=bucket, NotificationConfiguration=everything, SkipDestinationValidation=True)
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    assert found == everything
    for bad in [
        {"QueueConfigurations": [{**queue, "Events": ["s3:Nothing:*"]}]},
        {"QueueConfigurations": [{**queue, "QueueArn": topic["TopicArn"]}]},
        {"QueueConfigurations": [queue, queue]},
    ]:
        arguments = {"Bucket": bucket, "NotificationConfiguration": bad, "SkipDestinationValidation": True}
        assert refused(put, **arguments) == ("InvalidArgument", 400), bad
    put(Bucket=bucket, NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_access_control_lists_say_that_the_owner_has_everything(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    everything = s3.get_bucket_acl(Bucket=bucket)
    assert [grant["Permission"] for grant in everything["Grants"]] == ["FULL_CONTROL"]
    assert everything["Grants"][0]["Grantee"]["ID"] == everything["Owner"]["ID"] == "000000000000"
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"] == everything["Grants"]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    whole = {"Grants": everything["Grants"], "Owner": everything["Owner"]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=whole)
    unsupported = ("AccessControlListNotSupported", 400)
    assert refused(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == unsupported
    assert refused(s3.put_object_acl, Bucket=bucket, Key="k", ACL="public-read") == unsupported
    assert refused(s3.put_object_acl, Bucket=bucket, Key="k", GrantRead="id=1") == unsupported
    assert refused(s3.put_object_acl, Bucket=bucket, Key="none", ACL="private") == ("NoSuchKey", 404)
    assert refused(s3.get_object_acl, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


def test_what_cannot_be_honoured_is_refused_by_name(s3, bucket):
    logging = {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "logs/"}}
    assert refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=logging) == ("NotImplemented", 501)
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    pay = s3.put_bucket_request_payment
    assert refused(pay, Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"}) == ("NotImplemented", 501)
    pay(Bucket=bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    accelerate = s3.put_bucket_accelerate_configuration
    enabled = {"Bucket": bucket, "AccelerateConfiguration": {"Status": "Enabled"}}
    assert refused(accelerate, **enabled) == ("NotImplemented", 501)
    accelerate(Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"})
    moving = {"ID": "m", "Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    arguments = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [moving]}}
    assert refused(s3.put_bucket_lifecycle_configuration, **arguments) == ("NotImplemented", 501)


@pytest.mark.parametrize(
    "rule, code",
    [
        ({}, "InvalidRequest"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": -1}}, "InvalidArgument"),
        ({"Expiration": {"Date": "2020-01-01T05:00:00Z"}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "Date": "2020-01-01T00:00:00Z"}}, "MalformedXML"),
        ({"Expiration": {"Days": 1}, "Prefix": "both"}, "MalformedXML"),
        ({"Expiration": {"Days": 1}, "Status": "Sometimes"}, "MalformedXML"),
    ],
)
def test_lifecycle_rules_that_make_no_sense(s3, bucket, rule, code):
    rules = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]}
    put = s3.put_bucket_lifecycle_configuration
    assert refused(put, Bucket=bucket, LifecycleConfiguration=rules) == (code, 400)


def test_lifecycle_rules_are_carried_out(s3, bucket, eventually_listed):
    """A date that is past, and a marker that hides nothing: both need no waiting for midnight."""
    for key in ["logs/a", "logs/b", "kept"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging="old=yes")
    gone = {"ID": "gone", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [gone]})
    eventually_listed(bucket, ["kept"])
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    tagged = {**gone, "Filter": {"Tag": {"Key": "old", "Value": "yes"}}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [tagged]})
    eventually_listed(bucket, [])
    # The version that was hidden is still there: it became noncurrent only now.
    assert [one["Key"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["kept"]


@pytest.fixture
def eventually_listed(s3):
    def check(bucket: str, keys: list[str]):
        def listed():
            return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])] == keys

        eventually(listed, 20, f"the list of keys {keys}")

    return check


def test_a_death_in_the_middle_of_a_walk_hides_each_object_once(servers):
    server = servers("open", "dummy", environment={"LANDFALL_CRASH_POINT": "s3_lifecycle_page"})
    s3 = server.client("s3")
    bucket = new_bucket(s3)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    gone = {"ID": "gone", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}
    # The server may die before it has answered.
    with contextlib.suppress(BotoCoreError):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [gone]})
    server.process.wait(timeout=20)
    server.environment = {}
    s3 = server.start().client("s3")
    eventually(lambda: "Contents" not in s3.list_objects_v2(Bucket=bucket), 20, "an empty listing")
    versions = s3.list_object_versions(Bucket=bucket)
    assert [one["Key"] for one in versions["DeleteMarkers"]] == [one["Key"] for one in versions["Versions"]] == list("abc")


def test_settings_survive_a_kill(servers):
    server = servers("open", "dummy")
    bucket = new_bucket(server.client("s3"))
    server.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    server.kill()
    server.start()
    assert server.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
