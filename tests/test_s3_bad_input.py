"""Whatever is sent to S3, the answer is one of S3's own errors and never a failure of the server."""

import http.client
import json
import subprocess
import urllib.parse

import botocore
import botocore.session
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from buckets import new_bucket
from conftest import LANDFALL

MODEL = botocore.session.Session().get_service_model("s3")
counted = json.loads(subprocess.run([LANDFALL, "api", "coverage", "--json"], capture_output=True, check=True).stdout)
BUILT = counted["s3"]["built"]

# What an operation needs where a text will not do.
SAMPLES = {
    "Delete": {"Objects": [{"Key": "k"}]},
    "Tagging": {"TagSet": []},
    "CopySource": "there-is-no-such-bucket/other",
    "PartNumber": 1,
    "ObjectAttributes": ["ETag"],
    "VersioningConfiguration": {"Status": "Enabled"},
    "CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    "ServerSideEncryptionConfiguration": {
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
    "BucketLoggingStatus": {},
    "NotificationConfiguration": {},
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
    "PublicAccessBlockConfiguration": {},
    "RequestPaymentConfiguration": {"Payer": "BucketOwner"},
    "AccelerateConfiguration": {"Status": "Suspended"},
    "Policy": json.dumps({
        "Statement": {
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::there-is-no-such-bucket",
        }
    }),
    "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "e"}]},
}
# Members without which these operations say nothing, though the model does not require them.
MORE = {
    "PutBucketAcl": {"ACL": "private"},
    "PutObjectAcl": {"ACL": "private"},
    "CompleteMultipartUpload": {"MultipartUpload": SAMPLES["MultipartUpload"]},
    "PutBucketLifecycleConfiguration": {
        "LifecycleConfiguration": {
            "Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        }
    },
}


@pytest.fixture
def s3(client):
    return client("s3", parameter_validation=False)


@pytest.mark.parametrize("operation", [name for name in BUILT if name not in ("CreateBucket", "ListBuckets")])
def test_an_operation_on_a_missing_bucket(s3, operation):
    shape = MODEL.operation_model(operation).input_shape
    arguments = {name: SAMPLES.get(name, "k") for name in shape.required_members} | MORE.get(operation, {})
    arguments["Bucket"] = "there-is-no-such-bucket"
    with pytest.raises(ClientError) as error:
        getattr(s3, botocore.xform_name(operation))(**arguments)
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    # A HEAD has no body to say more.
    assert response["Error"]["Code"] in ("NoSuchBucket", "404" if operation.startswith("Head") else "NoSuchBucket")


def send(s3, method: str, path: str, content: bytes = b"", **headers: str) -> tuple[int, str]:
    """A request that no client would make, signed."""
    endpoint = urllib.parse.urlparse(s3.meta.endpoint_url)
    request = AWSRequest(method, f"{s3.meta.endpoint_url}{path}", data=content, headers=headers)
    S3SigV4Auth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=30)
    connection.request(method, path, content, {**dict(request.headers), "content-length": str(len(content))})
    reply = connection.getresponse()
    return reply.status, reply.read().decode(errors="replace")


RESOURCES = [
    "", "accelerate", "acl", "cors", "encryption", "lifecycle", "logging", "notification", "ownershipControls",
    "policy", "publicAccessBlock", "requestPayment", "tagging", "versioning", "website", "replication", "object-lock",
    "inventory", "analytics", "metrics", "intelligent-tiering", "uploads", "versions", "location", "policyStatus",
    "delete", "select", "torrent", "restore", "retention", "legal-hold", "attributes", "session", "metadataTable",
    "uploadId=x", "uploadId=x&partNumber=1", "partNumber=0", "partNumber=x", "versionId=", "versionId=%00",
    "list-type=2&max-keys=-1", "list-type=2&max-keys=x", "list-type=2&continuation-token=%ff", "max-keys=99999999999",
    "versions&key-marker=a&version-id-marker=%20", "uploads&max-uploads=-5", "x-id=Nothing", "%", "a=%zz", "=",
]
BODIES = [
    b"", b"<", b"not xml", b"<a/>", b"\x00\xff", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    b"<VersioningConfiguration><Status>Perhaps</Status></VersioningConfiguration>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><Tagging>&b;</Tagging>", b"<a>" * 2000,
    b"<LifecycleConfiguration><Rule><Status>Enabled</Status></Rule></LifecycleConfiguration>",
]


