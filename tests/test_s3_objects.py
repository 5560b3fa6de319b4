"""Tags, attributes, conditions, checksums and copies of objects, with unmodified boto3."""

import base64
import datetime
import hashlib
import os
import zlib

import pytest

from buckets import MIB, body, new_bucket, refused


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def tags(**pairs) -> dict:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def test_tags_of_objects(s3, bucket):
    names = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**names, Body=b"x", Tagging="team=core&what=a%20thing")
    assert s3.get_object_tagging(**names)["TagSet"] == tags(team="core", what="a thing")["TagSet"]
    assert s3.get_object(**names)["TagCount"] == 2
    headers = s3.head_object(**names)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-tagging-count"] == "2"
    s3.put_object_tagging(**names, Tagging=tags(other="1"))
    assert s3.get_object_tagging(**names)["TagSet"] == tags(other="1")["TagSet"]
    s3.delete_object_tagging(**names)
    assert s3.get_object_tagging(**names)["TagSet"] == []
    assert "TagCount" not in s3.get_object(**names)
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    eleven = {f"k{number}": "v" for number in range(11)}
    assert refused(s3.put_object_tagging, **names, Tagging=tags(**eleven)) == ("BadRequest", 400)
    assert refused(s3.put_object_tagging, **names, Tagging=tags(**{"aws:k": "v"})) == ("InvalidTag", 400)
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert refused(s3.put_object_tagging, **names, Tagging=twice) == ("InvalidTag", 400)
    assert refused(s3.put_object, **names, Body=b"", Tagging="a=1&a=2") == ("InvalidTag", 400)


def test_tags_of_versions_uploads_and_copies(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="n=1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="n=2")
    old = s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert (old["TagSet"], old["VersionId"]) == (tags(n="1")["TagSet"], first)
    copy = {"Bucket": bucket, "CopySource": {"Bucket": bucket, "Key": "k"}}
    s3.copy_object(**copy, Key="same")
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == tags(n="2")["TagSet"]
    s3.copy_object(**copy, Key="other", TaggingDirective="REPLACE", Tagging="n=3")
    assert s3.get_object_tagging(Bucket=bucket, Key="other")["TagSet"] == tags(n="3")["TagSet"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", Tagging="n=4")["UploadId"]
    names = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    etag = s3.upload_part(**names, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="parts")["TagSet"] == tags(n="4")["TagSet"]


def test_attributes(s3, bucket):
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345", ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    digest = base64.b64encode(hashlib.sha256(b"12345").digest()).decode()
    assert (found["ObjectSize"], found["StorageClass"]) == (5, "STANDARD")
    assert found["ETag"].strip('"') == hashlib.md5(b"12345").hexdigest()
    assert found["Checksum"] == {"ChecksumSHA256": digest, "ChecksumType": "FULL_OBJECT"}
    assert "ObjectParts" not in found
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and only["ObjectSize"] == 5
    missing = {"Bucket": bucket, "Key": "none", "ObjectAttributes": ["ETag"]}
    assert refused(s3.get_object_attributes, **missing) == ("NoSuchKey", 404)


def upload(s3, bucket: str, key: str, parts: list[bytes], **arguments) -> dict:
    """An upload in parts; answers that of the completion."""
    algorithm = arguments.get("ChecksumAlgorithm")
    with_algorithm = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)["UploadId"]
    names = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
    listed = []
    for number, content in enumerate(parts, 1):
        part = s3.upload_part(**names, PartNumber=number, Body=content, **with_algorithm)
        checksum = {name: value for name, value in part.items() if name.startswith("Checksum")}
        listed.append({"PartNumber": number, "ETag": part["ETag"], **checksum})
    return s3.complete_multipart_upload(**names, MultipartUpload={"Parts": listed})


@pytest.mark.parametrize(
    "algorithm, kind", [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")]
)
def test_checksums_of_parts(s3, bucket, algorithm, kind):
    parts = [os.urandom(5 * MIB), b"the rest"]
    done = upload(s3, bucket, "k", parts, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    value = done[f"Checksum{algorithm}"]
    assert done["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        assert value == base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
    else:
        assert value.endswith("-2")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (value, kind)
    attributes = {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["ObjectParts"], "MaxParts": 1}
    page = s3.get_object_attributes(**attributes)["ObjectParts"]
    assert (page["TotalPartsCount"], page["IsTruncated"]) == (2, True)
    assert page["Parts"][0]["Size"] == 5 * MIB and f"Checksum{algorithm}" in page["Parts"][0]
    rest = s3.get_object_attributes(**attributes, PartNumberMarker=page["NextPartNumberMarker"])["ObjectParts"]
    assert [part["PartNumber"] for part in rest["Parts"]] == [2]


def test_a_checksum_that_its_kind_cannot_be(s3, bucket):
    create = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}
    assert refused(s3.create_multipart_upload, **create) == ("InvalidRequest", 400)


def test_conditions_of_reads(s3, bucket):
    names = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**names, Body=b"x")["ETag"]
    written = s3.head_object(**names)["LastModified"]
    hour = datetime.timedelta(hours=1)
    for call in [s3.get_object, s3.head_object]:
        assert call(**names, IfMatch=etag, IfUnmodifiedSince=written - hour)["ETag"] == etag
        assert call(**names, IfNoneMatch='"other"', IfModifiedSince=written + hour)["ETag"] == etag
        assert refused(call, **names, IfMatch='"other"')[1] == 412
        assert refused(call, **names, IfUnmodifiedSince=written - hour)[1] == 412
        assert refused(call, **names, IfNoneMatch=etag)[1] == 304
        assert refused(call, **names, IfModifiedSince=written + hour)[1] == 304


def test_conditions_of_writes(s3, bucket):
    names = {"Bucket": bucket, "Key": "k"}
    failed, gone = ("PreconditionFailed", 412), ("NoSuchKey", 404)
    assert refused(s3.put_object, **names, Body=b"x", IfMatch='"none"') == gone
    etag = s3.put_object(**names, Body=b"x", IfNoneMatch="*")["ETag"]
    upload_id = s3.create_multipart_upload(**names)["UploadId"]
    part = s3.upload_part(**names, UploadId=upload_id, PartNumber=1, Body=b"y")["ETag"]
    complete = {**names, "UploadId": upload_id, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    assert refused(s3.complete_multipart_upload, **complete, IfNoneMatch="*") == failed
    assert refused(s3.complete_multipart_upload, **complete, IfMatch='"none"') == failed
    etag = s3.complete_multipart_upload(**complete, IfMatch=etag)["ETag"]
    copy = {**names, "CopySource": {"Bucket": bucket, "Key": "k"}, "MetadataDirective": "REPLACE"}
    assert refused(s3.copy_object, **copy, IfNoneMatch="*") == failed
    assert refused(s3.copy_object, **copy, IfMatch='"none"') == failed
    s3.copy_object(**copy, IfMatch=etag)
    assert refused(s3.delete_object, **names, IfMatch='"none"') == failed
    objects = [{"Key": "k", "ETag": '"none"'}]
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Errors"]
    assert [error["Code"] for error in errors] == ["PreconditionFailed"]
    s3.delete_object(**names, IfMatch=etag)
    assert refused(s3.head_object, **names)[1] == 404


def test_conditions_of_the_source_of_a_copy(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"x" * 10)["ETag"]
    written = s3.head_object(Bucket=bucket, Key="from")["LastModified"]
    hour = datetime.timedelta(hours=1)
    copy = {"Bucket": bucket, "Key": "to", "CopySource": {"Bucket": bucket, "Key": "from"}}
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    part = {"UploadId": upload_id, "PartNumber": 1}
    for call, more in [(s3.copy_object, {}), (s3.upload_part_copy, part)]:
        for condition in [
            {"CopySourceIfMatch": '"other"'},
            {"CopySourceIfNoneMatch": etag},
            {"CopySourceIfUnmodifiedSince": written - hour},
            {"CopySourceIfModifiedSince": written + hour},
        ]:
            assert refused(call, **copy, **more, **condition) == ("PreconditionFailed", 412), condition
        call(**copy, **more, CopySourceIfMatch=etag)


def test_parts_copied_by_range(s3, bucket):
    content = os.urandom(6 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=content)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    names = {"Bucket": bucket, "Key": "to", "UploadId": upload_id}
    source = {"Bucket": bucket, "Key": "from"}
    ranges = [f"bytes=0-{5 * MIB - 1}", f"bytes={5 * MIB}-{6 * MIB - 1}"]
    parts = []
    for number, span in enumerate(ranges, 1):
        copied = s3.upload_part_copy(**names, PartNumber=number, CopySource=source, CopySourceRange=span)
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    wrong = {"PartNumber": 3, "CopySource": source}
    assert refused(s3.upload_part_copy, **names, **wrong, CopySourceRange="bytes=5-") == ("InvalidArgument", 400)
    assert refused(s3.upload_part_copy, **names, **wrong, CopySourceRange=f"bytes=0-{6 * MIB}")[0] in (
        "InvalidRange", "InvalidArgument",
    )
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert body(s3, bucket, "to") == content


def test_parts_and_uploads_by_pages(s3, bucket):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for number in (1, 3, 5):
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=b"x")
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="k", UploadId=upload_id, PaginationConfig={"PageSize": 1}
    )
    assert [part["PartNumber"] for page in pages for part in page.get("Parts", [])] == [1, 3, 5]
    others = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("k", "a/1", "a/2")]
    paginator = s3.get_paginator("list_multipart_uploads")
    found = [
        one["UploadId"]
        for page in paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
        for one in page.get("Uploads", [])
    ]
    assert found == [others[1], others[2], upload_id, others[0]]
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["a/"]


