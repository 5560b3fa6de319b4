"""Virtual-host style: the bucket in the host's name, with boto3 and by hand."""

import http.client
import socket
import urllib.parse

import boto3
import botocore.config
import pytest

from buckets import body, new_bucket, refused
from conftest import REGION


@pytest.fixture(params=["landfall", "enforcing"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def names_lead_here(monkeypatch):
    """As a resolver with these names would: the clients themselves are unmodified."""
    resolve = socket.getaddrinfo

    def resolved(host, *arguments, **more):
        here = isinstance(host, str) and host.endswith((".localhost", ".amazonaws.com"))
        return resolve("127.0.0.1" if here else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def virtual(server, host: str):
    """boto3 that puts the bucket before that host."""
    port = urllib.parse.urlparse(server.endpoint).port
    access_key, secret = server.root_key()
    return boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name=REGION,
        aws_access_key_id=access_key, aws_secret_access_key=secret,
        config=botocore.config.Config(
            s3={"addressing_style": "virtual"}, signature_version="s3v4", retries={"max_attempts": 0}
        ),
    )


@pytest.mark.parametrize("host", ["localhost", "s3.localhost", "s3.us-east-1.amazonaws.com"])
def test_boto3_with_the_bucket_in_the_host(server, names_lead_here, host):
    plain, s3 = server.client("s3"), virtual(server, host)
    bucket = new_bucket(s3)
    sent = []
    s3.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.url))
    s3.put_object(Bucket=bucket, Key="a b/ü+?", Body=b"virtual")
    assert urllib.parse.urlparse(sent[0]).hostname == f"{bucket}.{host}"
    assert body(s3, bucket, "a b/ü+?") == body(plain, bucket, "a b/ü+?") == b"virtual"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü+?"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert plain.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+?"})
    assert get(server, url) == (200, b"virtual")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a b/ü+?"}]})
    s3.delete_bucket(Bucket=bucket)
    assert refused(plain.head_bucket, Bucket=bucket)[1] == 404


def get(server, url: str) -> tuple[int, bytes]:
    """The URL as it is, without asking a resolver for its host."""
    address = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlparse(server.endpoint).port, timeout=30)
    connection.request("GET", f"{address.path}?{address.query}", headers={"host": address.netloc})
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_the_service_itself_is_no_bucket(server, names_lead_here):
    for host in ["s3.localhost", "localhost", "s3.us-east-1.amazonaws.com"]:
        names = [one["Name"] for one in virtual(server, host).list_buckets()["Buckets"]]
        assert "s3" not in names


def test_a_bucket_of_the_public_host(servers):
    server = servers("enforce", "dummy", "--public-url", "http://ci.example.org")
    bucket = new_bucket(server.client("s3"))
    server.client("s3").put_object(Bucket=bucket, Key="k", Body=b"public")
    access_key, secret = server.root_key()
    s3 = boto3.client(
        "s3", endpoint_url="http://ci.example.org", region_name=REGION,
        aws_access_key_id=access_key, aws_secret_access_key=secret,
        config=botocore.config.Config(s3={"addressing_style": "virtual"}, signature_version="s3v4"),
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert urllib.parse.urlparse(url).hostname == f"{bucket}.ci.example.org"
    assert get(server, url) == (200, b"public")


def test_web_pages_ask_by_the_rules_of_the_bucket(enforcing):
    """Cross-origin rules work in enforce mode; in open mode no foreign page may ask at all."""
    s3 = enforcing.client("s3", signature_version="s3v4")
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    address = urllib.parse.urlparse(enforcing.endpoint)

    def ask(method: str, path: str, **headers: str):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        reply.read()
        return reply

    page = {"origin": "https://app.example.org", "access_control_request_method": "PUT"}
    assert ask("OPTIONS", f"/{bucket}/k", **page).status == 403
    rule = {"AllowedOrigins": ["https://app.example.org"], "AllowedMethods": ["PUT", "GET"], "AllowedHeaders": ["x-amz-*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{**rule, "ExposeHeaders": ["ETag"]}]})
    allowed = ask("OPTIONS", f"/{bucket}/k", **page, access_control_request_headers="x-amz-date")
    assert allowed.status == 200
    assert allowed.getheader("access-control-allow-origin") == "https://app.example.org"
    assert allowed.getheader("access-control-allow-methods") == "PUT, GET"
    assert allowed.getheader("access-control-allow-headers") == "x-amz-date"
    assert ask("OPTIONS", f"/{bucket}/k", **page, access_control_request_headers="other").status == 403
    assert ask("OPTIONS", f"/{bucket}/k", **{**page, "origin": "https://evil.example"}).status == 403
    url = urllib.parse.urlparse(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}))
    read = ask("GET", f"{url.path}?{url.query}", origin="https://app.example.org")
    assert (read.status, read.getheader("access-control-expose-headers")) == (200, "ETag")
    assert ask("GET", f"{url.path}?{url.query}", origin="https://evil.example").getheader("access-control-allow-origin") is None
