"""S3 with unmodified boto3."""

import base64
import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from boto3.s3.transfer import TransferConfig

from buckets import MIB, body, new_bucket, refused


@pytest.fixture(params=["landfall", "enforcing"])
def s3(request):
    """A client of the open server, and one of the server that checks signatures."""
    return request.getfixturevalue(request.param).client("s3", signature_version="s3v4")


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def test_buckets(s3, bucket):
    assert bucket in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    assert refused(s3.create_bucket, Bucket=bucket) == ("BucketAlreadyOwnedByYou", 409)
    assert refused(s3.create_bucket, Bucket="UPPER_case") == ("InvalidBucketName", 400)
    assert refused(s3.get_object, Bucket=f"x{bucket}"[:60], Key="k") == ("NoSuchBucket", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    assert refused(s3.head_bucket, Bucket=bucket)[1] == 404


def test_a_bucket_of_another_region(landfall):
    s3 = landfall.client("s3", region_name="eu-west-1")
    name = f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"


@pytest.mark.parametrize("key", ["plain", "with space", "a+b&c=d", "dir/", "ümläut/<&>\"'", pytest.param("k" * 1024, id="longest"), "trailing.", "%41"])
def test_a_round_trip_whatever_the_key(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/plain", Metadata={"note": "of mine"})
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == key.encode()
    assert found["ETag"] == f'"{hashlib.md5(key.encode()).hexdigest()}"'
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"note": "of mine"})
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(s3.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)


def test_keys_too_long_are_refused(s3, bucket):
    assert refused(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"") == ("KeyTooLongError", 400)