def test_many_deletes_quiet_and_of_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = {key: s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"] for key in "ab"}
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b", "VersionId": versions["b"]}, {"Key": "c"}]})
    by_key = {one["Key"]: one for one in gone["Deleted"]}
    assert by_key["b"]["VersionId"] == versions["b"] and "DeleteMarker" not in by_key["b"]
    assert by_key["c"]["DeleteMarker"] and by_key["c"]["DeleteMarkerVersionId"]
    assert body(s3, bucket, "a", VersionId=versions["a"]) == b"x"
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert refused(s3.delete_objects, Bucket=bucket, Delete=many) == ("MalformedXML", 400)
    assert refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": []}) == ("MalformedXML", 400)


def test_headers_and_metadata_come_back_and_are_replaced(s3, bucket):
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    headers = {
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain; charset=utf-8",
    }
    names = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**names, Body=b"x", **headers, Expires=expires, StorageClass="STANDARD", Metadata={"A": "1"})
    found = s3.head_object(**names)
    assert {name: found[name] for name in headers} == headers
    assert found["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert found["Metadata"] == {"a": "1"}
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(**names, CopySource=source, MetadataDirective="REPLACE", ContentType="text/html", Metadata={"b": "2"})
    found = s3.head_object(**names)
    assert (found["ContentType"], found["Metadata"]) == ("text/html", {"b": "2"})
    assert "CacheControl" not in found and "ContentEncoding" not in found
    assert refused(s3.copy_object, **names, CopySource=source, MetadataDirective="MERGE") == ("InvalidArgument", 400)
    too_large = {"m": "v" * 2048}
    assert refused(s3.put_object, **names, Body=b"", Metadata=too_large) == ("MetadataTooLarge", 400)