@pytest.mark.parametrize("resource", RESOURCES)
def test_nonsense_is_answered_by_name(client, resource):
    """Takes a while: some hundred requests for each way to name a part of a bucket."""
    s3 = client("s3", signature_version="s3v4")
    bucket = new_bucket(s3)
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"):
        for path in (f"/{bucket}", f"/{bucket}/k", f"/{bucket}/%2e%2e/%00"):
            for content in BODIES if method in ("PUT", "POST") else BODIES[:1]:
                status, text = send(s3, method, f"{path}?{resource}" if resource else path, content)
                # 501 says that an operation is not built, by S3's own code for that.
                known = status < 500 or (status == 501 and (method == "HEAD" or "NotImplemented" in text))
                assert known, f"{method} {path}?{resource} {content[:20]}: {status} {text}"
                assert status < 400 or method == "HEAD" or "<Code>" in text, f"{method} {path}?{resource}: {text}"


@pytest.mark.parametrize(
    "header, value",
    [
        ("range", "bytes=x"), ("range", "lines=1-2"), ("range", "bytes=5-1"), ("if-modified-since", "yesterday"),
        ("x-amz-checksum-crc32", "x"), ("x-amz-checksum-sha256", "AAAA"), ("x-amz-sdk-checksum-algorithm", "MD4"),
        ("content-md5", "x"), ("x-amz-copy-source", "/"), ("x-amz-copy-source", "b"), ("x-amz-copy-source", "%zz/%00"),
        ("x-amz-tagging", "%ff"), ("x-amz-tagging-directive", "MOVE"), ("x-amz-metadata-directive", "MOVE"),
        ("x-amz-storage-class", "COLD"), ("x-amz-acl", "everybody"), ("x-amz-expected-bucket-owner", "nobody"),
        ("x-amz-decoded-content-length", "x"), ("x-amz-meta-a", "v" * 2049), ("expires", "never"),
        ("x-amz-checksum-mode", "PERHAPS"), ("x-amz-object-attributes", "Colour"), ("if-match", ""),
        ("if-none-match", '"x"'), ("x-amz-request-payer", "nobody"), ("x-amz-object-ownership", "Nobody"),
    ],
)
def test_headers_that_make_no_sense(client, header, value):
    s3 = client("s3", signature_version="s3v4")
    bucket = new_bucket(s3)
    for method, path in [
        ("GET", f"/{bucket}/k"), ("HEAD", f"/{bucket}/k"), ("PUT", f"/{bucket}/k"), ("PUT", f"/{bucket}"),
        ("POST", f"/{bucket}/k?uploads"), ("DELETE", f"/{bucket}/k"), ("GET", f"/{bucket}/k?attributes"),
    ]:
        status, text = send(s3, method, path, **{header: value})
        known = status < 500 or (status == 501 and (method == "HEAD" or "NotImplemented" in text))
        assert known, f"{method} {path} with {header}: {value[:20]}: {status} {text}"


def test_names_that_no_bucket_may_have(client):
    s3 = client("s3", signature_version="s3v4")
    for name in ["ab", "a" * 64, "Upper", "under_score", "a..b", "192.168.1.1", "-a-b", "a-b-", "xn--abc", "a%2fb"]:
        status, text = send(s3, "PUT", f"/{name}")
        assert (status, "<Code>InvalidBucketName</Code>" in text) == (400, True), f"{name}: {status} {text}"