def test_twenty_mebibytes_in_parts(s3, bucket, tmp_path):
    content = os.urandom(20 * MIB)
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), bucket, "big", ExtraArgs={"ContentType": "application/zip"})
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ContentLength"] == len(content)
    assert head["ETag"].endswith('-3"')
    assert head["ChecksumCRC32"].endswith("-3")
    assert head["ContentType"] == "application/zip"
    s3.download_file(bucket, "big", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content
    assert body(s3, bucket, "big", Range="bytes=8388600-8388615") == content[8388600:8388616]
    part = s3.get_object(Bucket=bucket, Key="big", PartNumber=3)
    assert part["Body"].read() == content[16 * MIB :]
    assert part["PartsCount"] == 3
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied", Config=TransferConfig(multipart_threshold=5 * MIB))
    assert body(s3, bucket, "copied") == content


def test_uploads_by_hand(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    first = s3.upload_part(**names, PartNumber=1, Body=b"a" * (5 * MIB))["ETag"]
    second = s3.upload_part(**names, PartNumber=2, Body=b"b")["ETag"]
    assert [one["PartNumber"] for one in s3.list_parts(**names)["Parts"]] == [1, 2]
    assert [one["UploadId"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    wrong = {"Parts": parts[::-1]}
    assert refused(s3.complete_multipart_upload, **names, MultipartUpload=wrong) == ("InvalidPartOrder", 400)
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert body(s3, bucket, "k", Range="bytes=-2") == b"ab"
    assert refused(s3.list_parts, **names) == ("NoSuchUpload", 404)
    names["UploadId"] = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.abort_multipart_upload(**names)
    assert refused(s3.upload_part, **names, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)


def test_ranges(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert body(s3, bucket, "k", Range="bytes=-3") == b"789"
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == ("InvalidRange", 416)


def test_versions(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert body(s3, bucket, "k", VersionId=one) == b"one"
    assert body(s3, bucket, "k", VersionId="null") == b"before"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [found["VersionId"] for found in listed["Versions"]] == [one, "null"]
    assert [found["VersionId"] for found in listed["DeleteMarkers"]] == [marker["VersionId"]]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert sum(len(page.get("Versions", []) + page.get("DeleteMarkers", [])) for page in pages) == 3
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert body(s3, bucket, "k") == b"one"


def test_copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from here", Body=b"content", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "from here"}
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="to")["Metadata"] == {"a": "1"}
    assert refused(s3.copy_object, Bucket=bucket, Key="from here", CopySource=source) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="from here", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="from here")["Metadata"] == {"b": "2"}
    missing = {"Bucket": bucket, "Key": "none"}
    assert refused(s3.copy_object, Bucket=bucket, Key="to", CopySource=missing) == ("NoSuchKey", 404)


def test_listings(s3, bucket):
    for key in ["a/1", "a/2", "b", "c/1", "d"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ["list_objects", "list_objects_v2"]:
        for size in [1, 2, 1000]:
            pages = s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
            )
            pages = list(pages)
            assert [one["Key"] for page in pages for one in page.get("Contents", [])] == ["b", "d"]
            prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
            assert prefixes == ["a/", "c/"], f"{operation} by {size}"
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="a/1", Prefix="a")
    assert [one["Key"] for one in after["Contents"]] == ["a/2"]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "none"}]})
    assert sorted(one["Key"] for one in gone["Deleted"]) == ["b", "none"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 4


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums(s3, bucket, algorithm):
    stored = s3.put_object(Bucket=bucket, Key="k", Body=b"content", ChecksumAlgorithm=algorithm)
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert stored[f"Checksum{algorithm}"] == found[f"Checksum{algorithm}"]
    assert found["Body"].read() == b"content"


def reflected(content: bytes, polynomial: int, bits: int) -> str:
    """A reflected CRC with all bits set before and inverted after, in base64: by the book, slowly."""
    register = mask = (1 << bits) - 1
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (polynomial if register & 1 else 0)
    return base64.b64encode((register ^ mask).to_bytes(bits // 8, "big")).decode()


@pytest.mark.parametrize(
    "algorithm, polynomial, bits", [("CRC32C", 0x82F63B78, 32), ("CRC64NVME", 0x9A6C9329AC4BC9B5, 64)]
)
def test_checksums_that_boto3_cannot_compute_by_itself(s3, bucket, algorithm, polynomial, bits):
    value = reflected(b"content", polynomial, bits)
    s3.put_object(Bucket=bucket, Key="k", Body=b"content", **{f"Checksum{algorithm}": value})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (value, "FULL_OBJECT")
    other = {f"Checksum{algorithm}": reflected(b"other", polynomial, bits)}
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"content", **other) == ("BadDigest", 400)


def test_a_wrong_checksum_stores_nothing(s3, bucket):
    arguments = {"Bucket": bucket, "Key": "k", "Body": b"content", "ChecksumSHA1": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    assert refused(s3.put_object, **arguments) == ("BadDigest", 400)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)


def test_a_streamed_body_with_a_trailer(s3, bucket):
    """What SDKs send over TLS: aws-chunked framing, unsigned, with the checksum behind the body."""
    framed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    assert send(s3, bucket, "k", framed, headers)[0] == 200
    assert body(s3, bucket, "k") == b"hello"
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="k")
    status, answer = send(s3, bucket, "other", framed.replace(b"NhCmhg==", b"AAAAAA=="), headers)
    assert (status, b"BadDigest" in answer) == (400, True)
    status, answer = send(s3, bucket, "other", framed[:9], headers)
    assert (status, b"IncompleteBody" in answer) == (400, True)


def send(s3, bucket: str, key: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """A PutObject that is signed, but not framed, by botocore."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/{bucket}/{key}", data=content, headers=headers)
    signer = S3SigV4Auth(s3._request_signer._credentials, "s3", "us-east-1")
    signer.payload = lambda _: headers["x-amz-content-sha256"]
    signer.add_auth(request)
    request.headers.replace_header("X-Amz-Content-SHA256", headers["x-amz-content-sha256"])
    address = urllib.parse.urlparse(request.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("PUT", address.path, content, dict(request.headers))
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"') == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfMatch=etag) == ("PreconditionFailed", 412)
    current = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=current)[1] == 304


def test_presigned_urls(s3, bucket):
    names = {"Bucket": bucket, "Key": "a b/ü"}
    put = urllib.request.Request(s3.generate_presigned_url("put_object", Params=names), b"presigned", method="PUT")
    assert urllib.request.urlopen(put, timeout=30).status == 200
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=names), timeout=30) as reply:
        assert reply.read() == b"presigned"
    missing = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "none"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(missing, timeout=30)
    assert error.value.code == 404


def test_what_is_not_built_says_so(s3, bucket):
    site = {"IndexDocument": {"Suffix": "index.html"}}
    assert refused(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=site) == ("NotImplemented", 501)
    put = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    assert refused(s3.put_object, **put, StorageClass="GLACIER") == ("InvalidStorageClass", 400)
    assert refused(s3.put_object, **put, ACL="public-read") == ("AccessControlListNotSupported", 400)
    assert refused(s3.put_object, **put, ExpectedBucketOwner="222222222222") == ("AccessDenied", 403)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)


def test_objects_survive_a_kill(servers):
    server = servers("open", "dummy")
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept-bucket")
    s3.put_object(Bucket="kept-bucket", Key="k", Body=b"kept")
    server.kill()
    server.start()
    assert body(server.client("s3"), "kept-bucket", "k") == b"kept"


def test_a_wrong_signature_is_refused(enforcing):
    access_key, _ = enforcing.root_key()
    forger = enforcing.client("s3", key=(access_key, "guessed"))
    assert refused(forger.list_buckets) == ("SignatureDoesNotMatch", 403)
    unknown = enforcing.client("s3", key=("AKIAUNKNOWNUNKNOWN00", "x"))
    assert refused(unknown.list_buckets) == ("InvalidAccessKeyId", 403)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{enforcing.endpoint}/some-bucket/key", timeout=30)
    assert error.value.code == 403
