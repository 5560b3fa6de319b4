"""S3 over TLS: there boto3 and the aws command frame bodies as aws-chunked, with a checksum behind them."""

import io
import os

import boto3
import botocore.config
import pytest
from boto3.s3.transfer import TransferConfig

from buckets import MIB, body, new_bucket, refused
from conftest import REGION


@pytest.fixture(scope="module")
def server(servers):
    return servers("enforce", "dummy", "--tls")


@pytest.fixture
def s3(server):
    access_key, secret = server.root_key()
    return boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, verify=str(server.data_dir / "tls/ca.pem"),
        aws_access_key_id=access_key, aws_secret_access_key=secret,
        config=botocore.config.Config(signature_version="s3v4", retries={"max_attempts": 0}, read_timeout=90),
    )


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [0, 5, 3 * MIB + 1])
def test_a_trailing_checksum(s3, bucket, algorithm, size):
    sent = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    content = os.urandom(size)
    stored = s3.put_object(Bucket=bucket, Key="k", Body=content, ChecksumAlgorithm=algorithm)
    framing = sent[0]["X-Amz-Content-SHA256"]
    assert framing in (b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == content
    assert found[f"Checksum{algorithm}"] == stored[f"Checksum{algorithm}"]
    assert "ContentEncoding" not in found


def test_content_encoding_is_kept_beside_the_framing(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"zipped", ContentEncoding="gzip")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"


class Pipe(io.RawIOBase):
    """A body whose length nobody knows before its end."""

    def __init__(self, content: bytes):
        self.rest = content

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = len(self.rest) if size < 0 else size
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece


def test_an_upload_in_parts(s3, bucket, tmp_path):
    content = os.urandom(12 * MIB)
    (tmp_path / "up").write_bytes(content)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(tmp_path / "up"), bucket, "parts", Config=config)
    s3.download_file(bucket, "parts", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == content
    s3.upload_fileobj(Pipe(content), bucket, "piped", Config=config)
    assert body(s3, bucket, "piped") == content


def test_settings_and_deletes_have_plain_bodies(s3, bucket):
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_the_aws_command(server, tmp_path):
    bucket = f"s3://tls-{os.urandom(8).hex()}"
    authority = ("--ca-bundle", str(server.data_dir / "tls/ca.pem"))
    (tmp_path / "f").write_bytes(os.urandom(9 * MIB))
    server.aws("s3", "mb", bucket, *authority)
    server.aws("s3", "cp", str(tmp_path / "f"), f"{bucket}/f", *authority)
    server.aws("s3", "cp", f"{bucket}/f", str(tmp_path / "g"), *authority)
    assert (tmp_path / "g").read_bytes() == (tmp_path / "f").read_bytes()
