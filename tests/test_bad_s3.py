"""S3's REST interface given what is wrong: names, keys, headers, ranges, digests, XML, dates, numbers.

Each row is one request that no client would let through, with the status and code of AWS's "Error responses". Whatever
is refused has changed nothing.
"""

import base64
import hashlib
import re
import urllib.parse

import pytest

from models import Raw

MD5 = "XUFAKrxLKna5cZ2REBfFkg=="
"""Of `hello`."""

LAUGHS = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True)) + "]>"


class Wire(Raw):
    """S3 requests in path style, with AWS's XML read back."""

    def s3(self, method: str, path: str, headers: dict | None = None, body: bytes | str = b"") -> tuple[int, str, str]:
        headers = {**self.signed("s3"), "x-amz-content-sha256": "UNSIGNED-PAYLOAD", **(headers or {})}
        status, text = self.send(body, headers, method, path)
        found = [re.search(f"<{tag}>(.*?)</{tag}>".encode(), text, re.DOTALL) for tag in ("Code", "Message")]
        return status, *(match.group(1).decode() if match else "" for match in found)


@pytest.fixture(scope="module")
def server(servers):
    server = servers("open", "dummy")
    s3 = server.client("s3")
    s3.create_bucket(Bucket="good")
    s3.put_object(Bucket="good", Key="k", Body=b"hello")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="versioned", Key="k", Body=b"hello")
    return server


@pytest.fixture(scope="module")
def upload(server):
    """A multipart upload with one part."""
    s3 = server.client("s3")
    identifier = s3.create_multipart_upload(Bucket="good", Key="parts")["UploadId"]
    etag = s3.upload_part(Bucket="good", Key="parts", UploadId=identifier, PartNumber=1, Body=b"part")["ETag"]
    return identifier, etag


