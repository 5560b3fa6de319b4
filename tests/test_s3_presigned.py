"""URLs that boto3 presigns: who holds one may do what it says, until it expires."""

import datetime
import urllib.error
import urllib.parse
import urllib.request
from unittest import mock

import pytest

from buckets import body, new_bucket

WEEK = 7 * 24 * 60 * 60


@pytest.fixture
def s3(enforcing):
    return enforcing.client("s3", signature_version="s3v4")


@pytest.fixture
def bucket(s3):
    name = new_bucket(s3)
    s3.put_object(Bucket=name, Key="k", Body=b"content")
    return name


def lower(headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def fetch(url: str, method: str = "GET", content: bytes | None = None, **headers: str) -> tuple[int, str, dict]:
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read().decode(), lower(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), lower(error.headers)


def test_each_method_has_its_url(s3, bucket):
    names = {"Bucket": bucket, "Key": "k"}
    url = s3.generate_presigned_url("get_object", Params=names, ExpiresIn=WEEK)
    assert fetch(url)[:2] == (200, "content")
    # A URL is for its method, its key and its bucket alone.
    assert fetch(url, "PUT", b"other")[0] == 403
    assert fetch(url.replace("/k?", "/other?"))[0] == 403
    put = s3.generate_presigned_url("put_object", Params={**names, "ContentType": "text/css"})
    assert fetch(put, "PUT", b"new", **{"Content-Type": "text/plain"})[0] == 403
    assert fetch(put, "PUT", b"new", **{"Content-Type": "text/css"})[0] == 200
    assert body(s3, bucket, "k") == b"new"
    head = fetch(s3.generate_presigned_url("head_object", Params=names), "HEAD")
    assert (head[0], head[2]["content-type"]) == (200, "text/css")
    assert fetch(s3.generate_presigned_url("delete_object", Params=names), "DELETE")[0] == 204
    assert fetch(s3.generate_presigned_url("get_object", Params=names))[0] == 404


def test_the_answer_s_headers_may_be_named(s3, bucket):
    url = s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": bucket,
            "Key": "k",
            "ResponseContentType": "application/json",
            "ResponseContentDisposition": 'attachment; filename="a b.json"',
            "ResponseCacheControl": "no-store",
            "ResponseContentLanguage": "de",
            "ResponseContentEncoding": "identity",
            "ResponseExpires": datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc),
        },
    )
    status, _, headers = fetch(url)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["content-disposition"] == 'attachment; filename="a b.json"'
    assert headers["cache-control"] == "no-store"
    assert headers["content-language"] == "de"
    assert headers["content-encoding"] == "identity"
    assert headers["expires"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def signed_then(s3, bucket: str, seconds: int, **arguments) -> str:
    """A URL of some seconds ago."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(seconds=seconds)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, **arguments)


def test_urls_expire(s3, bucket):
    assert fetch(signed_then(s3, bucket, 3000, ExpiresIn=3600))[0] == 200
    status, text, _ = fetch(signed_then(s3, bucket, 3000, ExpiresIn=60))
    assert (status, "AccessDenied" in text, "Request has expired" in text) == (403, True, True)


def test_no_url_is_for_more_than_a_week(s3, bucket):
    status, text, _ = fetch(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=WEEK + 1))
    assert (status, "AuthorizationQueryParametersError" in text) == (400, True)


def test_a_changed_url_is_no_url(s3, bucket):
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")
    status, text, _ = fetch(longer)
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)
    other = url.replace(urllib.parse.quote(s3._request_signer._credentials.access_key), "AKIAUNKNOWNUNKNOWN00")
    status, text, _ = fetch(other)
    assert (status, "InvalidAccessKeyId" in text) == (403, True)
