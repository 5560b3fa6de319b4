"""The aws command's own S3 commands, as a user types them."""

import os
import urllib.request

import pytest

from buckets import MIB

# Each of these commands takes half a second to start: a walk of them takes more than two.


@pytest.fixture(params=["landfall", "enforcing"])
def aws(request):
    return request.getfixturevalue(request.param).aws


def keys(listing: str) -> list[str]:
    return [line.split()[-1] for line in listing.splitlines()]


def test_a_day_with_aws_s3(aws, tmp_path):
    bucket = f"s3://walk-{os.urandom(8).hex()}"
    assert aws("s3", "mb", bucket).stdout.strip() == f"make_bucket: {bucket.removeprefix('s3://')}"
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("<p>hello")
    (folder / "sub" / "large.bin").write_bytes(os.urandom(9 * MIB))
    (folder / "skip.tmp").write_text("x")
    aws("s3", "sync", str(folder), bucket, "--exclude", "*.tmp")
    assert keys(aws("s3", "ls", bucket, "--recursive").stdout) == ["index.html", "sub/large.bin"]
    assert "PRE sub/" in aws("s3", "ls", f"{bucket}/").stdout
    assert aws("s3", "sync", str(folder), bucket, "--exclude", "*.tmp").stdout == ""
    (folder / "index.html").unlink()
    (folder / "new.txt").write_text("new")
    synced = aws("s3", "sync", str(folder), bucket, "--exclude", "*.tmp", "--delete").stdout
    assert "delete: " in synced and "upload: " in synced
    aws("s3", "cp", f"{bucket}/sub/large.bin", str(tmp_path / "down.bin"))
    assert (tmp_path / "down.bin").read_bytes() == (folder / "sub" / "large.bin").read_bytes()
    aws("s3", "cp", f"{bucket}/sub/large.bin", f"{bucket}/copy.bin")
    aws("s3", "mv", f"{bucket}/new.txt", f"{bucket}/moved.txt")
    assert keys(aws("s3", "ls", bucket, "--recursive").stdout) == ["copy.bin", "moved.txt", "sub/large.bin"]
    url = aws("s3", "presign", f"{bucket}/moved.txt", "--expires-in", "60").stdout.strip()
    with urllib.request.urlopen(url, timeout=30) as reply:
        assert reply.read() == b"new"
    aws("s3", "rm", f"{bucket}/sub", "--recursive")
    assert "remove_bucket failed" in aws("s3", "rb", bucket, check=False).stderr
    aws("s3", "rb", bucket, "--force")
    assert "NoSuchBucket" in aws("s3", "ls", bucket, check=False).stderr


def test_streams_and_odd_names(aws, tmp_path):
    bucket = f"s3://walk-{os.urandom(8).hex()}"
    aws("s3", "mb", bucket)
    odd = tmp_path / "a b+c & ü.txt"
    odd.write_text("odd")
    aws("s3", "cp", str(odd), f"{bucket}/dir/")
    assert aws("s3", "cp", f"{bucket}/dir/a b+c & ü.txt", "-").stdout == "odd"
    aws("s3", "cp", str(odd), f"{bucket}/tagged", "--content-type", "text/x-odd", "--metadata", "a=1", "--no-guess-mime-type")
    head = aws("s3api", "head-object", "--bucket", bucket.removeprefix("s3://"), "--key", "tagged").stdout
    assert "text/x-odd" in head and '"a": "1"' in head
    failed = aws("s3", "website", bucket, "--index-document", "index.html", check=False)
    assert failed.returncode != 0 and "NotImplemented" in failed.stderr