def contents(server) -> list:
    """Everything that a client can see."""
    s3 = server.client("s3")
    seen = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    for bucket in list(seen):
        versions = s3.list_object_versions(Bucket=bucket)
        seen += [(one["Key"], one["VersionId"], one["ETag"]) for one in versions.get("Versions", [])] + versions.get("DeleteMarkers", [])
        seen += [(one["Key"], one["UploadId"]) for one in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
        seen.append(s3.get_bucket_versioning(Bucket=bucket).get("Status"))
    return seen


def refused(server, rows: dict) -> None:
    """Each request of `rows` is answered as it says, in AWS's form, and changes nothing."""
    raw, before, wrong = Wire(server), contents(server), []
    for what, (method, path, headers, body, status, *codes) in rows.items():
        answer = raw.s3(method, path, headers, body)
        # A reply to HEAD has no body that could say a code.
        if answer[0] != status or method != "HEAD" and status >= 400 and not (answer[1] in codes and answer[2]):
            wrong.append(f"{what}: {method} {path[:60]} → {answer[0]} {answer[1]} {answer[2][:100]}, not {status} {'/'.join(codes)}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    assert contents(server) == before
    assert server.get("/healthz")[0] == 200


NAMES = ["Upper", "ab", "a" * 64, "under_score", "-dash", "dash-", "dot..dot", ".dot", "dot.", "192.168.0.1", "a%20b",
         "xn--abc", "sthree-abc", "abc-s3alias", "b%C3%BCcket", "a+b", "a*b"]


def test_names_that_no_bucket_may_have(server):
    rows = {name: ("PUT", f"/{name}", {}, b"", 400, "InvalidBucketName") for name in NAMES}
    refused(server, rows)


def test_what_is_not_there(server):
    refused(server, {
        "a bucket": ("GET", "/absent-bucket", {}, b"", 404, "NoSuchBucket"),
        "a bucket's object": ("GET", "/absent-bucket/k", {}, b"", 404, "NoSuchBucket"),
        "to delete a bucket": ("DELETE", "/absent-bucket", {}, b"", 404, "NoSuchBucket"),
        "to put into a bucket": ("PUT", "/absent-bucket/k", {}, b"hello", 404, "NoSuchBucket"),
        "the head of a bucket": ("HEAD", "/absent-bucket", {}, b"", 404),
        "an object": ("GET", "/good/absent", {}, b"", 404, "NoSuchKey"),
        "the head of an object": ("HEAD", "/good/absent", {}, b"", 404),
        "a version": ("GET", f"/versioned/k?versionId={'0' * 32}", {}, b"", 404, "NoSuchVersion"),
        "the source of a copy": ("PUT", "/good/copy", {"x-amz-copy-source": "/good/absent"}, b"", 404, "NoSuchKey"),
        "the bucket of a copy's source": ("PUT", "/good/copy", {"x-amz-copy-source": "/absent-bucket/k"}, b"", 404, "NoSuchBucket"),
        "an upload": ("PUT", "/good/k?partNumber=1&uploadId=absent", {}, b"x", 404, "NoSuchUpload"),
        "an upload to end": ("DELETE", "/good/k?uploadId=absent", {}, b"", 404, "NoSuchUpload"),
        "parts of an upload": ("GET", "/good/k?uploadId=absent", {}, b"", 404, "NoSuchUpload"),
        "a bucket that has things": ("DELETE", "/good", {}, b"", 409, "BucketNotEmpty"),
    })


def test_keys_headers_and_digests(server):
    put = lambda headers, *codes, status=400, body=b"hello", path="/good/new": ("PUT", path, headers, body, status, *codes)
    refused(server, {
        "a long key": put({}, "KeyTooLongError", path=f"/good/{'k' * 1025}"),
        "a long key of wide letters": put({}, "KeyTooLongError", path="/good/" + urllib.parse.quote("ü" * 513)),
        "a digest that is none": put({"Content-MD5": "nonsense"}, "InvalidDigest"),
        "an empty digest": put({"Content-MD5": ""}, "InvalidDigest"),
        "another's digest": put({"Content-MD5": MD5}, "BadDigest", body=b"other"),
        "another's checksum": put({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        "a checksum that is none": put({"x-amz-checksum-sha256": "nonsense"}, "InvalidRequest"),
        "an unknown checksum": put({"x-amz-sdk-checksum-algorithm": "CRC99"}, "InvalidRequest"),
        "another's SHA-256": put({"x-amz-content-sha256": "0" * 64}, "XAmzContentSHA256Mismatch"),
        "an unknown storage class": put({"x-amz-storage-class": "NO_SUCH"}, "InvalidStorageClass"),
        "an unknown ACL": put({"x-amz-acl": "no-such"}, "InvalidArgument", "AccessControlListNotSupported"),
        "an unknown encryption": put({"x-amz-server-side-encryption": "rot13"}, "InvalidArgument", "InvalidEncryptionAlgorithmError"),
        "too much metadata": put({"x-amz-meta-a": "x" * 2_100}, "MetadataTooLarge"),
        "tags that are none": put({"x-amz-tagging": "%zz&&&="}, "InvalidArgument", "InvalidTag"),
        "too many tags": put({"x-amz-tagging": "&".join(f"k{n}=v" for n in range(11))}, "BadRequest", "InvalidTag"),
        "a condition that fails": put({"If-None-Match": "*"}, "PreconditionFailed", status=412, path="/good/k"),
        "another condition that fails": put({"If-Match": '"0"'}, "PreconditionFailed", status=412, path="/good/k"),
        "a copy's source without a key": put({"x-amz-copy-source": "good"}, "InvalidArgument", body=b""),
        "a copy's source of bad escapes": put({"x-amz-copy-source": "/good/%zz"}, "NoSuchKey", body=b"", status=404),
        "a copy onto itself": put({"x-amz-copy-source": "/good/k"}, "InvalidRequest", body=b"", path="/good/k"),
        "an unknown directive": put({"x-amz-copy-source": "/good/k", "x-amz-metadata-directive": "NO"}, "InvalidArgument", body=b""),
    })


def test_ranges_conditions_and_dates(server):
    get = lambda headers, status, *codes: ("GET", "/good/k", headers, b"", status, *codes)
    refused(server, {
        "a range behind the end": get({"Range": "bytes=5-"}, 416, "InvalidRange"),
        "the last nothing": get({"Range": "bytes=-0"}, 416, "InvalidRange"),
        "a range that is none": get({"Range": "bytes=x-y"}, 200),
        "a range in another unit": get({"Range": "lines=1-2"}, 200),
        "a range backwards": get({"Range": "bytes=3-1"}, 200),
        "an endless range": get({"Range": f"bytes=0-{'9' * 30}"}, 206),
        "a start beyond numbers": get({"Range": f"bytes={'9' * 30}-"}, 416, "InvalidRange"),
        "a condition that fails": get({"If-Match": '"nonsense"'}, 412, "PreconditionFailed"),
        "a date that is none": get({"If-Modified-Since": "yesterday"}, 200),
        "a date that is none, the other way": get({"If-Unmodified-Since": "31 Feb"}, 200),
        "a day of long ago": get({"If-Unmodified-Since": "Mon, 01 Jan 1990 00:00:00 GMT"}, 412, "PreconditionFailed"),
        "a version of nonsense": ("GET", "/good/k?versionId=nonsense", {}, b"", 400, "InvalidArgument"),
        "an empty version": ("GET", "/good/k?versionId=", {}, b"", 400, "InvalidArgument"),
        "a part that is none": ("GET", "/good/k?partNumber=0", {}, b"", 400, "InvalidArgument"),
    })


def test_lists_with_wrong_parameters(server):
    lists = {
        "letters for a number": "list-type=2&max-keys=many", "a negative number": "list-type=2&max-keys=-1", "a number beyond": f"max-keys={'9' * 30}",
        "an empty token": "list-type=2&continuation-token=", "a token of nonsense": "list-type=2&continuation-token=nonsense",
        "an unknown encoding": "list-type=2&encoding-type=rot13", "an unknown encoding of versions": "versions&encoding-type=rot13",
        "a version without its key": "versions&version-id-marker=x", "a fraction": "uploads&max-uploads=1.5"}
    refused(server, {what: ("GET", f"/good?{query}", {}, b"", 400, "InvalidArgument") for what, query in lists.items()})


XML = {
    "nothing": b"", "no XML": b"nonsense", "JSON": b"{}", "cut": b"<Delete><Object><Key>k</Key>", "another root": b"<Other/>",
    "an open quote": b'<Delete xmlns="x><Object/></Delete>', "invalid UTF-8": b"<Delete><Object><Key>\xff</Key></Object></Delete>",
    "deep": b"<a>" * 50_000, "a billion laughs": LAUGHS.encode() + b"<Delete><Object><Key>&j;</Key></Object></Delete>",
    "a file of ours": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&f;</Key></Object></Delete>',
    "empty": b"<Delete/>", "no key": b"<Delete><Object/></Delete>",
    "too many": b"<Delete>" + b"<Object><Key>absent</Key></Object>" * 1_001 + b"</Delete>",
}


@pytest.mark.parametrize("query", ["/good?delete", "/good?versioning", "/good?tagging", "/good/k?tagging", "/good?lifecycle", "/good?notification"])
def test_malformed_documents(server, query):
    method = "POST" if query.endswith("delete") else "PUT"
    rows = {}
    for what, body in XML.items():
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        rows[what] = (method, query, {"Content-MD5": digest}, body, 400, "MalformedXML", "MissingRequestBodyError", "MissingRequestBody")
    refused(server, rows)


def test_uploads_in_parts(server, upload):
    identifier, etag = upload
    part = lambda number: ("PUT", f"/good/parts?partNumber={number}&uploadId={identifier}", {}, b"x", 400, "InvalidArgument")
    complete = lambda body, *codes: ("POST", f"/good/parts?uploadId={identifier}", {}, body, 400, *codes)
    one = lambda number, tag=etag: f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
    whole = lambda *parts: f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>"
    refused(server, {
        "part 0": part(0), "part 10,001": part(10_001), "part -1": part(-1), "a part of letters": part("x"), "a part beyond": part("9" * 30),
        "no parts": complete(whole(), "MalformedXML"), "no list": complete("nonsense", "MalformedXML"),
        "a part that was not sent": complete(whole(one(2)), "InvalidPart"), "another's tag": complete(whole(one(1, '"0"')), "InvalidPart"),
        "parts in a wrong order": complete(whole(one(2), one(1)), "InvalidPartOrder"),
        "a part twice": complete(whole(one(1), one(1)), "InvalidPartOrder"),
        "a number of letters": complete(whole(one("x")), "MalformedXML"),
        "another key's upload": ("PUT", f"/good/other?partNumber=1&uploadId={identifier}", {}, b"x", 404, "NoSuchUpload"),
    })


def test_methods_and_paths_that_are_none(server):
    refused(server, {
        "an unknown method": ("PATCH", "/good/k", {}, b"", 405, "MethodNotAllowed"),
        "an unknown method on a bucket": ("PATCH", "/good", {}, b"", 405, "MethodNotAllowed"),
        "a deletion of everything": ("DELETE", "/", {}, b"", 405, "MethodNotAllowed"),
        "a place for a bucket": ("PUT", "/elsewhere", {}, "<CreateBucketConfiguration><LocationConstraint>atlantis-1</LocationConstraint></CreateBucketConfiguration>",
                                 400, "InvalidLocationConstraint", "IllegalLocationConstraintException"),
        "a bucket's body of nonsense": ("PUT", "/elsewhere", {}, "nonsense", 400, "MalformedXML"),
    })


def test_hostile_bytes_in_paths_queries_and_headers_are_answered(server):
    raw, before, wrong = Wire(server), contents(server), []
    texts = ["%00", "%ff%fe", "%2e%2e/%2e%2e/etc/passwd", "../../etc/passwd", "%", "%zz", "//", "a//b", "%25%32%65", ";", "?", "??x", "&&&", "=&="]
    for text in texts:
        for path in (f"/good/{text}", f"/good?{text}", f"/good?prefix={text}&list-type=2", f"/{text}", f"/good/k?response-content-type={text}"):
            for method in ("GET", "HEAD"):
                status, code, _ = raw.s3(method, path)
                if status >= 500 and status != 501:
                    wrong.append(f"{method} {path} → {status} {code}")
    for header in ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "x-amz-copy-source", "Content-MD5", "x-amz-meta-x", "Accept", "Host2",
                   "x-amz-expected-bucket-owner", "x-amz-request-payer", "Content-Type", "x-amz-decoded-content-length", "x-amz-content-sha256"):
        for value in ("", " ", "x" * 6_000, "\xe4\xf6", "%00", "-1", "9" * 40, "null", "*", '"', "bytes=0-0,2-3,-1"):
            for method, path in (("GET", "/good/k"), ("HEAD", "/good/k"), ("GET", "/good"), ("DELETE", "/good/absent")):
                status, code, _ = raw.s3(method, path, {header: value})
                if status >= 500 and status != 501:
                    wrong.append(f"{method} {path} {header}: {value[:20]} → {status} {code}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert contents(server) == before
